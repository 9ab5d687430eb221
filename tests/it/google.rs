//! Clients of one's own, service accounts and what else a login at Google meets. The server is a local one that answers as
//! Google's documentation says.

use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::harness::api::{ApiServer, Asked, Reply, json as answer};
use crate::harness::home::{Ended, Home, SandboxServer, ended};
use crate::harness::vendors::Vendors;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A key of its own, made by openssl.
fn rsa_key(home: &Home) -> String {
    let file = home.path().join("rsa.pem");
    let made = Command::new("openssl")
        .args([
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
        ])
        .arg(&file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let pem = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    pem
}

fn key_file(pem: &str, token_uri: &str) -> String {
    json!({
        "type": "service_account",
        "project_id": "p",
        "client_email": "robot@p.iam.example",
        "private_key": pem,
        "private_key_id": "kid-1",
        "token_uri": token_uri,
    })
    .to_string()
}

fn form(asked: &Asked) -> Vec<(String, String)> {
    url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect()
}

fn field(asked: &Asked, name: &str) -> String {
    let form = form(asked);
    let found = form.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

/// The claims of an assertion, if its signature is this key's.
fn verified(assertion: &str, pem: &str) -> Option<(Value, Value)> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    let (signed, signature) = assertion.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    public.verify(signed.as_bytes(), &signature).ok()?;
    let (header, claims) = signed.split_once('.')?;
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    Some((read(header)?, read(claims)?))
}

fn minted(number: usize, expires_in: u32) -> Reply {
    answer(
        200,
        &format!(
            r#"{{"access_token":"minted-{number}","token_type":"Bearer","expires_in":{expires_in}}}"#
        ),
    )
}

fn configure(home: &Home, server: &ApiServer) {
    let origin = server.origin();
    home.configure(&format!(
        "[providers.google]\ntoken_endpoint = \"{origin}/token\"\nauthorization_endpoint = \"{origin}/authorize\"\n\
         revocation_endpoint = \"{origin}/revoke\"\napi_base = \"{origin}/api\"\n"
    ));
}

const SIGN_IN: [&str; 7] = [
    "login",
    "google",
    "--flow",
    "service-account",
    "--store",
    "file",
    "-vvv",
];

#[test]
fn a_service_account_mints_what_a_server_can_verify() {
    let home = Home::new();
    let pem = rsa_key(&home);
    let expected = pem.clone();
    let number = AtomicUsize::new(0);
    let server = ApiServer::start(move |asked| {
        let (header, claims) =
            verified(&field(asked, "assertion"), &expected).expect("signed by the key");
        assert_eq!(
            header,
            json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"})
        );
        assert_eq!(field(asked, "grant_type"), JWT_BEARER);
        assert_eq!(claims["iss"], "robot@p.iam.example");
        assert!(claims["aud"].as_str().unwrap().ends_with("/token"));
        assert_eq!(
            claims["scope"],
            "https://www.googleapis.com/auth/webmasters https://www.googleapis.com/auth/analytics.readonly"
        );
        assert_eq!(claims["sub"], "boss@example.com");
        let (issued, ends) = (
            claims["iat"].as_i64().unwrap(),
            claims["exp"].as_i64().unwrap(),
        );
        assert_eq!(ends - issued, 3_600);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        assert!((now.as_secs().cast_signed() - issued).abs() < 60);
        minted(number.fetch_add(1, Ordering::SeqCst), 3_600)
    });
    configure(&home, &server);
    let uri = format!("{}/token", server.origin());
    let mut login = SIGN_IN.to_vec();
    login.extend(["--scope", "gsc.write,ga4", "--subject", "boss@example.com"]);
    let done = home.run_with_stdin(&login, &key_file(&pem, &uri)).expect(0);
    let secret = pem.lines().nth(3).unwrap();
    assert!(!done.stderr.contains(secret), "{done:?}");
    // Nothing is asked for while the token is valid; then the next one is minted.
    let print = ["token", "print", "google"];
    assert_eq!(home.run(&print).expect(0).stdout, "minted-0\n");
    home.run(&["token", "refresh", "google", "-vvv"]).expect(0);
    assert_eq!(home.run(&print).expect(0).stdout, "minted-1\n");
    let status = home.run(&["status", "--json"]).expect(0);
    let account = &status.json()["accounts"][0];
    assert_eq!(account["kind"], "service_account");
    assert_eq!(account["renewable"], true);
    assert_eq!(account["act_by"], Value::Null);
    let spilled = Command::new("grep")
        .args(["-rl", secret])
        .arg(home.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&spilled.stdout), "");
}

