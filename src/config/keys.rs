//! The keys of the file: what each takes, and what it sets.

use super::document::Setting;
use super::error::{ConfigError, nearest_words, secret_words};
use super::providers::{self, Providers};
use super::setter::{Known, Value, fill};
use super::values::Config;
use super::vault;
use crate::credential::Name;
use crate::store::Preference;
use crate::text::nearest;

pub(super) const TOP: Known<Config> = &[
    // Set last, when all providers are known.
    ("default_provider", |_, _| Ok(())),
    ("store", |config, setting| setting.put(&mut config.store)),
    ("ca_file", |config, setting| {
        setting.put(&mut config.ca_file)
    }),
    ("fast_read", |config, setting| {
        setting.put(&mut config.fast_read)
    }),
    ("vault", |config, setting| {
        let settings = setting.settings("a table, [vault]")?;
        fill(&mut config.vault, vault::KEYS, &settings)
    }),
    ("providers", |config, setting| {
        let tables = setting.settings("a table of providers, [providers.NAME]")?;
        let mut tables = tables.iter();
        tables.try_for_each(|table| providers::set(&mut config.providers, table))
    }),
];

impl Value for Preference {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        setting.parsed("\"auto\", \"keyring\", \"file\" or \"vault\"")
    }
}

/// Keys that only a secret could be the value of.
const SECRETS: &[&str] = &[
    "client_secret",
    "access_token",
    "refresh_token",
    "token",
    "password",
    "api_key",
    "secret",
];

/// Refuses a secret. A provider may be called `token`, though, and a field `password`.
pub(super) fn refuse_secret(setting: &Setting<'_>) -> Result<(), ConfigError> {
    let key = setting.key.to_ascii_lowercase().replace('-', "_");
    // A table is named so, or a list of the variables in which a field of a key is found.
    let is_named_so = setting.is_table() || setting.tables.last() == Some(&"token_variables");
    if !SECRETS.contains(&key.as_str()) || is_named_so {
        return Ok(());
    }
    let shown = setting.shown_key();
    let instead = secret_words(&shown, provider_above(setting).as_ref());
    Err(setting.mistake(format!("`{shown}` must not be in this file; {instead}")))
}

/// The provider in whose table a setting stands.
fn provider_above(setting: &Setting<'_>) -> Option<Name> {
    match setting.tables.as_slice() {
        ["providers", name, ..] => name.parse().ok(),
        _ => None,
    }
}

/// The provider that `default_provider` names.
pub(super) fn default_provider(
    providers: &Providers,
    setting: &Setting<'_>,
) -> Result<Name, ConfigError> {
    let text = setting.text()?;
    let known = providers.names();
    let name = text.parse().ok().filter(|name| known.contains(name));
    name.ok_or_else(|| {
        let near = nearest_words(nearest(text, known.iter().map(Name::as_str)));
        setting.mistake(format!(
            "`default_provider` names no known provider; `seo-auth providers` lists them{near}"
        ))
    })
}
