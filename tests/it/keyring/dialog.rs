//! A locked keyring that asks its person, by gnome-keyring's real dialog on a screen of its own.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::{PrivateBus, configure, import, index, log_in, print, seo_auth, stderr, stdout};
use crate::harness::home::{Home, SEO_AUTH};
use crate::harness::screen::Screen;
use crate::harness::terminal::Terminal;

/// What a person is told who lets the keyring wait.
const WAITING: &str = "Waiting up to 2 minutes for the keyring";

/// A locked keyring that holds the account `semrush/kept`, the screen that its dialog is shown on, and a terminal.
struct Desk {
    terminal: Terminal,
    bus: PrivateBus,
    screen: Screen,
    _home: Home,
}

impl Desk {
    fn new() -> Self {
        let screen = Screen::start();
        let bus = PrivateBus::start_before(&screen);
        import(&bus, "kept", "keyring");
        bus.lock_collection();
        let home = Home::new();
        let of_bus: Vec<_> = bus
            .env()
            .into_iter()
            .map(|(name, value)| (name, value.into_os_string().into_string().unwrap()))
            .collect();
        let mut variables: Vec<_> = of_bus.iter().map(|(n, v)| (*n, v.as_str())).collect();
        variables.push(("DISPLAY", screen.display()));
        let terminal = Terminal::start(&home, (100, 30), &variables);
        Self {
            terminal,
            bus,
            screen,
            _home: home,
        }
    }

    /// The account's token, asked for at the terminal.
    fn print(&self) {
        self.terminal.seo_auth("token print semrush --profile kept");
    }

    /// A token for the account `semrush/new` handed over at the terminal, and put where `auto` likes.
    fn import(&self, before: &str) {
        self.terminal.run(&format!(
            "clear; echo token-new | {before} {SEO_AUTH} login semrush --with-token --profile new; echo exit=$?"
        ));
    }

    fn without_a_terminal<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> super::Command {
        let mut command = seo_auth(&self.bus, args);
        command.env("DISPLAY", self.screen.display());
        command
    }
}

#[test]
fn answered_at_once_the_token_is_there() {
    for fast_read in [true, false] {
        let desk = Desk::new();
        configure(&desk.bus, &format!("fast_read = {fast_read}\n"));
        desk.print();
        desk.screen.answer("test");
        let screen = desk.terminal.wait_for("exit=");
        assert!(screen.contains("token-kept\nexit=0"), "{screen}");
        assert!(!desk.bus.is_locked());
    }
}

#[test]
fn answered_late_the_token_is_there_as_well() {
    for fast_read in [true, false] {
        let desk = Desk::new();
        configure(&desk.bus, &format!("fast_read = {fast_read}\n"));
        desk.print();
        let told = desk.terminal.wait_for("Ctrl-C");
        assert!(told.contains(WAITING), "{told}");
        // What is tried is a person who takes longer than a keyring without one may.
        sleep(Duration::from_secs(5));
        desk.screen.answer("test");
        let screen = desk.terminal.wait_for("exit=");
        assert!(screen.contains("token-kept\nexit=0"), "{screen}");
    }
}

#[test]
fn a_login_by_auto_waits_for_the_keyring() {
    let desk = Desk::new();
    desk.import("");
    desk.terminal.wait_for(WAITING);
    desk.screen.answer("test");
    let screen = desk.terminal.wait_for("exit=");
    assert!(screen.contains("the system's keyring"), "{screen}");
    assert!(screen.contains("exit=0"), "{screen}");
}

#[test]
fn a_dismissed_dialog_is_told_at_once_and_nothing_goes_elsewhere() {
    let desk = Desk::new();
    desk.print();
    desk.screen.dismiss();
    let screen = desk.terminal.wait_for("exit=");
    assert!(
        screen.contains("stays locked: its dialog was closed"),
        "{screen}"
    );
    assert!(screen.contains("exit=7"), "{screen}");

    desk.import("");
    desk.screen.dismiss();
    let screen = desk.terminal.wait_for("exit=");
    assert!(screen.contains("exit=7"), "{screen}");
    let listed = fs::read_to_string(index(&desk.bus)).unwrap();
    assert!(!listed.contains("semrush/new"), "{listed}");

    // Each of its accounts and their list want the keyring: it asks once.
    desk.terminal.seo_auth("status");
    desk.screen.dismiss();
    let screen = desk.terminal.wait_for("exit=");
    assert!(screen.contains("unreadable"), "{screen}");
    assert!(screen.contains("exit=7"), "{screen}");
}

#[test]
fn ctrl_c_ends_the_waiting() {
    let desk = Desk::new();
    desk.print();
    desk.terminal.wait_for(WAITING);
    desk.screen.wait_for_dialog(true);
    desk.terminal.press("C-c");
    desk.terminal.wait_for("exit=130");
}

#[test]
fn a_keyring_that_goes_while_it_asks_is_not_waited_for() {
    let mut desk = Desk::new();
    desk.print();
    desk.screen.wait_for_dialog(true);
    desk.bus.kill_keyring();
    let screen = desk.terminal.wait_for("exit=");
    assert!(screen.contains("exit=7"), "{screen}");
}

#[test]
fn nobody_is_waited_for_without_a_terminal() {
    let desk = Desk::new();
    let print = ["token", "print", "semrush", "--profile", "kept"];
    let outcome = desk.without_a_terminal(print).assert().code(7);
    assert_eq!(stdout(&outcome), "");
    let told = stderr(&outcome);
    assert!(
        told.contains("nobody answered its dialog within 3 s"),
        "{told}"
    );
    assert!(!told.contains(WAITING), "{told}");

    // A dialog could be shown, so the file is no choice of theirs.
    let login = ["login", "semrush", "--with-token", "--profile", "new"];
    let mut login = desk.without_a_terminal(login);
    login.write_stdin("token-new").assert().code(7);
}

#[test]
fn where_no_dialog_can_be_shown_the_file_is_taken() {
    let desk = Desk::new();
    desk.import("env -u DISPLAY");
    let screen = desk.terminal.wait_for("exit=");
    let fallback = screen.find("kept in the sealed file");
    assert!(fallback.is_some(), "{screen}");
    assert!(fallback < screen.find("Signed in"), "{screen}");
    assert!(screen.contains("exit=0"), "{screen}");
    // What lies in the keyring stays there.
    print(&desk.bus, "kept").code(7);
    log_in(&desk.bus, "auto").success();
}