#[test]
fn fifty_processes_mint_one_token() {
    let home = Home::new();
    let pem = rsa_key(&home);
    let number = AtomicUsize::new(0);
    let server = ApiServer::start(move |_| match number.fetch_add(1, Ordering::SeqCst) {
        // Due at once.
        0 => minted(0, 1),
        next => minted(next, 3_600),
    });
    configure(&home, &server);
    let uri = format!("{}/token", server.origin());
    home.run_with_stdin(&SIGN_IN, &key_file(&pem, &uri))
        .expect(0);
    let print = ["token", "print", "google", "--min-valid", "10m"];
    let children: Vec<_> = (0..50)
        .map(|_| home.command(&print).spawn().unwrap())
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "minted-1\n",
            "{output:?}"
        );
    }
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_wrong_key_file_is_told_in_its_own_words() {
    let home = Home::new();
    let pem = rsa_key(&home);
    let server = ApiServer::start(|_| answer(500, "{}"));
    configure(&home, &server);
    let uri = format!("{}/token", server.origin());
    let of = |text: &str| home.run_with_stdin(&SIGN_IN, text).expect(2);
    let elsewhere = key_file(&pem, "https://evil.example/token");
    let no_key = key_file(
        "-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----\n",
        &uri,
    );
    let user = json!({"type": "authorized_user", "refresh_token": "planted"}).to_string();
    let client = json!({"installed": {"client_id": "id", "client_secret": "planted"}}).to_string();
    for (text, says) in [
        (elsewhere.as_str(), "evil.example"),
        (no_key.as_str(), "not an RSA key"),
        (user.as_str(), "authorized_user"),
        (client.as_str(), "--client-file"),
        ("planted", "not a JSON object"),
        ("", "not a JSON object"),
    ] {
        let ended = of(text);
        assert!(ended.stderr.contains(says), "{ended:?}");
        assert!(!ended.stderr.contains("planted"), "{ended:?}");
    }
    assert!(server.asked().is_empty());
}

/// Byte for byte as they are documented or were seen.
#[test]
fn each_refusal_says_what_to_do() {
    static BODY: Mutex<String> = Mutex::new(String::new());
    let server = ApiServer::start(|_| answer(400, &BODY.lock().unwrap()));
    let home = Home::new();
    configure(&home, &server);
    let pem = rsa_key(&home);
    let uri = format!("{}/token", server.origin());
    for (body, says) in [
        (
            r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}"#,
            "the clock of this machine is wrong",
        ),
        (
            r#"{"error":"invalid_grant","error_description":"reauth related error (invalid_rapt)","error_uri":"https://support.google.com/a/answer/9368756","error_subtype":"invalid_rapt"}"#,
            "sign in again from time to time",
        ),
        (
            r#"{"error":"admin_policy_enforced","error_description":"The Google Account is unable to authorize one or more scopes requested due to the policies of their Google Workspace administrator."}"#,
            "the organisation's administrator must allow",
        ),
        (
            r#"{"error":"org_internal","error_description":"This client is restricted to users within its organization."}"#,
            "only accounts of its own organisation",
        ),
        (
            r#"{"error":"deleted_client","error_description":"The OAuth client was deleted."}"#,
            "create a new one",
        ),
        (
            r#"{"error":"disallowed_useragent","error_description":"…"}"#,
            "a normal browser",
        ),
    ] {
        *BODY.lock().unwrap() = body.to_owned();
        let ended = home
            .run_with_stdin(&SIGN_IN, &key_file(&pem, &uri))
            .expect(5);
        assert!(ended.stderr.contains(says), "{ended:?}");
    }
}

