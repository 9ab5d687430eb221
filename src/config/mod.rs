//! Providers and preferences from the user's file, `config.toml`.
//!
//! The file is walked by hand along two tables of known keys, so that every mistake is told with file, line and key.

mod document;
mod error;
mod keys;
mod provider;
mod providers;
mod setter;
mod usage;
mod values;
pub mod vault;

use std::io;
use std::path::Path;

use toml::de::DeTable;

pub use error::ConfigError;
#[cfg(test)]
pub use providers::known;
pub use values::Config;

use crate::paths::read_bounded;
use crate::text::printable;
use document::{Document, Setting};
use setter::fill;

/// A thousand providers have less.
const MAX_FILE: u64 = 1 << 20;

/// The parser's words, and the key where they are about one: nothing else of the file, which may hold a secret.
fn syntax_error(error: &toml::de::Error, text: &str) -> String {
    let words = error.message();
    if let Some(key) = error.span().and_then(|span| unquoted(text, span.start)) {
        return format!("the value of `{key}` must be in quotes");
    }
    let at = error.span().filter(|_| words == "duplicate key");
    match at.and_then(|span| text.get(span)) {
        Some(key) => format!("{words} `{}`", printable(key, document::SHOWN_KEY)),
        None => words.to_owned(),
    }
}

/// The key of the line at `offset`, where a word stands behind it without quotes.
fn unquoted(text: &str, offset: usize) -> Option<String> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
    let (key, value) = text.get(start..)?.lines().next()?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let bare = value.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_key = key
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    (bare && is_key && !["true", "false"].contains(&value))
        .then(|| printable(key, document::SHOWN_KEY))
}

impl Config {
    /// Reads the file at `file`. One that is missing says nothing, unless it is `required` (somebody named it).
    ///
    /// # Errors
    /// It cannot be read, or what stands in it is refused.
    pub fn load(file: &Path, required: bool) -> Result<Self, ConfigError> {
        let bytes = match read_bounded(file, MAX_FILE) {
            Ok(bytes) => bytes,
            // No file, or no place for one.
            Err(error)
                if !required
                    && matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
            {
                return Ok(Self::default());
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let why = format!(
                    "it has more than {MAX_FILE} bytes, which is too large for a configuration"
                );
                return Err(ConfigError::at(file, None, why));
            }
            Err(source) => {
                let file = file.to_owned();
                return Err(ConfigError::Unreadable { file, source });
            }
        };
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = error::line(&bytes, error.valid_up_to());
            ConfigError::at(file, Some(line), "it is not UTF-8 text")
        })?;
        Self::parse(text, file)
    }

    /// Reads `text`, the content of `file`.
    ///
    /// # Errors
    /// The first mistake in it, with its line and key, and without any value.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        // Some editors on Windows begin a file so.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let root = DeTable::parse(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| error::line(text.as_bytes(), span.start));
            ConfigError::at(file, line, syntax_error(&error, text))
        })?;
        let settings = Document { file, text }.settings(root.get_ref(), &[]);
        let mut config = Self::default();
        for setting in settings.iter().flat_map(Setting::with_all_below) {
            keys::refuse_secret(&setting)?;
            config.note_line(&setting);
        }
        fill(&mut config, keys::TOP, &settings)?;
        // Only now are all providers known.
        if let Some(setting) = settings.iter().find(|s| s.key == "default_provider") {
            config.default_provider = Some(keys::default_provider(&config.providers, setting)?);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests;
