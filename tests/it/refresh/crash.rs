//! The process killed at any moment around a refresh.

use std::thread;
use std::time::{Duration, Instant};

use super::Login;
use crate::harness::wire::Fate;

/// Kills a refresh after `delay`, and checks what is left: a login, unless the server had spent the refresh token and the
/// new one was on its way; a store that can be read; and no spent token that is sent twice more.
fn killed_after(login: &Login, delay: Duration) -> &'static str {
    login.age(-60);
    login.wire.weather(|_| Fate::Passes);
    let mut printer = login
        .command(&["token", "print", "semrush"])
        .spawn()
        .unwrap();
    thread::sleep(delay);
    printer.kill().unwrap();
    printer.wait().unwrap();
    assert_eq!(login.account()["renewable"], true, "the store can be read");
    let next = login.print();
    // A second one shows that the killed process had sent it, though perhaps nobody had read it yet when it died.
    let sent = login.wire.refresh_tokens();
    assert!(sent.len() <= 2 && sent.iter().all(|token| *token == sent[0]));
    let outcome = match (next.code, sent.len()) {
        (Some(0), 0) => "refreshed in time",
        (Some(0), 1) => "refreshed by one of the two",
        (Some(0), 2) => "refreshed at the second try",
        (Some(4), 2) => {
            assert!(
                next.stderr.contains("a refresh was interrupted at"),
                "{next:?}"
            );
            "told to sign in again"
        }
        _ => panic!("the server had not rotated, and the login is lost: {sent:?} {next:?}"),
    };
    let again = login.print();
    assert_eq!(again.code, next.code);
    assert_eq!(
        login.wire.refresh_tokens(),
        sent,
        "and it is not sent again"
    );
    if next.code == Some(4) {
        login.run(&["login", "semrush"]).expect(0);
    }
    outcome
}

/// Moments spread over one refresh and a little more; the golden ratio leaves no gaps.
fn moments(login: &Login, count: u32) -> impl Iterator<Item = Duration> {
    login.age(-60);
    let begun = Instant::now();
    login.print().expect(0);
    let whole = begun.elapsed().mul_f64(1.2);
    (0..count).map(move |n| whole.mul_f64((f64::from(n) * 0.618_034).fract()))
}

#[test]
fn a_killed_refresh_loses_nothing_that_could_be_kept() {
    let login = Login::new();
    for moment in moments(&login, 5) {
        killed_after(&login, moment);
    }
}

#[test]
#[ignore = "two hundred processes"]
fn soak_a_refresh_killed_at_fifty_moments() {
    let login = Login::new();
    let outcomes: Vec<_> = moments(&login, 50)
        .map(|moment| killed_after(&login, moment))
        .collect();
    let lost = outcomes
        .iter()
        .filter(|outcome| outcome.starts_with("told"));
    println!("{} of 50 had to sign in again", lost.count());
}

/// Sends this signal to a `token print` while its refresh is under way, which then meets this fate.
#[cfg(unix)]
fn told_to_end(login: &Login, signal: &str, fate: Fate) {
    let (asked, was_asked) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    login.wire.weather(move |_| {
        asked.send(()).unwrap();
        may_go.recv().unwrap();
        fate
    });
    let printer = login
        .command(&["token", "print", "semrush"])
        .spawn()
        .unwrap();
    was_asked.recv().unwrap();
    let pid = printer.id().to_string();
    let kill = std::process::Command::new("kill")
        .args(["-s", signal, &pid])
        .status();
    assert!(kill.unwrap().success());
    go.send(()).unwrap();
    let output = printer.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(output.stdout, b"");
    login.wire.weather(|_| Fate::Passes);
}

#[cfg(unix)]
#[test]
fn an_end_that_is_asked_for_waits_for_the_answer_that_is_on_its_way() {
    // However long the old token is valid.
    for (signal, left) in [("INT", -60), ("TERM", -60), ("INT", 30)] {
        let login = Login::new();
        login.age(left);
        told_to_end(&login, signal, Fate::Passes);
        login.print().expect(0);
        assert_eq!(
            login.wire.refresh_tokens(),
            [""; 0],
            "the new one was stored"
        );
        login.run(&["token", "refresh"]).expect(0);
    }
}

#[cfg(unix)]
#[test]
fn a_refusal_that_comes_while_the_end_is_asked_for_is_kept_in_mind() {
    let login = Login::new();
    login.age(-60);
    told_to_end(&login, "INT", super::trouble::REFUSED);
    login.print().expect(4);
    assert_eq!(
        login.wire.refresh_tokens(),
        [""; 0],
        "it is never sent again"
    );
}
