//! The entries of the user's keyring under our service: directly where the platform has a Secret Service that is as
//! expected, else by the `keyring` crate.

use std::collections::HashMap;
use std::error::Error as _;
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyring::Error;
use keyring_core::Entry;
use zeroize::Zeroizing;

use crate::store::StoreError;
#[cfg(target_os = "linux")]
use crate::store::secret_service::{self, Asking, Attributes, Outcome};
use crate::store::split::Entries;

/// The service that all entries of ours have.
const SERVICE: &str = "seo-auth";

/// How the keyring is reached.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "other keyrings are reached in one way only")
)]
pub(super) struct Reach {
    pub(super) bus: Option<String>,
    /// Whether secrets may cross it in the plain.
    pub(super) direct: bool,
    /// For how long a dialog is waited for; `None`: none can be shown here.
    pub(super) dialog: Option<Duration>,
}

/// The entries, for one call.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "other keyrings are reached in one way only")
)]
pub(super) struct Keyring<'a> {
    pub(super) reach: &'a Reach,
    /// To be called before a dialog is shown.
    pub(super) asks: &'a dyn Fn(),
}

impl Keyring<'_> {
    /// The users of all entries.
    pub(super) fn users(&self) -> Result<Vec<String>, StoreError> {
        #[cfg(target_os = "linux")]
        {
            let ours = [("service", SERVICE)];
            let list =
                |bus: &str, _: Option<&Asking<'_>>| secret_service::list(bus, &ours, "username");
            if let Some(users) = self.directly(&ours, list)? {
                return Ok(users);
            }
        }
        ready()?;
        let spec = if cfg!(windows) {
            // The name of an entry there is `<user>.<service>`.
            HashMap::from([("pattern", r"\.seo-auth$")])
        } else {
            HashMap::from([("service", SERVICE)])
        };
        let entries = Entry::search(&spec).map_err(|error| failure(SERVICE, error))?;
        let users = entries
            .iter()
            .filter_map(Entry::get_specifiers)
            .filter(|(service, _)| service == SERVICE)
            .map(|(_, user)| user);
        Ok(users.collect())
    }
}

/// Somebody closed the dialog: this process shows no other.
#[cfg(target_os = "linux")]
static DISMISSED: AtomicBool = AtomicBool::new(false);

#[cfg(target_os = "linux")]
impl Keyring<'_> {
    /// What a call of our own client brings, with the keyring unlocked where it has to be; `None` where the `keyring`
    /// crate has to be asked.
    fn directly<T>(
        &self,
        attributes: &Attributes<'_>,
        call: impl Fn(&str, Option<&Asking<'_>>) -> Option<Outcome<T>>,
    ) -> Result<Option<T>, StoreError> {
        let Some(bus) = &self.reach.bus else {
            return Ok(None);
        };
        let wait = self.reach.dialog.filter(|_| !is_dismissed());
        let asking = wait.map(|wait| Asking {
            wait,
            begins: self.asks,
        });
        let unlock = || secret_service::unlock(bus, attributes, asking.as_ref());
        if !self.reach.direct {
            // The crate can unlock as well, and nobody would hear that it asks.
            told(unlock())?;
            return Ok(None);
        }
        match call(bus, asking.as_ref()) {
            Some(Outcome::Locked) => match told(unlock())? {
                Some(()) => told(call(bus, asking.as_ref())),
                None => Ok(None),
            },
            outcome => told(outcome),
        }
    }
}

#[cfg(target_os = "linux")]
fn is_dismissed() -> bool {
    DISMISSED.load(Ordering::Relaxed)
}

/// What our client says, as the stores say it.
#[cfg(target_os = "linux")]
fn told<T>(outcome: Option<Outcome<T>>) -> Result<Option<T>, StoreError> {
    match outcome {
        None => Ok(None),
        Some(Outcome::Done(value)) => Ok(Some(value)),
        Some(Outcome::Locked) if !is_dismissed() => Err(StoreError::Locked(
            "the keyring is locked, and its dialog can't be shown here".into(),
        )),
        Some(Outcome::Locked | Outcome::Dismissed) => {
            DISMISSED.store(true, Ordering::Relaxed);
            Err(StoreError::StaysLocked("its dialog was closed".into()))
        }
    }
}

/// The user's secret, by our own client alone and at once; `None` where that can't be had so.
#[cfg(target_os = "linux")]
pub(super) fn read_at_once(reach: &Reach, user: &str) -> Option<Option<Zeroizing<Vec<u8>>>> {
    let bus = reach.bus.as_ref().filter(|_| reach.direct)?;
    match secret_service::read(bus, &of_user(user))? {
        Outcome::Done(secret) => Some(secret),
        Outcome::Locked | Outcome::Dismissed => None,
    }
}

#[cfg(target_os = "linux")]
fn of_user(user: &str) -> [(&str, &str); 2] {
    [("service", SERVICE), ("username", user)]
}

/// What people see in their keyring's window.
#[cfg(all(unix, not(target_os = "macos")))]
fn label(user: &str) -> String {
    format!("{SERVICE}: {user}")
}

impl Entries for Keyring<'_> {
    fn get(&self, user: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        #[cfg(target_os = "linux")]
        {
            let ours = of_user(user);
            let read = |bus: &str, _: Option<&Asking<'_>>| secret_service::read(bus, &ours);
            if let Some(secret) = self.directly(&ours, read)? {
                return Ok(secret);
            }
        }
        match entry(user)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(failure(user, error)),
        }
    }

    fn set(&self, user: &str, secret: &[u8]) -> Result<(), StoreError> {
        #[cfg(target_os = "linux")]
        {
            let (ours, label) = (of_user(user), label(user));
            let write = |bus: &str, asking: Option<&Asking<'_>>| {
                secret_service::write(bus, &label, &ours, secret, asking)
            };
            if self.directly(&ours, write)?.is_some() {
                return Ok(());
            }
        }
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
        #[cfg(target_os = "linux")]
        {
            let ours = of_user(user);
            let remove =
                |bus: &str, asking: Option<&Asking<'_>>| secret_service::remove(bus, &ours, asking);
            if let Some(was_there) = self.directly(&ours, remove)? {
                return Ok(was_there);
            }
        }
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
        let label = label(user);
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
        Err(error) => Err(StoreError::Absent(
            // The name of a library says nothing to the user.
            cause(error).trim_start_matches("zbus error: ").to_owned(),
        )),
    }
}

/// The keyring's error as ours. What an entry held is not repeated.
fn failure(user: &str, error: Error) -> StoreError {
    match error {
        Error::NoStorageAccess(_) if cause(&error) == NO_RESULT => {
            StoreError::Absent("the keyring has no default collection".into())
        }
        Error::NoStorageAccess(_) => StoreError::Locked(
            "the keyring is locked, and was not unlocked when it asked for its password".into(),
        ),
        Error::Ambiguous(entries) => StoreError::corrupt(
            user,
            format!("there are {} entries of this name", entries.len()),
        ),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            StoreError::corrupt(user, "its content is not what was written")
        }
        error => StoreError::Failed(cause(&error)),
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
