//! One process at a time renews an account. A claim is the lock, the space that the outcome needs, and a mark in the record
//! which says who is at work, and until when: the mark also reaches whoever shares the store and not the lock.

use std::thread;
use std::time::{Duration, Instant};

pub use super::ask::Claimed;
use super::ask::{Ask, Outcome};
use super::lock::AccountLock;
use super::patience::patiently;
use super::stores::Stores;
use super::{Located, Reserve, StoreError, StoreKind, Version, kv2};
use crate::clock::Timestamp;
use crate::credential::{AccountKey, Credential, Holder};

/// Between two looks at a record that somebody else is at work on: an exchange takes some tenths of a second.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// An account that no other process renews. Dropped without a word, its mark stays: nobody knows what the server did.
pub enum Claim<'a> {
    Local(Local<'a>),
    /// In a shared store, which has rules of its own.
    Shared(kv2::Held<'a>),
}

/// By the lock of this machine.
pub struct Local<'a> {
    stores: &'a Stores,
    store: StoreKind,
    account: &'a AccountKey,
    /// As it was read, with the mark.
    credential: Credential,
    version: Version,
    reserve: Option<Reserve>,
    _lock: AccountLock,
    begun_at: Timestamp,
    /// When an earlier refresh was begun that was killed or got no answer.
    interrupted_at: Option<Timestamp>,
}

