//! Authorization servers that mean ill, or are broken beyond reason.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::api::{ApiServer, Asked, Reply, gzip, json, reply};
use crate::harness::home::{Ended, Home, ended};

/// What moves the cursor, changes the title, rewrites the screen: none of it may reach a terminal.
const TEETH: &str = "\\u001b]0;owned\\u0007\\u001b[2J\\u009b31m\\r\\u0008\\u202egnp.exe";

const DEVICE: &str = r#"{"device_code":"planted-device-code","user_code":"ABCD-EFGH","verification_uri":"ORIGIN/verify","expires_in":300,"interval":1}"#;
const TOKEN: &str =
    r#"{"access_token":"planted-access-token","token_type":"Bearer","expires_in":3600}"#;

/// A server whose device endpoint and token endpoint answer so; `ORIGIN` is its own address.
fn server(device: Answer, token: Answer) -> ApiServer {
    ApiServer::start(move |asked: &Asked| {
        let answer = match asked.target.as_str() {
            "/device" => &device,
            "/token" => &token,
            _ => return reply(404, &[], ""),
        };
        let host = asked.header("host").unwrap_or_default();
        answer(&format!("http://{host}"))
    })
}

type Answer = Box<dyn Fn(&str) -> Reply + Send + Sync>;

fn body(status: u16, text: &str) -> Answer {
    let text = text.to_owned();
    Box::new(move |origin| json(status, &text.replace("ORIGIN", origin)))
}

fn configured(home: &Home, server: &ApiServer) {
    let origin = server.origin();
    home.configure(&format!(
        "store = \"file\"\n[providers.idp]\ngrant = \"device_code\"\nclient_id = \"c\"\n\
         device_authorization_endpoint = \"{origin}/device\"\ntoken_endpoint = \"{origin}/token\"\n"
    ));
}

/// A shell script that can be run.
fn program(path: &Path, script: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    let mut permissions = std::fs::metadata(path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(path, permissions).unwrap();
}

/// Signs in with a browser that writes down what it was asked to open.
fn login(home: &Home, server: &ApiServer, args: &[&str]) -> Ended {
    configured(home, server);
    let browser = home.path().join("browser");
    program(&browser, "echo \"$#:$1\" >> \"$0.opened\"");
    let mut command = home.command(&["login", "idp", "-vvv"]);
    command.args(args).env("BROWSER", &browser);
    let ended = ended(command, "");
    assert_harmless(&ended.stderr);
    assert_harmless(&ended.stdout);
    for secret in ["planted-device-code", "planted-access-token"] {
        assert!(!ended.stderr.contains(secret), "{ended:?}");
    }
    ended
}

fn assert_harmless(text: &str) {
    let teeth = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(teeth), "{text:?}");
}

fn opened(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("browser.opened")).unwrap_or_default()
}

