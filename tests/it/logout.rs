//! `logout`: what is revoked, what is deleted, and that it says so.

use crate::harness::api::{ApiServer, Asked, json};
use crate::harness::home::{Ended, Home, SandboxServer, ended};

/// A home with a provider that has a revocation endpoint, signed in.
fn signed_in(server_args: &[&str]) -> (Home, SandboxServer) {
    let home = Home::new();
    let server = SandboxServer::start(&home, server_args);
    let at = server.origin();
    home.configure(&format!(
        "[providers.acme]\n\
         grant = \"device_code\"\n\
         device_authorization_endpoint = \"{at}/generic/device_authorization\"\n\
         token_endpoint = \"{at}/generic/token\"\n\
         revocation_endpoint = \"{at}/oauth/revoke\"\n\
         client_id = \"app\"\n"
    ));
    home.run(&["login", "acme"]).expect(0);
    (home, server)
}

fn logout(home: &Home) -> Ended {
    home.run(&["logout", "acme", "--json"]).expect(0)
}

#[test]
fn the_provider_revokes_and_the_store_forgets() {
    let (home, _server) = signed_in(&[]);
    let print = ["token", "print", "acme", "--json", "--with-refresh-token"];
    let copy = home.run(&print).expect(0).stdout;
    let told = logout(&home).json();
    assert_eq!(told["schema"], "seo-auth.logout.v1");
    assert_eq!(
        (&told["revoked"], &told["deleted"]),
        (&true.into(), &true.into())
    );
    assert_eq!(told["revocation"], "done");
    home.run(&print).expect(4);
    // A copy that somebody kept is of no use any more.
    home.run_with_stdin(&["login", "acme", "--with-token"], &copy)
        .expect(0);
    home.run(&["token", "refresh", "acme"]).expect(4);
    let again = logout(&home).json();
    assert_eq!(again["deleted"], true);
    assert_eq!(logout(&home).json()["deleted"], false, "nothing was there");
}

#[test]
fn a_provider_that_fails_does_not_keep_the_credential_here() {
    let (home, _server) = signed_in(&["--fault", "server_error@revoke"]);
    let told = logout(&home);
    assert_eq!(told.json()["deleted"], true);
    assert_eq!(told.json()["revoked"], false);
    assert_eq!(told.json()["revocation"], "failed");
    home.run(&["token", "print", "acme"]).expect(4);
}

/// RFC 7009 §2.2.1. A server that revokes one of the two kinds is asked for it; one that revokes neither has not done it.
#[test]
fn a_server_that_revokes_no_such_token_has_not_revoked_it() {
    for (takes, revocation) in [
        ("none", "failed"),
        ("refresh_token", "done"),
        ("access_token", "failed"),
    ] {
        let home = Home::new();
        let server = ApiServer::start(move |asked: &Asked| {
            match asked.body.contains(&format!("token_type_hint={takes}")) {
                true => json(200, ""),
                false => json(400, r#"{"error":"unsupported_token_type"}"#),
            }
        });
        let at = server.origin();
        home.configure(&format!(
            "store = \"file\"\n[providers.acme]\ngrant = \"device_code\"\nclient_id = \"app\"\n\
             device_authorization_endpoint = \"{at}/device\"\ntoken_endpoint = \"{at}/token\"\n\
             revocation_endpoint = \"{at}/revoke\"\n"
        ));
        let tokens = r#"{"schema":"seo-auth.token.v1","provider":"acme","access_token":"at","refresh_token":"rt","token_type":"Bearer","scope":[]}"#;
        let with_token = ["login", "acme", "--with-token"];
        home.run_with_stdin(&with_token, tokens).expect(0);
        let told = logout(&home).json();
        assert_eq!(told["revocation"], revocation, "{takes}: {told}");
        assert_eq!(told["deleted"], true);
        assert_eq!(server.asked().len(), 2, "{takes}");
        home.run_with_stdin(&with_token, tokens).expect(0);
        let text = home.run(&["logout", "acme"]).expect(0).stderr;
        assert_eq!(
            text.contains("did not revoke the tokens: unsupported_token_type"),
            revocation == "failed",
            "{takes}: {text}"
        );
    }
}

#[test]
fn neither_does_a_network_that_is_down() {
    let (home, server) = signed_in(&[]);
    drop(server);
    let told = home.run(&["logout", "acme"]).expect(0);
    assert!(told.stderr.contains("Deleted"), "{told:?}");
    assert!(told.stderr.contains("did not revoke"), "{told:?}");
    home.run(&["token", "print", "acme"]).expect(4);
}

#[test]
fn where_nothing_can_be_revoked_it_says_what_to_do_by_hand() {
    let home = Home::new();
    home.run_with_stdin(&["login", "ahrefs", "--with-token"], "abc")
        .expect(0);
    let told = home.run(&["logout", "ahrefs"]).expect(0);
    assert!(told.stderr.contains("Account settings"), "{told:?}");
}

#[test]
fn all_is_every_account() {
    let home = Home::new();
    for args in [
        ["login", "ahrefs", "--with-token", "--profile", "a"],
        ["login", "semrush", "--with-token", "--profile", "b"],
    ] {
        home.run_with_stdin(&args, "abc").expect(0);
    }
    let all = ["logout", "--all", "--json"];
    let told = home.run(&all).expect(0).json();
    assert_eq!(told["schema"], "seo-auth.logout.v1");
    let ended: Vec<_> = told["accounts"].as_array().unwrap().iter().collect();
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|account| account["deleted"] == true));
    let none = home.run(&all).expect(0).json();
    assert_eq!(none["accounts"], serde_json::json!([]));
    let status = home.run(&["status", "--json"]).expect(0).json();
    assert_eq!(status["accounts"], serde_json::json!([]));
    home.run(&["logout", "--all"]).expect(0);
    home.run(&["logout"]).expect(2);
}

#[test]
fn a_profile_that_was_named_is_the_only_one() {
    let home = Home::new();
    for profile in ["default", "ci", "sandbox"] {
        let args = ["login", "ahrefs", "--with-token", "--profile", profile];
        home.run_with_stdin(&args, "abc").expect(0);
    }
    let profiles = |args: &[&str]| -> Vec<String> {
        let status = home.run(args).expect(0).json();
        let accounts = status["accounts"].as_array().unwrap().iter();
        accounts
            .map(|account| account["profile"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(profiles(&["status", "--profile", "ci", "--json"]), ["ci"]);
    home.run(&["logout", "--all", "--profile", "ci"]).expect(0);
    let all = ["status", "--json"];
    assert_eq!(profiles(&all), ["default", "sandbox"]);

    let mut at_sandbox = home.command(&["logout", "--all"]);
    at_sandbox.env("SEO_AUTH_SANDBOX", "http://127.0.0.1:9");
    ended(at_sandbox, "").expect(0);
    assert_eq!(profiles(&all), ["default"]);

    let none = home.run(&["token", "print", "--profile", "ci"]).expect(4);
    assert!(none.stderr.contains("ahrefs/default"), "{none:?}");
}

#[test]
fn a_provider_that_left_the_configuration_is_known_by_its_login() {
    let (home, _server) = signed_in(&[]);
    home.configure("");
    let status = home.run(&["status", "acme", "--json"]).expect(0).json();
    assert_eq!(status["accounts"][0]["provider"], "acme");
    home.run(&["token", "print", "acme"]).expect(0);
    assert_eq!(logout(&home).json()["revocation"], "done");
    home.run(&["logout", "acme"]).expect(2);
}
