//! The RFCs' answers as they arrive, read as leniently as real servers need and no more.
//!
//! Whoever sends JSON decides by its body: an `error` is an error whatever the status says, since servers disagree about the
//! status of `authorization_pending`; an `access_token` is a token only under a status of success.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::secret::{AccessToken, DeviceCode, RefreshToken};

#[derive(Debug, Deserialize)]
pub struct TokenResponse {
    #[serde(deserialize_with = "visible_access_token")]
    pub access_token: AccessToken,
    /// As the server wrote it; RFC 6749 §7.1 wants it, and some leave it out or empty.
    #[serde(default = "bearer", deserialize_with = "type_or_bearer")]
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

#[derive(Debug, Deserialize)]
#[serde(try_from = "Codes")]
pub struct DeviceAuthorizationResponse {
    /// What we poll with.
    pub device_code: DeviceCode,
    /// What the user compares or types.
    pub user_code: String,
    /// Where the user goes.
    pub verification_uri: String,
    /// The same with the code inside.
    pub verification_uri_complete: Option<String>,
    /// Lifetime of the codes in seconds. Required by the RFC, left out by some.
    pub expires_in: Option<u64>,
    /// Seconds between two polls.
    pub interval: Option<u64>,
}

/// [`DeviceAuthorizationResponse`] as servers write it: early drafts said `verification_url`, and some servers send both.
#[derive(Deserialize)]
struct Codes {
    device_code: DeviceCode,
    user_code: String,
    verification_uri: Option<String>,
    verification_url: Option<String>,
    verification_uri_complete: Option<String>,
    verification_url_complete: Option<String>,
    #[serde(default, deserialize_with = "lenient_seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "lenient_seconds")]
    interval: Option<u64>,
}

impl TryFrom<Codes> for DeviceAuthorizationResponse {
    type Error = &'static str;

    fn try_from(codes: Codes) -> Result<Self, Self::Error> {
        Ok(Self {
            device_code: codes.device_code,
            user_code: codes.user_code,
            verification_uri: codes
                .verification_uri
                .or(codes.verification_url)
                .ok_or("it names no verification_uri")?,
            verification_uri_complete: codes
                .verification_uri_complete
                .or(codes.verification_url_complete),
            expires_in: codes.expires_in,
            interval: codes.interval,
        })
    }
}

/// RFC 6749 §5.2. Its texts come from outside: they are cleaned before a terminal sees them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ErrorResponse {
    pub error: String,
    /// A sentence for developers. What is no text is left out: the code alone decides.
    #[serde(default, deserialize_with = "lenient_text")]
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
    // Some send every member always, and leave this one empty beside a token.
    let refused = serde_json::from_slice(body).ok();
    if let Some(refused) = refused.filter(|refused: &ErrorResponse| !refused.error.is_empty()) {
        return Answer::Refused(refused);
    }
    match serde_json::from_slice(body) {
        Ok(success) if (200..300).contains(&status) => Answer::Success(success),
        _ => Answer::Unreadable,
    }
}

