//! What is asked of a claim, and what became of it.

use std::time::Duration;

use super::StoreKind;
use crate::credential::{AccountKey, Credential};

/// What is to be claimed, and how.
pub struct Ask<'a> {
    pub store: StoreKind,
    pub account: &'a AccountKey,
    /// For another holder, at most.
    pub wait: Duration,
    /// How long the work takes at most.
    pub lease: Duration,
    /// Asked of each credential that is read: whoever waited may find that the work is done.
    pub wanted: &'a dyn Fn(&Credential) -> bool,
    /// Whether this token will do, where no more than a token can be read.
    pub met: &'a dyn Fn(&Credential) -> bool,
    /// Whoever may not refresh waits for somebody who may.
    pub readers_wait: bool,
}

/// What a claim came to; `C`: what is held where it is ours.
pub enum Claimed<C> {
    Mine(Box<C>),
    /// As it is read now, it is not wanted.
    Unwanted(Box<Credential>),
    /// Nothing is stored any more.
    Gone,
    /// Somebody else held it all the time.
    Busy,
}

/// What became of the refresh token, where no new one came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No request reached a server that may have spent it.
    NothingSent,
    /// One may have, and its answer was lost.
    MaybeSent,
    /// The server refused it for good; perhaps since a request whose answer was lost.
    Spent { maybe_sent: bool },
}

impl Outcome {
    /// Whether a request may have spent it whose answer was lost.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::MaybeSent | Self::Spent { maybe_sent: true })
    }
}
