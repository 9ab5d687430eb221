//! The operating system's keyring: service `seo-auth`, user `<provider>/<profile>`, and each call with a deadline.

mod entries;
mod waiting;

use std::time::Duration;

use zeroize::Zeroizing;

use crate::credential::{AccountKey, Credential};
use crate::store::split::{self, Entries};
use crate::store::{Store, StoreError, StoreKind, Stored, Version, decode, encode};

use entries::{Keyring, Reach};
pub use waiting::Person;

/// Bytes in one entry: `CRED_MAX_CREDENTIAL_BLOB_SIZE` of the Credential Manager. Other keyrings have no limit to meet.
const ENTRY_LIMIT: Option<usize> = if cfg!(windows) { Some(2_560) } else { None };

/// A dialog outlives our patience by this, so that nothing else is begun meanwhile.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Credentials in the keyring.
pub struct KeyringStore {
    reach: Reach,
    person: Person,
}

impl KeyringStore {
    /// Nothing is opened before the first call. `bus` is the D-Bus address of the session bus, on which a Secret Service
    /// is talked to by a client of our own (the module `secret_service` says what it does, and gives up); where secrets
    /// may not be sent so, `direct` is `false`.
    pub fn new(bus: Option<String>, direct: bool, person: Person) -> Self {
        let dialog = person
            .sees_dialogs
            .then(|| person.patience.max(waiting::DEADLINE) + LAST_WORD);
        let reach = Reach {
            bus,
            direct,
            dialog,
        };
        Self { reach, person }
    }

    fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Keyring<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reach = self.reach.clone();
        waiting::within_deadline(&self.person, move |asks| {
            // What the crate calls there asks by itself, and doesn't say so.
            if cfg!(any(target_os = "macos", windows)) {
                asks();
            }
            call(&Keyring {
                reach: &reach,
                asks,
            })
        })
    }

    /// It needs no thread, for none of its waits is without an end.
    #[cfg(target_os = "linux")]
    fn read_at_once(&self, user: &str) -> Option<Option<Zeroizing<Vec<u8>>>> {
        crate::process::take_signals_over();
        let stuck = waiting::is_stuck();
        (!stuck).then(|| entries::read_at_once(&self.reach, user))?
    }

    #[cfg(not(target_os = "linux"))]
    fn read_at_once(&self, _: &str) -> Option<Option<Zeroizing<Vec<u8>>>> {
        None
    }

    /// The program behind it, for people: `gnome-keyring-daemon`, the Keychain. `None` where it can't be told.
    pub fn service(&self) -> Option<String> {
        if cfg!(target_os = "macos") {
            Some("the Keychain".to_owned())
        } else if cfg!(windows) {
            Some("the Credential Manager".to_owned())
        } else {
            self.reach.bus.as_deref().and_then(program_on)
        }
    }
}

impl Store for KeyringStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Keyring
    }

    fn read(&self, account: &AccountKey) -> Result<Option<Stored>, StoreError> {
        let user = account.to_string();
        let record = match self.read_at_once(&user) {
            Some(record) => record,
            None => self.call(move |keyring| split::read(keyring, &user))?,
        };
        let Some(record) = record else {
            return Ok(None);
        };
        let credential = decode(&record).map_err(|flaw| StoreError::corrupt(account, flaw))?;
        let version = Version::of(&record);
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
        let record = encode(credential)?;
        let version = Version::of(&record);
        let (user, replaces) = (account.to_string(), replaces.cloned());
        self.call(move |keyring| write_record(keyring, &user, &record, replaces.as_ref()))?;
        Ok(version)
    }

    fn delete(&self, account: &AccountKey) -> Result<bool, StoreError> {
        let user = account.to_string();
        self.call(move |keyring| delete_record(keyring, &user))
    }

    fn accounts(&self) -> Result<Vec<AccountKey>, StoreError> {
        let users = self.call(|keyring| keyring.users())?;
        // A probe's or a part's is no account's.
        Ok(users.iter().filter_map(|user| user.parse().ok()).collect())
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.call(probe)
    }
}

#[cfg(target_os = "linux")]
fn program_on(bus: &str) -> Option<String> {
    let process = crate::store::secret_service::process(bus)?;
    let line = std::fs::read(format!("/proc/{process}/cmdline")).ok()?;
    let program = String::from_utf8_lossy(line.split(|byte| *byte == 0).next()?).into_owned();
    let name = std::path::Path::new(&program).file_name()?.to_str()?;
    Some(crate::text::printable(name, SHOWN_PROGRAM))
}

/// The longest name of a file (`NAME_MAX`).
#[cfg(target_os = "linux")]
const SHOWN_PROGRAM: usize = 255;

#[cfg(not(target_os = "linux"))]
fn program_on(_bus: &str) -> Option<String> {
    None
}

fn write_record(
    keyring: &Keyring<'_>,
    user: &str,
    record: &[u8],
    replaces: Option<&Version>,
) -> Result<(), StoreError> {
    if replaces.is_some() {
        let current = split::read(keyring, user)?.map(|record| Version::of(&record));
        if current.as_ref() != replaces {
            return Err(StoreError::Conflict);
        }
    }
    match ENTRY_LIMIT {
        Some(limit) => split::write(keyring, user, record, limit),
        None => keyring.set(user, record),
    }
}

fn delete_record(keyring: &Keyring<'_>, user: &str) -> Result<bool, StoreError> {
    match ENTRY_LIMIT {
        Some(_) => split::delete(keyring, user),
        None => keyring.remove(user),
    }
}

/// Two logins at once seldom meet in one of so many test entries, and those that were killed leave no more than these behind.
const PROBES: u8 = 16;
/// Whoever meets another login, which takes the entry away before it is read back, takes another one.
const PROBE_TRIES: usize = 4;

fn probe(keyring: &Keyring<'_>) -> Result<(), StoreError> {
    let text = b"written by a probe";
    let mut user = String::new();
    for _ in 0..PROBE_TRIES {
        user = format!("probe.{}", rand::random_range(0..PROBES));
        keyring.set(&user, text)?;
        let back = keyring.get(&user);
        keyring.remove(&user)?;
        match back? {
            Some(back) if *back == text => return Ok(()),
            Some(_) => break,
            None => {}
        }
    }
    Err(StoreError::corrupt(
        &user,
        "the test entry can't be read back",
    ))
}
