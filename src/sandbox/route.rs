//! From a request to its room: the providers' real paths, what is asked of every request, and the scripted faults.

use std::time::Instant;

use serde_json::json;

use super::api;
use super::authorize;
use super::code;
use super::desk::{Desk, Ticket, verb};
use super::device;
use super::fault::{Endpoint, FaultKind};
use super::keys;
use super::message::{Asked, Reply};
use super::pages;
use super::token;
use super::tokens::Persona;

/// What answers a path; all have one form.
type Room = fn(&mut Desk, Persona, &Asked, Instant) -> Result<Reply, Reply>;

struct Route {
    method: &'static str,
    /// By which faults know it.
    endpoint: Endpoint,
    persona: Persona,
    room: Room,
}

impl Route {
    fn of(path: &str) -> Option<Route> {
        use Endpoint::{Api, Authorize, DeviceAuthorization, Other, Revoke, Token};
        use Persona::{Ahrefs, Generic, Google, Semrush};

        let get = |endpoint, room: Room| ("GET", endpoint, room);
        let post = |endpoint, room: Room| ("POST", endpoint, room);
        let (persona, (method, endpoint, room)) = match path {
            "/" => (Generic, get(Other, index)),
            "/dag/device/code" => (Semrush, post(DeviceAuthorization, device::authorization)),
            token::SEMRUSH_DEVICE => (Semrush, post(Token, token::answer)),
            "/dag/auth/verify_code" => (Semrush, get(Authorize, device::verification)),
            "/oauth2/authorize" => (Semrush, get(Authorize, authorize::answer)),
            authorize::SEMRUSH_SUCCESS => (Semrush, get(Other, code::success)),
            token::SEMRUSH_AUTH => (Semrush, post(Token, token::answer)),
            "/web/oauth/authorize" => (Ahrefs, get(Authorize, authorize::answer)),
            "/oauth/token" => (Ahrefs, post(Token, token::answer)),
            "/oauth/revoke" | "/revoke" => (Generic, post(Revoke, revoke)),
            "/o/oauth2/v2/auth" => (Google, get(Authorize, authorize::answer)),
            "/token" => (Google, post(Token, token::answer)),
            "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration" => {
                (Generic, get(Other, metadata))
            }
            "/generic/device_authorization" => {
                (Generic, post(DeviceAuthorization, device::authorization))
            }
            "/generic/device" => (Generic, get(Authorize, device::verification)),
            "/generic/authorize" => (Generic, get(Authorize, authorize::answer)),
            "/generic/token" => (Generic, post(Token, token::answer)),
            "/sandbox/decision" => (Generic, post(Other, decision)),
            _ if path.starts_with("/apis/v4/") => (Semrush, get(Api, api::answer)),
            _ if path.starts_with("/v3/") => (Ahrefs, get(Api, api::answer)),
            _ if path.starts_with("/webmasters/v3/") => (Google, get(Api, api::answer)),
            _ if path.starts_with("/generic/api/") => (Generic, get(Api, api::answer)),
            _ => return None,
        };
        Some(Route {
            method,
            endpoint,
            persona,
            room,
        })
    }
}

/// Answers a request; none means that it is never answered (the fault `hang`).
pub(super) fn answer(desk: &mut Desk, asked: &Asked, now: Instant) -> Option<Reply> {
    // A page that rebinds its name to 127.0.0.1 comes with its own name in Host.
    if asked.header("Host") != desk.origin.strip_prefix("http://") {
        let why = format!("this is {}; the Host header names another", desk.origin);
        return Some(Reply::error(421, "invalid_request", &why));
    }
    if let Some(reply) = keys::answer(asked) {
        return Some(reply);
    }
    let Some(route) = Route::of(&asked.path) else {
        return Some(pages::not_found());
    };
    if asked.method != route.method {
        let why = format!("use {}", route.method);
        let refusal = Reply::error(405, "invalid_request", &why);
        return Some(refusal.with("Allow", route.method));
    }
    match (desk.fault(route.endpoint), route.endpoint) {
        (Some(FaultKind::Hang), _) => None,
        (Some(FaultKind::ServerError), _) => Some(
            Reply::error(503, "temporarily_unavailable", "scripted fault").with("Retry-After", "1"),
        ),
        (Some(FaultKind::Garbage), _) => Some(pages::garbage()),
        (Some(FaultKind::Denied), Endpoint::DeviceAuthorization | Endpoint::Revoke) => {
            let denied = || Reply::error(400, "unauthorized_client", "scripted fault");
            Some(asked.form().err().unwrap_or_else(denied))
        }
        // The token endpoint tells a device poll in its own words.
        (Some(FaultKind::SlowDown), endpoint) if endpoint != Endpoint::Token => {
            Some(token::too_many_requests())
        }
        _ => {
            let answer = (route.room)(desk, route.persona, asked, now);
            Some(answer.unwrap_or_else(|refusal| refusal))
        }
    }
}

fn index(desk: &mut Desk, _: Persona, _: &Asked, _: Instant) -> Result<Reply, Reply> {
    Ok(pages::index(&desk.origin))
}

/// RFC 8414, of the generic endpoints.
fn metadata(desk: &mut Desk, _: Persona, _: &Asked, _: Instant) -> Result<Reply, Reply> {
    let origin = &desk.origin;
    let at = |path: &str| format!("{origin}/{path}");
    Ok(Reply::json(
        200,
        &json!({
            "issuer": origin,
            "authorization_endpoint": at("generic/authorize"),
            "device_authorization_endpoint": at("generic/device_authorization"),
            "token_endpoint": at("generic/token"),
            "revocation_endpoint": at("oauth/revoke"),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        }),
    ))
}

/// A click on Approve or Deny. The form must come from a page of ours: it holds a ticket, and a browser says
/// where it was sent from.
fn decision(desk: &mut Desk, _: Persona, asked: &Asked, now: Instant) -> Result<Reply, Reply> {
    if asked
        .header("Origin")
        .is_some_and(|origin| origin != desk.origin)
    {
        return Err(pages::stale());
    }
    let form = asked.form()?;
    let approved = match form.require("decision")? {
        "approve" => true,
        "deny" => false,
        _ => return Err(pages::stale()),
    };
    match desk.take(form.require("ticket")?) {
        Some(Ticket::Device(device_code)) => Ok(device::decide(desk, &device_code, approved, now)),
        Some(Ticket::Authorization(authorization)) => {
            let client_id = authorization.client_id();
            let notice = format!("{} {client_id} in the browser", verb(approved));
            Ok(code::decide(desk, *authorization, approved, now).noticed(notice))
        }
        None => Err(pages::stale()),
    }
}

/// RFC 7009: whatever the token was, it is good for nothing afterwards.
fn revoke(desk: &mut Desk, _: Persona, asked: &Asked, _: Instant) -> Result<Reply, Reply> {
    let form = asked.form()?;
    if asked.authorization("Basic").is_some() || form.get("client_id").is_some() {
        desk.clients.identify(asked, &form)?;
    }
    let was_known = desk.tokens.revoke(form.require("token")?);
    Ok(Reply {
        notice: was_known.then(|| "revoked a token".to_owned()),
        ..Reply::empty(200)
    })
}
