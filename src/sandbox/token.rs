//! The token endpoints: four addresses, three grants (RFC 6749 §4.1.3 and §6, RFC 8628 §3.4).

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::code;
use super::desk::Desk;
use super::device;
use super::fault::{Endpoint, FaultKind};
use super::message::{Asked, Params, Reply};
use super::tokens::{Permission, Persona};

/// A token endpoint, by who plays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenEndpoint {
    /// `/dag/device/token`: knows no clients.
    SemrushDevice,
    /// `/oauth2/access_token`: only for clients with a secret.
    SemrushAuth,
    Ahrefs,
    /// `/token`.
    Google,
    Generic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GrantType {
    AuthorizationCode,
    RefreshToken,
    DeviceCode,
    /// RFC 7523 §2.1.
    JwtBearer,
    ClientCredentials,
}

impl TokenEndpoint {
    fn persona(self) -> Persona {
        match self {
            TokenEndpoint::SemrushDevice | TokenEndpoint::SemrushAuth => Persona::Semrush,
            TokenEndpoint::Ahrefs => Persona::Ahrefs,
            TokenEndpoint::Google => Persona::Google,
            TokenEndpoint::Generic => Persona::Generic,
        }
    }

    fn takes(self, grant_type: GrantType) -> bool {
        match self {
            TokenEndpoint::SemrushDevice => {
                matches!(grant_type, GrantType::DeviceCode | GrantType::RefreshToken)
            }
            TokenEndpoint::SemrushAuth => {
                matches!(
                    grant_type,
                    GrantType::AuthorizationCode | GrantType::RefreshToken
                )
            }
            TokenEndpoint::Ahrefs => grant_type == GrantType::AuthorizationCode,
            TokenEndpoint::Google | TokenEndpoint::Generic => true,
        }
    }

    /// The client of the request; none where the endpoint asks for none.
    fn client(
        self,
        desk: &mut Desk,
        asked: &Asked,
        form: &Params,
    ) -> Result<Option<String>, Reply> {
        if self == TokenEndpoint::SemrushDevice {
            return Ok(None);
        }
        let client = desk.clients.identify(asked, form)?;
        if self == TokenEndpoint::SemrushAuth && !client.confidential {
            let why = "client_secret is required";
            return Err(Reply::error(401, "invalid_client", why));
        }
        Ok(Some(client.id))
    }
}

/// 429, which every client should know how to take.
pub(super) fn too_many_requests() -> Reply {
    Reply::error(429, "slow_down", "scripted fault").with("Retry-After", "1")
}

/// Answers a token request.
pub(super) fn answer(
    desk: &mut Desk,
    endpoint: TokenEndpoint,
    asked: &Asked,
    now: Instant,
) -> Result<Reply, Reply> {
    let form = asked.form()?;
    let grant_type = match form.require("grant_type")? {
        "authorization_code" => GrantType::AuthorizationCode,
        "refresh_token" => GrantType::RefreshToken,
        "urn:ietf:params:oauth:grant-type:device_code" => GrantType::DeviceCode,
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => GrantType::JwtBearer,
        "client_credentials" => GrantType::ClientCredentials,
        _ => return Err(unsupported()),
    };
    if !endpoint.takes(grant_type) {
        return Err(unsupported());
    }
    let client_id = match grant_type {
        // The assertion says who it is.
        GrantType::JwtBearer => Some(signer(form.require("assertion")?, &desk.origin)?),
        _ => endpoint.client(desk, asked, &form)?,
    };
    if let Some(refusal) = desk
        .fault(Endpoint::Token)
        .and_then(|fault| scripted(fault, grant_type))
    {
        return Err(refusal);
    }
    let (persona, client_id) = (endpoint.persona(), client_id.as_deref());
    match grant_type {
        GrantType::AuthorizationCode => code::token(desk, persona, client_id, &form, now),
        GrantType::DeviceCode => device::token(desk, persona, client_id, &form, now),
        GrantType::JwtBearer | GrantType::ClientCredentials => {
            let permission = Permission {
                persona,
                client_id: client_id.map(str::to_owned),
                scope: form.get("scope").unwrap_or_default().to_owned(),
            };
            Ok(desk.tokens.mint(permission, now).reply())
        }
        GrantType::RefreshToken => {
            let token = form.require("refresh_token")?;
            let scope = form.get("scope");
            let issued = desk.tokens.refresh(persona, token, client_id, scope, now);
            issued
                .map(|issued| issued.reply())
                .map_err(super::tokens::Refused::reply)
        }
    }
}

/// The `iss` of an assertion (RFC 7523 §3) that is meant for this server and still good. Its signature can't be checked:
/// the sandbox knows no keys.
fn signer(assertion: &str, origin: &str) -> Result<String, Reply> {
    let refuse = |why: &str| Reply::error(400, "invalid_grant", why);
    let claims = match assertion.split('.').collect::<Vec<_>>()[..] {
        [_, claims, _] => URL_SAFE_NO_PAD.decode(claims).ok(),
        _ => None,
    };
    let claims = claims.and_then(|claims| serde_json::from_slice::<Value>(&claims).ok());
    let claims = claims.ok_or_else(|| refuse("the assertion is no JWT"))?;
    let is_ours = claims["aud"]
        .as_str()
        .is_some_and(|aud| aud.starts_with(origin));
    if !is_ours {
        return Err(refuse("the assertion is meant for another server (aud)"));
    }
    let now = jiff::Timestamp::now().as_second();
    if claims["exp"].as_i64().is_none_or(|exp| exp <= now) {
        return Err(refuse(
            "Invalid JWT: Token must be a short-lived token: check iat and exp",
        ));
    }
    Ok(claims["iss"].as_str().unwrap_or_default().to_owned())
}

fn unsupported() -> Reply {
    let why = "this endpoint does not know the grant_type";
    Reply::error(400, "unsupported_grant_type", why)
}

/// The answer that a scripted fault wants instead of the work.
fn scripted(fault: FaultKind, grant_type: GrantType) -> Option<Reply> {
    let refuse = |code| Some(Reply::error(400, code, "scripted fault"));
    match (fault, grant_type) {
        (FaultKind::SlowDown, GrantType::DeviceCode) => refuse("slow_down"),
        (FaultKind::SlowDown, _) => Some(too_many_requests()),
        (FaultKind::Expired, GrantType::DeviceCode) => refuse("expired_token"),
        (FaultKind::Expired, _) => refuse("invalid_grant"),
        (FaultKind::Denied, GrantType::DeviceCode) => refuse("access_denied"),
        (FaultKind::Denied, _) => refuse("unauthorized_client"),
        // Every endpoint has these in common, so they never come here.
        (FaultKind::ServerError | FaultKind::Garbage | FaultKind::Hang, _) => None,
    }
}
