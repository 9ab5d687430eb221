//! Values that people hand over: by a variable, on stdin, in JSON. One reading for all of them.

use crate::harness::home::{Ended, Home, ended};

fn with(variable: &str, value: &str, args: &[&str]) -> Ended {
    let home = Home::new();
    let mut command = home.command(args);
    command.env(variable, value);
    ended(command, "")
}

const PRINT: [&str; 3] = ["token", "print", "semrush"];

#[test]
fn what_stands_around_a_token_is_left_out() {
    for value in ["abc", "abc\r\n", " abc ", "\u{feff}abc"] {
        let printed = with("SEO_AUTH_SEMRUSH_TOKEN", value, &PRINT).expect(0);
        assert_eq!(printed.stdout, "abc\n", "{value:?}");
        let home = Home::new();
        let login = ["login", "semrush", "--with-token"];
        home.run_with_stdin(&login, value).expect(0);
        assert_eq!(home.run(&PRINT).expect(0).stdout, "abc\n", "{value:?}");
    }
}

#[test]
fn what_is_no_token_is_refused_by_variable_and_by_stdin() {
    for (value, why) in [
        ("\"abc\"", "it has quotes around it"),
        ("Bearer abc", "it starts with `Bearer `"),
        ("ab\rc", "`\\r`"),
        ("two words", "a space"),
        ("  ", "empty"),
    ] {
        let printed = with("SEO_AUTH_SEMRUSH_TOKEN", value, &PRINT).expect(2);
        assert_eq!(printed.stdout, "");
        assert!(
            printed.stderr.contains("SEO_AUTH_SEMRUSH_TOKEN"),
            "{printed:?}"
        );
        assert!(printed.stderr.contains(why), "{value:?}: {printed:?}");
        let home = Home::new();
        let login = ["login", "semrush", "--with-token"];
        let stdin = home.run_with_stdin(&login, value).expect(2);
        assert!(stdin.stderr.contains(why), "{value:?}: {stdin:?}");
    }
}

#[test]
fn settings_in_variables_are_read_by_the_same_rule() {
    for (variable, value, why) in [
        ("SEO_AUTH_STORE", "\"file\"", "quotes"),
        ("SEO_AUTH_STORE", "fi\rle", "`\\r`"),
        ("SEO_AUTH_STATE_DIR", "/st\rate", "`\\r`"),
        ("SEO_AUTH_STATE_DIR", "~/state", "no shell has expanded"),
        ("SEO_AUTH_STATE_DIR", "$HOME/state", "no shell has expanded"),
        ("SEO_AUTH_AHREFS_CLIENT_SECRET", "  ", "empty"),
        ("SEO_AUTH_AHREFS_CLIENT_ID", "'id'", "quotes"),
    ] {
        let login = [
            "login",
            "ahrefs",
            "--no-browser",
            "--timeout",
            "1s",
            "--paste",
        ];
        let refused = with(variable, value, &login).expect(2);
        assert!(refused.stderr.contains(variable), "{refused:?}");
        assert!(
            refused.stderr.contains(why),
            "{variable} {value:?}: {refused:?}"
        );
    }
    with("SEO_AUTH_STORE", "file\r\n", &["status"]).expect(0);
}

#[test]
fn a_rejected_token_that_is_no_text_is_a_mistake_in_the_call() {
    use std::io::Write as _;
    let mut command = Home::new().command(&[&PRINT[..], &["--rejected"]].concat());
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\xff\xfe").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[cfg(unix)]
#[test]
fn names_that_github_refuses_are_refused_before() {
    let home = Home::new();
    for (name, code) in [
        ("GITHUB_TOKEN", 2),
        ("RUNNER_TEMP", 2),
        ("NODE_OPTIONS", 2),
        ("CI", 2),
        ("PATH", 0),
        ("SEO_TOKEN", 0),
    ] {
        let args = [
            "token", "print", "semrush", "--format", "github", "--name", name,
        ];
        let mut command = home.command(&args);
        let file = home.path().join("env");
        command
            .env("GITHUB_ENV", &file)
            .env("SEO_AUTH_SEMRUSH_TOKEN", "abc");
        let outcome = ended(command, "").expect(code);
        let warned = outcome.stderr.contains("later steps of the job");
        assert_eq!(warned, name == "PATH", "{outcome:?}");
    }
}

#[cfg(unix)]
#[test]
fn the_path_of_a_github_file_is_read_like_every_setting() {
    let home = Home::new();
    let file = home.path().join("env");
    let print = |value: &str| {
        let mut command = home.command(&["token", "print", "semrush", "--format", "github"]);
        command
            .env("GITHUB_ENV", value)
            .env("SEO_AUTH_SEMRUSH_TOKEN", "abc");
        ended(command, "")
    };
    print(&format!(" {}\r\n", file.display())).expect(0);
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written, "SEMRUSH_OAUTH_TOKEN=abc\n");
    for (value, why) in [
        ("'/tmp/env'", "quotes"),
        ("$RUNNER_TEMP/env", "no shell has expanded"),
        ("/tmp/e\rnv", "`\\r`"),
    ] {
        let refused = print(value).expect(2);
        assert_eq!(refused.stdout, "");
        assert!(refused.stderr.contains("GITHUB_ENV"), "{refused:?}");
        assert!(refused.stderr.contains(why), "{value:?}: {refused:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_github_file_that_is_full_is_a_failure() {
    let home = Home::new();
    let mut command = home.command(&["token", "print", "semrush", "--format", "github"]);
    command
        .env("GITHUB_ENV", "/dev/full")
        .env("SEO_AUTH_SEMRUSH_TOKEN", "abc");
    let failed = ended(command, "").expect(1);
    assert_eq!(failed.stdout, "");
    assert!(
        failed
            .stderr
            .contains("/dev/full can't be written: No space left"),
        "{failed:?}"
    );
}

/// People try a step out like this. A pipe is written to, and never read.
#[cfg(unix)]
#[test]
fn a_github_file_that_is_a_pipe_is_only_appended_to() {
    let home = Home::new();
    let mut command = home.command(&["token", "print", "semrush", "--format", "github"]);
    command
        .env("GITHUB_ENV", "/dev/stdout")
        .env("SEO_AUTH_SEMRUSH_TOKEN", "abc");
    let printed = ended(command, "").expect(0);
    assert!(
        printed.stdout.contains("SEMRUSH_OAUTH_TOKEN=abc"),
        "{printed:?}"
    );
}
