//! The refresh as a whole: lock, read again, mark, exchange, write, let go. What a killed process, a full disk or a lost
//! answer can do to a refresh token that is good for one use is decided here.

use std::fmt;
use std::thread;
use std::time::Duration;

use super::fresh::not_logged_in;
use crate::clock::Timestamp;
use crate::context::{Context, located};
use crate::credential::{AccountKey, Credential};
use crate::error::{CannotRenew, Error};
use crate::flow::refresh::{self, DEADLINE, Need, Refresh};
use crate::flow::{Client, FlowError};
use crate::process;
use crate::provider::{Endpoint, Provider};
use crate::store::vault::{Found, Located};
use crate::store::{Reserve, StoreError, StoreKind, Version};

/// Nobody waits long for a better token while the one at hand still works.
const WAIT_WHILE_VALID: Duration = Duration::from_secs(5);
/// Longer than an honest holder needs: its whole exchange, and then its write.
const WAIT: Duration = Duration::from_secs(DEADLINE.as_secs() + 5);
/// An exchange takes a second; whoever pressed Ctrl-C, or shuts the machine down, waits no longer than this for it.
const GRACE: Duration = Duration::from_secs(3);
/// The server has spent the old refresh token, so the new one is worth some patience: a keyring that was just locked by a
/// screen saver, a virus scanner that holds the file. A login that somebody just approved is worth the same.
pub const WRITE_PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1500),
];

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
            Self::Unwritable(error) => located(error),
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
            Self::Unwritable((_, error)) => {
                write!(f, "the store can't be written ({error}), so none was begun")
            }
            Self::Busy(_) => f.write_str("another process is at it"),
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
    context: &Context,
    account: &AccountKey,
    found: &Found,
    need: &Need,
) -> Result<Renewed, Failure> {
    usable(&found.stored.credential)?;
    let valid = found.stored.credential.is_valid_for(Timestamp::now(), 0);
    let refused = matches!(need, Need::OtherThan(_));
    let wait = if valid && !refused {
        WAIT_WHILE_VALID
    } else {
        WAIT
    };
    let lock = context.vault.lock(account, wait);
    let _lock = lock
        .map_err(Failure::Unwritable)?
        .ok_or(Failure::Busy(wait.as_secs()))?;
    let now = context.vault.read(found.store, account);
    let now = now
        .map_err(|error| Failure::Other(located(error)))?
        .ok_or_else(|| Failure::Other(not_logged_in(context, account)))?;
    if need.is_met_by(&now.stored.credential, Timestamp::now()) {
        return Ok(Renewed {
            store: now.store,
            credential: Box::new(now.stored.credential),
            unsaved: None,
        });
    }
    Locked::new(context, account, now)?.renew()
}

/// RFC 6749 §6 needs a refresh token, and one that was refused is never sent again.
fn usable(credential: &Credential) -> Result<(), Failure> {
    match &credential.refresh {
        None => Err(Failure::Cannot(CannotRenew::NoRefreshToken)),
        Some(renewal) if renewal.spent => Err(Failure::Cannot(refused(renewal.begun_at))),
        Some(_) => Ok(()),
    }
}

fn refused(interrupted_at: Option<Timestamp>) -> CannotRenew {
    interrupted_at.map_or(CannotRenew::Refused, CannotRenew::Interrupted)
}

/// The account while its lock is held.
struct Locked<'a> {
    context: &'a Context,
    account: &'a AccountKey,
    store: StoreKind,
    credential: Credential,
    version: Version,
    /// The journal mark that an earlier refresh left, which was killed or got no answer.
    interrupted_at: Option<Timestamp>,
}

impl<'a> Locked<'a> {
    fn new(context: &'a Context, account: &'a AccountKey, found: Found) -> Result<Self, Failure> {
        let credential = found.stored.credential;
        usable(&credential)?;
        Ok(Self {
            context,
            account,
            store: found.store,
            interrupted_at: credential
                .refresh
                .as_ref()
                .and_then(|renewal| renewal.begun_at),
            credential,
            version: found.stored.version,
        })
    }

