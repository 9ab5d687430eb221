//! The operating system's keyring: service `seo-auth`, user `<provider>/<profile>`, and each call with a deadline.
//!
//! Every call of the `keyring` crate runs on a plain thread of its own, for two reasons: a keyring can wait for its user,
//! or for ever, and zbus panics inside a runtime where another crate has switched its tokio feature on.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use keyring::Error;
use keyring_core::Entry;
use zeroize::Zeroizing;

use crate::credential::{AccountKey, Credential};
use crate::store::split::{self, Entries, corrupt};
use crate::store::{Store, StoreError, StoreKind, Stored, Version, decode, encode};

/// The service that all entries of ours have.
const SERVICE: &str = "seo-auth";

/// Of one operation, whatever it takes. People wait that long without a word; a command that meets a dead keyring still
/// ends within 5 s.
const DEADLINE: Duration = Duration::from_secs(3);

/// Bytes in one entry: `CRED_MAX_CREDENTIAL_BLOB_SIZE` of the Credential Manager. Other keyrings have no limit to meet.
const ENTRY_LIMIT: Option<usize> = if cfg!(windows) { Some(2_560) } else { None };

/// Credentials in the keyring.
#[derive(Debug, Default)]
pub struct KeyringStore {
    /// The session bus to read from directly.
    fast_read: Option<String>,
}

impl KeyringStore {
    /// Nothing is opened before the first call.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads over the session bus at this D-Bus address by a client of our own first, where the platform has a Secret
    /// Service (the module `secret_service` says what it does, and gives up); `None` switches it off.
    #[must_use]
    pub fn with_fast_read(self, bus: Option<String>) -> Self {
        Self { fast_read: bus }
    }

    /// The program behind it, for people: `gnome-keyring-daemon`, the Keychain. `None` where it can't be told.
    pub fn service(&self) -> Option<String> {
        if cfg!(target_os = "macos") {
            Some("the Keychain".to_owned())
        } else if cfg!(windows) {
            Some("the Credential Manager".to_owned())
        } else {
            self.fast_read.as_deref().and_then(program_on)
        }
    }
}

impl Store for KeyringStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Keyring
    }

    fn read(&self, account: &AccountKey) -> Result<Option<Stored>, StoreError> {
        let user = account.to_string();
        // It needs no thread, for none of its waits is without an end.
        let bus = self.fast_read.as_ref().filter(|_| !is_stuck());
        let record = match bus.and_then(|bus| read_fast(bus, &user)) {
            Some(record) => Some(record),
            None => within_deadline(move || read_record(&user))?,
        };
        let Some(record) = record else {
            return Ok(None);
        };
        let credential = decode(&record).map_err(|flaw| corrupt(&account.to_string(), flaw))?;
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
        within_deadline(move || write_record(&user, &record, replaces.as_ref()))?;
        Ok(version)
    }

    fn delete(&self, account: &AccountKey) -> Result<bool, StoreError> {
        let user = account.to_string();
        within_deadline(move || delete_record(&user))
    }

    fn accounts(&self) -> Result<Vec<AccountKey>, StoreError> {
        within_deadline(search)
    }

    fn probe(&self) -> Result<(), StoreError> {
        within_deadline(probe)
    }
}

/// The call that timed out last, as long as it has not come back. Until then no other is begun: each would cost the
/// deadline once more.
static STUCK: Mutex<Weak<()>> = Mutex::new(Weak::new());

fn stuck() -> MutexGuard<'static, Weak<()>> {
    STUCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_stuck() -> bool {
    stuck().upgrade().is_some()
}

/// Runs the call on a thread and waits for it until the deadline; then the thread is left behind.
fn within_deadline<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let timed_out = || StoreError::TimedOut {
        seconds: DEADLINE.as_secs(),
    };
    let failed = |reason| StoreError::Failed { reason };
    if is_stuck() {
        return Err(timed_out());
    }
    let (answer, answered) = mpsc::channel();
    let running = Arc::new(());
    let watched = Arc::downgrade(&running);
    let work = move || {
        let _running = running;
        // Nobody listens after the deadline.
        drop(answer.send(call()));
    };
    thread::Builder::new()
        .name("keyring".into())
        .spawn(work)
        .map_err(|error| failed(format!("its thread cannot be started: {error}")))?;
    match answered.recv_timeout(DEADLINE) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => {
            *stuck() = watched;
            Err(timed_out())
        }
        Err(RecvTimeoutError::Disconnected) => Err(failed("its client broke off".into())),
    }
}

#[cfg(target_os = "linux")]
fn read_fast(bus: &str, user: &str) -> Option<Zeroizing<Vec<u8>>> {
    let attributes = [("service", SERVICE), ("username", user)];
    crate::store::secret_service::read(bus, &attributes)
}

