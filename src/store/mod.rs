//! Where credentials rest: one trait, and the errors that every store has in common.
//!
//! A read answers with a [`Version`], and a write names the version that it replaces. The account's lock
//! makes a clash rare; the version catches what slips past it.

pub mod ask;
pub mod claim;
pub mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod index;
pub mod key;
pub mod keyring;
pub mod kv2;
pub mod lock;
mod patience;
pub mod private;
pub mod reserve;
mod sealed;
#[cfg(target_os = "linux")]
mod secret_service;
mod split;
pub mod stores;
pub mod survey;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::credential::{AccountKey, Credential};

pub use reserve::Reserve;

/// The stores by the names of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// The operating system's keyring.
    Keyring,
    File,
    /// The KV version 2 engine of OpenBao or Vault.
    Vault,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::Vault => "vault",
        })
    }
}

/// Names one content of one account's record. Only its store knows what stands in it, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Version(Zeroizing<Vec<u8>>);

impl Version {
    /// Of a store that counts them.
    pub fn numbered(number: u64) -> Self {
        Self::of(&number.to_be_bytes())
    }

    /// Of a store that counts no versions: the record as stored.
    pub fn of(record: &[u8]) -> Self {
        Self(Zeroizing::new(record.to_vec()))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Version")
    }
}

/// A credential as it was read.
#[derive(Clone, Debug)]
pub struct Stored {
    pub credential: Credential,
    /// Whether all of it could be read; else what is needed to use the token.
    pub is_whole: bool,
    /// Names this content; a later write says that it replaces it.
    pub version: Version,
}

/// What can go wrong in any store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store is not there: no keyring service, no bus, not this platform. `auto` goes on to the next one.
    #[error("{0}")]
    Absent(String),
    /// It is there, and locked.
    #[error("{0}")]
    Locked(String),
    /// It asked its person for the password, and got none. Another store would not be what they wanted.
    #[error("the keyring stays locked: {0}")]
    StaysLocked(String),
    /// It did not answer within its deadline.
    #[error("it did not answer within {0} s")]
    TimedOut(u64),
    /// It holds something that cannot be read: cut, altered, sealed with another key, of a later version.
    #[error("{what}: {reason}")]
    Corrupt {
        /// The file or the entry.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of ours was written by a newer version of this program, and must be left as it is.
    #[error("{path} was created by a newer version of seo-auth", path = .0.display())]
    Newer(PathBuf),
    /// A file or folder of ours cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key of the sealed file is given, and is no key. A mistake in the configuration (exit code 2).
    #[error("{from} is not a key: {reason}")]
    BadKey {
        /// The variable or file that it came from.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else wrote this account since it was read.
    #[error("it was changed by another program in the meantime")]
    Conflict,
    /// The record is larger than this store can hold.
    #[error("the credential has {size} bytes, but this store can hold only {limit}")]
    TooLarge {
        /// Of the record, in bytes.
        size: usize,
        /// Of the store, in bytes.
        limit: usize,
    },
    /// The shared store's own.
    #[error(transparent)]
    Shared(#[from] kv2::fault::Fault),
    /// Anything else that the store said.
    #[error("{0}")]
    Failed(String),
}

impl StoreError {
    /// What to make of a failure at this file or folder, for `map_err`.
    pub fn io(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn corrupt(what: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self::Corrupt {
            what: what.to_string(),
            reason: reason.into(),
        }
    }

    /// Whether nobody could be asked at all: the store is absent, locked where its person can't unlock it, or does not
    /// answer.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self, Self::Absent(_) | Self::Locked(_) | Self::TimedOut(_))
    }
}

/// A [`StoreError`] with the store that it came from; `None`: a file that belongs to no store.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct Located {
    pub store: Option<StoreKind>,
    pub source: StoreError,
}

impl Located {
    /// What to make of an error of this store, for `map_err`.
    pub fn at(store: StoreKind) -> impl Fn(StoreError) -> Self {
        move |source| Self {
            store: Some(store),
            source,
        }
    }
}

/// The index, a lock.
impl From<StoreError> for Located {
    fn from(source: StoreError) -> Self {
        Self {
            store: None,
            source,
        }
    }
}

/// A place that keeps credentials.
pub trait Store {
    /// Which one it is.
    fn kind(&self) -> StoreKind;

    /// What is stored for the account; `None` where nothing is.
    ///
    /// # Errors
    /// The store is unavailable, or what it holds cannot be read. "Not found" is never an error.
    fn read(&self, account: &AccountKey) -> Result<Option<Stored>, StoreError>;

    /// Writes durably, where the stored version is `replaces` (`None`: whatever is there, or nothing).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another version is stored; else the store's failure, with the old content kept.
    fn write(
        &self,
        account: &AccountKey,
        credential: &Credential,
        replaces: Option<&Version>,
    ) -> Result<Version, StoreError>;

    /// Deletes; says whether there was something.
    ///
    /// # Errors
    /// The store is unavailable.
    fn delete(&self, account: &AccountKey) -> Result<bool, StoreError>;

    /// Every account that the store holds.
    ///
    /// # Errors
    /// The store is unavailable.
    fn accounts(&self) -> Result<Vec<AccountKey>, StoreError>;

    /// Proves that the store can be used: writes a probe entry, reads it back, deletes it.
    ///
    /// # Errors
    /// Why it cannot.
    fn probe(&self) -> Result<(), StoreError>;
}

/// Where credentials go: `store` in the file, `SEO_AUTH_STORE`, `--store`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// The keyring; where none is reachable, the sealed file.
    #[default]
    Auto,
    /// This one and nothing else.
    Only(StoreKind),
}

