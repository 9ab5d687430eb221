//! The format of the sealed file, without any file: bytes in, bytes out.
//!
//! ```text
//! magic      "seo-auth sealed 1\n"
//! nonce      24 bytes  } of the directory's seal: XChaCha20-Poly1305 of nothing,
//! tag        16 bytes  } with magic and directory as associated data
//! size       u32       of the directory in bytes
//! directory  for each record: u8 length of its name, name, u32 length of its sealed bytes
//! records    for each, in the same order: nonce (24), ciphertext, tag (16)
//! ```
//!
//! Numbers are little-endian. A record's associated data are magic and name, so it cannot be passed off as another
//! account's. The directory's seal tells a wrong key at once, and a cut, lengthened or rearranged file from a whole one.

use std::collections::BTreeMap;
use std::ops::Range;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::store::key::Key;

/// Names the format; the number is raised when an older version could no longer read what is written.
const MAGIC: &[u8] = b"seo-auth sealed 1\n";
/// What every version of the format begins with.
const FAMILY: &[u8] = b"seo-auth sealed ";
const NONCE: usize = 24;
const TAG: usize = 16;
/// Where the directory begins.
const HEAD: usize = MAGIC.len() + NONCE + TAG + 4;

/// Why a file cannot be read; the words for it.
pub(super) type Flaw = &'static str;

pub(super) const WRONG_KEY: Flaw = "it was sealed with another key, or changed";
const NOT_OURS: Flaw = "it is not a sealed file of seo-auth";
const NEWER: Flaw = "it was created by a newer version of seo-auth";
const CUT: Flaw = "it is incomplete or was changed";

/// A whole file whose directory is proven to be what was written.
#[derive(Debug)]
pub(super) struct Sealed {
    bytes: Vec<u8>,
    records: BTreeMap<String, Range<usize>>,
}

impl Sealed {
    /// A file without records.
    pub(super) fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            records: BTreeMap::new(),
        }
    }

    /// Reads the directory. Whatever the bytes are, the answer is what was sealed, or a flaw.
    pub(super) fn parse(bytes: Vec<u8>, key: &Key) -> Result<Self, Flaw> {
        if !bytes.starts_with(MAGIC) {
            return Err(if bytes.starts_with(FAMILY) {
                NEWER
            } else {
                NOT_OURS
            });
        }
        let mut rest = Reader(&bytes[MAGIC.len()..]);
        let nonce = rest.take(NONCE)?;
        let tag = rest.take(TAG)?;
        let size = rest.length()?;
        let directory = rest.take(size)?;
        check_directory(key, nonce, tag, directory)?;
        let records = read_directory(directory, HEAD + size, bytes.len())?;
        Ok(Self { bytes, records })
    }

    /// The names of the records, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// A record as it is stored, which is its version, too.
    pub(super) fn record(&self, name: &str) -> Option<&[u8]> {
        let range = self.records.get(name)?;
        self.bytes.get(range.clone())
    }

    /// What the record holds.
    pub(super) fn open(&self, name: &str, key: &Key) -> Result<Option<Zeroizing<Vec<u8>>>, Flaw> {
        let Some(mut rest) = self.record(name).map(Reader) else {
            return Ok(None);
        };
        let nonce = rest.take(NONCE)?;
        let text_len = rest.0.len().checked_sub(TAG).ok_or(CUT)?;
        let mut text = Zeroizing::new(rest.take(text_len)?.to_vec());
        let tag = Tag::try_from(rest.0).map_err(|_| CUT)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| CUT)?;
        cipher(key)
            .decrypt_inout_detached(&nonce, &associated(name), text.as_mut_slice().into(), &tag)
            .map_err(|_| WRONG_KEY)?;
        Ok(Some(text))
    }

    /// The bytes of a file in which `name` holds `sealed` ([`seal`]), or is gone where that is `None`; every other
    /// record stays as it is.
    pub(super) fn with(
        &self,
        name: &str,
        sealed: Option<&[u8]>,
        key: &Key,
    ) -> std::io::Result<Vec<u8>> {
        let mut records: BTreeMap<&str, &[u8]> = BTreeMap::new();
        for (name, range) in &self.records {
            records.insert(name, &self.bytes[range.clone()]);
        }
        match sealed {
            Some(sealed) => records.insert(name, sealed),
            None => records.remove(name),
        };
        write(&records, key)
    }
}

