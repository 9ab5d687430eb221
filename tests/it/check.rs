//! `status --check`: what the providers say of each token, all of them at once.

use std::fmt::Write;
use std::fs;
use std::sync::{Condvar, Mutex};

use serde_json::{Value, json};

use crate::harness::api::{ApiServer, Reply, json as answer, reply};
use crate::harness::home::{Ended, Home, SandboxServer, ended};

const UNITS: &str = r#"{"limits_and_usage":{"subscription":"Standard","usage_reset_date":"2026-12-01T00:00:00Z","units_limit_workspace":400000,"units_usage_workspace":100000,"units_limit_api_key":null,"units_usage_api_key":1,"api_key_expiration_date":null}}"#;

/// A home with these providers, their APIs at `server` below a path of their own, a token of each in the environment.
fn check(server: &ApiServer, names: &[&str], args: &[&str]) -> Ended {
    let home = Home::new();
    let mut config = String::new();
    for name in names {
        let origin = server.origin();
        write!(
            config,
            "[providers.{name}]\napi_base = \"{origin}/{name}\"\n"
        )
        .unwrap();
        if !["semrush", "ahrefs"].contains(name) {
            write!(config, "client_id = \"app\"\ntoken_endpoint = \"{origin}/token\"\ndevice_authorization_endpoint = \"{origin}/device\"\ncheck_path = \"me\"\n").unwrap();
        }
    }
    home.configure(&config);
    let mut command = home.command(&["status", "--check"]);
    command.args(args);
    for name in names {
        let variable = format!("SEO_AUTH_{}_TOKEN", name.to_uppercase());
        command.env(variable, format!("planted-{name}"));
    }
    let ended = ended(command, "");
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains("planted-"), "{ended:?}");
    }
    ended
}

