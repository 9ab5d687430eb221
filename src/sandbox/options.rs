//! What the sandbox is told, and whom it plays.

use std::time::Duration;

use super::fault::Fault;

/// Who decides on a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approve {
    /// The sandbox: a user code after the first poll, an authorization request at once.
    Auto,
    /// A person, on a page with Approve and Deny.
    Ask,
    /// As `Auto`, but the answer is no.
    Deny,
}

/// Whom it plays, for people.
pub const PLAYED: &str = "Semrush, Ahrefs and Google (and the keys of DataForSEO, Moz, SE Ranking and SerpApi: one is good if it begins with `good`)";
/// One of them, by its name on the command line.
pub const FIRST: &str = "semrush";

/// What the sandbox is told at its start.
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Who decides on a login.
    pub approve: Approve,
    /// What goes wrong. Of several on one endpoint the first counts.
    pub faults: Vec<Fault>,
    /// How long access tokens live; none: as the provider documents it (Semrush 604800 s, Ahrefs 31536000 s).
    pub expires_in: Option<Duration>,
    /// The polling interval of the device flow, announced in whole seconds and enforced.
    pub interval: Duration,
    /// Is told what happened, in one plain line that holds no code and no token. It may be called from any thread.
    pub notice: Box<dyn Fn(&str) + Send + Sync>,
}
