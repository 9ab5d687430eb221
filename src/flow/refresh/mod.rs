//! RFC 6749 §6: a refresh token becomes a new access token. The caller holds the account's lock and has written the journal
//! mark; this file knows of neither.

mod decision;

use std::time::{Duration, Instant};

pub use decision::{Decision, Need, Progress, decide, may_have_spent};

use super::token::{Client, check_type, request};
use super::{FlowError, Step};
use crate::http::wire::TokenResponse;
use crate::http::{Http, HttpError, Reply};
use crate::provider::{Endpoint, Provider};
use crate::secret::RefreshToken;

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
        check_type(&token)?;
        Ok((token, reply))
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::renewed;
    use super::*;
    use crate::clock::Timestamp;
    use crate::credential::{Credential, Renewal};
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
