//! A session bus of its own for one test, with a real gnome-keyring on it or without.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::{env, fs};

use tempfile::TempDir;

use super::screen::Screen;

const SERVICE: &str = "org.freedesktop.secrets";
const SERVICE_PATH: &str = "/org/freedesktop/secrets";
const DEFAULT_COLLECTION: &str = "/org/freedesktop/secrets/aliases/default";

/// A private bus, in a folder of its own. No keyring is started by activation, so what is absent stays absent.
pub struct PrivateBus {
    dir: TempDir,
    bus: Child,
    keyring: Option<Child>,
}

impl PrivateBus {
    /// A bus with an unlocked keyring.
    pub fn start() -> Self {
        let mut bus = Self::without_keyring();
        bus.start_keyring();
        bus
    }

    /// The same, with a keyring that shows its dialog on this screen.
    pub fn start_before(screen: &Screen) -> Self {
        let mut bus = Self::with_service(Some(&screen.prompter()));
        bus.start_keyring();
        bus
    }

    /// A bus on which nobody offers the Secret Service.
    pub fn without_keyring() -> Self {
        Self::with_service(None)
    }

    /// A bus that starts at most this one service when it is called.
    fn with_service(service: Option<&str>) -> Self {
        // The path of a socket must be short, so not below the target folder.
        let dir = tempfile::Builder::new()
            .prefix("bus-")
            .tempdir()
            .expect("a folder for the bus");
        for part in ["run", "home", "data", "services"] {
            let part = dir.path().join(part);
            fs::create_dir(&part).expect("a folder below it");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(&part, fs::Permissions::from_mode(0o700)).expect("its mode");
            }
        }
        if let Some(service) = service {
            fs::write(dir.path().join("services/one.service"), service).expect("its service");
        }
        let config = dir.path().join("bus.conf");
        fs::write(
            &config,
            CONFIG.replace("DIR", &dir.path().to_string_lossy()),
        )
        .expect("config");
        let mut bus = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(&config)
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon");
        // It prints its address when it listens.
        read_until(&mut bus, "unix:path=");
        Self {
            dir,
            bus,
            keyring: None,
        }
    }

    /// The folder that all of it lies in; `home` below it is the user's.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Its D-Bus address.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.dir.path().join("socket").display())
    }

    /// What a child needs to live on this bus, and to find nothing of the real user's.
    pub fn env(&self) -> Vec<(&'static str, PathBuf)> {
        let path = |part: &str| self.dir.path().join(part);
        vec![
            ("DBUS_SESSION_BUS_ADDRESS", PathBuf::from(self.address())),
            ("XDG_RUNTIME_DIR", path("run")),
            ("HOME", path("home")),
            ("XDG_DATA_HOME", path("data")),
            ("XDG_CONFIG_HOME", path("home/.config")),
            ("XDG_STATE_HOME", path("home/.local/state")),
        ]
    }

    /// A command that lives on this bus.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .envs(self.env());
        command
    }

    /// Starts the keyring daemon with an unlocked collection, and waits until it serves.
    pub fn start_keyring(&mut self) {
        let mut monitor = self.monitor("member='NameOwnerChanged',arg0='org.freedesktop.secrets'");
        let mut keyring = self
            .command("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon");
        // The password is literal: a trailing newline would count, and an empty one makes no collection.
        let mut stdin = keyring.stdin.take().expect("its stdin");
        stdin.write_all(b"test").expect("its password");
        drop(stdin);
        self.keyring = Some(keyring);
        monitor.read_until(SERVICE);
        monitor.end();
        assert!(!self.is_locked(), "a new keyring is open");
    }

    /// Listens to the messages that match, from now on.
    pub fn monitor(&self, rule: &str) -> Monitor {
        let mut monitor = Monitor(
            self.command("dbus-monitor")
                .args(["--session", rule])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("dbus-monitor"),
        );
        // It says so when it begins to listen.
        monitor.read_until("member=NameLost");
        monitor.read_until("string");
        monitor
    }

    /// Locks the collection, as a screen saver may.
    pub fn lock_collection(&self) {
        let collections = format!("array:objpath:{DEFAULT_COLLECTION}");
        let method = "org.freedesktop.Secret.Service.Lock";
        self.call(SERVICE_PATH, method, &[&collections]);
        assert!(self.is_locked());
    }

    /// Whether the collection is locked; it panics where the daemon does not answer.
    pub fn is_locked(&self) -> bool {
        let reply = self.call(
            DEFAULT_COLLECTION,
            "org.freedesktop.DBus.Properties.Get",
            &["string:org.freedesktop.Secret.Collection", "string:Locked"],
        );
        reply.contains("boolean true")
    }

    /// The daemon stands still, as one that hangs: the bus takes its messages, and nothing comes back.
    pub fn stop_daemon(&self) {
        self.signal("STOP");
    }

    /// It goes on.
    pub fn continue_daemon(&self) {
        self.signal("CONT");
    }

    /// The daemon is killed; the bus lives on.
    pub fn kill_keyring(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            end(&mut keyring);
        }
    }

    /// The bus is killed, and all connections to it end.
    pub fn kill_bus(&mut self) {
        end(&mut self.bus);
    }

    /// Whether the daemon that was started is still the one that runs.
    pub fn keyring_is_alive(&mut self) -> bool {
        self.keyring
            .as_mut()
            .is_some_and(|keyring| matches!(keyring.try_wait(), Ok(None)))
    }

    /// What another program finds under these attributes; `None` where it finds nothing.
    pub fn secret_tool_lookup(&self, attributes: &[&str]) -> Option<String> {
        let Output { status, stdout, .. } = self
            .command("secret-tool")
            .arg("lookup")
            .args(attributes)
            .output()
            .expect("secret-tool");
        status
            .success()
            .then(|| String::from_utf8(stdout).expect("text"))
    }

    fn signal(&self, signal: &str) {
        let pid = self.keyring.as_ref().expect("a keyring").id().to_string();
        let status = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(status.expect("kill").success());
    }

    fn call(&self, path: &str, method: &str, arguments: &[&str]) -> String {
        let output = self
            .command("dbus-send")
            .args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.secrets",
            ])
            .args([path, method])
            .args(arguments)
            .output()
            .expect("dbus-send");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        self.kill_keyring();
        end(&mut self.bus);
    }
}

const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=DIR/socket</listen>
  <servicedir>DIR/services</servicedir>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A listener on the bus.
pub struct Monitor(Child);

impl Monitor {
    /// Waits for a line that holds `mark`, and answers with it.
    pub fn read_until(&mut self, mark: &str) -> String {
        read_until(&mut self.0, mark)
    }

    /// Listens no more.
    pub fn end(mut self) {
        end(&mut self.0);
    }
}

/// Reads the child's stdout up to a line that holds `mark`, and answers with it.
fn read_until(child: &mut Child, mark: &str) -> String {
    let stdout = child.stdout.as_mut().expect("its stdout is a pipe");
    // Unbuffered, for the next call to go on where this one ended.
    let mut line = Vec::new();
    let mut byte = [0];
    while stdout.read(&mut byte).expect("its stdout") == 1 {
        line.push(byte[0]);
        if byte[0] == b'\n' {
            let text = String::from_utf8_lossy(&line);
            if text.contains(mark) {
                return text.into_owned();
            }
            line.clear();
        }
    }
    panic!("it ended before it said {mark}");
}

fn end(child: &mut Child) {
    // It may be gone already.
    let _ = child.kill();
    let _ = child.wait();
}
