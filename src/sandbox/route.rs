//! From a request to its room: the providers' real paths, what is asked of every request, and the scripted faults.

use std::time::Instant;

use serde_json::json;

use super::api;
use super::authorize;
use super::code;
use super::desk::{Desk, Ticket};
use super::device;
use super::fault::{Endpoint, FaultKind};
use super::keys;
use super::message::{Asked, Reply};
use super::pages;
use super::token::{self, TokenEndpoint};
use super::tokens::Persona;

/// The place that answers a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Index,
    /// RFC 8414, of the generic endpoints.
    Metadata,
    DeviceAuthorization(Persona),
    /// The page of RFC 8628 §3.3.
    Verification(Persona),
    Authorize(Persona),
    /// Where the forms of the two pages above go.
    Decision,
    /// Semrush's page that shows the code.
    Success,
    Token(TokenEndpoint),
    Revoke,
    Api(Persona),
}

impl Route {
    fn of(path: &str) -> Option<Route> {
        Some(match path {
            "/" => Route::Index,
            "/dag/device/code" => Route::DeviceAuthorization(Persona::Semrush),
            "/dag/device/token" => Route::Token(TokenEndpoint::SemrushDevice),
            "/dag/auth/verify_code" => Route::Verification(Persona::Semrush),
            "/oauth2/authorize" => Route::Authorize(Persona::Semrush),
            authorize::SEMRUSH_SUCCESS => Route::Success,
            "/oauth2/access_token" => Route::Token(TokenEndpoint::SemrushAuth),
            "/web/oauth/authorize" => Route::Authorize(Persona::Ahrefs),
            "/oauth/token" => Route::Token(TokenEndpoint::Ahrefs),
            "/oauth/revoke" | "/revoke" => Route::Revoke,
            "/o/oauth2/v2/auth" => Route::Authorize(Persona::Google),
            "/token" => Route::Token(TokenEndpoint::Google),
            "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration" => {
                Route::Metadata
            }
            "/generic/device_authorization" => Route::DeviceAuthorization(Persona::Generic),
            "/generic/device" => Route::Verification(Persona::Generic),
            "/generic/authorize" => Route::Authorize(Persona::Generic),
            "/generic/token" => Route::Token(TokenEndpoint::Generic),
            "/sandbox/decision" => Route::Decision,
            _ if path.starts_with("/apis/v4/") => Route::Api(Persona::Semrush),
            _ if path.starts_with("/v3/") => Route::Api(Persona::Ahrefs),
            _ if path.starts_with("/webmasters/v3/") => Route::Api(Persona::Google),
            _ if path.starts_with("/generic/api/") => Route::Api(Persona::Generic),
            _ => return None,
        })
    }

    fn method(self) -> &'static str {
        match self {
            Route::Index
            | Route::Metadata
            | Route::Verification(_)
            | Route::Authorize(_)
            | Route::Success
            | Route::Api(_) => "GET",
            Route::DeviceAuthorization(_) | Route::Token(_) | Route::Revoke | Route::Decision => {
                "POST"
            }
        }
    }

    /// The name by which faults know it.
    fn endpoint(self) -> Option<Endpoint> {
        match self {
            Route::DeviceAuthorization(_) => Some(Endpoint::DeviceAuthorization),
            Route::Token(_) => Some(Endpoint::Token),
            Route::Verification(_) | Route::Authorize(_) => Some(Endpoint::Authorize),
            Route::Revoke => Some(Endpoint::Revoke),
            Route::Api(_) => Some(Endpoint::Api),
            Route::Index | Route::Metadata | Route::Success | Route::Decision => None,
        }
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
    if asked.method != route.method() {
        let why = format!("use {}", route.method());
        let refusal = Reply::error(405, "invalid_request", &why);
        return Some(refusal.with("Allow", route.method()));
    }
    let fault = route.endpoint().and_then(|endpoint| desk.fault(endpoint));
    match fault {
        Some(FaultKind::Hang) => None,
        Some(FaultKind::ServerError) => Some(
            Reply::error(503, "temporarily_unavailable", "scripted fault").with("Retry-After", "1"),
        ),
        Some(FaultKind::Garbage) => Some(pages::garbage()),
        // The token endpoint tells a device poll in its own words.
        Some(FaultKind::SlowDown) if !matches!(route, Route::Token(_)) => {
            Some(token::too_many_requests())
        }
        _ => Some(dispatch(desk, route, asked, now).unwrap_or_else(|refusal| refusal)),
    }
}

