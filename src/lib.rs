//! # How a login happens
//!
//! `main` calls [`run`], which parses the command line ([`cli`]), builds the parts from flags, environment and
//! configuration ([`context`]) and hands them to one of the commands. `login` proves that a store can be written
//! ([`store`]), runs a flow ([`flow`]: device code or authorization code, over [`http`], by the facts in [`provider`]), and
//! stores the [`credential`] that it yields. `token print` reads it, refreshes it when it is due, and writes the token to
//! stdout ([`ui`]). What goes wrong becomes one of the errors in [`error`], with its exit code and what to do next.
//!
//! Imports run downwards only: commands → context → flow, store, provider → http → the leaves (`secret`, `clock`, `text`,
//! `address`, `paths`, `process`). `tests/it/layers.rs` holds the tree to that.
//!
//! This is a program, not a library: nothing in here is a stable API. The command line is.

// A test that panics has failed, which is what a test is for.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod address;
pub mod cli;
pub mod clock;
mod commands;
pub mod context;
pub mod credential;
pub mod error;
pub mod flow;
pub mod http;
pub mod paths;
pub mod process;
pub mod provider;
pub mod sandbox;
pub mod secret;
pub mod store;
pub mod text;
pub mod ui;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

use cli::Cli;
use error::{Error, Report};
use ui::Ui;

/// Runs the program with the arguments and the environment of the process.
pub fn run() -> ExitCode {
    process::set_up();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let ui = context::ui(&cli.global);
    let outcome = context::Context::new(&cli.global, ui.clone())
        .and_then(|(context, broken)| commands::run(context, broken, &cli.command));
    match outcome {
        Ok(code) => code,
        Err(error) => fail(&ui, &error),
    }
}

fn fail(ui: &Ui, error: &Error) -> ExitCode {
    let report = error.report();
    commands::tell(ui, &report, report.exit as u8);
    report.exit.into()
}

/// What clap refuses, or was asked for: help and version go to stdout, a mistake to stderr with exit code 2.
fn usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && json {
        let text = error.to_string();
        let message = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned();
        let hint = Some("see `seo-auth --help`".to_owned());
        let report = Report {
            code: "usage",
            exit: error::Exit::Usage,
            message,
            hint,
        };
        // What reads stderr may be gone; that is no reason for another exit code.
        let _ = writeln!(std::io::stderr(), "{}", report.object(report.exit as u8));
        return report.exit.into();
    }
    // Help into a closed pipe is no failure.
    let _ = error.print();
    if error.use_stderr() {
        error::Exit::Usage.into()
    } else {
        ExitCode::SUCCESS
    }
}
