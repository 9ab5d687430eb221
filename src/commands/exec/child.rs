//! Waits for a command, and sees to it that no signal ends this process before the command has ended: then its token file
//! would stay.

use std::io;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::Sender;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

/// What would end this process, and can be caught; what only an error of its own brings is not among them.
#[cfg(unix)]
const PASSED_ON: [Signal; 10] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::VTALARM,
    Signal::PROF,
    Signal::XCPU,
];

/// How the command ended, or why it never began.
pub type Ended = io::Result<ExitStatus>;

/// Runs the command and tells its end.
pub fn run(command: Command, tell: &Sender<Ended>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime.and_then(|runtime| runtime.block_on(watch(command)));
    // The other thread listens until it has heard.
    drop(tell.send(ended));
}

#[cfg(unix)]
async fn watch(command: Command) -> Ended {
    // Before the command begins, so that none is missed.
    let mut arriving = listen()?;
    // Never given back: the handler of the last signal may still be running when the command has ended by it, and would end
    // this process with the wrong status.
    std::mem::forget(crate::process::hold_interrupts());
    let mut child = tokio::process::Command::from(command).spawn()?;
    loop {
        let signal = tokio::select! {
            ended = child.wait() => return ended,
            signal = next(&mut arriving) => signal,
        };
        if !was_typed(signal) {
            pass_on(&child, signal);
        }
    }
}

/// A signal, and what hears of it.
#[cfg(unix)]
type Listener = (Signal, tokio::signal::unix::Signal);

/// A signal that is ignored stays so, for the command too.
#[cfg(unix)]
fn listen() -> io::Result<Vec<Listener>> {
    use tokio::signal::unix::{SignalKind, signal};
    let kept = PASSED_ON.into_iter();
    let heard = kept.filter(|signal| !crate::process::is_ignored(signal.as_raw()));
    let listeners = heard.map(|kind| Ok((kind, signal(SignalKind::from_raw(kind.as_raw()))?)));
    listeners.collect()
}

#[cfg(unix)]
async fn next(arriving: &mut [Listener]) -> Signal {
    std::future::poll_fn(|context| {
        let mut polls = arriving.iter_mut();
        let arrived = polls.find_map(|(signal, listener)| {
            let poll = listener.poll_recv(context);
            poll.is_ready().then_some(*signal)
        });
        arrived.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

/// Ctrl-C and Ctrl-\ reach every process in front of the terminal, the command too; twice would mean "at once" to many. In
/// the background nothing is typed, and one was sent to this process alone.
#[cfg(unix)]
fn was_typed(signal: Signal) -> bool {
    let keyboard = signal == Signal::INT || signal == Signal::QUIT;
    keyboard && (is_in_front_of(io::stdin()) || is_in_front_of(io::stderr()))
}

#[cfg(unix)]
fn is_in_front_of(terminal: impl std::os::fd::AsFd) -> bool {
    let group = rustix::termios::tcgetpgrp(terminal);
    group.is_ok_and(|group| group == rustix::process::getpgrp())
}

#[cfg(unix)]
fn pass_on(child: &tokio::process::Child, signal: Signal) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        // It may just have ended.
        let _ = kill_process(pid, signal);
    }
}

/// The console sends Ctrl-C to the command as well.
#[cfg(not(unix))]
async fn watch(command: Command) -> Ended {
    let mut child = tokio::process::Command::from(command).spawn()?;
    loop {
        tokio::select! {
            ended = child.wait() => return ended,
            () = crate::process::interrupted() => {}
        }
    }
}
