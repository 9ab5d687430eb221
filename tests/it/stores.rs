//! The sealed file as a store, by the program itself: modes, keys, damage, full disks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::harness::home::{Ended, Home, PRINT_TOKEN, SEO_AUTH, ended};

const LOGIN: [&str; 5] = ["login", "semrush", "--sandbox", "--store", "file"];

/// A home with a login in the sealed file.
fn logged_in() -> Home {
    let home = Home::new();
    home.run(&LOGIN).expect(0);
    home.run(&PRINT_TOKEN).expect(0);
    home
}

fn sealed_file(home: &Home) -> PathBuf {
    home.state().join("credentials.sealed")
}

fn key_file(home: &Home) -> PathBuf {
    home.path().join(".config/seo-auth/file-store.key")
}

/// What a script gets that relies on the exit code: the code, an empty stdout, and an explanation that holds `words`.
fn refused(ended: Ended, code: i32, words: &str) {
    let ended = ended.expect(code);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains(words), "{ended:?}");
    assert!(ended.stderr.contains("hint:"), "{ended:?}");
}

/// Every path below `dir`, with its mode.
fn modes(dir: &Path) -> Vec<(String, u32)> {
    let mut modes = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        modes.push((path.display().to_string(), mode));
        if path.is_dir() {
            modes.extend(self::modes(&path));
        }
    }
    modes
}

#[test]
fn every_file_is_private_under_any_umask() {
    for umask in ["000", "022", "0177", "0777"] {
        let home = Home::new();
        let mut shell = home.program("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh", SEO_AUTH]);
        shell.args(LOGIN);
        ended(shell, "").expect(0);
        let modes = modes(home.path());
        assert!(modes.len() > 5, "{modes:?}");
        for (path, mode) in modes {
            let expected = if Path::new(&path).is_dir() {
                0o700
            } else {
                0o600
            };
            assert_eq!(mode, expected, "{path} under umask {umask}");
        }
    }
}

#[test]
fn a_damaged_file_is_told_and_left_alone() {
    let home = logged_in();
    let whole = fs::read(sealed_file(&home)).unwrap();
    let last = whole.len() - 1;
    let mut altered = whole.clone();
    altered[last] ^= 1;
    let newer = [b"seo-auth sealed 9\n", &whole[18..]].concat();
    for (content, words) in [
        (&altered, "changed"),
        (&whole[..last].to_vec(), "incomplete"),
        (&b"".to_vec(), "not a sealed file"),
        (&newer, "newer version"),
    ] {
        fs::write(sealed_file(&home), content).unwrap();
        refused(home.run(&PRINT_TOKEN), 7, words);
        let status = home.run(&["status", "--json"]).expect(7);
        assert_eq!(status.json()["accounts"][0]["state"], "unreadable");
        assert_eq!(&fs::read(sealed_file(&home)).unwrap(), content);
    }
    fs::write(sealed_file(&home), &whole).unwrap();
    home.run(&PRINT_TOKEN).expect(0);
}

#[test]
fn another_key_opens_nothing_and_overwrites_nothing() {
    let home = logged_in();
    let before = fs::read(sealed_file(&home)).unwrap();
    let other = "11".repeat(32);
    let with_key = |args: &[&str], key: &str| {
        let mut command = home.command(args);
        command.env("SEO_AUTH_KEY", key);
        ended(command, "")
    };
    refused(with_key(&PRINT_TOKEN, &other), 7, "another key");
    refused(with_key(&LOGIN, &other), 7, "another key");
    refused(with_key(&PRINT_TOKEN, "hunter2"), 2, "SEO_AUTH_KEY");
    assert_eq!(fs::read(sealed_file(&home)).unwrap(), before);
}

