//! Providers are data: endpoints, client, scope and quirks. The flows read them; nothing else differs between providers.

pub mod ahrefs;
pub mod config;
pub mod endpoint;
pub mod semrush;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use endpoint::{Endpoint, EndpointError, RedirectUri, RedirectUriError};

use crate::credential::{Name, NameError};

/// How a login at this provider goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    DeviceCode,
    /// RFC 6749 §4.1, with PKCE (RFC 7636).
    AuthorizationCode,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeviceCode => "device_code",
            Self::AuthorizationCode => "authorization_code",
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

/// How an API of this provider wraps its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Semrush's `{meta, data | error}`.
    Semrush,
    /// Ahrefs' `{"error": …}` and `["Error", …]`.
    Ahrefs,
    Plain,
}

/// Everything that is known of a provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name on the command line.
    pub name: Name,
    /// The name for people: `Semrush`.
    pub title: String,
    /// Which flow a login takes.
    pub grant: Grant,
    /// RFC 8414's name; needed by [`Grant::DeviceCode`].
    pub device_authorization_endpoint: Option<Endpoint>,
    /// RFC 8414's name; needed by [`Grant::AuthorizationCode`].
    pub authorization_endpoint: Option<Endpoint>,
    pub token_endpoint: Endpoint,
    /// Where a client with a secret exchanges codes and refreshes, where that is another endpoint (Semrush).
    pub confidential_token_endpoint: Option<Endpoint>,
    /// RFC 7009, where the provider has one.
    pub revocation_endpoint: Option<Endpoint>,
    /// `None` where the provider knows no client ids (Semrush), or none is configured.
    pub client_id: Option<String>,
    /// How the client proves itself.
    pub client_auth: ClientAuth,
    /// The scope that a login asks for; empty: the parameter is left out.
    pub scope: Vec<String>,
    /// What stands between two scopes: `" "` by RFC 6749 §3.3, `","` at Semrush.
    pub scope_separator: String,
    /// Scopes that are known to exist, for completion and for a warning; empty where none are.
    pub known_scopes: &'static [&'static str],
    /// The literal that is sent: `S256` by RFC 7636 §4.3, `s256` in Ahrefs' documentation. `None`: no PKCE parameters.
    pub code_challenge_method: Option<String>,
    /// Where the authorization server sends the browser.
    pub redirect_uri: RedirectUri,
    /// Extra parameters of the authorization request.
    pub authorization_params: BTreeMap<String, String>,
    /// For `api` and `status --check`.
    pub api_base: Option<Endpoint>,
    /// A free call that proves a token, joined to `api_base`.
    pub check_path: Option<String>,
    /// What no RFC says.
    pub quirks: Quirks,
}

/// The facts about a provider that lie outside the RFCs.
#[derive(Clone, Debug)]
pub struct Quirks {
    /// How long a refresh token lives after it was issued, where the provider says so.
    pub refresh_token_lifetime: Option<Duration>,
    /// `invalid_request` at a refresh means that the refresh token is dead (Semrush).
    pub invalid_request_is_final: bool,
    /// A login needs a `client_id` that only the user can get, and this text says where.
    pub client_id_help: Option<&'static str>,
    /// How the API wraps its answers.
    pub envelope: Envelope,
    /// The variables that `exec` sets.
    pub token_variables: Vec<String>,
    /// How many API requests a minute the provider allows, where it says so.
    pub requests_per_minute: Option<u32>,
    /// Where a user ends a login by hand at a provider without revocation endpoint.
    pub revoke_by_hand: Option<&'static str>,
}

impl Quirks {
    /// An ordinary server: nothing outside the RFCs.
    pub fn none(name: &Name) -> Self {
        Self {
            refresh_token_lifetime: None,
            invalid_request_is_final: false,
            client_id_help: None,
            envelope: Envelope::Plain,
            token_variables: vec![format!("{}_ACCESS_TOKEN", name.for_variable())],
            requests_per_minute: None,
            revoke_by_hand: None,
        }
    }
}

/// A built-in definition that does not hold; a test keeps this from ever being met.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    #[error(transparent)]
    Name(#[from] NameError),
    /// One of its endpoints.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    RedirectUri(#[from] RedirectUriError),
}

/// The providers that are built in.
///
/// # Errors
/// A definition of ours is wrong.
pub fn built_in() -> Result<Vec<Provider>, DefinitionError> {
    Ok(vec![semrush::definition()?, ahrefs::definition()?])
}

impl Provider {
    /// An ordinary RFC-conforming provider, before its own facts or the user's settings are laid over it.
    ///
    /// # Errors
    /// Never, or a test fails.
    pub fn ordinary(
        name: Name,
        grant: Grant,
        token_endpoint: Endpoint,
    ) -> Result<Self, DefinitionError> {
        Ok(Self {
            title: name.to_string(),
            quirks: Quirks::none(&name),
            name,
            grant,
            device_authorization_endpoint: None,
            authorization_endpoint: None,
            token_endpoint,
            confidential_token_endpoint: None,
            revocation_endpoint: None,
            client_id: None,
            client_auth: ClientAuth::Unset,
            scope: Vec::new(),
            scope_separator: " ".to_owned(),
            known_scopes: &[],
            code_challenge_method: Some("S256".to_owned()),
            redirect_uri: RedirectUri::parse("http://127.0.0.1:0/callback")?,
            authorization_params: BTreeMap::new(),
            api_base: None,
            check_path: None,
        })
    }

    /// Where tokens are asked for: a client with a secret may have an endpoint of its own.
    pub fn token_endpoint_for(&self, has_client_secret: bool) -> &Endpoint {
        match &self.confidential_token_endpoint {
            Some(endpoint) if has_client_secret && self.client_auth != ClientAuth::None => endpoint,
            _ => &self.token_endpoint,
        }
    }

    /// The same provider as the embedded authorization server at `origin` plays it: every path stays, every origin changes.
    pub fn at_sandbox(mut self, origin: &Endpoint) -> Self {
        let moved = |endpoint: &mut Endpoint| *endpoint = endpoint.at_origin(origin);
        moved(&mut self.token_endpoint);
        let optional = [
            &mut self.device_authorization_endpoint,
            &mut self.authorization_endpoint,
            &mut self.confidential_token_endpoint,
            &mut self.revocation_endpoint,
            &mut self.api_base,
        ];
        optional.into_iter().flatten().for_each(moved);
        if self.grant == Grant::AuthorizationCode {
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

pub fn variable(provider: &Name, suffix: &str) -> String {
    format!("SEO_AUTH_{}_{suffix}", provider.for_variable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_keeps_paths_and_changes_origins() {
        let origin = Endpoint::parse("http://127.0.0.1:4242").unwrap();
        let semrush = semrush::definition().unwrap().at_sandbox(&origin);
        assert_eq!(
            semrush.token_endpoint.to_string(),
            "http://127.0.0.1:4242/dag/device/token"
        );
        assert_eq!(
            semrush.api_base.unwrap().to_string(),
            "http://127.0.0.1:4242/apis/v4/"
        );
        let ahrefs = ahrefs::definition().unwrap().at_sandbox(&origin);
        assert_eq!(
            ahrefs.token_endpoint.to_string(),
            "http://127.0.0.1:4242/oauth/token"
        );
        assert!(ahrefs.client_id.is_some());
    }
}
