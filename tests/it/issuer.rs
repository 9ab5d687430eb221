//! An issuer's name is all that is configured: its metadata names the endpoints.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::api::{ApiServer, Asked, json as answer, reply};
use crate::harness::home::{Ended, Home, ended};

fn configure(home: &Home, issuer: &str, more: &str) {
    home.configure(&format!(
        "[providers.idp]\nissuer = \"{issuer}\"\nclient_id = \"app\"\nscope = [\"openid\", \"offline_access\"]\n{more}"
    ));
}

/// A server that tells this of itself, `ORIGIN` being its own, and plays a login by code.
fn server(metadata: Value, iss: Option<&'static str>) -> ApiServer {
    ApiServer::start(move |asked: &Asked| {
        let origin = format!("http://{}", asked.header("host").unwrap());
        let path = asked.target.split('?').next().unwrap();
        match path {
            "/.well-known/oauth-authorization-server" => {
                answer(200, &metadata.to_string().replace("ORIGIN", &origin))
            }
            "/authorize" => {
                let url = url::Url::parse(&format!("{origin}{}", asked.target)).unwrap();
                let value = |name: &str| {
                    let mut pairs = url.query_pairs();
                    pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
                };
                let iss = iss.map(|iss| format!("&iss={}", iss.replace("ORIGIN", &origin)));
                let location = format!(
                    "{}?code=c&state={}{}",
                    value("redirect_uri"),
                    value("state"),
                    iss.unwrap_or_default()
                );
                reply(302, &[("Location", &location)], "")
            }
            "/token" => answer(
                200,
                r#"{"access_token":"at","token_type":"Bearer","expires_in":600,"refresh_token":"rt"}"#,
            ),
            _ => answer(404, "{}"),
        }
    })
}

fn metadata(more: Value) -> Value {
    let mut all = json!({
        "issuer": "ORIGIN",
        "authorization_endpoint": "ORIGIN/authorize",
        "token_endpoint": "ORIGIN/token",
        "code_challenge_methods_supported": ["S256"],
    });
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

fn login(home: &Home) -> Ended {
    home.run(&[
        "login",
        "idp",
        "--store",
        "file",
        "--timeout",
        "20s",
        "--browser",
        "curl -sL -o /dev/null",
    ])
}

#[test]
fn the_name_alone_suffices() {
    let home = Home::new();
    let server = server(metadata(json!({})), None);
    configure(&home, &server.origin(), "");
    login(&home).expect(0);
    let asked = server.asked().len();
    home.run(&["token", "print", "idp"]).expect(0);
    home.run(&["token", "refresh", "idp"]).expect(0);
    let later: Vec<_> = server.asked()[asked..]
        .iter()
        .map(|asked| asked.target.clone())
        .collect();
    // The login has kept the endpoints: nothing is discovered again.
    assert_eq!(later, ["/token"]);
}

#[test]
fn an_issuer_is_compared_to_the_letter() {
    for (metadata, iss, code, says) in [
        (
            metadata(json!({"issuer": "https://other.example"})),
            None,
            8,
            "https://other.example",
        ),
        (
            metadata(json!({"issuer": "ORIGIN/"})),
            None,
            8,
            "exactly the same",
        ),
        (metadata(json!({})), Some("ORIGIN/"), 8, "RFC 9207"),
        (metadata(json!({})), Some("ORIGIN"), 0, ""),
        (
            metadata(json!({"authorization_response_iss_parameter_supported": true})),
            None,
            8,
            "names no issuer",
        ),
        (
            metadata(json!({"authorization_response_iss_parameter_supported": true})),
            Some("ORIGIN"),
            0,
            "",
        ),
        (
            metadata(json!({"code_challenge_methods_supported": ["plain"]})),
            None,
            8,
            "S256",
        ),
        (
            metadata(json!({"token_endpoint": "http://as.example/t"})),
            None,
            8,
            "token_endpoint",
        ),
        (
            metadata(json!({"token_endpoint": null})),
            None,
            8,
            "authorization_endpoint",
        ),
    ] {
        let home = Home::new();
        let server = server(metadata.clone(), iss);
        configure(&home, &server.origin(), "");
        let ended = login(&home).expect(code);
        assert!(ended.stderr.contains(says), "{metadata} {iss:?}: {ended:?}");
    }
}

#[test]
fn what_is_configured_stands_above_what_is_told() {
    let home = Home::new();
    let server = server(metadata(json!({"token_endpoint": "ORIGIN/nowhere"})), None);
    let origin = server.origin();
    configure(
        &home,
        &origin,
        &format!("token_endpoint = \"{origin}/token\"\n"),
    );
    login(&home).expect(0);
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| asked.target != "/nowhere")
    );
}