fn dispatch(desk: &mut Desk, route: Route, asked: &Asked, now: Instant) -> Result<Reply, Reply> {
    match route {
        Route::Index => Ok(pages::index(&desk.origin)),
        Route::Metadata => Ok(metadata(&desk.origin)),
        Route::DeviceAuthorization(persona) => device_authorization(desk, persona, asked, now),
        Route::Verification(persona) => Ok(device::verification(desk, persona, asked, now)),
        Route::Authorize(persona) => Ok(authorize::answer(desk, persona, asked, now)),
        Route::Decision => decision(desk, asked, now),
        Route::Success => Ok(code::success(desk, asked, now)),
        Route::Token(endpoint) => token::answer(desk, endpoint, asked, now),
        Route::Revoke => revoke(desk, asked),
        Route::Api(persona) => Ok(api::answer(desk, persona, asked, now)),
    }
}

/// RFC 8414 §2 and RFC 9207 §3.
fn metadata(origin: &str) -> Reply {
    let at = |path: &str| format!("{origin}/generic/{path}");
    Reply::json(
        200,
        &json!({
            "issuer": origin,
            "authorization_endpoint": at("authorize"),
            "device_authorization_endpoint": at("device_authorization"),
            "token_endpoint": at("token"),
            "revocation_endpoint": format!("{origin}/oauth/revoke"),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        }),
    )
}

fn device_authorization(
    desk: &mut Desk,
    persona: Persona,
    asked: &Asked,
    now: Instant,
) -> Result<Reply, Reply> {
    let form = asked.form()?;
    if desk.fault(Endpoint::DeviceAuthorization) == Some(FaultKind::Denied) {
        return Err(Reply::error(400, "unauthorized_client", "scripted fault"));
    }
    let client_id = match persona {
        // Semrush asks for no client, and what a server does not know it ignores (RFC 6749 §3.2).
        Persona::Semrush => None,
        Persona::Ahrefs | Persona::Google | Persona::Generic => {
            Some(desk.clients.identify(asked, &form)?.id)
        }
    };
    device::authorization(desk, persona, client_id, &form, now)
}

/// A click on Approve or Deny. The form must come from a page of ours: it holds a ticket, and a browser says
/// where it was sent from.
fn decision(desk: &mut Desk, asked: &Asked, now: Instant) -> Result<Reply, Reply> {
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
            let verb = if approved { "approved" } else { "denied" };
            let notice = format!("{verb} {} in the browser", authorization.client_id());
            Ok(code::decide(desk, *authorization, approved, now).noticed(notice))
        }
        None => Err(pages::stale()),
    }
}

/// RFC 7009: whatever the token was, it is good for nothing afterwards.
fn revoke(desk: &mut Desk, asked: &Asked) -> Result<Reply, Reply> {
    let form = asked.form()?;
    if desk.fault(Endpoint::Revoke) == Some(FaultKind::Denied) {
        return Err(Reply::error(400, "unauthorized_client", "scripted fault"));
    }
    if asked.authorization("Basic").is_some() || form.get("client_id").is_some() {
        desk.clients.identify(asked, &form)?;
    }
    let reply = Reply::empty(200);
    Ok(if desk.tokens.revoke(form.require("token")?) {
        reply.noticed("revoked a token".to_owned())
    } else {
        reply
    })
}
