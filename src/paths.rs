//! Where things lie, per platform, and how a folder of ours is made: 0700 under any umask.

use std::ffi::OsString;
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

impl Paths {
    /// From `SEO_AUTH_CONFIG` and `SEO_AUTH_STATE_DIR` where they are set, else from the platform's folders.
    ///
    /// # Errors
    /// The platform names no home folder, and a variable does not stand in for it.
    pub fn new(config_file: Option<OsString>, state_dir: Option<OsString>) -> io::Result<Self> {
        let platform = choose_native_strategy();
        let no_home = || io::Error::new(io::ErrorKind::NotFound, "there is no home folder");
        let config_dir = match &platform {
            Ok(platform) => Some(platform.config_dir().join(FOLDER)),
            Err(_) => None,
        };
        let config_file = match config_file {
            Some(file) => PathBuf::from(file),
            None => config_dir.clone().ok_or_else(no_home)?.join("config.toml"),
        };
        let state_dir = match state_dir {
            Some(dir) => PathBuf::from(dir),
            None => {
                let platform = platform.as_ref().map_err(|_| no_home())?;
                platform
                    .state_dir()
                    .unwrap_or_else(|| platform.data_dir())
                    .join(FOLDER)
            }
        };
        // Without a home folder the key stands beside the config file that was named.
        let config_dir = config_dir.unwrap_or_else(|| {
            config_file
                .parent()
                .map_or_else(PathBuf::new, Path::to_path_buf)
        });
        Ok(Self {
            config_file,
            config_dir,
            state_dir,
        })
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
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

/// The folders above it, which are the user's own, pass their access list on.
#[cfg(not(unix))]
fn create_one(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)
}
