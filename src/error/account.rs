//! What is told of an account: there is no login, or it is of no use any more.

use super::report::{Exit, Report, report};
use crate::clock::{Timestamp, describe_span};
use crate::credential::{AccountKey, Kind, Name};
use crate::store::StoreKind;
use crate::text::{clause, printable};

/// Why an expired token cannot be renewed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotRenew {
    /// The provider issued no refresh token.
    #[error("the provider issued no refresh token")]
    NoRefreshToken,
    /// An API key lives until somebody ends it.
    #[error("an API key can't be refreshed")]
    Key,
    /// The configuration names no token endpoint any more.
    #[error("the configuration no longer has a token endpoint for it")]
    NoTokenEndpoint,
    /// The provider refused the refresh token for good.
    #[error("the provider refused the refresh token")]
    Refused,
    /// A refresh was interrupted at this moment, and the refresh token is refused since.
    #[error("a refresh was interrupted at {0}, and the old refresh token no longer works")]
    Interrupted(Timestamp),
    /// The configuration names another origin than the login's.
    #[error(
        "the login was made at {login}, but the configuration now names {configured}, and seo-auth sends the refresh token only to the first one"
    )]
    MovedAway {
        /// Where the refresh token may go.
        login: String,
        /// Where the configuration would send it.
        configured: String,
    },
}

impl CannotRenew {
    /// Of what a login is needed again.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Key => Kind::Key,
            _ => Kind::OAuth,
        }
    }
}

/// The command that signs an account in, as it is typed.
pub fn login_command(account: &AccountKey) -> String {
    match account.profile == Name::sandbox() {
        true => format!("seo-auth login {} --sandbox", account.provider),
        false => format!("seo-auth login {}", account.as_typed()),
    }
}

/// The same for an account whose credential is of this kind.
pub fn login_command_for(account: &AccountKey, kind: Kind) -> String {
    let flow = match kind {
        Kind::Key => " --flow key",
        Kind::ServiceAccount => " --flow service-account",
        Kind::ClientCredentials => " --flow client-credentials",
        Kind::OAuth => "",
    };
    format!("{}{flow}", login_command(account))
}

pub(super) fn no_client_id(
    provider: &Name,
    help: Option<&str>,
    redirect_uri: Option<&str>,
) -> Report {
    // With any free port, there is nothing to register.
    let registered = redirect_uri
        .filter(|uri| !uri.contains(":0/"))
        .map(|uri| format!(" Its redirect URI is {uri}."))
        .unwrap_or_default();
    let help = help
        .map(|help| format!("{}.{registered} When you have one, ", clause(help)))
        .unwrap_or_default();
    let variable = crate::provider::variable(provider, "CLIENT_ID");
    report(
        "no_client_id",
        Exit::Usage,
        format!("{provider} needs a client ID, but none is configured"),
        Some(format!(
            "{help}run `seo-auth login {provider} --client-id ID`, set {variable}, or put client_id under [providers.{provider}] in config.toml"
        )),
    )
}

pub(super) fn not_logged_in(account: &AccountKey, profiles: &[Name]) -> Report {
    let profiles: Vec<&str> = profiles.iter().map(Name::as_str).collect();
    let stored = match profiles.as_slice() {
        [] => String::new(),
        [only] => format!(", or add `--profile {only}` to use the login that is stored there"),
        several => format!(
            ", or add --profile with one of the stored profiles: {}",
            several.join(", ")
        ),
    };
    report(
        "not_logged_in",
        Exit::LoginNeeded,
        format!("no login is stored for {account}"),
        Some(format!("run `{}`{stored}", login_command(account))),
    )
}

pub(super) fn left_out(account: &AccountKey, store: StoreKind) -> Report {
    report(
        "not_logged_in",
        Exit::LoginNeeded,
        format!("{account} is in the {store} store, but --store names another one"),
        Some("run it again without --store".to_owned()),
    )
}

pub(super) fn none_on_profile(profile: &Name, accounts: &[AccountKey]) -> Report {
    report(
        "not_logged_in",
        Exit::LoginNeeded,
        format!("no login is stored on the profile {profile}"),
        Some(format!(
            "use a profile that has a login: {}",
            listed(accounts)
        )),
    )
}

pub(super) fn other_issuer(
    account: &AccountKey,
    held: &str,
    new: &str,
    is_sandbox: bool,
) -> Report {
    let hint = match is_sandbox {
        true => "a sandbox login never replaces a real one: use another --profile",
        false => "use another --profile, or add --replace to replace the stored login",
    };
    report(
        "other_issuer",
        Exit::Usage,
        format!(
            "{account} holds a login of {}, but the new login is of {}",
            printable(held, SHOWN_ISSUER),
            printable(new, SHOWN_ISSUER)
        ),
        Some(hint.to_owned()),
    )
}

/// The origins of real issuers have some 30 characters.
const SHOWN_ISSUER: usize = 100;

fn listed(accounts: &[AccountKey]) -> String {
    let names: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    names.join(", ")
}

pub(super) fn which_login(accounts: &[AccountKey]) -> Report {
    if accounts.is_empty() {
        return report(
            "not_logged_in",
            Exit::LoginNeeded,
            "no login is stored",
            Some(
                "run `seo-auth login PROVIDER`; `seo-auth providers` lists the providers"
                    .to_owned(),
            ),
        );
    }
    report(
        "which_login",
        Exit::Usage,
        format!(
            "several logins are stored, but no provider was named: {}",
            listed(accounts)
        ),
        Some("name one, or set default_provider in config.toml".to_owned()),
    )
}

pub(super) fn too_short(
    account: &AccountKey,
    kind: Kind,
    left: i64,
    wanted: i64,
    again: bool,
) -> Report {
    let message = format!(
        "the token of {account} is valid for another {}, but {} is needed",
        describe_span(left),
        describe_span(wanted)
    );
    if again {
        let hint = "its tokens may not live that long: lower --min-valid, or try again later";
        report(
            "too_short",
            Exit::Unreachable,
            message,
            Some(hint.to_owned()),
        )
    } else {
        let login = login_command_for(account, kind);
        let hint = format!("run `{login}`, or lower --min-valid");
        report("too_short", Exit::LoginNeeded, message, Some(hint))
    }
}

pub(super) fn not_saved(account: &AccountKey, cause: &Report) -> Report {
    report(
        "not_saved",
        Exit::Store,
        format!(
            "the token of {account} was refreshed, but could not be stored: {}. The refresh token in the store no longer works",
            cause.message
        ),
        Some(format!(
            "fix the store, then run `{}`",
            login_command(account)
        )),
    )
}
