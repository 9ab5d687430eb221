//! What we ask of the operating system for the whole process: its memory is nobody else's, and Ctrl-C is exit code 130.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use signal_hook::flag::register_conditional_shutdown;

/// What asks a command to end: Ctrl-C and Ctrl-\, `kill`, and a terminal that is gone.
#[cfg(unix)]
const ENDING: &[i32] = {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    &[SIGINT, SIGQUIT, SIGTERM, SIGHUP]
};

#[cfg(not(unix))]
const ENDING: &[i32] = &[signal_hook::consts::SIGINT];

/// The contract's exit code for an interrupted command.
const INTERRUPTED: i32 = 130;

/// Whether the [`ENDING`] signals end the process at once: as long as nobody is a holder, and nothing is to be said first.
static ENDS_AT_ONCE: AtomicBool = AtomicBool::new(true);

/// Whether [`say_when_interrupted`] has something to say.
static SAYS_FIRST: AtomicBool = AtomicBool::new(false);

/// How many [`Held`] there are.
static HOLDERS: Mutex<usize> = Mutex::new(0);

fn change_holders(change: impl FnOnce(usize) -> usize) {
    let mut holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    *holders = change(*holders);
    let says_first = SAYS_FIRST.load(Ordering::SeqCst);
    ENDS_AT_ONCE.store(*holders == 0 && !says_first, Ordering::SeqCst);
}

/// From now on, the [`ENDING`] signals end the process with the contract's exit code, and not as the system would. Whatever
/// may wait calls it first: for a keyring, a lock, the network. It costs some 5 % of a `token print` from the sealed file,
/// which waits for nobody, and so goes without.
pub fn take_signals_over() {
    static TAKEN: Once = Once::new();
    TAKEN.call_once(|| {
        hear_of_children();
        for signal in ending() {
            // From inside the handler, so that nothing which hangs (a keyring, a read of stdin) can keep it from happening.
            let _ = register_conditional_shutdown(signal, INTERRUPTED, &ENDS_AT_ONCE);
        }
    });
}

/// A caller that ignores SIGCHLD (`trap '' CHLD`) hands that on, and the system then tells nobody how a child ended: the status
/// of `exec`'s command, or of a browser, would be lost. A handler that does nothing ends the ignoring, here and for every
/// program that we start: whether an ignored SIGCHLD outlives `exec` is left open by POSIX, so no program counts on it.
#[cfg(unix)]
fn hear_of_children() {
    use signal_hook::consts::SIGCHLD;
    if is_ignored(SIGCHLD) {
        let _ = signal_hook::flag::register(SIGCHLD, std::sync::Arc::default());
    }
}

#[cfg(not(unix))]
fn hear_of_children() {}

/// Has `text` written to stderr before one of the [`ENDING`] signals ends the process, where nobody is a holder. A thread does
/// it: inside of a signal's handler nothing may be written, and what the command waits for may never come. Where the system
/// gives no thread or pipe, the process ends without a word, as before.
#[cfg(unix)]
pub fn say_when_interrupted(text: String) {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    let Ok((mut told, telling)) = UnixStream::pair() else {
        return;
    };
    for signal in ending() {
        let Ok(telling) = telling.try_clone() else {
            return;
        };
        if signal_hook::low_level::pipe::register(signal, telling).is_err() {
            return;
        }
    }
    let say = move || {
        while told.read_exact(&mut [0]).is_ok() {
            if *HOLDERS.lock().unwrap_or_else(PoisonError::into_inner) == 0 {
                let _ = writeln!(std::io::stderr(), "{text}");
                std::process::exit(INTERRUPTED);
            }
        }
    };
    // Before the thread is there, so that no signal finds neither of the two ways.
    SAYS_FIRST.store(true, Ordering::SeqCst);
    change_holders(|holders| holders);
    let thread = std::thread::Builder::new().name("interrupt".to_owned());
    SAYS_FIRST.store(thread.spawn(say).is_ok(), Ordering::SeqCst);
    change_holders(|holders| holders);
}

/// There the process ends without a word.
#[cfg(not(unix))]
pub fn say_when_interrupted(_: String) {}

/// The signals that ask a command to end, without those that stay ignored.
pub fn ending() -> impl Iterator<Item = i32> {
    let ending = ENDING.iter().copied();
    ending.filter(|signal| !is_ignored(*signal))
}

/// Whether our caller started us with this signal ignored, as `nohup` does, and a script's `&`. A handler would end that for
/// the program that `exec` runs, too, so we take no such signal over.
pub fn is_ignored(signal: i32) -> bool {
    // First asked before any handler of ours is there.
    static IGNORED: OnceLock<u64> = OnceLock::new();
    let ignored = IGNORED.get_or_init(|| ignored_signals().unwrap_or(0));
    let mask = u32::try_from(signal - 1).map_or(0, |bit| 1_u64.checked_shl(bit).unwrap_or(0));
    ignored & mask != 0
}

/// proc(5): a bit each.
#[cfg(target_os = "linux")]
fn ignored_signals() -> Option<u64> {
    use std::io::Read as _;

    // It has 1.5 kB, and no length that could be asked for: so it is read in one go.
    let mut status = [0; 4096];
    let mut file = std::fs::File::open("/proc/self/status").ok()?;
    let length = file.read(&mut status).ok()?;
    // By bytes: the functions for text lie all over the program, and each would be one more page to load.
    let mut lines = status.get(..length)?.split(|byte| *byte == b'\n');
    let mask = lines.find_map(|line| line.strip_prefix(b"SigIgn:\t"))?;
    mask.iter().try_fold(0, |mask, digit| {
        Some(mask << 4 | u64::from(char::from(*digit).to_digit(16)?))
    })
}

/// Other systems tell it by calls only that need `unsafe`.
#[cfg(not(target_os = "linux"))]
fn ignored_signals() -> Option<u64> {
    None
}

/// No core dump, to no file and no crash reporter, and no other process of the same user may attach or read the memory.
/// Neither is inherited by the programs that we start. Other systems have no call for it that needs no `unsafe`; there
/// the core dump alone is switched off. What the system refuses is done without: it is a second line of defence.
#[cfg(target_os = "linux")]
pub fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(all(unix, not(target_os = "linux")))]
pub fn keep_memory_private() {
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
pub fn keep_memory_private() {}

/// While it lives, no [`ENDING`] signal ends the process by itself: its holder cleans up and ends it.
#[derive(Debug)]
pub struct Held(());

/// Takes the signals over.
pub fn hold_interrupts() -> Held {
    change_holders(|holders| holders + 1);
    Held(())
}

impl Drop for Held {
    fn drop(&mut self) {
        change_holders(|holders| holders.saturating_sub(1));
    }
}

/// Resolves when the user or the system wants the command to end, by an [`ENDING`] signal. Until it is dropped, none of them
/// ends the process by itself. Needs a runtime.
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
    use std::task::Poll;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub struct Signals(Vec<Signal>);

    pub fn listen() -> Option<Signals> {
        let signals = super::ending().map(|number| signal(SignalKind::from_raw(number)));
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