#[test]
fn no_metadata_is_told_with_where_it_was_looked_for() {
    let home = Home::new();
    let server = ApiServer::start(|_| answer(404, "{}"));
    configure(&home, &format!("{}/tenant", server.origin()), "");
    let ended = login(&home).expect(8);
    assert!(
        ended
            .stderr
            .contains("/tenant/.well-known/openid-configuration"),
        "{ended:?}"
    );
    let asked: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.target.clone())
        .collect();
    assert_eq!(
        asked,
        [
            "/.well-known/oauth-authorization-server/tenant",
            "/tenant/.well-known/openid-configuration"
        ]
    );
}

/// oidc-provider, where `tests/run` has put it.
mod real {
    use super::*;

    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/oidc.mjs");

    struct Server {
        child: Child,
        issuer: String,
    }

    fn node() -> Command {
        let mut node = Command::new("node");
        node.arg(SCRIPT);
        node
    }

    impl Server {
        fn start() -> Self {
            let mut child = node()
                .arg("serve")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("node");
            let mut issuer = String::new();
            let stdout = BufReader::new(child.stdout.as_mut().unwrap());
            // Its development warnings come first.
            for line in stdout.lines().map_while(Result::ok) {
                if line.starts_with("http://127.0.0.1") {
                    issuer = line;
                    break;
                }
            }
            assert!(
                !issuer.is_empty(),
                "SEO_AUTH_TEST_OIDC names no folder with oidc-provider"
            );
            Self { child, issuer }
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn run(home: &Home, args: &[&str]) -> Ended {
        ended(home.command(args), "")
    }

    #[test]
    fn a_login_by_either_way_lives_its_whole_life() {
        let server = Server::start();
        for flow in ["code", "device"] {
            let home = Home::new();
            configure(
                &home,
                &server.issuer,
                "redirect_uri = \"http://127.0.0.1:0/callback\"\n",
            );
            let browser = format!("node {SCRIPT} visit");
            let login = [
                "login",
                "idp",
                "--flow",
                flow,
                "--store",
                "file",
                "--browser",
                &browser,
                "--timeout",
                "60s",
            ];
            run(&home, &login).expect(0);
            let print = || run(&home, &["token", "print", "idp"]).expect(0).stdout;
            let first = print();
            run(&home, &["token", "refresh", "idp"]).expect(0);
            let second = print();
            assert_ne!(first, second, "{flow}");
            run(&home, &["token", "refresh", "idp"]).expect(0);
            let out = run(&home, &["logout", "idp"]).expect(0);
            assert!(out.stderr.contains("revoked the tokens"), "{flow}: {out:?}");
        }
    }

    #[test]
    fn another_name_for_the_same_server_is_refused() {
        let server = Server::start();
        for wrong in [
            format!("{}/", server.issuer),
            server.issuer.replace("127.0.0.1", "localhost"),
        ] {
            let home = Home::new();
            configure(&home, &wrong, "");
            let ended = login(&home).expect(8);
            assert!(ended.stderr.contains("exactly the same"), "{ended:?}");
        }
    }
}
