//! RFC 8628: device codes, the poll that obeys nobody's hurry, and the page where a user code is approved.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Approve;
use super::desk::{Desk, Ticket};
use super::fault::{Endpoint, FaultKind};
use super::message::{Asked, Params, Reply};
use super::pages;
use super::tokens::{Permission, Persona, expired, fake_secret};

/// How long a device code lives: what Semrush announces.
const DEVICE_CODE_LIFETIME: Duration = Duration::from_secs(300);

/// RFC 8628 §3.5: `slow_down` lengthens the interval by 5 seconds, for this and all later requests.
const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

/// RFC 8628 §6.1: letters without vowels spell no words and are not taken for digits.
const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Eight of twenty letters are 34 bits, as RFC 8628 §6.1 reckons.
const USER_CODE_LENGTH: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Undecided,
    Approved,
    Denied,
    /// Approved, and its tokens were fetched.
    Used,
}

/// The answer to one poll (RFC 8628 §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Poll {
    Pending,
    SlowDown,
    Expired,
    Denied,
    Granted,
}

impl Poll {
    fn refusal(self) -> Reply {
        let (code, why) = match self {
            Poll::SlowDown => ("slow_down", "wait 5 seconds longer between polls"),
            Poll::Expired => ("expired_token", "the device code is unknown, used or over"),
            Poll::Denied => ("access_denied", "the user denied it"),
            Poll::Pending | Poll::Granted => {
                ("authorization_pending", "the user has not decided yet")
            }
        };
        Reply::error(400, code, why)
    }
}

struct DeviceCode {
    permission: Permission,
    user_code: String,
    issued: Instant,
    lifetime: Duration,
    interval: Duration,
    last_poll: Option<Instant>,
    outcome: Outcome,
}

impl DeviceCode {
    /// One poll. A hasty one is told so even where the user has decided: a client that ignores the interval
    /// must not get through by luck.
    fn poll(&mut self, now: Instant) -> Poll {
        if self.is_over(now) {
            return Poll::Expired;
        }
        let last_poll = self.last_poll.replace(now);
        if last_poll.is_some_and(|last| !expired(last, self.interval, now)) {
            self.interval += SLOW_DOWN_STEP;
            return Poll::SlowDown;
        }
        match self.outcome {
            Outcome::Undecided => Poll::Pending,
            Outcome::Denied => Poll::Denied,
            Outcome::Approved | Outcome::Used => {
                self.outcome = Outcome::Used;
                Poll::Granted
            }
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.outcome == Outcome::Used || expired(self.issued, self.lifetime, now)
    }

    fn decide(&mut self, approved: bool) {
        self.outcome = if approved {
            Outcome::Approved
        } else {
            Outcome::Denied
        };
    }
}

/// All device codes, by themselves.
#[derive(Default)]
pub(super) struct Devices(HashMap<String, DeviceCode>);

impl Devices {
    /// The device code whose user code was typed: case and punctuation don't count (RFC 8628 §6.1).
    fn find(&mut self, persona: Persona, typed: &str) -> Option<(&String, &mut DeviceCode)> {
        let wanted = letters(typed);
        self.0.iter_mut().find(|(_, device)| {
            device.permission.persona == persona && letters(&device.user_code) == wanted
        })
    }
}

fn letters(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

/// `BCDF-GHJK` for Semrush; the generic provider leaves the hyphen out, since servers may.
fn user_code(persona: Persona) -> String {
    let mut code: String = (0..USER_CODE_LENGTH)
        .map(|_| {
            let index = rand::random_range(0..USER_CODE_LETTERS.len());
            char::from(USER_CODE_LETTERS[index])
        })
        .collect();
    if persona == Persona::Semrush {
        code.insert(USER_CODE_LENGTH / 2, '-');
    }
    code
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
        return Err(Poll::Expired.refusal());
    };
    let permission = &device.permission;
    if permission.persona != persona || permission.client_id.as_deref() != client_id {
        return Err(Poll::Expired.refusal());
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
            Err(Poll::Pending.refusal().noticed(notice))
        }
        poll => Err(poll.refusal()),
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

    fn device(now: Instant) -> DeviceCode {
        DeviceCode {
            permission: Permission {
                persona: Persona::Semrush,
                client_id: None,
                scope: String::new(),
            },
            user_code: "BCDF-GHJK".to_owned(),
            issued: now,
            lifetime: DEVICE_CODE_LIFETIME,
            interval: Duration::from_secs(1),
            last_poll: None,
            outcome: Outcome::Undecided,
        }
    }

    #[test]
    fn a_hasty_poll_lengthens_the_interval_for_good() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut device = device(start);
        assert_eq!(device.poll(at(0)), Poll::Pending);
        assert_eq!(device.poll(at(1000)), Poll::Pending);
        assert_eq!(device.poll(at(1999)), Poll::SlowDown);
        device.decide(true);
        assert_eq!(device.poll(at(1999 + 5999)), Poll::SlowDown);
        assert_eq!(device.poll(at(7998 + 11_000)), Poll::Granted);
    }

    #[test]
    fn a_device_code_is_good_once_and_until_it_expires() {
        let start = Instant::now();
        let mut used = device(start);
        used.decide(true);
        assert_eq!(used.poll(start), Poll::Granted);
        assert_eq!(used.poll(start + Duration::from_secs(1)), Poll::Expired);

        let mut late = device(start);
        late.decide(true);
        assert_eq!(late.poll(start + DEVICE_CODE_LIFETIME), Poll::Expired);
    }

    #[test]
    fn a_denied_code_says_so() {
        let start = Instant::now();
        let mut device = device(start);
        device.decide(false);
        assert_eq!(device.poll(start), Poll::Denied);
    }

    #[test]
    fn a_user_code_is_found_however_it_is_typed() {
        let mut devices = Devices::default();
        devices.0.insert("dc".to_owned(), device(Instant::now()));
        for typed in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk "] {
            assert!(devices.find(Persona::Semrush, typed).is_some(), "{typed}");
        }
        assert!(devices.find(Persona::Semrush, "BCDF-GHJL").is_none());
        assert!(devices.find(Persona::Generic, "BCDF-GHJK").is_none());
    }

    #[test]
    fn user_codes_hold_no_vowels() {
        let code = user_code(Persona::Semrush);
        assert_eq!((code.len(), code.find('-')), (9, Some(4)));
        assert!(
            letters(&code)
                .bytes()
                .all(|letter| USER_CODE_LETTERS.contains(&letter))
        );
        assert!(!user_code(Persona::Generic).contains('-'));
    }

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
