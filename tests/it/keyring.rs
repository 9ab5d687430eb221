//! The Secret Service as a store, against a real gnome-keyring on a bus of its own.

use std::io::Write;
use std::process::Stdio;

use seo_auth::credential::AccountKey;
use seo_auth::store::{KeyringStore, Store};

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

/// An account's record as any of our versions writes it, under the token that is given.
fn record(token: &str) -> String {
    format!(
        r#"{{"access_token":"{token}","token_type":"Bearer","scope":[],"obtained_at":0,"expires_at":null,"token_endpoint":"https://as.example/token"}}"#
    )
}

/// Another program's write, of the same item each time.
fn write_with_secret_tool(bus: &PrivateBus, secret: &str) {
    let mut child = bus
        .command("secret-tool")
        .args(["store", "--label=soak", "service", "seo-auth"])
        .args(["username", "semrush/soak"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(secret.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// `reads` by `readers` at once while another program writes: each yields a credential, and the daemon is unharmed.
///
/// The store is told of the private bus only for its fast reads. One that gave up would ask the session bus of the
/// environment, and find nothing of this there.
fn read_fast(readers: usize, reads: usize) {
    let mut bus = PrivateBus::start();
    write_with_secret_tool(&bus, &record("soak-0"));
    let account: AccountKey = "semrush/soak".parse().unwrap();
    let read = || {
        let store = KeyringStore::new().with_fast_read(Some(bus.address()));
        for _ in 0..reads / readers {
            let stored = store.read(&account).unwrap().unwrap();
            let token = stored.credential.access_token;
            assert!(token.expose().starts_with("soak-"));
        }
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..readers).map(|_| scope.spawn(read)).collect();
        for n in 1.. {
            write_with_secret_tool(&bus, &record(&format!("soak-{n}")));
            if readers.iter().all(|reader| reader.is_finished()) {
                break;
            }
        }
    });
    assert!(bus.keyring_is_alive());
    assert!(!bus.is_locked());
}

#[test]
fn a_fast_read_brings_the_secret() {
    read_fast(1, 100);
    read_fast(16, 320);
}

#[test]
#[ignore = "slow: 40,000 reads"]
fn soak_fast_reads() {
    read_fast(1, 20_000);
    read_fast(16, 20_000);
}
