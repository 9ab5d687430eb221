//! Answers that are lost, late, garbled or no; and a clock that is wrong.

use super::Login;
use crate::harness::home::{Ended, ended};
use crate::harness::wire::Fate;

const UNAVAILABLE: Fate =
    Fate::Meets("503 Service Unavailable\nContent-Type: application/json\n\n{}");
const TOO_MANY: Fate = Fate::Meets("429 Too Many Requests\nRetry-After: 3600\n\n");
const PORTAL: Fate =
    Fate::Meets("200 OK\nContent-Type: text/html\n\n<html>Please accept our terms");
const CUT: Fate = Fate::Meets("200 OK\nContent-Type: application/json\n\n{\"access_token\":\"ne");
pub(super) const REFUSED: Fate = Fate::Meets(
    "400 Bad Request\nContent-Type: application/json\n\n{\"error\":\"invalid_request\"}",
);

#[test]
fn trouble_that_passes_costs_no_login() {
    for (fate, sent, code) in [
        (UNAVAILABLE, 3, 6),
        (TOO_MANY, 1, 6),
        (PORTAL, 2, 8),
        (CUT, 2, 8),
    ] {
        let login = Login::new();
        let old = login.print().expect(0).stdout;
        login.wire.weather(move |_| fate);
        login.age(30);
        let valid = login.print().expect(0);
        assert_eq!(valid.stdout, old, "{fate:?}");
        assert!(valid.stderr.contains("was not refreshed"), "{valid:?}");
        assert_eq!(login.wire.refresh_tokens().len(), sent, "{fate:?}");
        let demanded = login
            .run(&["token", "print", "--min-valid", "1h"])
            .expect(6);
        assert_eq!(demanded.stdout, "");
        login.age(-60);
        let expired = login.print().expect(code);
        assert_eq!(expired.stdout, "", "{fate:?}");
        assert_eq!(login.account()["renewable"], true);
        login.wire.weather(|_| Fate::Passes);
        assert_ne!(login.print().expect(0).stdout, old, "{fate:?}");
    }
}

#[test]
fn a_hiccup_is_bridged() {
    let login = Login::new();
    login.age(-60);
    login
        .wire
        .weather(|count| if count < 3 { UNAVAILABLE } else { Fate::Passes });
    let token = login.print().expect(0);
    assert_eq!(token.stderr, "");
    assert_eq!(login.wire.refresh_tokens().len(), 3);
}

#[test]
fn a_refused_refresh_token_is_never_sent_again() {
    let login = Login::new();
    let old = login.print().expect(0).stdout;
    login.wire.weather(|_| REFUSED);
    login.age(30);
    let valid = login.print().expect(0);
    assert_eq!(
        valid.stdout, old,
        "it goes on being printed while it is valid"
    );
    assert!(valid.stderr.contains("seo-auth login semrush"), "{valid:?}");
    for _ in 0..2 {
        login.print().expect(0);
        login.run(&["token", "refresh"]).expect(4);
        login
            .run_with_stdin(&["token", "print", "--rejected"], &old)
            .expect(4);
    }
    assert_eq!(login.wire.refresh_tokens().len(), 1);
    let account = login.account();
    assert_eq!(account["renewable"], false);
    assert_eq!(account["act_by_epoch"], account["expires_at_epoch"]);
}

#[test]
fn what_waiting_does_not_help_is_told_as_what_it_is() {
    let wrong_client = Fate::Meets(
        "401 Unauthorized\nContent-Type: application/json\n\n{\"error\":\"invalid_client\"}",
    );
    let wrong_scope = Fate::Meets(
        "400 Bad Request\nContent-Type: application/json\n\n{\"error\":\"invalid_scope\"}",
    );
    for (fate, code, hint) in [
        (wrong_client, 2, "check client_id"),
        (wrong_scope, 4, "run `seo-auth login semrush"),
    ] {
        let login = Login::new();
        login.age(30);
        login.wire.weather(move |_| fate);
        let demanded = login
            .run(&["token", "print", "--min-valid", "1h"])
            .expect(code);
        assert_eq!(demanded.stdout, "");
        for told in [demanded, login.print().expect(0)] {
            assert!(told.stderr.contains(hint), "{told:?}");
        }
    }
}

#[test]
fn an_answer_that_was_lost_is_told_as_what_it_is() {
    let login = Login::new();
    let old = login.print().expect(0).stdout;
    login.age(30);
    login.wire.weather(|count| {
        if count == 1 {
            Fate::LosesAnswer
        } else {
            Fate::Passes
        }
    });
    let valid = login.print().expect(0);
    assert_eq!(valid.stdout, old);
    assert!(
        valid.stderr.contains("a refresh was interrupted at"),
        "{valid:?}"
    );
    let sent = login.wire.refresh_tokens();
    assert_eq!(sent.len(), 2, "once more at the most");
    assert_eq!(sent[0], sent[1]);
    let refreshed = login.run(&["token", "refresh"]).expect(4);
    assert!(
        refreshed.stderr.contains("a refresh was interrupted at"),
        "{refreshed:?}"
    );
    assert!(
        refreshed.stderr.contains("seo-auth login semrush"),
        "{refreshed:?}"
    );
    assert_eq!(login.wire.refresh_tokens().len(), 2);
    // And a new login mends it.
    login.run(&["login", "semrush"]).expect(0);
    login.run(&["token", "refresh"]).expect(0);
}

/// Runs with a clock that is so far off.
fn at(login: &Login, offset: &str, args: &[&str]) -> Ended {
    let mut command = login.wire.point(login.home.program("faketime"));
    command
        .args(["-f", offset, crate::harness::home::SEO_AUTH])
        .args(args);
    ended(command, "")
}

#[test]
fn a_clock_two_hours_off_is_told_and_reckoned_with() {
    for (offset, words) in [("+2h", "2 h ahead of"), ("-2h", "2 h behind")] {
        let login = Login::with_tokens_of("1h");
        let told = at(&login, offset, &["token", "refresh"]).expect(0);
        assert!(told.stderr.contains(words), "{told:?}");
        // An hour is left by the server's clock, whatever this one says.
        let token = at(&login, offset, &["token", "print", "--min-valid", "50m"]).expect(0);
        assert_eq!(token.stderr, "");
        assert_eq!(login.wire.refresh_tokens().len(), 1, "{offset}");
        let status = at(&login, offset, &["status", "--json"]).expect(0).json();
        assert_eq!(status["accounts"][0]["state"], "valid");
    }
    // A clock that was set forward since the login costs one refresh, and not one for each call.
    let login = Login::with_tokens_of("1h");
    for _ in 0..3 {
        at(&login, "+2h", &["token", "print"]).expect(0);
    }
    assert_eq!(login.wire.refresh_tokens().len(), 1);
}
