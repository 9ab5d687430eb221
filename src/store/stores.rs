//! All stores together, and the index that says which of them holds which account.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::credential::{AccountKey, Credential};
use crate::store::file::FileStore;
use crate::store::index::Index;
use crate::store::keyring::KeyringStore;
use crate::store::kv2::VaultStore;
use crate::store::lock::AccountLock;
use crate::store::patience::patiently;
use crate::store::{
    Chosen, Located, Preference, Reserve, Store, StoreError, StoreKind, Stored, Version, choose,
};

/// The stores of this machine, in the order of a search.
const SEARCHED: [StoreKind; 2] = [StoreKind::File, StoreKind::Keyring];

/// The keyring, the sealed file, the shared store and the index.
pub struct Stores {
    pub keyring: KeyringStore,
    file: FileStore,
    pub vault: VaultStore,
    /// Whether the shared store is the one that was named, and so is searched.
    searches_vault: bool,
    pub(super) index: Index,
    locks_dir: PathBuf,
    pub(super) only: Option<StoreKind>,
}

/// A credential, and where it was found.
#[derive(Debug)]
pub struct Found {
    pub store: StoreKind,
    pub stored: Stored,
}

impl Stores {
    /// `only`: the one store that `--store` restricts to; `searches_vault`: whether the shared store was named, there or as
    /// the usual one.
    pub fn new(
        keyring: KeyringStore,
        file: FileStore,
        vault: VaultStore,
        index: Index,
        locks_dir: PathBuf,
        only: Option<StoreKind>,
        searches_vault: bool,
    ) -> Self {
        Self {
            keyring,
            file,
            vault,
            searches_vault,
            index,
            locks_dir,
            only,
        }
    }

    fn searched(&self) -> Vec<StoreKind> {
        let vault = self.searches_vault.then_some(StoreKind::Vault);
        vault.into_iter().chain(SEARCHED).collect()
    }

    pub fn store(&self, kind: StoreKind) -> &dyn Store {
        match kind {
            StoreKind::File => &self.file,
            StoreKind::Keyring => &self.keyring,
            StoreKind::Vault => &self.vault,
        }
    }

    /// How many accounts the index says are in this store; 0 where the index cannot be read.
    pub fn count_in(&self, store: StoreKind) -> usize {
        let entries = self.index.entries().unwrap_or_default();
        entries.values().filter(|kept| **kept == store).count()
    }

