//! # How a login happens
//!
//! `seo-auth login ahrefs`, from the top of the tree to its bottom:
//!
//! 1. `main` calls [`run`]. [`process`] makes the memory private before anything is read, and Ctrl-C an exit code before
//!    anything waits.
//! 2. [`cli`] is what was typed (`usage` tells of what can't be a call). [`context`] reads flags, environment and
//!    configuration file ([`config`]), and builds the parts from them.
//! 3. `commands/login` does what can fail before anybody is asked for anything: it binds the redirect URI's port and has
//!    the [`store`] written, read back and deleted. With `--sandbox` it starts the [`sandbox`] first, an authorization server
//!    inside this program, and everything else goes the same way.
//! 4. [`flow`] signs in: [`flow::device`] (RFC 8628) or [`flow::authcode`] (RFC 6749 §4.1 with PKCE), as the [`provider`]'s
//!    definition says, which is a table of TOML. It tells an [`Interaction`](flow::Interaction) what the user must see, and
//!    knows neither terminal ([`ui`]) nor store. Its requests go through [`http`], which has one policy for time-outs, trust
//!    and traces.
//! 5. What comes of it is a [`credential`], its tokens in [`secret`]s. The command writes it to the store, and only then
//!    tells the browser and the user that it worked.
//! 6. Whatever went wrong is one of the errors in [`error`], with its exit code and what to do next.
//!
//! # How a token is printed
//!
//! `commands/token` asks [`account::fresh`]: is one in the environment, or does the stored one live long enough? Then it is
//! written to stdout, without runtime, HTTP client or TLS. Else [`account::renew`] claims the account at its store, which marks
//! the refresh token as being spent and proves that the store can be written, has [`flow::refresh`] exchange it (RFC 6749 §6),
//! and commits what came. `exec` and [`api`] get their tokens the same way.
//!
//! # Who may know whom
//!
//! Imports run downwards only: commands → account → context's parts, ui → config → flow, api, store → provider → http →
//! credential → the leaves. `tests/it/layers.rs` holds the tree to that.
//!
//! This is a program, not a library: nothing in here is a stable API. The command line is.

// A test that panics has failed, which is what a test is for.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod account;
mod address;
mod api;
mod cli;
mod clock;
mod commands;
mod config;
mod context;
mod credential;
mod environment;
mod error;
mod flow;
mod http;
mod paths;
mod process;
mod provider;
mod sandbox;
mod secret;
mod store;
mod text;
mod ui;
mod usage;

/// The rooms that `tests/fuzz` feeds with bytes.
#[cfg(fuzzing)]
pub mod fuzzing {
    macro_rules! open {
        ($($room:ident)*) => {
            $(pub mod $room { pub use crate::$room::*; })*
        };
    }
    open!(address api clock config credential error flow http provider secret store);
}

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use error::Error;
use ui::Ui;

/// Runs the program with the arguments and the environment of the process.
pub fn run() -> ExitCode {
    process::keep_memory_private();
    let call = cli::plain::print(std::env::args_os()).map_or_else(full_call, Ok);
    let cli = match call {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error),
    };
    let ui = context::ui(&cli.global);
    // `token print` stands in loops, and waits for a thread no more than for anything else.
    if ui.json && !matches!(cli.command, Command::Token(_)) {
        let report = Error::Interrupted.report();
        process::say_when_interrupted(report.object(report.exit.code()).to_string());
    }
    let outcome = context::Context::new(&cli.global, ui.clone())
        .and_then(|(context, broken)| commands::run(context, broken, &cli.command));
    match outcome {
        Ok(code) => code,
        Err(error) => fail(&ui, &error),
    }
}

/// Any call but the one that stands in loops; clap's error is a mistake, or the help that was asked for.
fn full_call() -> Result<Cli, clap::Error> {
    process::take_signals_over();
    Cli::try_parse()
}

fn fail(ui: &Ui, error: &Error) -> ExitCode {
    let report = error.report();
    commands::tell(ui, &report, report.exit.code());
    report.exit.into()
}
