//! Planted secrets, searched for wherever they must not be: every command, told to say as much as it can, and failing in
//! every way, with a server that sends back whatever it was sent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::harness::api::{ApiServer, Asked, Reply, json, reply};
use crate::harness::home::{Ended, Home, built_in_at, ended};

const CLIENT_SECRET: &str = "planted-client-secret-4f1d";
/// What no output, no file and no argument list may hold.
const PLANTED: [&str; 8] = [
    "planted-access-8a61",
    "planted-renewed-03bc",
    "planted-refresh-77e2",
    "planted-rotated-95aa",
    "planted-device-c0de",
    "planted-code-5512",
    CLIENT_SECRET,
    // `client:` and the secret, as HTTP Basic has them, without the beginning that is the ID alone.
    "OnBsYW50ZWQtY2xpZW50LXNlY3JldC00ZjFk",
];

/// How the token endpoint answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Kind,
    Refusing,
    Failing,
    WebPage,
    CutOff,
    Redirecting,
}

const MOODS: [Mood; 6] = [
    Mood::Kind,
    Mood::Refusing,
    Mood::Failing,
    Mood::WebPage,
    Mood::CutOff,
    Mood::Redirecting,
];

fn tokens(access: &str, refresh: &str) -> String {
    format!(
        r#"{{"access_token":"{access}","refresh_token":"{refresh}","token_type":"Bearer","expires_in":3600,"scope":"read"}}"#
    )
}