    /// The store of a new login, proven to be usable.
    ///
    /// # Errors
    /// The wanted store cannot be used.
    pub fn choose(&self, wanted: Preference) -> Result<Chosen<'_>, Located> {
        choose(|kind| self.store(kind), wanted)
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
        Ok(AccountLock::acquire(&self.locks_dir, account, wait)?)
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
        held.map(Some).map_err(Located::at(store))
    }

    /// Reads the account from the store that its login put it in.
    ///
    /// # Errors
    /// That store is unavailable.
    pub fn find(&self, account: &AccountKey) -> Result<Option<Found>, Located> {
        self.find_at(self.place(account), account)
    }

    fn find_at(
        &self,
        place: Option<StoreKind>,
        account: &AccountKey,
    ) -> Result<Option<Found>, Located> {
        match place {
            Some(store) if self.lets_through(store) => self.read(store, account),
            Some(_) => Ok(None),
            None => self.find_unlisted(account),
        }
    }

    /// The same, as much of it as is needed to use the token: of a shared store one request.
    ///
    /// # Errors
    /// That store is unavailable.
    pub fn glance(&self, account: &AccountKey) -> Result<Option<Found>, Located> {
        let place = self.place(account);
        let vault = StoreKind::Vault;
        let is_there = place == Some(vault) || place.is_none() && self.searches_vault;
        if !(is_there && self.lets_through(vault)) {
            return self.find_at(place, account);
        }
        let stored = self.vault.read_token(account);
        match stored.map_err(Located::at(vault))? {
            None if place.is_none() => self.find_unlisted(account),
            stored => Ok(stored.map(|stored| Found {
                store: vault,
                stored,
            })),
        }
    }

    /// Whether `--store` names this store, and so no other.
    pub fn is_restricted_to(&self, store: StoreKind) -> bool {
        self.only == Some(store)
    }

    /// Where the index says that the account is; `None` also where the index can't be read.
    pub fn place(&self, account: &AccountKey) -> Option<StoreKind> {
        self.index.entries().ok()?.get(account).copied()
    }

    /// The store that holds the account, and that `--store` does not let through.
    pub fn left_out(&self, account: &AccountKey) -> Option<StoreKind> {
        self.place(account)
            .filter(|store| !self.lets_through(*store))
    }

    /// An account that the index does not know: lost from it, or never stored. Where a store can't be asked, nobody can tell.
    fn find_unlisted(&self, account: &AccountKey) -> Result<Option<Found>, Located> {
        for store in self.let_through() {
            match self.read(store, account) {
                Ok(Some(found)) => {
                    // A credential that was found is not hidden by an index that can't be written.
                    let _ = self.heal(account, store);
                    return Ok(Some(found));
                }
                Ok(None) => {}
                Err(error) if self.may_be_absent(store, &error.source) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Puts a credential that was found on the index. An index that is gone or damaged is made of all accounts or not at
    /// all: one that lists a part would hide the others.
    fn heal(&self, account: &AccountKey, store: StoreKind) -> Result<(), Located> {
        if self.index.is_lost() {
            self.made_anew().map(drop)
        } else {
            self.list(account, store)
        }
    }

    /// Reads the account from one store.
    ///
    /// # Errors
    /// The store is unavailable.
    pub fn read(&self, store: StoreKind, account: &AccountKey) -> Result<Option<Found>, Located> {
        let stored = self.store(store).read(account);
        let stored = stored.map_err(Located::at(store))?;
        Ok(stored.map(|stored| Found { store, stored }))
    }

    /// Writes the account to a store. A new account is put on the index by [`Stores::list`].
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
        written.map_err(Located::at(store))
    }

    /// What a new login of the account would replace, `--store` or not: where the index says that it is, else wherever it
    /// can be read.
    pub fn copies(&self, account: &AccountKey) -> Vec<Found> {
        let stores = self
            .place(account)
            .map_or(self.searched(), |store| vec![store]);
        let read = |store| self.read(store, account).ok().flatten();
        stores.into_iter().filter_map(read).collect()
    }

    /// Puts the account's place on the index; where that is damaged, it is made anew from the stores first.
    ///
    /// # Errors
    /// The index can't be written, or a store can't be asked what it listed.
    pub fn list(&self, account: &AccountKey, store: StoreKind) -> Result<(), Located> {
        match self.index.set(account, store) {
            Err(StoreError::Corrupt { .. }) => {
                let mut held = self.ask(&self.searched())?;
                held.insert(account.clone(), store);
                Ok(self.index.rebuild(&held)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Every account of these stores, with its store; where several hold one, the first.
    ///
    /// # Errors
    /// A store is there and can't be asked.
    pub(super) fn ask(
        &self,
        stores: &[StoreKind],
    ) -> Result<BTreeMap<AccountKey, StoreKind>, Located> {
        let mut held = BTreeMap::new();
        for store in stores.iter().copied() {
            match self.store(store).accounts() {
                Ok(accounts) => {
                    for account in accounts {
                        held.entry(account).or_insert(store);
                    }
                }
                Err(error) if self.may_be_absent(store, &error) => {}
                Err(error) => return Err(Located::at(store)(error)),
            }
        }
        Ok(held)
    }

    /// A store that is not there holds nothing, but where it is the only one that the user wants asked.
    fn may_be_absent(&self, store: StoreKind, error: &StoreError) -> bool {
        self.only != Some(store) && matches!(error, StoreError::Absent(_))
    }

    /// Whether `--store` lets this one through.
    pub(super) fn lets_through(&self, store: StoreKind) -> bool {
        self.only.is_none_or(|only| only == store)
    }

    pub(super) fn let_through(&self) -> Vec<StoreKind> {
        let mut stores = self.searched();
        stores.retain(|store| self.lets_through(*store));
        stores
    }

    /// What an index listed that is gone or damaged, by asking the stores; they become the new one.
    ///
    /// # Errors
    /// A store can't be asked.
    pub(super) fn made_anew(&self) -> Result<BTreeMap<AccountKey, StoreKind>, Located> {
        let held = self.ask(&self.let_through())?;
        // What can't be written now is found in the same way the next time.
        let _ = self.restore(&held);
        Ok(held)
    }

    /// An index of one store alone would hide the other's accounts, and a machine that never had a login needs none.
    pub(super) fn restore(&self, held: &BTreeMap<AccountKey, StoreKind>) -> Result<(), StoreError> {
        if self.only.is_some() || (held.is_empty() && !self.index.exists()) {
            return Ok(());
        }
        self.index.rebuild(held)
    }

    /// The accounts on the index that `--store` lets through.
    ///
    /// # Errors
    /// The index cannot be read; or it is damaged, and a store that may hold what it listed can't be asked.
    pub fn listed(&self) -> Result<Vec<AccountKey>, Located> {
        let entries = match self.index.entries() {
            Err(StoreError::Corrupt { .. }) => self.made_anew()?,
            entries => entries?,
        };
        let through = entries
            .into_iter()
            .filter(|(_, store)| self.lets_through(*store));
        Ok(through.map(|(account, _)| account).collect())
    }

    /// The same; where no index is there, the stores are asked.
    ///
    /// # Errors
    /// A store is there and can't be asked.
    pub fn all(&self) -> Result<Vec<AccountKey>, Located> {
        match self.index.exists() {
            true => self.listed(),
            false => Ok(self.made_anew()?.into_keys().collect()),
        }
    }

    /// Deletes the account from every store that `--store` lets through, and from the index. An account that the index
    /// knows in another store stays.
    pub fn delete(&self, account: &AccountKey) -> Deletion {
        let mut deletion = Deletion::default();
        if self.left_out(account).is_some() {
            return deletion;
        }
        let home = self.place(account);
        let mut still_at_home = home.is_none();
        for store in self.let_through() {
            match self.store(store).delete(account) {
                Ok(was_there) => deletion.found |= was_there,
                Err(error) if home != Some(store) && self.may_be_absent(store, &error) => {}
                Err(error) => {
                    still_at_home |= home == Some(store);
                    deletion.failed.get_or_insert(Located::at(store)(error));
                }
            }
        }
        if !still_at_home && let Err(error) = self.index.remove(account) {
            deletion.failed.get_or_insert(error.into());
        }
        deletion
    }

    /// Writes a new login, puts it on the index, and deletes what an earlier one left in another store.
    ///
    /// # Errors
    /// The store is unavailable.
    pub fn settle(
        &self,
        store: StoreKind,
        account: &AccountKey,
        credential: &Credential,
    ) -> Result<Settled, Located> {
        let before = self.place(account);
        // What was just approved can't be had again without the user.
        patiently(|| self.write(store, account, credential, None))?;
        let unlisted = self.list(account, store).err();
        let mut left_behind = None;
        for other in SEARCHED.into_iter().filter(|other| *other != store) {
            match self.store(other).delete(account) {
                // Where nothing is known to be there, it may well be unavailable: that is why the login went elsewhere.
                Err(error) if before == Some(other) => {
                    left_behind = Some(Located::at(other)(error))
                }
                _ => {}
            }
        }
        Ok(Settled {
            unlisted,
            left_behind,
        })
    }

    /// Proves, before a login, that its account could be locked and put on the index.
    ///
    /// # Errors
    /// A file of ours can't be written, or the index is a newer version's.
    pub fn prove_listing(&self, account: &AccountKey) -> Result<(), Located> {
        // Whoever holds the lock has proven it.
        self.lock(account, Duration::ZERO)?;
        Ok(self.index.probe()?)
    }
}

/// What became of a deletion.
#[derive(Debug, Default)]
pub struct Deletion {
    pub found: bool,
    /// The first store that may still hold it, for it could not be asked; everything else was deleted.
    pub failed: Option<Located>,
}

/// What a login that was stored left undone.
#[derive(Debug, Default)]
pub struct Settled {
    /// Why it is not on the index, which can be made anew.
    pub unlisted: Option<Located>,
    /// Why an earlier credential stays in another store.
    pub left_behind: Option<Located>,
}