/// Seals what a record shall hold, under a nonce of its own.
pub(super) fn seal(name: &str, text: &[u8], key: &Key) -> std::io::Result<Vec<u8>> {
    let nonce = random_nonce()?;
    let mut sealed = Vec::with_capacity(NONCE + text.len() + TAG);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(text);
    let tag = cipher(key)
        .encrypt_inout_detached(&nonce, &associated(name), (&mut sealed[NONCE..]).into())
        .map_err(|_| too_large())?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

fn write(records: &BTreeMap<&str, &[u8]>, key: &Key) -> std::io::Result<Vec<u8>> {
    let mut directory = Vec::new();
    for (name, sealed) in records {
        directory.push(u8::try_from(name.len()).map_err(|_| too_large())?);
        directory.extend_from_slice(name.as_bytes());
        directory.extend_from_slice(&length_of(sealed)?);
    }
    with_directory(&directory, records.values().copied(), key)
}

/// A file of this directory, under its seal, and these bytes of records.
pub(super) fn with_directory<'a>(
    directory: &[u8],
    records: impl IntoIterator<Item = &'a [u8]>,
    key: &Key,
) -> std::io::Result<Vec<u8>> {
    let nonce = random_nonce()?;
    let tag = cipher(key)
        .encrypt_inout_detached(&nonce, &signed(directory), (&mut [][..]).into())
        .map_err(|_| too_large())?;
    let mut bytes = [MAGIC, &nonce, &tag, &length_of(directory)?, directory].concat();
    for sealed in records {
        bytes.extend_from_slice(sealed);
    }
    Ok(bytes)
}

fn check_directory(key: &Key, nonce: &[u8], tag: &[u8], directory: &[u8]) -> Result<(), Flaw> {
    let nonce = XNonce::try_from(nonce).map_err(|_| CUT)?;
    let tag = Tag::try_from(tag).map_err(|_| CUT)?;
    cipher(key)
        .decrypt_inout_detached(&nonce, &signed(directory), (&mut [][..]).into(), &tag)
        .map_err(|_| WRONG_KEY)
}

/// Where each record lies. The records fill the file from `start` to `end` exactly.
fn read_directory(
    directory: &[u8],
    start: usize,
    end: usize,
) -> Result<BTreeMap<String, Range<usize>>, Flaw> {
    let mut records = BTreeMap::new();
    let mut rest = Reader(directory);
    let mut at = start;
    while !rest.0.is_empty() {
        let name_len = rest.take(1)?[0];
        let name = std::str::from_utf8(rest.take(name_len.into())?).map_err(|_| CUT)?;
        let next = at.checked_add(rest.length()?).ok_or(CUT)?;
        records.insert(name.to_owned(), at..next);
        at = next;
    }
    if at == end { Ok(records) } else { Err(CUT) }
}

/// What the directory's seal covers.
fn signed(directory: &[u8]) -> Vec<u8> {
    [MAGIC, directory].concat()
}

/// A record's associated data.
fn associated(name: &str) -> Vec<u8> {
    [MAGIC, name.as_bytes()].concat()
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key).into())
}

fn random_nonce() -> std::io::Result<XNonce> {
    let mut nonce = XNonce::default();
    SysRng
        .try_fill_bytes(&mut nonce)
        .map_err(std::io::Error::other)?;
    Ok(nonce)
}

fn length_of(bytes: &[u8]) -> std::io::Result<[u8; 4]> {
    u32::try_from(bytes.len())
        .map(u32::to_le_bytes)
        .map_err(|_| too_large())
}

