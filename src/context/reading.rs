//! Variables and flags, read into the types of the house; what can't be read is a usage error.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::credential::Name;
use crate::environment::{text_var, var};
use crate::error::Error;
use crate::error::usage::setting as usage;
use crate::paths::Paths;
use crate::provider::Endpoint;
use crate::secret::{AccessToken, Flaw, Secret, bare, setting};
use crate::store::Preference;
use crate::store::key::KeySource;

/// A value that somebody handed over by this variable, by the reading that all such values share.
///
/// # Errors
/// What is wrong with it, by the variable's name.
pub(super) fn handed_over<'v>(
    name: &str,
    text: &'v str,
    read: impl Fn(&'v str) -> Result<&'v str, Flaw>,
) -> Result<&'v str, Error> {
    read(text).map_err(|flaw| usage::wrong_value(name, flaw))
}

/// A setting, where the variable is set.
///
/// # Errors
/// It is empty but for blanks, stands in quotes, or holds what can't be seen.
pub(super) fn setting_var(name: &str) -> Result<Option<String>, Error> {
    let text = text_var(name);
    text.map(|text| handed_over(name, &text, setting).map(str::to_owned))
        .transpose()
}

/// A token, where the variable is set.
///
/// # Errors
/// It holds what no token does.
pub(super) fn token_var(name: &str) -> Result<Option<AccessToken>, Error> {
    let text = text_var(name).map(zeroize::Zeroizing::new);
    let parsed = text.map(|text| AccessToken::parse(&text));
    parsed
        .transpose()
        .map_err(|flaw| usage::wrong_value(name, flaw))
}

/// The path of a file or folder. What is not Unicode is taken to the byte.
///
/// # Errors
/// As [`setting_var`]; also where a shell left a `~` or a variable as it stood.
pub(super) fn path_var(name: &str) -> Result<Option<OsString>, Error> {
    let Some(value) = var(name) else {
        return Ok(None);
    };
    let Some(text) = value.to_str() else {
        return Ok(Some(value));
    };
    let path = handed_over(name, text, setting)?;
    if path == "~" || path.starts_with("~/") || path.starts_with('$') {
        return Err(usage::not_expanded(name, path));
    }
    Ok(Some(path.into()))
}

/// The D-Bus address of the session bus, which lies in the runtime folder where the environment does not say.
pub(super) fn session_bus() -> Option<String> {
    let in_runtime_dir = || text_var("XDG_RUNTIME_DIR").map(|dir| format!("unix:path={dir}/bus"));
    text_var("DBUS_SESSION_BUS_ADDRESS").or_else(in_runtime_dir)
}

pub(super) fn key_source(paths: &Paths) -> Result<KeySource, Error> {
    if let Some(file) = path_var("SEO_AUTH_KEY_FILE")? {
        return Ok(KeySource::File(PathBuf::from(file)));
    }
    Ok(match setting_var("SEO_AUTH_KEY")? {
        Some(text) => KeySource::Text(Secret::new(text)),
        None => KeySource::Generated(paths.key_file()),
    })
}

pub(super) fn parse_name(text: &str, from: &str) -> Result<Name, Error> {
    text.parse().map_err(|error| usage::wrong_name(from, error))
}

pub(super) fn parse_store(text: &str, from: &str) -> Result<Preference, Error> {
    text.parse().map_err(|_| usage::wrong_store(from, text))
}

pub(super) fn parse_sandbox(text: &str) -> Result<Endpoint, Error> {
    // The sandbox listens on this address alone, and names itself by it.
    let moved = text.replacen("//localhost", "//127.0.0.1", 1);
    let endpoint = Endpoint::parse(&moved)
        .ok()
        .filter(|endpoint| crate::address::is_loopback(endpoint.url()));
    endpoint.ok_or_else(|| usage::wrong_sandbox(text))
}

/// Certificates that the variables name and the platform's verifier does not read: those of Windows and Apple know none of
/// these variables, that of the others knows them in upper case, and takes them in the place of the system's.
pub(super) fn overlooked_roots() -> Vec<PathBuf> {
    const UPPER_IS_READ: bool = !cfg!(any(windows, target_vendor = "apple"));
    let overlooked = |upper, lower| match var(upper) {
        Some(_) if UPPER_IS_READ => None,
        upper => upper.or_else(|| var(lower)).map(bare_path),
    };
    let file = overlooked("SSL_CERT_FILE", "ssl_cert_file");
    let dirs = overlooked("SSL_CERT_DIR", "ssl_cert_dir").unwrap_or_default();
    let dirs = env::split_paths(&dirs).filter(|dir| !dir.as_os_str().is_empty());
    let mut roots = Vec::from_iter(file.map(PathBuf::from));
    roots.extend(dirs);
    #[cfg(not(any(windows, target_vendor = "apple")))]
    if crate::environment::is_empty("SSL_CERT_FILE") && var("SSL_CERT_DIR").is_none() {
        roots.extend(crate::http::trust::system_roots());
    }
    roots
}

fn bare_path(value: OsString) -> OsString {
    value
        .to_str()
        .map(bare)
        .map(OsString::from)
        .unwrap_or(value)
}