#[cfg(not(target_os = "linux"))]
fn read_fast(_bus: &str, _user: &str) -> Option<Zeroizing<Vec<u8>>> {
    None
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

fn read_record(user: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    split::read(&Keyring, user)
}

fn write_record(user: &str, record: &[u8], replaces: Option<&Version>) -> Result<(), StoreError> {
    if replaces.is_some() {
        let current = read_record(user)?.map(|record| Version::of(&record));
        if current.as_ref() != replaces {
            return Err(StoreError::Conflict);
        }
    }
    match ENTRY_LIMIT {
        Some(limit) => split::write(&Keyring, user, record, limit),
        None => Keyring.set(user, record),
    }
}

fn delete_record(user: &str) -> Result<bool, StoreError> {
    match ENTRY_LIMIT {
        Some(_) => split::delete(&Keyring, user),
        None => Keyring.remove(user),
    }
}

/// Every entry of ours whose user is an account's; a probe's or a part's is not.
fn search() -> Result<Vec<AccountKey>, StoreError> {
    ready()?;
    let spec = if cfg!(windows) {
        // The name of an entry there is `<user>.<service>`.
        HashMap::from([("pattern", r"\.seo-auth$")])
    } else {
        HashMap::from([("service", SERVICE)])
    };
    let entries = Entry::search(&spec).map_err(|error| failure(SERVICE, error))?;
    let accounts = entries
        .iter()
        .filter_map(Entry::get_specifiers)
        .filter(|(service, _)| service == SERVICE)
        .filter_map(|(_, user)| user.parse().ok());
    Ok(accounts.collect())
}

fn probe() -> Result<(), StoreError> {
    // Two logins at once must not meet in one entry, so each probe has a name of its own.
    let user = format!("probe.{:016x}", rand::random::<u64>());
    let text = b"written by a probe";
    Keyring.set(&user, text)?;
    let back = Keyring.get(&user);
    Keyring.remove(&user)?;
    match back? {
        Some(back) if *back == text => Ok(()),
        _ => Err(corrupt(&user, "what was written does not come back")),
    }
}

/// The entries of this user's keyring under our service.
struct Keyring;

impl Entries for Keyring {
    fn get(&self, user: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match entry(user)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(failure(user, error)),
        }
    }

    fn set(&self, user: &str, secret: &[u8]) -> Result<(), StoreError> {
        match entry(user)?.set_secret(secret) {
            Ok(()) => Ok(()),
            Err(Error::TooLong(_, limit)) => Err(StoreError::TooLarge {
                size: secret.len(),
                limit: usize::try_from(limit).unwrap_or(usize::MAX),
            }),
            Err(error) => Err(failure(user, error)),
        }
    }

    fn remove(&self, user: &str) -> Result<bool, StoreError> {
        match entry(user)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(failure(user, error)),
        }
    }
}

fn entry(user: &str) -> Result<Entry, StoreError> {
    ready()?;
    #[cfg(all(unix, not(target_os = "macos")))]
    let entry = {
        // What people see in their keyring's window.
        let label = format!("{SERVICE}: {user}");
        Entry::new_with_modifiers(SERVICE, user, &HashMap::from([("label", label.as_str())]))
    };
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    let entry = Entry::new(SERVICE, user);
    entry.map_err(|error| failure(user, error))
}

/// Connects, once in a process.
fn ready() -> Result<(), StoreError> {
    match keyring::Entry::store_status() {
        Ok(()) => Ok(()),
        Err(error) => Err(StoreError::Absent {
            // The name of a library says nothing to the user.
            reason: cause(error).trim_start_matches("zbus error: ").to_owned(),
        }),
    }
}

/// The keyring's error as ours. What an entry held is not repeated.
fn failure(user: &str, error: Error) -> StoreError {
    match error {
        Error::NoStorageAccess(_) if cause(&error) == NO_RESULT => StoreError::Absent {
            reason: "the keyring has no default collection".into(),
        },
        Error::NoStorageAccess(_) => StoreError::Locked {
            reason: "the keyring is locked, and was not unlocked when it asked for its password"
                .into(),
        },
        Error::Ambiguous(entries) => corrupt(
            user,
            &format!("there are {} entries of this name", entries.len()),
        ),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            corrupt(user, "its content is not what was written")
        }
        error => StoreError::Failed {
            reason: cause(&error),
        },
    }
}

/// How the Secret Service's client says that an alias names no collection: nobody has made a keyring here yet.
const NO_RESULT: &str = "SS error: result not returned from SS API";

/// The words of whoever failed, without the wrapper's.
fn cause(error: &Error) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}
