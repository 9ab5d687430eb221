//! A home of its own for the real binary, and a sandbox server to sign in at.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The binary under test.
pub const SEO_AUTH: &str = env!("CARGO_BIN_EXE_seo-auth");

/// Prints the token of the account that `login semrush --sandbox` makes.
pub const PRINT_TOKEN: [&str; 5] = ["token", "print", "semrush", "--profile", "sandbox"];

/// Configures both built-in providers at one origin, and with any free port: by themselves they would have `doctor` look
/// at the real ones, and at a fixed port.
#[cfg(unix)]
pub fn built_in_at(origin: &str) -> String {
    let keys = [
        "token_endpoint",
        "device_authorization_endpoint",
        "authorization_endpoint",
        "api_base",
    ];
    let lines: String = keys
        .iter()
        .map(|key| format!("{key} = \"{origin}/\"\n"))
        .collect();
    format!(
        "[providers.semrush]\n{lines}[providers.ahrefs]\n\
         redirect_uri = \"http://127.0.0.1:0/callback\"\nclient_id = \"app\"\n{lines}"
    )
}

/// An empty home: no D-Bus, no screen, no browser, no variable of the machine that runs the tests but `PATH`.
pub struct Home {
    dir: TempDir,
}

/// A shell with this script, which may mount what it likes: in a mount namespace of its own. `tests/run` names the tests
/// that need it where the system forbids that.
#[cfg(target_os = "linux")]
pub fn with_mounts(home: &Home, script: &str) -> Command {
    let mut command = home.program("unshare");
    command.args(["-rm", "sh", "-c", script, "sh"]);
    command
}

/// What a command ended with.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` where a signal killed it.
    pub code: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Ended {
    /// The JSON on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON objects on stdout, one a line.
    pub fn events(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"))
            })
            .collect()
    }

    /// The same, after checking the exit code.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

impl Home {
    /// A new one.
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The state folder of the program in it.
    pub fn state(&self) -> PathBuf {
        self.path().join(".local/state/seo-auth")
    }

    /// Writes config.toml.
    pub fn configure(&self, text: &str) {
        let dir = self.path().join(".config/seo-auth");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("config.toml"), text).unwrap();
    }

    /// Any program in this home.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            // The machine that runs the tests may have a bus at the well-known place.
            .env("XDG_RUNTIME_DIR", self.path())
            .env(
                "DBUS_SESSION_BUS_ADDRESS",
                format!("unix:path={}/no-bus", self.path().display()),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `seo-auth` with these arguments, to be changed further and run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(SEO_AUTH);
        command.args(args);
        command
    }

    /// Runs `seo-auth` with these arguments and no stdin.
    pub fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args), "")
    }

    /// Runs `seo-auth` with these arguments and this stdin.
    pub fn run_with_stdin(&self, args: &[&str], stdin: &str) -> Ended {
        ended(self.command(args), stdin)
    }
}

/// Runs a command to its end with this stdin.
pub fn ended(mut command: Command, stdin: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A program that does not read its stdin may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running `seo-auth sandbox`.
pub struct SandboxServer {
    child: Child,
    origin: String,
}

impl SandboxServer {
    /// Starts one on any free port with these further arguments.
    pub fn start(home: &Home, args: &[&str]) -> Self {
        let mut child = home
            .command(&["sandbox"])
            .args(args)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut origin = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut origin)
            .unwrap();
        Self {
            child,
            origin: origin.trim().to_owned(),
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Points a command at it.
    pub fn point(&self, mut command: Command) -> Command {
        command.env("SEO_AUTH_SANDBOX", &self.origin);
        command
    }
}

impl Drop for SandboxServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
