//! Grants and the tokens that stand on them: rotation, reuse detection, revocation. Every decision takes `now`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::message::Reply;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which provider the sandbox plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persona {
    Semrush,
    Ahrefs,
    /// With a consent screen in "Testing": its refresh tokens die after a week, and its answers say so.
    Google,
    /// An ordinary server that follows the RFCs, for providers from the configuration.
    Generic,
}

impl Persona {
    pub(super) fn name(self) -> &'static str {
        match self {
            Persona::Semrush => "Semrush",
            Persona::Ahrefs => "Ahrefs",
            Persona::Google => "Google",
            Persona::Generic => "the generic provider",
        }
    }

    /// How long an access token lives: as documented for Semrush (7 days) and Ahrefs (a year), an hour for others.
    fn access_token_lifetime(self) -> Duration {
        match self {
            Persona::Semrush => DAY * 7,
            Persona::Ahrefs => DAY * 365,
            Persona::Google | Persona::Generic => DAY / 24,
        }
    }

    /// Semrush documents 30 days, and the generic part does the same; Google in "Testing" a week; Ahrefs has none.
    fn refresh_token_lifetime(self) -> Option<Duration> {
        match self {
            Persona::Semrush | Persona::Generic => Some(DAY * 30),
            Persona::Google => Some(DAY * 7),
            Persona::Ahrefs => None,
        }
    }
}

/// A fresh secret, plainly fake by its prefix: `sandbox_<kind>_` and 192 random bits.
pub(super) fn fake_secret(kind: &str) -> String {
    let random: [u8; 24] = rand::random();
    format!("sandbox_{kind}_{}", URL_SAFE_NO_PAD.encode(random))
}

/// What a user allowed: to which client, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permission {
    pub(super) persona: Persona,
    /// None for Semrush's device flow, which knows no clients.
    pub(super) client_id: Option<String>,
    pub(super) scope: String,
}

/// The number of a grant.
pub(super) type GrantId = usize;

struct Grant {
    permission: Permission,
    /// A person approved it; no other gets refresh tokens.
    by_person: bool,
    revoked: bool,
}

struct Token {
    grant: GrantId,
    until: Instant,
    spent: bool,
}

/// Everything that was ever issued. It grows as long as the sandbox runs, which is a test's or an afternoon's time.
#[derive(Default)]
pub(super) struct Tokens {
    /// Instead of the provider's lifetime of access tokens.
    lifetime: Option<Duration>,
    grants: Vec<Grant>,
    access: HashMap<String, Token>,
    refresh: HashMap<String, Token>,
}

impl Tokens {
    pub(super) fn new(lifetime: Option<Duration>) -> Tokens {
        Tokens {
            lifetime,
            ..Tokens::default()
        }
    }

    /// Starts a grant and issues its first tokens.
    pub(super) fn grant(
        &mut self,
        permission: Permission,
        by_person: bool,
        now: Instant,
    ) -> (GrantId, Value) {
        let id = self.grants.len();
        let scope = permission.scope.clone();
        self.grants.push(Grant {
            permission,
            by_person,
            revoked: false,
        });
        (id, self.issue(id, &scope, now))
    }

    /// The successful answer of a token endpoint (RFC 6749 §5.1).
    fn issue(&mut self, grant: GrantId, scope: &str, now: Instant) -> Value {
        let Grant {
            permission: Permission { persona, .. },
            by_person,
            ..
        } = self.grants[grant];
        let token = |lifetime| Token {
            grant,
            until: now + lifetime,
            spent: false,
        };
        let lifetime = self.lifetime;
        let lifetime = lifetime.unwrap_or_else(|| persona.access_token_lifetime());
        let access_token = fake_secret("at");
        let mut body = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": lifetime.as_secs(),
        });
        self.access.insert(access_token, token(lifetime));
        if let (true, Some(lifetime)) = (by_person, persona.refresh_token_lifetime()) {
            let refresh_token = fake_secret("rt");
            body["refresh_token"] = json!(refresh_token);
            if persona == Persona::Google {
                body["refresh_token_expires_in"] = json!(lifetime.as_secs());
            }
            self.refresh.insert(refresh_token, token(lifetime));
        }
        // Semrush names no scope in its answers.
        if persona != Persona::Semrush {
            body["scope"] = json!(scope);
        }
        body
    }

    /// Takes a refresh token and issues its successors (RFC 6749 §6). A token that was taken before means that
    /// two hold it, and which of them is the thief cannot be told: the grant is revoked (RFC 9700 §4.14.2).
    ///
    /// `client_id` is checked where the grant belongs to a client; `scope` may narrow what the generic
    /// provider's new access token is good for.
    pub(super) fn refresh(
        &mut self,
        persona: Persona,
        token: &str,
        client_id: Option<&str>,
        scope: Option<&str>,
        now: Instant,
    ) -> Result<Value, Reply> {
        let invalid = |why| Err(Reply::error(400, "invalid_grant", why));
        let known = self.refresh.get_mut(token);
        let known = known.map(|known| (&mut self.grants[known.grant], known));
        let Some((grant, known)) =
            known.filter(|(grant, _)| !grant.revoked && grant.permission.persona == persona)
        else {
            return invalid("the refresh token is unknown or revoked");
        };
        let owner = grant.permission.client_id.as_deref();
        if owner.is_some() && owner != client_id {
            return invalid("the refresh token belongs to another client");
        }
        if known.spent {
            grant.revoked = true;
            return invalid("the refresh token was used before: the whole grant is revoked");
        }
        if now >= known.until {
            return invalid("the refresh token has expired");
        }
        let granted = &grant.permission.scope;
        let scope = scope.unwrap_or(granted).to_owned();
        if !within(&scope, granted) {
            let why = "the scope is wider than what was granted";
            return Err(Reply::error(400, "invalid_scope", why));
        }
        known.spent = true;
        let id = known.grant;
        Ok(self.issue(id, &scope, now))
    }

    /// Ends a grant: none of its tokens is good for anything any more.
    pub(super) fn revoke_grant(&mut self, grant: GrantId) {
        self.grants[grant].revoked = true;
    }

    /// RFC 7009 §2.1: a refresh token takes its grant with it, an access token only itself. Says whether it was known.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        if let Some(grant) = self.refresh.get(token).map(|known| known.grant) {
            self.revoke_grant(grant);
            return true;
        }
        self.access.remove(token).is_some()
    }

    /// Whether this provider's API takes the access token.
    pub(super) fn admits(&self, persona: Persona, token: &str, now: Instant) -> bool {
        self.access.get(token).is_some_and(|known| {
            let grant = &self.grants[known.grant];
            !grant.revoked && grant.permission.persona == persona && now < known.until
        })
    }
}

