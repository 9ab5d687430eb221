//! What lies where, as `status` tells it; the index is put right on the way.

use crate::credential::AccountKey;
use crate::store::stores::Stores;
use crate::store::{Located, StoreError, StoreKind, Stored};

/// What a survey says of one account.
#[derive(Debug)]
pub struct Entry {
    pub account: AccountKey,
    /// Where the index says it is, or where it was found.
    pub store: StoreKind,
    /// What is there: a credential, nothing, or an error.
    pub content: Result<Option<Stored>, StoreError>,
}

impl Stores {
    /// Every account of the index and of the stores that can be asked, with its content, where it is `wanted`. The second
    /// part says what was put right.
    ///
    /// # Errors
    /// The index cannot be read; or a store can't be asked, and the index does not say what is there.
    pub fn survey(
        &self,
        wanted: impl Fn(&AccountKey) -> bool,
    ) -> Result<(Vec<Entry>, Vec<String>), Located> {
        let mut told = Vec::new();
        let mut changes = Vec::new();
        let lost = self.index.is_lost();
        let mut known = match lost {
            true => {
                if self.index.exists() && self.only.is_none() {
                    told.push("the account index was damaged and was rebuilt".to_owned());
                }
                self.ask(&self.let_through())?
            }
            false => self.index.entries()?,
        };
        let searched = if lost { Vec::new() } else { self.let_through() };
        for store in searched {
            // A store that can't be asked shows in the accounts that the index puts there.
            let shows = known.values().any(|kept| *kept == store);
            let held = match self.ask(&[store]) {
                Err(error) if self.only.is_some() && !shows => return Err(error),
                held => held.unwrap_or_default(),
            };
            for account in held.into_keys() {
                if known.contains_key(&account) {
                    continue;
                }
                told.push(format!(
                    "{account} was found in the {store} store and added to the account index"
                ));
                changes.push((account.clone(), Some(store)));
                known.insert(account, store);
            }
        }
        known.retain(|_, store| self.lets_through(*store));
        let mut entries = Vec::with_capacity(known.len());
        for (account, store) in &known {
            if !wanted(account) {
                continue;
            }
            let content = self.store(*store).read(account);
            if let Ok(None) = content {
                told.push(format!(
                    "{account} was removed from the account index, because the {store} store does not have it"
                ));
                changes.push((account.clone(), None));
            }
            entries.push(Entry {
                account: account.clone(),
                store: *store,
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
}
