//! The golden texts of every call that is wrong.

use std::io;
use std::path::Path;

use super::*;
use crate::credential::{AccountKey, Name};
use crate::error::tests::catalogue;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn account() -> AccountKey {
    "google/default".parse().unwrap()
}

fn not_found() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "No such file or directory")
}

#[test]
fn of_every_command() {
    insta::assert_snapshot!(catalogue([
        of_clap("unexpected argument '--foo'".to_owned(), None),
        of_clap(
            "unrecognized subcommand 'ls'".to_owned(),
            Some("did you mean `seo-auth status`?".to_owned()),
        ),
        secret_as_argument(),
        no_place_for_logins("nowhere\u{7}"),
        wrong_fault("there is no fault `x`"),
        sandbox_port(8888, &io::Error::other("Address already in use")),
    ]));
}

#[test]
fn of_login() {
    use login::*;
    let (ahrefs, title) = (&name("ahrefs"), "Ahrefs");
    insta::assert_snapshot!(catalogue([
        no_provider("ahrefs, semrush"),
        no_such_flow(ahrefs, "device", "code and key"),
        no_check_without_key(),
        rule_for_running_sandbox("--approve"),
        rule_without_sandbox("--approve"),
        drawn_in_json("--qr"),
        secret_never_sent(ahrefs),
        no_client_secret(ahrefs),
        no_client(ahrefs),
        not_a_secret("it is empty"),
        not_a_client("it is not JSON"),
        wrong_redirect_uri("it has a fragment"),
        code_bound_to_nothing(ahrefs, "urn:ietf:wg:oauth:2.0:oob"),
        nowhere_to_paste("https://example.com/callback"),
        not_a_key(ahrefs, title, "only the key", "it is empty"),
        wrong_check("https://example.com is outside of the API"),
        not_a_service_account(ahrefs, title, "it is not JSON"),
        real_service_account(title, "http://127.0.0.1:8888/oauth2/token"),
        not_a_token("it is empty"),
        token_of_other_provider(&name("semrush"), ahrefs),
        token_of_other_issuer(ahrefs, "https://a.example", "https://b.example"),
    ]));
}

#[test]
fn of_api_and_import() {
    insta::assert_snapshot!(catalogue([
        api::no_base(&name("my-idp")),
        api::wrong_path("PATH has a host", "https://api.example/v3"),
        api::wrong_param("`x` has no `=`"),
        api::too_long(100_000),
        api::wrong_method("TRACE"),
        api::unknown_pages("My IdP"),
        api::pages_of_other_method(),
        api::unreadable_input(Path::new("body.json"), &not_found()),
        import::removes_from_stdin(),
        import::nobody_confirms(3),
        import::unreadable(".env", &not_found()),
        import::too_large("dump.sql", 1),
        import::wrong_choice("API_KEY"),
    ]));
}

#[test]
fn of_tokens_and_settings() {
    use setting::*;
    use token::*;
    insta::assert_snapshot!(catalogue([
        two_formats(),
        refresh_token_needs_json(),
        field_of_whole(),
        name_without_variable(),
        not_a_variable("--as", "1X"),
        unfit_for_dotenv(&account()),
        not_one_token("it is JSON"),
        refused_by_github("GITHUB_TOKEN"),
        outside_github(),
        several_providers("--token-file holds one token"),
        nothing_for_credentials_file(&account()),
        wrong_value("SEO_AUTH_AHREFS_TOKEN", "it is empty"),
        not_expanded("SEO_AUTH_CONFIG", "~/config.toml"),
        wrong_name("--profile", "`A` has a capital letter"),
        wrong_store("--store", "cloud"),
        wrong_sandbox("https://example.com"),
        wrong_sandbox("127.0.0.1:8888"),
        wrong_vault("VAULT_ADDR", "it is not a URL"),
    ]));
}
