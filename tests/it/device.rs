//! The device code grant, from the command line to the stored credential, at the embedded authorization server.

use crate::harness::home::{Home, SandboxServer, ended};

#[test]
fn one_command_signs_in_and_another_prints_the_token() {
    let home = Home::new();
    let login = home.run(&["login", "semrush", "--sandbox"]).expect(0);
    assert_eq!(login.stdout, "", "a login has no data for stdout");
    assert!(login.stderr.contains("sealed file"), "{login:?}");
    let token = home
        .run(&["token", "print", "semrush", "--profile", "sandbox"])
        .expect(0);
    assert!(
        token.stdout.starts_with("sandbox_at_") && token.stdout.ends_with('\n'),
        "{token:?}"
    );
    assert_eq!(token.stdout.lines().count(), 1);
    assert_eq!(token.stderr, "");
    let status = home.run(&["status", "--json"]).expect(0).json();
    let account = &status["accounts"][0];
    assert_eq!(account["store"], "file");
    assert_eq!(account["state"], "valid");
    assert_eq!(account["renewable"], true);
    // 7 days for the token, 30 for the refresh token: Semrush's documentation.
    let span =
        |from: &str, to: &str| account[to].as_i64().unwrap() - account[from].as_i64().unwrap();
    assert_eq!(span("obtained_at_epoch", "expires_at_epoch"), 604_800);
    assert_eq!(span("obtained_at_epoch", "act_by_epoch"), 2_592_000);
}

#[test]
fn events_tell_a_script_what_a_person_would_see() {
    let home = Home::new();
    let login = home
        .run(&[
            "login",
            "semrush",
            "--sandbox",
            "--json",
            "--scope",
            "user.id,domains.info",
        ])
        .expect(0);
    let events = login.events();
    let names: Vec<_> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["device_code", "logged_in"]);
    let code = &events[0];
    assert!(
        code["verification_uri"]
            .as_str()
            .unwrap()
            .ends_with(code["user_code"].as_str().unwrap())
    );
    assert_eq!(code["verification_uri_complete"], serde_json::Value::Null);
    assert_eq!(code["interval"], 1);
    assert!(code["expires_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        events[1]["scope"],
        serde_json::json!(["user.id", "domains.info"])
    );
    assert!(
        !login.stdout.contains("sandbox_"),
        "no code and no token in the events: {login:?}"
    );
}

#[test]
fn what_the_provider_decides_is_the_exit_code() {
    for (fault, code, word) in [
        ("denied", 5, "denied"),
        ("expired", 5, "code_expired"),
        ("garbage", 8, "protocol"),
        ("server_error@device_authorization", 6, "provider_failing"),
        ("garbage@device_authorization", 8, "protocol"),
    ] {
        let home = Home::new();
        let login = home
            .run(&["login", "semrush", "--sandbox", "--json", "--fault", fault])
            .expect(code);
        let error: serde_json::Value =
            serde_json::from_str(login.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(error["schema"], "seo-auth.error.v1");
        assert_eq!(error["code"], word, "{fault}");
        assert_eq!(error["exit_code"], code);
        home.run(&["token", "print", "semrush", "--profile", "sandbox"])
            .expect(4);
    }
}

#[test]
fn nobody_approves_and_a_failing_provider_are_told_apart() {
    let home = Home::new();
    let login = home
        .run(&[
            "login",
            "semrush",
            "--sandbox",
            "--approve",
            "ask",
            "--timeout",
            "2s",
        ])
        .expect(5);
    assert!(
        login.stderr.contains("nobody approved within 2 s"),
        "{login:?}"
    );
    let login = home
        .run(&[
            "login",
            "semrush",
            "--sandbox",
            "--fault",
            "server_error",
            "--timeout",
            "2s",
        ])
        .expect(6);
    assert!(login.stderr.contains("HTTP 503"), "{login:?}");
}

#[test]
fn a_running_sandbox_serves_other_commands() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    ended(server.point(home.command(&["login", "semrush"])), "").expect(0);
    let token = ended(server.point(home.command(&["token", "print"])), "").expect(0);
    assert!(token.stdout.starts_with("sandbox_at_"));
    // Without the variable the profile is `default`, where nothing is stored.
    home.run(&["token", "print", "semrush"]).expect(4);
}

#[test]
fn a_denied_login_leaves_the_old_one_alone() {
    let home = Home::new();
    home.run(&["login", "semrush", "--sandbox"]).expect(0);
    let before = home.run(&["token", "print"]).expect(0).stdout;
    home.run(&["login", "semrush", "--sandbox", "--approve", "deny"])
        .expect(5);
    assert_eq!(home.run(&["token", "print"]).expect(0).stdout, before);
}

#[test]
fn a_client_with_a_secret_polls_where_all_do_and_refreshes_at_its_own_endpoint() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    let login = [
        "login",
        "semrush",
        "--client-id",
        "agency",
        "--client-secret-stdin",
    ];
    ended(server.point(home.command(&login)), "its-secret").expect(0);
    let told = ended(server.point(home.command(&["token", "refresh", "-v"])), "").expect(0);
    assert!(told.stderr.contains("/oauth2/access_token"), "{told:?}");
}
