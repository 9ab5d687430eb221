//! The variables of this process. They are read here alone, so that an empty one and one that is no text mean the same to all.

use std::env;
use std::ffi::OsString;

/// A variable that is set to something.
pub fn var(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The same as text; what is not Unicode counts as a text that nothing accepts.
pub fn text_var(name: &str) -> Option<String> {
    var(name).map(|value| value.to_string_lossy().into_owned())
}

/// Whether a variable is set, and to nothing.
#[cfg(not(any(windows, target_vendor = "apple")))]
pub fn is_empty(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| value.is_empty())
}

/// The names of all variables.
pub fn names() -> impl Iterator<Item = OsString> {
    env::vars_os().map(|(name, _)| name)
}