    fn renew(mut self) -> Result<Renewed, Failure> {
        let name = self.account.provider.as_str();
        let provider = self.context.provider(name).map_err(Failure::Other)?;
        let client = client(self.context, &provider, &self.credential);
        let with_secret = client.id.is_some() && client.secret.is_some();
        let endpoint = provider.token_endpoint_for(with_secret);
        stays_home(endpoint, &self.credential)?;
        let reserve = self.context.vault.reserve(self.store, self.account);
        let reserve = reserve.map_err(Failure::Unwritable)?;
        let begun_at = Timestamp::now();
        self.mark(Some(self.interrupted_at.unwrap_or(begun_at)), false)
            .map_err(Failure::Unwritable)?;
        let Some(renewal) = &self.credential.refresh else {
            return Err(Failure::Cannot(CannotRenew::NoRefreshToken));
        };
        let exchange = Refresh {
            http: self.context.http(),
            provider: &provider,
            endpoint,
            client: &client,
            refresh_token: &renewal.refresh_token,
            uncertain: self.interrupted_at.is_some(),
        };
        // Until the outcome is written.
        let _held = process::hold_interrupts();
        let outcome = self.context.block_on(to_its_end(exchange.run()));
        let (outcome, interrupted) = outcome.map_err(Failure::Other)?;
        let result = match outcome {
            Some(Ok((token, reply))) => {
                let new = refresh::renewed(&self.credential, token, reply.date);
                Ok(self.keep(new, reserve))
            }
            Some(Err(failed)) => Err(self.note(failed, begun_at)),
            // The mark stays: nobody knows what the server did.
            None => Err(Failure::Other(Error::Interrupted)),
        };
        match interrupted {
            true => Err(Failure::Other(Error::Interrupted)),
            false => result,
        }
    }

    /// Writes what is known of the refresh token: the journal mark before the exchange, which proves that the store can be
    /// written, and what became of it afterwards.
    fn mark(&mut self, begun_at: Option<Timestamp>, spent: bool) -> Result<(), Located> {
        if let Some(renewal) = &mut self.credential.refresh {
            renewal.begun_at = begun_at;
            renewal.spent = spent;
        }
        self.version = self.context.vault.write(
            self.store,
            self.account,
            &self.credential,
            Some(&self.version),
        )?;
        Ok(())
    }

    /// The mark stays where a request may have reached the server, and goes where none has.
    fn note(mut self, failed: refresh::Failed, begun_at: Timestamp) -> Failure {
        let this_one = failed.uncertain.then_some(begun_at);
        let interrupted_at = self.interrupted_at.or(this_one);
        // Where it can't be written, the mark of before stays, and the next refresh is as careful as need be.
        drop(self.mark(interrupted_at, failed.spent));
        if failed.spent {
            Failure::Cannot(refused(interrupted_at))
        } else {
            Failure::Exchange(failed.error)
        }
    }

    /// Writes the new credential. From here on nothing may be lost: the old refresh token is spent.
    fn keep(&self, credential: Credential, reserve: Option<Reserve>) -> Renewed {
        drop(reserve);
        let mut unsaved = None;
        for pause in WRITE_PAUSES {
            thread::sleep(pause);
            let written = self.context.vault.write(
                self.store,
                self.account,
                &credential,
                Some(&self.version),
            );
            match written {
                Err((_, StoreError::Conflict)) | Ok(_) => {
                    // In a conflict, a login that did not wait for our lock was quicker; what it stored is newer than ours.
                    unsaved = None;
                    break;
                }
                Err(error) => unsaved = Some(error),
            }
        }
        Renewed {
            store: self.store,
            credential: Box::new(credential),
            unsaved,
        }
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
pub fn client(context: &Context, provider: &Provider, credential: &Credential) -> Client {
    let configured = provider.client_id.as_ref();
    let issued_to = credential.client_id.as_ref();
    let same = configured.is_none() || issued_to.is_none() || configured == issued_to;
    let secret = same.then(|| context.client_secret(provider)).flatten();
    Client {
        id: issued_to.or(configured).cloned(),
        secret: secret.or_else(|| credential.client_secret.clone()),
    }
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
