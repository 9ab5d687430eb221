//! `[providers.NAME]`: what each key takes, and the provider that a table becomes. The built-in providers are tables, too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Providers;
use super::document::Setting;
use super::error::ConfigError;
use super::keys::{Setter, find};
use crate::api::target;
use crate::clock::parse_duration;
use crate::credential::Name;
use crate::provider::{
    Api, ClientAuth, Code, Device, Endpoint, Grant, Login, Provider, RedirectUri, Shape,
    token_variable,
};

/// A provider whose table is still being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    title: Option<String>,
    grant: Option<Grant>,
    device_authorization_endpoint: Option<Endpoint>,
    authorization_endpoint: Option<Endpoint>,
    token_endpoint: Option<Endpoint>,
    confidential_token_endpoint: Option<Endpoint>,
    revocation_endpoint: Option<Endpoint>,
    client_id: Option<String>,
    client_id_help: Option<String>,
    client_auth: Option<ClientAuth>,
    scope: Vec<String>,
    scope_separator: Option<String>,
    known_scopes: Vec<String>,
    no_pkce: bool,
    code_challenge_method: Option<String>,
    redirect_uri: Option<RedirectUri>,
    authorization_params: BTreeMap<String, String>,
    refresh_token_lifetime: Option<Duration>,
    invalid_request_is_final: bool,
    revoke_by_hand: Option<String>,
    api_base: Option<Endpoint>,
    api_shape: Option<Shape>,
    check_path: Option<String>,
    requests_per_minute: Option<u32>,
    token_variables: Vec<String>,
}

