//! Providers are data: how one signs in, and how the API is asked. The flows read them; nothing else differs between
//! providers. A definition is a table of TOML, built in ([`catalog`]) or the user's, and [`crate::config`] reads both alike.

pub mod catalog;
pub mod endpoint;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use endpoint::{Endpoint, RedirectUri};

use crate::credential::{Kind, Name};

/// Everything that is known of a provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name on the command line.
    pub name: Name,
    /// The name for people: `Semrush`.
    pub title: String,
    /// Whose metadata names the endpoints, where one is configured.
    pub issuer: Option<Issuer>,
    /// How a login goes.
    pub login: Login,
    /// The other ways, for `--flow`.
    pub other_logins: Vec<Login>,
    /// `None` where the provider knows no client ids (Semrush), or none is configured.
    pub client_id: Option<String>,
    pub client_auth: ClientAuth,
    /// A login needs a `client_id` that only the user can get, and this text says where.
    pub client_id_help: Option<String>,
    /// The scope that a login asks for; empty: the parameter is left out.
    pub scope: Vec<String>,
    /// What stands between two scopes: `" "` by RFC 6749 §3.3, `","` at Semrush.
    pub scope_separator: String,
    /// Short names for scopes, as a user may write them.
    pub scope_names: BTreeMap<String, String>,
    /// Scopes that are known to exist, for completion and for a warning; empty where none are.
    pub known_scopes: Vec<String>,
    /// Where a client with a secret exchanges codes and refreshes, where that is another endpoint (Semrush).
    pub confidential_token_endpoint: Option<Endpoint>,
    /// RFC 7009, where the provider has one.
    pub revocation_endpoint: Option<Endpoint>,
    /// Where a user ends a login by hand at a provider without revocation endpoint.
    pub revoke_by_hand: Option<String>,
    /// How long a refresh token lives after it was issued, where the provider says so.
    pub refresh_token_lifetime: Option<Duration>,
    /// `invalid_request` at a refresh means that the refresh token is dead (Semrush).
    pub invalid_request_is_final: bool,
    /// Of what a login by OAuth yields; a [`Key`] has its own.
    pub usage: Usage,
    pub api: Api,
}

/// How a credential of one kind is got and used.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// How a request carries it.
    pub auth: Auth,
    /// The variables that `exec` sets, and in which `import` finds it.
    pub variables: Vec<Variable>,
    /// The free request that proves it.
    pub check: Option<Check>,
    /// The page on which a person gets it.
    pub docs: Option<String>,
}

/// A variable of the environment, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// The name of a key's field; [`ACCESS_TOKEN`] otherwise.
    pub field: String,
}

/// What a login by OAuth yields.
pub const ACCESS_TOKEN: &str = "access_token";

/// An authorization server by the name that it has for itself (RFC 8414 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// To the letter as it is configured.
    pub name: String,
    pub endpoint: Endpoint,
    /// Its metadata promises an `iss` in each callback (RFC 9207 §3).
    pub iss_in_callback: bool,
}

/// What an issuer tells of itself (RFC 8414 §2).
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    pub authorization_endpoint: Option<Endpoint>,
    pub device_authorization_endpoint: Option<Endpoint>,
    pub token_endpoint: Option<Endpoint>,
    pub revocation_endpoint: Option<Endpoint>,
    /// It names methods of PKCE, and S256 is none of them.
    pub lacks_s256: bool,
    pub iss_in_callback: bool,
}

/// What is configured of the ways of OAuth; what is missing comes from an issuer's metadata.
#[derive(Clone, Debug)]
pub struct Endpoints {
    pub grant: Option<Grant>,
    pub device_authorization_endpoint: Option<Endpoint>,
    pub authorization_endpoint: Option<Endpoint>,
    pub token_endpoint: Option<Endpoint>,
    pub redirect_uri: RedirectUri,
    pub code_challenge_method: Option<String>,
    pub authorization_params: BTreeMap<String, String>,
}

impl Endpoints {
    /// Each way whose endpoints are there: the device code, then the authorization code.
    pub fn logins(&self) -> [Option<Login>; 2] {
        let token_endpoint = self.token_endpoint.as_ref();
        let device = self
            .device_authorization_endpoint
            .as_ref()
            .zip(token_endpoint);
        let device = device.map(|(endpoint, token_endpoint)| {
            Login::Device(Device {
                device_authorization_endpoint: endpoint.clone(),
                token_endpoint: token_endpoint.clone(),
            })
        });
        let code = self.authorization_endpoint.as_ref().zip(token_endpoint);
        let code = code.map(|(endpoint, token_endpoint)| {
            Login::Code(Code {
                authorization_endpoint: endpoint.clone(),
                token_endpoint: token_endpoint.clone(),
                redirect_uri: self.redirect_uri.clone(),
                code_challenge_method: self.code_challenge_method.clone(),
                authorization_params: self.authorization_params.clone(),
            })
        });
        [device, code]
    }
}

