//! What is wrong in the user's file. Every text names file, line and key where there is one, and none repeats a value: a
//! secret may stand where it should not.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::credential::Name;
use crate::provider::variable;
use crate::text::nearest;

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
    /// What stands in it is refused.
    #[error("{0}")]
    Mistake(String),
}

impl ConfigError {
    /// A mistake in this line of the file, told as `config.toml:7: …`; no line where the parser does not say.
    pub(super) fn at(file: &Path, line: Option<usize>, reason: impl fmt::Display) -> Self {
        let file = file.display();
        Self::Mistake(match line {
            Some(line) => format!("{file}:{line}: {reason}"),
            None => format!("{file}: {reason}"),
        })
    }
}

/// The line in which the byte `offset` of `text` lies, counted from 1.
pub(super) fn line(text: &[u8], offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

pub(super) fn nearest_words(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
}

/// The nearest key, or all of them where none is near.
pub(super) fn known_words(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(near) => nearest_words(Some(near)),
        None => format!("; the known keys are {}", known.join(", ")),
    }
}

/// Where the secret of this key should go instead.
pub(super) fn secret_words(key: &str, provider: Option<&Name>) -> String {
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
