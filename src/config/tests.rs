use std::fs;

use proptest::prelude::*;

use super::*;
use crate::credential::Name;
use crate::provider::catalog::BUILT_IN;
use crate::provider::{ClientAuth, Code, Grant, Provider, RedirectUri, Shape};
use crate::store::Preference;
use crate::store::StoreKind;

/// A text that must never come back in an error.
const PLANTED: &str = "hunter2planted";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/config.toml"))
}

fn read(text: &str) -> Config {
    parse(text).unwrap()
}

fn provider(config: &Config, name: &str) -> Provider {
    let name = name.parse().unwrap();
    config.providers.get(&name).unwrap().clone()
}

fn code(provider: &Provider) -> &Code {
    provider.code().unwrap()
}

/// The message without the file's name, which is checked to begin it.
fn mistake(text: &str) -> String {
    let message = parse(text).unwrap_err().to_string();
    message
        .strip_prefix("/etc/config.toml:")
        .unwrap_or_else(|| panic!("no file in: {message}"))
        .to_owned()
}

const MY_IDP: &str = r#"[providers.my-idp]
device_authorization_endpoint = "https://idp.example/device"
token_endpoint = "https://idp.example/token"
"#;

#[test]
fn an_empty_file_says_what_is_built_in() {
    let config = read("");
    let names = config.providers.names();
    assert_eq!(names.len(), BUILT_IN.len());
    assert_eq!(names.first().map(Name::as_str), Some("ahrefs"));
    assert_eq!(config.fast_read, None);
    assert_eq!(config.store, None);
    assert_eq!(config.default_provider, None);
}

#[test]
fn the_top_level_is_read() {
    let config = read(
        "default_provider = \"semrush\"\nstore = \"keyring\"\nca_file = \"corporate.pem\"\nfast_read = false\n",
    );
    assert_eq!(config.default_provider.unwrap().as_str(), "semrush");
    assert_eq!(config.store, Some(Preference::Only(StoreKind::Keyring)));
    assert_eq!(config.ca_file, Some("/etc/corporate.pem".into()));
    assert_eq!(config.fast_read, Some(false));
    assert_eq!(
        read("ca_file = \"/pki/ca.pem\"").ca_file,
        Some("/pki/ca.pem".into())
    );
}

#[test]
fn values_are_laid_over_a_built_in_provider() {
    let config = read(
        "[providers.ahrefs]\nclient_id = \"mine\"\nredirect_uri = \"https://agency.example/cb\"\n[providers.semrush]\nscope = [\"user.id\"]\n",
    );
    let ahrefs = provider(&config, "ahrefs");
    assert_eq!(ahrefs.client_id.as_deref(), Some("mine"));
    assert_eq!(
        code(&ahrefs).redirect_uri,
        RedirectUri::Elsewhere("https://agency.example/cb".into())
    );
    assert_eq!(code(&ahrefs).code_challenge_method.as_deref(), Some("s256"));
    assert_eq!(ahrefs.api.shape, Shape::Ahrefs);
    let semrush = provider(&config, "semrush");
    assert_eq!(semrush.scope, ["user.id"]);
    assert_eq!(semrush.scope_separator, ",");
    assert!(semrush.confidential_token_endpoint.is_some());
}

#[test]
fn a_moved_token_endpoint_leaves_no_other_for_the_client_secret() {
    let semrush = provider(
        &read("[providers.semrush]\ntoken_endpoint = \"https://gateway.example/token\"\n"),
        "semrush",
    );
    assert_eq!(
        semrush
            .token_endpoint_for(semrush.login.token_endpoint().unwrap(), true)
            .to_string(),
        "https://gateway.example/token"
    );
}

#[test]
fn a_provider_with_a_device_code_is_added() {
    let config = read(&format!("default_provider = \"my-idp\"\n{MY_IDP}"));
    let added = provider(&config, "my-idp");
    assert_eq!(added.login.grant(), Grant::DeviceCode);
    assert_eq!(added.scope_separator, " ");
    assert_eq!(added.client_auth, ClientAuth::Unset);
    assert_eq!(added.api.shape, Shape::Plain);
    assert_eq!(added.title, "my-idp");
}

