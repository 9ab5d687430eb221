//! The token endpoints: four addresses, three grants (RFC 6749 §4.1.3 and §6, RFC 8628 §3.4).

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::client::has_secret;
use super::code;
use super::desk::Desk;
use super::device;
use super::fault::{Endpoint, FaultKind};
use super::message::{Asked, Reply};
use super::tokens::{Permission, Persona};

/// Semrush's, of the device flow: knows no clients.
pub(super) const SEMRUSH_DEVICE: &str = "/dag/device/token";

/// Semrush's, of "Semrush Auth": only for clients with a secret.
pub(super) const SEMRUSH_AUTH: &str = "/oauth2/access_token";

const CODE: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 7523 §2.1.
const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CLIENT: &str = "client_credentials";

/// 429, which every client should know how to take.
pub(super) fn too_many_requests() -> Reply {
    Reply::error(429, "slow_down", "scripted fault").with("Retry-After", "1")
}

/// Answers a token request.
pub(super) fn answer(
    desk: &mut Desk,
    persona: Persona,
    asked: &Asked,
    now: Instant,
) -> Result<Reply, Reply> {
    let form = asked.form()?;
    let grant_type = form.require("grant_type")?;
    let endpoint = asked.path.as_str();
    let known: &[&str] = match (persona, endpoint) {
        (Persona::Semrush, SEMRUSH_DEVICE) => &[DEVICE, REFRESH],
        (Persona::Semrush, _) => &[CODE, REFRESH],
        (Persona::Ahrefs, _) => &[CODE],
        (Persona::Google | Persona::Generic, _) => &[CODE, REFRESH, DEVICE, ASSERTION, CLIENT],
    };
    if !known.contains(&grant_type) {
        let why = "this endpoint does not know the grant_type";
        return Err(Reply::error(400, "unsupported_grant_type", why));
    }
    let client_id = match endpoint {
        // The assertion says who it is.
        _ if grant_type == ASSERTION => Some(signer(form.require("assertion")?, &desk.origin)?),
        SEMRUSH_DEVICE => None,
        _ => Some(desk.clients.identify(asked, &form)?),
    };
    if endpoint == SEMRUSH_AUTH && !has_secret(asked, &form) {
        let why = "client_secret is required";
        return Err(Reply::error(401, "invalid_client", why));
    }
    if let Some(fault) = desk.fault(Endpoint::Token) {
        return Err(scripted(fault, grant_type));
    }
    let client_id = client_id.as_deref();
    match grant_type {
        CODE => code::token(desk, persona, client_id, &form, now),
        DEVICE => device::token(desk, persona, client_id, &form, now),
        REFRESH => {
            let token = form.require("refresh_token")?;
            let scope = form.get("scope");
            let issued = desk.tokens.refresh(persona, token, client_id, scope, now)?;
            Ok(Reply::json(200, &issued))
        }
        _ => {
            let permission = Permission {
                persona,
                client_id: client_id.map(str::to_owned),
                scope: form.get("scope").unwrap_or_default().to_owned(),
            };
            Ok(Reply::json(
                200,
                &desk.tokens.grant(permission, false, now).1,
            ))
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

/// The answer that a scripted fault wants instead of the work. The faults that every endpoint has in common never come here.
fn scripted(fault: FaultKind, grant_type: &str) -> Reply {
    let code = match (fault, grant_type) {
        (FaultKind::SlowDown, DEVICE) => "slow_down",
        (FaultKind::Expired, DEVICE) => "expired_token",
        (FaultKind::Expired, _) => "invalid_grant",
        (FaultKind::Denied, DEVICE) => "access_denied",
        (FaultKind::Denied, _) => "unauthorized_client",
        _ => return too_many_requests(),
    };
    Reply::error(400, code, "scripted fault")
}