fn too_large() -> std::io::Error {
    std::io::ErrorKind::FileTooLarge.into()
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Flaw> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn length(&mut self) -> Result<usize, Flaw> {
        let bytes = <[u8; 4]>::try_from(self.take(4)?).map_err(|_| CUT)?;
        usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| CUT)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; 32])
    }

    fn file(records: &BTreeMap<String, Vec<u8>>, key: &Key) -> Vec<u8> {
        let mut bytes = Sealed::empty().with("none", None, key).unwrap();
        for (name, text) in records {
            let sealed = seal(name, text, key).unwrap();
            let old = Sealed::parse(bytes, key).unwrap();
            bytes = old.with(name, Some(&sealed), key).unwrap();
        }
        bytes
    }

    fn some_records() -> BTreeMap<String, Vec<u8>> {
        ["a/x", "b/x", "b/y"]
            .map(|name| (name.to_owned(), format!("secret of {name}").into_bytes()))
            .into()
    }

    fn records() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
        let text = proptest::collection::vec(any::<u8>(), 0..200);
        proptest::collection::btree_map("[a-z]{1,8}/[a-z]{1,8}", text, 0..6)
    }

    proptest! {
        #[test]
        fn what_was_sealed_comes_back(records in records()) {
            let sealed = Sealed::parse(file(&records, &key(1)), &key(1)).unwrap();
            prop_assert_eq!(sealed.names().count(), records.len());
            for (name, text) in &records {
                prop_assert_eq!(&*sealed.open(name, &key(1)).unwrap().unwrap(), text);
            }
            prop_assert!(sealed.open("not/there", &key(1)).unwrap().is_none());
        }

        #[test]
        fn bytes_of_any_kind_are_a_flaw(bytes in proptest::collection::vec(any::<u8>(), 0..300), ours: bool) {
            let bytes = if ours { [MAGIC, &bytes].concat() } else { bytes };
            prop_assert!(Sealed::parse(bytes, &key(1)).is_err());
        }
    }

    /// Whatever is read from a damaged file is what was sealed under that name.
    fn yields_nothing_false(bytes: Vec<u8>) -> bool {
        let Ok(sealed) = Sealed::parse(bytes, &key(1)) else {
            return true;
        };
        some_records()
            .iter()
            .all(|(name, text)| match sealed.open(name, &key(1)) {
                Ok(Some(opened)) => *opened == *text,
                Ok(None) => false,
                Err(_) => true,
            })
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let whole = file(&some_records(), &key(1));
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            assert!(yields_nothing_false(bytes), "bit {at}");
        }
    }

    #[test]
    fn no_other_length_is_taken() {
        let whole = file(&some_records(), &key(1));
        for len in 0..whole.len() {
            assert!(
                Sealed::parse(whole[..len].to_vec(), &key(1)).is_err(),
                "{len}"
            );
        }
        assert!(Sealed::parse([whole.as_slice(), b"x"].concat(), &key(1)).is_err());
    }

    #[test]
    fn a_record_cannot_be_passed_off_as_another() {
        let theirs = seal("a/x", b"secret of a/x", &key(1)).unwrap();
        let swapped = Sealed::empty().with("b/x", Some(&theirs), &key(1)).unwrap();
        let swapped = Sealed::parse(swapped, &key(1)).unwrap();
        assert_eq!(swapped.open("b/x", &key(1)).unwrap_err(), WRONG_KEY);
    }

    #[test]
    fn each_flaw_has_its_words() {
        let whole = file(&some_records(), &key(1));
        let flaw = |bytes: &[u8]| Sealed::parse(bytes.to_vec(), &key(2)).unwrap_err();
        assert_eq!(flaw(&whole), WRONG_KEY);
        assert_eq!(flaw(b"seo-auth sealed 2\n..."), NEWER);
        assert_eq!(flaw(b"{}"), NOT_OURS);
        assert_eq!(flaw(&whole[..MAGIC.len() + 3]), CUT);
    }

    #[test]
    fn a_write_keeps_the_other_records_as_they_are() {
        let old = Sealed::parse(file(&some_records(), &key(1)), &key(1)).unwrap();
        let bytes = old.with("a/x", None, &key(1)).unwrap();
        let new = Sealed::parse(bytes, &key(1)).unwrap();
        assert_eq!(new.record("b/y"), old.record("b/y"));
        assert!(new.record("a/x").is_none());
    }
}
