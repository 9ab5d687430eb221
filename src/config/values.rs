//! What the file says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::document::Setting;
use super::providers::Providers;
use super::vault::VaultConfig;
use crate::credential::Name;
use crate::store::Preference;

/// What the user's file says, laid over what is built in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The provider of commands that name none.
    pub default_provider: Option<Name>,
    pub store: Option<Preference>,
    /// Certificates to trust besides the system's, PEM. A relative path was taken from the file's folder.
    pub ca_file: Option<PathBuf>,
    /// Whether secrets may go to and from the Secret Service by our own short way, where the file says so.
    pub fast_read: Option<bool>,
    pub providers: Providers,
    /// Of the shared store.
    pub vault: VaultConfig,
    lines: BTreeSet<(usize, String)>,
}

impl Config {
    /// The keys that the file sets, as `store` or `providers.ahrefs.client_id`, each with its line, in the order of the file.
    pub fn lines(&self) -> impl Iterator<Item = (&str, usize)> {
        self.lines.iter().map(|(line, key)| (key.as_str(), *line))
    }

    pub(super) fn note_line(&mut self, setting: &Setting<'_>) {
        if !setting.is_table() {
            self.lines.insert((setting.line(), setting.path()));
        }
    }
}
