//! The authorization codes that were handed out (RFC 6749 §4.1.2), with what each was asked for, and how an exchange is checked.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::Url;

use crate::sandbox::message::{Params, Reply};
use crate::sandbox::tokens::{GrantId, Permission, Persona};

/// RFC 6749 §4.1.2 recommends ten minutes at the most; a program that waits on loopback needs seconds.
pub const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// An authorization request that is in order.
#[derive(Debug, Clone)]
pub struct Authorization {
    pub permission: Permission,
    /// To the letter as it was asked for: the exchange must name the same.
    pub redirect_uri: String,
    pub reply_to: ReplyTo,
    pub code_challenge: Option<String>,
}

impl Authorization {
    /// The client that asks.
    pub fn client_id(&self) -> &str {
        self.permission.client_id.as_deref().unwrap_or_default()
    }
}

/// Where the browser is sent with the outcome, and what else it takes there.
#[derive(Debug, Clone)]
pub struct ReplyTo {
    pub target: Url,
    pub state: Option<String>,
    pub iss: Option<String>,
}

impl ReplyTo {
    /// The redirect URI with the outcome in its query (RFC 6749 §4.1.2, RFC 9207).
    pub fn location(&self, outcome: &[(&str, &str)]) -> String {
        let mut location = self.target.clone();
        let extra = [("state", &self.state), ("iss", &self.iss)];
        location
            .query_pairs_mut()
            .extend_pairs(outcome)
            .extend_pairs(
                extra
                    .iter()
                    .filter_map(|(name, value)| Some((name, value.as_ref()?))),
            );
        location.into()
    }

    pub fn error(&self, code: &str, why: &str) -> Reply {
        Reply::redirect(&self.location(&[("error", code), ("error_description", why)]))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Fresh,
    /// Presented with something wrong: nobody gets another guess.
    Burnt,
    Exchanged(GrantId),
}

pub struct Code {
    pub authorization: Authorization,
    pub until: Instant,
    pub used: Use,
}

impl Code {
    /// Whether somebody could still exchange it.
    pub fn is_good(&self, now: Instant) -> bool {
        self.used == Use::Fresh && now < self.until
    }

    /// The checks of RFC 6749 §4.1.3 and RFC 7636 §4.6 of what a client brings. `Err` says what is wrong.
    pub fn check(
        &self,
        persona: Persona,
        client_id: Option<&str>,
        form: &Params,
        now: Instant,
    ) -> Result<(), &'static str> {
        let permission = &self.authorization.permission;
        if self.used != Use::Fresh {
            return Err("the code was used before");
        }
        if now >= self.until {
            return Err("the code has expired");
        }
        if permission.persona != persona || permission.client_id.as_deref() != client_id {
            return Err("the code was issued to another client");
        }
        if form.get("redirect_uri") != Some(&self.authorization.redirect_uri) {
            return Err("redirect_uri is not the one of the authorization request");
        }
        let challenge = self.authorization.code_challenge.as_deref();
        match (challenge, form.get("code_verifier")) {
            (None, None) => Ok(()),
            (Some(challenge), Some(verifier)) if proves(verifier, challenge) => Ok(()),
            // RFC 9700 §2.1.1: a verifier without a challenge is a downgrade attack.
            _ => Err("code_verifier does not match the code_challenge"),
        }
    }
}

/// Whether the verifier is well formed (RFC 7636 §4.1) and hashes to the challenge.
fn proves(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::tokens::Permission;
    use url::Url;

    // RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const REDIRECT_URI: &str = "http://127.0.0.1:8976/callback";

    fn code(now: Instant) -> Code {
        Code {
            authorization: Authorization {
                permission: Permission {
                    persona: Persona::Ahrefs,
                    client_id: Some("app".to_owned()),
                    scope: "apiv3-integration-apps".to_owned(),
                },
                redirect_uri: REDIRECT_URI.to_owned(),
                reply_to: ReplyTo {
                    target: Url::parse(REDIRECT_URI).unwrap(),
                    state: Some("a&b".to_owned()),
                    iss: None,
                },
                code_challenge: Some(CHALLENGE.to_owned()),
            },
            until: now + CODE_LIFETIME,
            used: Use::Fresh,
        }
    }

    /// What the right client brings, with one parameter changed.
    fn check(code: &Code, changed: (&str, &str), now: Instant) -> Result<(), &'static str> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)] {
            let value = if changed.0 == name { changed.1 } else { value };
            form.append_pair(name, value);
        }
        let form = Params::parse(form.finish().as_bytes());
        code.check(Persona::Ahrefs, Some("app"), &form, now)
    }

    const UNCHANGED: (&str, &str) = ("", "");

    #[test]
    fn the_verifier_must_be_well_formed_and_match() {
        assert!(proves(VERIFIER, CHALLENGE));
        assert!(!proves(&VERIFIER.to_lowercase(), CHALLENGE));
        let short = "a".repeat(42);
        let of_short = URL_SAFE_NO_PAD.encode(Sha256::digest(&short));
        assert!(!proves(&short, &of_short));
    }

    #[test]
    fn every_part_of_the_exchange_is_checked() {
        let now = Instant::now();
        let code = code(now);
        assert_eq!(check(&code, UNCHANGED, now), Ok(()));
        for wrong in [
            ("redirect_uri", "http://127.0.0.1:8976/callback/"),
            ("redirect_uri", ""),
            ("code_verifier", ""),
        ] {
            assert!(check(&code, wrong, now).is_err(), "{wrong:?}");
        }
        let nothing = Params::default();
        for (persona, client_id) in [(Persona::Generic, "app"), (Persona::Ahrefs, "other")] {
            let other = code.check(persona, Some(client_id), &nothing, now);
            assert_eq!(other, Err("the code was issued to another client"));
        }
        let late = check(&code, UNCHANGED, now + CODE_LIFETIME);
        assert_eq!(late, Err("the code has expired"));
        assert!(code.is_good(now) && !code.is_good(now + CODE_LIFETIME));
    }

    #[test]
    fn a_code_without_a_challenge_takes_no_verifier() {
        let now = Instant::now();
        let mut code = code(now);
        code.authorization.code_challenge = None;
        assert!(check(&code, UNCHANGED, now).is_err());
        assert_eq!(check(&code, ("code_verifier", ""), now), Ok(()));
    }

    #[test]
    fn a_used_code_is_refused() {
        let now = Instant::now();
        for used in [Use::Burnt, Use::Exchanged(0)] {
            let code = Code { used, ..code(now) };
            let refused = check(&code, UNCHANGED, now);
            assert_eq!(refused, Err("the code was used before"));
            assert!(!code.is_good(now));
        }
    }

    #[test]
    fn the_redirect_keeps_the_query_of_its_uri_and_encodes_the_state() {
        let reply_to = ReplyTo {
            target: Url::parse("https://a.example/cb?keep=1").unwrap(),
            state: Some("a&b".to_owned()),
            iss: None,
        };
        assert_eq!(
            reply_to.location(&[("code", "c")]),
            "https://a.example/cb?keep=1&code=c&state=a%26b"
        );
    }
}
