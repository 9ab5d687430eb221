//! What `token print` costs, counted and not timed: a busy machine counts the same.
//!
//! It stands in loops, prompts and cron lines, so nothing may join its path unseen. Each budget is what was counted when
//! it was last looked at, and a quarter more for other compilers, C libraries and processors. Who needs more raises it
//! here, and says why.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::bus::PrivateBus;
use crate::harness::home::{Home, PRINT_TOKEN, SEO_AUTH, ended};

/// Instructions of everything that the program does itself, in the unoptimised build that the tests have (an optimised
/// one has a fifth of them): most of them open the sealed file.
const INSTRUCTIONS: u64 = 2_100_000;

/// System calls from the first look at the configuration to the end: each of the four files is opened, read and closed,
/// the token is written, the process ends.
const FILE_CALLS: usize = 24;

/// The same with a Secret Service: two files, the signals, which are taken over before it may wait (a file and two calls
/// each), one socket, and three exchanges of which each answer may come in parts.
const KEYRING_CALLS: usize = 52;

/// Crates of which nothing runs where a token is valid: the tree of all commands, the runtime, the HTTP client, TLS, the keyring's own client, and
/// the parser of a configuration that is not there.
const KEPT_OUT: [&str; 9] = [
    "clap_builder",
    "tokio",
    "mio",
    "reqwest",
    "hyper",
    "rustls",
    "ring",
    "zbus",
    "toml",
];

/// A quarter of a second each, of which a read needs a hundredth.
const TRIES: usize = 5;

fn logged_in(store: &str, mut login: impl FnMut(&[&str]) -> Command) {
    let args = ["login", "semrush", "--sandbox", "--store", store];
    ended(login(&args), "").expect(0);
}