/// A way to sign in, with just the endpoints that it needs, by the names of RFC 8414.
#[derive(Clone, Debug)]
pub enum Login {
    Device(Device),
    Code(Code),
    Key(Box<Key>),
    /// A token that no person approves: RFC 7523 §2.1, RFC 6749 §4.4.
    Machine(Machine),
    /// By the endpoints that the issuer's metadata will name.
    Issuer(Box<Endpoints>),
}

/// RFC 8628.
#[derive(Clone, Debug)]
pub struct Device {
    pub device_authorization_endpoint: Endpoint,
    pub token_endpoint: Endpoint,
}

/// RFC 6749 §4.1, with PKCE (RFC 7636).
#[derive(Clone, Debug)]
pub struct Code {
    pub authorization_endpoint: Endpoint,
    pub token_endpoint: Endpoint,
    /// Where the authorization server sends the browser.
    pub redirect_uri: RedirectUri,
    /// The literal that is sent: `S256` by RFC 7636 §4.3, `s256` in Ahrefs' documentation. `None`: no PKCE parameters.
    pub code_challenge_method: Option<String>,
    /// Extra parameters of the authorization request.
    pub authorization_params: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub struct Machine {
    pub grant: Grant,
    pub token_endpoint: Endpoint,
}

/// An API key: a person copies it from the provider's pages.
#[derive(Clone, Debug)]
pub struct Key {
    /// In the order in which they are asked for; at least one.
    pub fields: Vec<Field>,
    pub usage: Usage,
}

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub is_secret: bool,
    pub is_optional: bool,
}

impl Endpoints {
    /// The way of this grant, where it is one without a person.
    pub fn machine(&self, grant: Option<Grant>) -> Option<Login> {
        let grant = grant.filter(|grant| grant.is_of_machines())?;
        let token_endpoint = self.token_endpoint.clone()?;
        Some(Login::Machine(Machine {
            grant,
            token_endpoint,
        }))
    }
}

impl Login {
    pub fn grant(&self) -> Grant {
        match self {
            Self::Device(_) => Grant::DeviceCode,
            Self::Code(_) => Grant::AuthorizationCode,
            Self::Key(_) => Grant::ApiKey,
            Self::Machine(machine) => machine.grant,
            Self::Issuer(known) => known.grant.unwrap_or(Grant::AuthorizationCode),
        }
    }

    /// `None` of a key, which no server issues.
    pub fn token_endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Device(device) => Some(&device.token_endpoint),
            Self::Code(code) => Some(&code.token_endpoint),
            Self::Key(_) => None,
            Self::Machine(machine) => Some(&machine.token_endpoint),
            Self::Issuer(known) => known.token_endpoint.as_ref(),
        }
    }

    /// Where a login of this kind begins, where that is at a server.
    pub fn first_endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Device(device) => Some(&device.device_authorization_endpoint),
            Self::Code(code) => Some(&code.authorization_endpoint),
            Self::Key(_) | Self::Machine(_) | Self::Issuer(_) => None,
        }
    }

    fn move_to(&mut self, origin: &Endpoint) {
        match self {
            Self::Device(Device {
                device_authorization_endpoint: first,
                token_endpoint,
            })
            | Self::Code(Code {
                authorization_endpoint: first,
                token_endpoint,
                ..
            }) => {
                for endpoint in [first, token_endpoint] {
                    *endpoint = endpoint.at_origin(origin);
                }
            }
            Self::Key(key) => key.usage.move_to(origin),
            Self::Machine(machine) => {
                machine.token_endpoint = machine.token_endpoint.at_origin(origin);
            }
            // The metadata of the server there names all of them.
            Self::Issuer(known) => {
                known.device_authorization_endpoint = None;
                known.authorization_endpoint = None;
                known.token_endpoint = None;
            }
        }
    }
}

impl Usage {
    fn move_to(&mut self, origin: &Endpoint) {
        let Some(check) = &mut self.check else {
            return;
        };
        if let Ok(absolute) = Endpoint::parse(&check.url) {
            check.url = absolute.at_origin(origin).to_string();
        }
    }
}

/// The ways by the names that the configuration has for them (`grant`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    DeviceCode,
    AuthorizationCode,
    ApiKey,
    JwtBearer,
    ClientCredentials,
}