#[test]
fn a_provider_with_every_key_is_added() {
    let added = provider(
        &read(
            r#"
            [providers.my-idp]
            grant = "authorization_code"
            device_authorization_endpoint = "https://idp.example/device"
            authorization_endpoint = "https://idp.example/authorize"
            token_endpoint = "http://127.0.0.1:8080/token"
            revocation_endpoint = "https://idp.example/revoke"
            client_id = "app"
            client_auth = "basic"
            scope = ["openid", "offline_access"]
            scope_separator = " "
            code_challenge_method = "S256"
            redirect_uri = "http://[::1]:0/callback"
            authorization_params = { prompt = "consent", audience = "https://api.example" }
            api_base = "https://api.example/v1//"
            check_path = "/me"
            "#,
        ),
        "my-idp",
    );
    assert_eq!(added.login.grant(), Grant::AuthorizationCode);
    assert_eq!(added.client_auth, ClientAuth::Basic);
    assert_eq!(added.scope, ["openid", "offline_access"]);
    assert!(code(&added).redirect_uri.is_loopback());
    assert_eq!(code(&added).authorization_params["prompt"], "consent");
    assert_eq!(
        added.api.base.as_ref().unwrap().to_string(),
        "https://api.example/v1/"
    );
    assert_eq!(added.usage.check.as_ref().unwrap().url, "/me");
    assert_eq!(
        added.revocation_endpoint.as_ref().unwrap().to_string(),
        "https://idp.example/revoke"
    );
}

#[test]
fn lines_are_known_by_key() {
    let config = read("store = \"file\"\r\n\r\n[providers.ahrefs]\r\nclient_id = \"x\"\r\n");
    let lines: Vec<_> = config.lines().collect();
    assert_eq!(lines, [("store", 1), ("providers.ahrefs.client_id", 4)]);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    assert_eq!(
        read("\u{feff}store = \"file\"\r\n").store,
        Some(Preference::Only(StoreKind::File))
    );
}

#[test]
fn unknown_keys_bring_the_nearest_known_one() {
    for (text, message) in [
        (
            "[providers.my-idp]\n\ntokn_endpoint = \"https://idp.example/\"",
            "3: unknown key `tokn_endpoint` in [providers.my-idp]; did you mean `token_endpoint`?",
        ),
        (
            "default-provider = \"semrush\"",
            "1: unknown key `default-provider`; did you mean `default_provider`?",
        ),
        (
            "[providers.ahrefs]\nclientId = \"x\"",
            "2: unknown key `clientId` in [providers.ahrefs]; did you mean `client_id`?",
        ),
        (
            "colour = \"red\"",
            "1: unknown key `colour`; the known keys are default_provider, store, ca_file, fast_read, vault, providers",
        ),
        (
            "# one\nstore = \"file\"\n[provider.ahrefs]",
            "3: unknown key `provider`; did you mean `providers`?",
        ),
    ] {
        assert_eq!(mistake(text), message);
    }
}

