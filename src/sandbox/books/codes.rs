//! The authorization codes that were handed out (RFC 6749 §4.1.2), with what each was asked for, and how an exchange is checked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::Url;

use crate::sandbox::message::Reply;
use crate::sandbox::tokens::{GrantId, Permission, Persona, expired};

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
    pub issued: Instant,
    pub lifetime: Duration,
    pub used: Use,
}

/// What a client brings to the token endpoint for its code.
pub struct Presented<'a> {
    pub persona: Persona,
    pub client_id: Option<&'a str>,
    pub redirect_uri: Option<&'a str>,
    pub code_verifier: Option<&'a str>,
}

impl Code {
    /// The checks of RFC 6749 §4.1.3 and RFC 7636 §4.6. `Err` says what is wrong.
    pub fn check(&self, presented: &Presented, now: Instant) -> Result<(), &'static str> {
        let permission = &self.authorization.permission;
        if self.used != Use::Fresh {
            return Err("the code was used before");
        }
        if expired(self.issued, self.lifetime, now) {
            return Err("the code has expired");
        }
        if permission.persona != presented.persona
            || permission.client_id.as_deref() != presented.client_id
        {
            return Err("the code was issued to another client");
        }
        if presented.redirect_uri != Some(&self.authorization.redirect_uri) {
            return Err("redirect_uri is not the one of the authorization request");
        }
        let challenge = self.authorization.code_challenge.as_deref();
        match (challenge, presented.code_verifier) {
            (None, None) => Ok(()),
            (Some(challenge), Some(verifier)) if proves(verifier, challenge) => Ok(()),
            // RFC 9700 §2.1.1: a verifier without a challenge is a downgrade attack.
            _ => Err("code_verifier does not match the code_challenge"),
        }
    }
}

/// All codes, by themselves.
#[derive(Default)]
pub struct Codes(pub HashMap<String, Code>);

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
            issued: now,
            lifetime: CODE_LIFETIME,
            used: Use::Fresh,
        }
    }

    const PRESENTED: Presented = Presented {
        persona: Persona::Ahrefs,
        client_id: Some("app"),
        redirect_uri: Some(REDIRECT_URI),
        code_verifier: Some(VERIFIER),
    };

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
        assert_eq!(code.check(&PRESENTED, now), Ok(()));
        let wrong = [
            Presented {
                persona: Persona::Generic,
                ..PRESENTED
            },
            Presented {
                client_id: Some("other"),
                ..PRESENTED
            },
            Presented {
                redirect_uri: Some("http://127.0.0.1:8976/callback/"),
                ..PRESENTED
            },
            Presented {
                code_verifier: None,
                ..PRESENTED
            },
        ];
        for presented in &wrong {
            assert!(code.check(presented, now).is_err());
        }
        let late = code.check(&PRESENTED, now + CODE_LIFETIME);
        assert_eq!(late, Err("the code has expired"));
    }

    #[test]
    fn a_code_without_a_challenge_takes_no_verifier() {
        let now = Instant::now();
        let mut code = code(now);
        code.authorization.code_challenge = None;
        assert!(code.check(&PRESENTED, now).is_err());
        let without = Presented {
            code_verifier: None,
            ..PRESENTED
        };
        assert_eq!(code.check(&without, now), Ok(()));
    }

    #[test]
    fn a_used_code_is_refused() {
        let now = Instant::now();
        for used in [Use::Burnt, Use::Exchanged(0)] {
            let code = Code { used, ..code(now) };
            assert_eq!(code.check(&PRESENTED, now), Err("the code was used before"));
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
