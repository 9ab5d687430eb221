//! Secrets: a type for each kind, so that none can be taken for another or be printed by accident.
//!
//! A [`Secret`] has no `Display` and no `Serialize`, its `Debug` says `[redacted]`, equality takes constant time, and its
//! memory is wiped when it is dropped. [`Secret::expose`] marks each place where the text crosses that boundary; searching
//! the tree for it lists them all.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret text of the kind `K`.
pub struct Secret<K> {
    text: Zeroizing<String>,
    kind: PhantomData<fn() -> K>,
}

/// The kinds of secrets; never instantiated.
pub mod kind {
    pub enum AccessToken {}
    pub enum RefreshToken {}
    pub enum ClientSecret {}
    pub enum DeviceCode {}
    pub enum AuthorizationCode {}
    pub enum CodeVerifier {}
    pub enum State {}
    pub enum StoreKey {}
    pub enum PrivateKey {}
}

/// An access token, RFC 6749 §1.4.
pub type AccessToken = Secret<kind::AccessToken>;
/// A refresh token, RFC 6749 §1.5.
pub type RefreshToken = Secret<kind::RefreshToken>;
/// A client's password, RFC 6749 §2.3.1.
pub type ClientSecret = Secret<kind::ClientSecret>;
/// The code that a device polls with, RFC 8628 §3.2 (the *user* code is not secret).
pub type DeviceCode = Secret<kind::DeviceCode>;
/// An authorization code, RFC 6749 §4.1.2.
pub type AuthorizationCode = Secret<kind::AuthorizationCode>;
/// The PKCE verifier, RFC 7636 §4.1.
pub type CodeVerifier = Secret<kind::CodeVerifier>;
/// The anti-forgery value of one authorization request, RFC 6749 §10.12.
pub type State = Secret<kind::State>;
/// The key of the sealed file as a user gives it: a text that holds 32 bytes.
pub type StoreKey = Secret<kind::StoreKey>;

/// The key by which a service account signs, in PEM form.
pub type PrivateKey = Secret<kind::PrivateKey>;

impl<K> Secret<K> {
    /// Takes the text over; the caller's copy is moved, not cloned.
    pub fn new(text: String) -> Self {
        Self {
            text: Zeroizing::new(text),
            kind: PhantomData,
        }
    }

    /// The one parser of tokens that people hand over (RFC 6749 §A.12, §A.17); without the space, which no provider uses and every
    /// page that was taken for a token has.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let value = client_value(text)?;
        let scheme = value.get(..7).unwrap_or_default();
        match value.contains(' ') {
            _ if scheme.eq_ignore_ascii_case("bearer ") => Err(Flaw::Bearer),
            true => Err(Flaw::Character(' ')),
            false => Ok(Self::new(value.to_owned())),
        }
    }

    /// The text itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

/// Why a value that somebody handed over can't be one. Its text says nothing of the value but a character that can't be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("it is empty")]
    Empty,
    /// The header's scheme was copied together with the token.
    #[error("it starts with `Bearer `")]
    Bearer,
    #[error("it has quotes around it")]
    Quoted,
    #[error("{}", told(*.0))]
    Character(char),
}

fn told(c: char) -> String {
    match c {
        ' ' => "it contains a space".to_owned(),
        c if c.is_ascii_control() || !c.is_ascii() => {
            format!("it contains `{}`, which is not allowed", c.escape_default())
        }
        _ => "it contains a character that is not allowed".to_owned(),
    }
}

/// A value as people hand it over, without what editors, shells and clipboards put around it: white space, and a byte order
/// mark.
pub fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// The one reading of a setting that is handed over by variable: a single line, and no quotes that a shell did not take off.
///
/// # Errors
/// What is wrong with it.
pub fn setting(text: &str) -> Result<&str, Flaw> {
    let value = bare(text);
    let quoted =
        |quote: char| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    match value.chars().find(|c| c.is_control()) {
        _ if value.is_empty() => Err(Flaw::Empty),
        _ if quoted('"') || quoted('\'') => Err(Flaw::Quoted),
        Some(control) => Err(Flaw::Character(control)),
        None => Ok(value),
    }
}

