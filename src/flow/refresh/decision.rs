//! Whether a token must be refreshed, and what follows from an answer that brought none: pure, tested without a clock.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::credential::Credential;
use crate::flow::FlowError;
use crate::flow::refusal::Meaning;
use crate::http::HttpError;
use crate::secret::AccessToken;

/// What a caller wants of the account's token.
#[derive(Clone, Debug)]
pub enum Need {
    /// It is valid for at least so many seconds more.
    Left(i64),
    /// It is valid, and another one than this, which was refused by an API or shall be replaced.
    OtherThan(AccessToken),
}

impl Need {
    /// Whether the credential serves at the local time `now`, so that no refresh is due.
    pub fn is_met_by(&self, credential: &Credential, now: Timestamp) -> bool {
        match self {
            Self::Left(seconds) => credential.is_valid_for(now, *seconds),
            Self::OtherThan(refused) => {
                credential.access_token != *refused && credential.is_valid_for(now, 0)
            }
        }
    }
}

/// How far a refresh has come that has not succeeded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many requests were sent, the one that just failed among them.
    pub sent: u32,
    /// Whether the server may have spent the refresh token in an earlier request whose answer never arrived.
    pub uncertain: bool,
    /// What is left of the deadline.
    pub left: Duration,
}

/// What follows from a request that brought no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Ask again after this time.
    Again(Duration),
    /// The server refused this refresh token for good: it is never sent again.
    Spent,
    /// It failed, and the refresh token is as good as it was.
    GiveUp,
}

/// Three in all: one lost packet or one restart of a server is bridged, and a provider that is down is not hammered.
const MAX_SENT: u32 = 3;
/// The first wait, doubled for the next: most hiccups last less than a second.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// RFC 6749 §5.2 and §6. `jitter`, from 0 to 1, spreads the waits of many machines that saw the same failure.
pub fn decide(
    error: &FlowError,
    progress: Progress,
    invalid_request_is_final: bool,
    jitter: f64,
) -> Decision {
    match error {
        FlowError::Refused { error, .. } => match error.meaning() {
            Meaning::GrantGone => Decision::Spent,
            Meaning::InvalidRequest if invalid_request_is_final => Decision::Spent,
            Meaning::Passing | Meaning::SlowDown => again(progress, None, jitter),
            // About the client or the request: the refresh token was not looked at.
            _ => Decision::GiveUp,
        },
        // A server with rotation takes a token that it has spent already for a stolen one, so what may be spent is tried
        // once more and not oftener.
        _ if may_have_spent(error) && progress.uncertain => Decision::GiveUp,
        FlowError::Overloaded { retry_after, .. } => again(progress, *retry_after, jitter),
        FlowError::Http(error) if error.is_lasting() => Decision::GiveUp,
        FlowError::Http(_) | FlowError::Unreadable { .. } => again(progress, None, jitter),
        _ => Decision::GiveUp,
    }
}

/// Whether the request may have reached a server that spent the refresh token, and only the answer was lost.
pub fn may_have_spent(error: &FlowError) -> bool {
    match error {
        // No connection, so nothing was sent.
        FlowError::Http(
            HttpError::Dns { .. } | HttpError::Refused { .. } | HttpError::Proxy { .. },
        ) => false,
        FlowError::Http(error) => !error.is_lasting(),
        // Cut JSON may have been a token, and a gateway may have put a page in its place.
        FlowError::Unreadable { .. } => true,
        // It was answered, by a token that is of no use here.
        FlowError::TokenType(_) => true,
        // A gateway that waited in vain, RFC 9110 §15.5.9, §15.6.3 and §15.6.5.
        FlowError::Overloaded { status, .. } => matches!(status, 408 | 502 | 504),
        _ => false,
    }
}

