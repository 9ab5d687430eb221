//! A table of known keys, and what each sets.

use super::document::Setting;
use super::error::ConfigError;

pub(super) type Setter<T> = fn(&mut T, &Setting<'_>) -> Result<(), ConfigError>;

/// What a key sets.
pub(super) fn find<T>(
    known: &'static [(&'static str, Setter<T>)],
    setting: &Setting<'_>,
) -> Result<Setter<T>, ConfigError> {
    known
        .iter()
        .find(|(key, _)| *key == setting.key)
        .map(|(_, setter)| *setter)
        .ok_or_else(|| ConfigError::UnknownKey {
            at: setting.place(),
            key: setting.shown_key(),
            table: setting.table_name(),
            known: known.iter().map(|(key, _)| *key).collect(),
        })
}
