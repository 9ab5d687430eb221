//! `seo-auth import`, called the wrong way.

use std::io;

use super::usage;
use crate::error::Error;
use crate::text::printable;

pub fn removes_from_stdin() -> Error {
    usage(
        "--remove can't remove lines from stdin",
        "leave out --remove, or name the file",
    )
}

pub fn nobody_confirms(lines: usize) -> Error {
    usage(
        format!(
            "{lines} lines would be stored as logins, but there is no terminal to confirm that"
        ),
        "add --yes, or look first with --dry-run",
    )
}

/// `shown`: the file's name, fit for a terminal.
pub fn unreadable(shown: &str, source: &io::Error) -> Error {
    usage(
        format!("{shown} can't be read: {source}"),
        "name the files: `seo-auth import FILE…` (`-`: stdin)",
    )
}

pub fn too_large(shown: &str, most_mib: u64) -> Error {
    usage(
        format!("{shown} has more than {most_mib} MiB"),
        "name a file of variables, such as .env",
    )
}

/// `--as`.
pub fn wrong_choice(typed: &str) -> Error {
    usage(
        format!(
            "--as: `{}` is not NAME=PROVIDER with a known provider",
            printable(typed, 64)
        ),
        "write it like this: --as API_KEY=moz; `seo-auth providers` lists them",
    )
}
