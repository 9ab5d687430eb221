//! Whose the files are, where root and a user share a home; and a machine where nobody has one. These need root, as a
//! container's tests have it: without it each says so and ends.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use crate::harness::home::{Ended, Home, SEO_AUTH, ended};

/// A user without an entry anywhere, as containers give one.
const SOMEBODY: u32 = 54_321;

const LOGIN: [&str; 6] = [
    "login",
    "semrush",
    "--sandbox",
    "--approve",
    "auto",
    "--no-browser",
];
const PRINT: [&str; 5] = ["token", "print", "semrush", "--profile", "sandbox"];
const REFRESH: [&str; 5] = ["token", "refresh", "semrush", "--profile", "sandbox"];
const LOGOUT: [&str; 4] = ["logout", "semrush", "--profile", "sandbox"];

/// Somebody's home, with the program where that somebody can run it.
struct Shared {
    home: Home,
    program: PathBuf,
}

/// `None`, and said aloud, where the tests don't run as root.
fn shared() -> Option<Shared> {
    let home = Home::new();
    if fs::metadata(home.path()).unwrap().uid() != 0 {
        eprintln!("skipped: only root can act as two users");
        return None;
    }
    let program = home.path().join("seo-auth");
    fs::copy(SEO_AUTH, &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    chown(home.path(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    Some(Shared { home, program })
}

impl Shared {
    fn as_root(&self, args: &[&str]) -> Ended {
        self.home.run(args)
    }

    fn as_somebody(&self, args: &[&str]) -> Ended {
        let mut command = self.home.program(self.program.to_str().unwrap());
        command.args(args).uid(SOMEBODY).gid(SOMEBODY);
        ended(command, "")
    }

    /// Every file and folder that the program made here.
    fn made(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        let mut dirs = vec![self.home.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path == self.program {
                    continue;
                }
                if path.is_dir() {
                    dirs.push(path.clone());
                }
                all.push(path);
            }
        }
        all
    }

    fn all_is_somebodys(&self, after: &[&str]) {
        for path in self.made() {
            let uid = fs::symlink_metadata(&path).unwrap().uid();
            assert_eq!(uid, SOMEBODY, "{} after {after:?}", path.display());
        }
    }
}

#[test]
fn whatever_root_does_in_a_home_its_owner_is_never_locked_out() {
    let all: [&[&str]; 8] = [
        &LOGIN,
        &REFRESH,
        &PRINT,
        &LOGOUT,
        &["status"],
        &["doctor"],
        &["logout", "ahrefs"],
        &[
            "exec",
            "semrush",
            "--profile",
            "sandbox",
            "--token-file",
            "--",
            "true",
        ],
    ];
    std::thread::scope(|scope| {
        for first in all {
            scope.spawn(move || locked_out_by(first));
        }
    });
}

/// Root is the first to do something in a home, and then comes after its owner.
fn locked_out_by(roots: &[&str]) {
    let Some(shared) = shared() else { return };
    shared.as_root(roots);
    shared.all_is_somebodys(roots);
    shared.as_somebody(&LOGIN).expect(0);
    shared.as_root(roots);
    shared.all_is_somebodys(roots);
    let left = if roots == LOGOUT { 4 } else { 0 };
    shared.as_somebody(&PRINT).expect(left);
    shared.as_somebody(&LOGIN).expect(0);
    shared.as_root(&PRINT).expect(0);
    shared.as_somebody(&LOGOUT).expect(0);
}

#[test]
fn a_file_of_somebody_else_is_told_with_the_command_that_mends_it() {
    let Some(shared) = shared() else { return };
    shared.as_somebody(&LOGIN).expect(0);
    let sealed = shared.home.state().join("credentials.sealed");
    chown(&sealed, Some(0), Some(0)).unwrap();
    let print = shared.as_somebody(&PRINT).expect(7);
    let hint = format!("sudo chown -R $(id -u):$(id -g) {}", sealed.display());
    assert!(print.stderr.contains(&hint), "{print:?}");
}

/// `seo-auth` of a user without a home folder and without an entry in the list of users.
fn homeless(shared: &Shared, args: &[&str], variables: &[(&str, &Path)]) -> Ended {
    let mut command = shared.home.program(shared.program.to_str().unwrap());
    command.env_remove("HOME").args(args);
    command.uid(SOMEBODY).gid(SOMEBODY);
    for (name, value) in variables {
        command.env(name, value);
    }
    ended(command, "")
}

#[test]
fn without_a_home_whatever_needs_no_place_works() {
    let Some(shared) = shared() else { return };
    let token = [("SEO_AUTH_SEMRUSH_TOKEN", Path::new("from-the-environment"))];
    let print = homeless(&shared, &["token", "print", "semrush"], &token).expect(0);
    assert_eq!(print.stdout, "from-the-environment\n");
    let exec = ["exec", "semrush", "--", "printenv", "SEMRUSH_ACCESS_TOKEN"];
    homeless(&shared, &exec, &token).expect(0);
    for args in [&["completions", "bash"][..], &["man"], &["providers"]] {
        homeless(&shared, args, &[]).expect(0);
    }
    let doctor = homeless(&shared, &["doctor"], &[]);
    assert!(doctor.stdout.contains("SEO_AUTH_STATE_DIR"), "{doctor:?}");
    for args in [&LOGIN[..], &["status"], &["token", "print", "semrush"]] {
        let ended = homeless(&shared, args, &[]).expect(2);
        assert!(ended.stderr.contains("SEO_AUTH_STATE_DIR"), "{ended:?}");
        assert!(ended.stderr.contains("SEO_AUTH_KEY"), "{ended:?}");
    }
    let relative = [("HOME", Path::new("here"))];
    homeless(&shared, &LOGIN, &relative).expect(2);
}

#[test]
fn without_a_home_a_state_folder_and_a_key_are_enough() {
    let Some(shared) = shared() else { return };
    let state = shared.home.path().join("state");
    let key = "ab".repeat(32);
    let places = [
        ("SEO_AUTH_STATE_DIR", state.as_path()),
        ("SEO_AUTH_KEY", Path::new(&key)),
    ];
    homeless(&shared, &LOGIN, &places).expect(0);
    homeless(&shared, &PRINT, &places).expect(0);
}
