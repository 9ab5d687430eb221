//! What is told when a provider could not be reached, failed or refused.

use super::account::login_command;
use super::network;
use super::report::{Exit, Report, report};
use crate::clock::describe_span;
use crate::credential::AccountKey;
use crate::flow::DiscoveryError;
use crate::flow::refusal::Meaning;
use crate::flow::{FlowError, Step};
use crate::http::proxy::ProxyTrouble;

/// What an error of a login or a refresh of `account` tells its user.
pub(super) fn report_of(account: &AccountKey, source: &FlowError) -> Report {
    let again = || Some(format!("run `{}` again", login_command(account)));
    let provider = &account.provider;
    match source {
        FlowError::Http(error) => network::report_of(error),
        // RFC 6585 §6: only the network between answers so.
        FlowError::Overloaded { status: 511, .. } => report(
            "network_sign_in",
            Exit::Unreachable,
            source,
            Some("this network has a sign-in page: open it in a browser, and sign in there first".to_owned()),
        ),
        FlowError::Overloaded { status: 407, .. } => report(
            "proxy",
            Exit::Unreachable,
            source,
            Some(network::proxy_hint(ProxyTrouble::WantsPassword).to_owned()),
        ),
        FlowError::Overloaded { retry_after, .. } => report(
            "provider_failing",
            Exit::Unreachable,
            source,
            Some(match retry_after {
                Some(span) => format!("try again in {}", describe_span(span.as_secs().cast_signed())),
                None => "try again in a few minutes".to_owned(),
            }),
        ),
        FlowError::Unreadable { status, content, .. } => report(
            "protocol",
            Exit::Protocol,
            source,
            Some(match (*status, *content) {
                (404 | 405 | 410, _) => format!(
                    "check the endpoints of {provider} in config.toml: this address does not answer such a request (or this network has a sign-in page)"
                ),
                (_, "a web page") => "if this network has a sign-in page, sign in there first; if it has a filtering proxy, ask its administrator; else report this to the provider".to_owned(),
                _ => "report this to the provider; `-vv` shows the requests and answers".to_owned(),
            }),
        ),
        FlowError::Redirected { step, .. } => report(
            "redirected",
            Exit::Protocol,
            source,
            Some(format!(
                "if this network has a sign-in page, sign in there first; if the provider has moved there, set {} under [providers.{provider}] in config.toml",
                key_of(*step)
            )),
        ),
        FlowError::UnsafeAddress { .. } => report(
            "unsafe_address",
            Exit::Protocol,
            format!("{provider}: {source}"),
            Some("do not open it; report it to the provider".to_owned()),
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
            Some("paste the whole address of the last browser page; it starts with https:// or http://".to_owned()),
        ),
        FlowError::IssuerMismatch { .. } => report(
            "issuer_mismatch",
            Exit::Protocol,
            format!("{source} (RFC 9207); the login was stopped"),
            Some("do not continue on that page; report it to the provider".to_owned()),
        ),
        FlowError::Key(_) => report(
            "service_account_key",
            Exit::Usage,
            source,
            Some(format!(
                "run `{} --flow service-account < key.json` with a new key",
                login_command(account)
            )),
        ),
        FlowError::IssuerMissing { .. } => report(
            "issuer_mismatch",
            Exit::Protocol,
            format!("{source} (RFC 9207); the login was stopped"),
            Some("run it again; if that does not help, report it to the provider".to_owned()),
        ),
        FlowError::Discovery(error) => report(
            "discovery",
            Exit::Protocol,
            source,
            Some(match error {
                DiscoveryError::OtherIssuer { .. } => format!(
                    "set issuer under [providers.{provider}] in config.toml to that name, if you trust it"
                ),
                _ => format!(
                    "check issuer under [providers.{provider}] in config.toml, or name the endpoints there"
                ),
            }),
        ),
        FlowError::BadCallback(_) => report(
            "protocol",
            Exit::Protocol,
            format!("{provider}: {source} (RFC 6749 §4.1.2)"),
            Some(format!("run `{}` again; if that does not help, report it to the provider", login_command(account))),
        ),
        FlowError::TokenType(_) => report(
            "token_type",
            Exit::Protocol,
            format!("{provider}: {source} (RFC 6749 §7.1); nothing was stored"),
            Some(format!(
                "ask {provider} for a client that gets Bearer tokens"
            )),
        ),
        FlowError::NotConfigured(key) => report(
            "config",
            Exit::Usage,
            format!("{provider} has no {key}"),
            Some(format!("set {key} under [providers.{provider}] in config.toml")),
        ),
        FlowError::Refused { step, error } => {
            let told = refused_report(account, *step, error.meaning(), source);
            match error.advice() {
                Some(advice) => Report {
                    hint: Some(advice.to_owned()),
                    ..told
                },
                None => told,
            }
        }
    }
}