#[test]
fn wrong_values_are_told_what_was_expected() {
    for (text, message) in [
        (
            "\n\nstore = \"attic\"",
            "3: `store` must be \"auto\", \"keyring\", \"file\" or \"vault\", not `attic`",
        ),
        (
            "store = 3",
            "1: `store` must be \"auto\", \"keyring\", \"file\" or \"vault\"",
        ),
        (
            "fast_read = \"no\"",
            "1: `fast_read` must be true or false, not `no`",
        ),
        ("ca_file = true", "1: `ca_file` must be a text in quotes"),
        (
            "providers = []",
            "1: `providers` must be a table of providers, [providers.NAME]",
        ),
        (
            "[providers]\nahrefs = 1",
            "2: `providers.ahrefs` must be a table, [providers.NAME]",
        ),
        (
            "[providers.ahrefs]\nscope = \"a b\"",
            "2: `providers.ahrefs.scope` must be a list of texts without spaces, as [\"openid\", \"offline_access\"]",
        ),
        (
            "[providers.ahrefs]\nscope = [\"a b\"]",
            "2: `providers.ahrefs.scope` must be a list of texts without spaces, as [\"openid\", \"offline_access\"]",
        ),
        (
            "[providers.ahrefs]\ngrant = \"password\"",
            "2: `providers.ahrefs.grant` must be \"device_code\", \"authorization_code\", \"api_key\", \"jwt_bearer\" or \"client_credentials\", not `password`",
        ),
        (
            "[providers.ahrefs]\nclient_auth = \"jwt\"",
            "2: `providers.ahrefs.client_auth` must be \"none\", \"post\" or \"basic\", not `jwt`",
        ),
        (
            "[providers.ahrefs]\ncode_challenge_method = \"plain\"",
            "2: `providers.ahrefs.code_challenge_method` must be \"S256\" or \"s256\", not `plain`",
        ),
        (
            "[providers.ahrefs]\nauthorization_params = [\"prompt\"]",
            "2: `providers.ahrefs.authorization_params` must be a table of texts, as { prompt = \"consent\" }",
        ),
        (
            "[providers.ahrefs.authorization_params]\nmax_age = 5",
            "2: `providers.ahrefs.authorization_params.max_age` must be a text in quotes",
        ),
    ] {
        assert_eq!(mistake(text), message);
    }
}

#[test]
fn refused_values_are_told_why() {
    for (text, message) in [
        (
            "[providers.my-idp]\ndevice_authorization_endpoint = \"https://idp.example/d\"\ntoken_endpoint = \"http://idp.example/t\"",
            "3: `providers.my-idp.token_endpoint`: it is neither https nor http on loopback (127.0.0.0/8, [::1], localhost), so secrets would be sent unencrypted",
        ),
        (
            "[providers.ahrefs]\napi_base = \"https://api.example/?v=3\"",
            "2: `providers.ahrefs.api_base`: it has a query (?…), but paths are appended to it",
        ),
        (
            "[providers.ahrefs]\nclient_id = \"a\\u001bb\"",
            "2: `providers.ahrefs.client_id`: it contains a control character",
        ),
        (
            "[providers.ahrefs]\nclient_id = \"\"",
            "2: `providers.ahrefs.client_id`: it is empty",
        ),
        (
            "[providers.ahrefs]\nauthorization_params = { state = \"1\" }",
            "2: `providers.ahrefs.authorization_params.state`: the login sets this parameter itself",
        ),
        (
            "[providers.\"My IdP\"]",
            "1: `providers.My IdP`: a provider's name has 1 to 64 lower-case letters, digits, `-`, `_` and `.`, and starts with a letter",
        ),
        (
            &MY_IDP.replace("my-idp", "9x"),
            "1: `providers.9x`: a provider's name has 1 to 64 lower-case letters, digits, `-`, `_` and `.`, and starts with a letter",
        ),
        (
            "[providers.ahrefs]\nredirect_uri = \"foo\"",
            "2: `providers.ahrefs.redirect_uri`: it is neither an address (http://127.0.0.1:8976/callback) nor a path of the provider's own (/oauth2/success)",
        ),
        (
            "[providers.ahrefs]\nredirect_uri = \"\"",
            "2: `providers.ahrefs.redirect_uri`: it is empty",
        ),
        (
            "[providers.ahrefs]\nredirect_uri = \"https://agency.example/cb#x\"",
            "2: `providers.ahrefs.redirect_uri`: it has a fragment (#…), which RFC 6749 forbids",
        ),
        (
            "[providers.ahrefs]\ncheck_path = \"https://evil.example/me\"",
            "2: `providers.ahrefs.check_path`: seo-auth sends the credential only to the origins of the provider's api_base and api_origins",
        ),
        (
            "[providers.ahrefs]\ncheck_path = \"//evil.example/me\"",
            "2: `providers.ahrefs.check_path`: PATH starts with //, which would name another host",
        ),
        (
            &format!("{MY_IDP}check_path = '\\\\evil.example'"),
            "4: `providers.my-idp.check_path`: PATH contains a backslash; write %5C instead",
        ),
        (
            "[providers.ahrefs]\ncheck_path = \"@evil.example\"",
            "2: `providers.ahrefs.check_path`: PATH contains a user name (`…@…`); write %40 instead of @",
        ),
        (
            &format!("{MY_IDP}[providers.my_idp]\ntoken_endpoint = \"https://other.example/\""),
            "4: `providers.my_idp`: its environment variables (SEO_AUTH_MY_IDP_…) are those of `my-idp`; choose another name",
        ),
        (
            "default_provider = \"semrsh\"",
            "1: `default_provider` names no known provider; `seo-auth providers` lists them; did you mean `semrush`?",
        ),
        (
            "default_provider = \"acme\"",
            "1: `default_provider` names no known provider; `seo-auth providers` lists them",
        ),
    ] {
        assert_eq!(mistake(text), message);
    }
}

