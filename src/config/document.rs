//! The file as a tree of settings, each of which knows its key and its line and so can complain about itself.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use crate::credential::Name;
use crate::provider::Endpoint;
use crate::text::printable;

/// A key of the file is shown with at most this many characters: the longest known one has half of it.
pub(super) const SHOWN_KEY: usize = 60;

/// The file that is read.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub file: &'a Path,
    pub text: &'a str,
}

/// One key with its value.
#[derive(Clone)]
pub(super) struct Setting<'a> {
    document: Document<'a>,
    /// The tables above it, outermost first: none at the top level.
    pub tables: Vec<&'a str>,
    /// The key alone, as it stands in the file.
    pub key: &'a str,
    offset: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Document<'a> {
    /// The settings of a table in the order of the file, so that the first mistake is the one that is told.
    fn settings(self, table: &'a DeTable<'a>, tables: &[&'a str]) -> Vec<Setting<'a>> {
        let setting = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| Setting {
            document: self,
            tables: tables.to_vec(),
            key: AsRef::<str>::as_ref(key.get_ref()),
            offset: key.span().start,
            value: value.get_ref(),
        };
        let mut settings: Vec<_> = table.iter().map(setting).collect();
        settings.sort_unstable_by_key(|setting| setting.offset);
        settings
    }

    /// The settings at the top level.
    pub fn top(self, root: &'a DeTable<'a>) -> Vec<Setting<'a>> {
        self.settings(root, &[])
    }
}

impl<'a> Setting<'a> {
    pub fn place(&self) -> Place {
        let Document { file, text } = self.document;
        Place::of(file, text.as_bytes(), Some(self.offset))
    }

    /// The key alone, safe for a terminal.
    pub fn shown_key(&self) -> String {
        printable(self.key, SHOWN_KEY)
    }

    /// The key with its tables: `providers.ahrefs.client_id`.
    pub fn path(&self) -> String {
        match self.table_name() {
            Some(table) => format!("{table}.{}", self.shown_key()),
            None => self.shown_key(),
        }
    }

    /// The tables above it as one name, safe for a terminal.
    pub fn table_name(&self) -> Option<String> {
        let shown = |table: &&str| printable(table, SHOWN_KEY);
        let tables: Vec<_> = self.tables.iter().map(shown).collect();
        (!tables.is_empty()).then(|| tables.join("."))
    }

    /// The tables above what stands in it.
    fn tables_inside(&self) -> Vec<&'a str> {
        [self.tables.as_slice(), &[self.key]].concat()
    }

    /// What a value must be that this one is not.
    pub fn must_be(&self, expected: &'static str) -> ConfigError {
        ConfigError::WrongValue {
            at: self.place(),
            key: self.path(),
            expected,
            got: self.shown_value(),
        }
    }

    /// A value that is plainly a word and no secret: a few small letters.
    fn shown_value(&self) -> Option<String> {
        let text = self.value.as_str()?;
        let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == '-';
        // Passwords of ten small letters alone are rare, and the known words are not longer than this or much shorter.
        let is_word = !text.is_empty() && text.len() <= 10 && text.chars().all(plain);
        is_word.then(|| text.to_owned())
    }

    /// The value is of the right kind, and not taken.
    pub fn refused(&self, reason: impl Into<String>) -> ConfigError {
        ConfigError::Refused {
            at: self.place(),
            key: self.path(),
            reason: reason.into(),
        }
    }

    /// This table lacks a key.
    pub fn lacks(&self, key: &'static str, reason: &'static str) -> ConfigError {
        ConfigError::Lacks {
            at: self.place(),
            table: self.path(),
            key,
            reason,
        }
    }

    /// A text that isn't empty and has no control characters.
    pub fn text(&self) -> Result<&'a str, ConfigError> {
        let value: &'a DeValue<'a> = self.value;
        let DeValue::String(text) = value else {
            return Err(self.must_be("a text in quotes"));
        };
        self.checked(text)
    }

    /// A file, relative to the one that names it.
    pub fn beside_file(&self) -> Result<PathBuf, ConfigError> {
        let folder = self.document.file.parent().unwrap_or(Path::new(""));
        Ok(folder.join(self.text()?))
    }

    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub fn value(&self) -> &'a DeValue<'a> {
        self.value
    }

    pub fn flag(&self) -> Result<bool, ConfigError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.must_be("true or false"))
    }

    /// A whole number from 1 on.
    pub fn number(&self) -> Result<u32, ConfigError> {
        let number = self.value.as_integer();
        let number = number.and_then(|number| number.as_str().parse().ok());
        number
            .filter(|number| *number > 0)
            .ok_or_else(|| self.must_be("a whole number, 1 or more"))
    }

    /// A list of texts.
    pub fn texts(&self, expected: &'static str) -> Result<Vec<String>, ConfigError> {
        let list = self
            .value
            .as_array()
            .ok_or_else(|| self.must_be(expected))?;
        list.iter()
            .map(|item| {
                let text = item
                    .get_ref()
                    .as_str()
                    .ok_or_else(|| self.must_be(expected))?;
                self.checked(text).map(str::to_owned)
            })
            .collect()
    }

    /// An address that secrets may be sent to.
    pub fn endpoint(&self) -> Result<Endpoint, ConfigError> {
        Endpoint::parse(self.text()?).map_err(|why| self.refused(why.to_string()))
    }

    /// The settings inside a table.
    pub fn settings(&self, expected: &'static str) -> Result<Vec<Self>, ConfigError> {
        let value: &'a DeValue<'a> = self.value;
        let DeValue::Table(table) = value else {
            return Err(self.must_be(expected));
        };
        Ok(self.document.settings(table, &self.tables_inside()))
    }

    /// Every setting below this one, at any depth.
    pub fn below(&self) -> Vec<Self> {
        let mut found = Vec::new();
        self.gather(self.value, &mut found);
        found
    }

    fn gather(&self, value: &'a DeValue<'a>, found: &mut Vec<Self>) {
        match value {
            DeValue::Table(table) => {
                for setting in self.document.settings(table, &self.tables_inside()) {
                    setting.gather_from_here(found);
                }
            }
            DeValue::Array(list) => {
                for item in list.iter() {
                    self.gather(item.get_ref(), found);
                }
            }
            _ => {}
        }
    }

    fn gather_from_here(self, found: &mut Vec<Self>) {
        let value: &'a DeValue<'a> = self.value;
        self.gather(value, found);
        found.push(self);
    }

    fn checked<'t>(&self, text: &'t str) -> Result<&'t str, ConfigError> {
        if text.is_empty() {
            return Err(self.refused("it is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(self.refused("it contains a control character"));
        }
        Ok(text)
    }

    /// The key as a provider's name, with which names of variables begin (`MY_IDP_ACCESS_TOKEN`): and so with no digit.
    pub fn name(&self) -> Result<Name, ConfigError> {
        let name = Some(self.key).filter(|key| !key.starts_with(|c: char| c.is_ascii_digit()));
        name.and_then(|name| name.parse().ok()).ok_or_else(|| {
            self.refused(
                "a provider's name has 1 to 64 lower-case letters, digits, `-`, `_` and `.`, and starts with a letter",
            )
        })
    }
}