/// The type of nearly every token, RFC 6750; what an answer means that names none.
pub fn bearer() -> String {
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
    // By its text first: a number beyond all numbers would make the whole answer unreadable.
    let text = Option::<Box<RawValue>>::deserialize(deserializer)?;
    let seconds = text.and_then(|text| serde_json::from_str(text.get()).ok());
    Ok(match seconds {
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

fn type_or_bearer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let named = lenient_text(deserializer)?;
    Ok(named
        .filter(|name| !name.trim().is_empty())
        .unwrap_or_else(bearer))
}

fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Description {
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Description>::deserialize(deserializer)? {
        Some(Description::Text(text)) => Some(text),
        Some(Description::Other(_)) | None => None,
    })
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
    let named = match Option::<Scope>::deserialize(deserializer)? {
        Some(Scope::Text(text)) => split_scope(&text),
        Some(Scope::List(list)) => list,
        Some(Scope::Other(_)) | None => Vec::new(),
    };
    // Nobody grants nothing: an empty one is a server that is silent.
    Ok(Some(named).filter(|named| !named.is_empty()))
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
    use proptest::prelude::*;

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
            (r#"{"access_token":"a","expires_in":1e400}"#, None),
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
        for silent in ["", r#","scope":"""#, r#","scope":[]"#, r#","scope":7"#] {
            let body = format!(r#"{{"access_token":"a"{silent}}}"#);
            assert_eq!(token(&body).scope, None, "{body}");
        }
    }

    #[test]
    fn a_type_that_is_not_named_is_bearer() {
        for unnamed in [
            "",
            r#","token_type":null"#,
            r#","token_type":" ""#,
            r#","token_type":7"#,
        ] {
            let body = format!(r#"{{"access_token":"a","error":""{unnamed}}}"#);
            assert_eq!(token(&body).token_type, "Bearer", "{body}");
        }
        let named = token(r#"{"access_token":"a","token_type":"bearer"}"#);
        assert_eq!(named.token_type, "bearer");
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
    fn an_address_may_come_under_either_name_or_both() {
        for names in [
            r#""verification_uri":"https://a/""#,
            r#""verification_url":"https://a/""#,
            r#""verification_uri":"https://a/","verification_url":"https://b/""#,
        ] {
            let body = format!(r#"{{"device_code":"d","user_code":"u",{names}}}"#);
            let answer = read::<DeviceAuthorizationResponse>(200, body.as_bytes());
            assert!(
                matches!(&answer, Answer::Success(codes) if codes.verification_uri == "https://a/"),
                "{body}: {answer:?}"
            );
        }
        let none = br#"{"device_code":"d","user_code":"u"}"#;
        assert!(matches!(
            read::<DeviceAuthorizationResponse>(200, none),
            Answer::Unreadable
        ));
    }

    #[test]
    fn an_odd_description_hides_no_error() {
        for description in ["42", "null", r#"{"en":"gone"}"#] {
            let body = format!(r#"{{"error":"invalid_grant","error_description":{description}}}"#);
            let answer = read::<TokenResponse>(400, body.as_bytes());
            let Answer::Refused(refused) = answer else {
                panic!("{body}: {answer:?}")
            };
            assert_eq!(
                (refused.error.as_str(), refused.error_description),
                ("invalid_grant", None)
            );
        }
    }

    proptest! {
        #[test]
        fn an_answer_of_any_bytes_is_never_a_panic(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read::<TokenResponse>(status, &body);
            let _ = read::<DeviceAuthorizationResponse>(status, &body);
        }

        /// Members of any type, in place of those that the RFCs have: an error stays an error, and nothing becomes a token
        /// but under a status of success.
        #[test]
        fn members_of_any_type_change_no_meaning(
            status in prop_oneof![Just(200u16), Just(400), Just(503)],
            error in proptest::option::of("[a-z_]{1,20}"),
            members in proptest::collection::vec((member(), json()), 0..6),
        ) {
            let mut object: serde_json::Map<_, _> = members.into_iter().collect();
            if let Some(error) = &error {
                object.insert("error".to_owned(), error.as_str().into());
            }
            let body = serde_json::Value::Object(object).to_string();
            match (read::<TokenResponse>(status, body.as_bytes()), error) {
                (Answer::Refused(refused), Some(error)) => prop_assert_eq!(refused.error, error),
                (Answer::Success(token), None) => prop_assert!(status == 200 && !token.access_token.expose().is_empty()),
                (Answer::Unreadable, None) => {}
                (other, error) => prop_assert!(false, "{body}: {other:?} for {error:?}"),
            }
        }
    }

    fn member() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("access_token"),
            Just("token_type"),
            Just("expires_in"),
            Just("refresh_token"),
            Just("scope"),
            Just("error_description"),
        ]
        .prop_map(str::to_owned)
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            "\\PC{0,12}|[\\x00-\\x9f]{0,4}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            proptest::collection::vec(inner, 0..3).prop_map(Into::into)
        })
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
