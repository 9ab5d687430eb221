//! The keys of the file: what each takes, and what it sets.

use super::document::Setting;
use super::error::ConfigError;
use super::providers::{self, Providers};
use super::setter::{Setter, find};
use super::values::Config;
use super::vault;
use crate::credential::Name;
use crate::store::Preference;
use crate::text::nearest;

const TOP: &[(&str, Setter<Config>)] = &[
    // Set last, when all providers are known.
    ("default_provider", |_, _| Ok(())),
    ("store", |config, setting| {
        let store: Result<Preference, _> = setting.text().unwrap_or_default().parse();
        config.store = Some(
            store.map_err(|_| setting.must_be("\"auto\", \"keyring\", \"file\" or \"vault\""))?,
        );
        Ok(())
    }),
    ("ca_file", |config, setting| {
        config.ca_file = Some(setting.beside_file()?);
        Ok(())
    }),
    ("fast_read", |config, setting| {
        config.fast_read = setting.flag()?;
        Ok(())
    }),
    ("vault", |config, setting| {
        vault::set(&mut config.vault, setting)
    }),
    ("providers", |config, setting| {
        for provider in setting.settings("a table of providers, [providers.NAME]")? {
            providers::set(&mut config.providers, &provider)?;
        }
        Ok(())
    }),
];

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

/// Sets one key of the top level.
pub(super) fn set_top(config: &mut Config, setting: &Setting<'_>) -> Result<(), ConfigError> {
    find(TOP, setting)?(config, setting)
}

/// Refuses a secret in this setting or anywhere below it. A provider may be called `token`, though, and a field `password`.
pub(super) fn refuse_secrets(top: &Setting<'_>) -> Result<(), ConfigError> {
    for setting in top.below().iter().chain([top]) {
        let key = setting.key.to_ascii_lowercase().replace('-', "_");
        // A table is named so, or a list of the variables in which a field of a key is found.
        let is_named_so = setting.is_table() || setting.tables.last() == Some(&"token_variables");
        if SECRETS.contains(&key.as_str()) && !is_named_so {
            return Err(ConfigError::Secret {
                at: setting.place(),
                key: setting.shown_key(),
                provider: provider_above(setting),
            });
        }
    }
    Ok(())
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
    let names = || known.iter().map(Name::as_str);
    text.parse()
        .ok()
        .filter(|name| known.contains(name))
        .ok_or_else(|| ConfigError::NoSuchProvider {
            at: setting.place(),
            nearest: nearest(text, names()).map(str::to_owned),
        })
}
