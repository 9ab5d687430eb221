//! The configuration file, and the variables that stand above it.

use super::finding::Finding;
use crate::commands::import::known_names;
use crate::config::ConfigError;
use crate::context::Context;
use crate::error::Error;
use crate::provider::variable;
use crate::text::nearest;

/// What all our variables begin with.
const PREFIX: &str = "SEO_AUTH_";

/// Variables that concern no provider.
const KNOWN: &[&str] = &[
    "SEO_AUTH_CONFIG",
    "SEO_AUTH_STATE_DIR",
    "SEO_AUTH_STORE",
    "SEO_AUTH_PROFILE",
    "SEO_AUTH_SANDBOX",
    "SEO_AUTH_KEY",
    "SEO_AUTH_KEY_FILE",
    // Set by `exec`, and so there in a doctor that runs under it.
    "SEO_AUTH_TOKEN_FILE",
];

/// Variables of each provider.
const OF_PROVIDER: &[&str] = &["TOKEN", "CLIENT_ID", "CLIENT_SECRET"];

/// The file, then the environment.
pub fn checks(context: &Context, broken: Option<ConfigError>) -> Vec<Finding> {
    let mut findings = vec![file(context, broken), environment(context)];
    findings.extend(preference(context));
    findings.extend(tokens(context));
    findings.extend(unknown_variables(context));
    findings.extend(dotenv(context));
    findings
}

/// Keys in a file of the working folder: their names, never their values.
fn dotenv(context: &Context) -> Option<Finding> {
    let names = known_names(context, ".env");
    (!names.is_empty()).then(|| {
        Finding::warning(
            ".env",
            format!("the file .env in this folder contains {}", names.join(", ")),
            "run `seo-auth import --remove` to move them into the store",
        )
    })
}

fn file(context: &Context, broken: Option<ConfigError>) -> Finding {
    const NAME: &str = "config file";
    if let Some(error) = broken {
        return Finding::failure(NAME, Error::Config(error).report());
    }
    let path = context.paths.config_file().display();
    let set: Vec<String> = context
        .config
        .lines()
        .map(|(key, line)| format!("{key} (line {line})"))
        .collect();
    Finding::ok(
        NAME,
        match set.as_slice() {
            [] => format!("{path} sets nothing; the defaults apply"),
            set => format!("{path} sets {}", set.join(", ")),
        },
    )
}

fn environment(context: &Context) -> Finding {
    const NAME: &str = "environment";
    match context.variables(PREFIX).as_slice() {
        [] => Finding::ok(NAME, "no variable of seo-auth is set"),
        names => Finding::ok(NAME, format!("set: {}", names.join(", "))),
    }
}

fn preference(context: &Context) -> Option<Finding> {
    let error = context.store_preference().err()?;
    Some(Finding::failure("environment", error.report()))
}

/// A token in the environment wins over every store, which surprises whoever has forgotten it.
fn tokens(context: &Context) -> impl Iterator<Item = Finding> {
    let names = context.config.providers.names().into_iter();
    let set = names.filter(|name| context.has_env_token(name));
    set.map(|name| {
        let variable = variable(&name, "TOKEN");
        Finding::warning(
            "environment",
            format!("{variable} is set: its token is used for {name} instead of a stored login, and is never refreshed"),
            format!("unset {variable} to use the stored login"),
        )
    })
}

fn unknown_variables(context: &Context) -> Vec<Finding> {
    let providers = context.config.providers.names();
    let of_providers = providers
        .iter()
        .flat_map(|provider| OF_PROVIDER.iter().map(|suffix| variable(provider, suffix)));
    let known: Vec<String> = KNOWN
        .iter()
        .map(|name| (*name).to_owned())
        .chain(of_providers)
        .collect();
    let set = context.variables(PREFIX);
    set.into_iter()
        .filter(|name| !known.contains(name))
        .map(|name| {
            Finding::warning(
                "environment",
                format!(
                    "seo-auth does not know the variable {name}"
                ),
                match nearest(own_part(&name), known.iter().map(|known| own_part(known))) {
                    Some(near) => format!("did you mean {PREFIX}{near}?"),
                    None => format!("unset it; the variables of a provider are {PREFIX}<PROVIDER>_TOKEN, …_CLIENT_ID and …_CLIENT_SECRET"),
                },
            )
        })
        .collect()
}

/// What tells one variable from the others: what all begin with would make any two look alike.
fn own_part(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}
