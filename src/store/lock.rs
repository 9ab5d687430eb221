//! The guard that is held across a refresh, a value that proves it; and the same for the files of this folder.
//!
//! A lock is `std::fs::File::lock` on a file that holds nothing. The kernel lets go of it when its holder ends,
//! however it ends, so a killed process blocks nobody.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::credential::AccountKey;
use crate::paths::create_private_dir;
use crate::process;
use crate::store::{StoreError, private};

/// Proves that no other process refreshes or writes this account; let go of when dropped.
#[derive(Debug)]
pub struct AccountLock {
    _held: File,
    identity: String,
}

impl AccountLock {
    /// Waits for the account's lock, at most `wait`. `None`: somebody else held it all that time.
    ///
    /// # Errors
    /// The lock file cannot be made or locked.
    pub fn acquire(
        locks_dir: &Path,
        account: &AccountKey,
        wait: Duration,
    ) -> Result<Option<Self>, StoreError> {
        // `@` stands in no name, so two accounts never share a file; the first word keeps a provider called `con`
        // from being a device on Windows.
        let file = format!("account-{}@{}.lock", account.provider, account.profile);
        let path = locks_dir.join(file);
        let held = hold(&path, wait)?;
        Ok(held.map(|held| Self {
            identity: identity(&held, &path),
            _held: held,
        }))
    }

    /// The same for whoever holds this lock, and another one for whoever holds one in another state folder.
    pub fn identity(&self) -> &str {
        &self.identity
    }
}

/// By device and number, which a folder that is mounted twice has once; where files have no numbers, by its path.
fn identity(held: &File, path: &Path) -> String {
    #[cfg(unix)]
    if let Ok(file) = held.metadata() {
        use std::os::unix::fs::MetadataExt;
        return format!("{}:{}", file.dev(), file.ino());
    }
    #[cfg(not(unix))]
    let _ = held;
    path.display().to_string()
}

/// A file is rewritten in milliseconds; a hundred processes that queue up on a slow disk still end within this time, and
/// one that was stopped in the middle does not hang the others for ever.
const REWRITE_WAIT: Duration = Duration::from_secs(10);

/// The lock of a file that is about to be read, changed and replaced.
///
/// # Errors
/// [`StoreError::TimedOut`] where somebody else holds it for too long; [`StoreError::Io`].
pub(super) fn hold_for_rewrite(path: &Path) -> Result<File, StoreError> {
    hold(path, REWRITE_WAIT)?.ok_or(StoreError::TimedOut(REWRITE_WAIT.as_secs()))
}

/// Locks the file (made where it is missing) and answers with it; `None` after `wait`.
///
/// # Errors
/// [`StoreError::Io`]: it cannot be made or locked.
fn hold(path: &Path, wait: Duration) -> Result<Option<File>, StoreError> {
    process::take_signals_over();
    let failed = StoreError::io(path);
    if let Some(dir) = path.parent() {
        create_private_dir(dir).map_err(&failed)?;
    }
    let deadline = Instant::now() + wait;
    loop {
        let file = open(path).map_err(&failed)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(held) = lock_within(file, path, left).map_err(&failed)? else {
            return Ok(None);
        };
        if still_there(&held, path) {
            return Ok(Some(held));
        }
        // The file was deleted or replaced between opening and locking: somebody else may hold the lock of the one
        // that stands there now.
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let made = !path.exists();
    let file = private::open(&options, path)?;
    if made {
        private::keep(&file, path)?;
    }
    Ok(file)
}

/// The lock at once where it is free. Else a thread waits for it, so that no time is lost to polling; after a time-out
/// that thread is left behind, and lets go of the lock as soon as it gets it.
fn lock_within(file: File, path: &Path, wait: Duration) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => return Ok(Some(file)),
        Err(TryLockError::WouldBlock) if wait.is_zero() => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let (answer, answered) = mpsc::channel();
    let name = PathBuf::from(path.file_name().unwrap_or_default());
    thread::Builder::new()
        .name(format!("lock {}", name.display()))
        .spawn(move || {
            let outcome = file.lock().map(|()| file);
            // Nobody listens after the deadline; the file is then closed here, and with it the lock.
            drop(answer.send(outcome));
        })?;
    match answered.recv_timeout(wait) {
        Ok(outcome) => outcome.map(Some),
        Err(_) => Ok(None),
    }
}

#[cfg(unix)]
fn still_there(held: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (held.metadata(), path.metadata()) {
        (Ok(held), Ok(there)) => identity(held) == identity(there),
        _ => false,
    }
}

/// An open file cannot be deleted here, so it is the one that was opened.
#[cfg(not(unix))]
fn still_there(_held: &File, _path: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountKey {
        "semrush/default".parse().unwrap()
    }

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = AccountLock::acquire(dir.path(), &account(), Duration::ZERO).unwrap();
        assert!(first.is_some());
        let second = AccountLock::acquire(dir.path(), &account(), Duration::ZERO).unwrap();
        assert!(second.is_none());
        let other = "semrush/work".parse().unwrap();
        assert!(
            AccountLock::acquire(dir.path(), &other, Duration::ZERO)
                .unwrap()
                .is_some()
        );
        drop(first);
        let third = AccountLock::acquire(dir.path(), &account(), Duration::ZERO).unwrap();
        assert!(third.is_some());
    }

    #[test]
    fn a_waiter_gets_it_when_the_holder_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let first = AccountLock::acquire(dir.path(), &account(), Duration::ZERO).unwrap();
        let path = dir.path().to_owned();
        let waiter = thread::spawn(move || {
            AccountLock::acquire(&path, &account(), Duration::from_secs(60)).unwrap()
        });
        drop(first);
        assert!(waiter.join().unwrap().is_some());
    }

    #[test]
    fn an_abandoned_wait_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let first = AccountLock::acquire(dir.path(), &account(), Duration::ZERO).unwrap();
        let given_up = AccountLock::acquire(dir.path(), &account(), Duration::from_millis(1));
        assert!(given_up.unwrap().is_none());
        drop(first);
        let third = AccountLock::acquire(dir.path(), &account(), Duration::from_secs(60)).unwrap();
        assert!(third.is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_deleted_lock_file_is_not_taken_for_the_one_that_stands_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.lock");
        let old = open(&path).unwrap();
        assert!(still_there(&old, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!still_there(&old, &path));
        let held = hold(&path, Duration::ZERO).unwrap();
        assert!(held.is_some_and(|held| still_there(&held, &path)));
    }
}
