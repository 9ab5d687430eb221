//! What token endpoints answer: one table, run at a login and at a refresh. Each odd success leaves a login that prints, and
//! each failure leaves the login that was.

use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::harness::api::{ApiServer, Asked, Reply, json, reply};
use crate::harness::home::{Ended, Home};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

struct Case {
    status: u16,
    content_type: &'static str,
    body: &'static str,
    /// Of `login`, and of `token refresh` with the login that was.
    exits: (i32, i32),
    /// A word of the provider's, or of the remedy.
    told: &'static str,
}

const fn case(
    status: u16,
    content_type: &'static str,
    body: &'static str,
    exits: (i32, i32),
    told: &'static str,
) -> Case {
    Case {
        status,
        content_type,
        body,
        exits,
        told,
    }
}

const CASES: &[Case] = &[
    // Successes, as they are found.
    // ASP.NET handlers that write UTF-8 with its mark.
    case(
        200,
        JSON,
        "\u{feff}{\"access_token\":\"new\",\"expires_in\":3600}",
        (0, 0),
        "",
    ),
    // GitHub, where nobody asks for JSON; Facebook's old versions.
    case(
        200,
        FORM,
        "access_token=new&expires_in=3600&token_type=bearer",
        (0, 0),
        "",
    ),
    // Servers that let the framework choose the type.
    case(
        200,
        "text/plain; charset=utf-8",
        "access_token=new&expires_in=3600",
        (0, 0),
        "",
    ),
    case(200, "text/plain", "{\"access_token\":\"new\"}", (0, 0), ""),
    // Tokens without an end: GitHub's OAuth apps (nothing), Slack (0), others.
    case(
        200,
        JSON,
        r#"{"access_token":"new","expires_in":0}"#,
        (0, 0),
        "",
    ),
    case(
        200,
        JSON,
        r#"{"access_token":"new","expires_in":-1}"#,
        (0, 0),
        "",
    ),
    case(
        200,
        JSON,
        r#"{"access_token":"new","expires_in":null}"#,
        (0, 0),
        "",
    ),
    case(
        200,
        JSON,
        r#"{"access_token":"new","expires_in":"never"}"#,
        (0, 0),
        "",
    ),
    // Azure AD v1 sends texts, Salesforce nothing, some a fraction.
    case(
        200,
        JSON,
        r#"{"access_token":"new","expires_in":"3599"}"#,
        (0, 0),
        "",
    ),
    case(
        200,
        JSON,
        r#"{"access_token":"new","expires_in":3599.5}"#,
        (0, 0),
        "",
    ),
    // PHP servers that know no better way to send nothing.
    case(
        200,
        JSON,
        r#"{"access_token":"new","refresh_token":false}"#,
        (0, 0),
        "",
    ),
    case(
        200,
        JSON,
        r#"{"access_token":"new","refresh_token":null,"scope":7}"#,
        (0, 0),
        "",
    ),
    case(
        200,
        JSON,
        r#"{"access_token":"new","refresh_token":"","error":""}"#,
        (0, 0),
        "",
    ),
    // Another type is refused at both.
    case(
        200,
        JSON,
        r#"{"access_token":"new","token_type":"DPoP"}"#,
        (8, 8),
        "DPoP",
    ),
    // Errors that are final at a refresh: RFC 6749; Slack; GitHub.
    case(
        400,
        JSON,
        r#"{"error":"invalid_grant"}"#,
        (5, 4),
        "seo-auth login idp",
    ),
    case(
        200,
        JSON,
        r#"{"ok":false,"error":"invalid_refresh_token"}"#,
        (5, 4),
        "seo-auth login idp",
    ),
    case(
        200,
        FORM,
        "error=bad_refresh_token&error_description=gone+away",
        (5, 4),
        "seo-auth login idp",
    ),
    // About the client: a server that has it for a token of another client.
    case(
        400,
        JSON,
        r#"{"error":"unauthorized_client","error_description":"refresh_token is invalid"}"#,
        (2, 4),
        "client_id",
    ),
    case(
        401,
        JSON,
        r#"{"error":"invalid_client"}"#,
        (2, 2),
        "client_id",
    ),
    // What passes: Slack, Auth0, Google.
    case(
        200,
        JSON,
        r#"{"ok":false,"error":"ratelimited"}"#,
        (6, 6),
        "ratelimited",
    ),
    case(
        400,
        JSON,
        r#"{"error":"too_many_requests"}"#,
        (6, 6),
        "too_many_requests",
    ),
    case(
        400,
        JSON,
        r#"{"error":"rate_limited"}"#,
        (6, 6),
        "rate_limited",
    ),
    case(
        400,
        JSON,
        r#"{"error":"temporarily_unavailable"}"#,
        (6, 6),
        "temporarily",
    ),
    case(
        400,
        JSON,
        r#"{"error":"server_error"}"#,
        (6, 6),
        "server_error",
    ),
    case(429, JSON, "", (6, 6), "429"),
    case(500, "text/html", "<html>oops", (6, 6), "500"),
    // Of a proxy in between, which is nothing to report to the provider.
    case(
        407,
        "text/html",
        "<html>who are you?",
        (6, 6),
        "HTTPS_PROXY",
    ),
    case(408, "text/plain", "too slow", (6, 6), "a proxy before"),
    // Words in the shapes of APIs: Google; JSON:API; GitHub; Feishu; FastAPI; RFC 9457; Java's.
    case(
        400,
        JSON,
        r#"{"error":{"code":400,"message":"Bad key","status":"INVALID_ARGUMENT"}}"#,
        (1, 4),
        "Bad key",
    ),
    case(
        400,
        JSON,
        r#"{"errors":[{"message":"Not today"}]}"#,
        (8, 8),
        "Not today",
    ),
    case(
        400,
        JSON,
        r#"{"errors":["Not today"]}"#,
        (8, 8),
        "Not today",
    ),
    case(400, JSON, r#"{"message":"Not today"}"#, (8, 8), "Not today"),
    case(
        200,
        JSON,
        r#"{"code":99,"msg":"Not today"}"#,
        (8, 8),
        "Not today",
    ),
    case(400, JSON, r#"{"detail":"Not today"}"#, (8, 8), "Not today"),
    case(
        403,
        "application/problem+json",
        r#"{"type":"https://e.example/p","title":"Forbidden","detail":"Not today","status":403}"#,
        (8, 8),
        "Not today",
    ),
    case(
        400,
        JSON,
        r#"{"errorMessage":"Not today"}"#,
        (8, 8),
        "Not today",
    ),
    // No answers of this protocol.
    case(
        200,
        "text/html",
        "<html>accept our terms",
        (8, 8),
        "sign-in page",
    ),
    case(404, "text/html", "<html>not found", (8, 8), "endpoints"),
    case(200, JSON, "", (8, 8), "empty"),
    case(200, JSON, "{}", (8, 8), "another kind"),
    case(
        200,
        "text/plain",
        "all is well = yes",
        (8, 8),
        "something else",
    ),
];

/// A login by the device grant at a server that answers so at its token endpoint.
struct Idp {
    home: Home,
    answer: Arc<Mutex<(u16, String, String)>>,
    _server: ApiServer,
}

impl Idp {
    fn new() -> Self {
        let home = Home::new();
        let answer = Arc::new(Mutex::new((0, String::new(), String::new())));
        let shared = Arc::clone(&answer);
        let server = ApiServer::start(move |asked: &Asked| respond(asked, &shared));
        let origin = server.origin();
        home.configure(&format!(
            "store = \"file\"\n[providers.idp]\ngrant = \"device_code\"\nclient_id = \"c\"\n\
             device_authorization_endpoint = \"{origin}/device\"\ntoken_endpoint = \"{origin}/token\"\n"
        ));
        Self {
            home,
            answer,
            _server: server,
        }
    }

    fn answers(&self, case: &Case) {
        *self.answer.lock().unwrap() = (case.status, case.content_type.into(), case.body.into());
    }

    fn login(&self) -> Ended {
        self.home
            .run(&["login", "idp", "--no-browser", "--timeout", "4s"])
    }

    fn print(&self) -> Ended {
        self.home.run(&["token", "print", "idp"])
    }

    fn hold_old(&self) {
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        let old = json!({
            "schema": "seo-auth.token.v1", "provider": "idp", "profile": "default", "token_type": "Bearer",
            "access_token": "old", "refresh_token": "old-refresh-token", "scope": [], "source": "file",
            "expires_at_epoch": now.as_secs() + 3600,
        });
        let with_token = ["login", "idp", "--with-token"];
        self.home
            .run_with_stdin(&with_token, &old.to_string())
            .expect(0);
    }
}

fn respond(asked: &Asked, answer: &Mutex<(u16, String, String)>) -> Reply {
    let origin = asked.header("host").unwrap_or_default();
    if asked.target == "/device" {
        return json(
            200,
            &format!(
                r#"{{"device_code":"planted","user_code":"AB","verification_uri":"http://{origin}/v","interval":1}}"#
            ),
        );
    }
    let (status, content_type, body) = answer.lock().unwrap().clone();
    reply(status, &[("Content-Type", &content_type)], &body)
}

/// Runs the table on a few threads, for some of it waits.
fn each_case(run: fn(&Case)) {
    let next = Mutex::new(CASES.iter());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let case = next.lock().unwrap().next();
                    match case {
                        Some(case) => run(case),
                        None => break,
                    }
                }
            });
        }
    });
}