impl Grant {
    /// Whether no person approves.
    pub fn is_of_machines(self) -> bool {
        matches!(self, Self::JwtBearer | Self::ClientCredentials)
    }

    /// The name of `--flow`.
    pub fn flow(self) -> &'static str {
        match self {
            Self::DeviceCode => "device",
            Self::AuthorizationCode => "code",
            Self::ApiKey => "key",
            Self::JwtBearer => "service-account",
            Self::ClientCredentials => "client-credentials",
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeviceCode => "device_code",
            Self::AuthorizationCode => "authorization_code",
            Self::ApiKey => "api_key",
            Self::JwtBearer => "jwt_bearer",
            Self::ClientCredentials => "client_credentials",
        })
    }
}

/// How the client proves itself at the token endpoint, RFC 6749 §2.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Nobody said: `client_id` and, where there is one, `client_secret` in the body.
    Unset,
    /// A public client: `client_id` in the body at most, whatever secret is there.
    None,
    /// `client_id` and `client_secret` in the body.
    Post,
    Basic,
}

/// How the provider's API is asked, and what it answers.
#[derive(Clone, Debug)]
pub struct Api {
    /// What a PATH is appended to.
    pub base: Option<Endpoint>,
    /// Other hosts that absolute URLs may name.
    pub origins: Vec<Endpoint>,
    pub shape: Shape,
    /// How many requests a minute the provider allows, where it says so.
    pub requests_per_minute: Option<u32>,
}

/// How a request carries a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: SCHEME VALUE`; `Bearer` by RFC 6750 §2.1.
    Scheme(String),
    /// A header of its own.
    Header(String),
    /// A parameter of the query.
    Query(String),
    /// RFC 7617, of two fields.
    Basic { user: String, password: String },
}

impl Default for Auth {
    fn default() -> Self {
        Self::Scheme("Bearer".to_owned())
    }
}

/// A free request that proves a credential, and where its answer tells what.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Below `api_base`, or absolute on one of the API's hosts.
    pub url: String,
    pub method: Option<String>,
    /// The body.
    pub json: Option<serde_json::Value>,
    /// What a good credential is answered with, where that is not any success.
    pub valid: Option<Sign>,
    /// What a bad credential is answered with.
    pub invalid: Option<Sign>,
    /// JSON pointers (RFC 6901). Of several the first that leads to a number counts.
    pub remaining: Vec<String>,
    /// Together with `used`: of several pairs the first of two numbers counts.
    pub limit: Vec<String>,
    pub used: Vec<String>,
    pub unit: Option<String>,
    pub resets_at: Option<String>,
    pub expires_at: Option<String>,
}

/// By which an answer is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Sign {
    /// There is this value at a pointer.
    Equals(String, serde_json::Value),
    /// There is nothing at a pointer, or `null`.
    Absent(String),
    /// The body begins so.
    StartsWith(String),
    /// It has one of these statuses.
    Status(Vec<u16>),
}

/// How an API wraps its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Semrush's `{meta, data | error}`.
    Semrush,
    /// Ahrefs' `{"error": …}` and `["Error", …]`.
    Ahrefs,
    Plain,
}

impl FromStr for Shape {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "semrush" => Ok(Self::Semrush),
            "ahrefs" => Ok(Self::Ahrefs),
            "plain" => Ok(Self::Plain),
            _ => Err(()),
        }
    }
}

impl Provider {
    /// Every way to sign in, the one that a login takes first.
    pub fn logins(&self) -> impl Iterator<Item = &Login> {
        std::iter::once(&self.login).chain(&self.other_logins)
    }

    /// Its authorization code way, where it has one.
    pub fn code(&self) -> Option<&Code> {
        self.logins().find_map(|login| match login {
            Login::Code(code) => Some(code),
            _ => None,
        })
    }

    /// The way by which a key comes, where it has one.
    pub fn key(&self) -> Option<&Key> {
        self.logins().find_map(|login| match login {
            Login::Key(key) => Some(&**key),
            _ => None,
        })
    }

    /// How a credential of this kind is used.
    pub fn usage(&self, kind: Kind) -> &Usage {
        match (kind, self.key()) {
            (Kind::Key, Some(key)) => &key.usage,
            _ => &self.usage,
        }
    }

    /// The kind that the first way yields.
    pub fn kind(&self) -> Kind {
        match self.login {
            Login::Key(_) => Kind::Key,
            _ => Kind::OAuth,
        }
    }

