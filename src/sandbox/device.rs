//! RFC 8628: device codes, the poll that obeys nobody's hurry, and the page where a user code is approved.

use std::time::{Duration, Instant};

use serde_json::json;

use super::books::devices::{
    DEVICE_CODE_LIFETIME, DeviceCode, EXPIRED, Outcome, PENDING, Refusal, user_code,
};
use super::desk::{Desk, Ticket, verb};
use super::fault::{Endpoint, FaultKind};
use super::message::{Asked, Params, Reply};
use super::options::Approve;
use super::pages;
use super::tokens::{Permission, Persona, fake_secret};

fn refuse((code, why): Refusal) -> Reply {
    Reply::error(400, code, why)
}

/// The device authorization endpoint (RFC 8628 §3.1).
pub(super) fn authorization(
    desk: &mut Desk,
    persona: Persona,
    asked: &Asked,
    now: Instant,
) -> Result<Reply, Reply> {
    let form = asked.form()?;
    let client_id = match persona {
        // Semrush asks for no client, and what a server does not know it ignores (RFC 6749 §3.2).
        Persona::Semrush => None,
        _ => Some(desk.clients.identify(asked, &form)?),
    };
    let scope =
        requested_scope(persona, &form).map_err(|why| Reply::error(400, "invalid_scope", why))?;
    let user_code = user_code(persona);
    let device_code = fake_secret("dc");
    let lifetime = match desk.fault(Endpoint::DeviceAuthorization) {
        Some(FaultKind::Expired) => Duration::ZERO,
        _ => DEVICE_CODE_LIFETIME,
    };
    let device = DeviceCode {
        permission: Permission {
            persona,
            client_id,
            scope,
        },
        user_code: user_code.clone(),
        until: now + lifetime,
        interval: desk.interval,
        next_poll: now,
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
    desk.devices.insert(device_code, device);
    Ok(Reply::json(200, &body))
}

/// The scope that is asked for: separated by commas at Semrush, by spaces elsewhere (RFC 6749 §3.3).
pub(super) fn requested_scope(persona: Persona, params: &Params) -> Result<String, &'static str> {
    let scope = params.get("scope").unwrap_or_default();
    let is_list = |scope: &str| scope.is_empty() || scope.split(',').all(|word| !word.is_empty());
    match persona {
        Persona::Semrush if scope.contains(char::is_whitespace) || !is_list(scope) => {
            Err("scopes are separated by commas")
        }
        Persona::Ahrefs | Persona::Google | Persona::Generic if scope.contains(',') => {
            Err("scopes are separated by spaces")
        }
        _ => Ok(scope.to_owned()),
    }
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
    let known = desk.devices.get_mut(code).filter(|device| {
        let permission = &device.permission;
        permission.persona == persona && permission.client_id.as_deref() == client_id
    });
    let device = known.ok_or_else(|| refuse(EXPIRED))?;
    match device.poll(now) {
        Ok(()) => {
            let permission = device.permission.clone();
            Ok(Reply::json(
                200,
                &desk.tokens.grant(permission, true, now).1,
            ))
        }
        Err(PENDING) if desk.approve != Approve::Ask => {
            let approved = desk.approve == Approve::Auto;
            device.decide(approved);
            let notice = format!("{} {} by itself", verb(approved), device.user_code);
            Err(refuse(PENDING).noticed(notice))
        }
        Err(refusal) => Err(refuse(refusal)),
    }
}

/// Where the user compares the code with the one in the terminal and decides (RFC 8628 §3.3).
pub(super) fn verification(
    desk: &mut Desk,
    persona: Persona,
    asked: &Asked,
    now: Instant,
) -> Result<Reply, Reply> {
    let name = match persona {
        Persona::Semrush => "code",
        _ => "user_code",
    };
    let Some(typed) = asked.query.get(name) else {
        return Ok(pages::enter_code(persona, &asked.path, name));
    };
    let mut devices = desk.devices.iter();
    let found = devices.find(|(_, device)| device.is_typed(persona, typed));
    let Some((device_code, device)) = found.filter(|(_, device)| !device.is_over(now)) else {
        return Err(pages::unknown_code(persona));
    };
    let (user_code, scope) = (device.user_code.clone(), device.permission.scope.clone());
    Ok(match (device.outcome, desk.approve) {
        (Outcome::Approved | Outcome::Used, _) => pages::decided(persona, true),
        (Outcome::Denied, _) => pages::decided(persona, false),
        (Outcome::Undecided, Approve::Ask) => {
            let ticket = desk.hand_out(Ticket::Device(device_code.clone()));
            pages::compare_code(persona, &user_code, &scope, &ticket)
        }
        (Outcome::Undecided, approve) => {
            pages::decides_by_itself(persona, &user_code, approve == Approve::Auto)
        }
    })
}

/// What comes of a click on the page of [`verification`].
pub(super) fn decide(desk: &mut Desk, device_code: &str, approved: bool, now: Instant) -> Reply {
    let device = desk.devices.get_mut(device_code);
    let Some(device) = device.filter(|device| !device.is_over(now)) else {
        return pages::stale();
    };
    if device.outcome == Outcome::Undecided {
        device.decide(approved);
    }
    let approved = device.outcome == Outcome::Approved;
    let notice = format!("{} {} in the browser", verb(approved), device.user_code);
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
            assert!(scope(wrong).is_err(), "{wrong}");
        }
    }
}
