//! A record in a keyring's entries: in one, or over several where it is larger than an entry may be.
//!
//! The head entry, under the account's own name, holds a header line and the first bytes; the other parts lie under
//! names made of the account's and a slot, `a` or `b`. A new record goes into the slot that the old one does not use,
//! and its head is written last: a writer that is killed leaves the old record whole. What it left in the other slot is
//! overwritten by the next such write, or removed with the record.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::store::StoreError;
use crate::text::hex;

/// Secrets by the names of their users.
pub(super) trait Entries {
    fn get(&self, user: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;
    fn set(&self, user: &str, secret: &[u8]) -> Result<(), StoreError>;
    /// Says whether there was something.
    fn remove(&self, user: &str) -> Result<bool, StoreError>;
}

/// The record of this user.
///
/// # Errors
/// What the entries answer; [`StoreError::Corrupt`] where the parts make no record.
pub(super) fn read(
    entries: &impl Entries,
    user: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let Some(entry) = entries.get(user)? else {
        return Ok(None);
    };
    let Some(head) = parse_head(&entry).map_err(|flaw| StoreError::corrupt(user, flaw))? else {
        return Ok(Some(entry));
    };
    let part = |number| {
        let part = entries.get(&head.slot.part_user(user, number))?;
        part.ok_or_else(|| StoreError::corrupt(user, "one of its parts is missing"))
    };
    let parts = (2..=head.count).map(part).collect::<Result<Vec<_>, _>>()?;
    let record = head
        .join(&parts)
        .map_err(|flaw| StoreError::corrupt(user, flaw))?;
    Ok(Some(record))
}

/// Writes the record where an entry may have `limit` bytes.
///
/// # Errors
/// What the entries answer; [`StoreError::TooLarge`].
pub(super) fn write(
    entries: &impl Entries,
    user: &str,
    record: &[u8],
    limit: usize,
) -> Result<(), StoreError> {
    let old = entries.get(user)?;
    // A head that cannot be read is about to be replaced, so nothing of it has to be spared.
    let old_slot = old.and_then(|entry| parse_head(&entry).ok().flatten().map(|head| head.slot));
    let slot = old_slot.map_or(Slot::A, Slot::other);
    let Split { head, parts } = split(record, limit, slot)?;
    for (number, part) in (2..).zip(&parts) {
        entries.set(&slot.part_user(user, number), part)?;
    }
    entries.set(user, &head)?;
    if old_slot.is_some() || !parts.is_empty() {
        remove_parts(entries, user, |of, number| {
            of == slot && number <= parts.len() + 1
        })?;
    }
    Ok(())
}

/// Deletes the record, parts first: a logout that is killed leaves a head that says so, and no part that nothing points
/// to. Says whether there was something.
///
/// # Errors
/// What the entries answer.
pub(super) fn delete(entries: &impl Entries, user: &str) -> Result<bool, StoreError> {
    remove_parts(entries, user, |_, _| false)?;
    entries.remove(user)
}

/// Removes every part but those that are spared, whatever holes a killed process left between them.
fn remove_parts(
    entries: &impl Entries,
    user: &str,
    spared: impl Fn(Slot, usize) -> bool,
) -> Result<(), StoreError> {
    for slot in [Slot::A, Slot::B] {
        for number in (2..=MAX_PARTS).filter(|number| !spared(slot, *number)) {
            entries.remove(&slot.part_user(user, number))?;
        }
    }
    Ok(())
}

/// What a head begins with; JSON, which a record that was not split is, never begins so.
const MAGIC: &str = "seo-auth split 1 ";

/// Sixteen parts hold 40 kB on Windows: more than any token, and few enough to be written in one deadline.
const MAX_PARTS: usize = 16;

/// Where the parts of a record lie; the two take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    A,
    B,
}

impl Slot {
    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The keyring user of part `number`, of which the head is the first: `semrush/default#2a`.
    fn part_user(self, user: &str, number: usize) -> String {
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
struct Split {
    head: Zeroizing<Vec<u8>>,
    /// Part 2 and on.
    parts: Vec<Zeroizing<Vec<u8>>>,
}

/// What a head says of the parts that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head<'a> {
    slot: Slot,
    /// Of all entries, the head among them.
    count: usize,
    digest: &'a str,
    first: &'a [u8],
}

/// Cuts a record into entries of at most `limit` bytes. One that fits stays as it is.
///
/// # Errors
/// [`StoreError::TooLarge`] where it would take too many.
fn split(record: &[u8], limit: usize, slot: Slot) -> Result<Split, StoreError> {
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
fn parse_head(entry: &[u8]) -> Result<Option<Head<'_>>, &'static str> {
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
    fn join(&self, parts: &[Zeroizing<Vec<u8>>]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
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
    hex(&Sha256::digest(record))
}

#[cfg(test)]
mod tests;
