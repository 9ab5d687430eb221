//! The Secret Service as a store, against a real gnome-keyring on a bus of its own.

use std::io::Write;
use std::process::Stdio;

use crate::harness::bus::PrivateBus;

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
