//! The keys of the file: what each takes, and what it sets.

use std::collections::BTreeMap;
use std::path::Path;

use super::Config;
use super::document::Setting;
use super::error::ConfigError;
use crate::api::target;
use crate::credential::Name;
use crate::provider::{ClientAuth, Endpoint, Grant, Provider, RedirectUri};
use crate::store::Preference;
use crate::text::nearest;

type Setter<T> = fn(&mut T, &Setting<'_>) -> Result<(), ConfigError>;

const TOP: &[(&str, Setter<Config>)] = &[
    // Set last, when all providers are known.
    ("default_provider", |_, _| Ok(())),
    ("store", |config, setting| {
        let store: Result<Preference, _> = setting.text().unwrap_or_default().parse();
        config.store =
            Some(store.map_err(|_| setting.must_be("\"auto\", \"keyring\" or \"file\""))?);
        Ok(())
    }),
    ("ca_file", |config, setting| {
        let beside = setting.place().file;
        let folder = beside.parent().unwrap_or(Path::new(""));
        config.ca_file = Some(folder.join(setting.text()?));
        Ok(())
    }),
    ("fast_read", |config, setting| {
        config.fast_read = setting.flag()?;
        Ok(())
    }),
    ("providers", |config, setting| {
        for provider in setting.settings("a table of providers, [providers.NAME]")? {
            set_provider(&mut config.providers, &provider)?;
        }
        Ok(())
    }),
];

const PROVIDER: &[(&str, Setter<Provider>)] = &[
    ("grant", |provider, setting| {
        provider.grant = grant(setting)?;
        Ok(())
    }),
    ("device_authorization_endpoint", |provider, setting| {
        provider.device_authorization_endpoint = Some(setting.endpoint()?);
        Ok(())
    }),
    ("authorization_endpoint", |provider, setting| {
        provider.authorization_endpoint = Some(setting.endpoint()?);
        Ok(())
    }),
    ("token_endpoint", |provider, setting| {
        provider.token_endpoint = setting.endpoint()?;
        // A secret must not go to a place that the user moved away from.
        provider.confidential_token_endpoint = None;
        Ok(())
    }),
    ("revocation_endpoint", |provider, setting| {
        provider.revocation_endpoint = Some(setting.endpoint()?);
        Ok(())
    }),
    ("client_id", |provider, setting| {
        provider.client_id = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("client_auth", |provider, setting| {
        provider.client_auth = match setting.text() {
            Ok("none") => ClientAuth::None,
            Ok("post") => ClientAuth::Post,
            Ok("basic") => ClientAuth::Basic,
            _ => return Err(setting.must_be("\"none\", \"post\" or \"basic\"")),
        };
        Ok(())
    }),
    ("scope", |provider, setting| {
        let scope = setting.texts(SCOPE_FORM)?;
        if scope
            .iter()
            .any(|scope| scope.contains(char::is_whitespace))
        {
            return Err(setting.must_be(SCOPE_FORM));
        }
        provider.scope = scope;
        Ok(())
    }),
    ("scope_separator", |provider, setting| {
        provider.scope_separator = setting.text()?.to_owned();
        Ok(())
    }),
    ("code_challenge_method", |provider, setting| {
        let method = setting.text().unwrap_or_default();
        // The challenge is always the SHA-256 one (RFC 7636 §4.2), so no other method can be told truthfully.
        if !method.eq_ignore_ascii_case("S256") {
            return Err(setting.must_be("\"S256\" or \"s256\""));
        }
        provider.code_challenge_method = Some(method.to_owned());
        Ok(())
    }),
    ("redirect_uri", |provider, setting| {
        provider.redirect_uri =
            RedirectUri::parse(setting.text()?).map_err(|why| setting.refused(why.to_string()))?;
        Ok(())
    }),
    ("authorization_params", |provider, setting| {
        provider.authorization_params = authorization_params(setting)?;
        Ok(())
    }),
    ("api_base", |provider, setting| {
        provider.api_base = Some(api_base(setting)?);
        Ok(())
    }),
    ("check_path", |provider, setting| {
        provider.check_path = Some(setting.text()?.to_owned());
        Ok(())
    }),
];

/// How a scope is written.
const SCOPE_FORM: &str = "a list of texts without spaces, as [\"openid\", \"offline_access\"]";

/// The parameters of the authorization request that the flow sets itself (RFC 6749 §4.1.1, RFC 7636 §4.3).
const FLOW_PARAMS: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// Keys that only a secret could be the value of.
const SECRETS: &[&str] = &[
    "client_secret",
    "access_token",
    "refresh_token",
    "token",
    "password",
    "api_key",
    "secret",
];

/// Sets one key of the top level.
pub(super) fn set_top(config: &mut Config, setting: &Setting<'_>) -> Result<(), ConfigError> {
    find(TOP, setting)?(config, setting)
}

/// Refuses a secret in this setting or anywhere below it. A provider may be called `token`, though.
pub(super) fn refuse_secrets(top: &Setting<'_>) -> Result<(), ConfigError> {
    for setting in top.below().iter().chain([top]) {
        let key = setting.key.to_ascii_lowercase().replace('-', "_");
        let is_provider = setting.tables == ["providers"] && setting.is_table();
        if SECRETS.contains(&key.as_str()) && !is_provider {
            return Err(ConfigError::Secret {
                at: setting.place(),
                key: setting.shown_key(),
                provider: provider_above(setting),
            });
        }
    }
    Ok(())
}

/// The provider in whose table a setting stands.
fn provider_above(setting: &Setting<'_>) -> Option<Name> {
    match setting.tables.as_slice() {
        ["providers", name, ..] => name.parse().ok(),
        _ => None,
    }
}

/// The provider that `default_provider` names.
pub(super) fn default_provider(
    providers: &BTreeMap<Name, Provider>,
    setting: &Setting<'_>,
) -> Result<Name, ConfigError> {
    let text = setting.text()?;
    let names = || providers.keys().map(Name::as_str);
    text.parse()
        .ok()
        .filter(|name| providers.contains_key(name))
        .ok_or_else(|| ConfigError::NoSuchProvider {
            at: setting.place(),
            nearest: nearest(text, names()).map(str::to_owned),
            known: names().collect::<Vec<_>>().join(", "),
        })
}

/// Lays one table over a built-in provider, or makes a new one of it.
fn set_provider(
    providers: &mut BTreeMap<Name, Provider>,
    table: &Setting<'_>,
) -> Result<(), ConfigError> {
    let name = table.name()?;
    let settings = table.settings("a table, [providers.NAME]")?;
    for setting in &settings {
        find(PROVIDER, setting)?;
    }
    let mut provider = match providers.get(&name) {
        Some(known) => known.clone(),
        None => {
            refuse_shared_variables(providers, &name, table)?;
            new_provider(name.clone(), table, &settings)?
        }
    };
    for setting in &settings {
        find(PROVIDER, setting)?(&mut provider, setting)?;
    }
    if let Some(setting) = settings.iter().find(|setting| setting.key == "check_path") {
        check_path(&provider, setting)?;
    }
    match provider.grant {
        Grant::DeviceCode if provider.device_authorization_endpoint.is_none() => {
            return Err(table.lacks(
                "device_authorization_endpoint",
                ", which the grant \"device_code\" needs",
            ));
        }
        Grant::AuthorizationCode if provider.authorization_endpoint.is_none() => {
            return Err(table.lacks(
                "authorization_endpoint",
                ", which the grant \"authorization_code\" needs",
            ));
        }
        _ => {}
    }
    providers.insert(name, provider);
    Ok(())
}

/// An ordinary provider at the token endpoint of this table, before the other keys are set.
fn new_provider(
    name: Name,
    table: &Setting<'_>,
    settings: &[Setting<'_>],
) -> Result<Provider, ConfigError> {
    let given = |key| settings.iter().find(|setting| setting.key == key);
    let token_endpoint = given("token_endpoint")
        .ok_or_else(|| table.lacks("token_endpoint", ""))?
        .endpoint()?;
    let endpoints = (
        given("device_authorization_endpoint"),
        given("authorization_endpoint"),
    );
    let grant = match (given("grant"), endpoints) {
        (Some(setting), _) => grant(setting)?,
        (None, (Some(_), None)) => Grant::DeviceCode,
        (None, (None, Some(_))) => Grant::AuthorizationCode,
        (None, _) => {
            return Err(table.lacks(
                "grant",
                " (\"device_code\" or \"authorization_code\") with the endpoint that belongs to it",
            ));
        }
    };
    Ok(Provider::ordinary(name, grant, token_endpoint)?)
}

/// `my-idp` and `my_idp` would both be given `SEO_AUTH_MY_IDP_TOKEN`, and a token would go to the wrong one.
fn refuse_shared_variables(
    providers: &BTreeMap<Name, Provider>,
    name: &Name,
    table: &Setting<'_>,
) -> Result<(), ConfigError> {
    let twin = providers
        .keys()
        .find(|other| other.for_variable() == name.for_variable());
    match twin {
        Some(twin) => Err(table.refused(format!(
            "its environment variables (SEO_AUTH_{}_…) are those of `{twin}`; choose another name",
            name.for_variable()
        ))),
        None => Ok(()),
    }
}

fn grant(setting: &Setting<'_>) -> Result<Grant, ConfigError> {
    match setting.text() {
        Ok("device_code") => Ok(Grant::DeviceCode),
        Ok("authorization_code") => Ok(Grant::AuthorizationCode),
        _ => Err(setting.must_be("\"device_code\" or \"authorization_code\"")),
    }
}

fn authorization_params(setting: &Setting<'_>) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut params = BTreeMap::new();
    for param in setting.settings("a table of texts, as { prompt = \"consent\" }")? {
        if FLOW_PARAMS.contains(&param.key) {
            return Err(param.refused("the login sets this parameter itself"));
        }
        params.insert(param.key.to_owned(), param.text()?.to_owned());
    }
    Ok(params)
}

/// An address that paths are appended to: it ends with one slash.
fn api_base(setting: &Setting<'_>) -> Result<Endpoint, ConfigError> {
    let mut url = setting.endpoint()?.url().clone();
    if url.query().is_some() {
        return Err(setting.refused("it has a query (?…), and paths are appended to it"));
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Endpoint::parse(url.as_str()).map_err(|why| setting.refused(why.to_string()))
}

/// By the rules of `api`'s PATH, now that its base is known; without one it is never used, and no less wrong.
fn check_path(provider: &Provider, setting: &Setting<'_>) -> Result<(), ConfigError> {
    let base = provider.api_base.as_ref();
    match target::resolve(base.unwrap_or(&provider.token_endpoint), setting.text()?) {
        Ok(_) => Ok(()),
        Err(why) => Err(setting.refused(why.to_string())),
    }
}

/// What a key sets.
fn find<T>(
    known: &'static [(&'static str, Setter<T>)],
    setting: &Setting<'_>,
) -> Result<Setter<T>, ConfigError> {
    known
        .iter()
        .find(|(key, _)| *key == setting.key)
        .map(|(_, setter)| *setter)
        .ok_or_else(|| ConfigError::UnknownKey {
            at: setting.place(),
            key: setting.shown_key(),
            table: setting.table_name(),
            known: known.iter().map(|(key, _)| *key).collect(),
        })
}
