//! `[providers.NAME]`: what each key takes, and the provider that a table becomes. The built-in providers are tables, too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::document::{Lack, Setting};
use super::error::ConfigError;
use super::setter::{Known, Value, fill, set};
use super::usage::{self, UsageDraft};
use crate::api::target::{TargetError, resolve};
use crate::clock::parse_duration;
use crate::credential::Name;
use crate::provider::{
    Api, ClientAuth, Endpoint, Endpoints, Grant, Issuer, Login, Provider, RedirectUri, Shape,
    Usage, token_variable,
};

/// A provider whose table is still being read.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// With no way to sign in yet.
    provider: Provider,
    endpoints: Endpoints,
    other_grants: Vec<Grant>,
    usage: UsageDraft,
    api_key: Option<UsageDraft>,
}

const KEYS: Known<Draft> = &[
    ("title", |draft, setting| {
        setting.put(&mut draft.provider.title)
    }),
    ("grant", |draft, setting| {
        let grant = setting.value().as_str().and_then(grant_of);
        draft.endpoints.grant = Some(grant.ok_or_else(|| setting.must_be(GRANT_FORM))?);
        Ok(())
    }),
    ("other_grants", |draft, setting| {
        let names = setting.texts(OTHER_GRANTS_FORM)?;
        let of_machine = |name: &String| grant_of(name).filter(|grant| grant.is_of_machines());
        let grants: Option<_> = names.iter().map(of_machine).collect();
        draft.other_grants = grants.ok_or_else(|| setting.must_be(OTHER_GRANTS_FORM))?;
        Ok(())
    }),
    ("issuer", |draft, setting| {
        setting.put(&mut draft.provider.issuer)
    }),
    ("device_authorization_endpoint", |draft, setting| {
        setting.put(&mut draft.endpoints.device_authorization_endpoint)
    }),
    ("authorization_endpoint", |draft, setting| {
        setting.put(&mut draft.endpoints.authorization_endpoint)
    }),
    ("token_endpoint", |draft, setting| {
        setting.put(&mut draft.endpoints.token_endpoint)
    }),
    ("confidential_token_endpoint", |draft, setting| {
        setting.put(&mut draft.provider.confidential_token_endpoint)
    }),
    ("revocation_endpoint", |draft, setting| {
        setting.put(&mut draft.provider.revocation_endpoint)
    }),
    ("client_id", |draft, setting| {
        setting.put(&mut draft.provider.client_id)
    }),
    ("client_id_help", |draft, setting| {
        setting.put(&mut draft.provider.client_id_help)
    }),
    ("client_auth", |draft, setting| {
        setting.put(&mut draft.provider.client_auth)
    }),
    ("scope", |draft, setting| {
        scopes(setting).map(|scopes| draft.provider.scope = scopes)
    }),
    ("scope_separator", |draft, setting| {
        setting.put(&mut draft.provider.scope_separator)
    }),
    ("known_scopes", |draft, setting| {
        scopes(setting).map(|scopes| draft.provider.known_scopes = scopes)
    }),
    ("scope_names", |draft, setting| {
        for name in setting.settings(SCOPE_NAMES_FORM)? {
            let names = &mut draft.provider.scope_names;
            names.insert(name.key.to_owned(), name.text()?.to_owned());
        }
        Ok(())
    }),
    ("code_challenge_method", |draft, setting| {
        draft.endpoints.code_challenge_method = match setting.text() {
            Ok("none") => None,
            // The challenge is always the SHA-256 one (RFC 7636 §4.2), so no other method can be told truthfully.
            Ok(method) if method.eq_ignore_ascii_case("S256") => Some(method.to_owned()),
            _ => return Err(setting.must_be("\"S256\" or \"s256\"")),
        };
        Ok(())
    }),
    ("redirect_uri", |draft, setting| {
        setting.put(&mut draft.endpoints.redirect_uri)
    }),
    ("authorization_params", |draft, setting| {
        authorization_params(setting).map(|params| draft.endpoints.authorization_params = params)
    }),
    ("refresh_token_lifetime", |draft, setting| {
        setting.put(&mut draft.provider.refresh_token_lifetime)
    }),
    ("invalid_request_is_final", |draft, setting| {
        setting.put(&mut draft.provider.invalid_request_is_final)
    }),
    ("revoke_by_hand", |draft, setting| {
        setting.put(&mut draft.provider.revoke_by_hand)
    }),
    ("api_base", |draft, setting| {
        api_base(setting).map(|base| draft.provider.api.base = Some(base))
    }),
    ("api_shape", |draft, setting| {
        setting.put(&mut draft.provider.api.shape)
    }),
    ("api_origins", |draft, setting| {
        let origins = setting.texts(ORIGINS_FORM)?;
        let origins = origins.iter().map(|origin| Endpoint::parse(origin));
        let origins: Result<Vec<_>, _> = origins.collect();
        draft.provider.api.origins = origins.map_err(|why| setting.refused(why))?;
        Ok(())
    }),
    ("api_key", |draft, setting| {
        let settings = setting.settings("a table, [providers.NAME.api_key]")?;
        fill(
            draft.api_key.get_or_insert_default(),
            usage::KEYS,
            &settings,
        )
    }),
    ("requests_per_minute", |draft, setting| {
        setting.put(&mut draft.provider.api.requests_per_minute)
    }),
    ("fields", of_usage),
    ("api_auth", of_usage),
    ("token_variables", of_usage),
    ("check_path", of_usage),
    ("check", of_usage),
    ("docs", of_usage),
];