#[test]
fn the_key_is_the_environments_where_it_gives_one() {
    let home = Home::new();
    let key = "ab".repeat(32);
    let key_file = home.path().join("key");
    fs::write(&key_file, format!("{key}\n")).unwrap();
    let with = |args: &[&str], variable: &str, value: &Path| {
        let mut command = home.command(args);
        command.env(variable, value);
        ended(command, "")
    };
    with(&LOGIN, "SEO_AUTH_KEY", Path::new(&key)).expect(0);
    with(&PRINT_TOKEN, "SEO_AUTH_KEY_FILE", &key_file).expect(0);
    assert!(!self::key_file(&home).exists());
    refused(home.run(&PRINT_TOKEN), 7, "is missing");
    let gone = with(&PRINT_TOKEN, "SEO_AUTH_KEY_FILE", &home.path().join("gone"));
    refused(gone, 2, "no such file");
}

#[test]
fn a_lost_key_is_not_replaced_by_a_new_one() {
    let home = logged_in();
    fs::remove_file(key_file(&home)).unwrap();
    let before = fs::read(sealed_file(&home)).unwrap();
    refused(home.run(&PRINT_TOKEN), 7, "is missing");
    refused(home.run(&LOGIN), 7, "is missing");
    assert!(!key_file(&home).exists());
    assert_eq!(fs::read(sealed_file(&home)).unwrap(), before);
}

#[test]
fn a_damaged_index_is_made_anew_by_whoever_meets_it() {
    let home = logged_in();
    let index = home.state().join("accounts.json");
    let whole = fs::read(&index).unwrap();
    let mut token = home.run(&PRINT_TOKEN).expect(0).stdout;
    for damaged in ["", "{\"version\":1,\"accounts\":{\"semr", "[]"] {
        fs::write(&index, damaged).unwrap();
        assert_eq!(home.run(&PRINT_TOKEN).expect(0).stdout, token);
        assert_eq!(fs::read(&index).unwrap(), whole);

        fs::write(&index, damaged).unwrap();
        let status = home.run(&["status", "--json"]).expect(0);
        assert_eq!(status.json()["accounts"][0]["state"], "valid");
        assert!(status.stderr.contains("rebuilt"), "{status:?}");
        assert_eq!(fs::read(&index).unwrap(), whole);

        fs::write(&index, damaged).unwrap();
        home.run(&LOGIN).expect(0);
        assert_eq!(fs::read(&index).unwrap(), whole);
        token = home.run(&PRINT_TOKEN).expect(0).stdout;
    }
    let blown_up = [whole.as_slice(), &vec![b' '; 9 << 20]].concat();
    fs::write(&index, blown_up).unwrap();
    assert_eq!(home.run(&PRINT_TOKEN).expect(0).stdout, token);
    assert_eq!(fs::read(&index).unwrap(), whole);
    fs::write(&index, "").unwrap();
    home.run(&["logout", "semrush", "--profile", "sandbox"])
        .expect(0);
    home.run(&PRINT_TOKEN).expect(4);
}

/// A wrong path in a variable, a broken link: nothing is read for ever.
#[test]
fn a_file_without_an_end_is_read_to_its_bound() {
    let home = logged_in();
    let endless = |variable: &str| {
        let mut command = home.command(&PRINT_TOKEN);
        command.env(variable, "/dev/zero");
        ended(command, "")
    };
    let config = endless("SEO_AUTH_CONFIG").expect(2);
    assert!(config.stderr.contains("more than"), "{config:?}");
    refused(endless("SEO_AUTH_KEY_FILE"), 2, "too long");
    let index = home.state().join("accounts.json");
    let whole = fs::read(&index).unwrap();
    fs::remove_file(&index).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &index).unwrap();
    home.run(&PRINT_TOKEN).expect(0);
    assert_eq!(fs::read(&index).unwrap(), whole);
}

/// Disks that can't be written.
mod mounts {
    use super::*;
    use crate::harness::home::with_mounts;

    fn log_in_with_mounts(home: &Home, script: &str) -> Ended {
        fs::create_dir_all(home.state()).unwrap();
        let mut command = with_mounts(home, script);
        command.arg(SEO_AUTH).args(LOGIN);
        ended(command, "")
    }