fn token_answer(mood: Mood, asked: &Asked) -> Reply {
    let authorization = asked.header("authorization").unwrap_or_default();
    let echo = format!(
        "{} {authorization} planted-access-8a61 planted-refresh-77e2",
        asked.body
    );
    let location = format!("/elsewhere?{}&token=planted-access-8a61", asked.body);
    match mood {
        Mood::Kind if asked.body.contains("grant_type=refresh_token") => {
            json(200, &tokens("planted-renewed-03bc", "planted-rotated-95aa"))
        }
        Mood::Kind => json(200, &tokens("planted-access-8a61", "planted-refresh-77e2")),
        Mood::Refusing => {
            let sent = format!("{} {authorization}", asked.body);
            json(
                400,
                &format!(r#"{{"error":"invalid_grant","error_description":"{sent}"}}"#),
            )
        }
        Mood::Failing => reply(503, &[("Content-Type", "text/plain")], &echo),
        Mood::WebPage => reply(200, &[("Content-Type", "text/html")], &format!("<p>{echo}")),
        Mood::CutOff => {
            let whole = tokens("planted-access-8a61", "planted-refresh-77e2");
            json(200, &whole[..whole.len() - 1])
        }
        Mood::Redirecting => reply(302, &[("Location", &location)], &echo),
    }
}

/// The authorization request sends the browser straight back.
fn redirect_back(target: &str) -> Reply {
    let url = url::Url::parse(&format!("http://x{target}")).unwrap();
    let value = |name| {
        let mut pairs = url.query_pairs();
        pairs
            .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
            .unwrap()
    };
    let (uri, state) = (value("redirect_uri"), value("state"));
    let location = format!("{uri}?code=planted-code-5512&state={state}");
    reply(302, &[("Location", &location)], "")
}

fn server(mood: Arc<Mutex<Mood>>) -> ApiServer {
    ApiServer::start(move |asked: &Asked| {
        let host = asked.header("host").unwrap_or_default();
        let mood = *mood.lock().unwrap();
        let path = asked.target.split('?').next().unwrap_or_default();
        match path {
            "/device" if mood == Mood::Refusing => token_answer(mood, asked),
            "/device" => json(
                200,
                &format!(
                    r#"{{"device_code":"planted-device-c0de","user_code":"ABCD-EFGH","verification_uri":"http://{host}/v","expires_in":300,"interval":1}}"#
                ),
            ),
            "/authorize" => redirect_back(&asked.target),
            "/token" => token_answer(mood, asked),
            "/revoke" => reply(503, &[], &asked.body),
            "/api/good" => json(200, r#"{"fine":true}"#),
            _ => {
                let sent = asked.header("authorization").unwrap_or_default();
                json(
                    401,
                    &format!(r#"{{"error":"invalid_token","error_description":"{sent}"}}"#),
                )
            }
        }
    })
}

fn configure(home: &Home, server: &ApiServer) {
    let origin = server.origin();
    let common = format!(
        "token_endpoint = \"{origin}/token\"\nrevocation_endpoint = \"{origin}/revoke\"\n\
         client_id = \"client\"\napi_base = \"{origin}/api/\"\ncheck_path = \"/bad\"\n"
    );
    home.configure(&format!(
        "store = \"file\"\n[providers.device]\ngrant = \"device_code\"\nclient_auth = \"post\"\n\
         device_authorization_endpoint = \"{origin}/device\"\n{common}\
         [providers.web]\ngrant = \"authorization_code\"\nclient_auth = \"basic\"\n\
         authorization_endpoint = \"{origin}/authorize\"\n{common}{}",
        built_in_at(&origin)
    ));
}

/// Programs that note every argument list of the machine: one plays the browser, one is run by `exec`.
fn write_spies(home: &Home) {
    let note = "ps -eo args > \"$HOME/args.$$\"";
    for (name, rest) in [
        ("browser", "exec curl -sL -o /dev/null \"$1\""),
        ("spy", ""),
    ] {
        let path = home.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{note}\n{rest}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::create_dir(home.path().join("tmp")).unwrap();
}

fn command(home: &Home, mode: &[&str], args: &[&str]) -> Command {
    let mut command = home.command(mode);
    command
        .args(args)
        .env("BROWSER", home.path().join("browser"))
        .env("TMPDIR", home.path().join("tmp"))
        .env("SEO_AUTH_WEB_CLIENT_SECRET", CLIENT_SECRET);
    command
}

fn assert_clean(place: &str, text: &str, more: &[String]) {
    for secret in PLANTED
        .iter()
        .copied()
        .chain(more.iter().map(String::as_str))
    {
        assert!(!text.contains(secret), "{secret} in {place}:\n{text}");
    }
}

fn assert_folder_clean(folder: &Path, more: &[String]) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            assert_folder_clean(&path, more);
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            assert_clean(
                &path.to_string_lossy(),
                &String::from_utf8_lossy(&bytes),
                more,
            );
        }
    }
}

/// The verifiers that the server saw; they exist nowhere else.
fn verifiers(server: &ApiServer) -> Vec<String> {
    let fields = server.asked().into_iter().flat_map(|asked| {
        let fields: Vec<_> = url::form_urlencoded::parse(asked.body.as_bytes())
            .into_owned()
            .collect();
        fields
    });
    fields
        .filter_map(|(name, value)| (name == "code_verifier").then_some(value))
        .collect()
}

/// Everything but `token print`, whose stdout is the token.
const QUIET: [&[&str]; 13] = [
    &["status"],
    &["status", "--check"],
    &["api", "device", "good"],
    &["api", "web", "bad", "--fail"],
    &["exec", "device", "--", "SPY"],
    &["token", "refresh", "device"],
    &["token", "refresh", "web"],
    &["token", "print", "nobody"],
    &["token", "print"],
    &["providers"],
    &["doctor"],
    &["logout", "device"],
    &["logout", "web"],
];

fn login_device(home: &Home, mode: &[&str]) -> Ended {
    let args = [
        "login",
        "device",
        "--client-secret-stdin",
        "--timeout",
        "2s",
    ];
    ended(command(home, mode, &args), CLIENT_SECRET)
}

fn login_web(home: &Home, mode: &[&str]) -> Ended {
    ended(
        command(home, mode, &["login", "web", "--timeout", "20s"]),
        "",
    )
}

/// Signs in while the server is kind, then does everything while it is in this mood.
fn live_through(mood: Mood, mode: &[&str]) {
    let home = Home::new();
    let shared = Arc::new(Mutex::new(mood));
    let server = server(Arc::clone(&shared));
    configure(&home, &server);
    write_spies(&home);
    let mut said = vec![login_device(&home, mode), login_web(&home, mode)];
    for login in &said {
        assert_eq!(
            login.code == Some(0),
            mood == Mood::Kind,
            "{mood:?}: {login:?}"
        );
    }
    *shared.lock().unwrap() = Mood::Kind;
    said.push(login_device(&home, mode).expect(0));
    said.push(login_web(&home, mode).expect(0));
    let printed = ended(command(&home, &[], &["-vvv", "token", "print", "web"]), "").expect(0);
    assert!(printed.stdout.starts_with("planted-"), "{printed:?}");
    assert_clean("token print's stderr", &printed.stderr, &[]);
    *shared.lock().unwrap() = mood;
    let spy = home.path().join("spy").display().to_string();
    for args in QUIET {
        let args: Vec<&str> = args
            .iter()
            .map(|arg| if *arg == "SPY" { &*spy } else { *arg })
            .collect();
        said.push(ended(command(&home, mode, &args), ""));
    }
    let verifiers = verifiers(&server);
    assert!(!verifiers.is_empty());
    for ended in &said {
        assert_clean("stdout", &ended.stdout, &verifiers);
        assert_clean("stderr", &ended.stderr, &verifiers);
    }
    assert!(fs::read_dir(home.path()).unwrap().flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("args.") && fs::metadata(entry.path()).unwrap().len() > 0
    }));
    assert_folder_clean(home.path(), &verifiers);
}

