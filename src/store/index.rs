//! The account index: which account lies in which store. It holds no secret, and can be rebuilt from the stores.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::credential::AccountKey;
use crate::paths::read_bounded;
use crate::store::{StoreError, StoreKind, lock, private};

/// The index file, and where its lock lies.
#[derive(Debug)]
pub struct Index {
    file: PathBuf,
    lock: PathBuf,
}

/// The file as it is written. A field that this version does not know is not kept.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    accounts: BTreeMap<String, StoreKind>,
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The newest that is known. Raised with each kind of store: an older program takes an index that names a kind that it does
/// not know for a damaged one, and a newer version it leaves alone.
const VERSION: u32 = 2;

/// A hundred thousand accounts have less.
const MAX_FILE: u64 = 8 << 20;

/// Since which version of the index there is this kind.
const fn since(kind: StoreKind) -> u32 {
    match kind {
        StoreKind::Keyring | StoreKind::File => 1,
        StoreKind::Vault => 2,
    }
}

impl Index {
    /// The index at `file`; it need not exist.
    pub fn new(file: PathBuf, locks_dir: PathBuf) -> Self {
        Self {
            file,
            lock: locks_dir.join("index.lock"),
        }
    }

    /// Whether the file is there, whatever it holds.
    pub fn exists(&self) -> bool {
        self.file.exists()
    }

    /// Whether what it listed can be learnt from the stores only: the file is gone, or damaged.
    pub fn is_lost(&self) -> bool {
        !self.exists() || matches!(self.entries(), Err(StoreError::Corrupt { .. }))
    }

    /// Every account with its store; none where the file is missing.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the file is no index: [`Index::rebuild`] it from the stores. [`StoreError::Newer`] where
    /// it is one that only a newer version can read, and must not be replaced.
    pub fn entries(&self) -> Result<BTreeMap<AccountKey, StoreKind>, StoreError> {
        match read_bounded(&self.file, MAX_FILE) {
            Ok(bytes) => self.parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(self.corrupt(format!("it has more than {} MiB", MAX_FILE >> 20)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(StoreError::io(&self.file)(error)),
        }
    }

    /// Notes that the account lies in that store.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn set(&self, account: &AccountKey, store: StoreKind) -> Result<(), StoreError> {
        self.amend([(account.clone(), Some(store))])
    }

    /// # Errors
    /// The index cannot be read or written.
    pub fn remove(&self, account: &AccountKey) -> Result<(), StoreError> {
        self.amend([(account.clone(), None)])
    }

    /// Puts back what an index listed that is gone or damaged. What another program put on it in the meantime stays.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn rebuild(&self, held: &BTreeMap<AccountKey, StoreKind>) -> Result<(), StoreError> {
        let _held = lock::hold_for_rewrite(&self.lock)?;
        let mut entries = held.clone();
        match self.entries() {
            Err(StoreError::Corrupt { .. }) => {}
            present => entries.extend(present?),
        }
        self.write(&entries)
    }

    /// Proves that the index can be written; what it holds stays.
    ///
    /// # Errors
    /// It cannot, or a newer version wrote it.
    pub fn probe(&self) -> Result<(), StoreError> {
        let _held = lock::hold_for_rewrite(&self.lock)?;
        match self.entries() {
            Ok(_) | Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
        private::probe(&self.file).map_err(StoreError::io(&self.file))
    }

    /// Notes where accounts lie, and forgets those that lie nowhere (`None`), in one rewrite under the index's lock; where
    /// nothing changes, nothing is written.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn amend(
        &self,
        changes: impl IntoIterator<Item = (AccountKey, Option<StoreKind>)>,
    ) -> Result<(), StoreError> {
        let mut changes = changes.into_iter().peekable();
        if changes.peek().is_none() {
            return Ok(());
        }
        let _held = lock::hold_for_rewrite(&self.lock)?;
        let mut entries = self.entries()?;
        let mut changed = false;
        for (account, store) in changes {
            changed |= match store {
                Some(store) => entries.insert(account, store) != Some(store),
                None => entries.remove(&account).is_some(),
            };
        }
        if changed {
            self.write(&entries)?;
        }
        Ok(())
    }

