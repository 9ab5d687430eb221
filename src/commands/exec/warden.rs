//! Waits for a command, and sees to it that no signal ends this process before the command has ended: then its token file
//! would stay.

use std::io;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::Sender;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

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
    use tokio::signal::unix::{SignalKind, signal};
    // Before the command begins, so that none is missed.
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut user1 = signal(SignalKind::user_defined1())?;
    let mut user2 = signal(SignalKind::user_defined2())?;
    // Never given back: the handler of the last signal may still be running when the command has ended by it, and would end
    // this process with the wrong status.
    std::mem::forget(crate::process::hold_interrupts());
    let mut child = tokio::process::Command::from(command).spawn()?;
    loop {
        let signal = tokio::select! {
            ended = child.wait() => return ended,
            _ = hangup.recv() => Signal::HUP,
            _ = interrupt.recv() => Signal::INT,
            _ = quit.recv() => Signal::QUIT,
            _ = terminate.recv() => Signal::TERM,
            _ = user1.recv() => Signal::USR1,
            _ = user2.recv() => Signal::USR2,
        };
        if !was_typed(signal) {
            pass_on(&child, signal);
        }
    }
}

/// Ctrl-C and Ctrl-\ reach every process in front of the terminal, the command too; twice would mean "at once" to many.
#[cfg(unix)]
fn was_typed(signal: Signal) -> bool {
    use std::io::IsTerminal;
    let keyboard = signal == Signal::INT || signal == Signal::QUIT;
    keyboard && (io::stdin().is_terminal() || io::stderr().is_terminal())
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
