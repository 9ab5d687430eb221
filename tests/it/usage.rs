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
    assert!(login.ends_with("<PROVIDER>"), "{login}");
    let token = message(&["token", "--json"]);
    assert!(token.contains("subcommand"), "{token}");
    let color = message(&["--json", "status", "--color", "blue"]);
    assert!(color.contains("always"), "{color}");
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