/// Signs in by code, the browser being curl; answers with what the authorization request asked for.
fn sign_in_by_code(
    home: &Home,
    server: &ApiServer,
    args: &[&str],
) -> (Ended, Vec<(String, String)>) {
    let mut all = vec![
        "login",
        "google",
        "--store",
        "file",
        "--browser",
        "curl -sL -o /dev/null",
    ];
    all.extend(args);
    let ended = home.run(&all);
    let asked = server.asked();
    let request = asked
        .iter()
        .find(|asked| asked.target.starts_with("/authorize"));
    let query = request.map(|asked| asked.target.split_once('?').unwrap().1.to_owned());
    let query = query.unwrap_or_default();
    (
        ended,
        url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
    )
}

fn id_token(subject: &str) -> String {
    let claims = URL_SAFE_NO_PAD.encode(json!({"sub": subject}).to_string());
    format!("e30.{claims}.c2ln")
}

/// A server whose browser comes straight back, and whose refresh tokens live for a week.
fn web(subject: &'static str) -> ApiServer {
    ApiServer::start(move |asked| {
        if asked.target.starts_with("/authorize") {
            let url = url::Url::parse(&format!("http://x{}", asked.target)).unwrap();
            let value = |name: &str| {
                url.query_pairs()
                    .find(|(key, _)| key == name)
                    .unwrap()
                    .1
                    .into_owned()
            };
            let location = format!("{}?code=c&state={}", value("redirect_uri"), value("state"));
            return crate::harness::api::reply(302, &[("Location", &location)], "");
        }
        let body = json!({
            "access_token": "at", "token_type": "Bearer", "expires_in": 3_599, "refresh_token": "rt",
            "refresh_token_expires_in": 604_799, "id_token": id_token(subject),
        });
        answer(200, &body.to_string())
    })
}

