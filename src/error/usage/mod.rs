//! Calls and settings that are wrong, each with how it is meant (exit code 2). A file for each room whose calls they are.

pub mod api;
pub mod import;
pub mod login;
pub mod setting;
#[cfg(test)]
mod tests;
pub mod token;

use std::fmt::Display;
use std::io;

use super::Error;
use crate::text::printable;

/// What is wrong, and how it is meant.
fn usage(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Usage {
        message: message.into(),
        hint: Some(hint.into()),
    }
}

/// What clap found, in its words; `meant` is the command that was probably meant.
pub fn of_clap(message: String, meant: Option<String>) -> Error {
    let hint = meant.unwrap_or_else(|| "see `seo-auth --help`".to_owned());
    usage(message, hint)
}

/// Without clap's words, which repeat it.
pub fn secret_as_argument() -> Error {
    usage(
        "a secret is read only from stdin, because other users and logs can read arguments",
        "pass it on stdin, as in `seo-auth login PROVIDER --with-token < FILE`; the secret that you typed may be in the shell's history",
    )
}

/// `move --to`.
pub fn no_place_for_logins(typed: &str) -> Error {
    usage(
        format!(
            "--to: `{}` is not a store that can hold a login",
            printable(typed, 64)
        ),
        "use keyring, file or vault",
    )
}

pub fn wrong_fault(flaw: impl Display) -> Error {
    usage(
        format!("--fault: {flaw}"),
        "write FAULT or FAULT@ENDPOINT, like denied or server_error@token",
    )
}

pub fn sandbox_port(port: u16, source: &io::Error) -> Error {
    usage(
        format!("the sandbox can't listen on 127.0.0.1:{port}: {source}"),
        "choose another port with --port, or leave it out to use any free port",
    )
}
