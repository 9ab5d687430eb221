//! What clap has to say: help and version, which were asked for, and calls that are wrong, before there is anything else.

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::error::{Error, Report};

/// Help and version go to stdout, a mistake to stderr with exit code 2.
pub fn tell(error: &clap::Error) -> ExitCode {
    if is_secret_argument(error) {
        // Without clap's words, which repeat it.
        return fail(&Error::usage(
            "a secret is read from stdin, and never taken as an argument, which other users and logs can read",
            "pipe it, as in `seo-auth login PROVIDER --with-token < FILE`; the one that was typed may stand in the shell's history",
        ));
    }
    if error.use_stderr() && wants_json() {
        return fail(&Error::usage(in_one_line(error), "see `seo-auth --help`"));
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