impl Stores {
    /// Claims the account, which proves that its store can be written.
    ///
    /// # Errors
    /// The lock can't be made, or the store can't be read or written.
    pub fn claim<'a>(&'a self, ask: &Ask<'a>) -> Result<Claimed<Claim<'a>>, Located> {
        if ask.store == StoreKind::Vault {
            let claimed = self.vault.claim(ask);
            return Ok(match claimed.map_err(Located::at(ask.store))? {
                Claimed::Mine(held) => Claimed::Mine(Box::new(Claim::Shared(*held))),
                Claimed::Unwanted(credential) => Claimed::Unwanted(credential),
                Claimed::Gone => Claimed::Gone,
                Claimed::Busy => Claimed::Busy,
            });
        }
        let deadline = Instant::now() + ask.wait;
        let Some(lock) = self.lock(ask.account, ask.wait)? else {
            return Ok(Claimed::Busy);
        };
        loop {
            let Some(found) = self.read(ask.store, ask.account)? else {
                return Ok(Claimed::Gone);
            };
            let (credential, version) = (found.stored.credential, found.stored.version);
            if !(ask.wanted)(&credential) {
                return Ok(Claimed::Unwanted(Box::new(credential)));
            }
            if !is_held_elsewhere(&credential, &lock, ask.lease) {
                let reserve = self.reserve(ask.store, ask.account)?;
                let begun_at = Timestamp::now();
                let (marked, interrupted_at) = marked(credential, begun_at, &lock, ask.lease);
                match self.write(ask.store, ask.account, &marked, Some(&version)) {
                    Ok(version) => {
                        return Ok(Claimed::Mine(Box::new(Claim::Local(Local {
                            stores: self,
                            store: ask.store,
                            account: ask.account,
                            credential: marked,
                            version,
                            reserve,
                            _lock: lock,
                            begun_at,
                            interrupted_at,
                        }))));
                    }
                    // Somebody without our lock was quicker: what they wrote is what counts.
                    Err(Located {
                        source: StoreError::Conflict,
                        ..
                    }) => {}
                    Err(error) => return Err(error),
                }
            }
            if Instant::now() >= deadline {
                return Ok(Claimed::Busy);
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Whoever had this lock before is dead. Of a holder by another lock, its deadline tells; one that lies further ahead than
/// any lease comes of a clock that was set.
fn is_held_elsewhere(credential: &Credential, lock: &AccountLock, lease: Duration) -> bool {
    let holder = credential
        .refresh
        .as_ref()
        .and_then(|renewal| renewal.holder.as_ref());
    holder.is_some_and(|holder| {
        let left = holder.until.seconds_since(Timestamp::now());
        holder.lock != lock.identity() && left > 0 && left <= lease.as_secs().cast_signed()
    })
}

/// With the mark of who is at work; and the mark that it had.
fn marked(
    mut credential: Credential,
    begun_at: Timestamp,
    lock: &AccountLock,
    lease: Duration,
) -> (Credential, Option<Timestamp>) {
    let Some(renewal) = &mut credential.refresh else {
        return (credential, None);
    };
    let interrupted_at = renewal.begun_at;
    renewal.begun_at = Some(interrupted_at.unwrap_or(begun_at));
    renewal.holder = Some(Holder {
        lock: lock.identity().to_owned(),
        until: begun_at.plus(lease.as_secs().cast_signed()),
    });
    (credential, interrupted_at)
}

impl Claim<'_> {
    /// As it was read.
    pub fn credential(&self) -> &Credential {
        match self {
            Self::Local(claim) => &claim.credential,
            Self::Shared(held) => &held.credential,
        }
    }

    /// Whether an earlier refresh was begun that was killed or got no answer.
    pub fn is_uncertain(&self) -> bool {
        match self {
            Self::Local(claim) => claim.interrupted_at.is_some(),
            Self::Shared(held) => {
                let renewal = held.credential.refresh.as_ref();
                held.taken_over || renewal.is_some_and(|renewal| renewal.begun_at.is_some())
            }
        }
    }

    /// Whether it still is this process's alone.
    pub fn is_fresh(&self) -> bool {
        match self {
            Self::Local(_) => true,
            Self::Shared(held) => held.is_fresh(),
        }
    }

    /// Writes the new credential. From here on nothing may be lost: the old refresh token is spent.
    ///
    /// # Errors
    /// The store does not take it.
    pub fn commit(self, credential: &Credential) -> Result<(), Located> {
        match self {
            Self::Local(claim) => claim.commit(credential),
            Self::Shared(held) => {
                let committed = held.commit(credential);
                committed.map_err(Located::at(StoreKind::Vault))
            }
        }
    }

    /// Writes what became of the refresh token. Answers with the moment of the refresh whose answer was lost, if one was.
    pub fn release(self, outcome: Outcome) -> Option<Timestamp> {
        match self {
            Self::Local(claim) => claim.release(outcome),
            Self::Shared(held) => held.release(outcome),
        }
    }
}

impl Local<'_> {
    /// Writes the new credential. From here on nothing may be lost: the old refresh token is spent.
    ///
    /// # Errors
    /// The store does not take it.
    fn commit(mut self, credential: &Credential) -> Result<(), Located> {
        drop(self.reserve.take());
        let replaces = Some(&self.version);
        let write = || {
            self.stores
                .write(self.store, self.account, credential, replaces)
        };
        match patiently(write) {
            // A login that did not wait for our lock was quicker; what it stored is newer than ours.
            Ok(_)
            | Err(Located {
                source: StoreError::Conflict,
                ..
            }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes what became of the refresh token. Answers with the moment of the refresh whose answer was lost, if one was.
    fn release(mut self, outcome: Outcome) -> Option<Timestamp> {
        let interrupted_at = self
            .interrupted_at
            .or(outcome.is_lost().then_some(self.begun_at));
        if let Some(renewal) = &mut self.credential.refresh {
            renewal.begun_at = interrupted_at;
            renewal.holder = None;
            renewal.spent = matches!(outcome, Outcome::Spent { .. });
        }
        // Where it can't be written, the mark of before stays, and the next refresh is as careful as need be.
        drop(self.stores.write(
            self.store,
            self.account,
            &self.credential,
            Some(&self.version),
        ));
        interrupted_at
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::credential::Renewal;
    use crate::secret::{AccessToken, RefreshToken};
    use crate::store::file::FileStore;
    use crate::store::index::Index;
    use crate::store::key::KeySource;
    use crate::store::keyring::{KeyringStore, Person};
    use crate::store::kv2::VaultStore;
    use crate::store::kv2::fault::Fault;

    const LEASE: Duration = Duration::from_secs(25);

    /// A state folder that shares its sealed file with others.
    fn stores(shared: &Path, own: &Path) -> Stores {
        let file = FileStore::new(
            shared.join("sealed"),
            KeySource::Generated(shared.join("key")),
        );
        let index = Index::new(own.join("accounts.json"), own.join("locks"));
        let vault = VaultStore::new(Err(Fault::NotConfigured("address")), own.join("locks"));
        let nobody = Person {
            sees_dialogs: false,
            patience: Duration::ZERO,
            tell: Box::new(|| {}),
        };
        Stores::new(
            KeyringStore::new(None, false, nobody),
            file,
            vault,
            index,
            own.join("locks"),
            None,
            false,
        )
    }

    fn account() -> AccountKey {
        "semrush/default".parse().unwrap()
    }

    fn login() -> Credential {
        Credential {
            access_token: AccessToken::new("at".into()),
            token_type: "Bearer".into(),
            scope: Vec::new(),
            missing_scope: Vec::new(),
            obtained_at: Timestamp::from_epoch(0),
            expires_at: None,
            clock_skew: 0,
            refresh: Some(Renewal::fresh(RefreshToken::new("rt".into()))),
            token_endpoint: "https://as.example/token".into(),
            revocation_endpoint: None,
            client_id: None,
            client_secret: None,
            subject: None,
            mint: None,
            key_fields: Vec::new(),
        }
    }

    fn ask(account: &AccountKey) -> Ask<'_> {
        Ask {
            store: StoreKind::File,
            account,
            wait: Duration::ZERO,
            lease: LEASE,
            wanted: &|_| true,
            met: &|_| false,
            readers_wait: false,
        }
    }

    fn mine(claimed: Claimed<Claim<'_>>) -> Local<'_> {
        match claimed {
            Claimed::Mine(claim) => match *claim {
                Claim::Local(claim) => claim,
                Claim::Shared(_) => panic!("it is shared"),
            },
            _ => panic!("it is not ours"),
        }
    }

    #[test]
    fn a_mark_tells_who_is_at_work_from_who_died() {
        let dir = tempfile::tempdir().unwrap();
        let here = stores(dir.path(), &dir.path().join("here"));
        let there = stores(dir.path(), &dir.path().join("there"));
        let account = account();
        here.write(StoreKind::File, &account, &login(), None)
            .unwrap();
        let claim = mine(here.claim(&ask(&account)).unwrap());
        assert_eq!(claim.interrupted_at, None);
        let begun_at = claim.credential.refresh.as_ref().unwrap().begun_at;
        for stores in [&here, &there] {
            assert!(matches!(
                stores.claim(&ask(&account)).unwrap(),
                Claimed::Busy
            ));
        }
        // As a process that was killed leaves it.
        drop(claim);
        assert!(matches!(
            there.claim(&ask(&account)).unwrap(),
            Claimed::Busy
        ));
        let next = mine(here.claim(&ask(&account)).unwrap());
        assert_eq!(next.interrupted_at, begun_at);
        next.release(Outcome::NothingSent);
        let other = mine(there.claim(&ask(&account)).unwrap());
        assert_eq!(other.interrupted_at, begun_at);
    }

    #[test]
    fn a_mark_whose_deadline_is_past_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let here = stores(dir.path(), &dir.path().join("here"));
        let account = account();
        let now = Timestamp::now();
        for seconds in [-1, 0, 1_000] {
            let mut old = login();
            if let Some(renewal) = &mut old.refresh {
                renewal.begun_at = Some(now);
                renewal.holder = Some(Holder {
                    lock: "of another folder".into(),
                    until: now.plus(seconds),
                });
            }
            here.write(StoreKind::File, &account, &old, None).unwrap();
            let claim = mine(here.claim(&ask(&account)).unwrap());
            assert_eq!(claim.interrupted_at, Some(now), "{seconds}");
        }
    }

    #[test]
    fn what_changed_since_the_look_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let here = stores(dir.path(), &dir.path().join("here"));
        let account = account();
        here.write(StoreKind::File, &account, &login(), None)
            .unwrap();
        let renewed = Credential {
            access_token: AccessToken::new("new".into()),
            ..login()
        };
        // A login that does not wait for the lock, between the read and the mark.
        let wanted = |seen: &Credential| {
            let old = seen.access_token.expose() == "at";
            if old {
                here.write(StoreKind::File, &account, &renewed, None)
                    .unwrap();
            }
            old
        };
        let ask = Ask {
            wait: Duration::from_secs(60),
            wanted: &wanted,
            ..ask(&account)
        };
        match here.claim(&ask).unwrap() {
            Claimed::Unwanted(found) => assert_eq!(found.access_token.expose(), "new"),
            _ => panic!("it was claimed"),
        }
    }
}
