//! Which browser is opened, and how. The address is one argument, never goes through a shell, and is `https` or loopback. A
//! browser that fails or hangs never fails or delays a login.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use url::Url;

use crate::address::is_loopback;
use crate::text::printable;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub none: bool,
    pub command: Option<String>,
    pub variable: Option<String>,
}

/// Whose way of opening an address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux, the BSDs: freedesktop.org's tools.
    Freedesktop,
    MacOs,
    Windows,
    /// Linux inside Windows, whose browser is the one that the user sees.
    Wsl,
}

/// Where we run: what tells whether a browser could show itself to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    pub platform: Platform,
    /// There is an X or Wayland display.
    pub display: bool,
    /// The session came over SSH.
    pub ssh: bool,
    /// A container or a cloud shell: what is opened here is not opened before the user.
    pub container: bool,
}

/// Why no browser is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Asked,
    /// The user sits before another machine, which the port reaches by `ssh -L`.
    Ssh,
    /// The user sits outside.
    Container,
    /// There is no screen.
    NoScreen,
}

/// Who opens an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Browser {
    None(Why),
    /// The first of these command lines that works: program and arguments, `%s` for the address, which else comes last.
    Commands(Vec<Vec<String>>),
}

impl Browser {
    /// Flag over `$BROWSER` over the system's, and none where none could be seen.
    pub fn choose(choice: &Choice, here: &Surroundings) -> Self {
        if choice.none {
            return Self::None(Why::Asked);
        }
        if let Some(command) = &choice.command {
            return Self::Commands(vec![words(command)]);
        }
        if let Some(variable) = &choice.variable {
            let several = variable.split(':').filter(|one| !one.trim().is_empty());
            // A path of Windows has a colon of its own.
            return Self::Commands(match here.platform {
                Platform::Windows => vec![words(variable)],
                _ => several.map(words).collect(),
            });
        }
        let needs_display = here.platform == Platform::Freedesktop;
        match here {
            Surroundings {
                container: true, ..
            } => Self::None(Why::Container),
            Surroundings {
                ssh: true,
                display: false,
                ..
            } => Self::None(Why::Ssh),
            Surroundings { display: false, .. } if needs_display => Self::None(Why::NoScreen),
            _ => Self::Commands(system_commands(here.platform)),
        }
    }

    /// The first program of its commands that can be found by its own path, or in the folders of `path` (`PATH`).
    pub fn installed(&self, path: &str) -> Option<&str> {
        let Self::Commands(commands) = self else {
            return None;
        };
        let programs = commands.iter().filter_map(|command| command.first());
        // Joined to a folder, an absolute path stays what it is.
        let is_there = |program: &&str| {
            std::env::split_paths(path).any(|folder| folder.join(program).is_file())
        };
        programs.map(String::as_str).find(is_there)
    }

    /// Opens the address on a thread of its own. Why no browser could be opened can be received once that is known, and
    /// needn't be. The variables that are `withheld` stay out of the browser's environment, in which they would lie for as
    /// long as it runs.
    pub fn open(&self, address: &str, withheld: &[OsString]) -> Receiver<String> {
        let (tell, outcome) = channel();
        let (Self::Commands(commands), Some(address)) = (self, acceptable(address)) else {
            return outcome;
        };
        let (commands, withheld) = (commands.clone(), withheld.to_vec());
        // Without a thread nothing opens, and the address stands on the screen.
        let _ = std::thread::Builder::new()
            .name("browser".to_owned())
            .spawn(move || {
                let mut reasons = Vec::new();
                for command in &commands {
                    match run(command, &address, &withheld) {
                        Ok(()) => return,
                        Err(reason) => reasons.push(reason),
                    }
                }
                // Nobody listens any more when the login has ended.
                let _ = tell.send(reasons.join("; "));
            });
        outcome
    }
}

/// The address as it may be handed to another program: `https`, or `http` on loopback, and percent-encoded wherever a shell
/// script between us and the browser (xdg-open, wslview) could take a character for its own.
fn acceptable(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let allowed = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    let inert = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@&=+,%".contains(c);
    let encoded = |c: char| {
        if inert(c) {
            c.to_string()
        } else {
            // An URL is ASCII when it has been parsed.
            format!("%{:02X}", u32::from(c))
        }
    };
    allowed.then(|| url.as_str().chars().map(encoded).collect())
}

/// Where the address goes in a command line.
const PLACE: &str = "%s";

/// How each system is asked to open an address: as the `open` crate knows it, but for Windows. There it would ask cmd.exe's
/// `start`, which takes `%…%` in an address for a variable of its own.
fn system_commands(platform: Platform) -> Vec<Vec<String>> {
    let rundll = "url.dll,FileProtocolHandler";
    let commands: &[&[&str]] = match platform {
        Platform::Freedesktop | Platform::MacOs => return launchers(),
        Platform::Windows => &[&["rundll32.exe", rundll]],
        // The last two differ where Windows' folders were taken off PATH.
        Platform::Wsl => &[
            &["wslview"],
            &["rundll32.exe", rundll],
            &["/mnt/c/Windows/System32/rundll32.exe", rundll],
        ],
    };
    let owned = |command: &&[&str]| command.iter().map(|word| (*word).to_owned()).collect();
    commands.iter().map(owned).collect()
}

/// The command lines of the `open` crate for the system that we were built for, the preferred one first.
fn launchers() -> Vec<Vec<String>> {
    let text = |word: &OsStr| word.to_string_lossy().into_owned();
    let line = |command: &Command| {
        let program = std::iter::once(command.get_program());
        program.chain(command.get_args()).map(text).collect()
    };
    open::commands(PLACE).iter().map(line).collect()
}

/// A command line's words; quotes hold words together, and the path of a program may have spaces.
fn words(line: &str) -> Vec<String> {
    if Path::new(line).is_file() {
        return vec![line.to_owned()];
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match c {
            '"' | '\'' if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && quote.is_none() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Runs one command to its end, which may be the browser's own.
fn run(command: &[String], address: &str, withheld: &[OsString]) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("the browser's command is empty".to_owned());
    };
    let placed = arguments.iter().any(|argument| argument.contains(PLACE));
    let arguments = arguments
        .iter()
        .map(|argument| argument.replace(PLACE, address));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args((!placed).then_some(address))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for variable in withheld {
        command.env_remove(variable);
    }
    stand_alone(&mut command);
    let ended = command.spawn().and_then(|mut child| child.wait());
    let program = printable(program, 80);
    match ended {
        // rundll32's exit status means nothing.
        Ok(status) if status.success() || cfg!(windows) => Ok(()),
        Ok(status) => Err(format!("`{program}` failed ({status})")),
        Err(error) => Err(format!("`{program}` can't be started ({error})")),
    }
}

/// Ctrl-C in our terminal is not meant for a browser that we happened to start.
#[cfg(unix)]
fn stand_alone(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(windows)]
fn stand_alone(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const FLAGS: u32 = 0x0000_0200 | 0x0800_0000;
    command.creation_flags(FLAGS);
}

#[cfg(test)]
mod tests;
