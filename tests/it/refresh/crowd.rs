//! Many processes at once.

use std::process::Child;

use super::Login;

/// So many `token print` at once, on a token that has expired: one refresh, and the same new token for all.
fn all_at_once(login: &Login, count: usize) {
    login.age(-60);
    login.wire.weather(|_| crate::harness::wire::Fate::Passes);
    let mut printers: Vec<Child> = Vec::new();
    for _ in 0..count {
        printers.push(
            login
                .command(&["token", "print", "semrush"])
                .spawn()
                .unwrap(),
        );
    }
    let mut tokens = Vec::new();
    for printer in printers {
        let output = printer.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stderr, b"", "{output:?}");
        tokens.push(String::from_utf8(output.stdout).unwrap());
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "everybody has the same token");
    assert_eq!(login.wire.refresh_tokens().len(), 1);
}

#[test]
fn a_hundred_processes_make_one_refresh() {
    let login = Login::new();
    all_at_once(&login, 100);
    // The server revokes a login whose refresh token is used twice, and this one is alive.
    login.run(&["token", "refresh"]).expect(0);
}

#[test]
#[ignore = "a minute of two thousand processes"]
fn soak_a_hundred_processes_twenty_times_in_a_row() {
    let login = Login::new();
    for _ in 0..20 {
        all_at_once(&login, 100);
    }
    login.run(&["token", "refresh"]).expect(0);
}

/// Holds the account's lock as a process that was stopped in the middle of a refresh does.
fn stopped_holder(login: &Login) -> std::fs::File {
    let path = login
        .home
        .state()
        .join("locks/account-semrush@sandbox.lock");
    let file = std::fs::File::open(path).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn who_cannot_get_the_lock_prints_the_old_token_while_it_is_valid() {
    let login = Login::new();
    let first = login.print().expect(0).stdout;
    login.age(30);
    let holder = stopped_holder(&login);
    let old = login.print().expect(0);
    assert_eq!(old.stdout, first);
    assert!(old.stderr.contains("another process"), "{old:?}");
    drop(holder);
    assert_ne!(login.print().expect(0).stdout, first);
}

#[test]
#[ignore = "waits for as long as an honest refresh may take"]
fn soak_who_cannot_get_the_lock_has_no_token_when_it_has_expired() {
    let login = Login::new();
    login.age(-60);
    let _holder = stopped_holder(&login);
    let none = login.print().expect(6);
    assert_eq!(none.stdout, "");
    assert_eq!(login.wire.refresh_tokens(), [""; 0]);
}