/// Waits for the browser, which the login does not.
fn wait_until_opened(home: &Home) -> String {
    loop {
        let text = opened(home);
        if text.ends_with('\n') {
            return text;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn no_text_of_a_server_reaches_the_terminal_raw() {
    let device = DEVICE.replace("ABCD-EFGH", &format!("AB{TEETH}CD"));
    let scope = TOKEN.replace('}', &format!(r#","scope":"read {TEETH}"}}"#));
    let home = Home::new();
    login(&home, &server(body(200, &device), body(200, &scope)), &[]).expect(0);
    for args in [&["status"][..], &["status", "--json"], &["providers"]] {
        assert_harmless(&home.run(args).expect(0).stdout);
    }
    let error = format!(r#"{{"error":"x{TEETH}","error_description":"y{TEETH}"}}"#);
    for (device, token) in [(error.as_str(), TOKEN), (DEVICE, error.as_str())] {
        let home = Home::new();
        let servers = server(body(400, device), body(400, token));
        let ended = login(&home, &servers, &[]);
        assert_ne!(ended.code, Some(0), "{ended:?}");
    }
    let uri = DEVICE.replace("/verify", &format!("/verify?{TEETH}"));
    login(
        &Home::new(),
        &server(body(200, &uri), body(200, TOKEN)),
        &[],
    )
    .expect(0);
}

#[test]
fn nobody_is_sent_to_what_is_no_address_to_sign_in_at() {
    for uri in [
        "http://evil.example/verify",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "--help",
        "-x",
    ] {
        // One true address does not help the other.
        for device in [
            DEVICE.replace("ORIGIN/verify", uri),
            DEVICE.replace('}', &format!(r#","verification_uri_complete":"{uri}"}}"#)),
        ] {
            let home = Home::new();
            let servers = server(body(200, &device), body(200, TOKEN));
            let ended = login(&home, &servers, &["--json"]).expect(8);
            assert_eq!(ended.stdout, "", "{ended:?}");
            assert_eq!(opened(&home), "", "{uri}");
        }
    }
}

#[test]
fn a_page_on_another_host_than_the_endpoints_is_normal() {
    let home = Home::new();
    let device = DEVICE.replace("ORIGIN/verify", "https://www.google.example/device");
    let ended = login(&home, &server(body(200, &device), body(200, TOKEN)), &[]).expect(0);
    assert!(!ended.stderr.contains("warning"), "{ended:?}");
    let opened = wait_until_opened(&home);
    assert_eq!(opened, "1:https://www.google.example/device\n");
}

#[test]
fn the_browser_gets_one_argument_that_no_shell_can_take_apart() {
    let home = Home::new();
    let complete = r#","verification_uri_complete":"ORIGIN/verify?code=ABCD-EFGH&x=$(id)`id`;'|"}"#;
    let device = DEVICE.replace('}', complete);
    let servers = server(body(200, &device), body(200, TOKEN));
    let ended = login(&home, &servers, &[]).expect(0);
    assert!(ended.stderr.contains("ABCD-EFGH"), "{ended:?}");
    let opened = wait_until_opened(&home);
    let end = "/verify?code=ABCD-EFGH&x=%24%28id%29%60id%60%3B%27%7C\n";
    assert!(
        opened.starts_with("1:http://127.0.0.1:") && opened.ends_with(end),
        "{opened}"
    );
}

#[test]
fn white_space_around_a_browser_is_none_of_its_name() {
    let home = Home::new();
    let servers = server(body(200, DEVICE), body(200, TOKEN));
    configured(&home, &servers);
    let browser = home.path().join("my browser");
    program(&browser, "echo \"$#\" >> \"$HOME/browser.opened\"");
    let mut command = home.command(&["login", "idp"]);
    command.env("BROWSER", format!(" {}\r\n", browser.display()));
    ended(command, "").expect(0);
    assert_eq!(wait_until_opened(&home), "1\n");
}

#[test]
fn a_browser_is_started_without_our_secrets() {
    let home = Home::new();
    let servers = server(body(200, DEVICE), body(200, TOKEN));
    configured(&home, &servers);
    let browser = home.path().join("browser");
    program(&browser, "env > \"$0.part\"; mv \"$0.part\" \"$0.opened\"");
    let mut command = home.command(&["login", "idp"]);
    command
        .env("BROWSER", &browser)
        .env("SEO_AUTH_KEY", "ab".repeat(32))
        .env("SEO_AUTH_OTHER_TOKEN", "planted-token")
        .env("SEO_AUTH_IDP_CLIENT_SECRET", "planted-secret");
    ended(command, "").expect(0);
    let environment = wait_until_opened(&home);
    assert!(environment.contains("PATH="), "{environment}");
    assert!(!environment.contains("SEO_AUTH_"), "{environment}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_browser_that_opens_is_no_failure_where_the_caller_ignores_its_children() {
    let home = Home::new();
    let pending = body(400, r#"{"error":"authorization_pending"}"#);
    let servers = server(body(200, DEVICE), pending);
    configured(&home, &servers);
    let browser = home.path().join("browser");
    program(&browser, "exit 0");
    let mut shell = home.program("bash");
    shell.args([
        "-c",
        "trap '' CHLD; exec \"$@\"",
        "sh",
        crate::harness::home::SEO_AUTH,
    ]);
    shell.args(["login", "idp", "--timeout", "3s", "--browser"]);
    shell.arg(&browser);
    let told = ended(shell, "").expect(5);
    assert!(!told.stderr.contains("started"), "{told:?}");
}

#[test]
fn a_browser_that_fails_or_hangs_delays_nothing() {
    let login_with = |home: &Home, browser: &str| {
        let servers = server(body(200, DEVICE), body(200, TOKEN));
        configured(home, &servers);
        let mut command = home.command(&["login", "idp"]);
        command.args(["--browser", browser]);
        ended(command, "").expect(0);
    };
    for browser in ["/no/such/browser", "false", "", "' '"] {
        login_with(&Home::new(), browser);
    }
    let home = Home::new();
    let hanging = home.path().join("browser");
    let script = "echo $$ > \"$0.part\"; mv \"$0.part\" \"$0.opened\"; exec sleep 600";
    program(&hanging, script);
    login_with(&home, hanging.to_str().unwrap());
    let pid = wait_until_opened(&home);
    let killed = Command::new("kill").arg(pid.trim()).status();
    assert!(killed.unwrap().success(), "it still hangs");
}

#[test]
fn bodies_without_end_are_cut() {
    let zeros = || -> Answer { Box::new(|_| Reply::Zeros(1 << 40)) };
    for servers in [
        server(zeros(), body(200, TOKEN)),
        server(body(200, DEVICE), zeros()),
    ] {
        let ended = login(&Home::new(), &servers, &[]).expect(8);
        assert!(
            ended.stderr.contains("more than 1048576 bytes"),
            "{ended:?}"
        );
    }
}

/// The bound is that of what was unpacked.
#[test]
fn a_compressed_answer_is_read_and_one_that_unpacks_without_end_is_cut() {
    let packed = |text: String| -> Answer { Box::new(move |_| gzip(200, &[], text.as_bytes())) };
    let token = packed(TOKEN.to_owned());
    login(&Home::new(), &server(body(200, DEVICE), token), &[]).expect(0);
    let bomb = packed(" ".repeat(2 << 20));
    let told = login(&Home::new(), &server(bomb, body(200, TOKEN)), &[]).expect(8);
    assert!(told.stderr.contains("more than 1048576 bytes"), "{told:?}");
}

#[test]
fn no_redirect_is_followed_with_a_secret_in_hand() {
    let thief = ApiServer::start(|_| json(200, TOKEN));
    let stolen = format!("{}/token", thief.origin());
    for status in [301, 302, 303, 307, 308] {
        let to = |location: &str| -> Answer {
            let location = location.to_owned();
            Box::new(move |_| reply(status, &[("Location", &location)], ""))
        };
        for servers in [
            server(to(&stolen), body(200, TOKEN)),
            server(body(200, DEVICE), to(&stolen)),
        ] {
            let told = login(&Home::new(), &servers, &[]).expect(8);
            assert!(told.stderr.contains(&stolen), "{told:?}");
            assert!(told.stderr.contains("_endpoint under"), "{told:?}");
        }
    }
    assert!(thief.asked().is_empty(), "{:?}", thief.asked());
}

#[test]
fn absurd_numbers_neither_end_nor_rush_a_login() {
    for numbers in [
        r#""expires_in":0,"interval":0"#,
        r#""expires_in":-1,"interval":-1"#,
        r#""expires_in":1e300,"interval":0.001"#,
        r#""expires_in":"never","interval":"often""#,
        r#""expires_in":18446744073709551615,"interval":null"#,
        r#""expires_in":[],"interval":{}"#,
    ] {
        let device = DEVICE.replace(r#""expires_in":300,"interval":1"#, numbers);
        let home = Home::new();
        let ended = login(
            &home,
            &server(body(200, &device), body(200, TOKEN)),
            &["--json"],
        )
        .expect(0);
        let prompt = &ended.events()[0];
        let interval = prompt["interval"].as_u64().unwrap();
        assert!((1..=60).contains(&interval), "{prompt}");
    }
    // An interval of an hour is a minute at most, and the timeout ends the wait before.
    let device = DEVICE.replace(r#""interval":1"#, r#""interval":3600000"#);
    let servers = server(body(200, &device), body(200, TOKEN));
    let ended = login(&Home::new(), &servers, &["--json", "--timeout", "1s"]).expect(5);
    assert_eq!(ended.events()[0]["interval"], 60);
}

#[test]
fn a_token_endpoint_that_never_answers_does_not_outlast_the_time() {
    let servers = server(body(200, DEVICE), Box::new(|_| Reply::Hang));
    login(&Home::new(), &servers, &["--timeout", "3s"]).expect(6);
}

#[test]
fn a_device_endpoint_that_never_answers_does_not_outlast_the_time() {
    let servers = server(Box::new(|_| Reply::Hang), body(200, TOKEN));
    let ended = login(&Home::new(), &servers, &["--timeout", "1s"]).expect(6);
    assert!(!ended.stderr.contains("ABCD-EFGH"), "{ended:?}");
}

#[test]
fn the_body_of_a_poll_decides_whatever_the_status() {
    for (status, error, code) in [
        (500, "access_denied", 5),
        (429, "expired_token", 5),
        (503, "authorization_pending", 5),
    ] {
        let error = format!(r#"{{"error":"{error}"}}"#);
        let servers = server(body(200, DEVICE), body(status, &error));
        login(&Home::new(), &servers, &["--timeout", "3s"]).expect(code);
    }
}

#[test]
fn a_token_of_another_type_is_no_login() {
    let token = r#"{"access_token":"planted-access-token","token_type":"DPoP"}"#;
    let home = Home::new();
    let told = login(&home, &server(body(200, DEVICE), body(200, token)), &[]).expect(8);
    assert!(told.stderr.contains("`DPoP`"), "{told:?}");
    home.run(&["token", "print", "idp"]).expect(4);
}

#[test]
fn garbage_is_no_token() {
    for garbage in [
        "",
        "null",
        "[]",
        "{}",
        "\u{0}\u{1}\u{2}",
        "<html>sign in to the airport</html>",
        r#"{"access_token":null}"#,
        r#"{"access_token":""}"#,
        r#"{"access_token":"a\nb"}"#,
        r#"{"access_token":{"a":1}}"#,
        r#"{"access_token":"cut"#,
    ] {
        let home = Home::new();
        let ended = login(&home, &server(body(200, DEVICE), body(200, garbage)), &[]);
        assert_eq!(ended.code, Some(8), "{garbage:?}: {ended:?}");
        let status = home.run(&["status", "--json"]).expect(0);
        assert_eq!(
            status.json()["accounts"],
            serde_json::json!([]),
            "{garbage:?}"
        );
    }
    let deep = "[".repeat(200_000);
    login(
        &Home::new(),
        &server(body(200, &deep), body(200, TOKEN)),
        &[],
    )
    .expect(8);
}
