//! Completions as bash, zsh and fish complete them, and the manual pages as `man` shows them.

use std::process::Command;

use crate::harness::home::{Ended, Home, ended};

/// A home with a provider of its own and a login on the profile `sandbox`.
fn home() -> Home {
    let home = Home::new();
    home.configure(
        "[providers.my-idp]\ntoken_endpoint = \"https://as.example/token\"\ndevice_authorization_endpoint = \"https://as.example/device\"\n",
    );
    home.run(&["login", "semrush", "--sandbox"]).expect(0);
    home
}

/// The script for `shell`, in a file that the shell can load.
fn script(home: &Home, shell: &str, file: &str) -> String {
    let script = home.run(&["completions", shell]).expect(0);
    let path = home.path().join(file);
    std::fs::write(&path, script.stdout).unwrap();
    path.display().to_string()
}

fn shell(home: &Home, program: &str, args: &[&str]) -> Ended {
    let mut command: Command = home.program(program);
    command.args(args).env("TERM", "xterm");
    ended(command, "").expect(0)
}

#[test]
fn bash_offers_commands_providers_profiles_and_scopes() {
    let home = home();
    let script = script(&home, "bash", "seo-auth.bash");
    let complete = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let last = words.len() - 1;
        let code = format!(
            "source {script}; f=$(complete -p seo-auth); f=${{f#*-F }}; COMP_WORDS=({}); COMP_CWORD={last}; COMP_LINE='{line}'; ${{f%% *}} seo-auth \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{}]}}\"; echo ${{COMPREPLY[*]}}",
            words
                .iter()
                .map(|word| format!("'{word}'"))
                .collect::<Vec<_>>()
                .join(" "),
            last - 1,
        );
        shell(&home, "bash", &["--norc", "-c", &code]).stdout
    };
    let verbs = complete("seo-auth log");
    assert!(
        verbs.contains("login") && verbs.contains("logout"),
        "{verbs}"
    );
    for provider in ["semrush", "ahrefs", "my-idp"] {
        assert!(complete("seo-auth login ").contains(provider));
    }
    assert_eq!(complete("seo-auth status --profile ").trim(), "sandbox");
    assert!(complete("seo-auth login semrush --scope ").contains("domains.info"));
    assert_eq!(complete("seo-auth token print --store k").trim(), "keyring");
}

#[test]
fn fish_offers_the_same() {
    let home = home();
    let script = script(&home, "fish", "seo-auth.fish");
    let complete = |line: &str| {
        shell(
            &home,
            "fish",
            &[
                "--no-config",
                "-c",
                &format!("source {script}; complete -C '{line}'"),
            ],
        )
        .stdout
    };
    assert!(complete("seo-auth log").contains("logout"));
    assert!(complete("seo-auth status --profile ").contains("sandbox"));
    assert!(complete("seo-auth login --scope ").contains("domains.info"));
}

#[test]
fn zsh_offers_the_same() {
    let home = home();
    script(&home, "zsh", "_seo-auth");
    // A shell inside a shell, with a pseudo-terminal: the only way to press Tab in zsh.
    let code = format!(
        r#"zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; fpath=({dir} \$fpath); autoload -U compinit; compinit -u -D; zstyle ':completion:*' list-prompt ''; LISTMAX=0; print ready"
zpty -r z text '*ready*ready*'
zpty -n -w z $'seo-auth login \t\t'
zpty -r z text '(*my-idp*semrush*|*semrush*my-idp*)'
print -r -- $text
zpty -d z"#,
        dir = home.path().display()
    );
    let shown = shell(&home, "zsh", &["-f", "-c", &code]).stdout;
    for provider in ["semrush", "ahrefs", "my-idp"] {
        assert!(shown.contains(provider), "{shown}");
    }
}

#[test]
fn manual_pages_are_shown_without_a_complaint() {
    let home = Home::new();
    let pages = home.path().join("man1");
    home.run(&["man", "--dir", pages.to_str().unwrap()])
        .expect(0);
    let names: Vec<_> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|page| page.unwrap().path())
        .collect();
    assert!(
        names
            .iter()
            .any(|page| page.ends_with("seo-auth-token-print.1")),
        "{names:?}"
    );
    for page in &names {
        let man = shell(&home, "man", &["--warnings", "-l", page.to_str().unwrap()]);
        assert_eq!(man.stderr, "", "{}", page.display());
        assert!(man.stdout.contains("SYNOPSIS"), "{}", page.display());
    }
    let exec = pages.join("seo-auth-exec.1");
    let exec = shell(&home, "man", &["-l", exec.to_str().unwrap()]).stdout;
    let words: Vec<_> = exec.split_whitespace().collect();
    let words = words.join(" ");
    assert!(words.contains("[PROVIDERS] -- <CMD>"), "{exec}");
    // An option that the short help hides has its text here.
    assert!(
        words.contains("--profile <NAME> Profile: it keeps"),
        "{exec}"
    );
    let top = home.run(&["man"]).expect(0);
    assert!(top.stdout.contains(".TH seo-auth 1"), "{top:?}");
}