    /// Takes a way by which OAuth tokens come, where it has one.
    pub fn choose_oauth(&mut self) -> Result<(), ()> {
        let is_oauth = |login: &&Login| login.grant() != Grant::ApiKey;
        let grant = self.logins().find(is_oauth).map(Login::grant);
        self.choose(grant.ok_or(())?)
    }

    /// Takes another way. `Err`: the provider does not have it.
    pub fn choose(&mut self, grant: Grant) -> Result<(), ()> {
        if self.login.grant() == grant {
            return Ok(());
        }
        let mut others = self.other_logins.iter_mut();
        let other = others.find(|login| login.grant() == grant).ok_or(())?;
        std::mem::swap(&mut self.login, other);
        Ok(())
    }

    /// Where tokens are asked for: a client with a secret may have an endpoint other than the way's `own`.
    pub fn token_endpoint_for<'a>(
        &'a self,
        own: &'a Endpoint,
        has_client_secret: bool,
    ) -> &'a Endpoint {
        match &self.confidential_token_endpoint {
            Some(endpoint) if has_client_secret && self.client_auth != ClientAuth::None => endpoint,
            _ => own,
        }
    }

    /// With the endpoints of the metadata where none is configured. `Err`: what is missing still.
    pub fn complete(&mut self, found: &Metadata) -> Result<(), &'static str> {
        if let Some(issuer) = &mut self.issuer {
            issuer.iss_in_callback = found.iss_in_callback;
        }
        if self.revocation_endpoint.is_none() {
            self.revocation_endpoint
                .clone_from(&found.revocation_endpoint);
        }
        if let Login::Issuer(known) = &mut self.login {
            let pairs = [
                (
                    &mut known.device_authorization_endpoint,
                    &found.device_authorization_endpoint,
                ),
                (
                    &mut known.authorization_endpoint,
                    &found.authorization_endpoint,
                ),
                (&mut known.token_endpoint, &found.token_endpoint),
            ];
            for (configured, found) in pairs {
                if configured.is_none() {
                    configured.clone_from(found);
                }
            }
            let wanted = known.grant;
            let mut logins: Vec<Login> = known.logins().into_iter().flatten().collect();
            logins.extend(known.machine(wanted));
            // Nearly every server has both, and people have browsers.
            let wanted = wanted.unwrap_or(match logins.len() {
                1 => logins[0].grant(),
                _ => Grant::AuthorizationCode,
            });
            let place = logins.iter().position(|login| login.grant() == wanted);
            let missing = match wanted {
                Grant::DeviceCode => "device_authorization_endpoint",
                _ => "authorization_endpoint",
            };
            self.login = logins.remove(place.ok_or(missing)?);
            logins.append(&mut self.other_logins);
            self.other_logins = logins;
        }
        let wants_s256 = self
            .code()
            .is_some_and(|code| code.code_challenge_method.is_some());
        match found.lacks_s256 && wants_s256 && self.login.grant() == Grant::AuthorizationCode {
            true => Err("code_challenge_methods_supported with S256"),
            false => Ok(()),
        }
    }

    /// The same provider as the embedded authorization server at `origin` plays it: every path stays, every origin changes.
    pub fn at_sandbox(mut self, origin: &Endpoint) -> Self {
        let logins = std::iter::once(&mut self.login).chain(&mut self.other_logins);
        logins.for_each(|login| login.move_to(origin));
        self.usage.move_to(origin);
        if let Some(issuer) = &mut self.issuer {
            issuer.name = origin.origin();
            issuer.endpoint = origin.clone();
        }
        let optional = [
            &mut self.confidential_token_endpoint,
            &mut self.revocation_endpoint,
            &mut self.api.base,
        ];
        let endpoints = optional.into_iter().flatten().chain(&mut self.api.origins);
        endpoints.for_each(|endpoint| *endpoint = endpoint.at_origin(origin));
        // It knows no client beforehand.
        self.client_auth = ClientAuth::Unset;
        if self.login.grant() == Grant::AuthorizationCode {
            self.client_id
                .get_or_insert_with(|| "sandbox-client".to_owned());
        }
        self
    }

    /// The names of environment variables that concern this provider: `SEO_AUTH_<PROVIDER>_<suffix>`.
    pub fn variable(&self, suffix: &str) -> String {
        variable(&self.name, suffix)
    }
}

/// `SEO_AUTH_<PROVIDER>_<suffix>`.
pub fn variable(provider: &Name, suffix: &str) -> String {
    format!("SEO_AUTH_{}_{suffix}", provider.for_variable())
}

/// The variable that `exec` sets for a provider of which nothing else is known.
pub fn token_variable(provider: &Name) -> String {
    format!("{}_ACCESS_TOKEN", provider.for_variable())
}
