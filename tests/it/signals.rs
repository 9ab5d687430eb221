//! Signals, and what others may see of the process's memory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::api::{ApiServer, Reply, json};
use crate::harness::browser::Running;
use crate::harness::home::{Home, SEO_AUTH, SandboxServer};

/// Nobody's user ID on Debian and its like.
const NOBODY: u32 = 65_534;

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Waits until the process has taken this signal over: proc(5), `SigCgt`.
fn wait_until_caught(child: &Child, signal: Signal) {
    let status = format!("/proc/{}/status", child.id());
    let caught = || {
        let status = fs::read_to_string(&status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
        mask & (1 << (signal.as_raw() - 1)) != 0
    };
    while !caught() {
        sleep(Duration::from_millis(5));
    }
}

/// A command that reads a stdin which never ends.
fn reading(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_wish_to_end_is_exit_code_130_while_stdin_is_read() {
    let home = Home::new();
    home.configure("[providers.semrush]\nclient_id = \"c\"\n");
    let login = [
        "login",
        "semrush",
        "--store",
        "file",
        "--client-secret-stdin",
    ];
    for signal in [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP] {
        let mut child = reading(home.command(&login));
        wait_until_caught(&child, signal);
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal:?}");
    }
}

#[test]
fn with_json_an_interrupted_command_ends_with_an_error_object() {
    let home = Home::new();
    let login = ["login", "semrush", "--with-token", "--json"];
    let mut child = reading(home.command(&login));
    wait_for_thread(&child, "interrupt");
    // Open until it has ended: the end of the input would be another error.
    let _stdin = child.stdin.take();
    send(&child, Signal::INT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let object: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(object["code"], "interrupted");
    assert_eq!(object["exit_code"], 130);
}

/// Waits until the process has a thread of this name.
fn wait_for_thread(child: &Child, name: &str) {
    let tasks = format!("/proc/{}/task", child.id());
    let named = |task: fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    while !fs::read_dir(&tasks).unwrap().flatten().any(named) {
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_login_that_is_told_to_end_says_so_and_stores_nothing() {
    for signal in [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP] {
        let home = Home::new();
        let server = SandboxServer::start(&home, &["--approve", "ask"]);
        let mut line = vec![
            "login",
            "ahrefs",
            "--json",
            "--no-browser",
            "--store",
            "file",
        ];
        line.extend(["--redirect-uri", "http://127.0.0.1:0/callback"]);
        let login = Running::start(server.point(home.command(&line)));
        wait_until_caught(&login.child, signal);
        send(&login.child, signal);
        let ended = login.ended().expect(130);
        assert!(
            ended.stderr.contains(r#""code":"interrupted""#),
            "{ended:?}"
        );
        assert!(!ended.stdout.contains("logged_in"), "{ended:?}");
        let status = home.run(&["status", "--json"]).expect(0);
        assert_eq!(
            status.json()["accounts"],
            serde_json::json!([]),
            "{status:?}"
        );
    }
}

/// A login with a token that is due, at a server that answers nothing to these paths, and a refusal to others.
fn at_a_server_that_hangs(hanging: &'static str, due: bool) -> (Home, ApiServer, Receiver<()>) {
    let (tell, told) = mpsc::channel();
    let server = ApiServer::start(move |asked| {
        if asked.target.starts_with(hanging) {
            tell.send(()).unwrap();
            return Reply::Hang;
        }
        json(401, "{}")
    });
    let home = Home::new();
    home.configure(&format!(
        "store = \"file\"\n[providers.idp]\nclient_id = \"app\"\ndevice_authorization_endpoint = \"{0}/device\"\ntoken_endpoint = \"{0}/token\"\napi_base = \"{0}/api\"\ncheck_path = \"me\"\n",
        server.origin()
    ));
    let expires_at = if due {
        1_500_000_000_u64
    } else {
        4_000_000_000
    };
    let login = serde_json::json!({
        "schema": "seo-auth.token.v1", "provider": "idp", "access_token": "at", "token_type": "Bearer", "scope": [],
        "expires_at_epoch": expires_at, "refresh_token": "rt",
    });
    home.run_with_stdin(&["login", "idp", "--with-token"], &login.to_string())
        .expect(0);
    (home, server, told)
}

#[test]
fn an_interrupt_is_130_whatever_is_waited_for() {
    let calls = [
        ("/api", false, &["status", "--check", "--json"][..]),
        ("/token", true, &["status", "--check", "--json"]),
        ("/token", false, &["status", "--check", "--json"]),
        ("/token", true, &["api", "idp", "x", "--json"]),
        ("/token", false, &["api", "idp", "x", "--json"]),
        // It takes the signals over when it has to wait, and not before.
        ("/token", true, &["token", "print", "idp"]),
    ];
    let interrupt = |hanging, due, args: &[&str]| {
        let (home, _server, asked) = at_a_server_that_hangs(hanging, due);
        let child = home.command(args).spawn().unwrap();
        asked.recv().unwrap();
        send(&child, Signal::INT);
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let what = format!("{hanging} {args:?}: {stderr}");
        assert_eq!(output.status.code(), Some(130), "{what}");
        let told = match args.contains(&"--json") {
            true => r#""code":"interrupted""#,
            false => "error: interrupted",
        };
        assert!(stderr.contains(told), "{what}");
        assert!(output.stdout.is_empty(), "{what}");
    };
    // Each waits a while for the answer that may hold the only refresh token.
    std::thread::scope(|scope| {
        for (hanging, due, args) in calls {
            scope.spawn(move || interrupt(hanging, due, args));
        }
    });
}

/// A copy of the program that any user may run, in a folder that any user may enter.
fn public_copy(home: &Home) -> std::path::PathBuf {
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = home.path().join("seo-auth");
    fs::copy(SEO_AUTH, &copy).unwrap();
    copy
}

/// A command that waits for stdin, as an ordinary user: root may look into everything.
fn as_ordinary_user(home: &Home, program: &Path) -> Command {
    let mut command = home.program(&program.to_string_lossy());
    command
        .env("HOME", "/nonexistent")
        .env("SEO_AUTH_STATE_DIR", "/nonexistent");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

#[test]
fn no_other_process_of_the_same_user_may_read_the_memory_and_no_core_is_dumped() {
    let home = Home::new();
    let copy = public_copy(&home);
    let mut command = as_ordinary_user(&home, &copy);
    command.args([
        "login",
        "semrush",
        "--client-id",
        "c",
        "--client-secret-stdin",
    ]);
    let mut child = reading(command);
    wait_until_caught(&child, Signal::INT);
    let proc = format!("/proc/{}", child.id());
    let owner = |path: String| fs::metadata(path).unwrap().uid();
    let user = fs::read_to_string(format!("{proc}/status")).unwrap();
    let user = user
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .unwrap();
    assert_ne!(user.split_whitespace().next(), Some("0"), "{user}");
    // proc(5): these are root's where a process is not dumpable, which is the one flag for both (prctl(2),
    // PR_SET_DUMPABLE).
    assert_eq!(owner(format!("{proc}/mem")), 0);
    assert_eq!(owner(format!("{proc}/environ")), 0);
    // The same without our doing.
    let mut cat = reading(as_ordinary_user(&home, Path::new("/bin/cat")));
    assert_ne!(owner(format!("/proc/{}/environ", cat.id())), 0);
    for child in [&mut child, &mut cat] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
