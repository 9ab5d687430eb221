//! The refresh as a whole: claim, exchange, commit. What a killed process, a full disk or a lost
//! answer can do to a refresh token that is good for one use is decided here.

use std::time::Duration;

use super::Accounts;
use crate::clock::Timestamp;
use crate::credential::{AccountKey, Credential, Kind, Mint};
use crate::error::{CannotRenew, Error};
use crate::flow::Client;
use crate::flow::assertion::Minting;
use crate::flow::refresh::{self, DEADLINE, Need, Refresh};
use crate::flow::token::renewed;
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
) -> Result<Renewed, Error> {
    let old = &found.stored.credential;
    // Of a part of a credential nobody knows yet.
    if found.stored.is_whole {
        usable(old).map_err(|why| cannot(account, expired_at(old), why))?;
    }
    let mut provider = accounts.host.provider(account.provider.as_str())?;
    // Where the provider's first way is a key, this login was made by another.
    let _ = provider.choose_oauth();
    let valid = old.is_valid_for(Timestamp::now(), 0);
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
        wanted: &|credential| {
            !is_met(credential) && way(accounts, account, &provider, credential).is_ok()
        },
        met: &is_met,
        readers_wait,
    };
    let done = |credential, unsaved| Renewed {
        store: found.store,
        credential,
        unsaved,
    };
    match accounts.stores.claim(&ask)? {
        Claimed::Busy => Err(busy(account, wait)),
        Claimed::Gone => Err(accounts.not_logged_in(account)),
        Claimed::Unwanted(credential) => {
            if !is_met(&credential) {
                way(accounts, account, &provider, &credential)?;
            }
            Ok(done(credential, None))
        }
        Claimed::Mine(claim) => {
            let (credential, unsaved) = exchange(accounts, account, &provider, *claim)?;
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
fn usable(credential: &Credential) -> Result<Means<'_>, CannotRenew> {
    if let Some(mint) = &credential.mint {
        return Ok(Means::Mint(mint));
    }
    match &credential.refresh {
        None if credential.kind() == Kind::Key => Err(CannotRenew::Key),
        None => Err(CannotRenew::NoRefreshToken),
        Some(renewal) if renewal.spent => Err(refused(renewal.begun_at)),
        Some(renewal) => Ok(Means::Refresh(&renewal.refresh_token)),
    }
}

fn refused(interrupted_at: Option<Timestamp>) -> CannotRenew {
    interrupted_at.map_or(CannotRenew::Refused, CannotRenew::Interrupted)
}

/// Nothing but a new login helps.
fn cannot(account: &AccountKey, at: Option<Timestamp>, why: CannotRenew) -> Error {
    let account = account.clone();
    Error::Expired { account, at, why }
}

/// The moment to tell, where it is past.
fn expired_at(credential: &Credential) -> Option<Timestamp> {
    let left = credential.seconds_left(Timestamp::now())?;
    credential.expires_at.filter(|_| left <= 0)
}

/// Another process held the account's lock all the time.
fn busy(account: &AccountKey, waited: Duration) -> Error {
    Error::Busy {
        account: account.clone(),
        seconds: waited.as_secs(),
    }
}

/// By which client, at which endpoint, by which means.
fn way<'a>(
    accounts: &Accounts<'_>,
    account: &AccountKey,
    provider: &'a Provider,
    credential: &'a Credential,
) -> Result<(Client, Endpoint, Means<'a>), Error> {
    let cannot = |why| cannot(account, expired_at(credential), why);
    let means = usable(credential).map_err(cannot)?;
    let client = client(accounts, provider, credential)?;
    let with_secret = client.id.is_some() && client.secret.is_some();
    // Where an issuer's metadata named it, the login has kept it.
    let kept = || Endpoint::parse(&credential.token_endpoint).ok();
    let own = provider.login.token_endpoint().cloned().or_else(kept);
    let own = own.ok_or_else(|| cannot(CannotRenew::NoTokenEndpoint))?;
    let endpoint = provider.token_endpoint_for(&own, with_secret).clone();
    stays_home(&endpoint, credential).map_err(cannot)?;
    Ok((client, endpoint, means))
}

/// The new credential; beside it, why the store did not take it.
fn exchange(
    accounts: &Accounts<'_>,
    account: &AccountKey,
    provider: &Provider,
    claim: Claim<'_>,
) -> Result<(Box<Credential>, Option<Located>), Error> {
    let (client, endpoint, means) = way(accounts, account, provider, claim.credential())?;
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
        return Err(busy(account, WAIT));
    }
    // Until the outcome is written.
    let _held = process::hold_interrupts();
    let ended = accounts.runtime.block_on(to_its_end(exchange));
    let (outcome, interrupted) = ended.map_err(Error::no_runtime)?;
    let result = match outcome {
        Some(Ok((token, reply))) => {
            let new = renewed(claim.credential(), token, reply.date);
            let unsaved = claim.commit(&new).err();
            Ok((Box::new(new), unsaved))
        }
        Some(Err(failed)) => Err(note(account, failed, claim)),
        // The mark stays: nobody knows what the server did.
        None => Err(Error::Interrupted),
    };
    match interrupted {
        true => Err(Error::Interrupted),
        false => result,
    }
}

fn note(account: &AccountKey, failed: refresh::Failed, claim: Claim<'_>) -> Error {
    let outcome = match (failed.spent, failed.uncertain) {
        (true, maybe_sent) => Outcome::Spent { maybe_sent },
        (false, true) => Outcome::MaybeSent,
        (false, false) => Outcome::NothingSent,
    };
    let at = expired_at(claim.credential());
    let interrupted_at = claim.release(outcome);
    match failed.spent {
        true => cannot(account, at, refused(interrupted_at)),
        false => Error::Refresh {
            account: account.clone(),
            source: failed.error,
        },
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
fn stays_home(endpoint: &Endpoint, credential: &Credential) -> Result<(), CannotRenew> {
    let login = Endpoint::parse(&credential.token_endpoint).map(|login| login.origin());
    let login = login.unwrap_or_else(|_| credential.token_endpoint.clone());
    if login == endpoint.origin() {
        return Ok(());
    }
    Err(CannotRenew::MovedAway {
        login,
        configured: endpoint.origin(),
    })
}
