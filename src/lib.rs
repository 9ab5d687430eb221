//! # How a login happens
//!
//! `seo-auth login ahrefs`, from the top of the tree to its bottom:
//!
//! 1. `main` calls [`run`]. [`process`] makes the memory private and Ctrl-C an exit code, before anything is read.
//! 2. [`cli`] is what was typed. [`context`] reads flags, environment and configuration file, and builds the parts from
//!    them; nobody else looks at the environment.
//! 3. `commands/login` does what can fail before anybody is asked for anything: it binds the redirect URI's port and has
//!    the [`store`] written, read back and deleted. With `--sandbox` it starts the [`sandbox`] first, an authorization server
//!    inside this program, and everything else goes the same way.
//! 4. [`flow`] signs in: [`flow::device`] (RFC 8628) or [`flow::authcode`] (RFC 6749 §4.1 with PKCE), as the [`provider`]'s
//!    definition says. It tells an [`Interaction`](flow::Interaction) what the user must see, and knows neither terminal
//!    ([`ui`]) nor store. Its requests go through [`http`], which has one policy for time-outs, trust and traces.
//! 5. What comes of it is a [`credential`], its tokens in [`secret`]s. The command writes it to the store, and only then
//!    tells the browser and the user that it worked.
//! 6. Whatever went wrong is one of the errors in [`error`], with its exit code and what to do next.
//!
//! # How a token is printed
//!
//! `commands/token` asks `commands/fresh`: is one in the environment, or does the stored one live long enough? Then it is
//! written to stdout, without runtime, HTTP client or TLS. Else `commands/renew` takes the account's lock, reads again, marks
//! the refresh token as being spent, has [`flow::refresh`] exchange it (RFC 6749 §6), and writes what came. `exec` and `api`
//! get their tokens the same way.
//!
//! # Who may know whom
//!
//! Imports run downwards only: commands → context → ui, flow, store, provider → http → credential → secret. [`paths`] names the
//! files. [`address`], [`clock`], [`process`] and [`text`] know nothing of this program and are open to all.
//! `tests/it/layers.rs` holds the tree to that.
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

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

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
    commands::tell(ui, &report, report.exit.code());
    report.exit.into()
}

/// What clap refuses, or was asked for: help and version go to stdout, a mistake to stderr with exit code 2.
fn usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if is_secret_argument(error) {
        // Without clap's words, which repeat it.
        let message = "a secret is read from stdin, and never taken as an argument, which other users and logs can read";
        let hint = "pipe it, as in `seo-auth login PROVIDER --with-token < FILE`; the one that was typed may stand in the shell's history";
        return wrong_call(message.to_owned(), hint, json);
    }
    if error.use_stderr() && json {
        return wrong_call(in_one_line(error), "see `seo-auth --help`", json);
    }
    // Help into a closed pipe is no failure.
    let _ = error.print();
    if error.use_stderr() {
        error::Exit::Usage.into()
    } else {
        ExitCode::SUCCESS
    }
}

/// Clap's words, without the usage that follows them.
fn in_one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a subcommand is missing".to_owned();
    }
    let text = error.to_string();
    let words: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.trim().is_empty())
        .flat_map(str::split_whitespace)
        .collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

/// Flags that stand for a secret on stdin, or that people take for one that takes it as a value.
const SECRET_FLAGS: &[&str] = &[
    "--with-token",
    "--client-secret-stdin",
    "--rejected",
    "--token",
    "--access-token",
    "--refresh-token",
    "--client-secret",
];

/// Whether what clap did not expect may be a secret.
fn is_secret_argument(error: &clap::Error) -> bool {
    let unexpected = matches!(
        error.kind(),
        ErrorKind::UnknownArgument | ErrorKind::TooManyValues
    );
    let is_flag = |argument: OsString| {
        let argument = argument.to_string_lossy();
        let name = argument.split('=').next().unwrap_or_default();
        SECRET_FLAGS.contains(&name)
    };
    unexpected && std::env::args_os().any(is_flag)
}

fn wrong_call(message: String, hint: &str, json: bool) -> ExitCode {
    let report = Report {
        code: "usage",
        exit: error::Exit::Usage,
        message,
        hint: Some(hint.to_owned()),
    };
    let text = if json {
        report.object(report.exit.code()).to_string()
    } else {
        format!("error: {}\nhint:  {hint}", report.message)
    };
    // What reads stderr may be gone; that is no reason for another exit code.
    let _ = writeln!(std::io::stderr(), "{text}");
    report.exit.into()
}