fn client_file(home: &Home, kind: &str) -> String {
    let file = home.path().join("client_secret.json");
    let client = json!({kind: {
        "client_id": "id.apps.example", "client_secret": "planted-secret", "auth_uri": "x", "token_uri": "y",
        "redirect_uris": ["http://localhost"],
    }});
    fs::write(&file, client.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_client_file_is_all_that_a_login_needs() {
    let home = Home::new();
    let server = web("me");
    configure(&home, &server);
    let none = home.run(&["login", "google", "--store", "file"]).expect(2);
    for says in ["OAuth consent screen", "--client-file", "7 days"] {
        assert!(none.stderr.contains(says), "{none:?}");
    }
    let file = client_file(&home, "installed");
    let args = [
        "--client-file",
        &file,
        "--scope",
        "gsc,ga4",
        "--login-hint",
        "me@example.com",
        "-vvv",
    ];
    let (done, request) = sign_in_by_code(&home, &server, &args);
    let done = done.expect(0);
    assert!(!done.stderr.contains("planted"), "{done:?}");
    let has = |name: &str, value: &str| request.contains(&(name.to_owned(), value.to_owned()));
    assert!(
        has("access_type", "offline") && has("prompt", "consent"),
        "{request:?}"
    );
    assert!(
        has("login_hint", "me@example.com") && has("client_id", "id.apps.example"),
        "{request:?}"
    );
    let scopes = "https://www.googleapis.com/auth/webmasters.readonly https://www.googleapis.com/auth/analytics.readonly";
    assert!(has("scope", scopes), "{request:?}");
    // The secret is kept: refreshing needs no file.
    fs::remove_file(&file).unwrap();
    home.run(&["token", "refresh", "google"]).expect(0);
    let refresh = server.asked().pop().unwrap();
    assert_eq!(field(&refresh, "client_secret"), "planted-secret");
    for wrong in ["{}", "[]", r#"{"type":"service_account"}"#] {
        fs::write(&file, wrong).unwrap();
        home.run(&["login", "google", "--client-file", &file])
            .expect(2);
    }
}

/// What the contract has for a client whose consent screen is in "Testing".
#[test]
fn a_login_that_dies_in_a_week_is_told_in_time() {
    let home = Home::new();
    let server = web("me");
    configure(&home, &server);
    let file = client_file(&home, "web");
    sign_in_by_code(&home, &server, &["--client-file", &file])
        .0
        .expect(0);
    let on_day = |day: u32, code: i32| {
        let mut command = home.program("faketime");
        command.args(["-f", &format!("+{day}d"), crate::harness::home::SEO_AUTH]);
        command.args(["status", "--warn-before", "3d"]);
        ended(command, "").expect(code)
    };
    on_day(3, 0);
    let told = on_day(5, 4);
    assert!(told.stderr.contains("seo-auth login google"), "{told:?}");
}

#[test]
fn another_persons_login_is_replaced_only_when_told_to() {
    let home = Home::new();
    let file = client_file(&home, "installed");
    let mine = web("me");
    configure(&home, &mine);
    sign_in_by_code(&home, &mine, &["--client-file", &file])
        .0
        .expect(0);
    sign_in_by_code(&home, &mine, &["--client-file", &file])
        .0
        .expect(0);
    drop(mine);
    let others = web("somebody-else");
    configure(&home, &others);
    let refused = sign_in_by_code(&home, &others, &["--client-file", &file])
        .0
        .expect(5);
    assert!(refused.stderr.contains("somebody-else"), "{refused:?}");
    let (done, _) = sign_in_by_code(&home, &others, &["--client-file", &file, "--replace"]);
    done.expect(0);
}

#[test]
fn client_credentials_mint_too() {
    let home = Home::new();
    let server = ApiServer::start(|asked| {
        assert_eq!(field(asked, "grant_type"), "client_credentials");
        assert_eq!(
            asked.header("authorization"),
            Some("Basic YXBwOnBsYW50ZWQtc2VjcmV0")
        );
        minted(7, 600)
    });
    home.configure(&format!(
        "[providers.robot]\ngrant = \"client_credentials\"\nclient_auth = \"basic\"\nclient_id = \"app\"\n\
         token_endpoint = \"{}/token\"\nscope = [\"read\"]\n",
        server.origin()
    ));
    let login = ["login", "robot", "--store", "file"];
    assert!(home.run(&login).expect(2).stderr.contains("client secret"));
    let mut with_secret = login.to_vec();
    with_secret.push("--client-secret-stdin");
    home.run_with_stdin(&with_secret, "planted-secret")
        .expect(0);
    assert_eq!(
        home.run(&["token", "print", "robot"]).expect(0).stdout,
        "minted-7\n"
    );
    home.run(&["token", "refresh", "robot"]).expect(0);
    let status = home.run(&["status", "--json"]).expect(0).json();
    assert_eq!(status["accounts"][0]["kind"], "client_credentials");
    assert_eq!(field(&server.asked()[0], "scope"), "read");
}

/// The true addresses: an empty list of properties is a good credential.
#[test]
fn a_token_is_checked_at_search_console() {
    let vendors = Vendors::start(
        &[
            "searchconsole.googleapis.com",
            "analyticsadmin.googleapis.com",
        ],
        |asked| {
            assert_eq!(asked.bearer(), Some("ya29.planted"));
            match (asked.header("x-host").unwrap(), asked.target.as_str()) {
                ("searchconsole.googleapis.com", "/webmasters/v3/sites") => answer(200, "{}"),
                ("analyticsadmin.googleapis.com", "/v1beta/accountSummaries") => {
                    answer(200, r#"{"ok":1}"#)
                }
                _ => answer(404, "{}"),
            }
        },
    );
    let home = Home::new();
    let run = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("SEO_AUTH_GOOGLE_TOKEN", "ya29.planted");
        ended(vendors.point(command), "")
    };
    let status = run(&["status", "google", "--check", "--json"]).expect(0);
    assert_eq!(status.json()["accounts"][0]["check"]["result"], "works");
    run(&[
        "api",
        "google",
        "https://analyticsadmin.googleapis.com/v1beta/accountSummaries",
    ])
    .expect(0);
    run(&["api", "google", "https://evil.example/"]).expect(2);
}

#[test]
fn libraries_find_a_file_for_the_life_of_a_command() {
    let home = Home::new();
    let pem = rsa_key(&home);
    let server = ApiServer::start(|_| minted(0, 3_600));
    configure(&home, &server);
    let uri = format!("{}/token", server.origin());
    home.run_with_stdin(&SIGN_IN, &key_file(&pem, &uri))
        .expect(0);
    let script = "stat -c %a \"$GOOGLE_APPLICATION_CREDENTIALS\"; echo \"$GOOGLE_APPLICATION_CREDENTIALS\"; cat \"$GOOGLE_APPLICATION_CREDENTIALS\"; exit 7";
    let exec = [
        "exec",
        "google",
        "--credentials-file",
        "--",
        "sh",
        "-c",
        script,
    ];
    let told = home.run(&exec).expect(7);
    let mut lines = told.stdout.splitn(3, '\n');
    assert_eq!(lines.next(), Some("600"));
    let file = lines.next().unwrap();
    assert!(!std::path::Path::new(file).exists());
    let content: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(content["type"], "service_account");
    assert_eq!(content["private_key"], pem);
    // A user's login.
    let web = web("me");
    configure(&home, &web);
    let client = client_file(&home, "installed");
    let (done, _) = sign_in_by_code(&home, &web, &["--client-file", &client, "--replace"]);
    done.expect(0);
    let script = "cat \"$GOOGLE_APPLICATION_CREDENTIALS\"";
    let exec = [
        "exec",
        "google",
        "--credentials-file",
        "--",
        "sh",
        "-c",
        script,
    ];
    let content: Value = serde_json::from_str(&home.run(&exec).expect(0).stdout).unwrap();
    assert_eq!(
        content,
        json!({
            "type": "authorized_user", "client_id": "id.apps.example", "client_secret": "planted-secret", "refresh_token": "rt",
        })
    );
}

#[test]
fn the_sandbox_plays_google_and_an_issuer() {
    let home = Home::new();
    home.run(&["login", "google", "--sandbox", "--store", "file"])
        .expect(0);
    let status = home.run(&["status", "--json"]).expect(0).json();
    let account = &status["accounts"][0];
    let days = |key: &str| account[key].as_i64().unwrap() / 86_400;
    assert_eq!(
        days("act_by_epoch") - days("obtained_at_epoch"),
        7,
        "{account}"
    );
    let sandbox = SandboxServer::start(&home, &["--approve", "auto"]);
    let run = |args: &[&str], stdin: &str| ended(sandbox.point(home.command(args)), stdin);
    let pem = rsa_key(&home);
    let uri = format!("{}/token", sandbox.origin());
    let robot = [
        "login",
        "google",
        "--flow",
        "service-account",
        "--profile",
        "robot",
        "--store",
        "file",
    ];
    run(&robot, &key_file(&pem, &uri)).expect(0);
    run(&["status", "google", "--check", "--profile", "robot"], "").expect(0);
    home.configure("[providers.idp]\nissuer = \"https://idp.example\"\nclient_id = \"app\"\nscope = [\"read\"]\n");
    run(
        &[
            "login",
            "idp",
            "--store",
            "file",
            "--browser",
            "curl -sL -o /dev/null",
        ],
        "",
    )
    .expect(0);
    run(
        &[
            "login",
            "idp",
            "--store",
            "file",
            "--flow",
            "device",
            "--no-browser",
        ],
        "",
    )
    .expect(0);
    run(&["token", "refresh", "idp"], "").expect(0);
}
