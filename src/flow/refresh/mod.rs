//! RFC 6749 §6: a refresh token becomes a new access token. The caller holds the account's lock and has written the journal
//! mark; this file knows of neither.

mod decision;

use std::time::{Duration, Instant};

pub use decision::{Decision, Need, Progress, decide, may_have_spent};

use super::token::{
    Client, MAX_TOKEN_TYPE, bearer_type, expiry, granted, missing, request, server_clock,
};
use super::{FlowError, Step};
use crate::clock::Timestamp;
use crate::credential::{Credential, Renewal};
use crate::http::wire::TokenResponse;
use crate::http::{Http, HttpError, Reply};
use crate::provider::{Endpoint, Provider};
use crate::secret::RefreshToken;
use crate::text::printable;

/// For all requests and waits of one refresh. An honest answer takes a second; a script that waits longer than this for a
/// token would rather know.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub struct Refresh<'a> {
    /// The client of the requests.
    pub http: &'a Http,
    /// At whom; its token endpoint has the origin of the login (the caller has checked).
    pub provider: &'a Provider,
    /// The token endpoint for this client.
    pub endpoint: &'a Endpoint,
    /// The client that the refresh token was issued to.
    pub client: &'a Client,
    pub refresh_token: &'a RefreshToken,
    /// An earlier refresh with this token was interrupted, so that it may be spent already.
    pub uncertain: bool,
}

/// A refresh that brought no token.
#[derive(Debug)]
pub struct Failed {
    pub error: FlowError,
    /// The server refused this refresh token for good.
    pub spent: bool,
    /// A request of this refresh may have reached a server that spent the token, and the answer was lost.
    pub uncertain: bool,
}

impl Refresh<'_> {
    /// Asks, and asks again where that may help, within [`DEADLINE`].
    ///
    /// # Errors
    /// The last failure, and what it means for the refresh token.
    pub async fn run(&self) -> Result<(TokenResponse, Reply), Failed> {
        let deadline = Instant::now() + DEADLINE;
        let mut sent = 0;
        let mut uncertain = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = tokio::time::timeout(left, self.send()).await;
            let timed_out = || HttpError::timed_out(self.endpoint.url());
            let error = match answer.unwrap_or_else(|_| Err(timed_out().into())) {
                Ok(success) => return Ok(success),
                Err(error) => error,
            };
            sent += 1;
            let progress = Progress {
                sent,
                uncertain: self.uncertain || uncertain,
                left: deadline.saturating_duration_since(Instant::now()),
            };
            let is_final = self.provider.invalid_request_is_final;
            let decision = decide(&error, progress, is_final, rand::random());
            uncertain |= may_have_spent(&error);
            match decision {
                Decision::Again(wait) => tokio::time::sleep(wait).await,
                Decision::Spent | Decision::GiveUp => {
                    return Err(Failed {
                        error,
                        spent: decision == Decision::Spent,
                        uncertain,
                    });
                }
            }
        }
    }

    async fn send(&self) -> Result<(TokenResponse, Reply), FlowError> {
        // No scope: RFC 6749 §6 then means all that was granted.
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.refresh_token.expose()),
        ];
        let (token, reply): (TokenResponse, _) = request(
            self.http,
            self.endpoint,
            self.provider.client_auth,
            self.client,
            Step::Refresh,
            &fields,
        )
        .await?;
        bearer_type(&token)?;
        Ok((token, reply))
    }
}

/// The credential after a refresh that the server answered at `server_time`. The old refresh token stays where no new one
/// came, and the old scope where none is named (RFC 6749 §6); a named one may be narrower. Where the login was made, and by
/// which client, stays as it was.
pub fn renewed(
    old: &Credential,
    token: TokenResponse,
    server_time: Option<Timestamp>,
) -> Credential {
    let (obtained_at, clock_skew) = server_clock(Timestamp::now(), server_time);
    let asked = [old.scope.as_slice(), &old.missing_scope].concat();
    let scope = granted(token.scope, &old.scope);
    let kept = || {
        old.refresh
            .as_ref()
            .map(|renewal| renewal.refresh_token.clone())
    };
    // A server that names no date means the one of before: most count from the user's consent.
    let before = old.refresh.as_ref().and_then(|renewal| renewal.expires_at);
    let expires_at = expiry(obtained_at, token.refresh_token_expires_in).or(before);
    let refresh = token.refresh_token.or_else(kept);
    let refresh = refresh.map(|refresh_token| Renewal {
        expires_at,
        ..Renewal::fresh(refresh_token)
    });
    Credential {
        expires_at: expiry(obtained_at, token.expires_in),
        access_token: token.access_token,
        token_type: printable(&token.token_type, MAX_TOKEN_TYPE),
        missing_scope: missing(&asked, &scope, refresh.is_some()),
        scope,
        obtained_at,
        clock_skew,
        refresh,
        ..old.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::wire::{self, Answer};
    use crate::secret::{AccessToken, ClientSecret};

    fn login() -> Credential {
        Credential {
            access_token: AccessToken::new("old".into()),
            token_type: "Bearer".into(),
            scope: vec!["read".into(), "write".into()],
            missing_scope: vec!["admin".into()],
            obtained_at: Timestamp::from_epoch(0),
            expires_at: Some(Timestamp::from_epoch(60)),
            clock_skew: 0,
            refresh: Some(Renewal {
                refresh_token: RefreshToken::new("first".into()),
                expires_at: None,
                spent: false,
                begun_at: Some(Timestamp::from_epoch(50)),
                holder: None,
            }),
            token_endpoint: "https://as.example/token".into(),
            revocation_endpoint: None,
            client_id: Some("client".into()),
            client_secret: Some(ClientSecret::new("secret".into())),
            subject: None,
            mint: None,
            key_fields: Vec::new(),
        }
    }

    fn after(answer: &str) -> Credential {
        match wire::read(200, "", answer.as_bytes()) {
            Answer::Success(token) => renewed(&login(), token, None),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_refresh_token_takes_the_place_of_the_old_one() {
        let new = after(r#"{"access_token":"new","expires_in":3600,"refresh_token":"second"}"#);
        assert_eq!(new.access_token.expose(), "new");
        let second = RefreshToken::new("second".into());
        assert_eq!(new.refresh, Some(Renewal::fresh(second)));
        let lifetime = new.expires_at.unwrap().seconds_since(new.obtained_at);
        assert_eq!(lifetime, 3600);
    }

    #[test]
    fn what_the_answer_leaves_out_stays() {
        let new = after(r#"{"access_token":"new","expires_in":3600}"#);
        let first = RefreshToken::new("first".into());
        assert_eq!(new.refresh, Some(Renewal::fresh(first)), "and no mark");
        assert_eq!(new.scope, login().scope);
        assert_eq!(new.missing_scope, login().missing_scope);
        assert_eq!(new.client_secret, login().client_secret);
    }

    #[test]
    fn the_scope_may_shrink() {
        let new = after(r#"{"access_token":"new","scope":"read"}"#);
        assert_eq!(new.scope, ["read"]);
        assert_eq!(new.missing_scope, ["write", "admin"]);
    }
}
