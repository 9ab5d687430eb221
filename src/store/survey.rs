//! What lies where, as `status` tells it; the index is healed on the way.

use std::collections::{BTreeMap, btree_map};

use super::{Located, Vault};
use crate::credential::AccountKey;
use crate::store::{StoreError, StoreKind, Stored};

/// What a survey says of one account.
#[derive(Debug)]
pub struct Entry {
    pub account: AccountKey,
    /// Where the index says it is, or where it was found.
    pub store: StoreKind,
    /// What is there: a credential, nothing, or an error.
    pub content: Result<Option<Stored>, StoreError>,
}

impl Vault {
    /// Every account of the index and of the stores that can be asked, with its content, where it is `wanted`; the index is
    /// healed on the way. The second part says what was healed.
    ///
    /// # Errors
    /// The index cannot be read; or a store can't be asked, and the index does not say what is there.
    pub fn survey(
        &self,
        wanted: impl Fn(&AccountKey) -> bool,
    ) -> Result<(Vec<Entry>, Vec<String>), Located> {
        let mut told = Vec::new();
        let lost = self.index.is_lost();
        let mut known = match self.index.entries() {
            Err(StoreError::Corrupt { reason, .. }) => {
                told.push(format!(
                    "the account index could not be read ({reason}) and was rebuilt"
                ));
                BTreeMap::new()
            }
            entries => entries.map_err(|error| (None, error))?,
        };
        let mut changes = Vec::new();
        for (account, store) in self.held(&known, lost)? {
            if let btree_map::Entry::Vacant(place) = known.entry(account) {
                told.push(format!(
                    "{} was found in the {store} store and put on the index",
                    place.key()
                ));
                changes.push((place.key().clone(), Some(store)));
                place.insert(store);
            }
        }
        known.retain(|_, store| self.lets_through(*store));
        let mut entries = Vec::with_capacity(known.len());
        if lost && self.only.is_some() {
            // Nothing is healed by what one store says.
            told.clear();
        }
        for (account, store) in known
            .clone()
            .into_iter()
            .filter(|(account, _)| wanted(account))
        {
            let content = self.store(store).read(&account);
            if let Ok(None) = content {
                told.push(format!(
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
        let written = match lost {
            true => self.restore(&known),
            false => self.index.amend(changes),
        };
        if let Err(error) = written {
            told.push(format!("the account index can't be written: {error}"));
        }
        Ok((entries, told))
    }

    /// What a survey finds besides the index.
    fn held(
        &self,
        known: &BTreeMap<AccountKey, StoreKind>,
        lost: bool,
    ) -> Result<BTreeMap<AccountKey, StoreKind>, Located> {
        let mut held = BTreeMap::new();
        for store in self.let_through() {
            // A store that can't be asked shows in the accounts that the index puts there.
            let shows = known.values().any(|kept| *kept == store);
            match self.ask(&[store]) {
                Ok(accounts) => {
                    for account in accounts.into_keys() {
                        held.entry(account).or_insert(store);
                    }
                }
                Err(_) if !lost && (shows || self.only.is_none()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }
}
