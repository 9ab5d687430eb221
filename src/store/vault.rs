//! All stores together, and the index that says which of them holds which account.

use std::collections::{BTreeMap, btree_map};
use std::path::PathBuf;
use std::time::Duration;

use super::file::FileStore;
use super::index::Index;
use super::keyring::KeyringStore;
use super::lock::AccountLock;
use super::{Chosen, Reserve, Store, StoreError, StoreKind, Stored, Version, Wanted, choose};
use crate::credential::{AccountKey, Credential};

/// The stores that a credential can lie in, in the order of a search.
const SEARCHED: [StoreKind; 2] = [StoreKind::File, StoreKind::Keyring];

/// A [`StoreError`] with the store that it came from; `None`: a file that belongs to no store.
pub type Located = (Option<StoreKind>, StoreError);

/// The keyring, the sealed file and the index.
pub struct Vault {
    keyring: KeyringStore,
    file: FileStore,
    index: Index,
    locks_dir: PathBuf,
    only: Option<StoreKind>,
}

/// A credential, and where it was found.
#[derive(Debug)]
pub struct Found {
    /// The store.
    pub store: StoreKind,
    /// What it held.
    pub stored: Stored,
}

/// What a survey says of one account.
#[derive(Debug)]
pub struct Entry {
    /// Which one.
    pub account: AccountKey,
    /// Where the index says it is, or where it was found.
    pub store: StoreKind,
    /// What is there: a credential, nothing, or an error.
    pub content: Result<Option<Stored>, StoreError>,
}

impl Vault {
    /// `only`: the one store that `--store` restricts to.
    pub fn new(
        keyring: KeyringStore,
        file: FileStore,
        index: Index,
        locks_dir: PathBuf,
        only: Option<StoreKind>,
    ) -> Self {
        Self {
            keyring,
            file,
            index,
            locks_dir,
            only,
        }
    }

    /// The store of this kind; the environment is none that can be written.
    pub fn store(&self, kind: StoreKind) -> &dyn Store {
        match kind {
            StoreKind::File => &self.file,
            StoreKind::Keyring | StoreKind::Env => &self.keyring,
        }
    }

    /// How many accounts the index says are in this store; 0 where the index cannot be read.
    pub fn count_in(&self, store: StoreKind) -> usize {
        let entries = self.index.entries().unwrap_or_default();
        entries.values().filter(|kept| **kept == store).count()
    }

    /// The program that answers as the keyring, where it can be told.
    pub fn keyring_service(&self) -> Option<String> {
        self.keyring.service()
    }

