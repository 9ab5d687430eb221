//! `seo-auth token print` and `seo-auth exec`, called the wrong way.

use super::usage;
use crate::credential::AccountKey;
use crate::error::Error;
use crate::text::printable;

pub fn two_formats() -> Error {
    usage(
        "--json means --format json, but another --format was given",
        "leave one of them out",
    )
}

pub fn refresh_token_needs_json() -> Error {
    usage(
        "--with-refresh-token works only with --format json",
        "add --format json, and pipe the output into a secret store: `… | gh secret set NAME`",
    )
}

pub fn field_of_whole() -> Error {
    usage(
        "--field selects one value, but this format contains everything that a request needs",
        "use it with --format raw, env, dotenv or github",
    )
}

pub fn name_without_variable() -> Error {
    usage(
        "--name names a variable, but this format has none",
        "use it with --format env, dotenv or github",
    )
}

/// A name that no shell takes.
pub fn not_a_variable(flag: &str, name: &str) -> Error {
    usage(
        format!("{flag}: `{}` can't name a variable", printable(name, 64)),
        "use letters, digits and `_`; the first character must not be a digit",
    )
}

pub fn unfit_for_dotenv(account: &AccountKey) -> Error {
    usage(
        format!(
            "the token of {account} contains quotes or escapes that programs read differently from .env files"
        ),
        "use --format env or json",
    )
}

/// `--rejected`.
pub fn not_one_token(why: &str) -> Error {
    usage(
        format!("stdin must contain exactly one token: {why}"),
        "pass only the refused token: `printf %s \"$TOKEN\" | seo-auth token print … --rejected`",
    )
}

pub fn refused_by_github(name: &str) -> Error {
    usage(
        format!("--name: GitHub does not let a step set `{name}`"),
        "use another name, such as --name SEO_API_TOKEN",
    )
}

pub fn outside_github() -> Error {
    usage(
        "--format github works only in a step of GitHub Actions: neither GITHUB_ENV nor GITHUB_OUTPUT is set",
        "elsewhere, use --format env or `seo-auth exec`",
    )
}

/// `flag`: what goes with one provider alone.
pub fn several_providers(flag: &str) -> Error {
    usage(
        format!("{flag}, and several providers were named"),
        "name one provider, or run `seo-auth exec` inside `seo-auth exec`",
    )
}

pub fn nothing_for_credentials_file(account: &AccountKey) -> Error {
    usage(
        format!(
            "--credentials-file: {account} has neither a service account key nor a refresh token"
        ),
        "use --token-file, or sign in with --flow service-account",
    )
}
