//! A table of known keys, and what each sets.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::document::Setting;
use super::error::{ConfigError, known_words};
use crate::provider::Endpoint;

pub(super) type Setter<T> = fn(&mut T, &Setting<'_>) -> Result<(), ConfigError>;

pub(super) type Known<T> = &'static [(&'static str, Setter<T>)];

/// Sets what the settings say.
pub(super) fn fill<T>(
    target: &mut T,
    known: Known<T>,
    settings: &[Setting<'_>],
) -> Result<(), ConfigError> {
    settings
        .iter()
        .try_for_each(|setting| set(target, known, setting))
}

pub(super) fn set<T>(
    target: &mut T,
    known: Known<T>,
    setting: &Setting<'_>,
) -> Result<(), ConfigError> {
    match known.iter().find(|(key, _)| *key == setting.key) {
        Some((_, setter)) => setter(target, setting),
        None => {
            let key = setting.shown_key();
            let table = setting.table_name();
            let table = table.map_or_else(String::new, |table| format!(" in [{table}]"));
            let known: Vec<_> = known.iter().map(|(key, _)| *key).collect();
            let known = known_words(&key, &known);
            Err(setting.mistake(format!("unknown key `{key}`{table}{known}")))
        }
    }
}

/// What a setting can be by its type alone.
pub(super) trait Value: Sized {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError>;
}

impl Setting<'_> {
    /// Puts the value where it belongs.
    pub(super) fn put<T: Value>(&self, place: &mut T) -> Result<(), ConfigError> {
        *place = T::read(self)?;
        Ok(())
    }
}

impl<T: Value> Value for Option<T> {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        T::read(setting).map(Some)
    }
}

impl Value for String {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        setting.text().map(str::to_owned)
    }
}

impl Value for bool {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        setting.get("true or false")
    }
}

impl Value for u32 {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        let number: NonZeroU32 = setting.get("a whole number, 1 or more")?;
        Ok(number.get())
    }
}

/// An address that secrets may be sent to.
impl Value for Endpoint {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        Self::parse(setting.text()?).map_err(|why| setting.refused(why))
    }
}

impl Value for PathBuf {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        setting.beside_file()
    }
}
