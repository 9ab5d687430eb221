//! Which browser is opened, and how: the address is one argument, never goes through a shell, and is `https` or loopback.
//! A browser that fails or hangs never fails or delays a login.

use std::process::{Command, Stdio};

use url::Url;

use crate::address::is_loopback;

/// Who opens an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Nobody: `--no-browser`, or there is no screen.
    None,
    /// The system's own, by the `open` crate.
    System,
    /// A command line: `--browser`, `$BROWSER`; `%s` stands for the address, which else comes last.
    Command(String),
}

impl Browser {
    /// Opens the address without waiting. Says whether somebody took it.
    pub fn open(&self, address: &str) -> bool {
        let Ok(url) = Url::parse(address) else {
            return false;
        };
        let loopback = url.scheme() == "http" && is_loopback(&url);
        if url.scheme() != "https" && !loopback {
            return false;
        }
        match self {
            Self::None => false,
            Self::System => open::that_detached(url.as_str()).is_ok(),
            Self::Command(line) => spawn(line, url.as_str()),
        }
    }
}

fn spawn(line: &str, address: &str) -> bool {
    let mut words = line.split_whitespace();
    let Some(program) = words.next() else {
        return false;
    };
    let mut arguments: Vec<String> = words.map(|word| word.replace("%s", address)).collect();
    if !line.contains("%s") {
        arguments.push(address.to_owned());
    }
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    // Somebody has to wait for the child, or it stays a zombie for as long as the login takes.
    std::thread::spawn(move || child.wait());
    true
}
