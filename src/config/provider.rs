//! `[providers.NAME]`: what each key takes, and the provider that a table becomes. The built-in providers are tables, too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::document::Setting;
use super::error::ConfigError;
use super::setter::{Setter, find};
use super::usage::{self, UsageDraft};
use crate::api::target::TargetError;
use crate::clock::parse_duration;
use crate::credential::Name;
use crate::provider::{
    Api, ClientAuth, Endpoint, Endpoints, Grant, Issuer, Login, Provider, RedirectUri, Shape,
    token_variable,
};

/// A provider whose table is still being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    title: Option<String>,
    grant: Option<Grant>,
    other_grants: Vec<Grant>,
    device_authorization_endpoint: Option<Endpoint>,
    authorization_endpoint: Option<Endpoint>,
    token_endpoint: Option<Endpoint>,
    issuer: Option<Issuer>,
    confidential_token_endpoint: Option<Endpoint>,
    revocation_endpoint: Option<Endpoint>,
    client_id: Option<String>,
    client_id_help: Option<String>,
    client_auth: Option<ClientAuth>,
    scope: Vec<String>,
    scope_separator: Option<String>,
    known_scopes: Vec<String>,
    scope_names: BTreeMap<String, String>,
    no_pkce: bool,
    code_challenge_method: Option<String>,
    redirect_uri: Option<RedirectUri>,
    authorization_params: BTreeMap<String, String>,
    refresh_token_lifetime: Option<Duration>,
    invalid_request_is_final: bool,
    revoke_by_hand: Option<String>,
    api_base: Option<Endpoint>,
    api_origins: Vec<Endpoint>,
    api_shape: Option<Shape>,
    requests_per_minute: Option<u32>,
    usage: UsageDraft,
    api_key: Option<UsageDraft>,
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
            text => machine(text.unwrap_or_default(), setting)?,
        });
        Ok(())
    }),
    ("other_grants", |draft, setting| {
        let names = setting.texts(OTHER_GRANTS_FORM)?;
        let grants = names.iter().map(|name| machine(name, setting));
        draft.other_grants = grants.collect::<Result<_, _>>()?;
        Ok(())
    }),
    ("issuer", |draft, setting| {
        let endpoint = setting.endpoint()?;
        draft.issuer = Some(Issuer {
            name: setting.text()?.to_owned(),
            endpoint,
            iss_in_callback: false,
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
    ("scope_names", |draft, setting| {
        for name in setting.settings(SCOPE_NAMES_FORM)? {
            draft
                .scope_names
                .insert(name.key.to_owned(), name.text()?.to_owned());
        }
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
    ("api_origins", |draft, setting| {
        let origins = setting.texts(ORIGINS_FORM)?;
        let origins = origins.iter().map(|origin| Endpoint::parse(origin));
        let origins: Result<Vec<_>, _> = origins.collect();
        draft.api_origins = origins.map_err(|why| setting.refused(why.to_string()))?;
        Ok(())
    }),
    ("api_key", |draft, setting| {
        let mut key = draft.api_key.take().unwrap_or_default();
        for setting in setting.settings("a table, [providers.NAME.api_key]")? {
            find(usage::KEYS, &setting)?(&mut key, &setting)?;
        }
        draft.api_key = Some(key);
        Ok(())
    }),
    ("requests_per_minute", |draft, setting| {
        draft.requests_per_minute = Some(setting.number()?);
        Ok(())
    }),
    ("fields", of_usage),
    ("api_auth", of_usage),
    ("token_variables", of_usage),
    ("check_path", of_usage),
    ("check", of_usage),
    ("docs", of_usage),
];

fn of_usage(draft: &mut Draft, setting: &Setting<'_>) -> Result<(), ConfigError> {
    find(usage::KEYS, setting)?(&mut draft.usage, setting)
}

/// A grant that needs no endpoint but the token endpoint.
fn machine(name: &str, setting: &Setting<'_>) -> Result<Grant, ConfigError> {
    match name {
        "api_key" if setting.key == "grant" => Ok(Grant::ApiKey),
        "jwt_bearer" => Ok(Grant::JwtBearer),
        "client_credentials" => Ok(Grant::ClientCredentials),
        _ if setting.key == "grant" => Err(setting.must_be(GRANT_FORM)),
        _ => Err(setting.must_be(OTHER_GRANTS_FORM)),
    }
}

const GRANT_FORM: &str = "\"device_code\", \"authorization_code\", \"api_key\", \"jwt_bearer\" or \"client_credentials\"";

const OTHER_GRANTS_FORM: &str = "a list of \"jwt_bearer\" and \"client_credentials\"";

const ORIGINS_FORM: &str = "a list of addresses, as [\"https://other.example\"]";

/// How a scope is written.
const SCOPE_FORM: &str = "a list of texts without spaces, as [\"openid\", \"offline_access\"]";

const SCOPE_NAMES_FORM: &str = "a table of texts, as { read = \"https://scopes.example/read\" }";

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

/// Refuses keys that no provider has.
pub(super) fn know(settings: &[Setting<'_>]) -> Result<(), ConfigError> {
    settings
        .iter()
        .try_for_each(|setting| find(KEYS, setting).map(drop))
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
        let name_for_variable = name.for_variable();
        let is_key = self.grant == Some(Grant::ApiKey);
        let key = match (&self.api_key, is_key) {
            (Some(own), _) => Some(own.finish_key(&self.usage, &name_for_variable)),
            (None, true) => Some(self.usage.finish_key(&self.usage, &name_for_variable)),
            (None, false) => None,
        };
        let known = self.endpoints();
        let [device, code] = known.logins();
        let has_way = match self.grant {
            Some(Grant::DeviceCode) => device.is_some(),
            Some(Grant::AuthorizationCode) => code.is_some(),
            Some(Grant::ApiKey) => true,
            Some(_) => self.token_endpoint.is_some(),
            None => device.is_some() || code.is_some() || key.is_some(),
        };
        if self.issuer.is_none() && self.token_endpoint.is_none() && !has_way {
            return Err(lacks("token_endpoint", ", or issuer"));
        }
        let issued = self.issuer.is_some() && !has_way;
        let issued = issued.then(|| Login::Issuer(Box::new(known.clone())));
        let key = key.map(Box::new).map(Login::Key);
        let grants = self.grant.iter().chain(&self.other_grants);
        let machines: Vec<_> = grants
            .filter_map(|grant| known.machine(Some(*grant)))
            .collect();
        let people = [issued, device, code, key].into_iter().flatten();
        let mut logins: Vec<Login> = people.chain(machines).collect();
        let first = match self.grant {
            Some(grant) => logins.iter().position(|login| login.grant() == grant),
            None if logins.len() > 1 => None,
            None => Some(0),
        };
        if first.is_none_or(|first| first >= logins.len()) {
            return Err(match self.grant {
                Some(Grant::DeviceCode) => lacks(
                    "device_authorization_endpoint",
                    ", which the grant \"device_code\" needs",
                ),
                Some(Grant::AuthorizationCode) => lacks(
                    "authorization_endpoint",
                    ", which the grant \"authorization_code\" needs",
                ),
                _ => lacks(
                    "grant",
                    " (\"device_code\" or \"authorization_code\" with the endpoint that belongs to it, or \"api_key\")",
                ),
            });
        }
        let login = logins.remove(first.unwrap_or_default());
        Ok(Provider {
            title: self.title.unwrap_or_else(|| name.to_string()),
            usage: self.usage.finish(token_variable(&name)),
            name,
            issuer: self.issuer,
            login,
            other_logins: logins,
            client_id: self.client_id,
            client_auth: self.client_auth.unwrap_or(ClientAuth::Unset),
            client_id_help: self.client_id_help,
            scope: self.scope,
            scope_separator: self.scope_separator.unwrap_or_else(|| " ".to_owned()),
            known_scopes: self.known_scopes,
            scope_names: self.scope_names,
            confidential_token_endpoint: self.confidential_token_endpoint,
            revocation_endpoint: self.revocation_endpoint,
            revoke_by_hand: self.revoke_by_hand,
            refresh_token_lifetime: self.refresh_token_lifetime,
            invalid_request_is_final: self.invalid_request_is_final,
            api: Api {
                base: self.api_base,
                origins: self.api_origins,
                shape: self.api_shape.unwrap_or(Shape::Plain),
                requests_per_minute: self.requests_per_minute,
            },
        })
    }
}

impl Draft {
    fn endpoints(&self) -> Endpoints {
        let challenge = self.code_challenge_method.as_deref().unwrap_or("S256");
        Endpoints {
            grant: self.grant.filter(|grant| *grant != Grant::ApiKey),
            device_authorization_endpoint: self.device_authorization_endpoint.clone(),
            authorization_endpoint: self.authorization_endpoint.clone(),
            token_endpoint: self.token_endpoint.clone(),
            redirect_uri: self.redirect_uri.clone().unwrap_or_default(),
            code_challenge_method: (!self.no_pkce).then(|| challenge.to_owned()),
            authorization_params: self.authorization_params.clone(),
        }
    }

    pub(super) fn refuse_checks(&self) -> Result<(), TargetError> {
        let base = self.api_base.as_ref().or(self.token_endpoint.as_ref());
        for usage in self.api_key.iter().chain([&self.usage]) {
            usage.refuse_check(base, &self.api_origins)?;
        }
        Ok(())
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
        return Err(setting.refused("it has a query (?…), but paths are appended to it"));
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Endpoint::parse(url.as_str()).map_err(|why| setting.refused(why.to_string()))
}
