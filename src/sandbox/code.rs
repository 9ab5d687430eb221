//! The authorization code of RFC 6749 §4.1.2: issued once, exchanged once, proven by RFC 7636.

use std::time::{Duration, Instant};

use super::books::codes::{Authorization, CODE_LIFETIME, Code, Use};
use super::desk::Desk;
use super::fault::{Endpoint, FaultKind};
use super::message::{Asked, Params, Reply};
use super::pages;
use super::tokens::{Persona, fake_secret};

/// Sends the browser on with a code or with `access_denied`.
pub(super) fn decide(
    desk: &mut Desk,
    authorization: Authorization,
    approved: bool,
    now: Instant,
) -> Reply {
    let fault = desk.fault(Endpoint::Authorize);
    if !approved || fault == Some(FaultKind::Denied) {
        return authorization
            .reply_to
            .error("access_denied", "the user denied it");
    }
    let code = fake_secret("code");
    let location = authorization.reply_to.location(&[("code", &code)]);
    let lifetime = match fault {
        Some(FaultKind::Expired) => Duration::ZERO,
        _ => CODE_LIFETIME,
    };
    let entry = Code {
        authorization,
        until: now + lifetime,
        used: Use::Fresh,
    };
    desk.codes.insert(code, entry);
    Reply::redirect(&location)
}

/// The exchange at the token endpoint (RFC 6749 §4.1.3). A code that comes twice takes the tokens of the first
/// time with it (§4.1.2).
pub(super) fn token(
    desk: &mut Desk,
    persona: Persona,
    client_id: Option<&str>,
    form: &Params,
    now: Instant,
) -> Result<Reply, Reply> {
    let invalid = |why: &str| Reply::error(400, "invalid_grant", why);
    let code = form.require("code")?;
    form.require("redirect_uri")?;
    let known = desk.codes.get_mut(code);
    let known = known.ok_or_else(|| invalid("the code is unknown"))?;
    if let Err(why) = known.check(persona, client_id, form, now) {
        match known.used {
            Use::Exchanged(grant) => desk.tokens.revoke_grant(grant),
            Use::Fresh | Use::Burnt => known.used = Use::Burnt,
        }
        return Err(invalid(why));
    }
    let permission = known.authorization.permission.clone();
    let (grant, issued) = desk.tokens.grant(permission, true, now);
    known.used = Use::Exchanged(grant);
    Ok(Reply::json(200, &issued))
}

/// Semrush's page from which the user copies the code. It shows only codes that are good: a link with
/// somebody else's text shows nothing.
pub(super) fn success(
    desk: &mut Desk,
    _: Persona,
    asked: &Asked,
    now: Instant,
) -> Result<Reply, Reply> {
    let code = asked.query.get("code").unwrap_or_default();
    match desk.codes.get(code) {
        Some(known) if known.is_good(now) => Ok(pages::copy_code(code)),
        _ if asked.query.get("error").is_some() => Ok(pages::no_code()),
        _ => Err(pages::stale()),
    }
}
