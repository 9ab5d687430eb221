//! What a user sees: stdout is data, stderr is talk.

pub mod browser;
pub mod login;
pub mod paste;
mod qr;
pub mod ssh;
pub mod table;
mod terminal;
pub mod wrap;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// For the one word that matters in a line.
pub const BOLD: Style = Style::new().bold();
/// For what is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// For what needs a look.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what may be passed over.
pub const DIM: Style = Style::new().dimmed();

/// How the user wants to be talked to.
#[derive(Clone, Debug)]
pub struct Ui {
    pub json: bool,
    pub verbosity: u8,
    pub quiet: bool,
    /// `--color` for stderr, with `NO_COLOR` and `TERM=dumb` reckoned in.
    pub color: ColorChoice,
    /// Whether the cursor may be moved on stderr: a terminal that is not dumb.
    pub live: bool,
    /// Whether the cursor's line is a live one, which goes when anything else is said, by whichever thread.
    pub drawn: Arc<AtomicBool>,
}

/// Stdout cannot be written.
#[derive(Debug)]
pub struct StdoutFailed(pub io::Error);

/// What becomes of a write to stdout. One that was closed (`| head`) is not an error; it takes no more, though: `false`.
fn unless_closed(result: io::Result<()>) -> Result<bool, StdoutFailed> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true).map_err(StdoutFailed),
    }
}

impl Ui {
    /// Whether a person is there to be asked: stdin and stderr are terminals, and the shell did not put us aside.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal() && terminal::is_foreground()
    }

    /// Whether stdout is a terminal.
    pub fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// The columns of the terminal that stdout is, `None` where it is none and nothing has to be fitted.
    pub fn columns(&self) -> Option<usize> {
        let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
        Some(width.0.into())
    }

    /// Writes what is laid out for people to stdout, in colours where there is a terminal that wants them.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn page(&self, text: &str) -> Result<(), StdoutFailed> {
        let mut stdout = AutoStream::new(io::stdout().lock(), self.color);
        let written = stdout.write_all(text.as_bytes());
        unless_closed(written.and_then(|()| stdout.flush())).map(drop)
    }

    /// Writes data to stdout in one piece, byte for byte.
    ///
    /// # Errors
    /// Stdout cannot be written; a closed one is no error.
    pub fn data(&self, text: &str) -> Result<(), StdoutFailed> {
        self.bytes(text.as_bytes()).map(drop)
    }

    /// Writes a piece of data that is not text, or not all of it, as it stands. Answers whether stdout still takes more: a
    /// closed one does not.
    ///
    /// # Errors
    /// Stdout cannot be written; a closed one is no error.
    pub fn bytes(&self, bytes: &[u8]) -> Result<bool, StdoutFailed> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(bytes);
        unless_closed(written.and_then(|()| stdout.flush()))
    }

    /// Writes one JSON value as a line to stdout.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn json_line(&self, value: &serde_json::Value) -> Result<(), StdoutFailed> {
        self.data(&format!("{value}\n"))
    }

    /// Says a line on stderr. Talk that cannot be written is no reason to fail.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Tells a line on stderr, broken between words where a terminal is too narrow for it; `--quiet` not reckoned in.
    pub fn tell(&self, text: &str) {
        match terminal::size() {
            Some((columns, _)) => self.talk(&format!("{}\n", wrap::wrap(text, columns))),
            None => self.talk(&format!("{text}\n")),
        }
    }

    pub fn warn(&self, text: &str) {
        if !self.quiet {
            self.tell(&format!("{WARNING}warning:{WARNING:#} {text}"));
        }
    }

    /// Says on stderr what only `-v` asks for.
    pub fn detail(&self, verbosity: u8, text: &str) {
        if self.verbosity >= verbosity {
            self.talk(&format!("{DIM}{text}{DIM:#}\n"));
        }
    }

    /// Puts a live line under the cursor, in place of the one before; only where [`Ui::live`].
    pub fn draw(&self, text: &str) {
        self.wipe();
        self.talk(text);
        self.drawn.store(true, Ordering::Relaxed);
    }

    /// Takes the live line away, if there is one.
    pub fn wipe(&self) {
        if self.drawn.swap(false, Ordering::Relaxed) {
            self.control("\r\x1b[2K");
        }
    }

    /// Sends a control sequence to the terminal. It is no colour, so `NO_COLOR` does not concern it. Where it
    /// fails, the terminal is gone.
    pub fn control(&self, sequence: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr
            .write_all(sequence.as_bytes())
            .and_then(|()| stderr.flush());
    }

    /// Writes to stderr as it stands, colours reckoned in, `--quiet` not. Nobody could be told where that fails.
    pub fn talk(&self, text: &str) {
        self.wipe();
        let mut stderr = AutoStream::new(io::stderr().lock(), self.color);
        let _ = stderr
            .write_all(text.as_bytes())
            .and_then(|()| stderr.flush());
    }
}
