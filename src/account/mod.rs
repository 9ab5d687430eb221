//! An account: which one is meant, and how its token stays fresh. No terminal is known here: what there is to say goes
//! through the [`Host`].

pub mod call;
mod demand;
pub mod fresh;
pub mod renew;
pub mod view;

use crate::config::Config;
use crate::credential::{AccountKey, Name};
use crate::error::Error;
use crate::http::Http;
use crate::http::runtime::Runtime;
use crate::provider::Provider;
use crate::secret::{AccessToken, ClientSecret};
use crate::store::stores::Stores;

/// What the environment gives, and who tells the user.
pub trait Host {
    /// The provider of this name, as flags, environment and file have it together.
    ///
    /// # Errors
    /// There is none.
    fn provider(&self, name: &str) -> Result<Provider, Error>;
    /// There is no provider of this name.
    fn unknown_provider(&self, name: &str) -> Error;
    /// # Errors
    /// The variable holds what no token does.
    fn env_token(&self, provider: &Name) -> Result<Option<AccessToken>, Error>;
    /// Whether there is one, right or wrong.
    fn has_env_token(&self, provider: &Name) -> bool;
    /// # Errors
    /// The variable holds what no client secret does.
    fn client_secret(&self, provider: &Provider) -> Result<Option<ClientSecret>, Error>;
    fn http(&self) -> &Http;
    fn warn(&self, text: &str);
    /// For those who asked for this level of detail.
    fn detail(&self, level: u8, text: &str);
}

/// The accounts of this machine, and what is needed to use them.
pub struct Accounts<'a> {
    pub stores: &'a Stores,
    pub config: &'a Config,
    /// The profile that was named: by the flag, or by pointing every command at the sandbox, so that no fake token takes the
    /// place of a real one.
    pub profile: Option<Name>,
    pub host: &'a dyn Host,
    pub runtime: &'a Runtime,
}

impl Accounts<'_> {
    /// The account of a provider, on the profile that was named.
    pub fn of(&self, provider: &Name) -> AccountKey {
        AccountKey {
            provider: provider.clone(),
            profile: self.profile.clone().unwrap_or_default(),
        }
    }

    /// The name of a provider of the configuration, or of one that was taken out of it and has a login still.
    ///
    /// # Errors
    /// It is neither.
    pub fn provider_name(&self, name: &str) -> Result<Name, Error> {
        // By its name alone: no definition is read on the way to a valid token.
        if let Ok(name) = name.parse()
            && self.config.providers.contains(&name)
        {
            return Ok(name);
        }
        let listed = self.stores.listed().unwrap_or_default();
        let mut providers = listed.into_iter().map(|account| account.provider);
        providers
            .find(|provider| provider.as_str() == name)
            .ok_or_else(|| self.host.unknown_provider(name))
    }

    /// The account that a command means: the named provider, else the only login, else the configured default.
    ///
    /// # Errors
    /// The name is unknown, or it can't be told which login is meant.
    pub fn meant(&self, provider: Option<&str>) -> Result<AccountKey, Error> {
        if let Some(name) = provider {
            return Ok(self.of(&self.provider_name(name)?));
        }
        if let Some(name) = &self.config.default_provider {
            return Ok(self.of(name));
        }
        let mut stored = self.stores.listed()?;
        let mut candidates = self.of_this_profile(stored.clone());
        let names = self.config.providers.names().into_iter();
        for name in names.filter(|name| self.host.has_env_token(name)) {
            if candidates.iter().all(|account| account.provider != name) {
                candidates.push(self.of(&name));
            }
        }
        if candidates.is_empty() {
            stored = self.stores.all()?;
            candidates = self.of_this_profile(stored.clone());
        }
        match (candidates.as_slice(), &self.profile) {
            ([only], _) => Ok(only.clone()),
            ([], Some(profile)) if !stored.is_empty() => Err(Error::NoneOnProfile {
                profile: profile.clone(),
                accounts: stored,
            }),
            _ => Err(Error::WhichLogin {
                accounts: candidates,
            }),
        }
    }

    /// Those of the profile that was named; where none was, all.
    pub fn of_this_profile(&self, mut accounts: Vec<AccountKey>) -> Vec<AccountKey> {
        if let Some(profile) = &self.profile {
            accounts.retain(|account| account.profile == *profile);
        }
        accounts
    }

    /// The provider of an account, where the configuration (still) has it.
    pub fn known_provider(&self, account: &AccountKey) -> Option<Provider> {
        self.host.provider(account.provider.as_str()).ok()
    }

    /// Nothing is stored for the account; the error names the profiles of its provider that are.
    pub fn not_logged_in(&self, account: &AccountKey) -> Error {
        let listed = self.stores.listed().unwrap_or_default();
        let same = listed
            .into_iter()
            .filter(|other| other.provider == account.provider && other != account);
        Error::NotLoggedIn {
            account: account.clone(),
            profiles: same.map(|other| other.profile).collect(),
            left_out: self.stores.left_out(account),
        }
    }
}
