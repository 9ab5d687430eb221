//! The composition root: the one place that reads the environment and builds the parts.

mod reading;
mod surroundings;
mod vault;

use std::ffi::OsString;
use std::future::Future;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anstream::ColorChoice;
use reading::{
    handed_over, key_source, overlooked_roots, parse_name, parse_sandbox, parse_store, path_var,
    session_bus, setting_var, token_var,
};
use zeroize::Zeroizing;

use crate::account::runtime::Runtime;
use crate::account::{Accounts, Host};
use crate::cli::{Color, Global};
use crate::config::{Config, ConfigError};
use crate::credential::Name;
use crate::environment::{self, text_var, var};
use crate::error::Error;
use crate::http::{Http, Trace};
use crate::paths::{Paths, create_private_dir, read_bounded};
use crate::provider::{Endpoint, Provider, variable};
use crate::secret::{AccessToken, ClientSecret, Secret, bare, client_value};
use crate::store::file::FileStore;
use crate::store::index::Index;
use crate::store::keyring::{KeyringStore, Person};
use crate::store::kv2::VaultStore;
use crate::store::stores::Stores;
use crate::store::{Preference, StoreKind, private};
use crate::text::{nearest, printable};
use crate::ui::Ui;
use crate::ui::browser::Surroundings;
use crate::ui::ssh::SshRoute;

/// Everything that a command works with.
pub struct Context {
    /// Talks to the user.
    pub ui: Ui,
    /// The user's configuration, with the built-in providers.
    pub config: Config,
    pub paths: Paths,
    pub stores: Stores,
    profile: Option<Name>,
    store_flag: Option<Preference>,
    sandbox: Option<Endpoint>,
    http: OnceLock<Http>,
    runtime: Runtime,
}

/// How the user wants to be talked to.
pub fn ui(global: &Global) -> Ui {
    // Of a terminal without a name, nothing is known; Windows has no names for them.
    let dumb = text_var("TERM").map_or(cfg!(unix), |term| term == "dumb");
    let plain = dumb || var("NO_COLOR").is_some();
    let stderr = std::io::stderr().is_terminal();
    let color = match global.color {
        Color::Always => ColorChoice::Always,
        Color::Auto if stderr && !plain => ColorChoice::Auto,
        Color::Auto | Color::Never => ColorChoice::Never,
    };
    // An older console of Windows obeys control sequences only where colours switched them on.
    let obeys = !cfg!(windows) || color != ColorChoice::Never;
    Ui {
        json: global.json,
        verbosity: global.verbose,
        quiet: global.quiet,
        color,
        live: stderr && !dumb && !global.json && obeys,
        drawn: Arc::default(),
    }
}

/// Who a keyring may ask. On macOS and Windows the system itself knows whether it can.
fn person(ui: &Ui) -> Person {
    let sees_dialogs = cfg!(any(target_os = "macos", windows)) || surroundings::has_display();
    let is_there = sees_dialogs && std::io::stderr().is_terminal();
    let ui = ui.clone();
    Person {
        sees_dialogs,
        patience: if is_there {
            KEYRING_PATIENCE
        } else {
            Duration::ZERO
        },
        tell: Box::new(move || ui.tell(KEYRING_ASKS)),
    }
}

/// Of the contract: time to find the dialog, and the password.
const KEYRING_PATIENCE: Duration = Duration::from_secs(120);

const KEYRING_ASKS: &str = "Waiting up to 2 minutes for the keyring to be unlocked: type its password into its dialog, or press Ctrl-C to end.";

