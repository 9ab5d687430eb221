//! Refresh and rotation: one refresh whoever asks, nothing lost to a crash, a broken line or a full disk.

mod crash;
mod crowd;
mod disk;
mod trouble;

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::home::{Ended, Home, SandboxServer, ended};
use crate::harness::wire::{Fate, Wire};

/// A login to Semrush at a sandbox, which rotates refresh tokens and ends a login when one is used twice; the wire between
/// them; and commands that go on from there.
struct Login {
    home: Home,
    wire: Wire,
    server: SandboxServer,
}

impl Login {
    /// With the lifetimes that Semrush documents.
    fn new() -> Self {
        Self::at(&[])
    }

    /// Whose tokens live for so long.
    fn with_tokens_of(lifetime: &str) -> Self {
        Self::at(&["--expires-in", lifetime])
    }

    fn at(server_args: &[&str]) -> Self {
        let home = Home::new();
        let server = SandboxServer::start(&home, server_args);
        let wire = Wire::to(&server);
        let login = Self { home, wire, server };
        login.run(&["login", "semrush"]).expect(0);
        login
    }

    fn command(&self, args: &[&str]) -> Command {
        self.wire.point(self.home.command(args))
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.run_with_stdin(args, "")
    }

    fn run_with_stdin(&self, args: &[&str], stdin: &str) -> Ended {
        ended(self.command(args), stdin)
    }

    fn print(&self) -> Ended {
        self.run(&["token", "print", "semrush"])
    }

    /// The login as `--with-token` takes it, with so many seconds left.
    fn export(&self, seconds_left: i64) -> String {
        let export = ["token", "print", "--json", "--with-refresh-token"];
        let mut login = self.run(&export).expect(0).json();
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = now.as_secs().cast_signed();
        login["expires_at_epoch"] = json!(now + seconds_left);
        // One that lived for an hour: of a short one, less is enough.
        login["obtained_at_epoch"] = json!(now - 3_600);
        login.to_string()
    }

    /// As if the access token had so many seconds left; negative: it expired so long ago.
    fn age(&self, seconds_left: i64) {
        let login = self.export(seconds_left);
        self.run_with_stdin(&["login", "semrush", "--with-token"], &login)
            .expect(0);
    }

    /// The account as `status --json` has it.
    fn account(&self) -> Value {
        self.run(&["status", "--json"]).expect(0).json()["accounts"][0].clone()
    }
}

#[test]
fn a_token_that_is_due_is_refreshed_before_it_is_printed() {
    let login = Login::new();
    let first = login.print().expect(0).stdout;
    login.age(30);
    let second = login.print().expect(0);
    assert_ne!(first, second.stdout, "30 s are less than the default 60");
    assert_eq!(second.stderr, "");
    assert_eq!(login.print().expect(0).stdout, second.stdout);
    assert_eq!(login.wire.refresh_tokens().len(), 1);
    login.age(30);
    let demand = ["token", "print", "--min-valid", "10s"];
    assert_eq!(login.run(&demand).expect(0).stdout, second.stdout);
    assert_eq!(login.wire.refresh_tokens().len(), 1);
}

#[test]
fn tokens_that_live_for_less_than_a_minute_are_printed_until_half_of_it_is_over() {
    let login = Login::with_tokens_of("30s");
    let short = login.print().expect(0);
    assert_eq!(short.stderr, "");
    assert_eq!(login.wire.refresh_tokens().len(), 0);
    let demanded = login
        .run(&["token", "print", "--min-valid", "1h"])
        .expect(6);
    assert_eq!(demanded.stdout, "");
}

#[test]
fn a_token_that_can_not_be_renewed_is_printed_as_long_as_it_is_valid() {
    let login = Login::new();
    let mut bare: Value = serde_json::from_str(&login.export(30)).unwrap();
    bare["refresh_token"] = Value::Null;
    let plant = |login: &Login, bare: &Value| {
        let import = ["login", "semrush", "--with-token"];
        login.run_with_stdin(&import, &bare.to_string()).expect(0);
    };
    plant(&login, &bare);
    let last = login.print().expect(0);
    assert!(last.stderr.contains("seo-auth login semrush"), "{last:?}");
    let demanded = login
        .run(&["token", "print", "--min-valid", "1h"])
        .expect(4);
    assert_eq!(demanded.stdout, "");
    bare["expires_at_epoch"] = json!(1_000_000_000);
    plant(&login, &bare);
    let expired = login.print().expect(4);
    assert_eq!(expired.stdout, "");
    assert!(
        expired.stderr.contains("seo-auth login semrush"),
        "{expired:?}"
    );
}

#[test]
fn a_rejected_token_is_replaced_if_it_is_still_the_current_one() {
    let login = Login::new();
    let rejected = &["token", "print", "--rejected"];
    let first = login.print().expect(0).stdout;
    let second = login.run_with_stdin(rejected, &first).expect(0).stdout;
    assert_ne!(first, second);
    let again = login.run_with_stdin(rejected, &first).expect(0).stdout;
    assert_eq!(again, second, "one refresh, however many were rejected");
    assert_eq!(login.wire.refresh_tokens().len(), 1);
    // A word too many would pass for another token.
    for stdin in ["", "Bearer x", "x\ny", "{\"access_token\":\"x\"}"] {
        let refused = login.run_with_stdin(rejected, stdin).expect(2);
        assert_eq!(refused.stdout, "");
    }
    login
        .run_with_stdin(rejected, &"x".repeat((64 << 10) + 1))
        .expect(2);
}

