//! A record that is larger than a keyring's entry, over several entries.
//!
//! The head entry, under the account's own name, holds a header line and the first bytes; the other parts lie under
//! names made of the account's and a slot, `a` or `b`. A new record goes into the slot that the old one does not use,
//! and its head is written last: a writer that is killed leaves the old record whole.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::store::StoreError;

/// What a head begins with; JSON, which a record that was not split is, never begins so.
const MAGIC: &str = "seo-auth split 1 ";

/// Sixteen parts hold 40 kB on Windows: more than any token, and few enough to be written in one deadline.
const MAX_PARTS: usize = 16;

/// Where the parts of a record lie; the two take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    A,
    B,
}

impl Slot {
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The keyring user of part `number`, of which the head is the first: `semrush/default#2a`.
    pub(super) fn part_user(self, user: &str, number: usize) -> String {
        format!("{user}#{number}{}", self.letter())
    }

    fn letter(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
        }
    }
}

/// A record, ready to be written.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) head: Zeroizing<Vec<u8>>,
    /// Part 2 and on.
    pub(super) parts: Vec<Zeroizing<Vec<u8>>>,
}

/// What a head says of the parts that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) slot: Slot,
    /// Of all entries, the head among them.
    pub(super) count: usize,
    digest: &'a str,
    first: &'a [u8],
}

/// Cuts a record into entries of at most `limit` bytes. One that fits stays as it is.
///
/// # Errors
/// [`StoreError::TooLarge`] where it would take too many.
pub(super) fn split(record: &[u8], limit: usize, slot: Slot) -> Result<Split, StoreError> {
    if record.len() <= limit {
        return Ok(Split {
            head: Zeroizing::new(record.to_vec()),
            parts: Vec::new(),
        });
    }
    let too_large = || StoreError::TooLarge {
        size: record.len(),
        limit: (limit * MAX_PARTS).saturating_sub(header(slot, MAX_PARTS, record).len()),
    };
    // The header's length does not depend on the count, which has two digits always.
    let first_len = limit
        .checked_sub(header(slot, 0, record).len())
        .ok_or_else(too_large)?;
    let (first, rest) = record.split_at_checked(first_len).ok_or_else(too_large)?;
    let parts: Vec<_> = rest
        .chunks(limit.max(1))
        .map(|part| Zeroizing::new(part.to_vec()))
        .collect();
    let count = parts.len() + 1;
    if count > MAX_PARTS {
        return Err(too_large());
    }
    let mut head = Zeroizing::new(header(slot, count, record).into_bytes());
    head.extend_from_slice(first);
    Ok(Split { head, parts })
}

/// Reads a head; `None` where the entry is a whole record.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_head(entry: &[u8]) -> Result<Option<Head<'_>>, &'static str> {
    const BROKEN: &str = "the header of its first part is broken";
    let Some(rest) = entry.strip_prefix(MAGIC.as_bytes()) else {
        return Ok(None);
    };
    let end = rest.iter().position(|&b| b == b'\n').ok_or(BROKEN)?;
    let line = std::str::from_utf8(&rest[..end]).map_err(|_| BROKEN)?;
    let mut words = line.split(' ');
    let (Some(slot), Some(count), Some(digest), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(BROKEN);
    };
    let slot = match slot {
        "a" => Slot::A,
        "b" => Slot::B,
        _ => return Err(BROKEN),
    };
    let count = count.parse().map_err(|_| BROKEN)?;
    if !(2..=MAX_PARTS).contains(&count) {
        return Err(BROKEN);
    }
    Ok(Some(Head {
        slot,
        count,
        digest,
        first: &rest[end + 1..],
    }))
}

impl Head<'_> {
    /// Puts the record together again.
    ///
    /// # Errors
    /// The parts are not those that the head was written with.
    pub(super) fn join(
        &self,
        parts: &[Zeroizing<Vec<u8>>],
    ) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        // Sized beforehand: a vector that grows leaves copies behind.
        let len = self.first.len() + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut record = Zeroizing::new(Vec::with_capacity(len));
        record.extend_from_slice(self.first);
        for part in parts {
            record.extend_from_slice(part);
        }
        if parts.len() + 1 == self.count && digest(&record) == self.digest {
            Ok(record)
        } else {
            Err("its parts do not belong together")
        }
    }
}

fn header(slot: Slot, count: usize, record: &[u8]) -> String {
    format!("{MAGIC}{} {count:02} {}\n", slot.letter(), digest(record))
}

fn digest(record: &[u8]) -> String {
    Sha256::digest(record)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
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
}