#[test]
fn nothing_that_is_said_or_kept_holds_a_secret() {
    std::thread::scope(|scope| {
        for mood in MOODS {
            for mode in [&["-vvv"][..], &["-vvv", "--json"], &[]] {
                scope.spawn(move || live_through(mood, mode));
            }
        }
    });
}

#[test]
fn the_state_is_only_in_the_address() {
    let home = Home::new();
    let server = server(Arc::new(Mutex::new(Mood::Kind)));
    configure(&home, &server);
    write_spies(&home);
    let login = ended(command(&home, &["-vvv", "--json"], &["login", "web"]), "").expect(0);
    let events = login.events();
    let url = events[0]["url"].as_str().unwrap();
    let state = url::Url::parse(url).unwrap();
    let state = state
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    assert!(!login.stdout.replace(url, "").contains(&state), "{login:?}");
    assert!(!login.stderr.contains(&state), "{login:?}");
}

#[test]
fn a_secret_that_was_typed_as_an_argument_is_not_repeated() {
    let home = Home::new();
    for call in [
        &["login", "semrush", "--with-token", "planted"][..],
        &["login", "semrush", "--with-token=planted"],
        &["login", "semrush", "--token", "planted"],
        &["login", "semrush", "--client-secret=planted"],
        &["login", "ahrefs", "--client-secret-stdin", "planted"],
        &["token", "print", "semrush", "--rejected", "planted"],
    ] {
        for json in [&[][..], &["--json"]] {
            let ended = home.run(&[call, json].concat()).expect(2);
            assert!(ended.stderr.contains("read only from stdin"), "{ended:?}");
            assert!(!ended.stderr.contains("planted"), "{ended:?}");
        }
    }
}

const KEY: &str = "planted-key-61c2";