/// A client's id or password (RFC 6749 §A.1, §A.2): a [`setting`] of VSCHAR, `%x20-7E`.
///
/// # Errors
/// What is wrong with it.
pub fn client_value(text: &str) -> Result<&str, Flaw> {
    let value = setting(text)?;
    match value.chars().find(|c| !matches!(c, ' '..='~')) {
        Some(c) => Err(Flaw::Character(c)),
        None => Ok(value),
    }
}

impl AccessToken {
    /// Whether it is one by RFC 6749 §A.12: VSCHAR, `%x20-7E`.
    pub fn is_vschar(&self) -> bool {
        let text = self.expose();
        !text.is_empty() && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
    }
}

impl<K> Clone for Secret<K> {
    fn clone(&self) -> Self {
        Self {
            text: self.text.clone(),
            kind: PhantomData,
        }
    }
}

impl<K> Default for Secret<K> {
    fn default() -> Self {
        Self::new(String::new())
    }
}

impl<K> fmt::Debug for Secret<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<K> PartialEq for Secret<K> {
    /// Constant time for texts of equal length; the length itself is no secret in OAuth.
    fn eq(&self, other: &Self) -> bool {
        self.text.as_bytes().ct_eq(other.text.as_bytes()).into()
    }
}

impl<K> Eq for Secret<K> {}

impl<'de, K> Deserialize<'de> for Secret<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// For `#[serde(serialize_with)]`, where a record that is about to be sealed or asked for by name holds a secret.
///
/// # Errors
/// What the serializer answers.
pub fn serialize_exposed<K, S: Serializer>(
    secret: &Secret<K>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// [`serialize_exposed`] for a secret that may be absent.
///
/// # Errors
/// What the serializer answers.
pub fn serialize_exposed_option<K, S: Serializer>(
    secret: &Option<Secret<K>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => serializer.serialize_some(secret.expose()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        let shown = format!("{:?}", Some(AccessToken::new("planted-secret".into())));
        assert_eq!(shown, "Some([redacted])");
    }

    #[test]
    fn what_stands_around_a_value_is_left_out_or_told() {
        for good in ["abc", " abc\r\n", "\u{feff}abc\n", "\n\u{feff} abc\u{a0}"] {
            assert_eq!(
                AccessToken::parse(good).unwrap().expose(),
                "abc",
                "{good:?}"
            );
            assert_eq!(setting(good), Ok("abc"), "{good:?}");
        }
        for (bad, flaw) in [
            ("", Flaw::Empty),
            (" \r\n\u{feff}", Flaw::Empty),
            ("\"abc\"\n", Flaw::Quoted),
            ("'abc'", Flaw::Quoted),
            ("Bearer abc", Flaw::Bearer),
            ("bearer abc", Flaw::Bearer),
            ("two words", Flaw::Character(' ')),
            ("a\rb", Flaw::Character('\r')),
            ("a\u{200b}b", Flaw::Character('\u{200b}')),
            ("ä", Flaw::Character('ä')),
        ] {
            assert_eq!(AccessToken::parse(bad), Err(flaw), "{bad:?}");
        }
        assert!(Flaw::Character('\r').to_string().contains("`\\r`"));
        assert_eq!(client_value("a b"), Ok("a b"), "RFC 6749 §A.2");
    }

    #[test]
    fn equality_compares_the_text() {
        assert_eq!(State::new("a".into()), State::new("a".into()));
        assert_ne!(State::new("a".into()), State::new("b".into()));
        assert_ne!(State::new("a".into()), State::new("ab".into()));
    }

    #[test]
    fn what_would_begin_a_second_line_is_no_token() {
        for text in ["", "a\nb", "a\r", "a\0", "\u{7f}", "a\u{85}b", "ä"] {
            assert!(!AccessToken::new(text.to_owned()).is_vschar(), "{text:?}");
            assert!(AccessToken::parse(&format!("x{text}y")).is_err() || text.is_empty());
        }
        assert!(AccessToken::new("a b".to_owned()).is_vschar());
    }
}
