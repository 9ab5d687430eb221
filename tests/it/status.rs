//! `status`: what a person, or whoever watches over a login, is told.

use crate::harness::home::Home;

/// Two logins in one sealed file, each with a refresh token that lives for 30 days.
fn two_logins() -> Home {
    let home = Home::new();
    for profile in ["one", "two"] {
        let login = ["login", "semrush", "--sandbox", "--profile", profile];
        home.run(&[&login[..], &["--approve", "auto"]].concat())
            .expect(0);
    }
    home
}

#[test]
fn a_warning_names_the_account_the_day_and_the_command() {
    let home = two_logins();
    let warned = home.run(&["status", "--warn-before", "40d"]).expect(4);
    for profile in ["one", "two"] {
        let account = format!("the login of semrush/{profile} ends in ");
        assert!(warned.stderr.contains(&account), "{warned:?}");
        let command = format!("`seo-auth login semrush --profile {profile}`");
        assert!(warned.stderr.contains(&command), "{warned:?}");
    }
    let in_time = home.run(&["status", "--warn-before", "20d"]).expect(0);
    assert_eq!(in_time.stderr, "");
}

#[test]
fn a_store_that_cannot_be_read_is_told_once_with_what_to_do() {
    let home = two_logins();
    std::fs::write(home.state().join("credentials.sealed"), b"no sealed file").unwrap();
    let status = home.run(&["status"]).expect(7);
    assert_eq!(status.stderr.matches("warning:").count(), 1, "{status:?}");
    assert_eq!(status.stderr.matches("hint:").count(), 1, "{status:?}");
    let status = home.run(&["status", "--json"]).expect(7).json();
    for account in status["accounts"].as_array().unwrap() {
        assert_eq!(account["state"], "unreadable");
        let reason = account["reason"].as_str().unwrap();
        assert!(reason.contains("not a sealed file"), "{reason}");
    }
}