impl Preference {
    pub fn only(self) -> Option<StoreKind> {
        match self {
            Self::Auto => None,
            Self::Only(kind) => Some(kind),
        }
    }
}

/// A text that names no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a store is `auto`, `keyring`, `file` or `vault`")]
pub struct PreferenceError;

impl FromStr for Preference {
    type Err = PreferenceError;

    fn from_str(text: &str) -> Result<Self, PreferenceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "keyring" => Ok(Self::Only(StoreKind::Keyring)),
            "file" => Ok(Self::Only(StoreKind::File)),
            "vault" => Ok(Self::Only(StoreKind::Vault)),
            _ => Err(PreferenceError),
        }
    }
}

/// The store of a new login, proven to be usable.
pub struct Chosen<'a> {
    /// The one to write to.
    pub store: &'a dyn Store,
    /// Why it is the file and not the keyring, where `auto` had to fall back: to be told before the login starts.
    pub fallback_reason: Option<StoreError>,
}

/// Chooses and probes the store of a *new* login; an account that exists stays where it is.
///
/// `auto` takes the keyring, and the file where the keyring is out of reach. Any other failure of
/// a keyring that is there stops it: falling back silently would hide what the user has to mend.
///
/// # Errors
/// The probe's, with the store that failed.
pub fn choose<'a>(
    store: impl Fn(StoreKind) -> &'a dyn Store,
    wanted: Preference,
) -> Result<Chosen<'a>, Located> {
    let proven = |kind, fallback_reason| {
        let store = store(kind);
        store.probe().map(|()| Chosen {
            store,
            fallback_reason,
        })
    };
    let kind = wanted.only().unwrap_or(StoreKind::Keyring);
    match proven(kind, None) {
        Err(reason) if wanted == Preference::Auto && reason.is_out_of_reach() => {
            proven(StoreKind::File, Some(reason)).map_err(Located::at(StoreKind::File))
        }
        outcome => outcome.map_err(Located::at(kind)),
    }
}

/// Most records fit, so that no copy is left behind by a buffer that grew.
const USUAL_RECORD: usize = 8 << 10;

/// A credential as a store keeps it: JSON.
fn encode(credential: &Credential) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut record = Zeroizing::new(Vec::with_capacity(USUAL_RECORD));
    match serde_json::to_writer(&mut *record, credential) {
        Ok(()) => Ok(record),
        Err(error) => Err(StoreError::Failed(error.to_string())),
    }
}