    /// The store of a new login, proven to be usable.
    ///
    /// # Errors
    /// The wanted store cannot be used.
    pub fn choose(&self, wanted: Wanted) -> Result<Chosen<'_>, Located> {
        choose(&self.keyring, &self.file, wanted).map_err(|(store, error)| (Some(store), error))
    }

    /// Takes the account's lock, waiting for at most `wait`; `None`: somebody else holds it.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub fn lock(
        &self,
        account: &AccountKey,
        wait: Duration,
    ) -> Result<Option<AccountLock>, Located> {
        AccountLock::acquire(&self.locks_dir, account, wait).map_err(|error| (None, error))
    }

    /// Holds the space that one more write of the account needs; `None` where that is not ours to do. The caller holds the
    /// account's lock.
    ///
    /// # Errors
    /// There is no such space.
    pub fn reserve(
        &self,
        store: StoreKind,
        account: &AccountKey,
    ) -> Result<Option<Reserve>, Located> {
        if store != StoreKind::File {
            return Ok(None);
        }
        let name = format!("account-{}@{}.reserve", account.provider, account.profile);
        let held = self.file.reserve(self.locks_dir.join(name));
        held.map(Some).map_err(|error| (Some(store), error))
    }

    /// Reads the account from the store that its login put it in.
    ///
    /// # Errors
    /// That store is unavailable.
    pub fn find(&self, account: &AccountKey) -> Result<Option<Found>, Located> {
        let index = self.index.entries();
        match index.as_ref().ok().and_then(|entries| entries.get(account)) {
            Some(store) if self.only.is_none_or(|only| only == *store) => {
                self.read(*store, account)
            }
            Some(_) => Ok(None),
            None => self.find_unlisted(account, index.is_ok_and(|entries| !entries.is_empty())),
        }
    }

    /// An account that the index does not know: lost from it, or never stored. Where the index is in use, a keyring that
    /// can't be asked holds nothing of ours; where it is not, nobody can tell.
    fn find_unlisted(
        &self,
        account: &AccountKey,
        index_in_use: bool,
    ) -> Result<Option<Found>, Located> {
        for store in self.let_through() {
            match self.read(store, account) {
                Ok(Some(found)) => {
                    self.list(account, store)?;
                    return Ok(Some(found));
                }
                Ok(None) | Err((_, StoreError::Absent { .. })) => {}
                Err(_) if index_in_use => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Reads the account from one store.
    ///
    /// # Errors
    /// The store is unavailable.
    pub fn read(&self, store: StoreKind, account: &AccountKey) -> Result<Option<Found>, Located> {
        let stored = self
            .store(store)
            .read(account)
            .map_err(|error| (Some(store), error))?;
        Ok(stored.map(|stored| Found { store, stored }))
    }

    /// Writes the account to a store. A new account is put on the index by [`Vault::list`].
    ///
    /// # Errors
    /// The store is unavailable, or holds another version than `replaces`.
    pub fn write(
        &self,
        store: StoreKind,
        account: &AccountKey,
        credential: &Credential,
        replaces: Option<&Version>,
    ) -> Result<Version, Located> {
        let written = self.store(store).write(account, credential, replaces);
        written.map_err(|error| (Some(store), error))
    }

    /// Puts the account's place on the index.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn list(&self, account: &AccountKey, store: StoreKind) -> Result<(), Located> {
        match self.index.set(account, store) {
            // No login is lost to an index that can be made anew.
            Err(StoreError::Corrupt { .. }) => {
                let mut held = self.held();
                held.insert(account.clone(), store);
                self.index.rebuild(&held)
            }
            outcome => outcome,
        }
        .map_err(|error| (None, error))
    }

    /// The index; where it is corrupt, it is made anew from the stores first.
    fn entries(&self) -> Result<BTreeMap<AccountKey, StoreKind>, Located> {
        let entries = match self.index.entries() {
            Err(StoreError::Corrupt { .. }) => {
                let held = self.held();
                self.index.rebuild(&held).map(|()| held)
            }
            entries => entries,
        };
        entries.map_err(|error| (None, error))
    }

    /// Every account of the stores that can be asked, with its store; the sealed file's first, as in a search.
    fn held(&self) -> BTreeMap<AccountKey, StoreKind> {
        self.held_in(SEARCHED)
    }

    fn held_in(
        &self,
        stores: impl IntoIterator<Item = StoreKind>,
    ) -> BTreeMap<AccountKey, StoreKind> {
        let mut held = BTreeMap::new();
        for store in stores {
            for account in self.store(store).accounts().unwrap_or_default() {
                held.entry(account).or_insert(store);
            }
        }
        held
    }

    fn all_can_be_asked(&self) -> Result<(), Located> {
        for store in self.let_through() {
            match self.store(store).accounts() {
                Ok(_) | Err(StoreError::Absent { .. }) => {}
                Err(error) => return Err((Some(store), error)),
            }
        }
        Ok(())
    }

    /// The stores that `--store` lets through.
    fn let_through(&self) -> impl Iterator<Item = StoreKind> {
        SEARCHED
            .into_iter()
            .filter(|store| self.only.is_none_or(|only| only == *store))
    }

    /// The accounts on the index that `--store` lets through.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn listed(&self) -> Result<Vec<AccountKey>, Located> {
        let through = self
            .entries()?
            .into_iter()
            .filter(|(_, store)| self.only.is_none_or(|only| only == *store));
        Ok(through.map(|(account, _)| account).collect())
    }

    /// The accounts of an index that is not there: of one that was lost, by asking the stores; none on a machine that never
    /// had any.
    ///
    /// # Errors
    /// A store is there and can't be asked, or the index can't be written.
    pub fn recovered(&self) -> Result<Vec<AccountKey>, Located> {
        if self.index.exists() {
            return Ok(Vec::new());
        }
        let mut held = BTreeMap::new();
        for store in self.let_through() {
            match self.store(store).accounts() {
                Ok(accounts) => {
                    for account in accounts {
                        held.entry(account).or_insert(store);
                    }
                }
                Err(StoreError::Absent { .. }) => {}
                Err(error) => return Err((Some(store), error)),
            }
        }
        let found = held.keys().cloned().collect();
        // An index of one store alone would hide the other's accounts.
        if self.only.is_none() {
            let entries = held
                .into_iter()
                .map(|(account, store)| (account, Some(store)));
            self.index.amend(entries).map_err(|error| (None, error))?;
        }
        Ok(found)
    }

    /// Deletes the account from every store that can be asked, and from the index. Says whether anything was there.
    ///
    /// # Errors
    /// The store that the index names could not be asked; everything else was deleted.
    pub fn delete(&self, account: &AccountKey) -> Result<bool, Located> {
        let home = self.entries()?.get(account).copied();
        let mut found = false;
        let mut failed = None;
        for store in SEARCHED {
            match self.store(store).delete(account) {
                Ok(was_there) => found |= was_there,
                Err(error) if home == Some(store) => failed = Some((Some(store), error)),
                // Not its home: there is nothing of this account, as far as anybody knows.
                Err(_) => {}
            }
        }
        if let Some(failed) = failed {
            return Err(failed);
        }
        self.index.remove(account).map_err(|error| (None, error))?;
        Ok(found)
    }

    /// Every account of the index and of the stores that can be asked, with its content; the index is healed on the way.
    /// The second part says what was healed.
    ///
    /// # Errors
    /// The index cannot be written; or it is not there, and a store that may hold what it listed can't be asked.
    pub fn survey(&self) -> Result<(Vec<Entry>, Vec<String>), Located> {
        if !self.index.exists() {
            self.all_can_be_asked()?;
        }
        let mut healed = Vec::new();
        if let Err(StoreError::Corrupt { reason, .. }) = self.index.entries() {
            healed.push(format!(
                "the account index could not be read ({reason}) and was made anew"
            ));
        }
        let mut known = self.entries()?;
        let mut changes = Vec::new();
        // A store that cannot be asked shows in the entries that the index puts there.
        for (account, store) in self.held_in(self.let_through()) {
            if let btree_map::Entry::Vacant(place) = known.entry(account) {
                healed.push(format!(
                    "{} was found in the {store} store and put on the index",
                    place.key()
                ));
                changes.push((place.key().clone(), Some(store)));
                place.insert(store);
            }
        }
        known.retain(|_, store| self.only.is_none_or(|only| only == *store));
        let mut entries = Vec::with_capacity(known.len());
        for (account, store) in known {
            let content = self.store(store).read(&account);
            if let Ok(None) = content {
                healed.push(format!(
                    "{account} was on the account index, and the {store} store does not have it; taken off the index"
                ));
                changes.push((account.clone(), None));
            }
            entries.push(Entry {
                account,
                store,
                content,
            });
        }
        // In one go: each rewrite waits for the disk, and an index that was lost may want a thousand.
        self.index.amend(changes).map_err(|error| (None, error))?;
        Ok((entries, healed))
    }
}
