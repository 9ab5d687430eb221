//! The file by which a step of GitHub Actions hands variables to the next ones.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::context::Context;
use crate::error::Error;

/// `$GITHUB_ENV`, or where a step has none `$GITHUB_OUTPUT`: lines of `NAME=value`.
pub struct File(PathBuf);

impl File {
    /// The runner's file.
    ///
    /// # Errors
    /// This is no step of GitHub Actions.
    pub fn find(context: &Context) -> Result<Self, Error> {
        context.github_file().map(Self).ok_or_else(|| {
            Error::usage(
                "--format github works in a step of GitHub Actions, and neither GITHUB_ENV nor GITHUB_OUTPUT is set",
                "elsewhere use --format env, or `seo-auth exec`",
            )
        })
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

    /// Whether an earlier writer left its last line open; ours would be taken for the rest of its value.
    fn begun_line(&self) -> io::Result<bool> {
        match fs::read(&self.0) {
            Ok(content) => Ok(content.last().is_some_and(|last| *last != b'\n')),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
