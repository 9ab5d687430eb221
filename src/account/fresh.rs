//! A token that is valid: from the environment, from the store, or by a refresh. What `token print`, `exec` and `api`
//! share.

use super::Accounts;
pub use super::demand::Demand;
use super::renew::{self, Renewed};
use super::view::warn_of_skew;
use crate::clock::{Timestamp, describe_span};
use crate::credential::{AccountKey, Credential, KeyField, Kind};
use crate::error::{Error, Exit, login_command};
use crate::flow::refresh::Need;
use crate::provider::{Provider, variable};
use crate::secret::AccessToken;
use crate::store::StoreKind;
use crate::store::stores::Found;

/// A token to hand out.
#[derive(Debug)]
pub enum Token {
    /// `SEO_AUTH_<PROVIDER>_TOKEN`, of which nothing else is known.
    Env(AccessToken),
    /// From a store, perhaps just refreshed.
    Stored(StoreKind, Box<Credential>),
}

impl Token {
    pub fn access_token(&self) -> &AccessToken {
        match self {
            Self::Env(token) => token,
            Self::Stored(_, credential) => &credential.access_token,
        }
    }

    /// By what it was got; a variable's is taken for what the provider's first way yields.
    pub fn kind(&self, provider: &Provider) -> Kind {
        match self {
            Self::Env(_) => provider.kind(),
            Self::Stored(_, credential) => credential.kind(),
        }
    }

    /// Empty but of a stored key.
    pub fn key_fields(&self) -> &[KeyField] {
        match self {
            Self::Env(_) => &[],
            Self::Stored(_, credential) => &credential.key_fields,
        }
    }

    fn found(found: Found) -> Self {
        Self::Stored(found.store, Box::new(found.stored.credential))
    }
}

/// The account's token, refreshed first where less is left than is demanded.
///
/// # Errors
/// Nothing is stored, nothing good enough is left and it can't be renewed, or the store is unavailable.
pub fn token(
    accounts: &Accounts<'_>,
    account: &AccountKey,
    demand: &Demand,
) -> Result<Token, Error> {
    if let Some(token) = accounts.host.env_token(&account.provider)? {
        return Ok(Token::Env(token));
    }
    let found = find(accounts, account)?;
    let seconds = demand.seconds(&found.stored.credential);
    if found
        .stored
        .credential
        .is_valid_for(Timestamp::now(), seconds)
    {
        return Ok(Token::found(found));
    }
    accounts.host.detail(
        1,
        &format!(
            "{account}: the token is valid for less than {}, so it is refreshed",
            describe_span(seconds)
        ),
    );
    match renew::renew(accounts, account, &found, &Need::Left(seconds), true) {
        Ok(renewed) => long_enough(accounts, account, told(accounts, account, renewed), demand),
        Err(error) => make_do(accounts, account, found, demand, error),
    }
}

/// The account's token after an API answered 401 to `rejected`: another one, if the account has one by now, else a
/// refreshed one.
///
/// # Errors
/// As [`token`]; also where the token came from the environment and is still that one. The rejected token is never
/// handed out again, however long it should be valid.
pub fn token_after_rejection(
    accounts: &Accounts<'_>,
    account: &AccountKey,
    rejected: &AccessToken,
) -> Result<Token, Error> {
    match accounts.host.env_token(&account.provider)? {
        Some(token) if token == *rejected => {
            return Err(Error::EnvRejected {
                variable: variable(&account.provider, "TOKEN"),
            });
        }
        Some(token) => return Ok(Token::Env(token)),
        None => {}
    }
    let found = find(accounts, account)?;
    if found.stored.credential.access_token != *rejected {
        return token(accounts, account, &Demand::default());
    }
    let renewed = told(accounts, account, replace(accounts, account, &found, true)?);
    if renewed.access_token() == rejected {
        return Err(Error::SameToken {
            account: account.clone(),
        });
    }
    long_enough(accounts, account, renewed, &Demand::default())
}

/// Refreshes now, however long the stored token is still valid. A refresh that another process did while this one waited
/// for it counts.
///
/// # Errors
/// It could not be refreshed, or what came could not be stored.
pub fn refresh(
    accounts: &Accounts<'_>,
    account: &AccountKey,
) -> Result<(StoreKind, Box<Credential>), Error> {
    let found = find(accounts, account)?;
    let renewed = replace(accounts, account, &found, false)?;
    warn_of_skew(accounts.host, &renewed.credential);
    match renewed.unsaved {
        None => Ok((renewed.store, renewed.credential)),
        Some(error) => Err(Error::NotSaved {
            account: account.clone(),
            source: Box::new(error.into()),
        }),
    }
}

