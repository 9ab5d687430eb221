//! The sealed file: versioned, 0600, replaced atomically. Its format is in `sealed.rs`, its key in `key.rs`.
//!
//! A read takes no lock, for a file is only ever replaced as a whole; a write holds a lock file of its own around
//! reading, changing and replacing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::credential::{AccountKey, Credential};
use crate::store::key::{Key, KeySource};
use crate::store::sealed::{self, Flaw, Sealed};
use crate::store::{
    Reserve, Store, StoreError, StoreKind, Stored, Version, decode, encode, lock, private,
};

/// Tens of thousands of accounts; more is no file of ours and is not read into memory.
const MAX_SIZE: u64 = 64 << 20;

/// The name of the probe's record; no account is called so, for a `/` is missing.
const PROBE: &str = "probe";

/// Credentials in one sealed file.
#[derive(Debug)]
pub struct FileStore {
    sealed_file: PathBuf,
    key: KeySource,
    last_read: Mutex<Option<Snapshot>>,
}

/// What one record holds, and its version.
type Record = (Zeroizing<Vec<u8>>, Version);

/// A file as it was read, with its key: many reads in one process parse it once.
struct Snapshot {
    /// Kept open, so that the number of its inode is not given to another file meanwhile. (An open file could not be
    /// replaced on Windows; there the time of the change tells them apart.)
    #[cfg(unix)]
    _file: File,
    stamp: Stamp,
    opened: Arc<(Sealed, Key)>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// Tells one content of the file from the next.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: Option<SystemTime>,
    len: u64,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self {
            inode,
            modified: metadata.modified().ok(),
            len: metadata.len(),
        }
    }
}

impl FileStore {
    /// The store in `sealed_file`, which need not exist yet.
    pub fn new(sealed_file: PathBuf, key: KeySource) -> Self {
        Self {
            sealed_file,
            key,
            last_read: Mutex::new(None),
        }
    }

    /// Holds the space of one more write, in a file at `path` on the same disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the disk is full, or read-only.
    pub fn reserve(&self, path: PathBuf) -> Result<Reserve, StoreError> {
        Reserve::hold(path.clone(), &self.sealed_file)
            .map_err(|source| StoreError::Io { path, source })
    }

    /// The file and its key; `None` where there is no file.
    fn open(&self) -> Result<Option<Arc<(Sealed, Key)>>, StoreError> {
        let mut last_read = self.remembered();
        if let Some(snapshot) = last_read.as_ref() {
            let current = fs::metadata(&self.sealed_file).map(|metadata| Stamp::of(&metadata));
            if current.is_ok_and(|current| current == snapshot.stamp) {
                return Ok(Some(Arc::clone(&snapshot.opened)));
            }
        }
        *last_read = self.load()?;
        Ok(last_read
            .as_ref()
            .map(|snapshot| Arc::clone(&snapshot.opened)))
    }