/// The reverse of [`encode`]. The parser's words are dropped, for they may repeat what it read.
fn decode(record: &[u8]) -> Result<Credential, &'static str> {
    serde_json::from_slice(record).map_err(|_| "it contains no credential of seo-auth")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of which only the probe matters here.
    struct Probed(StoreKind, fn() -> Result<(), StoreError>);

    impl Store for Probed {
        fn kind(&self) -> StoreKind {
            self.0
        }

        fn read(&self, _: &AccountKey) -> Result<Option<Stored>, StoreError> {
            Ok(None)
        }

        fn write(
            &self,
            _: &AccountKey,
            _: &Credential,
            _: Option<&Version>,
        ) -> Result<Version, StoreError> {
            Err(StoreError::Conflict)
        }

        fn delete(&self, _: &AccountKey) -> Result<bool, StoreError> {
            Ok(false)
        }

        fn accounts(&self) -> Result<Vec<AccountKey>, StoreError> {
            Ok(Vec::new())
        }

        fn probe(&self) -> Result<(), StoreError> {
            self.1()
        }
    }

    /// What comes of it: the store's name, with a `!` where a reason for the fallback is given; or `failed`.
    fn chosen(
        keyring: fn() -> Result<(), StoreError>,
        file: fn() -> Result<(), StoreError>,
        wanted: Preference,
    ) -> String {
        let (keyring, file) = (
            Probed(StoreKind::Keyring, keyring),
            Probed(StoreKind::File, file),
        );
        let store = |kind| -> &dyn Store {
            match kind {
                StoreKind::Keyring => &keyring,
                _ => &file,
            }
        };
        choose(store, wanted).map_or("failed".into(), |chosen| {
            let told = if chosen.fallback_reason.is_some() {
                "!"
            } else {
                ""
            };
            format!("{}{told}", chosen.store.kind())
        })
    }

    /// Made by the program of before, to the byte: without a holder, an old record comes back as it was.
    #[test]
    fn a_record_keeps_its_form() {
        let old = include_bytes!("../../tests/it/fixtures/keyring-record-v1.json");
        let credential = decode(old).unwrap();
        assert_eq!(encode(&credential).unwrap().as_slice(), old);
    }

    #[test]
    fn a_mark_of_before_has_no_holder() {
        let mark = r#"{"refresh_token":"rt","spent":false,"begun_at":1700000000}"#;
        let renewal: crate::credential::Renewal = serde_json::from_str(mark).unwrap();
        assert!(renewal.begun_at.is_some() && renewal.holder.is_none());
    }

    fn works() -> Result<(), StoreError> {
        Ok(())
    }

    fn absent() -> Result<(), StoreError> {
        Err(StoreError::Absent(String::new()))
    }

    fn locked() -> Result<(), StoreError> {
        Err(StoreError::Locked(String::new()))
    }

    fn hangs() -> Result<(), StoreError> {
        Err(StoreError::TimedOut(3))
    }

    fn refused() -> Result<(), StoreError> {
        Err(StoreError::StaysLocked(String::new()))
    }

    fn fails() -> Result<(), StoreError> {
        Err(StoreError::Failed(String::new()))
    }

    #[test]
    fn auto_falls_back_where_no_keyring_is_reachable_and_says_why() {
        assert_eq!(chosen(works, fails, Preference::Auto), "keyring");
        for unreachable in [absent, locked, hangs] {
            assert_eq!(chosen(unreachable, works, Preference::Auto), "file!");
            assert_eq!(chosen(unreachable, fails, Preference::Auto), "failed");
        }
        for to_be_told in [refused, fails] {
            assert_eq!(chosen(to_be_told, works, Preference::Auto), "failed");
        }
    }

    #[test]
    fn a_store_that_was_asked_for_is_taken_or_it_fails() {
        for unusable in [absent, locked, refused, hangs, fails] {
            assert_eq!(
                chosen(unusable, works, Preference::Only(StoreKind::Keyring)),
                "failed"
            );
            assert_eq!(
                chosen(works, unusable, Preference::Only(StoreKind::File)),
                "failed"
            );
        }
        assert_eq!(
            chosen(works, fails, Preference::Only(StoreKind::Keyring)),
            "keyring"
        );
        assert_eq!(
            chosen(fails, works, Preference::Only(StoreKind::File)),
            "file"
        );
    }
}
