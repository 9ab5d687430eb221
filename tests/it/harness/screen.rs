//! A screen, the keyring's real dialog on it, and a person who answers.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// As long as anything on a machine that builds something beside it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the screen is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// A screen of its own; gone when it is dropped.
pub struct Screen {
    server: Child,
    display: String,
}

impl Screen {
    /// An empty one.
    pub fn start() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "800x600x24"])
            // Else it would begin anew, with whoever is connecting, each time that its last client leaves.
            .args(["-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb");
        // It says its number when it listens.
        let mut number = String::new();
        BufReader::new(server.stdout.as_mut().unwrap())
            .read_line(&mut number)
            .unwrap();
        let display = format!(":{}", number.trim());
        Self { server, display }
    }

    /// What `DISPLAY` is there.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// The service of the bus that shows the keyring's dialog here.
    pub fn prompter(&self) -> String {
        format!(
            "[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\n\
             Exec=/usr/bin/env DISPLAY={} GDK_BACKEND=x11 /usr/libexec/gcr-prompter\n",
            self.display
        )
    }

    /// Waits for the dialog, types the password and presses Enter.
    pub fn answer(&self, password: &str) {
        self.focus();
        self.xdotool(&["type", password]);
        self.xdotool(&["key", "Return"]);
        self.wait_for_dialog(false);
    }

    /// Waits for the dialog and presses Escape.
    pub fn dismiss(&self) {
        self.focus();
        self.xdotool(&["key", "Escape"]);
        self.wait_for_dialog(false);
    }

    /// Waits until the dialog is there, or is not.
    pub fn wait_for_dialog(&self, wanted: bool) {
        let begun = Instant::now();
        while self.dialog().is_some() != wanted {
            assert!(begun.elapsed() < PATIENCE, "a dialog is there: {}", !wanted);
            sleep(GLANCE);
        }
    }

    /// Keys go to the window under the pointer, for nobody manages windows here.
    fn focus(&self) {
        self.wait_for_dialog(true);
        let dialog = self.dialog().expect("the dialog");
        self.xdotool(&["mousemove", "--window", &dialog, "20", "20"]);
    }

    fn dialog(&self) -> Option<String> {
        let found = self.xdotool(&["search", "--onlyvisible", "--class", "gcr-prompter"]);
        found.lines().next().map(str::to_owned)
    }

    fn xdotool(&self, args: &[&str]) -> String {
        let output = Command::new("xdotool")
            .env("DISPLAY", &self.display)
            .args(args)
            .output()
            .expect("xdotool");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
