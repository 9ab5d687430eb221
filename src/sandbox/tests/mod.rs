//! The sandbox over real HTTP.

mod client;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use super::Approve;
use client::{CHALLENGE, DEVICE_GRANT, sandbox, told};

const CAMPAIGNS: &str = "/apis/v4/map-rank-tracker/v0/campaigns?size=1";
const LIMITS: &str = "/v3/subscription-info/limits-and-usage";

#[test]
fn semrush_from_code_to_call_and_refresh() {
    let (sender, notices) = mpsc::channel();
    let sandbox = told(Approve::Auto, &[], move |line| {
        sender.send(line.to_owned()).unwrap();
    });
    let device = sandbox.post("/dag/device/code", &[("scope", "user.id,domains.info")]);
    let user_code = device.text("user_code");
    assert_eq!(device.json()["expires_in"], 300);
    assert_eq!(
        device.text("verification_uri"),
        format!("{}/dag/auth/verify_code?code={user_code}", sandbox.origin())
    );

    let code = device.text("device_code");
    let first = sandbox.poll(&code);
    assert_eq!(first.status, 400);
    assert_eq!(first.text("error"), "authorization_pending");
    assert_eq!(
        notices.recv().unwrap(),
        format!("approved {user_code} by itself")
    );
    let tokens = sandbox.poll(&code);
    assert_eq!(tokens.status, 200);
    assert_eq!(tokens.header("Cache-Control"), Some("no-store"));
    assert_eq!(tokens.header("Pragma"), Some("no-cache"));
    assert_eq!(tokens.header("Content-Type"), Some("application/json"));
    assert_eq!(tokens.json()["expires_in"], 604_800);
    assert_eq!(tokens.json().get("scope"), None);
    assert_eq!(sandbox.poll(&code).text("error"), "expired_token");

    let call = sandbox.bearer(CAMPAIGNS, &tokens.text("access_token"));
    assert_eq!(call.json()["meta"]["success"], true);
    assert_eq!(
        call.json()["data"]["content"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(
        sandbox.bearer(LIMITS, &tokens.text("access_token")).status,
        401
    );

    let old = tokens.text("refresh_token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &old)];
    let fresh = sandbox.post("/dag/device/token", &refresh);
    assert_eq!(fresh.status, 200);
    let reused = sandbox.post("/dag/device/token", &refresh);
    assert_eq!(
        (reused.status, reused.text("error").as_str()),
        (400, "invalid_grant")
    );
    let revoked = sandbox.bearer(CAMPAIGNS, &fresh.text("access_token"));
    assert_eq!(revoked.status, 401);
    assert_eq!(revoked.json()["meta"]["status_code"], 401);
}

#[test]
fn semrush_auth_shows_a_code_to_copy() {
    let sandbox = sandbox(Approve::Auto, &[]);
    let sent = sandbox.get(
        "/oauth2/authorize?client_id=c&redirect_uri=%2Foauth2%2Fsuccess&response_type=code&scope=user.id",
        "",
    );
    let code = sent.redirected("code").unwrap();
    let page = sandbox.get(&format!("/oauth2/success?code={code}"), "");
    assert!(page.body.contains(&code));
    let planted = sandbox.get("/oauth2/success?code=planted", "");
    assert!(!planted.body.contains("planted"));

    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", "c"),
        ("code", &code),
        ("redirect_uri", "/oauth2/success"),
    ];
    assert_eq!(sandbox.post("/oauth2/access_token", &form).status, 401);
    form.push(("client_secret", "s"));
    let tokens = sandbox.post("/oauth2/access_token", &form);
    let refresh_token = tokens.text("refresh_token");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "c"),
        ("client_secret", "s"),
        ("refresh_token", &refresh_token),
    ];
    assert_eq!(sandbox.post("/oauth2/access_token", &refresh).status, 200);
}

