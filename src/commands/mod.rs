//! One file or folder a verb: load, decide, act, report.

mod api;
mod doctor;
mod exec;
mod import;
mod input;
mod login;
mod logout;
mod move_login;
mod outcome;
mod pages;
mod providers;
mod sandbox;
mod status;
mod token;

use std::process::ExitCode;

pub use outcome::tell;

use crate::cli::{Command, Token};
use crate::config::ConfigError;
use crate::context::Context;
use crate::error::{Error, Exit};

/// Runs what was typed. `broken` is what is wrong with the configuration file.
///
/// # Errors
/// What the user is to be told.
pub fn run(
    context: Context,
    broken: Option<ConfigError>,
    command: &Command,
) -> Result<ExitCode, Error> {
    if let Some(broken) = broken {
        return match command {
            Command::Doctor => doctor::run(&context, Some(broken)).map(answer),
            // They stand in the files that a shell reads when it starts, and need no configuration.
            Command::Completions { shell } => pages::completions(&context, *shell).map(done),
            Command::Man { dir } => pages::man(&context, dir.as_deref()).map(done),
            _ => Err(Error::Config(broken)),
        };
    }
    // A mistake in the environment shows at once, as one in the file does, and not at the next login.
    if !matches!(command, Command::Doctor) {
        context.store_preference()?;
    }
    // `token print` stands in loops, and leaves it to those that don't.
    if !matches!(command, Command::Token(_) | Command::Api(_)) {
        exec::sweep(&context);
    }
    // Commands with large frames are not inlined here: together they would take 13 kB of stack, and `token print` would have
    // three pages more to touch.
    match command {
        Command::Login(args) => login::run(context, args).map(done),
        Command::Logout(args) => logout::run(&context, args).map(done),
        Command::Import(args) => import::run(&context, args).map(answer),
        Command::Move(args) => move_login::run(&context, args).map(done),
        Command::Status(args) => status::run(&context, args).map(answer),
        Command::Token(Token::Print(args)) => token::print(&context, args).map(done),
        Command::Token(Token::Refresh {
            all: true,
            min_valid,
            ..
        }) => token::refresh_all(&context, *min_valid).map(answer),
        Command::Token(Token::Refresh {
            provider,
            min_valid,
            ..
        }) => {
            let account = context.accounts().meant(provider.as_deref())?;
            token::refresh(&context, account, *min_valid).map(done)
        }
        Command::Exec(args) => exec::run(&context, args),
        Command::Api(args) => api::run(&context, args).map(answer),
        Command::Providers { provider } => providers::run(&context, provider.as_deref()).map(done),
        Command::Sandbox(args) => sandbox::run(&context, args).map(done),
        Command::Doctor => doctor::run(&context, None).map(answer),
        Command::Completions { shell } => pages::completions(&context, *shell).map(done),
        Command::Man { dir } => pages::man(&context, dir.as_deref()).map(done),
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

fn answer(exit: Option<Exit>) -> ExitCode {
    exit.map_or(ExitCode::SUCCESS, ExitCode::from)
}
