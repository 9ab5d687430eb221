//! A writer of the sealed file that is killed at each of its system calls in turn, first to last.

use std::os::unix::process::ExitStatusExt;

use crate::harness::home::{Home, PRINT_TOKEN, SEO_AUTH, ended};

/// Nobody listens there, so the login ends as soon as it has proven the store, which writes the sealed file twice.
const NOWHERE: &str = "http://127.0.0.1:1";
const LOGIN: [&str; 4] = ["login", "semrush", "--store", "file"];
const UNREACHABLE: i32 = 6;

/// The calls that change files, each under the names that it has on one machine or another.
const CALLS: [&str; 8] = [
    "openat",
    "mkdir,mkdirat",
    "chmod,fchmod,fchmodat",
    "flock,fcntl",
    "write",
    "fsync,fdatasync",
    "rename,renameat,renameat2",
    "unlink,unlinkat",
];

/// Kills a login just before its `n`th of these system calls; `false` where it made fewer.
fn kill_at(home: &Home, call: &str, n: usize) -> bool {
    let mut command = home.program("strace");
    command.args(["-o", "/dev/null", "-e", &format!("trace={call}")]);
    let inject = format!("inject={call}:signal=KILL:when={n}");
    command.args(["-e", &inject, SEO_AUTH]).args(LOGIN);
    command.env("SEO_AUTH_SANDBOX", NOWHERE);
    let status = command.status().unwrap();
    // strace ends as its child did.
    let killed = status.signal() == Some(9);
    assert!(killed || status.code() == Some(UNREACHABLE), "{status}");
    killed
}

/// The store can be read and written, and nothing is left of what a killed writer had begun.
fn whole(home: &Home) {
    let mut login = home.command(&LOGIN);
    login.env("SEO_AUTH_SANDBOX", NOWHERE);
    ended(login, "").expect(UNREACHABLE);
    let begun = home.state().join("credentials.sealed.new");
    assert!(!begun.exists());
}

#[test]
fn a_killed_writer_costs_nobody_a_credential() {
    let home = Home::new();
    home.run(&["login", "semrush", "--sandbox", "--store", "file"])
        .expect(0);
    let token = home.run(&PRINT_TOKEN).expect(0).stdout;
    let mut left_behind = 0;
    for call in CALLS {
        for _ in (1..).take_while(|n| kill_at(&home, call, *n)) {
            assert_eq!(home.run(&PRINT_TOKEN).expect(0).stdout, token, "{call}");
            let begun = home.state().join("credentials.sealed.new");
            left_behind += usize::from(begun.exists());
        }
    }
    assert!(left_behind > 0, "some of them were killed while writing");
    whole(&home);
    assert_eq!(home.run(&PRINT_TOKEN).expect(0).stdout, token);
}

#[test]
fn a_first_login_that_is_killed_is_in_nobodys_way() {
    let mut with_half_a_store = 0;
    for call in CALLS {
        for n in 1.. {
            let home = Home::new();
            if !kill_at(&home, call, n) {
                break;
            }
            let made = |path: &str| home.path().join(path).exists();
            let key = made(".config/seo-auth/file-store.key");
            let file = made(".local/state/seo-auth/credentials.sealed");
            with_half_a_store += usize::from(key && !file);
            whole(&home);
        }
    }
    assert!(with_half_a_store > 0, "some of them were killed in between");
}
