//! How long a token shall be valid.

use std::time::Duration;

use crate::credential::Credential;

/// Where no `--min-valid` is given: long enough for a request that starts now to end, short enough to refresh seldom.
const DEFAULT_MIN_VALID: Duration = Duration::from_secs(60);

/// What the caller wants of the token.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    /// `--min-valid`; with it, nothing else will do.
    pub min_valid: Option<Duration>,
}

impl Demand {
    /// How long this token shall be valid, in seconds. One that lives for a minute or less would be due at once, and for ever:
    /// of such a one half of its life is enough, where nobody asked for more.
    pub fn seconds(&self, credential: &Credential) -> i64 {
        let span = self.min_valid.unwrap_or(DEFAULT_MIN_VALID);
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        let lifetime = credential
            .expires_at
            .map(|expiry| expiry.seconds_since(credential.obtained_at));
        match (self.min_valid, lifetime) {
            (None, Some(lifetime)) => seconds.min(lifetime.max(0) / 2),
            _ => seconds,
        }
    }
}
