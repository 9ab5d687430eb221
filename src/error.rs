//! Every error that a user can meet: what happened, why, and what to do next, with the exit code of the contract. The one
//! place where that is decided is [`Error::report`].

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::clock::{Timestamp, describe_span};
use crate::credential::{AccountKey, Name};
use crate::flow::{FlowError, Step};
use crate::http::HttpError;
use crate::provider::config::ConfigError;
use crate::store::{StoreError, StoreKind};

/// The contract's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Read stderr.
    Failed = 1,
    /// Usage or configuration error: fix the call.
    Usage = 2,
    /// Nothing stored, expired and not refreshable, or refresh refused: ask a human to log in.
    LoginNeeded = 4,
    /// Denied, expired, or nobody approved in time: ask again.
    NotAuthorised = 5,
    /// Provider unreachable or failing: try again later.
    Unreachable = 6,
    /// Credential store unavailable: fix the store.
    Store = 7,
    /// Provider answered outside the protocol, or failed a security check: report it.
    Protocol = 8,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// A stable word for scripts.
    pub code: &'static str,
    /// The exit code.
    pub exit: Exit,
    /// What happened and why.
    pub message: String,
    /// What to do next, often the exact command.
    pub hint: Option<String>,
}

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
    /// No such provider.
    UnknownProvider {
        /// As it was typed.
        name: String,
        /// The nearest known one.
        nearest: Option<Name>,
    },
    /// A login needs a client id, and none is configured.
    NoClientId {
        /// The provider.
        provider: Name,
        /// Where to get one.
        help: Option<&'static str>,
        /// What to register there.
        redirect_uri: String,
    },
    /// The provider may be left out only with exactly one login.
    WhichLogin {
        /// The logins that there are.
        accounts: Vec<AccountKey>,
    },
    /// Nothing is stored for the account.
    NotLoggedIn {
        /// Which one.
        account: AccountKey,
    },
    /// The token has expired, and nothing can renew it.
    Expired {
        /// Which one.
        account: AccountKey,
        /// When, if it is known.
        at: Option<Timestamp>,
        /// Why it can't be renewed.
        why: CannotRenew,
    },
    /// The token is valid for less than the caller demands, and nothing can renew it.
    TooShort {
        /// Which one.
        account: AccountKey,
        /// What is left, in seconds.
        left: i64,
        /// What was demanded, in seconds.
        wanted: i64,
        /// Whether trying again may help.
        again: bool,
    },
    /// A login or a refresh failed.
    Flow {
        /// Which account.
        account: AccountKey,
        /// Why.
        source: FlowError,
    },
    /// A store failed.
    Store {
        /// Which one.
        store: StoreKind,
        /// Why.
        source: StoreError,
    },
    /// A file of ours that belongs to no store.
    Files(StoreError),
    /// The port of the redirect URI is taken.
    PortTaken {
        /// `127.0.0.1:8976`.
        address: String,
        /// What the system said.
        source: io::Error,
        /// Who holds it, where that can be known.
        holder: Option<String>,
    },
    /// Anything else on this machine: stdin, stdout, a thread that can't be started.
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Ctrl-C.
    Interrupted,
}

/// Why an expired token cannot be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotRenew {
    /// The provider issued no refresh token.
    NoRefreshToken,
    /// The provider refused the refresh token for good.
    Refused,
    /// A refresh was interrupted at this moment, and the refresh token is refused since.
    Interrupted(Timestamp),
    /// The configuration names another origin than the login's.
    MovedAway {
        /// Where the refresh token may go.
        login: String,
        /// Where the configuration would send it.
        configured: String,
    },
}

impl fmt::Display for CannotRenew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRefreshToken => f.write_str("the provider issued no refresh token"),
            Self::Refused => f.write_str("the provider refused the refresh token"),
            Self::Interrupted(at) => write!(
                f,
                "a refresh was interrupted at {at}, and the refresh token is spent"
            ),
            Self::MovedAway { login, configured } => write!(
                f,
                "the login was made at {login}, the configuration now names {configured}, and a refresh token goes to no other origin"
            ),
        }
    }
}

