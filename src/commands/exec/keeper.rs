//! Keeps a token file fresh while a command runs: one thread waits for the command and hands signals on to it, this one
//! refreshes.

use std::ffi::OsString;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use std::{io, thread};

use super::child::{self, Ended};
use super::token_file::TokenFile;
use crate::account::fresh::{self, Demand, Token};
use crate::clock::Timestamp;
use crate::context::Context;
use crate::credential::AccountKey;
use crate::error::Error;

/// Another process may refresh at any time, and a server may end the old token then: what is stored is looked at so often.
const LOOK: Duration = Duration::from_secs(30);
/// Between two looks at a token that is about to expire.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);

/// What keeps a token file fresh.
pub struct Keeper<'a> {
    /// Where its tokens come from.
    pub context: &'a Context,
    pub account: &'a AccountKey,
    /// How long each shall be valid.
    pub demand: Demand,
    /// The one that the file holds.
    pub token: Token,
    /// The token's; `None`: nothing is to be kept fresh.
    pub file: Option<TokenFile>,
    /// Another one that lives as long.
    pub _credentials: Option<TokenFile>,
}

impl Keeper<'_> {
    /// Runs the command, and keeps the file fresh until it ends.
    ///
    /// # Errors
    /// The command can't be run.
    pub fn run(mut self, command: Command, name: &OsString) -> Result<ExitCode, Error> {
        let (tell, told) = mpsc::channel();
        let spawned = thread::Builder::new()
            .name("exec".to_owned())
            .spawn(move || child::run(command, &tell));
        spawned.map_err(|source| not_run(name, source))?;
        let status = match self.file {
            Some(_) => self.keep_fresh(&told),
            None => told.recv().unwrap_or_else(|_| Err(watcher_ended())),
        };
        // Before anybody learns that the command has ended.
        drop(self);
        Ok(exit_code(status.map_err(|source| not_run(name, source))?))
    }

    fn keep_fresh(&mut self, told: &Receiver<Ended>) -> Ended {
        let mut pause = self.until_due();
        let mut trouble = None;
        loop {
            match told.recv_timeout(pause) {
                Ok(ended) => return ended,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(watcher_ended());
                }
            }
            let now = self.look().err().map(|error| error.report().message);
            pause = match now {
                None => self.until_due(),
                Some(_) => LOOK,
            };
            // Said once for as long as it lasts, for the terminal is the command's.
            if let Some(text) = now.as_ref().filter(|_| now != trouble) {
                self.context
                    .ui
                    .warn(&format!("the token file was not refreshed: {text}"));
            }
            trouble = now;
        }
    }

    /// Has the file hold the account's token as it is now.
    fn look(&mut self) -> Result<(), Error> {
        let current = fresh::token(&self.context.accounts(), self.account, &self.demand)?;
        let is_new = current.access_token() != self.token.access_token();
        if let Some(file) = self.file.as_ref().filter(|_| is_new) {
            file.write(current.access_token())?;
        }
        self.token = current;
        Ok(())
    }

    /// When to look again: as soon as the token is due, and [`LOOK`] at the latest. One that is due and was not refreshed, or
    /// lives shorter than is demanded, is looked at ever oftener, and never without a pause.
    fn until_due(&self) -> Duration {
        let left = match &self.token {
            Token::Env(_) => None,
            Token::Stored(_, credential) => credential
                .seconds_left(Timestamp::now())
                .map(|left| (left, self.demand.seconds(credential))),
        };
        left.map_or(LOOK, |(left, wanted)| {
            let due = if left > wanted {
                left - wanted
            } else {
                left / 2
            };
            Duration::from_secs(due.max(0).unsigned_abs()).clamp(SHORTEST_LOOK, LOOK)
        })
    }
}

fn watcher_ended() -> io::Error {
    io::Error::other("its watcher ended")
}

/// The child's own status; 128 and the signal's number where one killed it, as shells have it.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    let killed_by = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let killed_by: Option<i32> = None;
    let code = status
        .code()
        .or(killed_by.map(|signal| 128 + signal))
        .unwrap_or(1);
    // A status has eight bits; Windows has more, and what does not fit is a failure all the same.
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// The command could not be started.
pub fn not_run(name: &OsString, source: std::io::Error) -> Error {
    Error::CommandNotRun {
        command: crate::text::printable(&name.to_string_lossy(), 200),
        source,
    }
}
