//! The file as a tree of settings, each of which knows its key and its line and so can complain about itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, line};
use crate::credential::Name;
use crate::text::printable;

/// A key that a table cannot do without, and why.
pub(super) type Lack = (&'static str, &'static str);

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
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Document<'a> {
    /// The settings of a table in the order of the file, so that the first mistake is the one that is told.
    pub fn settings(self, table: &'a DeTable<'a>, tables: &[&'a str]) -> Vec<Setting<'a>> {
        let setting = |(key, value): (&'a Spanned<_>, _)| Setting {
            document: self,
            tables: tables.to_vec(),
            key: AsRef::<str>::as_ref(key.get_ref()),
            offset: key.span().start,
            value,
        };
        let mut settings: Vec<_> = table.iter().map(setting).collect();
        settings.sort_unstable_by_key(|setting| setting.offset);
        settings
    }
}

impl<'a> Setting<'a> {
    /// Where it stands, counted from 1.
    pub fn line(&self) -> usize {
        line(self.document.text.as_bytes(), self.offset)
    }

    /// A mistake here.
    pub fn mistake(&self, reason: impl fmt::Display) -> ConfigError {
        ConfigError::at(self.document.file, Some(self.line()), reason)
    }

    /// The key alone, safe for a terminal.
    pub fn shown_key(&self) -> String {
        printable(self.key, SHOWN_KEY)
    }

    /// The key with its tables: `providers.ahrefs.client_id`.
    pub fn path(&self) -> String {
        let table = self.table_name().map(|table| format!("{table}."));
        table.unwrap_or_default() + &self.shown_key()
    }

    /// The tables above it as one name, safe for a terminal.
    pub fn table_name(&self) -> Option<String> {
        let shown = |table: &&str| printable(table, SHOWN_KEY);
        let tables: Vec<_> = self.tables.iter().map(shown).collect();
        (!tables.is_empty()).then(|| tables.join("."))
    }

    /// What a value must be that this one is not.
    pub fn must_be(&self, expected: &str) -> ConfigError {
        let got = self.shown_value();
        let got = got.map_or_else(String::new, |got| format!(", not `{got}`"));
        self.mistake(format!("`{}` must be {expected}{got}", self.path()))
    }

    /// A value that is plainly a word and no secret: a few small letters.
    fn shown_value(&self) -> Option<&'a str> {
        let text = self.value().as_str()?;
        let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == '-';
        // Passwords of ten small letters alone are rare, and the known words are not longer than this or much shorter.
        let is_word = !text.is_empty() && text.len() <= 10 && text.chars().all(plain);
        is_word.then_some(text)
    }

    /// The value is of the right kind, and not taken.
    pub fn refused(&self, reason: impl fmt::Display) -> ConfigError {
        self.mistake(format!("`{}`: {reason}", self.path()))
    }

    /// This table lacks a key.
    pub fn lacks(&self, (key, reason): Lack) -> ConfigError {
        self.mistake(format!("`{}` has no `{key}`{reason}", self.path()))
    }

    /// The value by its type. The parser's own words about a wrong one could repeat it.
    pub fn get<T: DeserializeOwned>(&self, expected: &str) -> Result<T, ConfigError> {
        T::deserialize(self.value.clone().into_deserializer()).map_err(|_| self.must_be(expected))
    }

    /// A text that isn't empty and has no control characters.
    pub fn text(&self) -> Result<&'a str, ConfigError> {
        match self.value() {
            DeValue::String(text) => self.checked(text),
            _ => Err(self.must_be("a text in quotes")),
        }
    }

    /// A text that says something by itself.
    pub fn parsed<T: FromStr>(&self, expected: &str) -> Result<T, ConfigError> {
        let text = self.text().unwrap_or_default();
        text.parse().map_err(|_| self.must_be(expected))
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, known: &[(&str, T)], expected: &str) -> Result<T, ConfigError> {
        let given = self.value().as_str();
        let found = known.iter().find(|(word, _)| Some(*word) == given);
        found
            .map(|(_, meaning)| *meaning)
            .ok_or_else(|| self.must_be(expected))
    }

    /// A file, relative to the one that names it.
    pub fn beside_file(&self) -> Result<PathBuf, ConfigError> {
        let folder = self.document.file.parent().unwrap_or(Path::new(""));
        Ok(folder.join(self.text()?))
    }

    pub fn is_table(&self) -> bool {
        self.value().is_table()
    }

    pub fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// A list of texts.
    pub fn texts(&self, expected: &str) -> Result<Vec<String>, ConfigError> {
        let list: Vec<String> = self.get(expected)?;
        list.iter()
            .try_for_each(|text| self.checked(text).map(drop))?;
        Ok(list)
    }

    /// The settings inside a table.
    pub fn settings(&self, expected: &str) -> Result<Vec<Self>, ConfigError> {
        match self.value() {
            DeValue::Table(table) => Ok(self.inside(table)),
            _ => Err(self.must_be(expected)),
        }
    }

    fn inside(&self, table: &'a DeTable<'a>) -> Vec<Self> {
        let tables = [self.tables.as_slice(), &[self.key]].concat();
        self.document.settings(table, &tables)
    }

    /// This setting and every one below it, at any depth.
    pub fn with_all_below(&self) -> Vec<Self> {
        let mut found = vec![self.clone()];
        self.gather(self.value(), &mut found);
        found
    }

    fn gather(&self, value: &'a DeValue<'a>, found: &mut Vec<Self>) {
        match value {
            DeValue::Table(table) => {
                found.extend(self.inside(table).iter().flat_map(Self::with_all_below));
            }
            DeValue::Array(list) => {
                for item in list.iter() {
                    self.gather(item.get_ref(), found);
                }
            }
            _ => {}
        }
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