impl Error {
    /// A mistake in the call.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// The one table: message, hint and exit code of every error.
    pub fn report(&self) -> Report {
        match self {
            Self::Usage { message, hint } => report("usage", Exit::Usage, message, hint.clone()),
            Self::Config(error) => report("config", Exit::Usage, error, None),
            Self::UnknownProvider { name, nearest } => report(
                "unknown_provider",
                Exit::Usage,
                format!("there is no provider `{name}`"),
                Some(nearest.as_ref().map_or_else(
                    || {
                        "see `seo-auth providers`; add another as [providers.NAME] in config.toml"
                            .to_owned()
                    },
                    |nearest| format!("did you mean `{nearest}`? See `seo-auth providers`"),
                )),
            ),
            Self::NoClientId {
                provider,
                help,
                redirect_uri,
            } => no_client_id(provider, *help, redirect_uri),
            Self::WhichLogin { accounts } => which_login(accounts),
            Self::NotLoggedIn { account } => report(
                "not_logged_in",
                Exit::LoginNeeded,
                format!("no login is stored for {account}"),
                Some(format!("run `{}`", login_command(account))),
            ),
            Self::Expired { account, at, why } => report(
                "expired",
                Exit::LoginNeeded,
                match at {
                    Some(at) => format!("the token of {account} expired at {at}, and {why}"),
                    None => format!("the token of {account} can't be renewed: {why}"),
                },
                Some(format!("run `{}`", login_command(account))),
            ),
            Self::TooShort {
                account,
                left,
                wanted,
                again,
            } => too_short(account, *left, *wanted, *again),
            Self::Flow { account, source } => flow_report(account, source),
            Self::Store { store, source } => store_report(*store, source),
            Self::Files(source) => report(
                "files",
                Exit::Store,
                format!("a file of seo-auth can't be used: {source}"),
                Some("check its owner and mode, and the space on the disk".to_owned()),
            ),
            Self::PortTaken {
                address,
                source,
                holder,
            } => port_taken(address, source, holder.as_deref()),
            Self::System { what, source } => {
                report("system", Exit::Failed, format!("{what}: {source}"), None)
            }
            Self::Interrupted => report("interrupted", Exit::Interrupted, "interrupted", None),
        }
    }
}

/// The command that signs an account in, as it is typed.
pub fn login_command(account: &AccountKey) -> String {
    match account.profile.as_str() {
        "default" => format!("seo-auth login {}", account.provider),
        "sandbox" => format!("seo-auth login {} --sandbox", account.provider),
        profile => format!("seo-auth login {} --profile {profile}", account.provider),
    }
}

fn report(
    code: &'static str,
    exit: Exit,
    message: impl fmt::Display,
    hint: Option<String>,
) -> Report {
    Report {
        code,
        exit,
        message: message.to_string(),
        hint,
    }
}

fn no_client_id(provider: &Name, help: Option<&str>, redirect_uri: &str) -> Report {
    let help = help
        .map(|help| format!("{help} ({redirect_uri}). Then "))
        .unwrap_or_default();
    let variable = crate::provider::variable(provider, "CLIENT_ID");
    report(
        "no_client_id",
        Exit::Usage,
        format!("{provider} needs a client ID, and none is configured"),
        Some(format!(
            "{help}run `seo-auth login {provider} --client-id ID`, set {variable}, or put client_id under [providers.{provider}] in config.toml"
        )),
    )
}

fn which_login(accounts: &[AccountKey]) -> Report {
    if accounts.is_empty() {
        return report(
            "not_logged_in",
            Exit::LoginNeeded,
            "no login is stored",
            Some("run `seo-auth login semrush` or `seo-auth login ahrefs`".to_owned()),
        );
    }
    let list: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    report(
        "which_login",
        Exit::Usage,
        format!(
            "there are several logins, and no provider was named: {}",
            list.join(", ")
        ),
        Some("name one, or set default_provider in config.toml".to_owned()),
    )
}

fn too_short(account: &AccountKey, left: i64, wanted: i64, again: bool) -> Report {
    let message = format!(
        "the token of {account} is valid for {} more, and {} were demanded",
        describe_span(left),
        describe_span(wanted)
    );
    if again {
        report(
            "too_short",
            Exit::Unreachable,
            message,
            Some("try again later, or lower --min-valid".to_owned()),
        )
    } else {
        let hint = format!("run `{}`, or lower --min-valid", login_command(account));
        report("too_short", Exit::LoginNeeded, message, Some(hint))
    }
}