#[test]
fn a_rejected_token_is_not_handed_out_again_though_the_server_insists() {
    let login = Login::new();
    let first = login.print().expect(0).stdout;
    let same = json!({"access_token": first.trim(), "token_type": "Bearer", "expires_in": 600});
    let expired = json!({"access_token": "another", "token_type": "Bearer", "expires_in": 0});
    for answer in [same, expired] {
        let answer = format!("200 OK\r\nContent-Type: application/json\r\n\r\n{answer}");
        let answer: &str = Box::leak(answer.into_boxed_str());
        login.wire.weather(move |_| Fate::Meets(answer));
        let current = login.print().stdout;
        let refused = login.run_with_stdin(&["token", "print", "--rejected"], &current);
        assert_eq!(refused.expect(6).stdout, "");
    }
}

#[test]
fn token_refresh_refreshes_now_and_shows_no_token() {
    let login = Login::new();
    let first = login.print().expect(0).stdout;
    let told = login.run(&["token", "refresh"]).expect(0);
    assert_eq!(told.stdout, "");
    assert!(told.stderr.contains("Refreshed"), "{told:?}");
    assert_ne!(first, login.print().expect(0).stdout);
    let object = login.run(&["token", "refresh", "--json"]).expect(0);
    assert_eq!(object.json()["schema"], "seo-auth.refresh.v1");
    assert_eq!(object.json()["renewable"], true);
    assert!(!object.stdout.contains("sandbox_"), "{object:?}");
    assert_eq!(login.account()["state"], "valid");
}

#[test]
fn a_refresh_token_goes_to_no_other_origin() {
    let login = Login::new();
    login.age(-60);
    let elsewhere = Wire::to(&login.server);
    let moved = ended(elsewhere.point(login.home.command(&["token", "print"])), "").expect(4);
    assert!(
        moved.stderr.contains("sends the refresh token only to"),
        "{moved:?}"
    );
    assert_eq!(moved.stdout, "");
    assert_eq!(elsewhere.refresh_tokens(), [""; 0]);
    login.print().expect(0);
}

#[test]
fn semrush_refreshes_elsewhere_for_a_client_with_a_secret() {
    let login = Login::new();
    let mut command = login.command(&["token", "refresh", "-v"]);
    command
        .env("SEO_AUTH_SEMRUSH_CLIENT_ID", "agency")
        .env("SEO_AUTH_SEMRUSH_CLIENT_SECRET", "its-secret");
    let told = ended(command, "").expect(0);
    assert!(told.stderr.contains("/oauth2/access_token"), "{told:?}");
    assert!(!told.stderr.contains("its-secret"), "{told:?}");
    let told = login.run(&["token", "refresh", "-v"]).expect(0);
    assert!(told.stderr.contains("/dag/device/token"), "{told:?}");
}

#[test]
fn semrush_signs_in_by_the_code_that_its_page_shows() {
    let login = Login::new();
    let args = [
        "login",
        "semrush",
        "--flow",
        "code",
        "--json",
        "--no-browser",
        "--paste",
    ];
    let with_client = |args: &[&str]| {
        let mut command = login.server.point(login.home.command(args));
        command
            .env("SEO_AUTH_SEMRUSH_CLIENT_ID", "agency")
            .env("SEO_AUTH_SEMRUSH_CLIENT_SECRET", "its-secret");
        command
    };
    let mut running = crate::harness::browser::Running::start(with_client(&args));
    let answer = crate::harness::browser::visit(&running.url);
    let landing = crate::harness::browser::header(&answer, "location").unwrap();
    assert!(landing.contains("/oauth2/success?"), "{landing}");
    running.paste(&landing);
    running.ended().expect(0);
    ended(with_client(&["token", "refresh"]), "").expect(0);
    // The tokens belong to that client, and nobody else renews them.
    ended(
        login
            .server
            .point(login.home.command(&["token", "refresh"])),
        "",
    )
    .expect(4);
}

#[test]
fn a_script_learns_when_a_human_must_act() {
    let login = Login::new();
    // Semrush's refresh tokens live for 30 days, and its access tokens for 7.
    login.run(&["status", "--warn-before", "29d"]).expect(0);
    login.run(&["status", "--warn-before", "31d"]).expect(4);
    let mut bare: Value = serde_json::from_str(&login.export(86_400)).unwrap();
    bare["refresh_token"] = Value::Null;
    login
        .run_with_stdin(&["login", "semrush", "--with-token"], &bare.to_string())
        .expect(0);
    login.run(&["status", "--warn-before", "23h"]).expect(0);
    login.run(&["status", "--warn-before", "2d"]).expect(4);
    login.run(&["status"]).expect(0);
}
