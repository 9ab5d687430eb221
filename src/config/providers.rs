//! The providers that are known: the built-in ones, each read when its facts are needed and not before, and the file's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use toml::de::DeTable;

use super::document::{Document, Setting};
use super::error::ConfigError;
use super::provider::{Draft, lay_over};
use crate::credential::Name;
use crate::provider::Provider;
use crate::provider::catalog::BUILT_IN;

/// By name. `token print` with a valid token asks for names alone, and so reads no definition.
#[derive(Clone, Debug)]
pub struct Providers {
    /// What the file says, laid over what is built in.
    own: BTreeMap<Name, Provider>,
    /// Boxed, for this is moved about on the way to a valid token, and each page of stack costs what ten system calls do.
    built_in: [OnceLock<Option<Box<Provider>>>; BUILT_IN.len()],
}

impl Default for Providers {
    fn default() -> Self {
        Self {
            own: BTreeMap::new(),
            built_in: [const { OnceLock::new() }; BUILT_IN.len()],
        }
    }
}

impl Providers {
    pub fn contains(&self, name: &Name) -> bool {
        place(name).is_some() || self.own.contains_key(name)
    }

    /// Whether the file says anything of it.
    pub fn is_configured(&self, name: &Name) -> bool {
        self.own.contains_key(name)
    }

    /// In the order of the alphabet.
    pub fn names(&self) -> Vec<Name> {
        let built_in = BUILT_IN.iter().filter_map(|(name, _)| name.parse().ok());
        let mut names: Vec<Name> = built_in.chain(self.own.keys().cloned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    pub fn get(&self, name: &Name) -> Option<&Provider> {
        self.own.get(name).or_else(|| {
            let cell = self.built_in.get(place(name)?)?;
            let read = || built_in(name).ok().flatten().map(Box::new);
            cell.get_or_init(read).as_deref()
        })
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> impl Iterator<Item = &Provider> {
        self.names().into_iter().filter_map(|name| self.get(&name))
    }
}

fn place(name: &Name) -> Option<usize> {
    BUILT_IN
        .iter()
        .position(|(known, _)| *known == name.as_str())
}

fn built_in(name: &Name) -> Result<Option<Provider>, ConfigError> {
    let lacks = |(key, reason)| {
        let why = format!("`{name}` has no `{key}`{reason}");
        ConfigError::at(Path::new(name.as_str()), None, why)
    };
    let draft = draft(name)?;
    draft.map(|draft| draft.finish().map_err(lacks)).transpose()
}

/// What is built in of this name, for a table to be laid over it.
fn draft(name: &Name) -> Result<Option<Draft>, ConfigError> {
    let Some((_, text)) = place(name).and_then(|place| BUILT_IN.get(place)) else {
        return Ok(None);
    };
    let file = Path::new(name.as_str());
    let root = DeTable::parse(text).map_err(|error| ConfigError::at(file, None, error))?;
    let settings = Document { file, text }.settings(root.get_ref(), &[]);
    lay_over(Draft::new(name), &settings).map(Some)
}

/// Lays one table over a built-in provider, or makes a new one of it.
pub(super) fn set(providers: &mut Providers, table: &Setting<'_>) -> Result<(), ConfigError> {
    let name = table.name()?;
    let settings = table.settings("a table, [providers.NAME]")?;
    let built_in = draft(&name)?;
    if built_in.is_none() {
        refuse_shared_variables(providers, &name, table)?;
    }
    let draft = lay_over(built_in.unwrap_or_else(|| Draft::new(&name)), &settings)?;
    let is_check =
        |setting: &&Setting<'_>| matches!(setting.key, "check_path" | "check" | "api_key");
    if let Some(setting) = settings.iter().find(is_check) {
        draft.refuse_checks().map_err(|why| setting.refused(why))?;
    }
    let provider = draft.finish().map_err(|lack| table.lacks(lack))?;
    providers.own.insert(name, provider);
    Ok(())
}

/// `my-idp` and `my_idp` would both be given `SEO_AUTH_MY_IDP_TOKEN`, and a token would go to the wrong one.
fn refuse_shared_variables(
    providers: &Providers,
    name: &Name,
    table: &Setting<'_>,
) -> Result<(), ConfigError> {
    let known = providers.names();
    let mut twins = known.iter().filter(|other| *other != name);
    match twins.find(|other| other.for_variable() == name.for_variable()) {
        Some(twin) => Err(table.refused(format!(
            "its environment variables (SEO_AUTH_{}_…) are those of `{twin}`; choose another name",
            name.for_variable()
        ))),
        None => Ok(()),
    }
}

/// The provider that is built in of this name, for tests.
///
/// # Panics
/// There is none, or its definition is wrong.
#[cfg(test)]
pub fn known(name: &str) -> Provider {
    let name = name.parse().unwrap();
    built_in(&name).unwrap().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Endpoint, Login};

    #[test]
    fn every_definition_that_is_built_in_holds() {
        for (name, _) in BUILT_IN {
            let provider = known(name);
            assert_eq!(provider.name.as_str(), name);
            assert_ne!(provider.title, name);
        }
    }

    #[test]
    fn the_sandbox_keeps_paths_and_changes_origins() {
        let origin = Endpoint::parse("http://127.0.0.1:4242").unwrap();
        let semrush = known("semrush").at_sandbox(&origin);
        let token_endpoint = semrush.login.token_endpoint().unwrap().to_string();
        assert_eq!(token_endpoint, "http://127.0.0.1:4242/dag/device/token");
        let base = semrush.api.base.unwrap().to_string();
        assert_eq!(base, "http://127.0.0.1:4242/apis/v4/");
        assert!(matches!(
            semrush.other_logins[..],
            [Login::Code(_), Login::Key(_)]
        ));
        let ahrefs = known("ahrefs").at_sandbox(&origin);
        let token_endpoint = ahrefs.login.token_endpoint().unwrap().to_string();
        assert_eq!(token_endpoint, "http://127.0.0.1:4242/oauth/token");
        assert!(ahrefs.client_id.is_some());
    }
}
