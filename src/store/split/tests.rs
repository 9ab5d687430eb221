use std::cell::{Cell, RefCell, RefMut};
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_record_of_any_size_comes_back(
        record in proptest::collection::vec(any::<u8>(), 1..3000),
        limit in 120usize..400,
    ) {
        // A record is JSON, so it does not begin like a head.
        let record = [b"{".as_slice(), &record].concat();
        match split(&record, limit, Slot::B) {
            Ok(Split { head, parts }) => {
                prop_assert!(head.len() <= limit && parts.iter().all(|part| part.len() <= limit));
                match parse_head(&head).unwrap() {
                    None => prop_assert_eq!(&*head, &record),
                    Some(parsed) => {
                        prop_assert_eq!(parsed.slot, Slot::B);
                        prop_assert_eq!(&*parsed.join(&parts).unwrap(), &record);
                    }
                }
            }
            Err(StoreError::TooLarge { size, limit }) => prop_assert!(size == record.len() && size > limit),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn parts_of_two_records_never_join(
        one in proptest::collection::vec(any::<u8>(), 500),
        two in proptest::collection::vec(any::<u8>(), 500),
    ) {
        prop_assume!(one[100..] != two[100..]);
        let first = split(&one, 150, Slot::A).unwrap();
        let second = split(&two, 150, Slot::A).unwrap();
        let head = parse_head(&first.head).unwrap().unwrap();
        prop_assert!(head.join(&second.parts).is_err());
        prop_assert!(head.join(&first.parts[1..]).is_err());
    }

    #[test]
    fn no_head_is_a_panic(line in "seo-auth split 1 [ ab0-9\n]{0,20}") {
        let _ = parse_head(line.as_bytes());
    }
}

/// Entries in memory; the `calls_left`th change and all later ones fail, as if the process had been killed.
struct Memory {
    entries: RefCell<BTreeMap<String, Vec<u8>>>,
    calls_left: Cell<usize>,
}

impl Memory {
    fn new() -> Self {
        Self {
            entries: RefCell::default(),
            calls_left: Cell::new(usize::MAX),
        }
    }

    fn change(&self) -> Result<RefMut<'_, BTreeMap<String, Vec<u8>>>, StoreError> {
        match self.calls_left.get().checked_sub(1) {
            Some(left) => self.calls_left.set(left),
            None => return Err(StoreError::Conflict),
        }
        Ok(self.entries.borrow_mut())
    }
}

impl Entries for Memory {
    fn get(&self, user: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        Ok(self.entries.borrow().get(user).cloned().map(Zeroizing::new))
    }

    fn set(&self, user: &str, secret: &[u8]) -> Result<(), StoreError> {
        assert!(secret.len() <= LIMIT);
        self.change()?.insert(user.to_owned(), secret.to_vec());
        Ok(())
    }

    fn remove(&self, user: &str) -> Result<bool, StoreError> {
        Ok(self.change()?.remove(user).is_some())
    }
}

const LIMIT: usize = 150;
const USER: &str = "semrush/default";

fn stored(memory: &Memory) -> Option<Vec<u8>> {
    read(memory, USER).unwrap().map(|record| record.to_vec())
}

#[test]
fn a_killed_writer_leaves_the_old_record_or_the_new_one() {
    let (small, large, huge) = (vec![b's'; 100], vec![b'l'; 400], vec![b'h'; 900]);
    for (old, new) in [
        (&small, &large),
        (&large, &small),
        (&large, &huge),
        (&huge, &large),
    ] {
        for calls in 0.. {
            let memory = Memory::new();
            write(&memory, USER, old, LIMIT).unwrap();
            memory.calls_left.set(calls);
            let killed = write(&memory, USER, new, LIMIT).is_err();
            memory.calls_left.set(usize::MAX);
            let now = stored(&memory).unwrap();
            assert!(now == *new || (killed && now == *old), "after {calls}");

            // Whoever comes next finds nothing in the way, and a logout leaves nothing.
            write(&memory, USER, &large, LIMIT).unwrap();
            assert_eq!(stored(&memory).as_ref(), Some(&large));
            assert!(delete(&memory, USER).unwrap());
            assert!(memory.entries.borrow().is_empty(), "after {calls}");
            if !killed {
                break;
            }
        }
    }
}

#[test]
fn a_write_leaves_no_part_that_is_not_its_own() {
    let memory = Memory::new();
    for len in [900, 400, 100, 600, 500] {
        let record = vec![b'x'; len];
        write(&memory, USER, &record, LIMIT).unwrap();
        let parts = split(&record, LIMIT, Slot::A).unwrap().parts.len();
        assert_eq!(memory.entries.borrow().len(), parts + 1);
        assert_eq!(stored(&memory), Some(record));
    }
}

#[test]
fn a_killed_logout_can_be_repeated() {
    for calls in 0.. {
        let memory = Memory::new();
        write(&memory, USER, &[b'x'; 900], LIMIT).unwrap();
        memory.calls_left.set(calls);
        let killed = delete(&memory, USER).is_err();
        memory.calls_left.set(usize::MAX);
        assert_eq!(delete(&memory, USER).unwrap(), killed);
        assert!(memory.entries.borrow().is_empty());
        if !killed {
            break;
        }
    }
}