/// The key of the endpoint that was asked.
fn key_of(step: Step) -> &'static str {
    match step {
        Step::DeviceAuthorization => "device_authorization_endpoint",
        Step::Authorization => "authorization_endpoint",
        Step::DevicePoll | Step::CodeExchange | Step::Refresh | Step::Minting => "token_endpoint",
        Step::Revocation => "revocation_endpoint",
    }
}

/// What a refresh tells that failed and may succeed later: the refresh token is as good as it was.
pub(super) fn refresh_report(account: &AccountKey, source: &FlowError) -> Report {
    let told = report_of(account, source);
    Report {
        message: format!("the token of {account} was not refreshed: {source}"),
        // What was not authorised at the login needs one again.
        exit: match told.exit {
            Exit::NotAuthorised => Exit::LoginNeeded,
            exit => exit,
        },
        ..told
    }
}

/// RFC 6749 §4.1.2.1 and §5.2, RFC 8628 §3.5.
fn refused_report(
    account: &AccountKey,
    step: Step,
    meaning: Meaning,
    source: &FlowError,
) -> Report {
    let provider = &account.provider;
    let login = login_command(account);
    let message = format!("{provider} answered {source}");
    let again = || Some(format!("run `{login}` again"));
    match (meaning, step) {
        (Meaning::Passing | Meaning::SlowDown, _) => report(
            "provider_failing",
            Exit::Unreachable,
            message,
            Some("try again in a few minutes".to_owned()),
        ),
        (Meaning::Unnamed, _) => report(
            "protocol",
            Exit::Protocol,
            message,
            Some("report this to the provider; `-vv` shows the requests and answers".to_owned()),
        ),
        (Meaning::UnauthorizedClient, Step::Refresh) => report(
            "refresh_refused",
            Exit::LoginNeeded,
            format!("{provider} refused the refresh: {source}"),
            Some(format!(
                "run `{login}`; if that fails too, check client_id of {provider}, and the permissions of that client at the provider"
            )),
        ),
        (_, Step::Minting) => report(
            "mint_refused",
            Exit::NotAuthorised,
            format!("{provider} issued no token: {source}"),
            Some("check at the provider whether the key or the client is still valid, and which permissions it has".to_owned()),
        ),
        (Meaning::InvalidClient | Meaning::UnauthorizedClient, _) => report(
            "invalid_client",
            Exit::Usage,
            message,
            Some(format!(
                "check client_id (and the client secret, if there is one) of {provider}, and that its redirect URI is registered"
            )),
        ),
        (_, Step::Refresh) => report(
            "refresh_refused",
            Exit::LoginNeeded,
            format!("{provider} refused the refresh: {source}"),
            Some(format!("run `{login}`")),
        ),
        (Meaning::Denied, _) => report("denied", Exit::NotAuthorised, message, again()),
        (Meaning::CodeExpired, _) | (Meaning::GrantGone, Step::CodeExchange | Step::DevicePoll) => {
            report(
                "code_expired",
                Exit::NotAuthorised,
                format!("{message}: the code was used before or has expired"),
                again(),
            )
        }
        (Meaning::InvalidScope, _) => report(
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
                "`-vv` shows the requests and answers; the provider's documentation explains its errors"
                    .to_owned(),
            ),
        ),
    }
}
