//! `exec`: the command's environment, status and signals, and the token file that lives as long as it does.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

#[cfg(target_os = "linux")]
use crate::harness::home::SEO_AUTH;
use crate::harness::home::{Ended, Home, SandboxServer, ended};

/// Semrush and Ahrefs, each with a token that a shell could stumble over.
fn home() -> Home {
    let home = Home::new();
    for (provider, token) in [("semrush", "se'm$(x)\"\\"), ("ahrefs", "ah`y`;z")] {
        home.run_with_stdin(&["login", provider, "--with-token"], token)
            .expect(0);
    }
    home
}

fn exec(home: &Home, args: &[&str]) -> Ended {
    home.run(&[&["exec"], args].concat())
}

#[test]
fn each_provider_has_its_variables() {
    let home = home();
    let script = r#"printf '%s|' "$SEMRUSH_OAUTH_TOKEN" "$SEMRUSH_ACCESS_TOKEN" "$AHREFS_API_KEY" "$AHREFS_API_TOKEN" "${SEMRUSH_API_KEY-unset}""#;
    let both = exec(&home, &["semrush", "ahrefs", "--", "sh", "-c", script]).expect(0);
    assert_eq!(
        both.stdout,
        "se'm$(x)\"\\|se'm$(x)\"\\|ah`y`;z|ah`y`;z|unset|"
    );
    let chosen = exec(
        &home,
        &[
            "ahrefs",
            "--as",
            "KEY",
            "--",
            "sh",
            "-c",
            "echo $KEY$AHREFS_API_KEY",
        ],
    );
    assert_eq!(chosen.expect(0).stdout, "ah`y`;z\n");
    exec(&home, &["semrush", "ahrefs", "--as", "KEY", "--", "true"]).expect(2);
    exec(&home, &["ahrefs", "--as", "K-Y", "--", "true"]).expect(2);
    exec(&home, &["semrush", "ahrefs", "--token-file", "--", "true"]).expect(2);
}

#[test]
fn nothing_runs_without_all_of_its_tokens() {
    let home = Home::new();
    home.run_with_stdin(&["login", "semrush", "--with-token"], "here")
        .expect(0);
    let ran = home.path().join("ran");
    let touch = ["--", "touch", ran.to_str().unwrap()];
    let missing = exec(&home, &[&["semrush", "ahrefs"], &touch[..]].concat()).expect(4);
    assert!(
        missing.stderr.contains("seo-auth login ahrefs"),
        "{missing:?}"
    );
    assert!(!ran.exists());
    exec(&home, &[&["semrush"], &touch[..]].concat()).expect(0);
    assert!(ran.exists());
}

#[test]
fn secrets_of_ours_stay_behind() {
    let home = home();
    let mut command = home.command(&["exec", "semrush", "--", "env"]);
    command
        .env("SEO_AUTH_SEMRUSH_TOKEN", "given")
        .env("SEO_AUTH_AHREFS_TOKEN", "withheld")
        .env("SEO_AUTH_SEMRUSH_CLIENT_SECRET", "withheld")
        .env("SEO_AUTH_KEY", "0".repeat(64))
        .env("SEO_AUTH_STORE", "file");
    let environment = ended(command, "").expect(0).stdout;
    assert!(environment.contains("SEMRUSH_OAUTH_TOKEN=given\n"));
    assert!(environment.contains("SEO_AUTH_SEMRUSH_TOKEN=given\n"));
    assert!(environment.contains("SEO_AUTH_STORE=file\n"));
    for absent in ["withheld", "SEO_AUTH_KEY", "CLIENT_SECRET"] {
        assert!(!environment.contains(absent), "{absent}: {environment}");
    }
}