fn port_taken(address: &str, source: &io::Error, holder: Option<&str>) -> Report {
    let holder = holder
        .map(|holder| format!(" ({holder})"))
        .unwrap_or_default();
    report(
        "port_taken",
        Exit::Usage,
        format!("the login must listen on {address}, and can't: {source}{holder}"),
        Some("end the program that holds it, or register another redirect URI at the provider and give it by --redirect-uri".to_owned()),
    )
}

fn flow_report(account: &AccountKey, source: &FlowError) -> Report {
    let again = || Some(format!("run `{}` again", login_command(account)));
    let provider = &account.provider;
    match source {
        FlowError::Http(error) => http_report(error),
        FlowError::Overloaded { retry_after, .. } => report(
            "provider_failing",
            Exit::Unreachable,
            source,
            Some(match retry_after {
                Some(span) => format!("it asks to be left alone for {}", describe_span(span.as_secs().cast_signed())),
                None => "try again in a few minutes".to_owned(),
            }),
        ),
        FlowError::Unreadable { content, .. } => report(
            "protocol",
            Exit::Protocol,
            source,
            Some(if *content == "a web page" {
                "if this network has a sign-in page or a filtering proxy, get past it; else report this to the provider".to_owned()
            } else {
                "report this to the provider; `-vv` shows the exchange".to_owned()
            }),
        ),
        FlowError::Denied => report("denied", Exit::NotAuthorised, format!("{provider}: the request was denied"), again()),
        FlowError::CodeExpired => report("code_expired", Exit::NotAuthorised, format!("{provider}: {source}"), again()),
        FlowError::NobodyApproved { .. } => {
            report("not_approved", Exit::NotAuthorised, format!("{provider}: {source}"), again())
        }
        FlowError::ListenerDied { .. } => {
            report("listener_died", Exit::Failed, source, Some(format!("run `{} --paste` on a terminal", login_command(account))))
        }
        FlowError::NothingPasted { .. } => report(
            "nothing_pasted",
            Exit::NotAuthorised,
            source,
            Some("paste the whole address that the browser ended on, from https:// or http:// to its end".to_owned()),
        ),
        FlowError::IssuerMismatch { .. } => report(
            "issuer_mismatch",
            Exit::Protocol,
            format!("{source} (RFC 9207); the login was stopped"),
            Some("do not go on from that page; report it to the provider".to_owned()),
        ),
        FlowError::MissingEndpoint(key) => report(
            "config",
            Exit::Usage,
            format!("{provider} has no {key}"),
            Some(format!("set {key} under [providers.{provider}] in config.toml")),
        ),
        FlowError::Refused { step, error } => refused_report(account, *step, &error.error, source),
    }
}

/// RFC 6749 §4.1.2.1 and §5.2, RFC 8628 §3.5.
fn refused_report(account: &AccountKey, step: Step, code: &str, source: &FlowError) -> Report {
    let provider = &account.provider;
    let login = login_command(account);
    let message = format!("{provider} answered {source}");
    match (step, code) {
        (Step::Refresh, _) => report(
            "refresh_refused",
            Exit::LoginNeeded,
            format!("{provider} refused the refresh: {source}"),
            Some(format!("run `{login}`")),
        ),
        (_, "access_denied") => report(
            "denied",
            Exit::NotAuthorised,
            message,
            Some(format!("run `{login}` again")),
        ),
        (Step::CodeExchange, "invalid_grant") | (_, "expired_token") => report(
            "code_expired",
            Exit::NotAuthorised,
            format!("{message}: the code was used before or has expired"),
            Some(format!("run `{login}` again")),
        ),
        (_, "server_error" | "temporarily_unavailable") => report(
            "provider_failing",
            Exit::Unreachable,
            message,
            Some("try again in a few minutes".to_owned()),
        ),
        (_, "invalid_client" | "unauthorized_client") => report(
            "invalid_client",
            Exit::Usage,
            message,
            Some(format!(
                "check client_id (and the client secret, where one was issued) of {provider}, and that its redirect URI is registered"
            )),
        ),
        (_, "invalid_scope") => report(
            "invalid_scope",
            Exit::Usage,
            message,
            Some("check --scope, or scope in config.toml".to_owned()),
        ),
        _ => report(
            "refused",
            Exit::Failed,
            message,
            Some(
                "`-vv` shows the exchange; the provider's documentation names its errors"
                    .to_owned(),
            ),
        ),
    }
}