    fn parse(&self, bytes: &[u8]) -> Result<BTreeMap<AccountKey, StoreKind>, StoreError> {
        // What a newer version writes besides its number is not known.
        if let Ok(Versioned { version }) = serde_json::from_slice(bytes)
            && version > VERSION
        {
            return Err(StoreError::Newer(self.file.clone()));
        }
        let content: Content =
            serde_json::from_slice(bytes).map_err(|error| self.corrupt(error.to_string()))?;
        // One by one: `collect` would sort them first, and each kind of map has 3 kB of code for that.
        let mut entries = BTreeMap::new();
        for (text, store) in content.accounts {
            let no_account =
                |_| self.corrupt(format!("`{}` is not an account", text.escape_debug()));
            entries.insert(text.parse().map_err(no_account)?, store);
        }
        Ok(entries)
    }

    fn write(&self, entries: &BTreeMap<AccountKey, StoreKind>) -> Result<(), StoreError> {
        let mut content = Content {
            // An index that an older program can read stays readable to it.
            version: entries.values().copied().map(since).max().unwrap_or(1),
            accounts: BTreeMap::new(),
        };
        for (account, store) in entries {
            content.accounts.insert(account.to_string(), *store);
        }
        serde_json::to_vec_pretty(&content)
            .map_err(io::Error::from)
            .and_then(|mut bytes| {
                bytes.push(b'\n');
                private::replace(&self.file, &bytes)
            })
            .map_err(StoreError::io(&self.file))
    }

    fn corrupt(&self, reason: String) -> StoreError {
        StoreError::corrupt(self.file.display(), reason)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::path::Path;

    use super::*;

    fn index(dir: &Path) -> Index {
        Index::new(dir.join("accounts.json"), dir.join("locks"))
    }

    fn account(name: &str) -> AccountKey {
        name.parse().unwrap()
    }

    #[test]
    fn entries_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path());
        assert!(index.entries().unwrap().is_empty());
        index
            .set(&account("semrush/default"), StoreKind::File)
            .unwrap();
        index
            .set(&account("ahrefs/work"), StoreKind::Keyring)
            .unwrap();
        index
            .set(&account("semrush/default"), StoreKind::Keyring)
            .unwrap();
        index.remove(&account("ahrefs/work")).unwrap();
        index.remove(&account("ahrefs/never")).unwrap();
        let expected = BTreeMap::from([(account("semrush/default"), StoreKind::Keyring)]);
        assert_eq!(index.entries().unwrap(), expected);
    }

    #[test]
    fn a_corrupt_index_is_an_error_until_it_is_rebuilt() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path());
        for wrong in [
            "",
            "{",
            "[]",
            r#"{"version":1,"accounts":{"../x":"file"}}"#,
            r#"{"version":1,"accounts":{"a/b":"attic"}}"#,
        ] {
            fs::write(dir.path().join("accounts.json"), wrong).unwrap();
            let read = index.entries();
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{wrong}");
            let written = index.set(&account("a/b"), StoreKind::File);
            assert!(
                matches!(written, Err(StoreError::Corrupt { .. })),
                "{wrong}"
            );
        }
        let entries = BTreeMap::from([(account("a/b"), StoreKind::File)]);
        index.rebuild(&entries).unwrap();
        assert_eq!(index.entries().unwrap(), entries);
    }

    #[test]
    fn an_index_of_a_newer_version_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path());
        let newer = r#"{"version":3,"accounts":[{"of":"a/b"}]}"#;
        fs::write(dir.path().join("accounts.json"), newer).unwrap();
        assert!(!index.is_lost());
        for outcome in [
            index.entries().map(drop),
            index.set(&account("a/b"), StoreKind::File),
            index.rebuild(&BTreeMap::new()),
            index.probe(),
        ] {
            assert!(matches!(outcome, Err(StoreError::Newer(_))));
        }
        let after = fs::read_to_string(dir.path().join("accounts.json")).unwrap();
        assert_eq!(after, newer);
    }

    #[test]
    fn a_rebuild_keeps_what_was_listed_in_the_meantime() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path());
        index.set(&account("a/b"), StoreKind::Keyring).unwrap();
        let held = ["a/b", "c/d"].map(|name| (account(name), StoreKind::File));
        index.rebuild(&held.into()).unwrap();
        let expected = [
            (account("a/b"), StoreKind::Keyring),
            (account("c/d"), StoreKind::File),
        ];
        assert_eq!(index.entries().unwrap(), expected.into());
    }

    #[test]
    fn writers_lose_nothing_of_each_other() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let index = index(dir.path());
                scope.spawn(move || {
                    index
                        .set(&account(&format!("p/{n}")), StoreKind::File)
                        .unwrap();
                });
            }
        });
        assert_eq!(index(dir.path()).entries().unwrap().len(), 8);
    }
}
