//! What clap has to say: help and version, which were asked for, and calls that are wrong, before there is anything else.

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::{Error, Report, usage};
use crate::text::nearest;

/// Help and version go to stdout, a mistake to stderr with exit code 2.
pub fn tell(error: &clap::Error) -> ExitCode {
    if is_secret_argument(error) {
        return fail(&usage::secret_as_argument());
    }
    let meant = meant(error);
    if error.use_stderr() && (wants_json() || meant.is_some()) {
        return fail(&usage::of_clap(in_one_line(error), meant));
    }
    match error.print().and_then(|()| io::stdout().flush()) {
        _ if error.use_stderr() => crate::error::Exit::Usage.into(),
        // Help into a closed pipe is no failure.
        Err(source) if source.kind() != IoErrorKind::BrokenPipe => fail(&Error::System {
            what: "stdout can't be written".to_owned(),
            source,
        }),
        _ => ExitCode::SUCCESS,
    }
}

/// Words that other tools have for what a command of ours does.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("print", "token print"),
    ("get", "token print"),
    ("get-token", "token print"),
    ("print-access-token", "token print"),
    ("refresh", "token refresh"),
    ("list", "status"),
    ("ls", "status"),
    ("show", "status"),
    ("accounts", "status"),
    ("whoami", "status"),
    ("auth", "login"),
    ("signin", "login"),
    ("signout", "logout"),
    ("run", "exec"),
    ("curl", "api"),
    ("request", "api"),
    ("version", "--version"),
];

/// What was probably meant, where clap's own words don't lead there.
fn meant(error: &clap::Error) -> Option<String> {
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = match error.get(ContextKind::InvalidSubcommand)? {
                ContextValue::String(word) => crate::text::printable(word, 64),
                _ => return None,
            };
            if is_after("token") && nearest(&word, ["print", "refresh"]).is_some() {
                return None;
            }
            // Of `token`, the word that follows is a provider's name.
            if is_after("token") {
                return Some(format!("did you mean `seo-auth token print {word}`?"));
            }
            let (_, ours) = OTHER_WORDS.iter().find(|(other, _)| *other == word)?;
            Some(format!("did you mean `seo-auth {ours}`?"))
        }
        ErrorKind::MissingRequiredArgument if is_after("logout") => {
            Some("name one (`seo-auth status` lists them), or add --all".to_owned())
        }
        ErrorKind::MissingRequiredArgument | ErrorKind::UnknownArgument if is_after("exec") => {
            Some("put `--` before the command: `seo-auth exec PROVIDER -- ./report.sh`".to_owned())
        }
        _ => None,
    }
}

/// Whether this is the command that was typed: the first word that is no flag.
fn is_after(command: &str) -> bool {
    let mut words = env::args_os().skip(1);
    words.find(|word| !word.to_string_lossy().starts_with('-')) == Some(command.into())
}

/// Behind `--`, it is a flag of the command that `exec` runs.
fn wants_json() -> bool {
    let mut ours = env::args_os().take_while(|argument| argument != "--");
    ours.any(|argument| argument == "--json")
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
    unexpected && env::args_os().any(is_flag)
}

fn fail(error: &Error) -> ExitCode {
    let report = error.report();
    // What reads stderr may be gone; that is no reason for another exit code.
    let _ = writeln!(io::stderr(), "{}", text(&report));
    report.exit.into()
}

fn text(report: &Report) -> String {
    if wants_json() {
        return report.object(report.exit.code()).to_string();
    }
    let hint = report.hint.as_deref().unwrap_or_default();
    format!("error: {}\nhint:  {hint}", report.message)
}
