//! What passes between the listener's thread and the login.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::flow::callback::{Outcome, Rejection};
use crate::flow::page::Page;

/// A page of 3 kB goes into a socket's buffer at once; a browser that is gone must not hold up the command.
const WRITE_DEADLINE: Duration = Duration::from_secs(2);

/// What the listener tells the login.
pub enum Event {
    /// The login's answer, and the browser that waits for ours.
    Callback(Outcome, Reply),
    /// Somebody came to the callback's path with what isn't the answer; the page has told why.
    Refused(Rejection),
    /// It listens no more; what the system said.
    Died(String),
}

/// An answer counts once, whether it comes by the browser or is pasted.
#[derive(Clone, Default)]
pub struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Whether this was the first.
    pub fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// A browser that waits for its page.
pub struct Reply {
    pub page: oneshot::Sender<Page>,
    /// Never carries anything: it is closed when the page was written, or the browser has left.
    pub written: mpsc::Receiver<()>,
}

impl Reply {
    /// Sends the page and waits until it is written, or a short while.
    pub fn send(self, page: Page) {
        if self.page.send(page).is_ok() {
            // It ends when the page is written, when the browser leaves, or when that takes too long: then we go on.
            let _ = self.written.recv_timeout(WRITE_DEADLINE);
        }
    }
}