#[test]
fn what_a_provider_lacks_is_named() {
    for (text, message) in [
        (
            "\n[providers.my-idp]\nclient_id = \"x\"",
            "2: `providers.my-idp` has no `token_endpoint`, or issuer",
        ),
        (
            "[providers.my-idp]\ntoken_endpoint = \"https://idp.example/\"",
            "1: `providers.my-idp` has no `grant` (\"device_code\" or \"authorization_code\" with the endpoint that belongs to it, or \"api_key\")",
        ),
        (
            "[providers.my-idp]\ngrant = \"device_code\"\ntoken_endpoint = \"https://idp.example/\"",
            "1: `providers.my-idp` has no `device_authorization_endpoint`, which the grant \"device_code\" needs",
        ),
        (
            "[providers.my-idp]\ngrant = \"authorization_code\"\ntoken_endpoint = \"https://idp.example/\"",
            "1: `providers.my-idp` has no `authorization_endpoint`, which the grant \"authorization_code\" needs",
        ),
        (
            "[providers.ahrefs]\ngrant = \"device_code\"",
            "1: `providers.ahrefs` has no `device_authorization_endpoint`, which the grant \"device_code\" needs",
        ),
    ] {
        assert_eq!(mistake(text), message);
    }
}

#[test]
fn secrets_are_sent_where_they_belong() {
    for (text, message) in [
        (
            "[providers.my-idp]\nclient_secret = \"hunter2planted\"",
            "2: `client_secret` must not be in this file; use SEO_AUTH_MY_IDP_CLIENT_SECRET or `seo-auth login my-idp --client-secret-stdin`",
        ),
        (
            "client-secret = \"hunter2planted\"",
            "1: `client-secret` must not be in this file; use SEO_AUTH_<PROVIDER>_CLIENT_SECRET or `seo-auth login PROVIDER --client-secret-stdin`",
        ),
        (
            "[providers.ahrefs]\nAPI_KEY = \"hunter2planted\"",
            "2: `API_KEY` must not be in this file; use SEO_AUTH_AHREFS_TOKEN or `seo-auth login ahrefs --with-token`",
        ),
        (
            "[providers.ahrefs]\nauthorization_params = { access_token = \"hunter2planted\" }",
            "2: `access_token` must not be in this file; use SEO_AUTH_AHREFS_TOKEN or `seo-auth login ahrefs --with-token`",
        ),
        (
            "[[providers]]\npassword = [\"hunter2planted\"]",
            "2: `password` must not be in this file; sign in with `seo-auth login PROVIDER` instead",
        ),
    ] {
        assert_eq!(mistake(text), message);
    }
}

#[test]
fn a_provider_may_be_called_token() {
    let text = MY_IDP.replace("my-idp", "token");
    assert_eq!(provider(&read(&text), "token").name.as_str(), "token");
}

