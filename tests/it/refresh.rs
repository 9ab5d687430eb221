//! Refresh and rotation: one refresh whoever asks, nothing lost to a crash, a broken line or a full disk.

use serde_json::Value;

use crate::harness::home::{Ended, Home, SandboxServer, ended};

/// A login at a sandbox whose tokens live for so long, and commands that go on from it.
struct Login {
    home: Home,
    server: SandboxServer,
}

impl Login {
    /// Signs in to Semrush.
    fn with_tokens_of(lifetime: &str) -> Self {
        let home = Home::new();
        let server = SandboxServer::start(&home, &["--expires-in", lifetime]);
        let login = Self { home, server };
        login.run(&["login", "semrush"]).expect(0);
        login
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.run_with_stdin(args, "")
    }

    fn run_with_stdin(&self, args: &[&str], stdin: &str) -> Ended {
        ended(self.server.point(self.home.command(args)), stdin)
    }

    /// The account as `status --json` has it.
    fn account(&self) -> Value {
        self.run(&["status", "--json"]).expect(0).json()["accounts"][0].clone()
    }
}

#[test]
fn a_token_that_is_due_is_refreshed_before_it_is_printed() {
    let login = Login::with_tokens_of("30s");
    let first = login
        .run(&["token", "print", "--min-valid", "1s"])
        .expect(0);
    let second = login.run(&["token", "print"]).expect(0);
    assert_ne!(
        first.stdout, second.stdout,
        "30 s are less than the default 60"
    );
    assert!(
        second.stderr.contains("valid for"),
        "a short one is told: {second:?}"
    );
    let third = login
        .run(&["token", "print", "--min-valid", "1s"])
        .expect(0);
    assert_eq!(second.stdout, third.stdout);
    let demanded = login
        .run(&["token", "print", "--min-valid", "1h"])
        .expect(6);
    assert_eq!(demanded.stdout, "");
}

#[test]
fn a_rejected_token_is_replaced_if_it_is_still_the_current_one() {
    let login = Login::with_tokens_of("1h");
    let rejected = &["token", "print", "--rejected"];
    let first = login.run(&["token", "print"]).expect(0).stdout;
    let second = login.run_with_stdin(rejected, &first).expect(0).stdout;
    assert_ne!(first, second);
    let again = login.run_with_stdin(rejected, &first).expect(0).stdout;
    assert_eq!(again, second, "one refresh, however many were rejected");
    login.run_with_stdin(rejected, "").expect(2);
}

#[test]
fn token_refresh_refreshes_now_and_shows_no_token() {
    let login = Login::with_tokens_of("1h");
    let first = login.run(&["token", "print"]).expect(0).stdout;
    let told = login.run(&["token", "refresh"]).expect(0);
    assert_eq!(told.stdout, "");
    assert!(told.stderr.contains("Refreshed"), "{told:?}");
    let second = login.run(&["token", "print"]).expect(0).stdout;
    assert_ne!(first, second);
    let object = login.run(&["token", "refresh", "--json"]).expect(0);
    assert_eq!(object.json()["schema"], "seo-auth.refresh.v1");
    assert_eq!(object.json()["renewable"], true);
    assert!(!object.stdout.contains("sandbox_"), "{object:?}");
    assert_eq!(login.account()["state"], "valid");
}
