//! A token that is valid: from the environment, from the store, or by a refresh. What `token print`, `exec` and `api`
//! share.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::context::{Context, located};
use crate::credential::{AccountKey, Credential};
use crate::error::{CannotRenew, Error};
use crate::secret::AccessToken;
use crate::store::StoreKind;

/// Where no `--min-valid` is given: long enough for a request that starts now to end, short enough to refresh seldom.
const DEFAULT_MIN_VALID: Duration = Duration::from_secs(60);

/// What the caller wants of the token.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    /// `--min-valid`; with it, nothing else will do.
    pub min_valid: Option<Duration>,
}

impl Demand {
    fn seconds(&self) -> i64 {
        self.min_valid
            .unwrap_or(DEFAULT_MIN_VALID)
            .as_secs()
            .cast_signed()
    }
}

/// A token to hand out.
pub enum Token {
    /// `SEO_AUTH_<PROVIDER>_TOKEN`, of which nothing else is known.
    Env(AccessToken),
    /// From a store, perhaps just refreshed.
    Stored(StoreKind, Box<Credential>),
}

impl Token {
    /// The token itself.
    pub fn access_token(&self) -> &AccessToken {
        match self {
            Self::Env(token) => token,
            Self::Stored(_, credential) => &credential.access_token,
        }
    }
}

/// The account's token, if it is good for what is demanded.
///
/// # Errors
/// Nothing is stored, it has expired, or its store is unavailable.
pub fn token(context: &Context, account: &AccountKey, demand: &Demand) -> Result<Token, Error> {
    if let Some(token) = context.env_token(&account.provider) {
        return Ok(Token::Env(token));
    }
    let found = context.vault.find(account).map_err(located)?;
    let found = found.ok_or_else(|| Error::NotLoggedIn {
        account: account.clone(),
    })?;
    let credential = found.stored.credential;
    let now = Timestamp::now();
    if credential.is_valid_for(now, demand.seconds()) {
        return Ok(Token::Stored(found.store, Box::new(credential)));
    }
    let left = credential.seconds_left(now).unwrap_or_default();
    if left > 0 && demand.min_valid.is_none() {
        return Ok(Token::Stored(found.store, Box::new(credential)));
    }
    if left > 0 {
        return Err(Error::TooShort {
            account: account.clone(),
            left,
            wanted: demand.seconds(),
            again: false,
        });
    }
    Err(Error::Expired {
        account: account.clone(),
        at: credential.expires_at,
        why: CannotRenew::NoRefreshToken,
    })
}