fn http_report(error: &HttpError) -> Report {
    let (code, exit, hint) = match error {
        HttpError::Dns { .. } => (
            "dns",
            Exit::Unreachable,
            "check the network and the name; behind a proxy, set HTTPS_PROXY",
        ),
        HttpError::Refused { .. } => (
            "refused_connection",
            Exit::Unreachable,
            "check that the address is right and the service is up",
        ),
        HttpError::TimedOut { .. } => (
            "timed_out",
            Exit::Unreachable,
            "check the network; behind a proxy, set HTTPS_PROXY",
        ),
        HttpError::Tls { .. } => (
            "tls",
            Exit::Unreachable,
            "is a proxy reading this traffic? Then name its CA file in SSL_CERT_FILE; else check this machine's clock and do not go on",
        ),
        HttpError::BodyTooLarge { .. } => {
            ("protocol", Exit::Protocol, "report this to the provider")
        }
        HttpError::Broken { .. } => (
            "connection_broken",
            Exit::Unreachable,
            "try again; `-vv` shows the exchange",
        ),
        HttpError::Setup { .. } => (
            "http_setup",
            Exit::Usage,
            "check the proxy and certificate variables of the environment",
        ),
    };
    report(code, exit, error, Some(hint.to_owned()))
}

fn store_report(store: StoreKind, source: &StoreError) -> Report {
    let name = match store {
        StoreKind::Keyring => "the keyring",
        StoreKind::File => "the sealed file",
        StoreKind::Env => "the environment",
    };
    let use_file = "sign in with `--store file`";
    let (code, exit, message, hint) = match source {
        StoreError::Absent { reason } => (
            "store_absent",
            Exit::Store,
            format!("{name} can't be reached: {reason}"),
            format!(
                "start the desktop's keyring service (on Linux: gnome-keyring, KWallet or KeePassXC on the session bus), or {use_file}"
            ),
        ),
        StoreError::Locked { reason } => (
            "store_locked",
            Exit::Store,
            format!("{name} is locked: {reason}"),
            format!(
                "unlock it (log in to the desktop, or open its password manager) and try again, or {use_file}"
            ),
        ),
        StoreError::TimedOut { .. } => (
            "store_timed_out",
            Exit::Store,
            format!("{name}: {source}"),
            format!(
                "look for an open prompt of the keyring; restart its service if it hangs, or {use_file}"
            ),
        ),
        StoreError::Corrupt { .. } => (
            "store_corrupt",
            Exit::Store,
            format!("{name} can't be read: {source}"),
            "restore the file and its key from a backup, or move it away and sign in again"
                .to_owned(),
        ),
        StoreError::BadKey { .. } => (
            "bad_key",
            Exit::Usage,
            source.to_string(),
            "a key is 32 bytes in base64 or hex; make one with `openssl rand -base64 32`"
                .to_owned(),
        ),
        StoreError::Io { .. } => (
            "store_io",
            Exit::Store,
            format!("{name} can't be used: {source}"),
            "check its owner and mode, and the space on the disk".to_owned(),
        ),
        StoreError::Conflict => (
            "store_conflict",
            Exit::Store,
            format!("{name} was not written: {source}"),
            "run the command again".to_owned(),
        ),
        StoreError::TooLarge { .. } => (
            "store_too_large",
            Exit::Store,
            format!("{name}: {source}"),
            use_file.to_owned(),
        ),
        StoreError::Failed { .. } => (
            "store_failed",
            Exit::Store,
            format!("{name} failed: {source}"),
            format!("`seo-auth doctor` looks into it; or {use_file}"),
        ),
    };
    report(code, exit, message, Some(hint))
}
