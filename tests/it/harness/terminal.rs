//! A terminal as a person has it: a shell in tmux, its screen, and the bytes that were sent to it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::home::{Home, SEO_AUTH};

/// The slowest of what is waited for is a login of a few polls, on a machine that builds something beside it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the screen is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// What the shell says when it waits for a command.
const READY: &str = "ready$";

/// A terminal with a POSIX shell in it; gone when it is dropped.
pub struct Terminal {
    socket: PathBuf,
    raw: PathBuf,
}

impl Terminal {
    /// A terminal of this size, with the home's environment and these further variables.
    pub fn start(home: &Home, (columns, rows): (u16, u16), variables: &[(&str, &str)]) -> Self {
        // A server that was told to end may still hold its socket.
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let terminal = Self {
            socket: home.path().join(format!("tmux{number}")),
            raw: home.path().join(format!("raw{number}")),
        };
        let mut variables: Vec<String> = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        variables.push(format!("PS1={READY} "));
        let mut tmux = home.program("tmux");
        tmux.env("LANG", "C.UTF-8");
        let size = [columns.to_string(), rows.to_string()];
        let started = tmux
            .arg("-u")
            .args(["-f", "/dev/null", "-S"])
            .arg(&terminal.socket)
            .args(["new-session", "-d", "-x", &size[0], "-y", &size[1]])
            .args(["env", "TERM=screen-256color"])
            .args(variables)
            .args(["sh", "-i"])
            .status()
            .unwrap();
        assert!(started.success());
        terminal.wait_for(READY);
        let log = format!("cat >> '{}'", terminal.raw.display());
        terminal.tmux(&["pipe-pane", &log]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .arg("-u")
            .arg("-S")
            .arg(&self.socket)
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types, as it stands.
    pub fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses a key by tmux's name: `Enter`, `C-c`.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Runs a command line.
    pub fn run(&self, line: &str) {
        self.type_text(line);
        self.press("Enter");
    }

    /// Runs `seo-auth` with these arguments, and has the shell tell its exit code as `exit=N` in the end.
    pub fn seo_auth(&self, arguments: &str) {
        // What an earlier command left on the screen would be taken for this one's, until the shell comes to clear it.
        self.run("clear");
        self.wait_until("an empty screen", |screen| screen.trim() == READY);
        self.run(&format!("clear; {SEO_AUTH} {arguments}; echo exit=$?"));
    }

    /// What stands on the screen, without the shell's own lines; lines that were too long for it are whole again.
    pub fn screen(&self) -> String {
        let screen = self.tmux(&["capture-pane", "-p", "-J"]);
        let lines: Vec<&str> = screen
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.starts_with(READY))
            .collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Waits until this text stands on the screen; answers with the screen.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(text, |screen| screen.contains(text));
        self.screen()
    }

    fn wait_until(&self, what: &str, is_there: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p", "-J"]);
            if is_there(&screen) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no {what:?} on the screen:\n{screen}"
            );
            sleep(GLANCE);
        }
    }

    /// All bytes that were sent to the terminal so far. Call it after [`Self::wait_for`].
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.raw).unwrap_or_default()).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
