//! Calls that are wrong: told on stderr with exit code 2, in full where JSON was asked for.

use crate::harness::home::{Home, ended};

/// What is wrong, by the JSON object of a wrong call.
fn message(args: &[&str]) -> String {
    let ended = Home::new().run(args).expect(2);
    assert_eq!(ended.stdout, "", "{ended:?}");
    let object: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(object["code"], "usage");
    assert_eq!(object["exit_code"], 2);
    object["message"].as_str().unwrap().to_owned()
}

#[test]
fn an_object_says_all_of_what_is_wrong() {
    let login = message(&["login", "--json"]);
    assert!(login.contains("no provider"), "{login}");
    let token = message(&["token", "--json"]);
    assert!(token.contains("subcommand"), "{token}");
    let color = message(&["--json", "status", "--color", "blue"]);
    assert!(color.contains("always"), "{color}");
}

#[test]
fn a_wrong_word_leads_to_what_was_meant() {
    for (args, hint) in [
        (&["print", "semrush"][..], "`seo-auth token print`"),
        (&["refresh"], "`seo-auth token refresh`"),
        (&["list"], "`seo-auth status`"),
        (&["whoami"], "`seo-auth status`"),
        (&["version"], "`seo-auth --version`"),
        (&["token", "semrush"], "`seo-auth token print semrush`"),
        (&["exec", "semrush", "./report.sh"], "put `--` before"),
        (&["login"], "`seo-auth providers`"),
        (&["stauts"], "'status'"),
    ] {
        let ended = Home::new().run(args).expect(2);
        assert_eq!(ended.stdout, "", "{args:?}");
        assert!(ended.stderr.contains(hint), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn the_json_of_the_command_that_is_run_is_not_ours() {
    let args = ["exec", "semrush", "--bogus", "--", "jq", "--json"];
    let ended = Home::new().run(&args).expect(2);
    assert!(ended.stderr.starts_with("error: "), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_could_not_be_written_is_a_failure() {
    for args in [&["--help"][..], &["--version"], &["login", "--help"]] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut command = Home::new().command(args);
        let output = command.stdout(full.unwrap()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(stderr.contains("stdout can't be written"), "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_stderr_changes_no_exit_code() {
    for args in [&["--json", "bogus"][..], &["bogus"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Home::new().command(args);
        let status = command
            .stderr(std::process::Stdio::from(writer))
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_variable_that_names_no_store_is_told_by_every_command() {
    for args in [
        &["status"][..],
        &["token", "print", "semrush"],
        &["providers"],
    ] {
        let mut command = Home::new().command(args);
        command.env("SEO_AUTH_STORE", "disk");
        let ended = ended(command, "").expect(2);
        assert!(ended.stderr.contains("SEO_AUTH_STORE"), "{ended:?}");
    }
}

/// A login that is refused before it shows, asks or writes anything; the code and the words of its error.
fn refused(args: &[&str], stdin: &str) -> (String, String) {
    let home = Home::new();
    let login = [&["login", "--json", "--no-browser"], args].concat();
    let ended = home.run_with_stdin(&login, stdin).expect(2);
    assert_eq!(ended.stdout, "", "{ended:?}");
    assert!(!home.state().exists(), "{args:?} wrote something");
    let object: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
    let text = |key: &str| object[key].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

#[test]
fn an_empty_client_id_is_none() {
    for empty in ["", " "] {
        let (code, _) = refused(&["ahrefs", "--client-id", empty, "--paste"], "");
        assert_eq!(code, "no_client_id", "{empty:?}");
    }
}

#[test]
fn a_redirect_uri_that_nobody_can_have_registered_is_refused() {
    for (uri, why) in [
        ("", "it is empty"),
        ("foo", "it is neither an address"),
        ("http://127.0.0.1:0/callback#top", "it has a fragment"),
    ] {
        let args = ["ahrefs", "--client-id", "id", "--redirect-uri", uri];
        let (_, message) = refused(&args, "");
        assert!(message.contains(why), "{uri}: {message}");
    }
}

#[test]
fn where_nobody_can_listen_the_reason_is_named() {
    let uri = "https://127.0.0.1:8976/cb";
    let args = ["ahrefs", "--client-id", "id", "--redirect-uri", uri];
    let (_, message) = refused(&args, "");
    assert!(message.contains("only on http with loopback"), "{message}");
}

#[test]
fn the_sandboxs_rules_go_nowhere_else() {
    for rule in [
        ["--approve", "deny"],
        ["--fault", "denied"],
        ["--expires-in", "60s"],
    ] {
        let (_, message) = refused(&[&["semrush"], &rule[..]].concat(), "");
        assert!(message.starts_with(rule[0]), "{message}");
        let import = [&["semrush", "--with-token"], &rule[..]].concat();
        assert!(refused(&import, "token").1.starts_with(rule[0]));

        let mut command = Home::new().command(&["login", "semrush", "--sandbox"]);
        // Nobody listens there, and nobody is asked.
        command
            .args(rule)
            .env("SEO_AUTH_SANDBOX", "http://127.0.0.1:1");
        let ended = ended(command, "").expect(2);
        assert!(ended.stderr.contains("SEO_AUTH_SANDBOX"), "{ended:?}");
    }
}

#[test]
fn what_is_drawn_for_people_is_not_asked_for_with_json() {
    for flag in ["--qr", "--copy"] {
        let (_, message) = refused(&["semrush", flag], "");
        assert!(message.starts_with(flag), "{message}");
    }
}

#[test]
fn semrush_auth_asks_for_its_secret_before_anything_is_shown() {
    let login = ["semrush", "--flow", "code", "--client-id", "id", "--paste"];
    let (_, message) = refused(&login, "");
    assert!(message.contains("needs a client secret"), "{message}");
}

#[test]
fn a_code_that_nothing_binds_to_the_login_is_not_asked_for() {
    let login = [
        &["semrush", "--flow", "code", "--client-id", "id"][..],
        &["--redirect-uri", "urn:ietf:wg:oauth:2.0:oob"],
        &["--client-secret-stdin"],
    ];
    let (_, message) = refused(&login.concat(), "hush");
    assert!(message.contains("has no PKCE"), "{message}");
}

#[test]
fn no_secret_is_kept_that_is_never_sent() {
    let home = Home::new();
    home.configure("[providers.ahrefs]\nclient_id = \"id\"\nclient_auth = \"none\"\nredirect_uri = \"http://127.0.0.1:0/cb\"\n");
    let login = ["login", "ahrefs", "--client-secret-stdin", "--no-browser"];
    let ended = home.run_with_stdin(&login, "hush").expect(2);
    assert!(ended.stderr.contains("client_auth"), "{ended:?}");
    assert!(!ended.stderr.contains("hush"), "{ended:?}");
}

#[test]
fn a_secret_that_is_too_long_for_one_is_a_mistake_in_the_call() {
    let login = ["ahrefs", "--client-id", "id", "--client-secret-stdin"];
    let login = [&login[..], &["--redirect-uri", "http://127.0.0.1:0/cb"]].concat();
    let (code, message) = refused(&login, &"x".repeat(5_000));
    assert_eq!(code, "usage");
    assert!(message.contains("more than 4096 bytes"), "{message}");
}

#[test]
fn what_the_environment_names_wrongly_is_told_by_its_variable() {
    let home = Home::new();
    for (variable, value, words) in [
        (
            "SEO_AUTH_CONFIG",
            "/nowhere/config.toml",
            "--config names this file",
        ),
        (
            "SEO_AUTH_SANDBOX",
            "127.0.0.1:8888",
            "does not start with http://",
        ),
        (
            "SEO_AUTH_SANDBOX",
            "https://example.com",
            "is not an address of this machine",
        ),
        ("SEO_AUTH_PROFILE", "No Name", "SEO_AUTH_PROFILE: `No Name`"),
    ] {
        let mut command = home.command(&["status"]);
        command.env(variable, value);
        let ended = ended(command, "").expect(2);
        assert!(ended.stderr.contains(words), "{variable}: {ended:?}");
    }
}

#[test]
fn flags_stand_above_the_variables_of_the_same_meaning() {
    let home = Home::new();
    let at = |name: &str| home.path().join(name);
    std::fs::write(at("config.toml"), "[providers.mine]\nissuer = 1").unwrap();
    std::fs::write(at("other.toml"), "default_provider = \"ahrefs\"").unwrap();
    let run = |args: &[&str]| {
        let mut command = home.command(args);
        command
            .env("SEO_AUTH_CONFIG", at("config.toml"))
            .env("SEO_AUTH_STATE_DIR", at("state"))
            .env("SEO_AUTH_PROFILE", "agency");
        ended(command, "")
    };
    run(&["status"]).expect(2);
    let other = at("other.toml");
    let flags = ["--config", other.to_str().unwrap(), "--state-dir"];
    let elsewhere = at("elsewhere");
    let flags = [&flags[..], &[elsewhere.to_str().unwrap()]].concat();
    let login = ["login", "semrush", "--sandbox", "--approve", "auto"];
    run(&[&flags[..], &login].concat()).expect(0);
    assert!(elsewhere.join("accounts.json").exists() && !at("state").exists());
    // The profile that the variable names is the login's.
    let print = ["token", "print", "semrush"];
    run(&[&flags[..], &print].concat()).expect(0);
    let other = [&print[..], &["--profile", "default"]].concat();
    run(&[&flags[..], &other].concat()).expect(4);
}

#[test]
fn a_broken_configuration_breaks_no_shell_that_starts() {
    let home = Home::new();
    home.configure("store = file");
    for args in [&["completions", "bash"][..], &["man"]] {
        let ended = home.run(args).expect(0);
        assert_eq!(ended.stderr, "", "{ended:?}");
    }
    home.run(&["status"]).expect(2);
}

#[test]
fn a_sandbox_that_does_not_run_is_told_with_the_command_that_starts_it() {
    let home = Home::new();
    let mut command = home.command(&["login", "semrush", "--no-browser"]);
    // Nobody listens on the port of tcpmux.
    command.env("SEO_AUTH_SANDBOX", "http://127.0.0.1:1");
    let ended = ended(command, "").expect(6);
    assert!(
        ended.stderr.contains("`seo-auth sandbox --port PORT`"),
        "{ended:?}"
    );
}

#[test]
fn a_wrong_word_leads_to_the_right_one() {
    let home = Home::new();
    for (args, hint) in [
        (&["token", "prnt", "semrush"][..], "print"),
        (&["logout"][..], "--all"),
        (
            &["exec", "semrush", "sh", "-c", "x"][..],
            "put `--` before the command",
        ),
        (
            &["login", "google", "--key-file", "/nonexistent.json"][..],
            "service account",
        ),
    ] {
        let told = home.run(args).expect(2);
        assert!(told.stderr.contains(hint), "{args:?}: {told:?}");
        assert!(!told.stderr.contains("token print prnt"), "{told:?}");
    }
}