    #[test]
    fn a_full_disk_is_told_before_anything_is_asked() {
        let home = Home::new();
        let script = "mount -t tmpfs -o size=16k tmpfs ~/.local/state/seo-auth &&
        { cat /dev/zero >~/.local/state/seo-auth/ballast 2>/dev/null; exec \"$@\"; }";
        refused(log_in_with_mounts(&home, script), 7, "No space left");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_before_anything_is_asked() {
        let home = Home::new();
        let script = "mount -t tmpfs -o ro tmpfs ~/.local/state/seo-auth && exec \"$@\"";
        let outcome = log_in_with_mounts(&home, script);
        refused(outcome, 7, "Read-only file system");
    }

    #[test]
    fn a_credential_is_not_hidden_by_an_index_that_cannot_be_written() {
        let home = logged_in();
        let script = "rm ~/.local/state/seo-auth/accounts.json &&
            mount --bind ~/.local/state/seo-auth ~/.local/state/seo-auth &&
            mount -o remount,bind,ro ~/.local/state/seo-auth &&
            \"$1\" token print semrush --profile sandbox && exec \"$1\" status";
        let mut command = with_mounts(&home, script);
        command.arg(SEO_AUTH);
        let ended = ended(command, "").expect(0);
        assert!(ended.stdout.starts_with("sandbox_at_"), "{ended:?}");
        assert!(ended.stderr.contains("can't be written"), "{ended:?}");
    }
}

#[test]
fn a_lost_index_hides_no_account_from_whoever_names_none() {
    let home = logged_in();
    let index = home.state().join("accounts.json");
    for args in [&["token", "print"][..], &["logout", "--all"]] {
        fs::remove_file(&index).unwrap();
        home.run(args).expect(0);
    }
    refused(home.run(&PRINT_TOKEN), 4, "no login is stored");
}

#[test]
fn an_index_of_a_newer_version_is_left_alone() {
    let home = logged_in();
    let index = home.state().join("accounts.json");
    let newer = "{\"version\":3,\"accounts\":{}}";
    fs::write(&index, newer).unwrap();
    refused(home.run(&["status"]), 7, "newer version");
    let login = home.run(&LOGIN).expect(7);
    assert!(!login.stderr.contains("verify_code"), "{login:?}");
    home.run(&PRINT_TOKEN).expect(0);
    assert_eq!(fs::read_to_string(&index).unwrap(), newer);
}

#[test]
fn what_a_login_must_write_besides_is_tried_before_anything_is_asked() {
    let spoils: [fn(&Path); 2] = [
        |state| fs::write(state.join("locks"), "no folder").unwrap(),
        |state| fs::create_dir(state.join("accounts.json")).unwrap(),
    ];
    for spoil in spoils {
        let home = Home::new();
        fs::create_dir_all(home.state()).unwrap();
        spoil(&home.state());
        let login = home.run(&LOGIN);
        assert!(!login.stderr.contains("verify_code"), "{login:?}");
        refused(login, 7, "can't be used");
    }
}

#[test]
fn a_watched_login_that_is_gone_is_told() {
    let home = Home::new();
    for (args, code) in [
        (["status", "semrush", "--warn-before", "7d"].as_slice(), 4),
        (&["status", "semrush", "--check"], 4),
        (&["status", "--profile", "ci", "--check"], 4),
        (&["status", "semrush"], 0),
        (&["status", "--check"], 0),
    ] {
        home.run(args).expect(code);
    }
}

#[test]
fn a_key_that_comes_through_a_pipe_is_read_once() {
    let home = Home::new();
    let key = "ab".repeat(32);
    for args in [&LOGIN, &PRINT_TOKEN] {
        let mut command = home.command(args);
        command.env("SEO_AUTH_KEY_FILE", "/dev/stdin");
        ended(command, &key).expect(0);
    }
}