#[test]
fn ahrefs_from_request_to_call_and_a_code_is_good_once() {
    let sandbox = sandbox(Approve::Auto, &[]);
    let sent = sandbox.authorize(&[]);
    assert_eq!(sent.redirected("state").as_deref(), Some("xyz"));
    let code = sent.redirected("code").unwrap();
    let tokens = sandbox.exchange(&code);
    assert_eq!(tokens.json()["expires_in"], 31_536_000);
    assert_eq!(tokens.json().get("refresh_token"), None);
    let token = tokens.text("access_token");
    let call = sandbox.bearer(LIMITS, &token);
    assert!(call.json()["limits_and_usage"]["units_limit_workspace"].is_u64());

    assert_eq!(sandbox.exchange(&code).text("error"), "invalid_grant");
    let revoked = sandbox.bearer(LIMITS, &token);
    assert_eq!(revoked.status, 401);
    assert!(revoked.json()["error"].is_string());
}

#[test]
fn a_doubtful_redirect_uri_gets_a_page_and_any_other_mistake_a_redirect() {
    let sandbox = sandbox(Approve::Auto, &[]);
    for wrong in [
        ("redirect_uri", "http://evil.example/"),
        ("client_id", ""),
        ("client_id", "a\u{1b}[2J"),
    ] {
        let page = sandbox.authorize(&[wrong]);
        assert_eq!(
            (page.status, page.header("Location")),
            (400, None),
            "{wrong:?}"
        );
    }
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "all", "invalid_scope"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("state", "", "invalid_request"),
    ] {
        let sent = sandbox.authorize(&[(name, value)]);
        assert_eq!(sent.redirected("error").as_deref(), Some(error), "{name}");
        assert_eq!(sent.redirected("code"), None);
    }
}

#[test]
fn a_person_decides_on_the_consent_page() {
    let sandbox = sandbox(Approve::Ask, &[]);
    for (decision, key) in [("approve", "code"), ("deny", "error")] {
        let page = sandbox.authorize(&[]);
        let policy = page.header("Content-Security-Policy").unwrap();
        assert!(policy.contains("form-action 'self' http://127.0.0.1:8976"));
        let form = [("ticket", page.ticket()), ("decision", decision)];
        let sent = sandbox.post("/sandbox/decision", &form);
        assert!(sent.redirected(key).is_some(), "{}", sent.head);
        assert_eq!(sent.redirected("state").as_deref(), Some("xyz"));
        assert_eq!(sandbox.post("/sandbox/decision", &form).status, 400);
    }
}

#[test]
fn a_person_decides_on_the_device_page() {
    let sandbox = sandbox(Approve::Ask, &[]);
    for (decision, error) in [("approve", ""), ("deny", "access_denied")] {
        let device = sandbox.post("/dag/device/code", &[]);
        let uri = device.text("verification_uri");
        let page = sandbox.get(uri.strip_prefix(sandbox.origin()).unwrap(), "");
        assert!(page.body.contains(&device.text("user_code")));
        let code = device.text("device_code");
        assert_eq!(sandbox.poll(&code).text("error"), "authorization_pending");
        let form = [("ticket", page.ticket()), ("decision", decision)];
        assert_eq!(sandbox.post("/sandbox/decision", &form).status, 200);
        assert_eq!(sandbox.poll(&code).text("error"), error);
    }
}