#[test]
fn the_status_is_the_commands() {
    let home = home();
    for flag in [&[][..], &["--token-file"]] {
        let run = |command: &[&str]| exec(&home, &[&["ahrefs"], flag, &["--"], command].concat());
        run(&["true"]).expect(0);
        run(&["sh", "-c", "exit 42"]).expect(42);
        assert!(
            run(&["no-such-command"])
                .expect(127)
                .stderr
                .contains("no-such-command")
        );
        let data = home.path().join("data");
        fs::write(&data, "no program").unwrap();
        run(&[data.to_str().unwrap()]).expect(126);
    }
    // Replaced, so that a signal is seen as a signal; with a go-between, as shells tell it.
    let status = home
        .command(&["exec", "ahrefs", "--", "sh", "-c", "kill -TERM $$"])
        .status();
    assert_eq!(status.unwrap().signal(), Some(15));
    exec(
        &home,
        &["ahrefs", "--token-file", "--", "sh", "-c", "kill -TERM $$"],
    )
    .expect(143);
}

/// As some supervisors and containers start what they run: then nobody is told how a child ended.
#[test]
#[cfg(target_os = "linux")]
fn the_status_comes_through_where_the_caller_ignores_its_children() {
    let home = home();
    for flag in ["", "--token-file"] {
        let line = format!(
            "trap '' CHLD; exec {SEO_AUTH} exec ahrefs {flag} -- sh -c 'grep SigIgn /proc/self/status; exit 7'"
        );
        // dash takes such a trap, and ignores nothing.
        let mut command = home.program("bash");
        command.args(["-c", &line]);
        let told = ended(command, "").expect(7);
        let mask = told.stdout.split(':').nth(1).unwrap().trim();
        let mask = u64::from_str_radix(mask, 16).unwrap();
        assert_eq!(mask & 1 << 16, 0, "nor does the command: {told:?}");
    }
}

/// A command that was started with `exec --token-file`, tells its token file, and waits.
struct Keeper {
    child: Child,
    file: PathBuf,
    lines: BufReader<std::process::ChildStdout>,
}

