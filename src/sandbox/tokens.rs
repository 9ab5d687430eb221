//! Grants and the tokens that stand on them: rotation, reuse detection, revocation. Every decision takes `now`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

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
    pub(super) fn access_token_lifetime(self) -> Duration {
        match self {
            Persona::Semrush => Duration::from_secs(7 * DAY.as_secs()),
            Persona::Ahrefs => Duration::from_secs(365 * DAY.as_secs()),
            Persona::Google | Persona::Generic => Duration::from_secs(3600),
        }
    }

    /// Semrush documents 30 days, and the generic part does the same; Google in "Testing" a week.
    fn refresh_token_lifetime(self) -> Duration {
        match self {
            Persona::Google => Duration::from_secs(7 * DAY.as_secs()),
            _ => Duration::from_secs(30 * DAY.as_secs()),
        }
    }

    fn gives_refresh_tokens(self) -> bool {
        self != Persona::Ahrefs
    }

    /// Semrush names no scope in its answers.
    fn tells_scope(self) -> bool {
        self != Persona::Semrush
    }
}

/// A fresh secret, plainly fake by its prefix: `sandbox_<kind>_` and 192 random bits.
pub(super) fn fake_secret(kind: &str) -> String {
    let random: [u8; 24] = rand::random();
    format!("sandbox_{kind}_{}", URL_SAFE_NO_PAD.encode(random))
}

/// Whether something that was issued then and lives so long is over.
pub(super) fn expired(issued: Instant, lifetime: Duration, now: Instant) -> bool {
    now.saturating_duration_since(issued) >= lifetime
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
    revoked: bool,
}

struct AccessToken {
    grant: GrantId,
    issued: Instant,
    lifetime: Duration,
}

struct RefreshToken {
    grant: GrantId,
    issued: Instant,
    spent: bool,
}

/// The successful answer of a token endpoint (RFC 6749 §5.1).
pub(super) struct Issued {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    expires_in: u64,
    /// Google says so, others don't.
    refresh_token_expires_in: Option<u64>,
    scope: Option<String>,
}

impl Issued {
    pub(super) fn reply(&self) -> Reply {
        let mut body = json!({
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
        });
        if let Some(refresh_token) = &self.refresh_token {
            body["refresh_token"] = json!(refresh_token);
            if let Some(seconds) = self.refresh_token_expires_in {
                body["refresh_token_expires_in"] = json!(seconds);
            }
        }
        if let Some(scope) = &self.scope {
            body["scope"] = json!(scope);
        }
        Reply::json(200, &body)
    }
}

/// Why a refresh token was not taken. To the client it is `invalid_grant` or `invalid_scope`, with this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    Expired,
    Reused,
    OtherClient,
    Scope,
}

impl Refused {
    pub(super) fn reply(self) -> Reply {
        let (code, why) = match self {
            Refused::Unknown => ("invalid_grant", "the refresh token is unknown or revoked"),
            Refused::Expired => ("invalid_grant", "the refresh token has expired"),
            Refused::Reused => (
                "invalid_grant",
                "the refresh token was used before: the whole grant is revoked",
            ),
            Refused::OtherClient => (
                "invalid_grant",
                "the refresh token belongs to another client",
            ),
            Refused::Scope => ("invalid_scope", "the scope is wider than what was granted"),
        };
        Reply::error(400, code, why)
    }
}

/// Everything that was ever issued. It grows as long as the sandbox runs, which is a test's or an afternoon's time.
#[derive(Default)]
pub(super) struct Tokens {
    /// Instead of the provider's lifetime of access tokens.
    lifetime: Option<Duration>,
    grants: Vec<Grant>,
    access: HashMap<String, AccessToken>,
    refresh: HashMap<String, RefreshToken>,
}

impl Tokens {
    pub(super) fn new(lifetime: Option<Duration>) -> Tokens {
        Tokens {
            lifetime,
            ..Tokens::default()
        }
    }

    /// Starts a grant and issues its first tokens.
    pub(super) fn grant(&mut self, permission: Permission, now: Instant) -> (GrantId, Issued) {
        let id = self.grants.len();
        let scope = permission.scope.clone();
        self.grants.push(Grant {
            permission,
            revoked: false,
        });
        (id, self.issue(id, scope, now))
    }

    /// A token that no person approved, and so without a refresh token.
    pub(super) fn mint(&mut self, permission: Permission, now: Instant) -> Issued {
        let (_, mut issued) = self.grant(permission, now);
        if let Some(token) = issued.refresh_token.take() {
            self.refresh.remove(&token);
        }
        issued
    }

    fn issue(&mut self, grant: GrantId, scope: String, now: Instant) -> Issued {
        let persona = self.grants[grant].permission.persona;
        let lifetime = self
            .lifetime
            .unwrap_or_else(|| persona.access_token_lifetime());
        let access_token = fake_secret("at");
        let entry = AccessToken {
            grant,
            issued: now,
            lifetime,
        };
        self.access.insert(access_token.clone(), entry);
        let refresh_token = persona.gives_refresh_tokens().then(|| fake_secret("rt"));
        if let Some(token) = &refresh_token {
            let entry = RefreshToken {
                grant,
                issued: now,
                spent: false,
            };
            self.refresh.insert(token.clone(), entry);
        }
        Issued {
            access_token,
            refresh_token,
            expires_in: lifetime.as_secs(),
            refresh_token_expires_in: (persona == Persona::Google)
                .then(|| persona.refresh_token_lifetime().as_secs()),
            scope: persona.tells_scope().then_some(scope),
        }
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
    ) -> Result<Issued, Refused> {
        let known = self.refresh.get_mut(token).ok_or(Refused::Unknown)?;
        let grant = &mut self.grants[known.grant];
        if grant.revoked || grant.permission.persona != persona {
            return Err(Refused::Unknown);
        }
        let owner = grant.permission.client_id.as_deref();
        if owner.is_some() && owner != client_id {
            return Err(Refused::OtherClient);
        }
        if known.spent {
            grant.revoked = true;
            return Err(Refused::Reused);
        }
        if expired(known.issued, persona.refresh_token_lifetime(), now) {
            return Err(Refused::Expired);
        }
        let granted = grant.permission.scope.clone();
        let scope = match scope {
            Some(narrower) if !within(narrower, &granted) => return Err(Refused::Scope),
            Some(narrower) => narrower.to_owned(),
            None => granted,
        };
        known.spent = true;
        let id = known.grant;
        Ok(self.issue(id, scope, now))
    }