#[test]
fn the_generic_provider_speaks_the_rfcs() {
    let sandbox = sandbox(Approve::Auto, &[]);
    let form = [("client_id", "c"), ("scope", "a b")];
    let device = sandbox.post("/generic/device_authorization", &form);
    assert!(
        device
            .text("verification_uri_complete")
            .ends_with(&device.text("user_code"))
    );
    let code = device.text("device_code");
    let poll = [
        ("grant_type", DEVICE_GRANT),
        ("device_code", &code),
        ("client_id", "c"),
    ];
    sandbox.post("/generic/token", &poll);
    let tokens = sandbox.post("/generic/token", &poll);
    assert_eq!(tokens.text("scope"), "a b");

    let access_token = tokens.text("access_token");
    let api = "/generic/api/userinfo";
    assert_eq!(sandbox.bearer(api, &access_token).status, 200);
    let revoked = sandbox.post("/oauth/revoke", &[("token", &access_token)]);
    assert_eq!((revoked.status, revoked.body.as_str()), (200, ""));
    assert_eq!(sandbox.bearer(api, &access_token).status, 401);
    let unknown = sandbox.post("/oauth/revoke", &[("token", "unknown")]);
    assert_eq!(unknown.status, 200);

    let query = format!(
        "response_type=code&client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2F&code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let sent = sandbox.get(&format!("/generic/authorize?{query}"), "");
    assert_eq!(sent.redirected("iss").as_deref(), Some(sandbox.origin()));
}

#[test]
fn what_is_not_http_as_it_should_be_is_refused() {
    let sandbox = sandbox(Approve::Auto, &[]);
    let host = sandbox.host();
    let wrong_method = sandbox.get("/oauth/token", "");
    assert_eq!(
        (wrong_method.status, wrong_method.header("Allow")),
        (405, Some("POST"))
    );
    assert!(wrong_method.header("Date").is_some());
    assert_eq!(sandbox.get("/nothing", "").status, 404);
    let rebound = "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(sandbox.raw(rebound).status, 421);
    let json = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(sandbox.raw(&json).text("error"), "invalid_request");
    let twice = [("scope", "a"), ("scope", "b")];
    let refused = sandbox.post("/dag/device/code", &twice);
    assert_eq!(
        (refused.status, refused.text("error").as_str()),
        (400, "invalid_request")
    );
    let spaces = sandbox.post("/dag/device/code", &[("scope", "a b")]);
    assert_eq!(spaces.text("error"), "invalid_scope");
    let foreign = format!(
        "POST /sandbox/decision HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(sandbox.raw(&foreign).status, 400);
}

#[test]
fn each_fault_shows_on_its_endpoint() {
    for (fault, status, error) in [
        ("slow_down", 400, "slow_down"),
        ("expired", 400, "expired_token"),
        ("denied", 400, "access_denied"),
        ("server_error", 503, "temporarily_unavailable"),
    ] {
        let sandbox = sandbox(Approve::Auto, &[fault]);
        let device = sandbox.post("/dag/device/code", &[]);
        let poll = sandbox.poll(&device.text("device_code"));
        assert_eq!(
            (poll.status, poll.text("error").as_str()),
            (status, error),
            "{fault}"
        );
    }
    let garbage = sandbox(Approve::Auto, &["garbage@device_authorization"]);
    let page = garbage.post("/dag/device/code", &[]);
    assert_eq!(page.status, 200);
    assert!(
        page.header("Content-Type")
            .unwrap()
            .starts_with("text/html")
    );
    let denied = sandbox(Approve::Auto, &["denied@authorize"]);
    let sent = denied.authorize(&[]);
    assert_eq!(sent.redirected("error").as_deref(), Some("access_denied"));
    let expired = sandbox(Approve::Auto, &["expired@authorize"]);
    let code = expired.authorize(&[]).redirected("code").unwrap();
    assert_eq!(expired.exchange(&code).text("error"), "invalid_grant");
}

#[test]
fn a_request_that_hangs_holds_up_no_other() {
    let (sender, notices) = mpsc::channel();
    let sandbox = told(Approve::Auto, &["hang@api"], move |line| {
        sender.send(line.to_owned()).unwrap();
    });
    let mut stream = TcpStream::connect(sandbox.host()).unwrap();
    let request = format!("GET {LIMITS} HTTP/1.1\r\nHost: {}\r\n\r\n", sandbox.host());
    stream.write_all(request.as_bytes()).unwrap();
    assert!(notices.recv().unwrap().contains("without an answer"));
    assert_eq!(sandbox.get("/", "").status, 200);
    // The connection is open still, and nothing comes.
    let moment = Duration::from_millis(100);
    stream.set_read_timeout(Some(moment)).unwrap();
    let kind = stream.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut));
}
