//! `completions` and `man`: from the same source as `--help`.

use std::fs;
use std::io;
use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, CommandFactory};

use crate::cli::Cli;
use crate::context::Context;
use crate::error::Error;
use crate::ui::StdoutFailed;

/// All commands with all their arguments.
fn tree(mut root: Command) -> Command {
    root.build();
    in_order(root)
}

/// The arguments of a command that were built late stand behind the global ones; here they come first again.
fn in_order(command: Command) -> Command {
    let rank = |arg: &Arg| match arg.get_id().as_str() {
        "help" | "version" => 2,
        _ => u8::from(arg.is_global_set()),
    };
    let arguments: Vec<Arg> = command.get_arguments().cloned().collect();
    let mut ordered =
        (0..=2).flat_map(|wanted| arguments.iter().filter(move |arg| rank(arg) == wanted));
    command
        .mut_args(|arg| ordered.next().cloned().unwrap_or(arg))
        .mut_subcommands(in_order)
}

/// Writes the completion script for a shell to stdout. It knows the providers, profiles and scopes of this moment.
///
/// # Errors
/// Stdout cannot be written.
pub fn completions(context: &Context, shell: clap_complete::Shell) -> Result<(), Error> {
    let mut command = teach(tree(Cli::command()), &Known::of(context));
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "seo-auth", &mut script);
    // For a program with a hyphen, clap_complete 4.6 sets one state in its bash script and looks for another
    // (clap-rs/clap#6421), so that nothing completes after the verb.
    let script = String::from_utf8_lossy(&script).replace("seo__subcmd__auth", "seo__auth");
    Ok(context.ui.data(&script)?)
}

/// What a completion can offer besides flags.
struct Known {
    providers: Vec<String>,
    profiles: Vec<String>,
    scopes: Vec<String>,
}

impl Known {
    fn of(context: &Context) -> Self {
        let providers = &context.config.providers;
        // Completion must work where the index doesn't.
        let accounts = context.stores.listed().unwrap_or_default();
        let profiles = accounts.iter().map(|account| account.profile.to_string());
        let mut profiles: Vec<String> = profiles.collect();
        profiles.sort_unstable();
        profiles.dedup();
        let scopes = providers.all().flat_map(|provider| &provider.known_scopes);
        Self {
            providers: providers.names().iter().map(ToString::to_string).collect(),
            profiles,
            scopes: scopes.cloned().collect(),
        }
    }
}

/// Gives the arguments of a command, and of those below it, the values that are known.
fn teach(command: Command, known: &Known) -> Command {
    let stores = ["auto", "keyring", "file", "vault"].map(str::to_owned);
    let offer = |values: &[String], arg: Arg| match values {
        [] => arg,
        values => arg.value_parser(PossibleValuesParser::new(values.to_vec())),
    };
    command
        .mut_args(|arg| match arg.get_id().as_str() {
            "provider" | "providers" => offer(&known.providers, arg),
            "profile" => offer(&known.profiles, arg),
            "scope" => offer(&known.scopes, arg),
            "store" => offer(&stores, arg),
            _ => arg,
        })
        .mut_subcommands(|below| teach(below, known))
}

/// clap_mangen 0.3 leaves out the text of an option that the short help hides, where it has no long one.
fn explained(command: Command) -> Command {
    let command = command.mut_args(|arg| match (arg.get_long_help(), arg.get_help().cloned()) {
        (None, Some(help)) => arg.long_help(help),
        _ => arg,
    });
    command.mut_subcommands(explained)
}

/// Writes the manual page to stdout, or the pages of all commands into `dir`.
///
/// # Errors
/// They cannot be written.
pub fn man(context: &Context, dir: Option<&Path>) -> Result<(), Error> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        let written = clap_mangen::Man::new(explained(tree(Cli::command()))).render(&mut page);
        written.map_err(StdoutFailed)?;
        return Ok(context.ui.data(&String::from_utf8_lossy(&page))?);
    };
    let written = || -> io::Result<()> {
        fs::create_dir_all(dir)?;
        let root = Cli::command().disable_help_subcommand(true);
        clap_mangen::generate_to(explained(tree(root)), dir)?;
        // clap_mangen 0.3 leaves out the `--` that must stand before a command of somebody else's.
        let exec = dir.join("seo-auth-exec.1");
        let page = fs::read_to_string(&exec)?;
        fs::write(&exec, page.replacen(r"<\fICMD\fR>", r"\-\- <\fICMD\fR>", 1))
    };
    written().map_err(|source| Error::System {
        what: format!("{} can't be written", dir.display()),
        source,
    })
}
