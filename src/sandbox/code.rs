//! The authorization code of RFC 6749 §4.1.2: issued once, exchanged once, proven by RFC 7636.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::authorize::Authorization;
use super::desk::Desk;
use super::fault::{Endpoint, FaultKind};
use super::message::{Asked, Params, Reply};
use super::pages;
use super::tokens::{GrantId, Persona, expired, fake_secret};

/// RFC 6749 §4.1.2 recommends ten minutes at the most; a program that waits on loopback needs seconds.
const CODE_LIFETIME: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Fresh,
    /// Presented with something wrong: nobody gets another guess.
    Burnt,
    Exchanged(GrantId),
}

struct Code {
    authorization: Authorization,
    issued: Instant,
    lifetime: Duration,
    used: Use,
}

/// What a client brings to the token endpoint for its code.
struct Presented<'a> {
    persona: Persona,
    client_id: Option<&'a str>,
    redirect_uri: Option<&'a str>,
    code_verifier: Option<&'a str>,
}

impl Code {
    /// The checks of RFC 6749 §4.1.3 and RFC 7636 §4.6. `Err` says what is wrong.
    fn check(&self, presented: &Presented, now: Instant) -> Result<(), &'static str> {
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
pub(super) struct Codes(HashMap<String, Code>);

/// Whether the verifier is well formed (RFC 7636 §4.1) and hashes to the challenge.
fn proves(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
}

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
    let lifetime = if fault == Some(FaultKind::Expired) {
        Duration::ZERO
    } else {
        CODE_LIFETIME
    };
    let entry = Code {
        authorization,
        issued: now,
        lifetime,
        used: Use::Fresh,
    };
    desk.codes.0.insert(code, entry);
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
    let presented = Presented {
        persona,
        client_id,
        redirect_uri: Some(form.require("redirect_uri")?),
        code_verifier: form.get("code_verifier"),
    };
    let known = desk.codes.0.get_mut(code);
    let known = known.ok_or_else(|| invalid("the code is unknown"))?;
    if let Err(why) = known.check(&presented, now) {
        match known.used {
            Use::Exchanged(grant) => desk.tokens.revoke_grant(grant),
            Use::Fresh | Use::Burnt => known.used = Use::Burnt,
        }
        return Err(invalid(why));
    }
    let permission = known.authorization.permission.clone();
    let (grant, issued) = desk.tokens.grant(permission, now);
    known.used = Use::Exchanged(grant);
    Ok(issued.reply())
}

/// Semrush's page from which the user copies the code. It shows only codes that are good: a link with
/// somebody else's text shows nothing.
pub(super) fn success(desk: &Desk, asked: &Asked, now: Instant) -> Reply {
    let code = asked.query.get("code").unwrap_or_default();
    match desk.codes.0.get(code) {
        Some(known) if known.used == Use::Fresh && !expired(known.issued, known.lifetime, now) => {
            pages::copy_code(code)
        }
        _ if asked.query.get("error").is_some() => pages::no_code(),
        _ => pages::stale(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::authorize::ReplyTo;
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
}
