//! Files that only their owner may read: 0600 under any umask, replaced atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use crate::paths::create_private_dir;
#[cfg(unix)]
use crate::paths::owner;

/// Opens by `options`; where the file is made, nobody but its owner may read it from the first moment on.
///
/// # Errors
/// What the file system answers.
pub fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    let options = {
        use std::os::unix::fs::OpenOptionsExt;
        options.clone().mode(OWNER_ONLY).clone()
    };
    options.open(path)
}

/// Read and write for the owner, nothing for anybody else.
#[cfg(unix)]
const OWNER_ONLY: u32 = 0o600;

/// Gives a file that was just made at `path` exactly the mode 0600, for a umask may have taken the owner's own bits away, and
/// what root made in somebody's folder to that somebody, who would be locked out of it otherwise.
///
/// # Errors
/// What the file system answers.
pub fn keep(file: &File, path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(OWNER_ONLY))?;
        owner::inherit(file, path)?;
    }
    #[cfg(not(unix))]
    let _ = (file, path);
    Ok(())
}

/// Puts `content` in the place of `path` so that a reader, or a crash at any moment, finds the old content or the new
/// one, and never a part. The caller holds the lock of `path`: the new content is written beside it under a fixed name,
/// so what a crashed writer left there is cleaned up by the next one.
///
/// # Errors
/// What the file system answers; the old content is then kept.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path
        .parent()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    create_private_dir(dir)?;
    let new = beside(path, ".new");
    let written = write_beside(path, &new, content).and_then(|()| fs::rename(&new, path));
    if let Err(error) = written {
        // The first failure is the one to tell.
        drop(fs::remove_file(&new));
        return Err(error);
    }
    sync_dir(dir)
}

/// Proves that [`replace`] could put something in the place of `path`, without doing it. The caller holds the lock of `path`.
///
/// # Errors
/// What the file system answers.
pub fn probe(path: &Path) -> io::Result<()> {
    let new = beside(path, ".new");
    let written = write_beside(path, &new, b"written by a probe");
    fs::remove_file(&new).and(written)
}

/// What shall take the place of `path`, with the owner of what stands there.
fn write_beside(path: &Path, new: &Path, content: &[u8]) -> io::Result<()> {
    write_new(new, content)?;
    #[cfg(unix)]
    owner::keep(new, path)?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// The path of a file that belongs to `path` and lies beside it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a file to the disk in the place of whatever has this name; what a link there names is not touched.
///
/// # Errors
/// What the file system answers; a part may then be there.
pub fn write_new(new: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `create_new` follows no link that somebody may have put there.
    let mut file = open(OpenOptions::new().write(true).create_new(true), new)?;
    keep(&file, new)?;
    file.write_all(content)?;
    // Some file systems find out only now that there is no space.
    file.sync_all()
}

/// Makes a rename or a new file in the folder survive a power cut.
///
/// # Errors
/// What the file system answers.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        // The parent of a bare name.
        let here = dir.as_os_str().is_empty();
        match File::open(if here { Path::new(".") } else { dir })?.sync_all() {
            // CIFS, shared folders of virtual machines and some FUSE file systems sync no folders. The file itself is safe.
            Err(error) if is_unsupported(&error) => {}
            outcome => outcome?,
        }
    }
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

#[cfg(unix)]
fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_cleans_up_what_a_crashed_writer_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        fs::write(beside(&path, ".new"), b"half of someth").unwrap();
        replace(&path, b"first").unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_of_a_bare_name_is_the_current_one() {
        sync_dir(Path::new("bare").parent().unwrap()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_file_system_that_syncs_no_folder_is_no_failure() {
        assert!(is_unsupported(&io::Error::from_raw_os_error(22)));
        assert!(!is_unsupported(&io::Error::from_raw_os_error(5)));
    }

    #[test]
    fn a_failed_write_keeps_the_old_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        replace(&path, b"first").unwrap();
        // A folder under the new file's name cannot be removed as a file.
        fs::create_dir(beside(&path, ".new")).unwrap();
        assert!(replace(&path, b"second").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }
}