const KEYS: &[(&str, Setter<Draft>)] = &[
    ("title", |draft, setting| {
        draft.title = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("grant", |draft, setting| {
        draft.grant = Some(match setting.text() {
            Ok("device_code") => Grant::DeviceCode,
            Ok("authorization_code") => Grant::AuthorizationCode,
            _ => return Err(setting.must_be("\"device_code\" or \"authorization_code\"")),
        });
        Ok(())
    }),
    ("device_authorization_endpoint", |draft, setting| {
        draft.device_authorization_endpoint = Some(setting.endpoint()?);
        Ok(())
    }),
    ("authorization_endpoint", |draft, setting| {
        draft.authorization_endpoint = Some(setting.endpoint()?);
        Ok(())
    }),
    ("token_endpoint", |draft, setting| {
        draft.token_endpoint = Some(setting.endpoint()?);
        // A secret must not go to a place that the user moved away from.
        draft.confidential_token_endpoint = None;
        Ok(())
    }),
    ("confidential_token_endpoint", |draft, setting| {
        draft.confidential_token_endpoint = Some(setting.endpoint()?);
        Ok(())
    }),
    ("revocation_endpoint", |draft, setting| {
        draft.revocation_endpoint = Some(setting.endpoint()?);
        Ok(())
    }),
    ("client_id", |draft, setting| {
        draft.client_id = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("client_id_help", |draft, setting| {
        draft.client_id_help = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("client_auth", |draft, setting| {
        draft.client_auth = Some(match setting.text() {
            Ok("none") => ClientAuth::None,
            Ok("post") => ClientAuth::Post,
            Ok("basic") => ClientAuth::Basic,
            _ => return Err(setting.must_be("\"none\", \"post\" or \"basic\"")),
        });
        Ok(())
    }),
    ("scope", |draft, setting| {
        draft.scope = scopes(setting)?;
        Ok(())
    }),
    ("scope_separator", |draft, setting| {
        draft.scope_separator = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("known_scopes", |draft, setting| {
        draft.known_scopes = scopes(setting)?;
        Ok(())
    }),
    ("code_challenge_method", |draft, setting| {
        let method = setting.text().unwrap_or_default();
        draft.no_pkce = method == "none";
        // The challenge is always the SHA-256 one (RFC 7636 §4.2), so no other method can be told truthfully.
        if !draft.no_pkce && !method.eq_ignore_ascii_case("S256") {
            return Err(setting.must_be("\"S256\" or \"s256\""));
        }
        draft.code_challenge_method = Some(method.to_owned());
        Ok(())
    }),
    ("redirect_uri", |draft, setting| {
        let uri = RedirectUri::parse(setting.text()?);
        draft.redirect_uri = Some(uri.map_err(|why| setting.refused(why.to_string()))?);
        Ok(())
    }),
    ("authorization_params", |draft, setting| {
        draft.authorization_params = authorization_params(setting)?;
        Ok(())
    }),
    ("refresh_token_lifetime", |draft, setting| {
        let lifetime = setting
            .text()
            .ok()
            .and_then(|text| parse_duration(text).ok());
        let lifetime = lifetime.ok_or_else(|| setting.must_be("a duration, as \"30d\""))?;
        draft.refresh_token_lifetime = Some(lifetime);
        Ok(())
    }),
    ("invalid_request_is_final", |draft, setting| {
        draft.invalid_request_is_final = setting.flag()?;
        Ok(())
    }),
    ("revoke_by_hand", |draft, setting| {
        draft.revoke_by_hand = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("api_base", |draft, setting| {
        draft.api_base = Some(api_base(setting)?);
        Ok(())
    }),
    ("api_shape", |draft, setting| {
        let shape = setting.text().unwrap_or_default().parse();
        draft.api_shape = Some(shape.map_err(|()| setting.must_be("a known shape, as \"plain\""))?);
        Ok(())
    }),
    ("check_path", |draft, setting| {
        draft.check_path = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("requests_per_minute", |draft, setting| {
        draft.requests_per_minute = Some(setting.number()?);
        Ok(())
    }),
    ("token_variables", |draft, setting| {
        draft.token_variables = setting.texts(VARIABLES_FORM)?;
        if !draft.token_variables.iter().all(|name| is_variable(name)) {
            return Err(setting.must_be(VARIABLES_FORM));
        }
        Ok(())
    }),
];

/// How a scope is written.
const SCOPE_FORM: &str = "a list of texts without spaces, as [\"openid\", \"offline_access\"]";

const VARIABLES_FORM: &str =
    "a list of names of variables, as [\"MY_API_TOKEN\"]: letters, digits and `_`, no digit first";

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

/// Where the browser is sent where nobody says: any free port of this machine.
const REDIRECT_URI: &str = "http://127.0.0.1:0/callback";

/// Lays one table over a built-in provider, or makes a new one of it.
pub(super) fn set(providers: &mut Providers, table: &Setting<'_>) -> Result<(), ConfigError> {
    let name = table.name()?;
    let settings = table.settings("a table, [providers.NAME]")?;
    for setting in &settings {
        find(KEYS, setting)?;
    }
    let built_in = providers.draft(&name)?;
    if built_in.is_none() {
        refuse_shared_variables(providers, &name, table)?;
    }
    let draft = lay_over(built_in.unwrap_or_default(), &settings)?;
    if let Some(setting) = settings.iter().find(|setting| setting.key == "check_path") {
        check_path(&draft, setting)?;
    }
    let provider = draft.finish(name.clone(), |key, reason| table.lacks(key, reason))?;
    providers.add(name, provider);
    Ok(())
}

/// Sets what the table says.
pub(super) fn lay_over(mut draft: Draft, settings: &[Setting<'_>]) -> Result<Draft, ConfigError> {
    // First, for it takes away the other endpoint, which the same table may name anew.
    let (first, others): (Vec<_>, Vec<_>) = settings
        .iter()
        .partition(|setting| setting.key == "token_endpoint");
    for setting in first.into_iter().chain(others) {
        find(KEYS, setting)?(&mut draft, setting)?;
    }
    Ok(draft)
}

impl Draft {
    /// The provider, with each way to sign in whose endpoints are there; `lacks` tells of a key that is missing.
    pub(super) fn finish<E>(
        self,
        name: Name,
        lacks: impl Fn(&'static str, &'static str) -> E,
    ) -> Result<Provider, E> {
        let token_endpoint = self.token_endpoint;
        let token_endpoint = token_endpoint.ok_or_else(|| lacks("token_endpoint", ""))?;
        let device = self.device_authorization_endpoint.map(|endpoint| {
            Login::Device(Device {
                device_authorization_endpoint: endpoint,
                token_endpoint: token_endpoint.clone(),
            })
        });
        let challenge = self
            .code_challenge_method
            .unwrap_or_else(|| "S256".to_owned());
        let redirect_uri = self
            .redirect_uri
            .or_else(|| RedirectUri::parse(REDIRECT_URI).ok());
        let code = self
            .authorization_endpoint
            .zip(redirect_uri)
            .map(|(endpoint, redirect_uri)| {
                Login::Code(Code {
                    authorization_endpoint: endpoint,
                    token_endpoint,
                    redirect_uri,
                    code_challenge_method: Some(challenge).filter(|_| !self.no_pkce),
                    authorization_params: self.authorization_params,
                })
            });
        let (login, other) = match (self.grant, device, code) {
            (Some(Grant::DeviceCode) | None, Some(device), None) => (device, None),
            (Some(Grant::AuthorizationCode) | None, None, Some(code)) => (code, None),
            (Some(Grant::DeviceCode), Some(device), Some(code)) => (device, Some(code)),
            (Some(Grant::AuthorizationCode), Some(device), Some(code)) => (code, Some(device)),
            (Some(Grant::DeviceCode), None, _) => {
                return Err(lacks(
                    "device_authorization_endpoint",
                    ", which the grant \"device_code\" needs",
                ));
            }
            (Some(Grant::AuthorizationCode), _, None) => {
                return Err(lacks(
                    "authorization_endpoint",
                    ", which the grant \"authorization_code\" needs",
                ));
            }
            (None, ..) => {
                return Err(lacks(
                    "grant",
                    " (\"device_code\" or \"authorization_code\") with the endpoint that belongs to it",
                ));
            }
        };
        let token_variables = match self.token_variables.is_empty() {
            true => vec![token_variable(&name)],
            false => self.token_variables,
        };
        Ok(Provider {
            title: self.title.unwrap_or_else(|| name.to_string()),
            name,
            login,
            other_logins: other.into_iter().collect(),
            client_id: self.client_id,
            client_auth: self.client_auth.unwrap_or(ClientAuth::Unset),
            client_id_help: self.client_id_help,
            scope: self.scope,
            scope_separator: self.scope_separator.unwrap_or_else(|| " ".to_owned()),
            known_scopes: self.known_scopes,
            confidential_token_endpoint: self.confidential_token_endpoint,
            revocation_endpoint: self.revocation_endpoint,
            revoke_by_hand: self.revoke_by_hand,
            refresh_token_lifetime: self.refresh_token_lifetime,
            invalid_request_is_final: self.invalid_request_is_final,
            token_variables,
            api: Api {
                base: self.api_base,
                check: self.check_path,
                shape: self.api_shape.unwrap_or(Shape::Plain),
                requests_per_minute: self.requests_per_minute,
            },
        })
    }
}

/// `my-idp` and `my_idp` would both be given `SEO_AUTH_MY_IDP_TOKEN`, and a token would go to the wrong one.
fn refuse_shared_variables(
    providers: &Providers,
    name: &Name,
    table: &Setting<'_>,
) -> Result<(), ConfigError> {
    let known = providers.names();
    let mut twins = known.iter().filter(|other| *other != name);
    match twins.find(|other| other.for_variable() == name.for_variable()) {
        Some(twin) => Err(table.refused(format!(
            "its environment variables (SEO_AUTH_{}_…) are those of `{twin}`; choose another name",
            name.for_variable()
        ))),
        None => Ok(()),
    }
}

fn scopes(setting: &Setting<'_>) -> Result<Vec<String>, ConfigError> {
    let scopes = setting.texts(SCOPE_FORM)?;
    match scopes
        .iter()
        .any(|scope| scope.contains(char::is_whitespace))
    {
        true => Err(setting.must_be(SCOPE_FORM)),
        false => Ok(scopes),
    }
}

/// Whether a shell takes this as the name of a variable.
fn is_variable(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(allowed) && !name.starts_with(|c: char| c.is_ascii_digit())
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
fn check_path(draft: &Draft, setting: &Setting<'_>) -> Result<(), ConfigError> {
    let Some(base) = draft.api_base.as_ref().or(draft.token_endpoint.as_ref()) else {
        return Ok(());
    };
    match target::resolve(base, setting.text()?) {
        Ok(_) => Ok(()),
        Err(why) => Err(setting.refused(why.to_string())),
    }
}