/// Whether each word of `narrower` is one of `granted`'s.
fn within(narrower: &str, granted: &str) -> bool {
    narrower
        .split(' ')
        .all(|word| granted.split(' ').any(|other| other == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn semrush() -> Permission {
        Permission {
            persona: Persona::Semrush,
            client_id: None,
            scope: "user.id".to_owned(),
        }
    }

    fn text(issued: &Value, key: &str) -> String {
        issued[key].as_str().unwrap().to_owned()
    }

    fn start(tokens: &mut Tokens, permission: Permission, now: Instant) -> Value {
        tokens.grant(permission, true, now).1
    }

    fn refresh(tokens: &mut Tokens, issued: &Value, now: Instant) -> Result<Value, String> {
        let token = text(issued, "refresh_token");
        let fresh = tokens.refresh(Persona::Semrush, &token, None, None, now);
        fresh.map_err(|refused| refused.body)
    }

    fn admits(tokens: &Tokens, issued: &Value, now: Instant) -> bool {
        tokens.admits(Persona::Semrush, &text(issued, "access_token"), now)
    }

    #[test]
    fn a_refresh_rotates_both_tokens_and_leaves_the_old_access_token_alone() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let first = start(&mut tokens, semrush(), now);
        let second = refresh(&mut tokens, &first, now).unwrap();
        assert_ne!(first["access_token"], second["access_token"]);
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        assert!(admits(&tokens, &first, now));
        assert!(admits(&tokens, &second, now));
    }

    #[test]
    fn a_reused_refresh_token_ends_the_whole_grant_and_no_other() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let first = start(&mut tokens, semrush(), now);
        let other = start(&mut tokens, semrush(), now);
        let second = refresh(&mut tokens, &first, now).unwrap();
        let reused = refresh(&mut tokens, &first, now).unwrap_err();
        assert!(reused.contains("used before"), "{reused}");
        assert!(!admits(&tokens, &first, now));
        assert!(!admits(&tokens, &second, now));
        let revoked = refresh(&mut tokens, &second, now).unwrap_err();
        assert!(revoked.contains("unknown or revoked"), "{revoked}");
        assert!(admits(&tokens, &other, now));
    }

    #[test]
    fn tokens_expire_to_the_second() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(Some(Duration::from_secs(10))));
        let issued = start(&mut tokens, semrush(), now);
        let at = |seconds| now + Duration::from_secs(seconds);
        assert!(admits(&tokens, &issued, at(9)));
        assert!(!admits(&tokens, &issued, at(10)));
        let expired = refresh(&mut tokens, &issued, now + DAY * 30).unwrap_err();
        assert!(expired.contains("has expired"), "{expired}");
    }

    #[test]
    fn a_token_is_good_for_its_own_provider_and_client_only() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let permission = Permission {
            persona: Persona::Generic,
            client_id: Some("mine".to_owned()),
            scope: "a b".to_owned(),
        };
        let issued = start(&mut tokens, permission, now);
        assert!(!admits(&tokens, &issued, now));
        let token = text(&issued, "refresh_token");
        let mut ask = |client, scope| {
            let fresh = tokens.refresh(Persona::Generic, &token, Some(client), scope, now);
            fresh.map_err(|refused| refused.body)
        };
        let other = ask("theirs", None).unwrap_err();
        assert!(other.contains("another client"), "{other}");
        let wider = ask("mine", Some("a c")).unwrap_err();
        assert!(wider.contains("invalid_scope"), "{wider}");
        assert_eq!(ask("mine", Some("b")).unwrap()["scope"], "b");
    }

    #[test]
    fn revoking_a_refresh_token_takes_the_grant_with_it() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let issued = start(&mut tokens, semrush(), now);
        assert!(!tokens.revoke("sandbox_rt_unknown"));
        assert!(tokens.revoke(&text(&issued, "refresh_token")));
        assert!(!admits(&tokens, &issued, now));
    }

    #[test]
    fn ahrefs_has_no_refresh_tokens_and_semrush_tells_no_scope() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let issued = start(&mut tokens, semrush(), now);
        assert_eq!(issued["expires_in"], 604_800);
        assert_eq!(issued.get("scope"), None);
        let ahrefs = Permission {
            persona: Persona::Ahrefs,
            ..semrush()
        };
        let issued = start(&mut tokens, ahrefs, now);
        assert_eq!(issued["expires_in"], 31_536_000);
        assert_eq!(issued.get("refresh_token"), None);
    }

    #[test]
    fn what_no_person_approved_gets_no_refresh_token() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let (_, issued) = tokens.grant(semrush(), false, now);
        assert!(admits(&tokens, &issued, now));
        assert_eq!(issued.get("refresh_token"), None);
    }
}