/// The program in this environment, under a tool that watches it.
fn under<'a>(
    tool: &str,
    options: impl IntoIterator<Item = &'a OsStr>,
    environment: &Command,
    args: &[&str],
) -> Command {
    let mut command = Command::new(tool);
    command.env_clear();
    for (name, value) in environment.get_envs() {
        command.envs(value.map(|value| (name, value)));
    }
    command.args(options).arg(SEO_AUTH).args(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The system calls from the first look at the configuration on, one a line, as strace writes them.
fn system_calls(dir: &Path, environment: &Command) -> Vec<String> {
    let log = dir.join("calls");
    let options = ["-f", "-qq", "-s", "200", "-o"].map(OsStr::new);
    let options = options.into_iter().chain([log.as_os_str()]);
    let printed = ended(under("strace", options, environment, &PRINT_TOKEN), "").expect(0);
    assert!(printed.stdout.starts_with("sandbox_at_"), "{printed:?}");
    let calls = fs::read_to_string(log).unwrap();
    let calls: Vec<String> = calls
        .lines()
        // Behind the number of the process.
        .filter_map(|line| Some(line.split_once(' ')?.1.trim().to_owned()))
        .collect();
    let begin = calls.iter().position(|call| call.contains("config.toml"));
    calls[begin.expect("it looks for the configuration")..].to_vec()
}

/// The names of the files that are opened, in that order.
fn opened(calls: &[String]) -> Vec<&str> {
    calls
        .iter()
        .filter(|call| call.starts_with("open"))
        .map(|call| call.split('"').nth(1).unwrap().rsplit('/').next().unwrap())
        .collect()
}

fn assert_at_most(budget: usize, calls: &[String]) {
    let count = calls.len();
    assert!(
        count <= budget,
        "{count} system calls, {budget} are the budget:\n{}",
        calls.join("\n")
    );
}

/// No thread, no process, nothing that waits, and one write.
fn assert_plain(calls: &[String]) {
    let all = calls.join("\n");
    for call in ["clone", "fork", "epoll", "eventfd", "futex", "poll("] {
        assert!(!calls.iter().any(|c| c.starts_with(call)), "{call}:\n{all}");
    }
    let writes = calls.iter().filter(|call| call.starts_with("write(1,"));
    assert_eq!(writes.count(), 1, "{all}");
}

/// How many instructions run inside `seo_auth::run` on its own thread, and in which functions.
fn instructions(dir: &Path, environment: &Command, args: &[&str]) -> (u64, BTreeSet<String>) {
    let profile = dir.join("profile");
    let out = format!("--callgrind-out-file={}", profile.display());
    let options = [
        "--tool=callgrind",
        "--quiet",
        // The loader's work depends on the C library, and on how much is linked.
        "--toggle-collect=seo_auth::run",
        &out,
    ];
    let options = options.map(OsStr::new);
    ended(under("valgrind", options, environment, args), "").expect(0);
    let profile = fs::read_to_string(profile).unwrap();
    let count = profile
        .lines()
        .find_map(|line| line.strip_prefix("summary: "));
    let count = count.expect("callgrind's sum").trim().parse().unwrap();
    let functions = profile
        .lines()
        .filter(|line| line.starts_with("fn=") || line.starts_with("cfn="))
        .filter_map(|line| Some(line.split_once(") ")?.1.to_owned()));
    (count, functions.collect())
}

/// Those among them that are of the crates in [`KEPT_OUT`].
fn kept_out(functions: &BTreeSet<String>) -> Vec<&str> {
    functions
        .iter()
        // That a runtime was never made is looked at by its type's drop, which is no code of it.
        .filter(|name| !name.starts_with("core::ptr::drop_in_place<std::sync::once_lock::"))
        .filter(|name| {
            let mut words = name.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.any(|word| KEPT_OUT.contains(&word))
        })
        .map(String::as_str)
        .collect()
}

#[test]
fn the_sealed_file_costs_four_reads_and_a_write() {
    let home = Home::new();
    logged_in("file", |args| home.command(args));
    let environment = home.command(&[]);
    let calls = system_calls(home.path(), &environment);
    assert_eq!(
        opened(&calls),
        [
            "config.toml",
            "accounts.json",
            "credentials.sealed",
            "file-store.key"
        ]
    );
    assert!(!calls.iter().any(|call| call.starts_with("socket")));
    assert_plain(&calls);
    assert_at_most(FILE_CALLS, &calls);
    let (count, functions) = instructions(home.path(), &environment, &PRINT_TOKEN);
    assert!(functions.contains("seo_auth::commands::token::print"));
    let kept_out = kept_out(&functions);
    assert!(
        kept_out.is_empty(),
        "these ran, and have no business here:\n{}",
        kept_out.join("\n")
    );
    assert!(
        count <= INSTRUCTIONS,
        "{count} instructions, {INSTRUCTIONS} are the budget"
    );
}

/// Of the tree of all commands, only the branch that was called is built.
#[test]
fn a_command_builds_no_other_commands_arguments() {
    let home = Home::new();
    let args = ["status", "--json"];
    let (_, functions) = instructions(home.path(), &home.command(&[]), &args);
    let built = functions.iter().filter_map(|name| {
        let of = name.strip_prefix("<seo_auth::cli::")?;
        of.strip_suffix(" as clap_builder::derive::Args>::augment_args")
    });
    assert_eq!(built.collect::<Vec<_>>(), ["Cli", "Global", "Status"]);
}

/// A library more is a file more to find and relocate at each start; src/build.rs links the unwinder into the program.
#[cfg(target_env = "gnu")]
#[test]
fn the_loader_has_no_unwinder_to_look_for() {
    let program = env!("CARGO_BIN_EXE_seo-auth");
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("libc.so.6"), "{listed}");
    assert!(!listed.contains("libgcc_s"), "{listed}");
}

#[test]
fn a_token_of_the_environment_costs_no_store() {
    let home = Home::new();
    let mut environment = home.command(&[]);
    environment.env("SEO_AUTH_SEMRUSH_TOKEN", "sandbox_at_of_the_environment");
    let calls = system_calls(home.path(), &environment);
    assert_eq!(opened(&calls), ["config.toml"]);
    assert!(!calls.iter().any(|call| call.starts_with("socket")));
    assert_plain(&calls);
    assert_at_most(FILE_CALLS, &calls);
}

#[test]
fn keyring_costs_one_connection() {
    let bus = PrivateBus::start();
    let command = |args: &[&str]| {
        let mut command = bus.command(SEO_AUTH);
        command.args(args);
        command
    };
    logged_in("keyring", command);
    let environment = command(&[]);
    let dir = tempfile::tempdir().unwrap();
    // On a machine that is busy beyond measure the direct read gives up in time, and the crate's thread takes over.
    let tries = (0..TRIES).map(|_| system_calls(dir.path(), &environment));
    let calls = tries.reduce(|best, calls| {
        if calls.len() < best.len() {
            calls
        } else {
            best
        }
    });
    let calls = calls.unwrap();
    assert_eq!(opened(&calls), ["config.toml", "accounts.json", "status"]);
    let connections = calls.iter().filter(|call| call.starts_with("connect"));
    assert_eq!(connections.count(), 1, "{calls:#?}");
    assert_plain(&calls);
    assert_at_most(KEYRING_CALLS, &calls);
}