fn find(accounts: &Accounts<'_>, account: &AccountKey) -> Result<Found, Error> {
    let found = accounts.stores.glance(account)?;
    let found = found.ok_or_else(|| accounts.not_logged_in(account))?;
    accounts.host.detail(
        1,
        &format!("{account}: read from the {} store", found.store),
    );
    // A line's end in it would become a second header, variable or command. Versions before 0.2 stored what came.
    match found.stored.credential.access_token.is_vschar() {
        true => Ok(found),
        false => Err(Error::StrangeToken {
            account: account.clone(),
        }),
    }
}

fn replace(
    accounts: &Accounts<'_>,
    account: &AccountKey,
    found: &Found,
    readers_wait: bool,
) -> Result<Renewed, Error> {
    let another = Need::OtherThan(found.stored.credential.access_token.clone());
    renew::renew(accounts, account, found, &another, readers_wait)
}

/// Says what a refresh brought besides the token.
fn told(accounts: &Accounts<'_>, account: &AccountKey, renewed: Renewed) -> Token {
    warn_of_skew(accounts.host, &renewed.credential);
    if let Some(error) = renewed.unsaved {
        accounts.host.warn(&format!(
            "the token of {account} was refreshed, but could not be stored ({}). This token works until it expires, but it can't be refreshed. Fix the store, then run `{}`",
            Error::from(error).report().message,
            login_command(account)
        ));
    }
    Token::Stored(renewed.store, renewed.credential)
}

/// A refresh may bring a token that lives shorter than what is demanded.
fn long_enough(
    accounts: &Accounts<'_>,
    account: &AccountKey,
    token: Token,
    demand: &Demand,
) -> Result<Token, Error> {
    let Token::Stored(_, credential) = &token else {
        return Ok(token);
    };
    let now = Timestamp::now();
    if credential.is_valid_for(now, demand.seconds(credential)) {
        return Ok(token);
    }
    let left = credential.seconds_left(now).unwrap_or_default();
    if demand.min_valid.is_some() || left <= 0 {
        return Err(Error::TooShort {
            account: account.clone(),
            kind: credential.kind(),
            left: left.max(0),
            wanted: demand.seconds(credential),
            again: true,
        });
    }
    accounts.host.warn(&format!(
        "the refreshed token of {account} is valid for {} only",
        describe_span(left)
    ));
    Ok(token)
}

/// Why there is no new token, as a part of a sentence.
fn clause(error: &Error) -> String {
    match error {
        Error::Expired { why, .. } => why.to_string(),
        Error::Refresh { source, .. } => source.to_string(),
        Error::Store { source, .. } | Error::Files(source) => {
            format!("seo-auth can't write to the store ({source})")
        }
        Error::Busy { .. } => "another process is refreshing it".to_owned(),
        error => error.report().message,
    }
}

/// The refresh failed. Where nothing in particular is demanded, a token that is still valid serves.
fn make_do(
    accounts: &Accounts<'_>,
    account: &AccountKey,
    found: Found,
    demand: &Demand,
    error: Error,
) -> Result<Token, Error> {
    // Whoever pressed Ctrl-C wants no token, and whoever logged out has none.
    let is_final = matches!(error, Error::Interrupted | Error::NotLoggedIn { .. });
    let credential = &found.stored.credential;
    let left = credential.seconds_left(Timestamp::now());
    let left = left.unwrap_or(i64::MAX);
    if is_final || left <= 0 {
        return Err(error);
    }
    let why = clause(&error);
    let report = error.report();
    // Where the token that is held was issued, a page or an answer of another shape may pass as well.
    let again = matches!(report.exit, Exit::Unreachable | Exit::Protocol);
    if demand.min_valid.is_none() {
        let next = report.hint.filter(|_| !again);
        let next = next.map(|hint| format!("; {hint}")).unwrap_or_default();
        accounts.host.warn(&format!(
            "the token of {account} was not refreshed, but is valid for another {}: {why}{next}",
            describe_span(left)
        ));
        return Ok(Token::found(found));
    }
    if !again && !matches!(error, Error::Expired { .. }) {
        return Err(error);
    }
    accounts
        .host
        .warn(&format!("the token of {account} was not refreshed: {why}"));
    Err(Error::TooShort {
        account: account.clone(),
        kind: credential.kind(),
        left,
        wanted: demand.seconds(credential),
        again,
    })
}
