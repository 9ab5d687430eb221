//! The key of the sealed file: where it comes from, and what is accepted as one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::paths::create_private_dir;
use crate::secret::StoreKey;
use crate::store::{StoreError, private};

/// 32 bytes, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; KEY_LEN]>;

/// XChaCha20-Poly1305 takes a key of 256 bits.
const KEY_LEN: usize = 32;

/// Longer than any text of a key with white space around it; more is no key.
const MAX_KEY_FILE: usize = 256;

/// Where the key comes from.
#[derive(Debug)]
pub enum KeySource {
    /// `SEO_AUTH_KEY`: the text itself.
    Text(StoreKey),
    /// `SEO_AUTH_KEY_FILE`: a file that must exist.
    File(PathBuf),
    /// A file of our own, made with a random key by the first write, and never by a read.
    Generated(PathBuf),
}

impl KeySource {
    /// The key; `None` where a generated one does not exist yet.
    pub(super) fn read(&self) -> Result<Option<Key>, StoreError> {
        let (path, is_ours) = match self {
            Self::Text(text) => {
                let key = parse(text.expose().as_bytes());
                return key
                    .map(Some)
                    .map_err(|reason| bad_key("SEO_AUTH_KEY", reason));
            }
            Self::File(path) => (path, false),
            Self::Generated(path) => (path, true),
        };
        match File::open(path).and_then(|mut file| read_bounded(&mut file)) {
            // Made by a writer that was killed, or is just about to fill it.
            Ok(content) if is_ours && content.is_empty() => Ok(None),
            Ok(content) => key_of(path, &content).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match is_ours {
                true => Ok(None),
                false => Err(bad_key(&path.display(), "there is no such file")),
            },
            Err(error) => Err(StoreError::io(path)(error)),
        }
    }

    /// The key, generated where that is this source's way and there is none yet.
    pub(super) fn read_or_generate(&self) -> Result<Key, StoreError> {
        match (self.read()?, self) {
            (Some(key), _) => Ok(key),
            (None, Self::Generated(path)) => generate(path),
            (None, _) => Err(bad_key(&"the key", "there is none")),
        }
    }

    /// The file that a generated key lies in.
    pub(super) fn generated_file(&self) -> Option<&Path> {
        match self {
            Self::Generated(path) => Some(path),
            _ => None,
        }
    }
}

/// Fills the key file under its own lock, so that two first logins at once, even with different state folders, end with
/// one key. A file that a killed writer left empty is filled; one with content is never touched.
fn generate(path: &Path) -> Result<Key, StoreError> {
    let failed = StoreError::io(path);
    let dir = path.parent().unwrap_or(Path::new(""));
    create_private_dir(dir).map_err(&failed)?;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    let mut file = private::open(&options, path).map_err(&failed)?;
    file.lock().map_err(&failed)?;
    let present = read_bounded(&mut file).map_err(&failed)?;
    if !present.is_empty() {
        return key_of(path, &present);
    }
    let mut key = Key::default();
    SysRng
        .try_fill_bytes(key.as_mut())
        .map_err(|error| failed(io::Error::other(error)))?;
    // One write: a process that is killed leaves all of it or nothing.
    let text = Zeroizing::new(format!("{}\n", LENIENT_STANDARD.encode(*key)));
    private::keep(&file, path)
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| private::sync_dir(dir))
        .map_err(&failed)?;
    Ok(key)
}

/// One read call, into memory that is wiped.
fn read_bounded(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(vec![0; MAX_KEY_FILE + 1]);
    let len = file.read(&mut content)?;
    content.truncate(len);
    Ok(content)
}

fn key_of(path: &Path, content: &[u8]) -> Result<Key, StoreError> {
    let key = match <[u8; KEY_LEN]>::try_from(content) {
        Ok(raw) => Ok(Zeroizing::new(raw)),
        Err(_) => parse(content),
    };
    key.map_err(|reason| bad_key(&path.display(), reason))
}

