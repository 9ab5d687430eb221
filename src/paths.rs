//! Where things lie, per platform, and how a folder of ours is made: 0700 under any umask.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

/// The two places of the contract, and what lies in them.
#[derive(Clone, Debug)]
pub struct Paths {
    config_file: PathBuf,
    config_dir: PathBuf,
    state_dir: PathBuf,
}

/// The folder of ours inside the platform's folders.
const FOLDER: &str = "seo-auth";

/// Where things would lie on a machine without a home folder (a container with any uid, `env -i`): below what is no folder, so
/// that nothing is ever found or made there. Who needs a place is told by [`is_nowhere`]; a token from the environment needs
/// none.
const NOWHERE: &str = if cfg!(windows) {
    "NUL"
} else {
    "/dev/null/seo-auth"
};

/// Whether a path is one that this machine has no place for.
pub fn is_nowhere(path: &Path) -> bool {
    path.starts_with(NOWHERE)
}

/// The content of a file that has `max` bytes at most. A larger one, or a device without an end, was put or named there by
/// mistake, and is not read into memory.
///
/// # Errors
/// What the file system answers; [`io::ErrorKind::FileTooLarge`].
pub fn read_bounded(file: &Path, max: u64) -> io::Result<Vec<u8>> {
    // Most of them are smaller, and then it is read in one go.
    let mut bytes = Vec::with_capacity(4096);
    let file = fs::File::open(file)?;
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > max {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

/// The platform's folder of ours for state; where it has none of its own for that, the one for data.
fn state_folder(platform: &impl BaseStrategy) -> PathBuf {
    let dir = platform.state_dir().unwrap_or_else(|| platform.data_dir());
    dir.join(FOLDER)
}

impl Paths {
    /// From `SEO_AUTH_CONFIG` and `SEO_AUTH_STATE_DIR` where they are set, else from the platform's folders; [`NOWHERE`] where
    /// there is no home folder either.
    pub fn new(config_file: Option<OsString>, state_dir: Option<OsString>) -> Self {
        // One that is relative would put the state below whatever folder a command is run in.
        let platform = choose_native_strategy().ok();
        let platform = platform.filter(|platform| platform.home_dir().is_absolute());
        let config_dir = platform
            .as_ref()
            .map(|platform| platform.config_dir().join(FOLDER));
        let state_dir = state_dir
            .map(PathBuf::from)
            .or_else(|| platform.as_ref().map(state_folder))
            .unwrap_or_else(|| NOWHERE.into());
        let nowhere = || PathBuf::from(NOWHERE);
        // Without a home folder the key stands beside the config file that was named.
        let beside = config_file.as_ref().map(|file| {
            let parent = Path::new(file).parent();
            parent.map_or_else(PathBuf::new, Path::to_path_buf)
        });
        let file_of = |dir: &PathBuf| dir.join("config.toml");
        Self {
            config_file: config_file
                .map(PathBuf::from)
                .or_else(|| config_dir.as_ref().map(file_of))
                .unwrap_or_else(|| file_of(&nowhere())),
            config_dir: config_dir.or(beside).unwrap_or_else(nowhere),
            state_dir,
        }
    }

    pub fn config_file(&self) -> &Path {
        &self.config_file
    }

    /// The key of the sealed file, where none comes from the environment: apart from the data, so that a backup of one
    /// does not hold the other.
    pub fn key_file(&self) -> PathBuf {
        self.config_dir.join("file-store.key")
    }

    pub fn sealed_file(&self) -> PathBuf {
        self.state_dir.join("credentials.sealed")
    }

    pub fn index_file(&self) -> PathBuf {
        self.state_dir.join("accounts.json")
    }

    /// The folder of the lock files.
    pub fn locks_dir(&self) -> PathBuf {
        self.state_dir.join("locks")
    }

    /// The key of the fingerprints that `-vvv` shows in place of secrets.
    pub fn trace_key_file(&self) -> PathBuf {
        self.state_dir.join("trace.key")
    }

    /// The folder of the files that `exec --token-file` keeps.
    pub fn token_files_dir(&self) -> PathBuf {
        self.state_dir.join("token-files")
    }

    /// The state folder itself.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }
}

/// Makes a folder and its parents; those that are made are 0700 under any umask.
///
/// # Errors
/// What the file system answers.
pub fn create_private_dir(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        create_private_dir(parent)?;
    }
    match create_one(dir) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        outcome => outcome,
    }
}

/// Private from the first moment on; and then exactly 0700, for a umask may have taken the owner's own bits away.
#[cfg(unix)]
fn create_one(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().mode(0o700).create(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    owner::inherit(dir, dir)
}

/// Whose a file is. `sudo` with the user's HOME, or root in a container on the user's volume, must lock nobody out.
#[cfg(unix)]
pub mod owner {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::unix::fs::{MetadataExt, fchown, lchown};
    use std::path::Path;

    use rustix::process::geteuid;

    /// What can be given to another owner: an open file, or a folder by its path.
    pub trait Owned {
        fn metadata(&self) -> io::Result<Metadata>;
        fn give_to(&self, uid: u32, gid: u32) -> io::Result<()>;
    }

    impl Owned for File {
        fn metadata(&self) -> io::Result<Metadata> {
            self.metadata()
        }

        fn give_to(&self, uid: u32, gid: u32) -> io::Result<()> {
            fchown(self, Some(uid), Some(gid))
        }
    }

    impl Owned for Path {
        fn metadata(&self) -> io::Result<Metadata> {
            self.symlink_metadata()
        }

        fn give_to(&self, uid: u32, gid: u32) -> io::Result<()> {
            lchown(self, Some(uid), Some(gid))
        }
    }

    /// Gives what root made at `path` to the owner of the folder. What anybody else makes is theirs already.
    ///
    /// # Errors
    /// What the file system answers.
    pub fn inherit(made: &(impl Owned + ?Sized), path: &Path) -> io::Result<()> {
        if !geteuid().is_root() {
            return Ok(());
        }
        let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        give(made, &folder.unwrap_or(Path::new(".")).metadata()?)
    }

    /// Gives `new`, which shall take the place of `old`, to the owner of `old`. What root left in somebody's folder goes to
    /// that somebody.
    ///
    /// # Errors
    /// It can't be given, so `old` must stay.
    pub fn keep(new: &Path, old: &Path) -> io::Result<()> {
        match old.symlink_metadata() {
            Ok(old) if old.uid() != 0 => give(new, &old),
            _ => Ok(()),
        }
    }

    fn give(made: &(impl Owned + ?Sized), heir: &Metadata) -> io::Result<()> {
        if made.metadata()?.uid() == heir.uid() {
            return Ok(());
        }
        made.give_to(heir.uid(), heir.gid())
    }
}

/// The folders above it, which are the user's own, pass their access list on.
#[cfg(not(unix))]
fn create_one(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)
}