#[test]
fn syntax_errors_name_the_line_and_nothing_of_it() {
    for (text, message) in [
        (
            "store = \"file\"\nstore = \"auto\"",
            "2: duplicate key `store`",
        ),
        (
            "[providers.ahrefs]\nclient_id = hunter2planted",
            "2: the value of `client_id` must be in quotes",
        ),
        (
            "\nclient_id = \"hunter2planted",
            "2: invalid basic string, expected `\"`",
        ),
    ] {
        assert_eq!(mistake(text), message);
    }
}

#[test]
fn a_word_without_quotes_is_told_as_what_it_is() {
    let unquoted = "must be in quotes";
    assert_eq!(
        mistake("store = file"),
        format!("1: the value of `store` {unquoted}")
    );
    assert_eq!(
        mistake("\nstore = t"),
        format!("2: the value of `store` {unquoted}")
    );
}

#[test]
fn values_are_never_repeated() {
    for line in [
        "KEY = hunter2planted",
        "KEY = \"hunter2planted",
        "KEY \"hunter2planted\"",
        "KEY = [\"hunter2planted\"",
        "KEY = \"\\q hunter2planted\"",
        "KEY = \"hunter2planted\" x",
        "KEY = \"hunter2planted\"\nKEY = \"hunter2planted\"",
        "KEY = [\"hunter2planted\", 1]",
        "KEY = { hunter2 = \"hunter2planted\" }",
        "KEY = \"http://hunter2planted/\"",
        "KEY = \"https://hunter2planted@x.example/\"",
    ] {
        for key in [
            "client_secret",
            "cleint_secret",
            "fast_read",
            "default_provider",
            "store",
            "token_endpoint",
            "scope",
            "nonsense",
        ] {
            for table in ["", "[providers.ahrefs]\n", "[providers.new]\n"] {
                let text = format!("{table}{}\n", line.replace("KEY", key));
                let error = parse(&text).unwrap_err();
                let message = format!("{error} {error:?}");
                assert!(!message.contains(PLANTED), "{text}\n{message}");
            }
        }
    }
}

#[test]
fn a_missing_file_matters_only_where_it_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let names = Config::load(&file, false).unwrap().providers.names();
    assert_eq!(names.len(), BUILT_IN.len());
    let message = Config::load(&file, true).unwrap_err().to_string();
    assert!(
        message.starts_with(&file.display().to_string()),
        "{message}"
    );
    fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
    let message = Config::load(&file, false).unwrap_err().to_string();
    assert!(message.contains("more than 1048576 bytes"), "{message}");
    fs::write(&file, b"store = \"file\"\n# \xff\n").unwrap();
    let message = Config::load(&file, false).unwrap_err().to_string();
    assert_eq!(
        message,
        format!("{}:2: it is not UTF-8 text", file.display())
    );
}

/// Something that stands where a value should.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(PLANTED.to_owned()),
        Just(format!("\"{PLANTED}\"")),
        Just(format!("'{PLANTED}")),
        Just(format!("[\"{PLANTED}\", 3]")),
        Just(format!("{{ a = \"{PLANTED}\" }}")),
        Just("true".to_owned()),
        Just("\"https://as.example/\"".to_owned()),
        "[ -~]{0,12}",
    ]
}

fn any_line() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("token_endpoint".to_owned()),
        Just("grant".to_owned()),
        Just("scope".to_owned()),
        Just("providers.ahrefs.client_secret".to_owned()),
        Just("default_provider".to_owned()),
        "[a-z_.\"-]{0,16}",
    ];
    prop_oneof![
        (key, any_value()).prop_map(|(key, value)| format!("{key} = {value}")),
        "\\[{1,2}(providers)?[.a-z\"]{0,8}\\]{0,2}",
        any_value(),
    ]
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn arbitrary_lines_never_give_a_value_away(lines in prop::collection::vec(any_line(), 0..6)) {
        if let Err(error) = parse(&lines.join("\n")) {
            let told = format!("{error} {error:?}");
            prop_assert!(!told.contains(PLANTED), "{}", told);
        }
    }
}
