//! Providers are data: how one signs in, and how the API is asked. The flows read them; nothing else differs between
//! providers. A definition is a table of TOML, built in ([`catalog`]) or the user's, and [`crate::config`] reads both alike.

pub mod catalog;
pub mod endpoint;
mod usage;
mod way;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

pub use endpoint::{Endpoint, RedirectUri};
pub use usage::{ACCESS_TOKEN, Auth, Check, Sign, Usage, Variable};
pub use way::{Code, Device, Endpoints, Field, Grant, Key, Login};

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
#[derive(Clone, Debug, Default)]
pub struct Api {
    /// What a PATH is appended to.
    pub base: Option<Endpoint>,
    /// Other hosts that absolute URLs may name.
    pub origins: Vec<Endpoint>,
    pub shape: Shape,
    /// How many requests a minute the provider allows, where it says so.
    pub requests_per_minute: Option<u32>,
}

/// How an API wraps its answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Semrush's `{meta, data | error}`.
    Semrush,
    /// Ahrefs' `{"error": …}` and `["Error", …]`.
    Ahrefs,
    #[default]
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
