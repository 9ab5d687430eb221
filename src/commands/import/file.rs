//! A file that is looked through, and the same without some of its lines.

use std::fs;
use std::io::{self, Read as _, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::dotenv::{Entry, entries};
use crate::commands::input::open;
use crate::error::Error;
use crate::error::usage::import as usage;
use crate::text::printable;

/// Beyond any file of variables; what is larger was named by mistake.
const MAX_FILE: u64 = 16 << 20;

pub struct File {
    /// As it was named.
    pub shown: String,
    /// `None`: stdin.
    path: Option<PathBuf>,
    content: Vec<u8>,
    pub entries: Vec<Entry>,
}

impl File {
    /// # Errors
    /// It can't be read, or is too large.
    pub fn read(name: &Path) -> Result<Self, Error> {
        let is_stdin = name == Path::new("-");
        let shown = match is_stdin {
            true => "stdin".to_owned(),
            false => printable(&name.to_string_lossy(), 256),
        };
        let mut content = Vec::new();
        let read = open(name).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut content));
        read.map_err(|source| usage::unreadable(&shown, &source))?;
        if content.len() as u64 > MAX_FILE {
            return Err(usage::too_large(&shown, MAX_FILE >> 20));
        }
        Ok(Self {
            shown,
            path: (!is_stdin).then(|| name.to_owned()),
            entries: entries(&content),
            content,
        })
    }

    pub fn is_stdin(&self) -> bool {
        self.path.is_none()
    }

    /// Takes these lines out: atomically, everything else to the byte, mode and owner kept. A link stays, and what it names is
    /// changed. What was changed since it was read is left alone.
    ///
    /// # Errors
    /// The file can't be replaced.
    pub fn remove(&self, spans: &[Range<usize>]) -> Result<(), Error> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        self.replace(path, spans).map_err(|source| Error::System {
            what: format!(
                "the keys are stored, but their lines could not be removed from {}",
                self.shown
            ),
            source,
        })
    }

    fn replace(&self, path: &Path, spans: &[Range<usize>]) -> io::Result<()> {
        let path = fs::canonicalize(path)?;
        if fs::read(&path)? != self.content {
            return Err(io::Error::other("it was changed in the meantime"));
        }
        let is_kept = |at: usize| !spans.iter().any(|span| span.contains(&at));
        let bytes = self.content.iter().enumerate();
        let kept: Vec<u8> = bytes
            .filter(|(at, _)| is_kept(*at))
            .map(|(_, byte)| *byte)
            .collect();
        let dir = path.parent().unwrap_or(Path::new("."));
        // Nobody but its owner may read it until it has the mode of the other.
        let mut new = tempfile::Builder::new().prefix(".env-").tempfile_in(dir)?;
        new.write_all(&kept)?;
        #[cfg(unix)]
        crate::paths::owner::keep(new.path(), &path)?;
        new.as_file()
            .set_permissions(fs::metadata(&path)?.permissions())?;
        new.as_file().sync_all()?;
        new.persist(&path).map_err(|error| error.error)?;
        crate::store::private::sync_dir(dir)
    }
}
