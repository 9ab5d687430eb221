//! The Secret Service as a store, against a real gnome-keyring on a bus of its own.

mod dialog;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::assert::Assert;

use crate::harness::browser::{Running, header, visit};
use crate::harness::bus::PrivateBus;
use crate::harness::home::{Home, PRINT_TOKEN, SEO_AUTH, SandboxServer};

/// What the other tests here rest on.
#[test]
fn the_private_bus_has_a_real_keyring() {
    let mut bus = PrivateBus::start();
    let mut store = bus
        .command("secret-tool")
        .args(["store", "--label=x", "service", "x"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    store.stdin.take().unwrap().write_all(b"kept").unwrap();
    assert!(store.wait().unwrap().success());
    bus.stop_daemon();
    bus.continue_daemon();
    assert_eq!(
        bus.secret_tool_lookup(&["service", "x"]).as_deref(),
        Some("kept")
    );
    bus.lock_collection();
    assert_eq!(bus.secret_tool_lookup(&["service", "x"]), None);
    assert!(bus.keyring_is_alive());
    bus.kill_keyring();
    assert!(!bus.keyring_is_alive());
}

/// `seo-auth` on this bus. Every command must end within 5 s, whatever became of the keyring.
fn seo_auth<'a>(bus: &PrivateBus, args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::from_std(bus.command(SEO_AUTH));
    command.args(args).timeout(Duration::from_secs(5));
    command
}

/// Signs in at the embedded sandbox, which takes a poll or two.
fn log_in(bus: &PrivateBus, store: &str) -> Assert {
    seo_auth(bus, ["login", "semrush", "--sandbox", "--store", store])
        .timeout(Duration::from_secs(60))
        .assert()
}

fn stdout(outcome: &Assert) -> String {
    String::from_utf8(outcome.get_output().stdout.clone()).unwrap()
}

fn stderr(outcome: &Assert) -> String {
    String::from_utf8(outcome.get_output().stderr.clone()).unwrap()
}

const OURS: [&str; 4] = ["service", "seo-auth", "username", "semrush/sandbox"];

#[test]
fn a_login_lands_where_other_programs_find_it() {
    let bus = PrivateBus::start();
    log_in(&bus, "auto").success();
    let token = stdout(&seo_auth(&bus, PRINT_TOKEN).assert().success());
    let found = bus.secret_tool_lookup(&OURS).unwrap();
    assert!(found.contains(token.trim()), "the item holds the token");

    let listed = bus
        .command("secret-tool")
        .args(["search", "--all", "service", "seo-auth"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let labels: Vec<_> = listed.lines().filter(|l| l.starts_with("label")).collect();
    assert_eq!(
        labels,
        ["label = seo-auth: semrush/sandbox"],
        "no probe is left"
    );

    let status = stdout(&seo_auth(&bus, ["status"]).assert().success());
    assert!(status.contains("keyring"), "{status}");
    seo_auth(&bus, ["logout", "semrush", "--profile", "sandbox"])
        .assert()
        .success();
    assert_eq!(bus.secret_tool_lookup(&OURS), None);
}

#[test]
fn what_another_program_removed_is_not_there() {
    let bus = PrivateBus::start();
    log_in(&bus, "keyring").success();
    let cleared = bus.command("secret-tool").arg("clear").args(OURS).status();
    assert!(cleared.unwrap().success());
    seo_auth(&bus, PRINT_TOKEN).assert().code(4);
}

/// Signs in, lets something become of the keyring, and holds every command to its promise.
fn unavailable(become_so: impl FnOnce(&mut PrivateBus), words: &str) {
    let mut bus = PrivateBus::start();
    log_in(&bus, "keyring").success();
    become_so(&mut bus);

    let outcome = seo_auth(&bus, PRINT_TOKEN).assert().code(7);
    assert_eq!(stdout(&outcome), "");
    assert!(stderr(&outcome).contains(words), "{}", stderr(&outcome));
    assert!(stderr(&outcome).contains("hint:"), "{}", stderr(&outcome));

    let outcome = seo_auth(&bus, ["status", "--json"]).assert().code(7);
    assert!(stdout(&outcome).contains("unreadable"));

    let insisting = ["login", "semrush", "--sandbox", "--store", "keyring"];
    let outcome = seo_auth(&bus, insisting).assert().code(7);
    assert!(!stderr(&outcome).contains(ASKING), "nothing was asked");

    let outcome = log_in(&bus, "auto").success();
    let told = stderr(&outcome);
    let (fallback, asked) = (told.find("sealed file"), told.find(ASKING));
    assert!(fallback.is_some() && fallback < asked, "{told}");
    seo_auth(&bus, PRINT_TOKEN).assert().success();
}

/// What a login shows when it begins to ask the user.
const ASKING: &str = "verify_code";

#[test]
fn a_locked_keyring_is_told() {
    unavailable(|bus| bus.lock_collection(), "locked");
}

/// Cron has no display, and over SSH nobody sees the keyring's dialog: no password can be typed there.
#[test]
fn where_nobody_can_unlock_it_the_hint_begins_with_the_file() {
    let bus = PrivateBus::start();
    import(&bus, "kept", "keyring");
    bus.lock_collection();
    for connection in [None, Some("192.0.2.7 51234 198.51.100.4 22")] {
        let mut print = seo_auth(&bus, ["token", "print", "semrush", "--profile", "kept"]);
        print.envs(connection.map(|from| ("SSH_CONNECTION", from)));
        let told = stderr(&print.assert().code(7));
        let hint = told.lines().find_map(|line| line.strip_prefix("hint:"));
        let hint = hint.unwrap_or_else(|| panic!("{told}")).trim_start();
        assert!(
            hint.starts_with("`seo-auth login PROVIDER --store file`"),
            "{hint}"
        );
    }
}

#[test]
fn a_keyring_that_hangs_is_told() {
    unavailable(|bus| bus.stop_daemon(), "did not answer within 3 s");
}

#[test]
fn a_keyring_that_is_gone_is_told() {
    unavailable(PrivateBus::kill_keyring, "can't be reached");
}

#[test]
fn a_bus_that_is_gone_is_told() {
    unavailable(PrivateBus::kill_bus, "can't be reached");
}

fn index(bus: &PrivateBus) -> PathBuf {
    bus.path().join("home/.local/state/seo-auth/accounts.json")
}

fn configure(bus: &PrivateBus, text: &str) {
    let config = bus.path().join("home/.config/seo-auth");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), text).unwrap();
}

/// Stores a token that was made elsewhere.
fn import(bus: &PrivateBus, profile: &str, store: &str) -> Assert {
    let args = ["login", "semrush", "--with-token", "--profile", profile];
    seo_auth(bus, args)
        .args(["--store", store])
        .timeout(Duration::from_secs(20))
        .write_stdin(format!("token-{profile}"))
        .assert()
        .success()
}

fn print(bus: &PrivateBus, profile: &str) -> Assert {
    seo_auth(bus, ["token", "print", "semrush", "--profile", profile]).assert()
}

/// Nobody can tell what an index listed that is gone or damaged, and no part of it is taken for the whole.
#[test]
fn a_lost_index_and_a_locked_keyring_are_no_empty_list() {
    let bus = PrivateBus::start();
    import(&bus, "kept", "keyring");
    import(&bus, "filed", "file");
    let whole = fs::read(index(&bus)).unwrap();
    bus.lock_collection();
    let damages: [fn(PathBuf); 2] = [
        |index| fs::remove_file(index).unwrap(),
        |index| fs::write(index, "garbage").unwrap(),
    ];
    for damage in damages {
        damage(index(&bus));
        let outcome = seo_auth(&bus, ["status"]).assert().code(7);
        assert!(stderr(&outcome).contains("locked"), "{}", stderr(&outcome));
        print(&bus, "filed").success();
        print(&bus, "kept").code(7);
        seo_auth(&bus, ["status", "--store", "file"])
            .assert()
            .success();
        print(&bus, "kept").code(7);
    }
    import(&bus, "new", "file");
    print(&bus, "kept").code(7);
    print(&bus, "new").success();
    fs::write(index(&bus), whole).unwrap();
    seo_auth(&bus, ["status"]).assert().code(7);
}

/// An older copy that can't be asked for is not passed over in silence.
#[test]
fn a_logout_tells_of_a_keyring_that_may_hold_a_copy() {
    let bus = PrivateBus::start();
    import(&bus, "moved", "keyring");
    bus.stop_daemon();
    let told = import(&bus, "moved", "auto");
    assert!(stderr(&told).contains("stays in"), "{}", stderr(&told));
    let logout = ["logout", "semrush", "--profile", "moved"];
    let outcome = seo_auth(&bus, logout).assert().code(7);
    let told = stderr(&outcome);
    assert!(told.contains("Deleted"), "{told}");
    assert!(told.contains("may still be there"), "{told}");
    // Nothing is known of it any more, and it may be there all the same.
    fs::remove_file(index(&bus)).unwrap();
    seo_auth(&bus, logout).assert().code(7);
    bus.continue_daemon();
    seo_auth(&bus, logout).assert().success();
    print(&bus, "moved").code(4);
}

#[test]
fn a_store_that_was_named_and_is_not_there_is_told() {
    let mut bus = PrivateBus::start();
    import(&bus, "filed", "file");
    bus.kill_keyring();
    seo_auth(&bus, ["status"]).assert().success();
    for args in [["status"].as_slice(), &["token", "print", "ahrefs"]] {
        seo_auth(&bus, args.iter().copied())
            .args(["--store", "keyring"])
            .assert()
            .code(7);
    }
}

/// What the user has approved is kept, whatever breaks between the proof of the store and the write.
#[test]
fn an_approved_login_outlives_its_store() {
    let mut bus = PrivateBus::start();
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    let mut command = bus.command(SEO_AUTH);
    command
        .args(["login", "ahrefs", "--json", "--no-browser"])
        .args(["--redirect-uri", "http://127.0.0.1:0/callback"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let login = Running::start(server.point(command));
    bus.kill_keyring();
    let locks = index(&bus).with_file_name("locks");
    fs::remove_dir_all(&locks).unwrap();
    fs::write(&locks, "no folder").unwrap();

    let landing = header(&visit(&login.url), "location").unwrap();
    let page = visit(&landing);
    let ended = login.ended().expect(0);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(ended.stderr.contains("sealed file"), "{ended:?}");
    assert!(ended.stderr.contains("index could not"), "{ended:?}");
    let event: serde_json::Value = serde_json::from_str(ended.stdout.trim()).unwrap();
    assert_eq!(event["store"], "file");
    let print = ["token", "print", "ahrefs", "--profile", "sandbox"];
    seo_auth(&bus, print).assert().success();
}

#[test]
fn store_restricts_a_logout_too() {
    let bus = PrivateBus::start();
    import(&bus, "a", "keyring");
    let logout = ["logout", "semrush", "--profile", "a", "--store"];
    let outcome = seo_auth(&bus, logout).arg("file").assert().success();
    let told = stderr(&outcome);
    assert!(told.contains("in the keyring store"), "{told}");
    print(&bus, "a").success();
    let outcome = seo_auth(&bus, PRINT_TOKEN[..3].iter().copied())
        .args(["--profile", "a", "--store", "file"])
        .assert()
        .code(4);
    let told = stderr(&outcome);
    assert!(told.contains("in the keyring store"), "{told}");
    seo_auth(&bus, logout).arg("keyring").assert().success();
    print(&bus, "a").code(4);
}

#[test]
fn an_entry_that_is_no_credential_is_told_and_deleted() {
    let bus = PrivateBus::start();
    log_in(&bus, "keyring").success();
    store_with_secret_tool(&bus, "garbage");
    let outcome = seo_auth(&bus, PRINT_TOKEN).assert().code(7);
    let told = stderr(&outcome);
    let remedy = "secret-tool clear service seo-auth username semrush/sandbox";
    assert!(told.contains(remedy), "{told}");
    let logout = ["logout", "semrush", "--profile", "sandbox"];
    let outcome = seo_auth(&bus, logout).arg("--json").assert().success();
    let told: serde_json::Value = serde_json::from_str(&stdout(&outcome)).unwrap();
    assert_eq!(told["deleted"], true);
    assert_eq!(told["revocation"], "failed");
    assert!(told["reason"].as_str().unwrap().contains("no credential"));

    store_with_secret_tool(&bus, "garbage");
    let outcome = seo_auth(&bus, logout).assert().success();
    let told = stderr(&outcome);
    assert!(told.contains("could not be read"), "{told}");
}

#[test]
fn ctrl_c_is_exit_code_130_while_a_keyring_hangs() {
    let bus = PrivateBus::start();
    log_in(&bus, "keyring").success();
    bus.stop_daemon();
    let mut monitor = bus.monitor("member='OpenSession'");
    let mut command = bus.command(SEO_AUTH);
    let mut child = command.args(PRINT_TOKEN).spawn().unwrap();
    monitor.read_until("   string \"");
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-s", "INT", &pid])
        .status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    monitor.end();
}

#[test]
fn a_keyring_that_hung_is_asked_again_by_the_next_command() {
    let bus = PrivateBus::start();
    log_in(&bus, "keyring").success();
    bus.stop_daemon();
    seo_auth(&bus, PRINT_TOKEN).assert().code(7);
    bus.continue_daemon();
    seo_auth(&bus, PRINT_TOKEN).assert().success();
}

/// The algorithm of the session that this opens first, as the bus saw it.
fn session_algorithm(bus: &PrivateBus, act: impl FnOnce()) -> String {
    let mut monitor = bus.monitor("member='OpenSession'");
    act();
    let call = monitor.read_until("   string \"");
    monitor.end();
    call.trim().to_owned()
}

#[test]
fn reads_and_writes_are_direct_unless_that_is_switched_off() {
    let bus = PrivateBus::start();
    let read = || drop(print(&bus, "a").success());
    let write = || drop(import(&bus, "a", "keyring"));
    let logout = ["logout", "semrush", "--profile", "a"];
    let delete = || drop(seo_auth(&bus, logout).assert().success());
    for act in [&write as &dyn Fn(), &read, &delete] {
        assert_eq!(session_algorithm(&bus, act), "string \"plain\"");
    }
    configure(&bus, "fast_read = false\n");
    for act in [&write as &dyn Fn(), &read, &delete] {
        let algorithm = session_algorithm(&bus, act);
        assert!(algorithm.contains("dh-ietf1024"), "{algorithm}");
    }
}

/// An entry has one form, whoever wrote it: our own client, or the library that programs of before wrote by.
#[test]
fn an_entry_of_either_client_is_read_and_replaced_by_the_other() {
    let bus = PrivateBus::start();
    let ours = ["service", "seo-auth", "username", "semrush/a"];
    let entries = || {
        let mut search = bus.command("secret-tool");
        search.args(["search", "--all"]).args(ours);
        let found = search.output().unwrap();
        // It tells attributes on stderr.
        let told = [found.stdout, found.stderr].map(|text| String::from_utf8(text).unwrap());
        let kept = |line: &&str| line.starts_with("label") || line.starts_with("attribute");
        let mut lines: Vec<_> = told.iter().flat_map(|text| text.lines()).collect();
        lines.retain(kept);
        lines.sort_unstable();
        lines.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let mut seen = Vec::new();
    for fast_read in [false, true, false] {
        configure(&bus, &format!("fast_read = {fast_read}\n"));
        if !seen.is_empty() {
            assert_eq!(stdout(&print(&bus, "a").success()), "token-a\n");
        }
        import(&bus, "a", "keyring");
        seen.push(entries());
    }
    assert_eq!(seen[0].len(), 3, "{seen:?}");
    assert!(seen.iter().all(|entries| *entries == seen[0]), "{seen:?}");

    // Made by ours, from nothing.
    configure(&bus, "");
    let logout = ["logout", "semrush", "--profile", "a"];
    seo_auth(&bus, logout).assert().success();
    assert!(entries().is_empty());
    import(&bus, "a", "keyring");
    assert_eq!(entries(), seen[0]);
}

/// `reads` in all by `readers` at once, while another program writes the same item: each prints a token of the many
/// that were written, and the daemon is unharmed.
fn soak(bus: &mut PrivateBus, readers: usize, reads: usize) {
    let record = bus.secret_tool_lookup(&OURS).unwrap();
    let read = || {
        for _ in 0..reads / readers {
            let printed = seo_auth(bus, PRINT_TOKEN)
                .timeout(Duration::from_secs(60))
                .assert()
                .success();
            assert!(stdout(&printed).starts_with("sandbox_at_"));
        }
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..readers).map(|_| scope.spawn(read)).collect();
        while !readers.iter().all(|reader| reader.is_finished()) {
            store_with_secret_tool(bus, &record);
        }
    });
    assert!(bus.keyring_is_alive());
    assert!(!bus.is_locked());
}

/// Another program's write of our item.
fn store_with_secret_tool(bus: &PrivateBus, secret: &str) {
    let mut command = Command::from_std(bus.command("secret-tool"));
    command.args(["store", "--label=soak"]).args(OURS);
    command.write_stdin(secret).assert().success();
}

#[test]
fn readers_and_a_writer_do_the_keyring_no_harm() {
    let mut bus = PrivateBus::start();
    log_in(&bus, "keyring").success();
    soak(&mut bus, 1, 50);
    soak(&mut bus, 16, 160);
}

/// `SOAK_READS=20000 cargo nextest run --run-ignored all soak_the_keyring` is what a change of the fast read has to
/// pass: a daemon that aborts once in ten thousand reads is a daemon that we broke.
#[test]
#[ignore = "slow: a minute, or as long as SOAK_READS says"]
fn soak_the_keyring() {
    let reads = std::env::var("SOAK_READS").map_or(2_000, |reads| reads.parse().unwrap());
    let mut bus = PrivateBus::start();
    log_in(&bus, "keyring").success();
    soak(&mut bus, 1, reads / 2);
    soak(&mut bus, 16, reads / 2);
}
