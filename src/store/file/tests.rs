use crate::clock::Timestamp;
use crate::secret::{AccessToken, StoreKey};

use super::*;

fn store(dir: &Path) -> FileStore {
    let key = KeySource::Generated(dir.join("config/key"));
    FileStore::new(dir.join("state/credentials.sealed"), key)
}

fn store_with_key(dir: &Path, key: &str) -> FileStore {
    let key = KeySource::Text(StoreKey::new(key.repeat(32)));
    FileStore::new(dir.join("state/credentials.sealed"), key)
}

fn account(name: &str) -> AccountKey {
    name.parse().unwrap()
}

fn credential(token: &str) -> Credential {
    Credential {
        access_token: AccessToken::new(token.into()),
        token_type: "Bearer".into(),
        scope: vec!["user.id".into()],
        missing_scope: Vec::new(),
        obtained_at: Timestamp::from_epoch(1),
        expires_at: None,
        clock_skew: 0,
        refresh: None,
        token_endpoint: "https://as.example/token".into(),
        revocation_endpoint: None,
        client_id: None,
        client_secret: None,
        subject: None,
        mint: None,
        key_fields: Vec::new(),
    }
}

#[test]
fn credentials_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (one, two) = (account("semrush/default"), account("ahrefs/work"));
    assert!(store.read(&one).unwrap().is_none());
    assert!(store.accounts().unwrap().is_empty());
    store.write(&one, &credential("1"), None).unwrap();
    store.write(&two, &credential("2"), None).unwrap();
    assert_eq!(
        store.read(&one).unwrap().unwrap().credential,
        credential("1")
    );
    assert_eq!(store.accounts().unwrap(), [two.clone(), one.clone()]);
    assert!(store.delete(&one).unwrap());
    assert!(!store.delete(&one).unwrap());
    assert!(store.delete(&two).unwrap());
    assert!(store.read(&two).unwrap().is_none());
    assert!(store.accounts().unwrap().is_empty());
}

#[test]
fn a_reader_sees_what_another_process_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = (store(dir.path()), store(dir.path()));
    let account = account("semrush/default");
    // Of equal length and within one tick of the clock: only the inode tells these files apart.
    for token in ["a", "b", "c", "d", "e", "f"] {
        let version = writer.write(&account, &credential(token), None).unwrap();
        let read = reader.read(&account).unwrap().unwrap();
        assert_eq!(read.credential, credential(token));
        assert_eq!(read.version, version);
    }
}

#[test]
fn a_write_names_the_version_that_it_replaces() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let account = account("semrush/default");
    let first = store.write(&account, &credential("1"), None).unwrap();
    let second = store
        .write(&account, &credential("1"), Some(&first))
        .unwrap();
    assert_ne!(first, second, "each write has a version of its own");
    let late = store.write(&account, &credential("3"), Some(&first));
    assert!(matches!(late, Err(StoreError::Conflict)));
    store.delete(&account).unwrap();
    let late = store.write(&account, &credential("3"), Some(&second));
    assert!(matches!(late, Err(StoreError::Conflict)));
}

#[test]
fn another_key_neither_reads_nor_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let account = account("semrush/default");
    let (right, wrong) = (
        store_with_key(dir.path(), "1a"),
        store_with_key(dir.path(), "2b"),
    );
    right.write(&account, &credential("1"), None).unwrap();
    for outcome in [
        wrong.read(&account).map(drop),
        wrong.write(&account, &credential("2"), None).map(drop),
        wrong.delete(&account).map(drop),
        wrong.accounts().map(drop),
        wrong.probe(),
    ] {
        let Err(StoreError::Corrupt { reason, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(reason, sealed::WRONG_KEY);
    }
    assert!(right.read(&account).unwrap().is_some());
}

#[test]
fn a_lost_key_is_never_replaced_over_data() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let account = account("semrush/default");
    store.write(&account, &credential("1"), None).unwrap();
    let key_file = dir.path().join("config/key");
    fs::rename(&key_file, dir.path().join("elsewhere")).unwrap();
    let fresh = self::store(dir.path());
    for outcome in [
        fresh.read(&account).map(drop),
        fresh.write(&account, &credential("2"), None).map(drop),
        fresh.probe(),
    ] {
        let Err(StoreError::Corrupt { reason, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(reason.ends_with("is missing"), "{reason}");
    }
    assert!(!key_file.exists());
    fs::rename(dir.path().join("elsewhere"), &key_file).unwrap();
    assert!(fresh.read(&account).unwrap().is_some());
}

#[test]
fn a_probe_leaves_nothing_and_needs_no_credential() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store.probe().unwrap();
    assert!(store.accounts().unwrap().is_empty());
    store
        .write(&account("a/b"), &credential("1"), None)
        .unwrap();
    store.probe().unwrap();
    assert_eq!(store.accounts().unwrap(), [account("a/b")]);
}

#[test]
fn a_read_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    assert!(store.read(&account("a/b")).unwrap().is_none());
    assert!(!store.delete(&account("a/b")).unwrap());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn writers_at_once_lose_nothing_of_each_other() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let store = store(dir.path());
            scope.spawn(move || {
                let account = account(&format!("p/{n}"));
                store.write(&account, &credential("1"), None).unwrap();
            });
        }
    });
    let store = store(dir.path());
    assert_eq!(store.accounts().unwrap().len(), 8);
    for account in store.accounts().unwrap() {
        assert!(store.read(&account).unwrap().is_some());
    }
}