    fn load(&self) -> Result<Option<Snapshot>, StoreError> {
        let mut file = match File::open(&self.sealed_file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io(source)),
        };
        let stamp = Stamp::of(&file.metadata().map_err(|source| self.io(source))?);
        if stamp.len > MAX_SIZE {
            return Err(self.corrupt("it is too large"));
        }
        let key = self.key.read()?.ok_or_else(|| self.key_is_gone())?;
        // The file never changes in place, so one read of its length is all of it.
        let mut bytes = vec![0; usize::try_from(stamp.len).unwrap_or(usize::MAX)];
        file.read_exact(&mut bytes)
            .map_err(|source| self.io(source))?;
        let sealed = Sealed::parse(bytes, &key).map_err(|flaw| self.corrupt(flaw))?;
        Ok(Some(Snapshot {
            #[cfg(unix)]
            _file: file,
            stamp,
            opened: Arc::new((sealed, key)),
        }))
    }

    /// What a writer that holds the lock starts from.
    fn open_for_change(&self) -> Result<Arc<(Sealed, Key)>, StoreError> {
        match self.open()? {
            Some(opened) => Ok(opened),
            None => Ok(Arc::new((Sealed::empty(), self.key.read_or_generate()?))),
        }
    }

    /// Replaces the file by one in which `name` holds `text`, and names the version. The caller holds the lock.
    fn put(&self, name: &str, text: &[u8]) -> Result<Version, StoreError> {
        let opened = self.open_for_change()?;
        let (old, key) = &*opened;
        let record = sealed::seal(name, text, key).map_err(|source| self.io(source))?;
        self.replace(old.with(name, Some(&record), key))?;
        Ok(Version::of(&record))
    }

    /// Replaces the file by one without `name`. The caller holds the lock.
    fn take_out(&self, name: &str) -> Result<(), StoreError> {
        let opened = self.open_for_change()?;
        let (old, key) = &*opened;
        self.replace(old.with(name, None, key))
    }

    fn replace(&self, bytes: io::Result<Vec<u8>>) -> Result<(), StoreError> {
        bytes
            .and_then(|bytes| private::replace(&self.sealed_file, &bytes))
            .map_err(|source| self.io(source))
    }

    /// Held around reading, changing and replacing, which begins with the file itself and not with what is remembered.
    fn lock(&self) -> Result<File, StoreError> {
        let held = lock::hold_for_rewrite(&private::beside(&self.sealed_file, ".lock"))?;
        *self.remembered() = None;
        Ok(held)
    }

    fn remembered(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.last_read
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn version_of(&self, name: &str) -> Result<Option<Version>, StoreError> {
        Ok(self
            .open()?
            .and_then(|opened| opened.0.record(name).map(Version::of)))
    }

    fn text_of(&self, name: &str) -> Result<Option<Record>, StoreError> {
        let Some(opened) = self.open()? else {
            return Ok(None);
        };
        let (sealed, key) = &*opened;
        let text = sealed
            .open(name, key)
            .map_err(|flaw| self.corrupt_record(name, flaw))?;
        Ok(text.zip(sealed.record(name).map(Version::of)))
    }

    fn key_is_gone(&self) -> StoreError {
        let key_file = self.key.generated_file().unwrap_or(Path::new("its key"));
        self.corrupt(&format!("its key file {} is missing", key_file.display()))
    }

    fn corrupt(&self, reason: &str) -> StoreError {
        StoreError::Corrupt {
            what: self.sealed_file.display().to_string(),
            reason: reason.to_owned(),
        }
    }

    fn corrupt_record(&self, name: &str, flaw: Flaw) -> StoreError {
        StoreError::Corrupt {
            what: format!("{name} in {}", self.sealed_file.display()),
            reason: flaw.to_owned(),
        }
    }

    fn io(&self, source: io::Error) -> StoreError {
        StoreError::Io {
            path: self.sealed_file.clone(),
            source,
        }
    }
}

impl Store for FileStore {
    fn kind(&self) -> StoreKind {
        StoreKind::File
    }

    fn read(&self, account: &AccountKey) -> Result<Option<Stored>, StoreError> {
        let name = account.to_string();
        let Some((text, version)) = self.text_of(&name)? else {
            return Ok(None);
        };
        let credential = decode(&text).map_err(|flaw| self.corrupt_record(&name, flaw))?;
        Ok(Some(Stored {
            credential,
            version,
        }))
    }

    fn write(
        &self,
        account: &AccountKey,
        credential: &Credential,
        replaces: Option<&Version>,
    ) -> Result<Version, StoreError> {
        let text = encode(credential)?;
        let name = account.to_string();
        let _held = self.lock()?;
        if replaces.is_some() && self.version_of(&name)?.as_ref() != replaces {
            return Err(StoreError::Conflict);
        }
        self.put(&name, &text)
    }

    fn delete(&self, account: &AccountKey) -> Result<bool, StoreError> {
        let name = account.to_string();
        // Where nothing is, nothing is locked, made or rewritten.
        if self.version_of(&name)?.is_none() {
            return Ok(false);
        }
        let _held = self.lock()?;
        let present = self.version_of(&name)?.is_some();
        if present {
            self.take_out(&name)?;
        }
        Ok(present)
    }

    fn accounts(&self) -> Result<Vec<AccountKey>, StoreError> {
        let Some(opened) = self.open()? else {
            return Ok(Vec::new());
        };
        // The probe's name is no account's.
        Ok(opened
            .0
            .names()
            .filter_map(|name| name.parse().ok())
            .collect())
    }

