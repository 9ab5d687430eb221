//! The file that `exec --token-file` keeps: 0600, in a folder of its own, gone when its command has ended.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::secret::AccessToken;
use crate::store::private::create_private_dir;
use crate::store::{StoreError, private};

/// A token for other programs to read. Dropped, it is gone.
pub struct TokenFile {
    /// Locked as long as its `exec` lives, which tells [`sweep`] that it does. Closed before the folder goes: Windows removes
    /// none that has an open file.
    _alive: File,
    dir: tempfile::TempDir,
}

/// The names inside a token's folder.
const TOKEN: &str = "token";
const ALIVE: &str = "alive";
/// Held around making and sweeping folders, so that none is swept between its making and its locking.
const DOOR: &str = "door";

impl TokenFile {
    /// Writes the token into a new folder below `parent`.
    ///
    /// # Errors
    /// The state folder can't be written.
    pub fn create(parent: &Path, token: &AccessToken) -> Result<Self, Error> {
        let failed = |source| {
            Error::Files(StoreError::Io {
                path: parent.to_owned(),
                source,
            })
        };
        let make = || -> io::Result<Self> {
            create_private_dir(parent)?;
            let door = open(&parent.join(DOOR))?;
            door.lock()?;
            let dir = private_dir_in(parent)?;
            let alive = open(&dir.path().join(ALIVE))?;
            alive.lock()?;
            Ok(Self { dir, _alive: alive })
        };
        let file = make().map_err(failed)?;
        file.write(token)?;
        Ok(file)
    }

    /// Where the token is.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join(TOKEN)
    }

    /// Puts another token in its place, at once for every reader.
    ///
    /// # Errors
    /// The state folder can't be written; the old token stays.
    pub fn write(&self, token: &AccessToken) -> Result<(), Error> {
        let path = self.path();
        private::replace(&path, token.expose().as_bytes())
            .map_err(|source| Error::Files(StoreError::Io { path, source }))
    }
}

/// Removes the folders below `parent` whose `exec` was killed. What can't be removed now is the next run's.
pub fn sweep(parent: &Path) {
    let Ok(door) = OpenOptions::new().write(true).open(parent.join(DOOR)) else {
        // No token file was ever made.
        return;
    };
    // Somebody who makes or sweeps at this moment is not waited for.
    if door.try_lock().is_err() {
        return;
    }
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for dir in entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
    {
        if is_orphan(&dir) {
            drop(fs::remove_dir_all(&dir));
        }
    }
}

/// Under a name that nobody has; 0700 from the first moment on, and under any umask.
#[cfg(unix)]
fn private_dir_in(parent: &Path) -> io::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let owner_only = fs::Permissions::from_mode(0o700);
    let dir = tempfile::Builder::new()
        .prefix("exec-")
        .permissions(owner_only.clone())
        .tempdir_in(parent)?;
    fs::set_permissions(dir.path(), owner_only)?;
    Ok(dir)
}

/// The folder above it passes its access list on.
#[cfg(not(unix))]
fn private_dir_in(parent: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("exec-").tempdir_in(parent)
}

fn is_orphan(dir: &Path) -> bool {
    match OpenOptions::new().write(true).open(dir.join(ALIVE)) {
        Ok(alive) => !matches!(alive.try_lock(), Err(TryLockError::WouldBlock)),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = private::open(&options, path)?;
    private::keep(&file, path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> AccessToken {
        AccessToken::new(text.into())
    }

    fn folders(parent: &Path) -> usize {
        let entries = fs::read_dir(parent).unwrap().flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    }

    #[test]
    fn it_lives_as_long_as_its_command() {
        let parent = tempfile::tempdir().unwrap();
        let file = TokenFile::create(parent.path(), &token("first")).unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "first");
        file.write(&token("second")).unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "second");
        sweep(parent.path());
        assert!(file.path().exists(), "its command still runs");
        drop(file);
        assert_eq!(folders(parent.path()), 0);
    }

    #[test]
    fn what_a_killed_process_left_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let TokenFile { dir, _alive } = TokenFile::create(parent.path(), &token("left")).unwrap();
        // As after SIGKILL: the folder stays, and the kernel has let go of the lock.
        let left = dir.keep();
        drop(_alive);
        assert!(left.exists());
        sweep(parent.path());
        assert_eq!(folders(parent.path()), 0);
    }
}
