//! Waiting for a keyring: each call runs on a plain thread of its own and has a deadline, which is longer where the keyring
//! asks its person.
//!
//! The thread, for two reasons: a keyring can wait for its user, or for ever, and zbus panics inside a runtime where
//! another crate has switched its tokio feature on.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::process;
use crate::store::StoreError;

/// Of one operation, whatever it takes, as long as nobody is asked. People wait that long without a word; a command that
/// meets a dead keyring still ends within 5 s.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);

/// A dialog that is answered at once needs no word.
const WORDLESS: Duration = Duration::from_secs(1);

/// Who may answer a keyring that asks for its password.
pub struct Person {
    /// Whether the keyring's dialog can be seen from here.
    pub sees_dialogs: bool,
    /// For how long an answer is waited for; zero: as long as for anything else.
    pub patience: Duration,
    /// Tells them, once they have been waited for for a second.
    pub tell: Box<dyn Fn() + Send + Sync>,
}

/// What a call's thread has to say.
enum Event<T> {
    /// A dialog is about to be shown.
    Asks,
    Done(Result<T, StoreError>),
}

/// What a call that did not come back was doing.
#[derive(Clone, Copy)]
enum Silence {
    Hanging,
    Asking { seconds: u64 },
}

impl Silence {
    fn error(self) -> StoreError {
        match self {
            Self::Hanging => StoreError::TimedOut(DEADLINE.as_secs()),
            Self::Asking { seconds } => {
                StoreError::StaysLocked(format!("nobody answered its dialog within {seconds} s"))
            }
        }
    }
}

/// The call that timed out last, as long as it has not come back. Until then no other is begun: each would cost the
/// deadline once more.
static STUCK: Mutex<(Weak<()>, Silence)> = Mutex::new((Weak::new(), Silence::Hanging));

fn stuck() -> Option<Silence> {
    let stuck = STUCK.lock().unwrap_or_else(PoisonError::into_inner);
    stuck.0.upgrade().map(|_| stuck.1)
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "for the direct read")
)]
pub(super) fn is_stuck() -> bool {
    stuck().is_some()
}

/// Runs the call on a thread and waits for it until the deadline; then the thread is left behind. The call is given what
/// to call when the keyring begins to ask.
pub(super) fn within_deadline<T: Send + 'static>(
    person: &Person,
    call: impl FnOnce(&dyn Fn()) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    process::take_signals_over();
    let failed = |reason| StoreError::Failed(reason);
    if let Some(silence) = stuck() {
        return Err(silence.error());
    }
    let (sender, events) = mpsc::channel();
    let running = Arc::new(());
    let watched = Arc::downgrade(&running);
    let work = move || {
        let _running = running;
        // Nobody listens after the deadline.
        let asks = || drop(sender.send(Event::Asks));
        let outcome = call(&asks);
        drop(sender.send(Event::Done(outcome)));
    };
    thread::Builder::new()
        .name("keyring".into())
        .spawn(work)
        .map_err(|error| failed(format!("its thread cannot be started: {error}")))?;
    listen(&events, person)
        .ok_or_else(|| failed("its client broke off".into()))?
        .unwrap_or_else(|silence| {
            *STUCK.lock().unwrap_or_else(PoisonError::into_inner) = (watched, silence);
            Err(silence.error())
        })
}

/// What the call came to; `None` where its thread ended without a word.
fn listen<T>(
    events: &Receiver<Event<T>>,
    person: &Person,
) -> Option<Result<Result<T, StoreError>, Silence>> {
    let mut deadline = Instant::now() + DEADLINE;
    let mut word_at = None;
    let mut silence = Silence::Hanging;
    loop {
        let until = word_at.unwrap_or(deadline);
        match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Event::Done(outcome)) => return Some(Ok(outcome)),
            Ok(Event::Asks) => {
                if !person.patience.is_zero() {
                    deadline = Instant::now() + person.patience;
                    word_at = Some(Instant::now() + WORDLESS);
                }
                let seconds = person.patience.max(DEADLINE).as_secs();
                silence = Silence::Asking { seconds };
            }
            Err(RecvTimeoutError::Timeout) if word_at.take().is_some() => (person.tell)(),
            Err(RecvTimeoutError::Timeout) => return Some(Err(silence)),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}
