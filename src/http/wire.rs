//! The RFCs' answers as they arrive, read as leniently as real servers need and no more.
//!
//! Whoever sends JSON decides by its body: `error` is an error and `access_token` a token, whatever the status says, since
//! servers disagree about the status of `authorization_pending`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::secret::{AccessToken, DeviceCode, RefreshToken};

/// RFC 6749 §5.1.
#[derive(Debug, Deserialize)]
pub struct TokenResponse {
    /// The token.
    #[serde(deserialize_with = "visible_access_token")]
    pub access_token: AccessToken,
    /// As the server wrote it; RFC 6749 §7.1 wants it, and some leave it out.
    #[serde(default = "bearer")]
    pub token_type: String,
    /// Lifetime in seconds; a number or a number in quotes.
    #[serde(default, deserialize_with = "lenient_seconds")]
    pub expires_in: Option<u64>,
    /// A new refresh token, where one was issued.
    #[serde(default, deserialize_with = "non_empty_refresh_token")]
    pub refresh_token: Option<RefreshToken>,
    /// What was granted; `None` where the server was silent: just what was asked for.
    #[serde(default, deserialize_with = "scope_list")]
    pub scope: Option<Vec<String>>,
}

/// RFC 8628 §3.2.
#[derive(Debug, Deserialize)]
pub struct DeviceAuthorizationResponse {
    /// What we poll with.
    pub device_code: DeviceCode,
    /// What the user compares or types.
    pub user_code: String,
    /// Where the user goes; early servers call it `verification_url`.
    #[serde(alias = "verification_url")]
    pub verification_uri: String,
    /// The same with the code inside.
    #[serde(default, alias = "verification_url_complete")]
    pub verification_uri_complete: Option<String>,
    /// Lifetime of the codes in seconds. Required by the RFC, left out by some.
    #[serde(default, deserialize_with = "lenient_seconds")]
    pub expires_in: Option<u64>,
    /// Seconds between two polls.
    #[serde(default, deserialize_with = "lenient_seconds")]
    pub interval: Option<u64>,
}

/// RFC 6749 §5.2. Its texts come from outside: they are cleaned before a terminal sees them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ErrorResponse {
    /// The code.
    pub error: String,
    /// A sentence for developers.
    #[serde(default)]
    pub error_description: Option<String>,
}

/// What an answer of a token or device authorization endpoint turned out to be.
#[derive(Debug)]
pub enum Answer<T> {
    /// What was asked for.
    Success(T),
    /// An error of RFC 6749 §5.2 or RFC 8628 §3.5.
    Refused(ErrorResponse),
    /// Nothing that the RFCs know: HTML, an empty body, cut JSON.
    Unreadable,
}

/// Reads the answer to a request with this status and body.
pub fn read<T: for<'de> Deserialize<'de>>(status: u16, body: &[u8]) -> Answer<T> {
    if let Ok(refused) = serde_json::from_slice::<ErrorResponse>(body) {
        return Answer::Refused(refused);
    }
    match serde_json::from_slice(body) {
        Ok(success) if (200..300).contains(&status) => Answer::Success(success),
        _ => Answer::Unreadable,
    }
}

fn bearer() -> String {
    "Bearer".to_owned()
}

/// A number, a number in quotes, or nothing usable; an odd lifetime must not cost a login.
fn lenient_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Whole(u64),
        Fraction(f64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    // A fraction is cut, a negative or absurd number saturates: `as` does both.
    let from_fraction = |seconds: f64| seconds as u64;
    Ok(match Option::<Seconds>::deserialize(deserializer)? {
        Some(Seconds::Whole(seconds)) => Some(seconds),
        Some(Seconds::Fraction(seconds)) => Some(from_fraction(seconds)),
        Some(Seconds::Text(text)) => text.trim().parse::<f64>().ok().map(from_fraction),
        Some(Seconds::Other(_)) | None => None,
    })
}

