//! The terminal as a device: its size, its input queue, its echo. On Windows the console needs none of this, or has no call
//! for it that is safe.

use std::io;

/// Columns and rows of the terminal behind stderr.
pub fn size() -> Option<(usize, usize)> {
    let (width, height) = terminal_size::terminal_size_of(io::stderr())?;
    Some((width.0.into(), height.0.into()))
}

#[cfg(unix)]
pub use unix::{discard_input, is_foreground, read_hidden_line};

#[cfg(not(unix))]
pub use other::{discard_input, is_foreground, read_hidden_line};

#[cfg(unix)]
mod unix {
    use std::io::{self, BufRead, Read};
    use std::os::unix::net::UnixStream;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::termios::{LocalModes, OptionalActions, QueueSelector, Termios};
    use rustix::termios::{tcflush, tcgetattr, tcgetpgrp, tcsetattr};
    use signal_hook::low_level::{pipe, unregister};
    use zeroize::Zeroizing;

    use crate::process::{ending, hold_interrupts};

    /// Whether stdin's terminal is ours to read from: a program in the background is stopped when it tries.
    pub fn is_foreground() -> bool {
        // Another session's terminal has no foreground group that we could ask for; reading works there.
        tcgetpgrp(io::stdin()).map_or(true, |group| group == rustix::process::getpgrp())
    }

    /// Throws away what was typed and not read: half a pasted address must not become the shell's next command.
    pub fn discard_input() {
        if is_foreground() {
            // A terminal that is gone holds nothing for a shell to read.
            let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        }
    }

    /// One line from the terminal, which doesn't show it. `ErrorKind::Interrupted` for Ctrl-C and Ctrl-\ (and for being
    /// told to end); the terminal is as it was before in any case.
    pub fn read_hidden_line(max: u64) -> io::Result<Zeroizing<String>> {
        let _held = hold_interrupts();
        let wishes = Wishes::listen()?;
        let _silence = Silence::begin()?;
        let stdin = io::stdin();
        loop {
            let mut sources = [
                PollFd::new(&stdin, PollFlags::IN),
                PollFd::new(&wishes.arriving, PollFlags::IN),
            ];
            match poll(&mut sources, None) {
                Ok(_) if !sources[1].revents().is_empty() => {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut line = Zeroizing::new(String::new());
        stdin.lock().take(max).read_line(&mut line)?;
        Ok(line)
    }

    /// The echo is off for as long as it lives.
    struct Silence(Termios);

    impl Silence {
        fn begin() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            // What was typed before, and stands on the screen already, is no secret.
            tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
            Ok(Self(before))
        }
    }

    impl Drop for Silence {
        fn drop(&mut self) {
            // Only a terminal that is gone refuses.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        }
    }

    /// The signals that want us to end ([`hold_interrupts`] keeps them from doing it), as something that can be waited for
    /// together with stdin.
    struct Wishes {
        arriving: UnixStream,
        registered: Vec<signal_hook::SigId>,
    }

    impl Wishes {
        fn listen() -> io::Result<Self> {
            let (arriving, sending) = UnixStream::pair()?;
            let mut registered = Vec::new();
            for signal in ending() {
                registered.push(pipe::register(signal, sending.try_clone()?)?);
            }
            Ok(Self {
                arriving,
                registered,
            })
        }
    }

    impl Drop for Wishes {
        fn drop(&mut self) {
            for id in self.registered.drain(..) {
                unregister(id);
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::io;

    use zeroize::Zeroizing;

    /// There are no background jobs.
    pub fn is_foreground() -> bool {
        true
    }

    /// A line that is half typed ends with the read that was to take it.
    pub fn discard_input() {}

    /// One line from the console, which doesn't show it.
    pub fn read_hidden_line(max: u64) -> io::Result<Zeroizing<String>> {
        let line = Zeroizing::new(rpassword::read_password()?);
        if line.len() as u64 > max {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(line)
    }
}