#[test]
fn at_a_login() {
    each_case(|case| {
        let idp = Idp::new();
        idp.answers(case);
        let login = idp.login();
        assert_eq!(login.code, Some(case.exits.0), "{}: {login:?}", case.body);
        assert!(login.stderr.contains(case.told), "{}: {login:?}", case.body);
        match case.exits.0 {
            0 => assert_eq!(idp.print().expect(0).stdout, "new\n", "{}", case.body),
            _ => assert_eq!(idp.print().expect(4).stdout, ""),
        }
    });
}

#[test]
fn at_a_refresh() {
    each_case(|case| {
        let idp = Idp::new();
        idp.hold_old();
        idp.answers(case);
        let refresh = idp.home.run(&["token", "refresh", "idp"]);
        assert_eq!(
            refresh.code,
            Some(case.exits.1),
            "{}: {refresh:?}",
            case.body
        );
        assert!(
            refresh.stderr.contains(case.told),
            "{}: {refresh:?}",
            case.body
        );
        let token = if case.exits.1 == 0 { "new\n" } else { "old\n" };
        assert_eq!(idp.print().expect(0).stdout, token, "{}", case.body);
        if case.exits.1 == 8 {
            let more = ["token", "print", "idp", "--min-valid", "2h"];
            assert_eq!(idp.home.run(&more).expect(6).stdout, "", "{}", case.body);
        }
    });
}
