//! RFC 6749 §4.1 with RFC 7636: the authorization request, the consent, the code and its exchange.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::Approve;
use super::desk::{Desk, Ticket};
use super::device::requested_scope;
use super::fault::{Endpoint, FaultKind};
use super::message::{Asked, Params, Reply};
use super::pages;
use super::tokens::{GrantId, Permission, Persona, expired, fake_secret};

/// RFC 6749 §4.1.2 recommends ten minutes at the most; a program that waits on loopback needs seconds.
const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// The one scope that Ahrefs Connect knows.
const AHREFS_SCOPE: &str = "apiv3-integration-apps";

/// The one redirect URI of "Semrush Auth": a page of Semrush's own that shows the code.
pub(super) const SEMRUSH_SUCCESS: &str = "/oauth2/success";

/// An authorization request that is in order.
#[derive(Debug, Clone)]
pub(super) struct Authorization {
    permission: Permission,
    /// To the letter as it was asked for: the exchange must name the same.
    redirect_uri: String,
    reply_to: ReplyTo,
    code_challenge: Option<String>,
}

impl Authorization {
    /// The client that asks.
    pub(super) fn client_id(&self) -> &str {
        self.permission.client_id.as_deref().unwrap_or_default()
    }
}

/// Where the browser is sent with the outcome, and what else it takes there.
#[derive(Debug, Clone)]
struct ReplyTo {
    target: Url,
    state: Option<String>,
    iss: Option<String>,
}

impl ReplyTo {
    /// The redirect URI with the outcome in its query (RFC 6749 §4.1.2, RFC 9207).
    fn location(&self, outcome: &[(&str, &str)]) -> String {
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

    fn error(&self, code: &str, why: &str) -> Reply {
        Reply::redirect(&self.location(&[("error", code), ("error_description", why)]))
    }
}

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

/// A redirect URI that counts as registered: `https`, or `http` on loopback; no fragment (RFC 6749 §3.1.2), no user.
fn registered(redirect_uri: &str) -> Option<Url> {
    let uri = Url::parse(redirect_uri).ok()?;
    let loopback = match uri.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let allowed = match uri.scheme() {
        "https" => true,
        "http" => loopback,
        _ => false,
    };
    let plain = uri.fragment().is_none() && uri.username().is_empty() && uri.password().is_none();
    (allowed && plain).then_some(uri)
}

/// The authorization endpoint (RFC 6749 §4.1.1). As long as client and redirect URI are in doubt, nobody is
/// redirected (§4.1.2.1): the user sees why.
pub(super) fn authorize(desk: &mut Desk, persona: Persona, asked: &Asked, now: Instant) -> Reply {
    let query = &asked.query;
    let Some(client_id) = query.get("client_id") else {
        return pages::refused(persona, "The request names no client_id.");
    };
    let redirect_uri = query.get("redirect_uri").unwrap_or_default();
    let target = match persona {
        Persona::Semrush if redirect_uri == SEMRUSH_SUCCESS => {
            Url::parse(&format!("{}{SEMRUSH_SUCCESS}", desk.origin)).ok()
        }
        Persona::Semrush => None,
        Persona::Ahrefs | Persona::Generic => registered(redirect_uri),
    };
    let Some(target) = target else {
        return pages::refused(
            persona,
            "The redirect_uri of the request is not registered for this client.",
        );
    };
    let reply_to = ReplyTo {
        target,
        state: query.get("state").map(str::to_owned),
        iss: (persona == Persona::Generic).then(|| desk.origin.clone()),
    };
    let (scope, code_challenge) = match details(persona, query) {
        Ok(details) => details,
        Err((code, why)) => return reply_to.error(code, &why),
    };
    let authorization = Authorization {
        permission: Permission {
            persona,
            client_id: Some(client_id.to_owned()),
            scope,
        },
        redirect_uri: redirect_uri.to_owned(),
        reply_to,
        code_challenge,
    };
    if desk.approve == Approve::Ask {
        return consent(desk, authorization);
    }
    let verb = desk.approve.past_tense();
    let notice = format!("{verb} {client_id} at {} by itself", persona.name());
    decide(desk, authorization, desk.approve == Approve::Auto, now).noticed(notice)
}

/// Scope and code challenge of a request, or the error (RFC 6749 §4.1.2.1) that its redirect URI is told.
fn details(
    persona: Persona,
    query: &Params,
) -> Result<(String, Option<String>), (&'static str, String)> {
    let invalid = |why: &str| ("invalid_request", why.to_owned());
    if let Some(name) = query.repeated() {
        return Err(invalid(&format!("{name} is given more than once")));
    }
    match query.get("response_type") {
        Some("code") => {}
        Some(_) => {
            let why = "response_type must be code".to_owned();
            return Err(("unsupported_response_type", why));
        }
        None => return Err(invalid("response_type is required")),
    }
    if persona == Persona::Ahrefs && query.get("state").is_none() {
        return Err(invalid("state is required"));
    }
    let scope = requested_scope(persona, query)
        .map_err(|_| ("invalid_scope", "the scope is malformed".to_owned()))?;
    if persona == Persona::Ahrefs && scope != AHREFS_SCOPE {
        return Err(("invalid_scope", format!("the scope must be {AHREFS_SCOPE}")));
    }
    Ok((scope, code_challenge(persona, query).map_err(invalid)?))
}

/// RFC 7636 §4.3. Required but for "Semrush Auth", whose documentation knows nothing of it.
fn code_challenge(persona: Persona, query: &Params) -> Result<Option<String>, &'static str> {
    let Some(challenge) = query.get("code_challenge") else {
        return match persona {
            Persona::Semrush => Ok(None),
            Persona::Ahrefs | Persona::Generic => Err("code_challenge is required"),
        };
    };
    let method = query.get("code_challenge_method");
    // Ahrefs documents `s256`, and was seen to take the RFC's `S256` as well.
    let lower_case_too = persona == Persona::Ahrefs;
    if !(method == Some("S256") || lower_case_too && method == Some("s256")) {
        return Err("code_challenge_method must be S256");
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err("code_challenge must be 43 characters of base64url without padding");
    }
    Ok(Some(challenge.to_owned()))
}

fn consent(desk: &mut Desk, authorization: Authorization) -> Reply {
    let ticket = desk.hand_out(Ticket::Authorization(Box::new(authorization.clone())));
    let permission = &authorization.permission;
    pages::consent(
        permission.persona,
        authorization.client_id(),
        &permission.scope,
        &authorization.reply_to.target,
        &ticket,
    )
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
        _ if asked.query.get("error").is_some() => pages::decided(Persona::Semrush, false),
        _ => pages::stale(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                    scope: AHREFS_SCOPE.to_owned(),
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
    fn only_https_and_loopback_redirect_uris_count_as_registered() {
        for good in [
            REDIRECT_URI,
            "http://[::1]:1/",
            "http://localhost:9/x",
            "https://a.example/x?y=1",
        ] {
            assert!(registered(good).is_some(), "{good}");
        }
        for bad in [
            "http://a.example/",
            "ftp://127.0.0.1/",
            "http://127.0.0.1/#x",
            "http://u@127.0.0.1/",
            "/x",
            "",
            "http://127.0.0.1.example/",
        ] {
            assert!(registered(bad).is_none(), "{bad}");
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