impl Context {
    /// Reads flags, environment and configuration, in that order of precedence.
    ///
    /// # Errors
    /// Whatever is wrong in flags and environment. A broken file is handed back beside a context with the built-in providers
    /// only: `doctor` goes on with it, every other command ends.
    pub fn new(global: &Global, ui: Ui) -> Result<(Self, Option<ConfigError>), Error> {
        let flag_or = |flag: &Option<OsString>, variable| match flag {
            Some(flag) => Ok(Some(flag.clone())),
            None => path_var(variable),
        };
        let named_config = flag_or(&global.config, "SEO_AUTH_CONFIG")?;
        let required = named_config.is_some();
        let state_dir = flag_or(&global.state_dir, "SEO_AUTH_STATE_DIR")?;
        let paths = Paths::new(named_config, state_dir);
        let (config, broken) = match Config::load(paths.config_file(), required) {
            Ok(config) => (config, None),
            Err(broken) => (Config::default(), Some(broken)),
        };
        let flag = global.profile.clone().map(|name| (name, "--profile"));
        let variable = setting_var("SEO_AUTH_PROFILE")?.map(|name| (name, "SEO_AUTH_PROFILE"));
        let profile = flag
            .or(variable)
            .map(|(name, from)| parse_name(&name, from))
            .transpose()?;
        let store_flag = global
            .store
            .as_deref()
            .map(|text| parse_store(text, "--store"))
            .transpose()?;
        let sandbox = setting_var("SEO_AUTH_SANDBOX")?
            .map(|text| parse_sandbox(&text))
            .transpose()?;
        let stores = Stores::new(
            KeyringStore::new(session_bus(), config.fast_read.unwrap_or(true), person(&ui)),
            FileStore::new(paths.sealed_file(), key_source(&paths)?),
            VaultStore::new(
                vault::settings(&config, config.ca_file.iter().cloned().collect())?,
                paths.locks_dir(),
            ),
            Index::new(paths.index_file(), paths.locks_dir()),
            paths.locks_dir(),
            store_flag.and_then(Preference::only),
        );
        let named = match (&store_flag, setting_var("SEO_AUTH_STORE")?) {
            (Some(flag), _) => Some(*flag),
            (None, Some(text)) => text.parse().ok(),
            (None, None) => config.store,
        };
        let stores = match named {
            Some(Preference::Only(StoreKind::Vault)) => stores.searching_vault(),
            _ => stores,
        };
        let context = Self {
            ui,
            config,
            paths,
            stores,
            profile,
            store_flag,
            sandbox,
            http: OnceLock::new(),
            runtime: Runtime::default(),
        };
        Ok((context, broken))
    }

    /// The provider of this name, at the sandbox where one is named.
    ///
    /// # Errors
    /// There is none.
    pub fn provider(&self, name: &str) -> Result<Provider, Error> {
        let provider = name
            .parse::<Name>()
            .ok()
            .and_then(|name| self.config.providers.get(&name))
            .cloned();
        self.as_set(provider.ok_or_else(|| self.unknown_provider(name))?)
    }

    /// Every provider that is known; without a client ID that can't be used.
    pub fn providers(&self) -> impl Iterator<Item = Provider> {
        let all = self.config.providers.all().cloned();
        all.map(|provider| self.as_set(provider.clone()).unwrap_or(provider))
    }

    /// With what the environment says (`SEO_AUTH_<PROVIDER>_CLIENT_ID` stands above the file), at the sandbox where one is
    /// named.
    fn as_set(&self, mut provider: Provider) -> Result<Provider, Error> {
        let name = provider.variable("CLIENT_ID");
        if let Some(text) = text_var(&name) {
            provider.client_id = Some(handed_over(&name, &text, client_value)?.to_owned());
        }
        Ok(match &self.sandbox {
            Some(origin) => provider.at_sandbox(origin),
            None => provider,
        })
    }

    /// # Errors
    /// The variable holds what no client secret does.
    pub fn client_secret(&self, provider: &Provider) -> Result<Option<ClientSecret>, Error> {
        let name = provider.variable("CLIENT_SECRET");
        let Some(text) = text_var(&name).map(Zeroizing::new) else {
            return Ok(None);
        };
        let secret = handed_over(&name, &text, client_value)?;
        Ok(Some(Secret::new(secret.to_owned())))
    }

    /// Whether a token of this provider is in the environment, right or wrong.
    pub fn has_env_token(&self, provider: &Name) -> bool {
        var(&variable(provider, "TOKEN")).is_some()
    }

    /// The variables that a command run by us does not inherit: the store's key, client secrets, and tokens of other
    /// providers than those that are `named`.
    pub fn withheld_variables(&self, named: &[&Name]) -> Vec<OsString> {
        let given: Vec<String> = named.iter().map(|name| variable(name, "TOKEN")).collect();
        let secret = |name: &str| {
            name == "SEO_AUTH_KEY"
                || name.starts_with("SEO_AUTH_")
                    && (name.ends_with("_CLIENT_SECRET") || name.ends_with("_TOKEN"))
        };
        environment::names()
            .filter(|name| {
                let name = name.to_string_lossy();
                secret(&name) && given.iter().all(|given| *given != name)
            })
            .collect()
    }

