//! The refresh as a whole: claim, exchange, commit. What a killed process, a full disk or a lost
//! answer can do to a refresh token that is good for one use is decided here.

use std::fmt;
use std::time::Duration;

use super::Accounts;
use crate::clock::Timestamp;
use crate::credential::{AccountKey, Credential, Kind, Mint};
use crate::error::{CannotRenew, Error};
use crate::flow::assertion::Minting;
use crate::flow::refresh::{self, DEADLINE, Need, Refresh};
use crate::flow::{Client, FlowError};
use crate::process;
use crate::provider::{Endpoint, Provider};
use crate::secret::RefreshToken;
use crate::store::ask::{Ask, Outcome};
use crate::store::claim::{Claim, Claimed};
use crate::store::stores::Found;
use crate::store::{Located, StoreKind};

/// Nobody waits long for a better token while the one at hand still works.
const WAIT_WHILE_VALID: Duration = Duration::from_secs(5);
/// Longer than an honest holder needs: its whole exchange, and then its write.
const WAIT: Duration = Duration::from_secs(DEADLINE.as_secs() + 5);
/// An exchange takes a second; whoever pressed Ctrl-C, or shuts the machine down, waits no longer than this for it.
const GRACE: Duration = Duration::from_secs(3);
/// Why there is no new token.
#[derive(Debug)]
pub enum Failure {
    /// Nothing but a new login helps.
    Cannot(CannotRenew),
    /// The exchange failed; the refresh token is as good as it was.
    Exchange(FlowError),
    /// The store can't be written, so no refresh was begun.
    Unwritable(Located),
    /// Another process held the account's lock all the time, so many seconds.
    Busy(u64),
    /// Ctrl-C, an account that was logged out of in the meantime, a provider that is not configured.
    Other(Error),
}

impl Failure {
    /// As the user's error, for a token that is not good enough.
    pub fn into_error(self, account: &AccountKey, expired_at: Option<Timestamp>) -> Error {
        let account = account.clone();
        match self {
            Self::Cannot(why) => Error::Expired {
                account,
                at: expired_at,
                why,
            },
            Self::Exchange(source) => Error::Refresh { account, source },
            Self::Unwritable(error) => error.into(),
            Self::Busy(seconds) => Error::Busy { account, seconds },
            Self::Other(error) => error,
        }
    }
}

/// A clause that says why.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cannot(why) => write!(f, "{why}"),
            Self::Exchange(error) => write!(f, "{error}"),
            Self::Unwritable(error) => {
                write!(f, "seo-auth can't write to the store ({error})")
            }
            Self::Busy(_) => f.write_str("another process is refreshing it"),
            Self::Other(error) => f.write_str(&error.report().message),
        }
    }
}

/// A credential that meets the need.
#[derive(Debug)]
pub struct Renewed {
    /// Where it is, or should be.
    pub store: StoreKind,
    pub credential: Box<Credential>,
    /// It is new, and the store did not take it: the refresh token lives in this process only.
    pub unsaved: Option<Located>,
}

/// Renews what was `found`, unless another process just has.
///
/// # Errors
/// Why that can't be done now.
pub fn renew(
    accounts: &Accounts<'_>,
    account: &AccountKey,
    found: &Found,
    need: &Need,
    readers_wait: bool,
) -> Result<Renewed, Failure> {
    // Of a part of a credential nobody knows yet.
    if found.stored.is_whole {
        usable(&found.stored.credential)?;
    }
    let provider = accounts.host.provider(account.provider.as_str());
    let mut provider = provider.map_err(Failure::Other)?;
    // Where the provider's first way is a key, this login was made by another.
    let _ = provider.choose_oauth();
    let valid = found.stored.credential.is_valid_for(Timestamp::now(), 0);
    let refused = matches!(need, Need::OtherThan(_));
    let wait = match valid && !refused {
        true => WAIT_WHILE_VALID,
        false => WAIT,
    };
    let is_met = |credential: &Credential| need.is_met_by(credential, Timestamp::now());
    let ask = Ask {
        store: found.store,
        account,
        wait,
        lease: WAIT,
        wanted: &|credential| !is_met(credential) && way(accounts, &provider, credential).is_ok(),
        met: &is_met,
        readers_wait,
    };
    let done = |credential, unsaved| Renewed {
        store: found.store,
        credential,
        unsaved,
    };
    match accounts.stores.claim(&ask).map_err(Failure::Unwritable)? {
        Claimed::Busy => Err(Failure::Busy(wait.as_secs())),
        Claimed::Gone => Err(Failure::Other(accounts.not_logged_in(account))),
        Claimed::Unwanted(credential) => {
            if !is_met(&credential) {
                way(accounts, &provider, &credential)?;
            }
            Ok(done(credential, None))
        }
        Claimed::Mine(claim) => {
            let (credential, unsaved) = exchange(accounts, &provider, *claim)?;
            Ok(done(credential, unsaved))
        }
    }
}

/// By what a new token comes.
enum Means<'a> {
    /// RFC 6749 §6.
    Refresh(&'a RefreshToken),
    Mint(&'a Mint),
}

/// RFC 6749 §6 needs a refresh token, and one that was refused is never sent again.
fn usable(credential: &Credential) -> Result<Means<'_>, Failure> {
    if let Some(mint) = &credential.mint {
        return Ok(Means::Mint(mint));
    }
    match &credential.refresh {
        None if credential.kind() == Kind::Key => Err(Failure::Cannot(CannotRenew::Key)),
        None => Err(Failure::Cannot(CannotRenew::NoRefreshToken)),
        Some(renewal) if renewal.spent => Err(Failure::Cannot(refused(renewal.begun_at))),
        Some(renewal) => Ok(Means::Refresh(&renewal.refresh_token)),
    }
}

