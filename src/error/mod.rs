//! Every error that a user can meet: what happened, why, and what to do next, with the exit code of the contract. The one
//! place where that is decided is [`Error::report`].

mod account;
pub mod api;
mod key;
pub(crate) mod network;
mod provider;
mod report;
mod store;
#[cfg(test)]
mod tests;
pub mod usage;

use std::io;

pub use account::{CannotRenew, login_command, login_command_for};
use account::{
    left_out, no_client_id, none_on_profile, not_logged_in, not_saved, other_issuer, too_short,
    which_login,
};
pub use key::KeyError;
use report::report;
pub use report::{Exit, Report};

use crate::clock::Timestamp;
use crate::config::ConfigError;
use crate::credential::{AccountKey, Kind, Name};
use crate::flow::FlowError;
use crate::store::{Located, StoreError, StoreKind};

/// Every error that a user can meet.
#[derive(Debug)]
pub enum Error {
    /// The call is wrong.
    Usage {
        /// What is wrong with it.
        message: String,
        /// How it is meant.
        hint: Option<String>,
    },
    /// The configuration is wrong.
    Config(ConfigError),
    UnknownProvider {
        /// As it was typed.
        name: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// A login needs a client id, and none is configured.
    NoClientId {
        provider: Name,
        /// Where to get one.
        help: Option<String>,
        /// What to register there.
        redirect_uri: Option<String>,
    },
    /// The provider may be left out only with exactly one login.
    WhichLogin {
        /// The logins that there are.
        accounts: Vec<AccountKey>,
    },
    /// Nothing is stored for the account.
    NotLoggedIn {
        account: AccountKey,
        /// Profiles of the same provider that are stored.
        profiles: Vec<Name>,
        /// Where it is, and `--store` does not look.
        left_out: Option<StoreKind>,
    },
    /// A login would take the place of another issuer's.
    OtherIssuer {
        account: AccountKey,
        /// The origin of the stored login's token endpoint.
        held: String,
        /// The origin of the new one's.
        new: String,
        /// A sandbox's never takes the place of a real one.
        is_sandbox: bool,
    },
    /// A login would take the place of another person's.
    OtherSubject {
        account: AccountKey,
        held: String,
        new: String,
    },
    /// Logins are stored, and none on the profile that was named.
    NoneOnProfile {
        profile: Name,
        /// The logins that there are.
        accounts: Vec<AccountKey>,
    },
    /// The token has expired, and nothing can renew it.
    Expired {
        account: AccountKey,
        /// When, if it is known.
        at: Option<Timestamp>,
        /// Why it can't be renewed.
        why: CannotRenew,
    },
    /// The token is valid for less than the caller demands, and nothing can renew it.
    TooShort {
        account: AccountKey,
        kind: Kind,
        /// What is left, in seconds.
        left: i64,
        /// What was demanded, in seconds.
        wanted: i64,
        /// Whether trying again may help.
        again: bool,
    },
    /// The command of `exec` can't be run.
    CommandNotRun {
        /// As it was typed.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// The provider issued a token that is none by RFC 6749 §A.12.
    StrangeToken {
        account: AccountKey,
    },
    /// A refresh brought the very token that an API had refused.
    SameToken {
        account: AccountKey,
    },
    /// A refresh failed, and a later one may succeed.
    Refresh {
        account: AccountKey,
        source: FlowError,
    },
    /// Other processes held the account's lock for all the time that was waited.
    Busy {
        account: AccountKey,
        /// How long was waited.
        seconds: u64,
    },
    /// A refresh succeeded, and its outcome could not be stored.
    NotSaved {
        account: AccountKey,
        source: Box<Self>,
    },
    /// An API refused the token that the environment holds.
    EnvRejected {
        variable: String,
    },
    Flow {
        account: AccountKey,
        source: FlowError,
    },
    /// An API answered, and not with what was asked for.
    Api(Box<api::ApiError>),
    Key(KeyError),
    Store {
        store: StoreKind,
        source: StoreError,
    },
    /// A store could not be asked to delete an account.
    NotDeleted {
        account: AccountKey,
        /// Which store may still hold it.
        store: StoreKind,
        source: StoreError,
    },
    /// A file of ours that belongs to no store.
    Files(StoreError),
    /// The port of the redirect URI is taken.
    PortTaken {
        address: String,
        /// What the system said.
        source: io::Error,
        /// Who holds it, where that can be known.
        holder: Option<String>,
    },
    /// Anything else on this machine: stdin, stdout, a thread that can't be started.
    System {
        what: String,
        /// What the system said.
        source: io::Error,
    },
    Interrupted,
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<Located> for Error {
    fn from(Located { store, source }: Located) -> Self {
        match store {
            Some(store) => Self::Store { store, source },
            None => Self::Files(source),
        }
    }
}

impl Error {
    /// Stdout can't be written.
    pub fn stdout(source: io::Error) -> Self {
        Self::System {
            what: "stdout can't be written".to_owned(),
            source,
        }
    }

    /// The system gives no runtime.
    pub fn no_runtime(source: io::Error) -> Self {
        Self::System {
            what: "the network runtime could not be started".to_owned(),
            source,
        }
    }

    /// The one table: message, hint and exit code of every error.
    pub fn report(&self) -> Report {
        match self {
            Self::Usage { message, hint } => report("usage", Exit::Usage, message, hint.clone()),
            Self::Config(error) => report("config", Exit::Usage, error, named_by(error)),
            Self::UnknownProvider { name, nearest } => report(
                "unknown_provider",
                Exit::Usage,
                format!("there is no provider `{name}`"),
                Some(nearest.as_ref().map_or_else(
                    || {
                        "`seo-auth providers` lists the providers; add your own as [providers.NAME] in config.toml"
                            .to_owned()
                    },
                    |nearest| format!("did you mean `{nearest}`? See `seo-auth providers`"),
                )),
            ),
            Self::NoClientId {
                provider,
                help,
                redirect_uri,
            } => no_client_id(provider, help.as_deref(), redirect_uri.as_deref()),
            Self::WhichLogin { accounts } => which_login(accounts),
            Self::NotLoggedIn {
                account,
                left_out: Some(store),
                ..
            } => left_out(account, *store),
            Self::NotLoggedIn {
                account, profiles, ..
            } => not_logged_in(account, profiles),
            Self::OtherIssuer {
                account,
                held,
                new,
                is_sandbox,
            } => other_issuer(account, held, new, *is_sandbox),
            Self::OtherSubject { account, held, new } => report(
                "other_subject",
                Exit::NotAuthorised,
                format!(
                    "{account} holds the login of the user {held}, but the browser signed in the user {new}"
                ),
                Some(format!(
                    "sign in with the other user in the browser and run `{}`, use another --profile, or add --replace",
                    login_command(account)
                )),
            ),
            Self::NoneOnProfile { profile, accounts } => none_on_profile(profile, accounts),
            Self::Expired { account, at, why } => report(
                "expired",
                Exit::LoginNeeded,
                match at {
                    Some(at) if *why == CannotRenew::Key => {
                        format!("the key of {account} expired at {at}, and a key can't be refreshed")
                    }
                    None if *why == CannotRenew::Key => {
                        format!("the key of {account} can't be refreshed")
                    }
                    Some(at) => format!("the token of {account} expired at {at}; {why}"),
                    None => format!("the token of {account} can't be refreshed: {why}"),
                },
                Some(format!("run `{}`", login_command_for(account, why.kind()))),
            ),
            Self::TooShort {
                account,
                kind,
                left,
                wanted,
                again,
            } => too_short(account, *kind, *left, *wanted, *again),
            Self::CommandNotRun { command, source } => not_run(command, source),
            Self::StrangeToken { account } => report(
                "strange_token",
                Exit::Protocol,
                format!(
                    "the token of {account} contains characters that are not allowed in tokens (RFC 6749 §A.12)"
                ),
                Some(format!(
                    "run `{}`; if that does not help, report it to the provider",
                    login_command(account)
                )),
            ),
            Self::SameToken { account } => report(
                "same_token",
                Exit::Unreachable,
                format!(
                    "an API refused the token of {account}, and a refresh returned the same token again"
                ),
                Some(format!(
                    "try again in a few minutes; if that does not help, run `{}`",
                    login_command(account)
                )),
            ),
            Self::Refresh { account, source } => provider::refresh_report(account, source),
            Self::Busy { account, seconds } => report(
                "busy",
                Exit::Unreachable,
                format!("other processes locked {account} for {seconds} s, for a refresh or a login"),
                Some("try again; if that does not help, look for a seo-auth process that is stopped".to_owned()),
            ),
            Self::NotSaved { account, source } => not_saved(account, &source.report()),
            Self::EnvRejected { variable } => report(
                "env_token_rejected",
                Exit::LoginNeeded,
                format!("the API refused the token in {variable}, and seo-auth can't refresh that one"),
                Some(format!(
                    "set {variable} to a valid token, or unset it to use a stored login"
                )),
            ),
            Self::Flow { account, source } => provider::report_of(account, source),
            Self::Api(error) => error.report(),
            Self::Key(error) => error.report(),
            Self::Store { store, source } => store::report_of(*store, source),
            Self::NotDeleted {
                account,
                store,
                source,
            } => store::not_deleted(account, *store, source),
            Self::Files(source) => store::files(source),
            Self::PortTaken {
                address,
                source,
                holder,
            } => port_taken(address, source, holder.as_deref()),
            Self::System { what, source } => report(
                "system",
                Exit::Failed,
                format!("{what}: {source}"),
                Some("run `seo-auth doctor`".to_owned()),
            ),
            Self::Interrupted => report("interrupted", Exit::Interrupted, "interrupted", None),
        }
    }
}

/// A file that is not there was named by somebody.
fn named_by(error: &ConfigError) -> Option<String> {
    match error {
        ConfigError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Some(
                "SEO_AUTH_CONFIG or --config names this file: create the file, correct the path, or leave it out"
                    .to_owned(),
            )
        }
        _ => None,
    }
}

fn not_run(command: &str, source: &io::Error) -> Report {
    let (exit, hint) = match source.kind() {
        io::ErrorKind::NotFound => (
            Exit::NoSuchCommand,
            "check the name, PATH, and the first line if it is a script",
        ),
        io::ErrorKind::ArgumentListTooLong => (
            Exit::CannotRun,
            "the token is too long for a variable: add --token-file, and let the command read $SEO_AUTH_TOKEN_FILE",
        ),
        _ => (
            Exit::CannotRun,
            "check its mode (`chmod +x`) and that it was built for this machine",
        ),
    };
    let message = format!("`{command}` can't be run: {source}");
    report("command_not_run", exit, message, Some(hint.to_owned()))
}

fn port_taken(address: &str, source: &io::Error, holder: Option<&str>) -> Report {
    let holder = holder
        .map(|holder| format!(" ({holder})"))
        .unwrap_or_default();
    report(
        "port_taken",
        Exit::Usage,
        format!("the login can't listen on {address}: {source}{holder}"),
        Some("end the program that uses this port, or add --paste and paste the address of the last browser page. You can also register another redirect URI and pass it with --redirect-uri".to_owned()),
    )
}
