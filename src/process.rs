//! What we ask of the operating system for the whole process: its memory is nobody else's, and Ctrl-C is exit code 130.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use signal_hook::consts::SIGINT;
use signal_hook::flag::register_conditional_shutdown;

/// The contract's exit code for an interrupted command.
const INTERRUPTED: i32 = 130;

/// Whether Ctrl-C ends the process at once: as long as nobody is a holder.
static ENDS_AT_ONCE: AtomicBool = AtomicBool::new(true);

/// How many [`Held`] there are.
static HOLDERS: Mutex<usize> = Mutex::new(0);

fn change_holders(change: impl FnOnce(usize) -> usize) {
    let mut holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    *holders = change(*holders);
    ENDS_AT_ONCE.store(*holders == 0, Ordering::SeqCst);
}

/// Sets the process up, before it has read anything. What the system refuses is done without: it is a second line of
/// defence.
pub fn set_up() {
    keep_memory_private();
    // From inside the handler, so that nothing which hangs (a keyring, a read of stdin) can keep it from happening.
    let _ = register_conditional_shutdown(SIGINT, INTERRUPTED, &ENDS_AT_ONCE);
}

/// No core dump, to no file and no crash reporter, and no other process of the same user may attach or read the memory.
/// Neither is inherited by the programs that we start. Other systems have no call for it that needs no `unsafe`; there
/// the core dump alone is switched off.
#[cfg(target_os = "linux")]
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(all(unix, not(target_os = "linux")))]
fn keep_memory_private() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // The hard limit stays, so that a program that `exec` runs may raise its own again.
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum,
        },
    );
}

/// Windows writes no dump of a process that did not ask for it, and has no call against debuggers of the same user.
#[cfg(not(unix))]
fn keep_memory_private() {}

/// While it lives, neither Ctrl-C nor (on Unix) SIGTERM and SIGHUP end the process by themselves: its holder cleans up and
/// ends it.
#[derive(Debug)]
pub struct Held(());

/// Takes the signals over. Afterwards all of them end the process with the exit code of Ctrl-C.
pub fn hold_interrupts() -> Held {
    change_holders(|holders| holders + 1);
    #[cfg(unix)]
    signals::end_on_others();
    Held(())
}

impl Drop for Held {
    fn drop(&mut self) {
        change_holders(|holders| holders.saturating_sub(1));
    }
}

/// Resolves when the user or the system wants the command to end: Ctrl-C, and on Unix SIGTERM and SIGHUP (the terminal is
/// gone). Until it is dropped, none of them ends the process by itself. Needs a runtime.
pub async fn interrupted() {
    let Some(mut signals) = signals::listen() else {
        return std::future::pending().await;
    };
    // Not before somebody listens, or a signal is lost in between.
    let _held = hold_interrupts();
    signals.next().await;
}

#[cfg(unix)]
mod signals {
    use std::future::poll_fn;
    use std::sync::Once;
    use std::task::Poll;

    use signal_hook::consts::{SIGHUP, SIGTERM};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{ENDS_AT_ONCE, INTERRUPTED, register_conditional_shutdown};

    /// Signals that anybody ever listened to don't end a process by themselves any more, so ours say that they do.
    pub fn end_on_others() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            for signal in [SIGTERM, SIGHUP] {
                let _ = register_conditional_shutdown(signal, INTERRUPTED, &ENDS_AT_ONCE);
            }
        });
    }

    pub struct Signals(Vec<Signal>);

    pub fn listen() -> Option<Signals> {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let signals = kinds.into_iter().map(signal);
        signals.collect::<Result<_, _>>().ok().map(Signals)
    }

    impl Signals {
        pub async fn next(&mut self) {
            poll_fn(|context| {
                // Each is polled, so that each wakes us.
                let polls = self.0.iter_mut().map(|signal| signal.poll_recv(context));
                match polls.filter(Poll::is_ready).count() {
                    0 => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
            .await;
        }
    }
}

#[cfg(not(unix))]
mod signals {
    use tokio::signal::windows::{CtrlC, ctrl_c};

    pub struct Signals(CtrlC);

    pub fn listen() -> Option<Signals> {
        ctrl_c().ok().map(Signals)
    }

    impl Signals {
        pub async fn next(&mut self) {
            self.0.recv().await;
        }
    }
}
