//! The device codes that were handed out (RFC 8628 §3.2), and how a poll of each ends.

use std::time::{Duration, Instant};

use crate::sandbox::tokens::{Permission, Persona};

/// How long a device code lives: what Semrush announces.
pub const DEVICE_CODE_LIFETIME: Duration = Duration::from_secs(300);

/// RFC 8628 §3.5: `slow_down` lengthens the interval by 5 seconds, for this and all later requests.
const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

/// RFC 8628 §6.1: letters without vowels spell no words and are not taken for digits.
const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Eight of twenty letters are 34 bits, as RFC 8628 §6.1 reckons.
const USER_CODE_LENGTH: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Undecided,
    Approved,
    Denied,
    /// Approved, and its tokens were fetched.
    Used,
}

/// A poll that brings no tokens: its error (RFC 8628 §3.5), and why.
pub type Refusal = (&'static str, &'static str);

pub const PENDING: Refusal = ("authorization_pending", "the user has not decided yet");
pub const SLOW_DOWN: Refusal = ("slow_down", "wait 5 seconds longer between polls");
pub const EXPIRED: Refusal = ("expired_token", "the device code is unknown, used or over");
pub const DENIED: Refusal = ("access_denied", "the user denied it");

pub struct DeviceCode {
    pub permission: Permission,
    pub user_code: String,
    pub until: Instant,
    pub interval: Duration,
    /// No poll may come sooner.
    pub next_poll: Instant,
    pub outcome: Outcome,
}

impl DeviceCode {
    /// One poll. A hasty one is told so even where the user has decided: a client that ignores the interval
    /// must not get through by luck.
    pub fn poll(&mut self, now: Instant) -> Result<(), Refusal> {
        if self.is_over(now) {
            return Err(EXPIRED);
        }
        let is_hasty = now < self.next_poll;
        if is_hasty {
            self.interval += SLOW_DOWN_STEP;
        }
        self.next_poll = now + self.interval;
        if is_hasty {
            return Err(SLOW_DOWN);
        }
        match self.outcome {
            Outcome::Undecided => Err(PENDING),
            Outcome::Denied => Err(DENIED),
            Outcome::Approved | Outcome::Used => {
                self.outcome = Outcome::Used;
                Ok(())
            }
        }
    }

    pub fn is_over(&self, now: Instant) -> bool {
        self.outcome == Outcome::Used || now >= self.until
    }

    /// Whether it is its user code that was typed: case and punctuation don't count (RFC 8628 §6.1).
    pub fn is_typed(&self, persona: Persona, typed: &str) -> bool {
        self.permission.persona == persona && letters(&self.user_code) == letters(typed)
    }

    pub fn decide(&mut self, approved: bool) {
        self.outcome = if approved {
            Outcome::Approved
        } else {
            Outcome::Denied
        };
    }
}

fn letters(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

/// `BCDF-GHJK` for Semrush; the generic provider leaves the hyphen out, since servers may.
pub fn user_code(persona: Persona) -> String {
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
            until: now + DEVICE_CODE_LIFETIME,
            interval: Duration::from_secs(1),
            next_poll: now,
            outcome: Outcome::Undecided,
        }
    }

    #[test]
    fn a_hasty_poll_lengthens_the_interval_for_good() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut device = device(start);
        assert_eq!(device.poll(at(0)), Err(PENDING));
        assert_eq!(device.poll(at(1000)), Err(PENDING));
        assert_eq!(device.poll(at(1999)), Err(SLOW_DOWN));
        device.decide(true);
        assert_eq!(device.poll(at(1999 + 5999)), Err(SLOW_DOWN));
        assert_eq!(device.poll(at(7998 + 11_000)), Ok(()));
    }

    #[test]
    fn a_device_code_is_good_once_and_until_it_expires() {
        let start = Instant::now();
        let mut used = device(start);
        used.decide(true);
        assert_eq!(used.poll(start), Ok(()));
        assert_eq!(used.poll(start + Duration::from_secs(1)), Err(EXPIRED));

        let mut late = device(start);
        late.decide(true);
        assert_eq!(late.poll(start + DEVICE_CODE_LIFETIME), Err(EXPIRED));
    }

    #[test]
    fn a_denied_code_says_so() {
        let start = Instant::now();
        let mut device = device(start);
        device.decide(false);
        assert_eq!(device.poll(start), Err(DENIED));
    }

    #[test]
    fn a_user_code_is_found_however_it_is_typed() {
        let device = device(Instant::now());
        for typed in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk "] {
            assert!(device.is_typed(Persona::Semrush, typed), "{typed}");
        }
        assert!(!device.is_typed(Persona::Semrush, "BCDF-GHJL"));
        assert!(!device.is_typed(Persona::Generic, "BCDF-GHJK"));
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
}