/// A vendor that says back what it was sent, in each way.
fn parrot() -> ApiServer {
    ApiServer::start(|asked: &Asked| {
        let headers: Vec<_> = asked
            .headers
            .iter()
            .map(|(_, value)| value.as_str())
            .collect();
        let sent = format!("{} {} {}", asked.target, headers.join(" "), asked.body);
        let object = serde_json::json!({"error": {"code": 7, "message": sent}}).to_string();
        match asked.target.split(['?', '/']).nth(1).unwrap_or_default() {
            "good" => json(200, r#"{"left":5}"#),
            "refusing" => json(401, &object),
            "failing" => reply(500, &[("Content-Type", "text/plain")], &sent),
            "page" => reply(200, &[("Content-Type", "text/html")], &format!("<p>{sent}")),
            "elsewhere" => reply(
                302,
                &[("Location", &format!("http://127.0.0.1:9/{sent}"))],
                "",
            ),
            // As an engine of secrets answers.
            _ => json(403, &serde_json::json!({"errors": [sent]}).to_string()),
        }
    })
}

#[test]
fn keys_are_told_to_nobody() {
    let server = parrot();
    for auth in [
        "scheme = \"Token\"",
        "header = \"X-Key\"",
        "query = \"key\"",
        "basic = [\"login\", \"password\"]",
    ] {
        for check in ["good", "refusing", "failing", "page", "elsewhere"] {
            let home = Home::new();
            let origin = server.origin();
            let is_basic = auth.starts_with("basic");
            let fields = if is_basic {
                "fields = [\"login!\", \"password\"]\n"
            } else {
                ""
            };
            home.configure(&format!(
                "store = \"file\"\n[providers.keyed]\ngrant = \"api_key\"\napi_base = \"{origin}/\"\n{fields}\
                 token_variables = [\"KEYED_API_KEY\"]\napi_auth = {{ {auth} }}\n[providers.keyed.check]\nurl = \"/{check}\"\n"
            ));
            write_spies(&home);
            fs::write(home.path().join(".env"), format!("KEYED_API_KEY={KEY}\n")).unwrap();
            let spy = home.path().join("spy").display().to_string();
            let typed = match is_basic {
                true => format!("{{\"login\":\"me\",\"password\":\"{KEY}\"}}"),
                false => KEY.to_owned(),
            };
            let mut said = Vec::new();
            for mode in [&["-vvv"][..], &["-vvv", "--json"], &[]] {
                for (args, stdin) in [
                    (&["import", "--yes"][..], ""),
                    (&["import", "--dry-run"][..], ""),
                    (&["login", "keyed"][..], typed.as_str()),
                    (
                        &["login", "keyed", "--no-check", "--replace"][..],
                        typed.as_str(),
                    ),
                    (&["status", "--check"][..], ""),
                    (&["api", "keyed", "/refusing"][..], ""),
                    (&["api", "keyed", "/page"][..], ""),
                    (&["api", "keyed", "/elsewhere"][..], ""),
                    (&["exec", "keyed", "--", &spy][..], ""),
                    (&["providers", "keyed"][..], ""),
                    (&["doctor"][..], ""),
                    (&["logout", "keyed"][..], ""),
                ] {
                    let mut command = command(&home, mode, args);
                    command.current_dir(home.path());
                    said.push(ended(command, stdin));
                }
            }
            for ended in &said {
                assert!(!ended.stdout.contains(KEY), "{auth} {check}: {ended:?}");
                assert!(!ended.stderr.contains(KEY), "{auth} {check}: {ended:?}");
            }
            assert!(said.iter().any(|ended| ended.code == Some(0)), "{said:#?}");
            fs::remove_file(home.path().join(".env")).unwrap();
            assert_folder_clean(home.path(), &[KEY.to_owned()]);
        }
    }
}

#[test]
fn the_shared_store_s_own_secrets_are_told_to_nobody() {
    let server = parrot();
    let home = Home::new();
    home.configure("[vault]\nauth = \"approle\"\n");
    for (name, value) in [
        ("VAULT_TOKEN", "planted-vault-token"),
        ("VAULT_SECRET_ID", "planted-secret-id"),
    ] {
        for mode in [&["-vvv"][..], &["-vvv", "--json"], &[]] {
            for (args, stdin) in [
                (
                    &["login", "semrush", "--with-token"][..],
                    "planted-access-8a61",
                ),
                (&["token", "print", "semrush"][..], ""),
                (&["token", "refresh", "--all"][..], ""),
                (&["status"][..], ""),
                (&["move", "semrush", "--to", "vault"][..], ""),
                (&["doctor"][..], ""),
                (&["logout", "--all"][..], ""),
            ] {
                let mut command = command(&home, mode, args);
                command
                    .env("SEO_AUTH_STORE", "vault")
                    .env("VAULT_ADDR", server.origin())
                    .env("VAULT_ROLE_ID", "role")
                    .env(name, value);
                if name == "VAULT_TOKEN" {
                    command.env("SEO_AUTH_CONFIG", "/dev/null");
                }
                let ended = ended(command, stdin);
                assert!(!ended.stdout.contains("planted"), "{ended:?}");
                assert!(!ended.stderr.contains("planted"), "{ended:?}");
            }
        }
    }
    assert!(
        server
            .asked()
            .iter()
            .any(|asked| asked.body.contains("planted-secret-id"))
    );
    assert!(
        server
            .asked()
            .iter()
            .any(|asked| asked.header("x-vault-token").is_some())
    );
    assert_folder_clean(
        home.path(),
        &[
            "planted-vault-token".to_owned(),
            "planted-secret-id".to_owned(),
        ],
    );
}
