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

impl<K> Secret<K> {
    /// Takes the text over; the caller's copy is moved, not cloned.
    pub fn new(text: String) -> Self {
        Self {
            text: Zeroizing::new(text),
            kind: PhantomData,
        }
    }

    /// The text itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.text
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
    fn equality_compares_the_text() {
        assert_eq!(State::new("a".into()), State::new("a".into()));
        assert_ne!(State::new("a".into()), State::new("b".into()));
        assert_ne!(State::new("a".into()), State::new("ab".into()));
    }
}