    fn probe(&self) -> Result<(), StoreError> {
        let _held = self.lock()?;
        let text = b"written by a probe".as_slice();
        self.put(PROBE, text)?;
        let back = self.text_of(PROBE);
        self.take_out(PROBE)?;
        match back? {
            Some((back, _)) if *back == text => Ok(()),
            _ => Err(self.corrupt("what was written does not come back")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Timestamp;
    use crate::secret::{AccessToken, StoreKey};

    use super::*;

    fn store(dir: &Path) -> FileStore {
        let key = KeySource::Generated(dir.join("config/key"));
        FileStore::new(dir.join("state/credentials.sealed"), key)
    }

    fn store_with_key(dir: &Path, key: &str) -> FileStore {
        let key = KeySource::Text(StoreKey::new(key.repeat(32)));
        FileStore::new(dir.join("state/credentials.sealed"), key)
    }

    fn account(name: &str) -> AccountKey {
        name.parse().unwrap()
    }

    fn credential(token: &str) -> Credential {
        Credential {
            access_token: AccessToken::new(token.into()),
            token_type: "Bearer".into(),
            scope: vec!["user.id".into()],
            obtained_at: Timestamp::from_epoch(1),
            expires_at: None,
            clock_skew: 0,
            refresh: None,
            token_endpoint: "https://as.example/token".into(),
            revocation_endpoint: None,
            client_id: None,
            client_secret: None,
        }
    }

    #[test]
    fn credentials_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let (one, two) = (account("semrush/default"), account("ahrefs/work"));
        assert!(store.read(&one).unwrap().is_none());
        assert!(store.accounts().unwrap().is_empty());
        store.write(&one, &credential("1"), None).unwrap();
        store.write(&two, &credential("2"), None).unwrap();
        assert_eq!(
            store.read(&one).unwrap().unwrap().credential,
            credential("1")
        );
        assert_eq!(store.accounts().unwrap(), [two.clone(), one.clone()]);
        assert!(store.delete(&one).unwrap());
        assert!(!store.delete(&one).unwrap());
        assert!(store.delete(&two).unwrap());
        assert!(store.read(&two).unwrap().is_none());
        assert!(store.accounts().unwrap().is_empty());
    }

    #[test]
    fn a_reader_sees_what_another_process_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let (reader, writer) = (store(dir.path()), store(dir.path()));
        let account = account("semrush/default");
        // Of equal length and within one tick of the clock: only the inode tells these files apart.
        for token in ["a", "b", "c", "d", "e", "f"] {
            let version = writer.write(&account, &credential(token), None).unwrap();
            let read = reader.read(&account).unwrap().unwrap();
            assert_eq!(read.credential, credential(token));
            assert_eq!(read.version, version);
        }
    }

    #[test]
    fn a_write_names_the_version_that_it_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let account = account("semrush/default");
        let first = store.write(&account, &credential("1"), None).unwrap();
        let second = store
            .write(&account, &credential("1"), Some(&first))
            .unwrap();
        assert_ne!(first, second, "each write has a version of its own");
        let late = store.write(&account, &credential("3"), Some(&first));
        assert!(matches!(late, Err(StoreError::Conflict)));
        store.delete(&account).unwrap();
        let late = store.write(&account, &credential("3"), Some(&second));
        assert!(matches!(late, Err(StoreError::Conflict)));
    }

    #[test]
    fn another_key_neither_reads_nor_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let account = account("semrush/default");
        let (right, wrong) = (
            store_with_key(dir.path(), "1a"),
            store_with_key(dir.path(), "2b"),
        );
        right.write(&account, &credential("1"), None).unwrap();
        for outcome in [
            wrong.read(&account).map(drop),
            wrong.write(&account, &credential("2"), None).map(drop),
            wrong.delete(&account).map(drop),
            wrong.accounts().map(drop),
            wrong.probe(),
        ] {
            let Err(StoreError::Corrupt { reason, .. }) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(reason, sealed::WRONG_KEY);
        }
        assert!(right.read(&account).unwrap().is_some());
    }

    #[test]
    fn a_lost_key_is_never_replaced_over_data() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let account = account("semrush/default");
        store.write(&account, &credential("1"), None).unwrap();
        let key_file = dir.path().join("config/key");
        fs::rename(&key_file, dir.path().join("elsewhere")).unwrap();
        let fresh = self::store(dir.path());
        for outcome in [
            fresh.read(&account).map(drop),
            fresh.write(&account, &credential("2"), None).map(drop),
            fresh.probe(),
        ] {
            let Err(StoreError::Corrupt { reason, .. }) = outcome else {
                panic!("{outcome:?}");
            };
            assert!(reason.ends_with("is missing"), "{reason}");
        }
        assert!(!key_file.exists());
        fs::rename(dir.path().join("elsewhere"), &key_file).unwrap();
        assert!(fresh.read(&account).unwrap().is_some());
    }

    #[test]
    fn a_probe_leaves_nothing_and_needs_no_credential() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        store.probe().unwrap();
        assert!(store.accounts().unwrap().is_empty());
        store
            .write(&account("a/b"), &credential("1"), None)
            .unwrap();
        store.probe().unwrap();
        assert_eq!(store.accounts().unwrap(), [account("a/b")]);
    }

    #[test]
    fn a_read_makes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        assert!(store.read(&account("a/b")).unwrap().is_none());
        assert!(!store.delete(&account("a/b")).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn writers_at_once_lose_nothing_of_each_other() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let store = store(dir.path());
                scope.spawn(move || {
                    let account = account(&format!("p/{n}"));
                    store.write(&account, &credential("1"), None).unwrap();
                });
            }
        });
        let store = store(dir.path());
        assert_eq!(store.accounts().unwrap().len(), 8);
        for account in store.accounts().unwrap() {
            assert!(store.read(&account).unwrap().is_some());
        }
    }
}
