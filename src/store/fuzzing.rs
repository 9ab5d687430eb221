//! What holds for any bytes in a store: the ground of `tests/fuzz` and of the property tests below.
//!
//! The formats of the stores are private. Only here are they open to a fuzzer, with the one thing that it could never
//! guess: a seal, or a digest, that fits the bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::store::StoreError;
use crate::store::sealed::{self, Sealed};
use crate::store::split::{self, Entries};

/// The sealed file: the bytes as a file, and the bytes as a directory under a seal that fits.
pub fn sealed_file(bytes: &[u8]) {
    let key = Zeroizing::new([7; 32]);
    open_all(bytes.to_vec(), &key);
    let (directory, records) = bytes.split_at(bytes.len() / 2);
    if let Ok(file) = sealed::with_directory(directory, [records], &key) {
        open_all(file, &key);
    }
}

/// Whatever was not sealed by us opens as nothing; a write keeps what else is there.
fn open_all(bytes: Vec<u8>, key: &Zeroizing<[u8; 32]>) {
    let Ok(file) = Sealed::parse(bytes, key) else {
        return;
    };
    for name in file.names() {
        assert!(file.open(name, key).is_err(), "nobody sealed {name:?}");
    }
    let Ok(new) = file.with("a/b", Some(b"new"), key) else {
        return;
    };
    let new = Sealed::parse(new, key).expect("what we write can be read");
    assert_eq!(new.record("a/b"), Some(&b"new"[..]));
    let kept = file.names().filter(|name| *name != "a/b");
    for name in kept {
        assert_eq!(new.record(name), file.record(name));
    }
}

/// A keyring in which `left` lies already (the head, then the parts of slot `a`), into which a record is written over
/// entries of at most `limit` bytes, read again and deleted.
pub fn split_record(left: &[&[u8]], record: &[u8], limit: usize) {
    let user = "a/b";
    let keyring = Keyring::default();
    for (number, entry) in (1..).zip(left) {
        let name = match number {
            1 => user.to_owned(),
            _ => format!("{user}#{number}a"),
        };
        keyring.0.borrow_mut().insert(name, entry.to_vec());
    }
    let before = split::read(&keyring, user).ok().flatten();
    // A record is JSON.
    let record = [b"{", record].concat();
    if split::write(&keyring, user, &record, limit).is_ok() {
        let longest = keyring.0.borrow().values().map(Vec::len).max();
        assert!(left.len() > 1 || longest.is_none_or(|longest| longest <= limit));
        let after = split::read(&keyring, user).ok().flatten();
        assert_eq!(after.as_deref(), Some(&record));
        split::delete(&keyring, user).expect("nothing of the map's can fail");
        assert!(left.len() > MAX_PARTS || keyring.0.borrow().is_empty());
    } else {
        let after = split::read(&keyring, user).ok().flatten();
        assert_eq!(after, before, "what can't be written costs nothing");
    }
}

/// More entries than a record ever has: what lies beyond is not ours.
const MAX_PARTS: usize = 16;

#[derive(Default)]
struct Keyring(RefCell<BTreeMap<String, Vec<u8>>>);

impl Entries for Keyring {
    fn get(&self, user: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        Ok(self.0.borrow().get(user).cloned().map(Zeroizing::new))
    }

    fn set(&self, user: &str, secret: &[u8]) -> Result<(), StoreError> {
        self.0.borrow_mut().insert(user.to_owned(), secret.to_vec());
        Ok(())
    }

    fn remove(&self, user: &str) -> Result<bool, StoreError> {
        Ok(self.0.borrow_mut().remove(user).is_some())
    }
}

/// Whatever comes over the bus.
#[cfg(target_os = "linux")]
pub fn secret_service(arrived: &[u8]) {
    crate::store::secret_service::read_anything(arrived);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        // Bytes that the formats are made of come more often than others.
        let word = prop_oneof![
            Just(b"seo-auth sealed 1\n".to_vec()),
            Just(b"seo-auth split 1 a 02 ".to_vec()),
            Just(b"l\x02\x01\x01".to_vec()),
            Just(vec![0; 4]),
            proptest::collection::vec(any::<u8>(), 0..40),
        ];
        proptest::collection::vec(word, 0..8).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_may_lie_in_a_store(bytes in bytes(), more in bytes(), limit in 0usize..200) {
            sealed_file(&bytes);
            split_record(&[&bytes, &more], &more, limit);
            #[cfg(target_os = "linux")]
            secret_service(&bytes);
        }
    }
}