fn refused(interrupted_at: Option<Timestamp>) -> CannotRenew {
    interrupted_at.map_or(CannotRenew::Refused, CannotRenew::Interrupted)
}

/// By which client, at which endpoint, by which means.
fn way<'a>(
    accounts: &Accounts<'_>,
    provider: &'a Provider,
    credential: &'a Credential,
) -> Result<(Client, Endpoint, Means<'a>), Failure> {
    let means = usable(credential)?;
    let client = client(accounts, provider, credential).map_err(Failure::Other)?;
    let with_secret = client.id.is_some() && client.secret.is_some();
    // Where an issuer's metadata named it, the login has kept it.
    let kept = || Endpoint::parse(&credential.token_endpoint).ok();
    let own = provider.login.token_endpoint().cloned().or_else(kept);
    let own = own.ok_or(Failure::Cannot(CannotRenew::NoTokenEndpoint))?;
    let endpoint = provider.token_endpoint_for(&own, with_secret).clone();
    stays_home(&endpoint, credential)?;
    Ok((client, endpoint, means))
}

/// The new credential; beside it, why the store did not take it.
fn exchange(
    accounts: &Accounts<'_>,
    provider: &Provider,
    claim: Claim<'_>,
) -> Result<(Box<Credential>, Option<Located>), Failure> {
    let (client, endpoint, means) = way(accounts, provider, claim.credential())?;
    let (http, old) = (accounts.host.http(), claim.credential());
    let exchange = async {
        match means {
            Means::Refresh(refresh_token) => {
                let refresh = Refresh {
                    http,
                    provider,
                    endpoint: &endpoint,
                    client: &client,
                    refresh_token,
                    uncertain: claim.is_uncertain(),
                };
                refresh.run().await
            }
            Means::Mint(mint) => {
                let minting = Minting {
                    http,
                    provider,
                    endpoint: &endpoint,
                    client: &client,
                    mint,
                    scope: &old.scope,
                    clock_skew: old.clock_skew,
                };
                // Nothing is spent by asking.
                minting.run().await.map_err(|error| refresh::Failed {
                    error,
                    spent: false,
                    uncertain: false,
                })
            }
        }
    };
    // A machine that slept since may not be alone any more.
    if !claim.is_fresh() {
        return Err(Failure::Busy(WAIT.as_secs()));
    }
    // Until the outcome is written.
    let _held = process::hold_interrupts();
    let outcome = accounts.block_on(to_its_end(exchange));
    let (outcome, interrupted) = outcome.map_err(Failure::Other)?;
    let result = match outcome {
        Some(Ok((token, reply))) => {
            let new = refresh::renewed(claim.credential(), token, reply.date);
            let unsaved = claim.commit(&new).err();
            Ok((Box::new(new), unsaved))
        }
        Some(Err(failed)) => Err(note(failed, claim)),
        // The mark stays: nobody knows what the server did.
        None => Err(Failure::Other(Error::Interrupted)),
    };
    match interrupted {
        true => Err(Failure::Other(Error::Interrupted)),
        false => result,
    }
}

fn note(failed: refresh::Failed, claim: Claim<'_>) -> Failure {
    let outcome = match (failed.spent, failed.uncertain) {
        (true, maybe_sent) => Outcome::Spent { maybe_sent },
        (false, true) => Outcome::MaybeSent,
        (false, false) => Outcome::NothingSent,
    };
    let interrupted_at = claim.release(outcome);
    match failed.spent {
        true => Failure::Cannot(refused(interrupted_at)),
        false => Failure::Exchange(failed.error),
    }
}

/// Ctrl-C is obeyed a little later: an answer that is on its way may hold the only refresh token. `None`: it did not come;
/// the second part says whether an end was wanted.
async fn to_its_end<T>(exchange: impl Future<Output = T>) -> (Option<T>, bool) {
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        // Polled first, so that no request is under way before somebody listens.
        biased;
        () = process::interrupted() => (tokio::time::timeout(GRACE, &mut exchange).await.ok(), true),
        outcome = &mut exchange => (Some(outcome), false),
    }
}

/// The client of the request: the one that the tokens were issued to (RFC 6749 §6), else the configured one. A configured
/// secret proves the configured client only.
///
/// # Errors
/// The variable of the secret holds what no secret does.
pub fn client(
    accounts: &Accounts<'_>,
    provider: &Provider,
    credential: &Credential,
) -> Result<Client, Error> {
    let configured = provider.client_id.as_ref();
    let issued_to = credential.client_id.as_ref();
    let same = configured.is_none() || issued_to.is_none() || configured == issued_to;
    let secret = match same {
        true => accounts.host.client_secret(provider)?,
        false => None,
    };
    Ok(Client {
        id: issued_to.or(configured).cloned(),
        secret: secret.or_else(|| credential.client_secret.clone()),
    })
}

/// A refresh token goes to no other origin than that of its login, whatever the configuration has become.
fn stays_home(endpoint: &Endpoint, credential: &Credential) -> Result<(), Failure> {
    let login = Endpoint::parse(&credential.token_endpoint).map(|login| login.origin());
    let login = login.unwrap_or_else(|_| credential.token_endpoint.clone());
    if login == endpoint.origin() {
        return Ok(());
    }
    Err(Failure::Cannot(CannotRenew::MovedAway {
        login,
        configured: endpoint.origin(),
    }))
}