    /// The accounts, with what is needed to use them.
    pub fn accounts(&self) -> Accounts<'_> {
        let sandbox = || self.sandbox.is_some().then(Name::sandbox);
        Accounts {
            stores: &self.stores,
            config: &self.config,
            profile: self.profile.clone().or_else(sandbox),
            host: self,
            runtime: &self.runtime,
        }
    }

    /// Where a new login goes: flag over environment over file.
    ///
    /// # Errors
    /// The variable names no store.
    pub fn store_preference(&self) -> Result<Preference, Error> {
        if let Some(flag) = self.store_flag {
            return Ok(flag);
        }
        match setting_var("SEO_AUTH_STORE")? {
            Some(text) => parse_store(&text, "SEO_AUTH_STORE"),
            None => Ok(self.config.store.unwrap_or(Preference::Auto)),
        }
    }

    /// The embedded authorization server that `SEO_AUTH_SANDBOX` names.
    pub fn sandbox(&self) -> Option<&Endpoint> {
        self.sandbox.as_ref()
    }

    /// Goes on at the embedded authorization server at `origin`, on the profile `sandbox`.
    pub fn move_to_sandbox(&mut self, origin: Endpoint) {
        self.sandbox = Some(origin);
    }

    /// The HTTP client, built when it is first needed.
    pub fn http(&self) -> &Http {
        self.http.get_or_init(|| {
            let ui = self.ui.clone();
            let trace = (ui.verbosity > 0).then(|| {
                let key = self.trace_key();
                Trace::new(Box::new(move |level, text| ui.detail(level, text)), key)
            });
            Http::new(trace).with_roots(self.extra_roots())
        })
    }

    /// The key of the trace's fingerprints: kept, so that a token can be followed from run to run. Where it can't be, a
    /// random one serves this run.
    fn trace_key(&self) -> [u8; 32] {
        let file = self.paths.trace_key_file();
        let kept = read_bounded(&file, 32)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        kept.unwrap_or_else(|| {
            let key: [u8; 32] = rand::random();
            let _ = create_private_dir(self.paths.state_dir())
                .and_then(|()| private::replace(&file, &key));
            key
        })
    }

    /// `ca_file`, and of `SSL_CERT_FILE` and `SSL_CERT_DIR` what the platform's own verifier does not look at.
    pub fn extra_roots(&self) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> = self.config.ca_file.iter().cloned().collect();
        roots.extend(overlooked_roots());
        roots
    }

    /// Waits for a future. Several threads may, at the same time.
    ///
    /// # Errors
    /// The system gives no runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, Error> {
        self.runtime.block_on(future)
    }

    /// Waits for a future, or for Ctrl-C, which is polled first: from the moment that anything is shown, it cleans up.
    ///
    /// # Errors
    /// It was Ctrl-C; or the system gives no runtime.
    pub fn block_on_unless_interrupted<T>(
        &self,
        future: impl Future<Output = T>,
    ) -> Result<T, Error> {
        self.block_on(async {
            tokio::select! {
                biased;
                () = crate::process::interrupted() => Err(Error::Interrupted),
                done = future => Ok(done),
            }
        })?
    }

    /// `$BROWSER`: one command, or several with colons in between. Quotes in it are the command line's own, and what else is
    /// wrong with it ends no login: the address is shown.
    pub fn browser_variable(&self) -> Option<String> {
        let command = text_var("BROWSER")?;
        Some(bare(&command).to_owned()).filter(|command| !command.is_empty())
    }

    /// The file by which a step of GitHub Actions hands variables on.
    ///
    /// # Errors
    /// The variable holds no path.
    pub fn github_file(&self) -> Result<Option<PathBuf>, Error> {
        let file = match path_var("GITHUB_ENV")? {
            None => path_var("GITHUB_OUTPUT")?,
            env => env,
        };
        Ok(file.map(PathBuf::from))
    }

    /// Where we run, as far as it matters for a browser.
    pub fn surroundings(&self) -> Surroundings {
        surroundings::here()
    }

    /// How this machine is reached over SSH, where it is.
    pub fn ssh_route(&self) -> Option<SshRoute> {
        let user = text_var("USER").or_else(|| text_var("LOGNAME"));
        SshRoute::parse(&text_var("SSH_CONNECTION")?, user.as_deref())
    }

    /// A variable of the environment that is set to something.
    pub fn variable(&self, name: &str) -> Option<String> {
        text_var(name)
    }

    /// The names of the variables that begin so and are set.
    pub fn variables(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> = environment::names()
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort_unstable();
        names
    }
}

impl Host for Context {
    fn provider(&self, name: &str) -> Result<Provider, Error> {
        Self::provider(self, name)
    }

    fn unknown_provider(&self, name: &str) -> Error {
        let known = self.config.providers.names();
        Error::UnknownProvider {
            name: printable(name, 64),
            nearest: nearest(name, known.iter().map(Name::as_str)).map(str::to_owned),
        }
    }

    fn env_token(&self, provider: &Name) -> Result<Option<AccessToken>, Error> {
        token_var(&variable(provider, "TOKEN"))
    }

    fn has_env_token(&self, provider: &Name) -> bool {
        Self::has_env_token(self, provider)
    }

    fn client_secret(&self, provider: &Provider) -> Result<Option<ClientSecret>, Error> {
        Self::client_secret(self, provider)
    }

    fn http(&self) -> &Http {
        Self::http(self)
    }

    fn warn(&self, text: &str) {
        self.ui.warn(text);
    }

    fn detail(&self, level: u8, text: &str) {
        self.ui.detail(level, text);
    }
}