    /// Ends a grant: none of its tokens is good for anything any more.
    pub(super) fn revoke_grant(&mut self, grant: GrantId) {
        self.grants[grant].revoked = true;
    }

    /// RFC 7009 §2.1: a refresh token takes its grant with it, an access token only itself. Says whether it was known.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        if let Some(known) = self.refresh.get(token) {
            let grant = known.grant;
            self.revoke_grant(grant);
            return true;
        }
        self.access.remove(token).is_some()
    }

    /// Whether this provider's API takes the access token.
    pub(super) fn admits(&self, persona: Persona, token: &str, now: Instant) -> bool {
        self.access.get(token).is_some_and(|known| {
            let grant = &self.grants[known.grant];
            !grant.revoked
                && grant.permission.persona == persona
                && !expired(known.issued, known.lifetime, now)
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

    fn refresh(tokens: &mut Tokens, token: &str, now: Instant) -> Result<Issued, Refused> {
        tokens.refresh(Persona::Semrush, token, None, None, now)
    }

    #[test]
    fn a_refresh_rotates_both_tokens_and_leaves_the_old_access_token_alone() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let (_, first) = tokens.grant(semrush(), now);
        let second = refresh(&mut tokens, first.refresh_token.as_deref().unwrap(), now)
            .ok()
            .unwrap();
        assert_ne!(first.access_token, second.access_token);
        assert_ne!(first.refresh_token, second.refresh_token);
        assert!(tokens.admits(Persona::Semrush, &first.access_token, now));
        assert!(tokens.admits(Persona::Semrush, &second.access_token, now));
    }

    #[test]
    fn a_reused_refresh_token_ends_the_whole_grant_and_no_other() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let (_, first) = tokens.grant(semrush(), now);
        let (_, other) = tokens.grant(semrush(), now);
        let old = first.refresh_token.unwrap();
        let second = refresh(&mut tokens, &old, now).ok().unwrap();
        assert_eq!(refresh(&mut tokens, &old, now).err(), Some(Refused::Reused));
        assert!(!tokens.admits(Persona::Semrush, &first.access_token, now));
        assert!(!tokens.admits(Persona::Semrush, &second.access_token, now));
        assert_eq!(
            refresh(&mut tokens, &second.refresh_token.unwrap(), now).err(),
            Some(Refused::Unknown)
        );
        assert!(tokens.admits(Persona::Semrush, &other.access_token, now));
    }

    #[test]
    fn tokens_expire_to_the_second() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(Some(Duration::from_secs(10))));
        let (_, issued) = tokens.grant(semrush(), now);
        let at = |seconds| now + Duration::from_secs(seconds);
        assert!(tokens.admits(Persona::Semrush, &issued.access_token, at(9)));
        assert!(!tokens.admits(Persona::Semrush, &issued.access_token, at(10)));
        let late = now + Persona::Semrush.refresh_token_lifetime();
        assert_eq!(
            refresh(&mut tokens, &issued.refresh_token.unwrap(), late).err(),
            Some(Refused::Expired)
        );
    }

    #[test]
    fn a_token_is_good_for_its_own_provider_and_client_only() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let permission = Permission {
            persona: Persona::Generic,
            client_id: Some("mine".to_owned()),
            scope: "a b".to_owned(),
        };
        let (_, issued) = tokens.grant(permission, now);
        assert!(!tokens.admits(Persona::Semrush, &issued.access_token, now));
        let token = issued.refresh_token.unwrap();
        let mut ask =
            |client, scope| tokens.refresh(Persona::Generic, &token, Some(client), scope, now);
        assert_eq!(ask("theirs", None).err(), Some(Refused::OtherClient));
        assert_eq!(ask("mine", Some("a c")).err(), Some(Refused::Scope));
        assert_eq!(
            ask("mine", Some("b")).ok().unwrap().scope.as_deref(),
            Some("b")
        );
    }

    #[test]
    fn revoking_a_refresh_token_takes_the_grant_with_it() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let (_, issued) = tokens.grant(semrush(), now);
        assert!(!tokens.revoke("sandbox_rt_unknown"));
        assert!(tokens.revoke(&issued.refresh_token.unwrap()));
        assert!(!tokens.admits(Persona::Semrush, &issued.access_token, now));
    }

    #[test]
    fn ahrefs_has_no_refresh_tokens_and_semrush_tells_no_scope() {
        let (now, mut tokens) = (Instant::now(), Tokens::new(None));
        let (_, issued) = tokens.grant(semrush(), now);
        assert_eq!((issued.expires_in, issued.scope), (604_800, None));
        let ahrefs = Permission {
            persona: Persona::Ahrefs,
            ..semrush()
        };
        let (_, issued) = tokens.grant(ahrefs, now);
        assert_eq!(
            (issued.expires_in, issued.refresh_token),
            (31_536_000, None)
        );
    }
}