/// RFC 6749 appendix A.12: one or more visible ASCII characters or spaces. A line break in it would be a second line for
/// whoever reads `token print`.
fn visible_access_token<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<AccessToken, D::Error> {
    let token = AccessToken::deserialize(deserializer)?;
    let text = token.expose();
    let is_visible = |byte: u8| (b' '..=b'~').contains(&byte);
    if text.trim().is_empty() || !text.bytes().all(is_visible) {
        return Err(D::Error::custom("no access token"));
    }
    Ok(token)
}

fn non_empty_refresh_token<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<RefreshToken>, D::Error> {
    let token = Option::<RefreshToken>::deserialize(deserializer)?;
    Ok(token.filter(|token| !token.expose().is_empty()))
}

/// A text with spaces (RFC 6749 §3.3) or commas (Semrush), or a list.
fn scope_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scope {
        Text(String),
        List(Vec<String>),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Scope>::deserialize(deserializer)? {
        Some(Scope::Text(text)) => Some(split_scope(&text)),
        Some(Scope::List(list)) => Some(list),
        Some(Scope::Other(_)) | None => None,
    })
}

/// The scopes in a text, whichever separator it has.
pub fn split_scope(text: &str) -> Vec<String> {
    text.split([' ', ','])
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(body: &str) -> TokenResponse {
        match read(200, body.as_bytes()) {
            Answer::Success(token) => token,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lifetimes_come_as_numbers_and_as_texts() {
        for (body, seconds) in [
            (r#"{"access_token":"a","expires_in":3600}"#, Some(3600)),
            (r#"{"access_token":"a","expires_in":"3600"}"#, Some(3600)),
            (r#"{"access_token":"a","expires_in":3599.9}"#, Some(3599)),
            (r#"{"access_token":"a","expires_in":-5}"#, Some(0)),
            (r#"{"access_token":"a","expires_in":null}"#, None),
            (r#"{"access_token":"a","expires_in":[]}"#, None),
            (r#"{"access_token":"a"}"#, None),
        ] {
            assert_eq!(token(body).expires_in, seconds, "{body}");
        }
    }

    #[test]
    fn scopes_come_with_spaces_commas_and_as_lists() {
        for body in [
            r#"{"access_token":"a","scope":"x y"}"#,
            r#"{"access_token":"a","scope":"x,y"}"#,
            r#"{"access_token":"a","scope":["x","y"]}"#,
        ] {
            assert_eq!(
                token(body).scope,
                Some(vec!["x".to_owned(), "y".to_owned()]),
                "{body}"
            );
        }
        assert_eq!(token(r#"{"access_token":"a"}"#).scope, None);
    }

    #[test]
    fn an_empty_refresh_token_is_none() {
        assert!(
            token(r#"{"access_token":"a","refresh_token":""}"#)
                .refresh_token
                .is_none()
        );
        assert!(
            token(r#"{"access_token":"a","refresh_token":null}"#)
                .refresh_token
                .is_none()
        );
    }

    #[test]
    fn the_body_decides_between_error_and_token() {
        let pending = br#"{"error":"authorization_pending"}"#;
        for status in [200, 400, 428] {
            assert!(
                matches!(read::<TokenResponse>(status, pending), Answer::Refused(e) if e.error == "authorization_pending")
            );
        }
    }

    #[test]
    fn what_no_rfc_knows_is_unreadable() {
        for (status, body) in [
            (200, "<html>welcome to the airport</html>"),
            (200, ""),
            (200, r#"{"access_token":"a"#),
            (200, r#"{"error":42}"#),
            (200, r#"{"access_token":""}"#),
            (200, r#"{"access_token":"a\nb"}"#),
            (500, r#"{"access_token":"a"}"#),
        ] {
            assert!(
                matches!(
                    read::<TokenResponse>(status, body.as_bytes()),
                    Answer::Unreadable
                ),
                "{body}"
            );
        }
    }
}
