//! `seo-auth login`, called the wrong way, or given what is no credential.

use std::fmt::Display;

use super::usage;
use crate::credential::Name;
use crate::error::Error;
use crate::provider::variable;
use crate::text::printable;

pub fn no_provider(names: &str) -> Error {
    usage(
        "no provider was named",
        format!(
            "run `seo-auth login PROVIDER`, with one of {names}; `seo-auth providers` describes them"
        ),
    )
}

/// `ways`: what `--flow` takes for this provider.
pub fn no_such_flow(provider: &Name, flow: &str, ways: &str) -> Error {
    usage(
        format!("{provider} has no --flow {flow}"),
        format!(
            "it has {ways}; use one of these, or configure the endpoint that the other one needs"
        ),
    )
}

pub fn no_check_without_key() -> Error {
    usage(
        "--no-check works only with API keys, and this login uses none",
        "leave out --no-check, or add --flow key",
    )
}

pub fn rule_for_running_sandbox(flag: &str) -> Error {
    usage(
        format!(
            "{flag} is for the sandbox that a login starts, but SEO_AUTH_SANDBOX names one that is already running"
        ),
        format!(
            "start that one with `seo-auth sandbox {flag} …`, or unset SEO_AUTH_SANDBOX and add --sandbox"
        ),
    )
}

pub fn rule_without_sandbox(flag: &str) -> Error {
    usage(
        format!("{flag} works only with the sandbox, and this login does not use it"),
        "add --sandbox, or leave it out",
    )
}

pub fn drawn_in_json(flag: &str) -> Error {
    usage(
        format!("{flag} can't be used with --json"),
        "leave one of them out",
    )
}

pub fn secret_never_sent(provider: &Name) -> Error {
    usage(
        format!(
            "{provider} has client_auth = \"none\", so a client secret would be stored, but never sent"
        ),
        "leave out --client-secret-stdin, or set client_auth to \"post\" or \"basic\" in config.toml",
    )
}

pub fn no_client_secret(provider: &Name) -> Error {
    let variable = variable(provider, "CLIENT_SECRET");
    usage(
        format!("{provider} needs a client secret, but none was given"),
        format!("set {variable}, or pass it to `seo-auth login {provider} --client-secret-stdin`"),
    )
}

pub fn no_client(provider: &Name) -> Error {
    let id = variable(provider, "CLIENT_ID");
    let secret = variable(provider, "CLIENT_SECRET");
    usage(
        format!("{provider} needs a client ID and a client secret"),
        format!("pass them with --client-id and --client-secret-stdin, or set {id} and {secret}"),
    )
}

pub fn not_a_secret(why: &str) -> Error {
    usage(
        format!("stdin contains no client secret: {why}"),
        "pass it like this: `… --client-secret-stdin < secret.txt`",
    )
}

pub fn not_a_client(why: &str) -> Error {
    usage(
        format!("--client-file: this is not an OAuth client: {why}"),
        "pass the JSON file as you downloaded it from the provider's console (client_secret_….json)",
    )
}

pub fn wrong_redirect_uri(flaw: impl Display) -> Error {
    usage(
        format!("--redirect-uri: {flaw}"),
        "write it exactly as it is registered at the provider",
    )
}

/// A pasted code without a state can't be known for this login's (RFC 7636 §1).
pub fn code_bound_to_nothing(provider: &Name, redirect_uri: impl Display) -> Error {
    usage(
        format!(
            "the redirect URI {redirect_uri} returns no state, and {provider} has no PKCE, so seo-auth can't check that a pasted code belongs to this login"
        ),
        "register http://127.0.0.1:8976/callback at the provider, and pass it with --redirect-uri",
    )
}

pub fn nowhere_to_paste(redirect_uri: impl Display) -> Error {
    usage(
        format!(
            "seo-auth can't listen on the redirect URI {redirect_uri} (only on http with loopback), so you must paste the address, but there is no terminal"
        ),
        "run it on a terminal, or add --paste and write the address to stdin",
    )
}

/// `form`: what is to be passed.
pub fn not_a_key(provider: &Name, title: &str, form: &str, why: &str) -> Error {
    usage(
        format!("this is not a key of {title}: {why}"),
        format!(
            "type it on a terminal, or pass {form} on stdin: `seo-auth login {provider} --flow key < FILE`"
        ),
    )
}

/// The address of the check that the configuration names.
pub fn wrong_check(flaw: impl Display) -> Error {
    usage(flaw.to_string(), "correct the check's url")
}

pub fn not_a_service_account(provider: &Name, title: &str, why: &str) -> Error {
    usage(
        format!("this is not a service account key of {title}: {why}"),
        format!(
            "pass the JSON file as you downloaded it: `seo-auth login {provider} --flow service-account < key.json`"
        ),
    )
}

pub fn real_service_account(title: &str, endpoint: impl Display) -> Error {
    usage(
        format!("this key is for {title} and not for the sandbox"),
        format!(
            "for a test, set \"token_uri\": \"{endpoint}\" in a copy of the file (any RSA key will do)"
        ),
    )
}

pub fn not_a_token(why: &str) -> Error {
    usage(
        format!("stdin contains no token: {why}"),
        "pass only the token, or the JSON of `seo-auth token print --format json --with-refresh-token`",
    )
}

pub fn token_of_other_provider(held: &Name, named: &Name) -> Error {
    usage(
        format!("stdin contains a login of {held}, but {named} was named"),
        format!("run `seo-auth login {held} --with-token`"),
    )
}

/// A refresh token goes to no other origin than the one that issued it.
pub fn token_of_other_issuer(provider: &Name, issuer: &str, configured: &str) -> Error {
    let issuer = printable(issuer, 100);
    usage(
        format!(
            "this login was made at {issuer}, but {provider} is configured at {configured} here"
        ),
        "configure the same token endpoint, or sign in again",
    )
}