/// The `check` objects by provider.
fn results(ended: &Ended) -> Value {
    let accounts = ended.json()["accounts"].clone();
    let pairs = accounts.as_array().unwrap().iter();
    pairs
        .map(|account| {
            (
                account["provider"].as_str().unwrap().to_owned(),
                account["check"].clone(),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn one_account_that_hangs_keeps_nobody_waiting_for_ever() {
    let server = ApiServer::start(|asked| match asked.target.split('/').nth(1).unwrap() {
        "ahrefs" => answer(200, UNITS),
        "semrush" => answer(200, r#"{"meta":{"success":true},"data":{"content":[]}}"#),
        "hanging" => Reply::Hang,
        "refusing" => answer(401, r#"{"error":"Unauthorized"}"#),
        _ => reply(503, &[], ""),
    });
    let names = ["ahrefs", "failing", "hanging", "refusing", "semrush"];
    let ended = check(&server, &names, &["--json"]).expect(4);
    let checks = results(&ended);
    let words: Vec<_> = names
        .iter()
        .map(|name| checks[name]["result"].clone())
        .collect();
    assert_eq!(
        words,
        [
            "works",
            "unreachable",
            "unreachable",
            "login_needed",
            "works"
        ]
    );
    let reason = checks["hanging"]["reason"].as_str().unwrap();
    assert!(reason.ends_with("did not answer in time"), "{reason}");
    assert_eq!(
        checks["ahrefs"],
        json!({
            "result": "works", "reason": null, "hint": null,
            "remaining": 300_000, "limit": 400_000, "used": 100_000, "unit": "units",
            "resets_at": "2026-12-01T00:00:00Z", "resets_at_epoch": 1_796_083_200,
            "expires_at": null, "expires_at_epoch": null,
            "units_limit": 400_000, "units_used": 100_000, "units_left": 300_000,
            "units_renewed_at": "2026-12-01T00:00:00Z", "units_renewed_at_epoch": 1_796_083_200,
        })
    );
    let asked = server.asked();
    for name in names {
        let path = match name {
            "semrush" => "/semrush/map-rank-tracker/v0/campaigns?size=1".to_owned(),
            "ahrefs" => "/ahrefs/subscription-info/limits-and-usage".to_owned(),
            _ => format!("/{name}/me"),
        };
        let token = format!("planted-{name}");
        assert!(
            asked
                .iter()
                .any(|asked| asked.target == path && asked.bearer() == Some(&token)),
            "{path} was asked with {token}: {asked:?}"
        );
    }
}

#[test]
fn the_exit_code_is_that_of_the_worst_account() {
    let server = ApiServer::start(|asked| match asked.target.split('/').nth(1).unwrap() {
        "ahrefs" => answer(200, UNITS),
        "portal" => reply(200, &[("Content-Type", "text/html")], "<html>hotel"),
        "revoked" => answer(401, "{}"),
        _ => answer(403, r#"["Error","Forbidden"]"#),
    });
    let well = check(&server, &["ahrefs"], &[]).expect(0);
    assert!(well.stdout.contains("works"), "{well:?}");
    assert!(
        well.stdout
            .contains("300,000 of 400,000 units left until 2026-12-01"),
        "{well:?}"
    );
    let portal = check(&server, &["ahrefs", "portal"], &[]).expect(6);
    assert!(portal.stdout.contains("a web page"), "{portal:?}");
    let refused = check(&server, &["ahrefs", "strict"], &[]).expect(6);
    assert!(refused.stdout.contains("refused"), "{refused:?}");
    assert!(refused.stdout.contains("403"), "{refused:?}");
    check(&server, &["ahrefs", "portal", "strict", "revoked"], &[]).expect(4);
}

/// `--raw` and PATH are `api`'s; what a check of one's own may have wrong is its address.
#[test]
fn no_flag_of_another_command_is_advised() {
    let server = ApiServer::start(|asked| match asked.target.split('/').nth(1).unwrap() {
        "page" => reply(200, &[("Content-Type", "text/html")], "<html>hotel"),
        "moved" => reply(302, &[("Location", "https://elsewhere.example/")], ""),
        "round" => reply(302, &[("Location", "me")], ""),
        "unknown" => answer(404, r#"{"message":"No such path"}"#),
        _ => Reply::Zeros(65 << 20),
    });
    let names = ["large", "moved", "page", "round", "unknown"];
    let told = check(&server, &names, &["--json"]).expect(6);
    for name in names {
        let hint = results(&told)[name]["hint"].clone();
        let hint = hint.as_str().unwrap();
        assert!(
            hint.contains("the check of this provider"),
            "{name}: {hint}"
        );
    }
    let text = check(&server, &names, &[]).expect(6);
    for told in [told.stdout, told.stderr, text.stdout, text.stderr] {
        assert!(!told.contains("--raw") && !told.contains("PATH"), "{told}");
    }
}

/// A home with a login of `my-idp` at `server` on each of these profiles, whose tokens end at this time.
fn logged_in(server: &ApiServer, profiles: &[&str], expires_at: u64) -> Home {
    let home = Home::new();
    home.configure(&format!(
        "store = \"file\"\n[providers.my-idp]\nclient_id = \"app\"\ndevice_authorization_endpoint = \"{0}/device\"\ntoken_endpoint = \"{0}/token\"\napi_base = \"{0}/api\"\ncheck_path = \"me\"\n",
        server.origin()
    ));
    for profile in profiles {
        let login = json!({
            "schema": "seo-auth.token.v1", "provider": "my-idp", "access_token": format!("at-{profile}"),
            "token_type": "Bearer", "scope": [], "expires_at_epoch": expires_at, "refresh_token": format!("rt-{profile}"),
        });
        let args = ["login", "my-idp", "--profile", profile, "--with-token"];
        home.run_with_stdin(&args, &login.to_string()).expect(0);
    }
    home
}

const LONG_PAST: u64 = 1_500_000_000;
const FAR_OFF: u64 = 4_000_000_000;

#[test]
fn a_refresh_that_hangs_keeps_no_other_account_waiting() {
    // Each refresh is answered when all three have been asked for.
    let asked_for = (Mutex::new(0), Condvar::new());
    let server = ApiServer::start(move |asked| {
        if asked.target != "/token" {
            return answer(200, "{}");
        }
        let (count, changed) = &asked_for;
        let mut count = count.lock().unwrap();
        *count += 1;
        changed.notify_all();
        drop(changed.wait_while(count, |count| *count < 3).unwrap());
        answer(
            200,
            r#"{"access_token":"new","token_type":"Bearer","expires_in":3600,"refresh_token":"rt"}"#,
        )
    });
    let home = logged_in(&server, &["a", "b", "c"], LONG_PAST);
    let status = home.run(&["status", "--check", "--json"]).expect(0);
    for account in status.json()["accounts"].as_array().unwrap() {
        assert_eq!(account["check"]["result"], "works", "{account}");
        assert_eq!(account["state"], "valid", "{account}");
    }
}

#[test]
fn what_kept_a_refused_token_from_being_renewed_is_told() {
    for (status, body, code, result) in [
        (503, "{}", 6, "unreachable"),
        (400, r#"{"error":"invalid_grant"}"#, 4, "login_needed"),
    ] {
        let server = ApiServer::start(move |asked| match asked.target.as_str() {
            // Nobody waits that long, so no other try is made.
            "/token" => reply(status, &[("Retry-After", "86400")], body),
            _ => answer(401, "{}"),
        });
        for args in [
            &["status", "--check", "--json"][..],
            &["api", "my-idp", "x", "--fail"],
        ] {
            let home = logged_in(&server, &["default"], FAR_OFF);
            let ended = home.run(args).expect(code);
            if args[0] == "status" {
                assert_eq!(results(&ended)["my-idp"]["result"], result);
            } else {
                let names_login = ended.stderr.contains("run `seo-auth login");
                assert_eq!(names_login, code == 4, "{ended:?}");
            }
        }
        // An answer has arrived.
        let home = logged_in(&server, &["default"], FAR_OFF);
        home.run(&["api", "my-idp", "x", "--no-fail"]).expect(0);
    }
}

#[test]
fn what_has_expired_for_good_needs_a_login_and_no_question() {
    let home = Home::new();
    home.configure("store = \"file\"\n[providers.my-idp]\nclient_id = \"app\"\ndevice_authorization_endpoint = \"https://idp.invalid/device\"\ntoken_endpoint = \"https://idp.invalid/token\"\n");
    let login = json!({
        "schema": "seo-auth.token.v1", "provider": "my-idp", "access_token": "at", "token_type": "Bearer", "scope": [],
        "expires_at_epoch": LONG_PAST,
    });
    home.run_with_stdin(&["login", "my-idp", "--with-token"], &login.to_string())
        .expect(0);
    let status = home.run(&["status", "--check", "--json"]).expect(4);
    assert_eq!(results(&status)["my-idp"]["result"], "login_needed");
}

#[test]
fn a_token_of_the_environment_is_asked_about_without_the_stores() {
    let server = ApiServer::start(|_| answer(200, "{}"));
    let home = logged_in(&server, &["default"], FAR_OFF);
    fs::write(home.state().join("credentials.sealed"), "damaged").unwrap();
    home.run(&["status", "my-idp", "--check"]).expect(7);
    for provider in [&["my-idp"][..], &[]] {
        let mut command = home.command(&["status", "--check", "--json"]);
        command.args(provider).env("SEO_AUTH_MY_IDP_TOKEN", "given");
        let status = ended(command, "").expect(0);
        assert_eq!(results(&status)["my-idp"]["result"], "works");
    }
}

#[test]
fn a_stored_token_that_was_refused_is_renewed_and_asked_for_again() {
    let server = ApiServer::start(|asked| match asked.target.as_str() {
        "/device" => answer(
            200,
            r#"{"device_code":"dc","user_code":"AB-CD","verification_uri":"http://127.0.0.1/v","expires_in":60,"interval":1}"#,
        ),
        "/token" if asked.body.contains("refresh_token") => answer(
            200,
            r#"{"access_token":"second","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-2"}"#,
        ),
        "/token" => answer(
            200,
            r#"{"access_token":"first","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-1"}"#,
        ),
        _ if asked.bearer() == Some("second") => answer(200, "{}"),
        _ => answer(401, "{}"),
    });
    let home = Home::new();
    home.configure(&format!(
        "[providers.my-idp]\nclient_id = \"app\"\ndevice_authorization_endpoint = \"{0}/device\"\ntoken_endpoint = \"{0}/token\"\napi_base = \"{0}/api\"\ncheck_path = \"me\"\n",
        server.origin()
    ));
    home.run(&["login", "my-idp", "--store", "file", "--no-browser"])
        .expect(0);
    let status = home.run(&["status", "--check", "--json"]).expect(0);
    assert_eq!(results(&status)["my-idp"]["result"], "works");
    assert_eq!(home.run(&["token", "print"]).expect(0).stdout, "second\n");
}

#[test]
fn tokens_of_the_sandbox_and_real_ones_stay_in_their_worlds() {
    let home = Home::new();
    home.run(&["login", "semrush", "--sandbox"]).expect(0);
    // Its server is gone, and semrush.com is not asked about a token of the sandbox.
    let status = home.run(&["status", "--check", "--json"]).expect(0);
    assert_eq!(results(&status)["semrush"]["result"], "not_asked");
    let server = SandboxServer::start(&home, &[]);
    ended(
        server.point(home.command(&[
            "login",
            "ahrefs",
            "--redirect-uri",
            "http://127.0.0.1:0/callback",
        ])),
        "",
    )
    .expect(0);
    let status = ended(
        server.point(home.command(&["status", "ahrefs", "--check", "--json"])),
        "",
    )
    .expect(0);
    let check = &results(&status)["ahrefs"];
    assert_eq!(
        (&check["result"], &check["units_limit"]),
        (&json!("works"), &json!(100_000))
    );
    let pages = ended(server.point(home.command(&["login", "semrush"])), "");
    assert_eq!(pages.code, Some(0));
    let list = ended(
        server.point(home.command(&[
            "api",
            "semrush",
            "map-rank-tracker/v0/campaigns",
            "-f",
            "size=3",
            "--paginate",
        ])),
        "",
    )
    .expect(0);
    assert_eq!(
        list.json().as_array().unwrap().len(),
        7,
        "all of the sandbox's campaigns"
    );
}

#[test]
fn without_the_flag_nobody_is_asked() {
    let server = ApiServer::start(|_| answer(200, "{}"));
    let home = Home::new();
    home.configure(&format!(
        "[providers.ahrefs]\napi_base = \"{}\"\n",
        server.origin()
    ));
    let mut command = home.command(&["status", "--json"]);
    command.env("SEO_AUTH_AHREFS_TOKEN", "x");
    let status = ended(command, "").expect(0);
    assert_eq!(results(&status)["ahrefs"], Value::Null);
    assert!(server.asked().is_empty());
}