fn again(progress: Progress, retry_after: Option<Duration>, jitter: f64) -> Decision {
    let backoff = FIRST_WAIT * 2_u32.saturating_pow(progress.sent.saturating_sub(1));
    // Half of it at least, so that two never come at once; up to one and a half.
    let wait = backoff
        .mul_f64(0.5 + jitter.clamp(0.0, 1.0))
        .max(retry_after.unwrap_or_default());
    if progress.sent < MAX_SENT && wait < progress.left {
        Decision::Again(wait)
    } else {
        Decision::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Step;
    use crate::http::wire::ErrorResponse;

    const FIRST: Progress = Progress {
        sent: 1,
        uncertain: false,
        left: Duration::from_secs(10),
    };

    fn refused(code: &str) -> FlowError {
        FlowError::Refused {
            step: Step::Refresh,
            error: ErrorResponse {
                error: code.into(),
                error_description: None,
            },
        }
    }

    fn overloaded(status: u16, retry_after: Option<u64>) -> FlowError {
        FlowError::Overloaded {
            host: "as.example".into(),
            status,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn unreadable() -> FlowError {
        FlowError::Unreadable {
            host: "as.example".into(),
            status: 200,
            content: "a web page",
        }
    }

    fn broken() -> FlowError {
        FlowError::Http(HttpError::Broken {
            host: "as.example".into(),
            reason: "reset".into(),
        })
    }

    fn no_route() -> FlowError {
        FlowError::Http(HttpError::Refused {
            host: "as.example".into(),
        })
    }

    fn decided(error: &FlowError, progress: Progress) -> Decision {
        decide(error, progress, false, 0.5)
    }

    const SOON: Decision = Decision::Again(Duration::from_millis(500));

    #[test]
    fn a_refusal_of_the_refresh_token_is_final() {
        for code in [
            "invalid_grant",
            "invalid_refresh_token",
            "BAD_REFRESH_TOKEN",
        ] {
            assert_eq!(decided(&refused(code), FIRST), Decision::Spent, "{code}");
        }
        assert_eq!(
            decided(&refused("invalid_request"), FIRST),
            Decision::GiveUp
        );
        let semrush = decide(&refused("invalid_request"), FIRST, true, 0.5);
        assert_eq!(semrush, Decision::Spent);
    }

    #[test]
    fn a_refusal_of_anything_else_costs_nothing() {
        for code in [
            "invalid_client",
            "unauthorized_client",
            "unsupported_grant_type",
        ] {
            assert_eq!(decided(&refused(code), FIRST), Decision::GiveUp, "{code}");
        }
        for code in ["temporarily_unavailable", "slow_down", "ratelimited"] {
            assert_eq!(decided(&refused(code), FIRST), SOON, "{code}");
        }
    }

    #[test]
    fn failures_are_tried_a_few_times_within_the_deadline() {
        for error in [
            overloaded(503, None),
            overloaded(429, None),
            broken(),
            unreadable(),
            no_route(),
        ] {
            assert_eq!(decided(&error, FIRST), SOON, "{error}");
            let last = Progress { sent: 3, ..FIRST };
            assert_eq!(decided(&error, last), Decision::GiveUp, "{error}");
            let late = Progress {
                left: Duration::from_millis(500),
                ..FIRST
            };
            assert_eq!(decided(&error, late), Decision::GiveUp, "{error}");
        }
        let second = Progress { sent: 2, ..FIRST };
        assert_eq!(
            decided(&overloaded(503, None), second),
            Decision::Again(Duration::from_secs(1))
        );
    }

    #[test]
    fn a_server_that_names_a_time_is_not_asked_before() {
        let soon = overloaded(429, Some(3));
        assert_eq!(
            decided(&soon, FIRST),
            Decision::Again(Duration::from_secs(3))
        );
        let later = overloaded(429, Some(60));
        assert_eq!(decided(&later, FIRST), Decision::GiveUp);
    }

    #[test]
    fn what_may_be_spent_is_sent_once_more_at_the_most() {
        let before = Progress {
            uncertain: true,
            ..FIRST
        };
        for error in [broken(), unreadable(), overloaded(504, None)] {
            assert!(may_have_spent(&error));
            assert_eq!(decided(&error, FIRST), SOON);
            assert_eq!(decided(&error, before), Decision::GiveUp);
        }
        for error in [no_route(), overloaded(503, None)] {
            assert!(!may_have_spent(&error));
            assert_eq!(decided(&error, before), SOON);
        }
    }

    #[test]
    fn jitter_halves_the_wait_at_the_most() {
        for (jitter, millis) in [(0.0, 250), (1.0, 750), (7.0, 750)] {
            assert_eq!(
                decide(&broken(), FIRST, false, jitter),
                Decision::Again(Duration::from_millis(millis))
            );
        }
    }
}
