//! The file by which a step of GitHub Actions hands variables to the next ones.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;

use crate::context::Context;
use crate::error::Error;
use crate::error::usage::token as usage;

/// `$GITHUB_ENV`, or where a step has none `$GITHUB_OUTPUT`: lines of `NAME=value`.
pub struct File(PathBuf);

/// Names that GitHub ignores or refuses in that file, and so a later step would never see.
const REFUSED: &[&str] = &["CI", "NODE_OPTIONS"];
const REFUSED_PREFIXES: &[&str] = &["GITHUB_", "RUNNER_"];
/// Names that change how every later command of the job runs.
const HARMFUL: &[&str] = &[
    "PATH",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "BASH_ENV",
    "ENV",
    "HOME",
];

/// Whether a step may set a variable of this name.
///
/// # Errors
/// GitHub lets none do so.
pub fn check_name(context: &Context, name: &str) -> Result<(), Error> {
    let refused = REFUSED_PREFIXES
        .iter()
        .any(|prefix| name.starts_with(prefix));
    if refused || REFUSED.contains(&name) {
        return Err(usage::refused_by_github(name));
    }
    if HARMFUL.contains(&name) {
        context.ui.warn(&format!(
            "--name {name}: programs in later steps of the job read this variable, so the token may break them"
        ));
    }
    Ok(())
}

impl File {
    /// # Errors
    /// This is no step of GitHub Actions.
    pub fn find(context: &Context) -> Result<Self, Error> {
        context
            .github_file()?
            .map(Self)
            .ok_or_else(usage::outside_github)
    }

    /// Appends the line, in one piece.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn append(&self, line: &str) -> Result<(), Error> {
        let appended = self.begun_line().and_then(|begun| {
            let mut file = OpenOptions::new().append(true).create(true).open(&self.0)?;
            let newline = if begun { "\n" } else { "" };
            file.write_all(format!("{newline}{line}").as_bytes())
        });
        appended.map_err(|source| Error::System {
            what: format!("{} can't be written", self.0.display()),
            source,
        })
    }

    /// Whether an earlier writer left its last line open; ours would be taken for the rest of its value. A terminal or a pipe,
    /// by which people try a step out, is not read: that would never end.
    fn begun_line(&self) -> io::Result<bool> {
        let found = fs::metadata(&self.0);
        if !found.is_ok_and(|found| found.is_file() && found.len() > 0) {
            return Ok(false);
        }
        let mut last = [0];
        let mut file = fs::File::open(&self.0)?;
        file.seek(io::SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        Ok(last != *b"\n")
    }
}
