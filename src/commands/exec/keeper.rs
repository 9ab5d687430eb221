//! Keeps a token file fresh while a command runs: one thread waits for the command and hands signals on to it, this one
//! refreshes.

use std::ffi::OsString;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use std::{io, thread};

use super::not_run;
use super::token_file::TokenFile;
use super::warden::{self, Ended};
use crate::clock::Timestamp;
use crate::commands::fresh::{self, Demand, Token};
use crate::context::Context;
use crate::credential::AccountKey;
use crate::error::Error;

/// Another process may refresh at any time, and a server may end the old token then: what is stored is looked at so often.
const LOOK: Duration = Duration::from_secs(30);
/// Between two looks at a token that is about to expire.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);

/// Runs `command` and keeps `file`, which holds `token`, fresh until it ends.
///
/// # Errors
/// The command can't be run.
pub fn run(
    context: &Context,
    account: &AccountKey,
    demand: &Demand,
    token: Token,
    file: TokenFile,
    command: Command,
    name: &OsString,
) -> Result<ExitCode, Error> {
    let (tell, told) = mpsc::channel();
    let spawned = thread::Builder::new()
        .name("exec".to_owned())
        .spawn(move || warden::run(command, &tell));
    spawned.map_err(|source| not_run(name, source))?;
    let status = keep_fresh(context, account, demand, token, &file, &told);
    // Before anybody learns that the command has ended.
    drop(file);
    Ok(exit_code(status.map_err(|source| not_run(name, source))?))
}

fn keep_fresh(
    context: &Context,
    account: &AccountKey,
    demand: &Demand,
    mut token: Token,
    file: &TokenFile,
    told: &Receiver<Ended>,
) -> Ended {
    let mut pause = until_due(&token, demand);
    let mut trouble = None;
    loop {
        match told.recv_timeout(pause) {
            Ok(ended) => return ended,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("its watcher ended"));
            }
        }
        let now = match look(context, account, demand, &token, file) {
            Ok(current) => {
                pause = until_due(&current, demand);
                token = current;
                None
            }
            Err(error) => {
                pause = LOOK;
                Some(error.report().message)
            }
        };
        // Said once for as long as it lasts, for the terminal is the command's.
        if let Some(text) = now.as_ref().filter(|_| now != trouble) {
            context
                .ui
                .warn(&format!("the token file was not refreshed: {text}"));
        }
        trouble = now;
    }
}

/// The account's token as it is now, which the file then holds.
fn look(
    context: &Context,
    account: &AccountKey,
    demand: &Demand,
    written: &Token,
    file: &TokenFile,
) -> Result<Token, Error> {
    let current = fresh::token(context, account, demand)?;
    if current.access_token() != written.access_token() {
        file.write(current.access_token())?;
    }
    Ok(current)
}

/// When to look again: as soon as the token is due, and [`LOOK`] at the latest. One that is due and was not refreshed, or
/// lives shorter than is demanded, is looked at ever oftener, and never without a pause.
fn until_due(token: &Token, demand: &Demand) -> Duration {
    let left = match token {
        Token::Env(_) => None,
        Token::Stored(_, credential) => credential.seconds_left(Timestamp::now()),
    };
    left.map_or(LOOK, |left| {
        let due = if left > demand.seconds() {
            left - demand.seconds()
        } else {
            left / 2
        };
        Duration::from_secs(due.max(0).unsigned_abs()).clamp(SHORTEST_LOOK, LOOK)
    })
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
