//! Space that is held while a refresh is under way, so that its outcome can be written however full the disk gets.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::private;

/// What a record may grow by: new tokens that are longer than the old ones, sealed, and a folder entry.
const GROWTH: usize = 32 << 10;

/// A file of zeros beside a file that is about to be replaced. Dropped, its space is free for the new content. One that a
/// killed process left is replaced by the next, under the same name.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// Holds as much space at `path` as the file `like` takes, and some for its growth.
    ///
    /// # Errors
    /// The folder can't be written, or the disk is full.
    pub fn hold(path: PathBuf, like: &Path) -> io::Result<Self> {
        let size = fs::metadata(like).map_or(0, |metadata| metadata.len());
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        // Before it is written, so that a failure frees what was taken.
        let reserve = Self { path };
        private::write_new(&reserve.path, &vec![0; size.saturating_add(GROWTH)])?;
        Ok(reserve)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        // What can't be deleted now is replaced by the next refresh.
        drop(fs::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_held_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let (path, like) = (dir.path().join("reserve"), dir.path().join("data"));
        fs::write(&like, [1; 1000]).unwrap();
        fs::write(&path, b"of a killed process").unwrap();
        let reserve = Reserve::hold(path.clone(), &like).unwrap();
        assert!(fs::metadata(&path).unwrap().len() > 1000);
        drop(reserve);
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_names_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("reserve"), dir.path().join("other"));
        fs::write(&other, b"somebody's").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        drop(Reserve::hold(path, &other).unwrap());
        assert_eq!(fs::read(&other).unwrap(), b"somebody's");
    }
}