fn of_usage(draft: &mut Draft, setting: &Setting<'_>) -> Result<(), ConfigError> {
    set(&mut draft.usage, usage::KEYS, setting)
}

/// The grant of this name.
fn grant_of(name: &str) -> Option<Grant> {
    let known = [
        Grant::DeviceCode,
        Grant::AuthorizationCode,
        Grant::ApiKey,
        Grant::JwtBearer,
        Grant::ClientCredentials,
    ];
    known.into_iter().find(|grant| grant.to_string() == name)
}

impl Value for Issuer {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            endpoint: Value::read(setting)?,
            name: Value::read(setting)?,
            iss_in_callback: false,
        })
    }
}

impl Value for ClientAuth {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        let known = [
            ("none", Self::None),
            ("post", Self::Post),
            ("basic", Self::Basic),
        ];
        setting.word(&known, "\"none\", \"post\" or \"basic\"")
    }
}

impl Value for RedirectUri {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        Self::parse(setting.text()?).map_err(|why| setting.refused(why))
    }
}

impl Value for Duration {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        let text = setting.text().unwrap_or_default();
        parse_duration(text).map_err(|_| setting.must_be("a duration, as \"30d\""))
    }
}

impl Value for Shape {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        setting.parsed("a known shape, as \"plain\"")
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

/// Sets what the table says.
pub(super) fn lay_over(mut draft: Draft, settings: &[Setting<'_>]) -> Result<Draft, ConfigError> {
    fill(&mut draft, KEYS, settings)?;
    let says = |key| settings.iter().any(|setting| setting.key == key);
    if says("token_endpoint") && !says("confidential_token_endpoint") {
        // A secret must not go to a place that the user moved away from.
        draft.provider.confidential_token_endpoint = None;
    }
    Ok(draft)
}

impl Draft {
    pub(super) fn new(name: &Name) -> Self {
        let endpoints = Endpoints {
            code_challenge_method: Some("S256".to_owned()),
            ..Endpoints::default()
        };
        Self {
            provider: Provider {
                title: name.to_string(),
                name: name.clone(),
                issuer: None,
                login: Login::Issuer(Box::default()),
                other_logins: Vec::new(),
                client_id: None,
                client_auth: ClientAuth::Unset,
                client_id_help: None,
                scope: Vec::new(),
                scope_separator: " ".to_owned(),
                scope_names: BTreeMap::new(),
                known_scopes: Vec::new(),
                confidential_token_endpoint: None,
                revocation_endpoint: None,
                revoke_by_hand: None,
                refresh_token_lifetime: None,
                invalid_request_is_final: false,
                usage: Usage::default(),
                api: Api::default(),
            },
            endpoints,
            other_grants: Vec::new(),
            usage: UsageDraft::default(),
            api_key: None,
        }
    }

    /// The provider, with each way to sign in whose endpoints are there; or the key that is missing.
    pub(super) fn finish(self) -> Result<Provider, Lack> {
        let (mut provider, known) = (self.provider, self.endpoints);
        let own = self.api_key.as_ref();
        let own = own.or_else(|| (known.grant == Some(Grant::ApiKey)).then_some(&self.usage));
        let key = own.map(|own| own.finish_key(&self.usage, &provider.name.for_variable()));
        let key = key.map(Box::new).map(Login::Key);
        let people = known.logins().into_iter().flatten().chain(key);
        let grants = known.grant.iter().chain(&self.other_grants);
        let machines = grants.filter_map(|grant| known.machine(Some(*grant)));
        let mut logins: Vec<Login> = people.chain(machines).collect();
        let has_way = logins.iter().any(|login| match known.grant {
            Some(grant) => login.grant() == grant,
            None => !login.grant().is_of_machines(),
        });
        if !has_way && provider.issuer.is_some() {
            logins.insert(0, Login::Issuer(Box::new(known.clone())));
        } else if !has_way && known.token_endpoint.is_none() {
            return Err(("token_endpoint", ", or issuer"));
        }
        let first = match known.grant {
            Some(grant) => logins.iter().position(|login| login.grant() == grant),
            None => (logins.len() == 1).then_some(0),
        };
        let first = first.ok_or(match known.grant {
            Some(Grant::DeviceCode) => (
                "device_authorization_endpoint",
                ", which the grant \"device_code\" needs",
            ),
            Some(Grant::AuthorizationCode) => (
                "authorization_endpoint",
                ", which the grant \"authorization_code\" needs",
            ),
            _ => (
                "grant",
                " (\"device_code\" or \"authorization_code\" with the endpoint that belongs to it, or \"api_key\")",
            ),
        })?;
        provider.login = logins.remove(first);
        provider.other_logins = logins;
        provider.usage = self.usage.finish(token_variable(&provider.name));
        Ok(provider)
    }

    /// Whether a check's address is one that the credential may be sent to; without a base it is never used, and no less wrong.
    pub(super) fn refuse_checks(&self) -> Result<(), TargetError> {
        let api = &self.provider.api;
        let Some(base) = api.base.as_ref().or(self.endpoints.token_endpoint.as_ref()) else {
            return Ok(());
        };
        let usages = self.api_key.iter().chain([&self.usage]);
        let mut checks = usages.filter_map(|usage| usage.check.as_ref());
        checks.try_for_each(|check| resolve(base, &api.origins, &check.url).map(drop))
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
    let mut url = Endpoint::read(setting)?.url().clone();
    if url.query().is_some() {
        return Err(setting.refused("it has a query (?…), but paths are appended to it"));
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Endpoint::parse(url.as_str()).map_err(|why| setting.refused(why))
}
