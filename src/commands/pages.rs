//! `completions` and `man`: from the same source as `--help`.

use std::io;
use std::path::Path;

use clap::CommandFactory;

use super::stdout_failed;
use crate::cli::Cli;
use crate::context::Context;
use crate::error::Error;

/// Writes the completion script for a shell to stdout.
///
/// # Errors
/// Stdout cannot be written.
pub fn completions(context: &Context, shell: clap_complete::Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "seo-auth", &mut script);
    context
        .ui
        .data(&String::from_utf8_lossy(&script))
        .map_err(stdout_failed)
}

/// Writes the manual page to stdout, or the pages of all commands into `dir`.
///
/// # Errors
/// They cannot be written.
pub fn man(context: &Context, dir: Option<&Path>) -> Result<(), Error> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(stdout_failed)?;
        return context
            .ui
            .data(&String::from_utf8_lossy(&page))
            .map_err(stdout_failed);
    };
    let written = || -> io::Result<()> {
        std::fs::create_dir_all(dir)?;
        clap_mangen::generate_to(Cli::command(), dir)
    };
    written().map_err(|source| Error::System {
        what: format!("{} can't be written", dir.display()),
        source,
    })
}