fn bad_key(from: &(impl std::fmt::Display + ?Sized), reason: impl Into<String>) -> StoreError {
    StoreError::BadKey {
        from: from.to_string(),
        reason: reason.into(),
    }
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const LENIENT_STANDARD: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const LENIENT_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// 64 hexadecimal digits, or base64 (standard or URL-safe, padded or not) of 32 bytes; white space around is ignored.
///
/// # Errors
/// What is wrong, in a clause that repeats nothing of the text.
fn parse(text: &[u8]) -> Result<Key, String> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if text.len() > MAX_KEY_FILE {
        return Err("it is too long".into());
    }
    if text.len() == 2 * KEY_LEN
        && let Some(key) = from_hex(text)
    {
        return Ok(key);
    }
    let decoded = LENIENT_STANDARD
        .decode(text)
        .or_else(|_| LENIENT_URL_SAFE.decode(text))
        .map(Zeroizing::new)
        .map_err(|_| "it is neither base64 nor 64 hexadecimal digits".to_owned())?;
    let bytes = <[u8; KEY_LEN]>::try_from(decoded.as_slice());
    bytes
        .map(Zeroizing::new)
        .map_err(|_| format!("it has {} bytes instead of {KEY_LEN}", decoded.len()))
}

fn from_hex(text: &[u8]) -> Option<Key> {
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut key = Key::default();
    for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const BYTES: [u8; 32] = [0xfb; 32];

    fn text(text: &str) -> KeySource {
        KeySource::Text(StoreKey::new(text.into()))
    }

    #[test]
    fn every_usual_spelling_is_a_key() {
        for spelling in [
            "fb".repeat(32),
            "FB".repeat(32),
            LENIENT_STANDARD.encode(BYTES),
            LENIENT_URL_SAFE.encode(BYTES),
            LENIENT_STANDARD.encode(BYTES).replace('=', ""),
            LENIENT_URL_SAFE.encode(BYTES).replace('=', ""),
            format!(" \t{}\r\n", LENIENT_STANDARD.encode(BYTES)),
        ] {
            let key = text(&spelling).read().unwrap().unwrap();
            assert_eq!(*key, BYTES, "{spelling}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_repeating_it() {
        for wrong in [
            "",
            "  \n",
            "hunter2",
            "not base64!",
            "fbfbfb",
            &"fb".repeat(33),
            &"g".repeat(64),
            &"A".repeat(1000),
        ] {
            let error = text(wrong).read().unwrap_err();
            assert!(matches!(error, StoreError::BadKey { .. }), "{wrong}");
            let told = error.to_string();
            assert!(wrong.trim().is_empty() || !told.contains(wrong), "{told}");
        }
    }

    #[test]
    fn a_key_file_may_hold_the_raw_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, BYTES).unwrap();
        assert_eq!(*KeySource::File(path).read().unwrap().unwrap(), BYTES);
        let missing = KeySource::File(dir.path().join("missing")).read();
        assert!(matches!(missing, Err(StoreError::BadKey { .. })));
    }

    #[test]
    fn a_generated_key_is_made_by_a_write_only_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config/key");
        let source = KeySource::Generated(path.clone());
        assert!(source.read().unwrap().is_none());
        assert!(!path.exists());
        // What a writer leaves that was killed before its first byte.
        fs::create_dir(dir.path().join("config")).unwrap();
        fs::write(&path, b"").unwrap();
        let key = source.read_or_generate().unwrap();
        assert_eq!(*source.read_or_generate().unwrap(), *key);
        assert_eq!(*source.read().unwrap().unwrap(), *key);
    }

    #[test]
    fn first_writers_at_once_end_with_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let keys: Vec<Key> = std::thread::scope(|scope| {
            let make = || {
                KeySource::Generated(path.clone())
                    .read_or_generate()
                    .unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| **key == *keys[0]));
    }
}
