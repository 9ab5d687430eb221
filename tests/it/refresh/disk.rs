//! Stores that can't be written: no refresh is begun there, and one that was begun is written however full the disk gets.
#![cfg(target_os = "linux")]

use std::fs;

use super::Login;
use crate::harness::home::{Ended, SEO_AUTH, ended, with_mounts};
use crate::harness::wire::Fate;

/// Runs a script where a small disk holds the state.
fn on_a_small_disk(login: &Login, script: &str) -> Ended {
    fs::write(login.home.path().join("expired.json"), login.export(-60)).unwrap();
    fs::write(login.home.path().join("due.json"), login.export(30)).unwrap();
    let script = format!(
        "state=~/.local/state/seo-auth; sa() {{ \"{SEO_AUTH}\" \"$@\"; }}
        mount -t tmpfs -o size=256k tmpfs $state || exit 99
        plant() {{ sa login semrush --with-token <~/$1.json 2>/dev/null || exit 98; }}
        fill() {{ cat /dev/zero >$state/ballast 2>/dev/null; }}
        {script}"
    );
    ended(login.wire.point(with_mounts(&login.home, &script)), "")
}

#[test]
fn no_refresh_is_begun_on_a_full_disk() {
    let login = Login::new();
    let old = login.print().expect(0).stdout;
    let script = "plant due; fill; sa token print semrush || exit 97
        rm $state/ballast; plant expired; fill; sa token print semrush; echo $?
        rm $state/ballast; sa token refresh >/dev/null 2>&1; echo $?";
    let outcome = on_a_small_disk(&login, script);
    assert_eq!(outcome.stdout, format!("{old}7\n0\n"), "{outcome:?}");
    assert!(outcome.stderr.contains("No space left"), "{outcome:?}");
    assert!(
        outcome.stderr.contains("can't write to the store"),
        "{outcome:?}"
    );
    assert_eq!(login.wire.refresh_tokens().len(), 1, "{outcome:?}");
}

#[test]
fn a_store_that_is_read_only_begins_no_refresh() {
    let login = Login::new();
    let old = login.print().expect(0).stdout;
    let script = "plant due; mount -o remount,ro $state; sa token print semrush || exit 97
        mount -o remount,rw $state; plant expired; mount -o remount,ro $state
        sa token print semrush; echo $?";
    let outcome = on_a_small_disk(&login, script);
    assert_eq!(outcome.stdout, format!("{old}7\n"), "{outcome:?}");
    assert!(outcome.stderr.contains("Read-only"), "{outcome:?}");
    assert_eq!(login.wire.refresh_tokens(), [""; 0]);
}

#[test]
fn a_disk_that_fills_up_during_the_exchange_costs_nothing() {
    let login = Login::new();
    let (asked, filled) = (
        login.home.path().join("asked"),
        login.home.path().join("filled"),
    );
    // Two pipes that the script makes: each end waits for the other.
    login.wire.weather(move |_| {
        fs::write(&asked, "\n").unwrap();
        fs::read(&filled).unwrap();
        Fate::Passes
    });
    let script = "plant expired; mkfifo ~/asked ~/filled; sa token print semrush & printer=$!
        read _ <~/asked; fill; echo >~/filled; wait $printer; echo $?
        sa token print semrush";
    let outcome = on_a_small_disk(&login, script);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{outcome:?}");
    assert_eq!(lines[1], "0", "{outcome:?}");
    assert_eq!(lines[0], lines[2], "it was stored: {outcome:?}");
    assert_eq!(outcome.stderr, "");
    assert_eq!(login.wire.refresh_tokens().len(), 1);
}
