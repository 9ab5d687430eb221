//! What the program of before wrote, read by this one. The fixtures were made by its release binary, and hold made-up tokens.

use std::fs;
use std::path::Path;

use crate::harness::home::{Ended, Home, ended};

fn fixture(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
    fs::read(dir.join(name)).unwrap()
}

/// A home with the state of before.
fn upgraded() -> Home {
    let home = Home::new();
    fs::create_dir_all(home.state()).unwrap();
    for name in ["accounts.json", "credentials.sealed"] {
        let content = fixture(&format!("state-v1/{name}"));
        fs::write(home.state().join(name), content).unwrap();
    }
    home
}

fn run(home: &Home, args: &[&str]) -> Ended {
    let mut command = home.command(args);
    command.env("SEO_AUTH_KEY", "ab".repeat(32));
    ended(command, "")
}

#[test]
fn a_state_folder_of_before_is_read() {
    let home = upgraded();
    let print = |args: &[&str]| run(&home, &[&["token", "print"], args].concat());
    assert_eq!(print(&["semrush"]).expect(0).stdout.trim(), "old-at");
    let work = print(&["ahrefs", "--profile", "work"]);
    assert_eq!(work.expect(0).stdout.trim(), "old-bare");
    let index = fs::read(home.state().join("accounts.json")).unwrap();
    let status = run(&home, &["status", "--json"]).expect(0).json();
    let told: Vec<String> = status["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| {
            let word = |key: &str| account[key].to_string().replace('"', "");
            format!(
                "{} {} {}",
                word("profile"),
                word("state"),
                word("renewable")
            )
        })
        .collect();
    let expected = [
        "work valid false",
        "begun expired true",
        "default valid true",
        "spent expired false",
    ];
    assert_eq!(told, expected);
    assert_eq!(fs::read(home.state().join("accounts.json")).unwrap(), index);
    let spent = run(
        &home,
        &["token", "refresh", "semrush", "--profile", "spent"],
    );
    let spent = spent.expect(4);
    assert!(
        spent.stderr.contains("refused the refresh token"),
        "{spent:?}"
    );
}

/// Written by this program, the index is still the one that the program of before reads.
#[test]
fn the_index_keeps_its_form() {
    let home = upgraded();
    run(&home, &["logout", "ahrefs", "--profile", "work"]).expect(0);
    let mut login = home.command(&[
        "login",
        "ahrefs",
        "--with-token",
        "--profile",
        "work",
        "--store",
        "file",
    ]);
    login.env("SEO_AUTH_KEY", "ab".repeat(32));
    ended(login, "new").expect(0);
    let index = fs::read(home.state().join("accounts.json")).unwrap();
    assert_eq!(index, fixture("state-v1/accounts.json"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_keyring_entry_of_before_is_read() {
    use std::io::Write;
    use std::process::Stdio;

    use crate::harness::bus::PrivateBus;
    use crate::harness::home::SEO_AUTH;

    let bus = PrivateBus::start();
    let mut store = bus
        .command("secret-tool")
        .args(["store", "--label=seo-auth: semrush/default"])
        .args(["service", "seo-auth", "username", "semrush/default"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let record = fixture("keyring-record-v1.json");
    store.stdin.take().unwrap().write_all(&record).unwrap();
    assert!(store.wait().unwrap().success());
    let mut print = bus.command(SEO_AUTH);
    print
        .args(["token", "print", "semrush"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    assert_eq!(ended(print, "").expect(0).stdout.trim(), "old-at");
}
