//! The sealed file: versioned, 0600, replaced atomically. Its format is in `sealed.rs`, its key in `key.rs`.
//!
//! A read takes no lock, for a file is only ever replaced as a whole; a write holds a lock file of its own around
//! reading, changing and replacing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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
pub struct FileStore {
    sealed_file: PathBuf,
    key: KeySource,
    /// A key that was given is read once: its file may be a pipe.
    given: OnceLock<Key>,
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
            given: OnceLock::new(),
            last_read: Mutex::new(None),
        }
    }

    /// Holds the space of one more write, in a file at `path` on the same disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the disk is full, or read-only.
    pub fn reserve(&self, path: PathBuf) -> Result<Reserve, StoreError> {
        Reserve::hold(path.clone(), &self.sealed_file).map_err(StoreError::io(&path))
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
        let failed = StoreError::io(&self.sealed_file);
        let mut file = match File::open(&self.sealed_file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let stamp = Stamp::of(&file.metadata().map_err(&failed)?);
        if stamp.len > MAX_SIZE {
            return Err(self.corrupt("it is too large"));
        }
        let key = self.read_key()?.ok_or_else(|| self.key_is_gone())?;
        // The file never changes in place, so one read of its length is all of it.
        let mut bytes = vec![0; usize::try_from(stamp.len).unwrap_or(usize::MAX)];
        file.read_exact(&mut bytes).map_err(&failed)?;
        let sealed = Sealed::parse(bytes, &key).map_err(|flaw| self.corrupt(flaw))?;
        Ok(Some(Snapshot {
            #[cfg(unix)]
            _file: file,
            stamp,
            opened: Arc::new((sealed, key)),
        }))
    }

    /// The key; `None` where a generated one does not exist yet. That one may be made, or change, at any time.
    fn read_key(&self) -> Result<Option<Key>, StoreError> {
        if let Some(key) = self.given.get() {
            return Ok(Some(key.clone()));
        }
        let key = self.key.read()?;
        if let (None, Some(key)) = (self.key.generated_file(), &key) {
            self.given.get_or_init(|| key.clone());
        }
        Ok(key)
    }

    /// What a writer that holds the lock starts from.
    fn open_for_change(&self) -> Result<Arc<(Sealed, Key)>, StoreError> {
        match self.open()? {
            Some(opened) => Ok(opened),
            None => {
                let key = self.read_key()?;
                let key = key.map_or_else(|| self.key.read_or_generate(), Ok)?;
                Ok(Arc::new((Sealed::empty(), key)))
            }
        }
    }

    /// Replaces the file by one in which `name` holds `text`, and names the version. The caller holds the lock.
    fn put(&self, name: &str, text: &[u8]) -> Result<Version, StoreError> {
        let opened = self.open_for_change()?;
        let (old, key) = &*opened;
        let record = sealed::seal(name, text, key).map_err(StoreError::io(&self.sealed_file))?;
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
            .map_err(StoreError::io(&self.sealed_file))
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
        StoreError::corrupt(self.sealed_file.display(), reason)
    }

    fn corrupt_record(&self, name: &str, flaw: Flaw) -> StoreError {
        let what = format!("{name} in {}", self.sealed_file.display());
        StoreError::corrupt(what, flaw)
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
            is_whole: true,
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
            _ => Err(self.corrupt("the test entry can't be read back")),
        }
    }
}

#[cfg(test)]
mod tests;