impl Keeper {
    fn start(mut command: Command, script: &str) -> Self {
        let script = format!("echo $SEO_AUTH_TOKEN_FILE; {script}");
        let mut child = command
            .args(["--token-file", "--", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut path = String::new();
        lines.read_line(&mut path).unwrap();
        Self {
            child,
            file: PathBuf::from(path.trim()),
            lines,
        }
    }

    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        rest
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_token_file_is_private_and_goes_with_its_command() {
    let home = home();
    let mut keeper = Keeper::start(home.command(&["exec", "ahrefs"]), "read line; echo $line");
    assert_eq!(fs::read_to_string(&keeper.file).unwrap(), "ah`y`;z");
    assert_eq!(mode(&keeper.file), 0o600);
    assert_eq!(mode(keeper.file.parent().unwrap()), 0o700);
    assert!(keeper.file.starts_with(home.state()));
    keeper
        .child
        .stdin
        .take()
        .unwrap()
        .write_all(b"end\n")
        .unwrap();
    assert_eq!(keeper.rest(), "end\n");
    assert!(keeper.child.wait().unwrap().success());
    assert!(!keeper.file.parent().unwrap().exists());
}

#[test]
fn signals_reach_the_command_and_the_file_goes_all_the_same() {
    // Ready only when the trap is set.
    for (signal, script, rest, code) in [
        (
            "TERM",
            "trap 'echo caught; exit 3' TERM; echo ready; read line",
            "caught\n",
            3,
        ),
        (
            "HUP",
            "trap 'echo caught; exit 4' HUP; echo ready; read line",
            "caught\n",
            4,
        ),
        (
            "INT",
            "trap 'echo caught; exit 5' INT; echo ready; read line",
            "caught\n",
            5,
        ),
        ("TERM", "echo ready; exec cat", "", 143),
    ] {
        let home = home();
        let mut keeper = Keeper::start(home.command(&["exec", "ahrefs"]), script);
        let mut line = String::new();
        keeper.lines.read_line(&mut line).unwrap();
        let _open = keeper.child.stdin.take();
        let pid = keeper.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(keeper.rest(), rest, "{signal}");
        assert_eq!(keeper.child.wait().unwrap().code(), Some(code), "{signal}");
        assert!(!keeper.file.exists());
    }
}

/// What would end the process by default is the command's to decide on.
#[test]
fn no_signal_ends_the_keeper_alone() {
    for signal in ["ALRM", "USR1", "USR2", "VTALRM", "PROF", "XCPU"] {
        let home = home();
        let script = format!("trap 'echo caught; exit 3' {signal}; echo ready; read line");
        let mut keeper = Keeper::start(home.command(&["exec", "ahrefs"]), &script);
        let mut line = String::new();
        keeper.lines.read_line(&mut line).unwrap();
        let _open = keeper.child.stdin.take();
        let pid = keeper.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
        assert_eq!(keeper.rest(), "caught\n", "{signal}");
        assert_eq!(keeper.child.wait().unwrap().code(), Some(3), "{signal}");
        assert!(!keeper.file.exists());
    }
}

/// proc(5), `SigIgn`: whether these processes ignore HUP, INT, QUIT and TERM.
#[cfg(target_os = "linux")]
fn all_ignore(masks: &str) -> Vec<bool> {
    const FOUR: u64 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14;
    let masks = masks.lines().map(|line| line.split(':').nth(1).unwrap());
    masks
        .map(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & FOUR == FOUR)
        .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_that_the_caller_ignores_stays_ignored() {
    let home = Home::new();
    // Refreshed at each use, which takes the signals over for a moment.
    let server = SandboxServer::start(&home, &["--expires-in", "30s"]);
    ended(server.point(home.command(&["login", "semrush"])), "").expect(0);
    for (flag, processes) in [
        ("", "/proc/self/status"),
        ("--token-file", "/proc/self/status /proc/$PPID/status"),
    ] {
        let script = format!("grep -h SigIgn {processes}");
        let line = format!(
            "trap '' HUP INT QUIT TERM; exec {SEO_AUTH} exec semrush {flag} -- sh -c '{script}'"
        );
        let mut command = home.program("sh");
        command.args(["-c", &line]);
        let masks = ended(server.point(command), "").expect(0).stdout;
        let ignoring = all_ignore(&masks);
        assert!(
            !ignoring.is_empty() && !ignoring.contains(&false),
            "{masks}"
        );
    }
    let plain = [
        "exec",
        "semrush",
        "--",
        "grep",
        "SigIgn",
        "/proc/self/status",
    ];
    let masks = ended(server.point(home.command(&plain)), "")
        .expect(0)
        .stdout;
    assert_eq!(all_ignore(&masks), [false], "nobody ignored them");
}

#[test]
fn what_a_killed_process_left_goes_at_the_next_run() {
    for next in [
        &["exec", "semrush", "--", "true"][..],
        &["logout", "semrush"],
        &["status"],
    ] {
        let home = home();
        let mut keeper = Keeper::start(home.command(&["exec", "ahrefs"]), "read line");
        keeper.child.kill().unwrap();
        keeper.child.wait().unwrap();
        assert!(keeper.file.exists(), "nobody could clean up after SIGKILL");
        home.run(next).expect(0);
        assert!(!keeper.file.exists(), "{next:?}");
    }
}

#[test]
fn the_file_stays_fresh() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &["--expires-in", "2s"]);
    ended(server.point(home.command(&["login", "semrush"])), "").expect(0);
    let command = server.point(home.command(&["exec", "semrush"]));
    // Ends when the file has held three tokens; the wait is the tokens' own lifetime.
    let script = r#"seen=; n=0
        while [ $n -lt 3 ]; do
          now=$(cat "$SEO_AUTH_TOKEN_FILE") || exit 9
          [ -n "$now" ] || exit 8
          [ "$now" = "$seen" ] || n=$((n + 1))
          seen=$now
          sleep 0.1
        done
        echo $n"#;
    let mut keeper = Keeper::start(command, script);
    assert_eq!(keeper.rest(), "3\n");
    assert!(keeper.child.wait().unwrap().success());
    assert!(!keeper.file.exists());
}
