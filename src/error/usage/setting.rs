//! A variable, or a flag of every command, that holds what it can't hold.

use std::fmt::Display;

use super::usage;
use crate::error::Error;
use crate::text::printable;

pub fn wrong_value(variable: &str, flaw: impl Display) -> Error {
    usage(
        format!("{variable} can't be used: {flaw}"),
        "set only the value, on one line, or unset the variable",
    )
}

/// A shell left a `~` or a variable as it stood.
pub fn not_expanded(variable: &str, path: &str) -> Error {
    usage(
        format!(
            "{variable} is `{}`, which no shell has expanded",
            printable(path, 64)
        ),
        "write the full path",
    )
}

/// `from` is the flag, variable or key that holds it.
pub fn wrong_name(from: &str, flaw: impl Display) -> Error {
    Error::Usage {
        message: format!("{from}: {flaw}"),
        hint: None,
    }
}

pub fn wrong_store(from: &str, text: &str) -> Error {
    usage(
        format!("{from}: `{}` is not a store", printable(text, 64)),
        "use auto, keyring, file or vault",
    )
}

pub fn wrong_sandbox(text: &str) -> Error {
    let what = match text.contains("://") {
        true => "is not an address of this machine",
        false => "does not start with http://",
    };
    usage(
        format!("SEO_AUTH_SANDBOX: `{}` {what}", printable(text, 64)),
        "start `seo-auth sandbox --port 8888` and set SEO_AUTH_SANDBOX=http://127.0.0.1:8888",
    )
}

pub fn wrong_vault(variable: &str, flaw: impl Display) -> Error {
    usage(
        format!("{variable} can't be used: {flaw}"),
        "write it like this: https://vault.example:8200",
    )
}
