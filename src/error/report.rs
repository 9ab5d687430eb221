//! The form of everything that a user is told: a code, a message, a hint, and the exit code of the contract.

use std::fmt;
use std::process::ExitCode;

use crate::text::clause;

/// The contract's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    Failed = 1,
    /// Usage or configuration error: fix the call.
    Usage = 2,
    /// Nothing stored, expired and not refreshable, or refresh refused: ask a human to log in.
    LoginNeeded = 4,
    /// Denied, expired, or nobody approved in time: ask again.
    NotAuthorised = 5,
    /// Provider unreachable or failing: try again later.
    Unreachable = 6,
    /// Credential store unavailable: fix the store.
    Store = 7,
    /// Provider answered outside the protocol, or failed a security check: report it.
    Protocol = 8,
    /// The command of `exec` is there and can't be run; the number is the shells'.
    CannotRun = 126,
    /// There is no such command for `exec`; the number is the shells'.
    NoSuchCommand = 127,
    Interrupted = 130,
}

impl Exit {
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What a user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// A stable word for scripts.
    pub code: &'static str,
    pub exit: Exit,
    /// What happened and why.
    pub message: String,
    /// What to do next, often the exact command.
    pub hint: Option<String>,
}

impl Report {
    /// The contract's error object; `exit_code` is what the program will really end with.
    pub fn object(&self, exit_code: u8) -> serde_json::Value {
        serde_json::json!({
            "schema": "seo-auth.error.v1",
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "exit_code": exit_code,
        })
    }
}

/// The rows of the table are written by this.
pub(super) fn report(
    code: &'static str,
    exit: Exit,
    message: impl fmt::Display,
    hint: Option<String>,
) -> Report {
    Report {
        code,
        exit,
        message: clause(&message.to_string()).to_owned(),
        hint,
    }
}
