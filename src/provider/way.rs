//! The ways to sign in.

use std::collections::BTreeMap;
use std::fmt;

use super::endpoint::{Endpoint, RedirectUri};
use super::usage::Usage;

/// What is configured of the ways of OAuth; what is missing comes from an issuer's metadata.
#[derive(Clone, Debug, Default)]
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

    pub(super) fn move_to(&mut self, origin: &Endpoint) {
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
