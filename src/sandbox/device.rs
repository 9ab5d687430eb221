//! RFC 8628: device codes, the poll that obeys nobody's hurry, and the page where a user code is approved.

use std::time::{Duration, Instant};

use serde_json::json;

use super::books::devices::{DEVICE_CODE_LIFETIME, DeviceCode, Outcome, Poll, user_code};
use super::desk::{Desk, Ticket};
use super::fault::{Endpoint, FaultKind};
use super::message::{Asked, Params, Reply};
use super::options::Approve;
use super::pages;
use super::tokens::{Permission, Persona, fake_secret};

/// The answer to a poll that brings no tokens.
fn refusal(poll: Poll) -> Reply {
    let (code, why) = match poll {
        Poll::SlowDown => ("slow_down", "wait 5 seconds longer between polls"),
        Poll::Expired => ("expired_token", "the device code is unknown, used or over"),
        Poll::Denied => ("access_denied", "the user denied it"),
        Poll::Pending | Poll::Granted => ("authorization_pending", "the user has not decided yet"),
    };
    Reply::error(400, code, why)
}

/// The device authorization endpoint (RFC 8628 §3.1). `client_id` is none for Semrush, which asks for none.
pub(super) fn authorization(
    desk: &mut Desk,
    persona: Persona,
    client_id: Option<String>,
    form: &Params,
    now: Instant,
) -> Result<Reply, Reply> {
    let user_code = user_code(persona);
    let device_code = fake_secret("dc");
    let born_expired = desk.fault(Endpoint::DeviceAuthorization) == Some(FaultKind::Expired);
    let device = DeviceCode {
        permission: Permission {
            persona,
            client_id,
            scope: requested_scope(persona, form)?,
        },
        user_code: user_code.clone(),
        issued: now,
        lifetime: if born_expired {
            Duration::ZERO
        } else {
            DEVICE_CODE_LIFETIME
        },
        interval: desk.interval,
        last_poll: None,
        outcome: Outcome::Undecided,
    };
    let mut body = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": format!("{}/dag/auth/verify_code?code={user_code}", desk.origin),
        "expires_in": DEVICE_CODE_LIFETIME.as_secs(),
        "interval": desk.interval.as_secs(),
    });
    if persona == Persona::Generic {
        let page = format!("{}/generic/device", desk.origin);
        body["verification_uri_complete"] = json!(format!("{page}?user_code={user_code}"));
        body["verification_uri"] = json!(page);
    }
    desk.devices.0.insert(device_code, device);
    Ok(Reply::json(200, &body))
}

/// The scope that is asked for: separated by commas at Semrush, by spaces elsewhere (RFC 6749 §3.3).
pub(super) fn requested_scope(persona: Persona, params: &Params) -> Result<String, Reply> {
    let scope = params.get("scope").unwrap_or_default();
    let wrong = match persona {
        Persona::Semrush => {
            scope.contains(char::is_whitespace)
                || (!scope.is_empty() && scope.split(',').any(str::is_empty))
        }
        Persona::Ahrefs | Persona::Google | Persona::Generic => scope.contains(','),
    };
    if wrong {
        let separator = if persona == Persona::Semrush {
            "commas"
        } else {
            "spaces"
        };
        let why = format!("scopes are separated by {separator}");
        return Err(Reply::error(400, "invalid_scope", &why));
    }
    Ok(scope.to_owned())
}

/// One poll at the token endpoint (RFC 8628 §3.4). With `Approve::Auto` and `Deny`, the first poll that is in
/// order is told to wait and makes the decision: so a client shows that it can wait.
pub(super) fn token(
    desk: &mut Desk,
    persona: Persona,
    client_id: Option<&str>,
    form: &Params,
    now: Instant,
) -> Result<Reply, Reply> {
    let code = form.require("device_code")?;
    let Some(device) = desk.devices.0.get_mut(code) else {
        return Err(refusal(Poll::Expired));
    };
    let permission = &device.permission;
    if permission.persona != persona || permission.client_id.as_deref() != client_id {
        return Err(refusal(Poll::Expired));
    }
    match device.poll(now) {
        Poll::Granted => {
            let (_, issued) = desk.tokens.grant(device.permission.clone(), now);
            Ok(issued.reply())
        }
        Poll::Pending if desk.approve != Approve::Ask => {
            device.decide(desk.approve == Approve::Auto);
            let verb = desk.approve.past_tense();
            let notice = format!("{verb} {} by itself", device.user_code);
            Err(refusal(Poll::Pending).noticed(notice))
        }
        poll => Err(refusal(poll)),
    }
}

/// Where the user compares the code with the one in the terminal and decides (RFC 8628 §3.3).
pub(super) fn verification(
    desk: &mut Desk,
    persona: Persona,
    asked: &Asked,
    now: Instant,
) -> Reply {
    let name = if persona == Persona::Semrush {
        "code"
    } else {
        "user_code"
    };
    let Some(typed) = asked.query.get(name) else {
        return pages::enter_code(persona, &asked.path, name);
    };
    let approve = desk.approve;
    let found = desk.devices.find(persona, typed);
    let Some((device_code, device)) = found.filter(|(_, device)| !device.is_over(now)) else {
        return pages::unknown_code(persona);
    };
    match device.outcome {
        Outcome::Approved | Outcome::Used => pages::decided(persona, true),
        Outcome::Denied => pages::decided(persona, false),
        Outcome::Undecided if approve != Approve::Ask => {
            pages::decides_by_itself(persona, &device.user_code, approve == Approve::Auto)
        }
        Outcome::Undecided => {
            let ticket = Ticket::Device(device_code.clone());
            let (user_code, scope) = (device.user_code.clone(), device.permission.scope.clone());
            let ticket = desk.hand_out(ticket);
            pages::compare_code(persona, &user_code, &scope, &ticket)
        }
    }
}

/// What comes of a click on the page of [`verification`].
pub(super) fn decide(desk: &mut Desk, device_code: &str, approved: bool, now: Instant) -> Reply {
    let device = desk.devices.0.get_mut(device_code);
    let Some(device) = device.filter(|device| !device.is_over(now)) else {
        return pages::stale();
    };
    if device.outcome == Outcome::Undecided {
        device.decide(approved);
    }
    let approved = device.outcome == Outcome::Approved;
    let verb = if approved { "approved" } else { "denied" };
    let notice = format!("{verb} {} in the browser", device.user_code);
    pages::decided(device.permission.persona, approved).noticed(notice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semrush_separates_scopes_by_commas() {
        let scope = |text: &str| {
            let encoded = format!("scope={}", text.replace(' ', "+"));
            requested_scope(Persona::Semrush, &Params::parse(encoded.as_bytes()))
        };
        assert_eq!(
            scope("user.id,domains.info").unwrap(),
            "user.id,domains.info"
        );
        assert_eq!(scope("").unwrap(), "");
        for wrong in ["user.id domains.info", "user.id, domains.info", "user.id,"] {
            assert_eq!(scope(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }
}
