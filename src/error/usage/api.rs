//! `seo-auth api`, called the wrong way.

use std::fmt::Display;
use std::io;
use std::path::Path;

use super::usage;
use crate::credential::Name;
use crate::error::Error;
use crate::text::printable;

pub fn no_base(provider: &Name) -> Error {
    usage(
        format!("{provider} has no api_base"),
        format!("set api_base under [providers.{provider}] in config.toml"),
    )
}

pub fn wrong_path(flaw: impl Display, base: impl Display) -> Error {
    usage(flaw.to_string(), format!("PATH is appended to {base}"))
}

/// A header, or a field of `-f` or `-F`.
pub fn wrong_param(flaw: impl Display) -> Error {
    usage(flaw.to_string(), "see `seo-auth api --help`")
}

pub fn too_long(most: usize) -> Error {
    usage(
        format!("PATH and parameters are longer than {most} characters"),
        "send long values in a body: use -X POST with -f KEY=VALUE, or --input FILE",
    )
}

pub fn wrong_method(typed: &str) -> Error {
    usage(
        format!("`{}` is not a supported method", printable(typed, 32)),
        "use GET, POST, PUT, PATCH, DELETE or HEAD",
    )
}

pub fn unknown_pages(title: &str) -> Error {
    usage(
        format!("--paginate: seo-auth does not know how {title} splits lists into pages"),
        "use the endpoint's own parameters, such as -f limit=1000",
    )
}

pub fn pages_of_other_method() -> Error {
    usage("--paginate works only with GET", "leave out -X")
}

pub fn unreadable_input(path: &Path, source: &io::Error) -> Error {
    let path = printable(&path.to_string_lossy(), 256);
    usage(
        format!("--input: {path} can't be read: {source}"),
        "name a file, or - for stdin",
    )
}
