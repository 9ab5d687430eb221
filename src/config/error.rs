//! What is wrong in the user's file. Every text names file, line and key where there is one, and none repeats a value: a
//! secret may stand where it should not.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::credential::Name;
use crate::provider::variable;
use crate::text::nearest;

/// A place in the file, shown as `config.toml:7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    /// Counted from 1; `None` where the parser does not say.
    pub line: Option<usize>,
}

impl Place {
    /// The line in which the byte `offset` of `text` lies.
    pub fn of(file: &Path, text: &[u8], offset: Option<usize>) -> Self {
        let line = offset.map(|offset| {
            let before = text.get(..offset).unwrap_or(text);
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        });
        Self {
            file: file.to_owned(),
            line,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// Why a file is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there, or was asked for by name, and cannot be read.
    #[error("{file}: {source}", file = file.display())]
    Unreadable {
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    #[error("{at}: it is not UTF-8 text")]
    NotUtf8 {
        /// Where the first odd byte stands.
        at: Place,
    },
    #[error("{at}: {reason}")]
    Syntax {
        at: Place,
        /// The parser's words, which repeat nothing of the line.
        reason: String,
    },
    /// A key that nobody knows.
    #[error("{at}: unknown key `{key}`{}{}", table_words(table.as_deref()), known_words(key, known))]
    UnknownKey {
        at: Place,
        key: String,
        /// Its table, `None` at the top level.
        table: Option<String>,
        /// All keys that may stand there.
        known: Vec<&'static str>,
    },
    /// A value of another kind than the key takes.
    #[error("{at}: `{key}` must be {expected}{}", got_words(got.as_deref()))]
    WrongValue {
        at: Place,
        /// The key with its tables.
        key: String,
        expected: &'static str,
        /// The value, where it is plainly a word and no secret.
        got: Option<String>,
    },
    #[error("{file}: it has more than {max} bytes, which is too large for a configuration", file = file.display())]
    TooLarge { file: PathBuf, max: u64 },
    /// A value of the right kind that cannot be taken.
    #[error("{at}: `{key}`: {reason}")]
    Refused {
        at: Place,
        /// The key with its tables.
        key: String,
        /// Why, in a clause.
        reason: String,
    },
    /// A secret, which belongs into a store or the environment.
    #[error("{at}: `{key}` must not be in this file; {}", secret_words(key, provider.as_ref()))]
    Secret {
        at: Place,
        key: String,
        /// The provider in whose table it stands.
        provider: Option<Name>,
    },
    /// A key that this provider cannot do without.
    #[error("{at}: `{table}` has no `{key}`{reason}")]
    Lacks {
        /// Where the table begins.
        at: Place,
        table: String,
        key: &'static str,
        /// Why it is needed; empty where it always is.
        reason: &'static str,
    },
    #[error("{at}: `default_provider` names no known provider; `seo-auth providers` lists them{}", nearest_words(nearest.as_deref()))]
    NoSuchProvider {
        at: Place,
        /// The name that looks most like it.
        nearest: Option<String>,
    },
}

fn table_words(table: Option<&str>) -> String {
    table.map_or_else(String::new, |table| format!(" in [{table}]"))
}

fn got_words(got: Option<&str>) -> String {
    got.map_or_else(String::new, |got| format!(", not `{got}`"))
}

fn nearest_words(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
}

/// The nearest key, or all of them where none is near.
fn known_words(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(near) => nearest_words(Some(near)),
        None => format!("; the known keys are {}", known.join(", ")),
    }
}

/// Where the secret of this key should go instead.
fn secret_words(key: &str, provider: Option<&Name>) -> String {
    let shown = provider.map_or("PROVIDER", Name::as_str);
    let variable = |suffix| {
        provider.map_or_else(
            || format!("SEO_AUTH_<PROVIDER>_{suffix}"),
            |name| variable(name, suffix),
        )
    };
    let key = key.to_ascii_lowercase();
    if key.contains("token") || key.contains("key") {
        format!(
            "use {} or `seo-auth login {shown} --with-token`",
            variable("TOKEN")
        )
    } else if key.contains("secret") {
        format!(
            "use {} or `seo-auth login {shown} --client-secret-stdin`",
            variable("CLIENT_SECRET")
        )
    } else {
        format!("sign in with `seo-auth login {shown}` instead")
    }
}
