//! The RFCs' answers as they arrive, read as leniently as real servers need and no more.
//!
//! One reader: the body becomes members, whatever shape it came in; the members become what was asked for, or an error.
//! An `error` is an error whatever the status says, since servers disagree about the status of `authorization_pending`; an
//! `access_token` is a token only under a status of success.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use crate::secret::{AccessToken, DeviceCode, RefreshToken};

#[derive(Debug)]
pub struct TokenResponse {
    pub access_token: AccessToken,
    /// As the server wrote it; RFC 6749 §7.1 wants it, and some leave it out or empty.
    pub token_type: String,
    /// Lifetime in seconds; `None` where no usable one was named.
    pub expires_in: Option<u64>,
    /// A new refresh token, where one was issued.
    pub refresh_token: Option<RefreshToken>,
    /// How long the refresh token lives, in seconds, where the server says so.
    pub refresh_token_expires_in: Option<u64>,
    /// OpenID Connect Core §2, as it came.
    pub id_token: Option<String>,
    /// What was granted; `None` where the server was silent: just what was asked for.
    pub scope: Option<Vec<String>>,
}

#[derive(Debug)]
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

/// RFC 6749 §5.2. Its texts come from outside: they are cleaned before a terminal sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// Empty where the server has only words.
    pub error: String,
    /// A sentence for developers.
    pub error_description: Option<String>,
}

/// What an answer of a token or device authorization endpoint turned out to be.
#[derive(Debug)]
pub enum Answer<T> {
    /// What was asked for.
    Success(T),
    /// An error of RFC 6749 §5.2 or RFC 8628 §3.5, or of a shape that APIs use.
    Refused(ErrorResponse),
    /// Nothing that the RFCs know: HTML, an empty body, cut JSON.
    Unreadable,
}

/// What an answer's members may become.
pub trait Shape: Sized {
    /// `None` where a member is missing that it can't be without.
    fn of(members: &Members) -> Option<Self>;
}

/// Of whom nothing is asked but success.
impl Shape for () {
    fn of(_: &Members) -> Option<Self> {
        Some(())
    }
}

impl Shape for TokenResponse {
    fn of(members: &Members) -> Option<Self> {
        Some(Self {
            access_token: AccessToken::new(
                members.word("access_token").filter(|text| is_token(text))?,
            ),
            token_type: members.word("token_type").unwrap_or_else(bearer),
            expires_in: members.seconds("expires_in").filter(|seconds| *seconds > 0),
            refresh_token: members.word("refresh_token").map(RefreshToken::new),
            refresh_token_expires_in: REFRESH_LIFETIMES
                .iter()
                .find_map(|name| members.seconds(name))
                .filter(|seconds| *seconds > 0),
            id_token: members.word("id_token"),
            scope: members.scope(),
        })
    }
}

/// Google (`refresh_token_expires_in`), Keycloak (`refresh_expires_in`), Intuit.
const REFRESH_LIFETIMES: [&str; 3] = [
    "refresh_token_expires_in",
    "refresh_expires_in",
    "x_refresh_token_expires_in",
];

impl Shape for DeviceAuthorizationResponse {
    fn of(members: &Members) -> Option<Self> {
        // Early drafts said `verification_url`, and some servers send both.
        let either = |uri, url| members.word(uri).or_else(|| members.word(url));
        Some(Self {
            device_code: DeviceCode::new(members.word("device_code")?),
            user_code: members.word("user_code")?,
            verification_uri: either("verification_uri", "verification_url")?,
            verification_uri_complete: either(
                "verification_uri_complete",
                "verification_url_complete",
            ),
            expires_in: members.seconds("expires_in"),
            interval: members.seconds("interval"),
        })
    }
}

/// Reads the answer to a request, with its status, `Content-Type` (in lower case) and body.
pub fn read<T: Shape>(status: u16, content_type: &str, body: &[u8]) -> Answer<T> {
    let Some(members) = Members::read(content_type, body) else {
        return Answer::Unreadable;
    };
    // Some send every member always, and leave this one empty beside a token.
    if let Some(refused) = members.refusal(&ERRORS) {
        return Answer::Refused(refused);
    }
    let success = T::of(&members).filter(|_| (200..300).contains(&status));
    match success {
        Some(success) => Answer::Success(success),
        // Words that stand beside a token are none of an error; without one they are all there is to tell.
        None => members
            .refusal(&WORDS)
            .map_or(Answer::Unreadable, Answer::Refused),
    }
}

/// What is an error whatever stands beside it.
const ERRORS: [&str; 1] = ["error"];
/// The names of codes within an error (or beside its words), Google's and Meta's among them.
const CODES: [&str; 5] = ["code", "error", "errorCode", "type", "status"];
/// Lists and words, in the order in which they tell most: JSON:API; RFC 9457 and FastAPI (`detail`), GitHub's API (`message`),
/// Feishu (`msg`), Java's (`errorMessage`), Okta's (`errorSummary`).
const WORDS: [&str; 8] = [
    "errors",
    "error_description",
    "message",
    "msg",
    "detail",
    "errorMessage",
    "errorSummary",
    "title",
];

/// The members of an answer, each by its text: what one of them is must not cost the others.
pub struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    /// JSON, else a form where the type says so, or where the type is as good as none and it is nothing else.
    fn read(content_type: &str, body: &[u8]) -> Option<Self> {
        // A byte order mark: RFC 8259 §8.1 lets us leave it out.
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        if let Ok(members) = serde_json::from_slice(body) {
            return Some(Self(members));
        }
        let is_form = content_type.starts_with("application/x-www-form-urlencoded");
        let may_be_form = content_type.is_empty() || content_type.starts_with("text/plain");
        if !(is_form || may_be_form && looks_like_a_form(body)) {
            return None;
        }
        let mut members = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            members.insert(name.into_owned(), to_raw_value(&value).ok()?);
        }
        Some(Self(members))
    }

    /// `None` where it is missing, or is something else.
    fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// A text with something in it.
    fn word(&self, name: &str) -> Option<String> {
        self.get(name)
            .filter(|text: &String| !text.trim().is_empty())
    }

    /// A number or a number in quotes. A fraction is cut, a negative or absurd number saturates: `as` does both.
    fn seconds(&self, name: &str) -> Option<u64> {
        let number = || self.get::<f64>(name).map(|seconds| seconds as u64);
        let text = || self.word(name)?.trim().parse::<f64>().ok();
        self.get(name)
            .or_else(number)
            .or_else(|| text().map(|seconds| seconds as u64))
    }

    /// A text with spaces (RFC 6749 §3.3) or commas (Semrush), or a list. Nobody grants nothing: an empty one is a server that
    /// is silent.
    fn scope(&self) -> Option<Vec<String>> {
        let list = self.get("scope");
        let named = list.or_else(|| self.word("scope").map(|text| split_scope(&text)));
        named.filter(|named| !named.is_empty())
    }

    /// The error that the first telling one of these members holds. RFC 6749 §5.2 has a code in `error`; others have a sentence,
    /// an object of both, or a list of either there.
    fn refusal(&self, names: &[&str]) -> Option<ErrorResponse> {
        names.iter().find_map(|name| {
            let inner = self.inner(name);
            let text = self.text(name);
            let (code, words) = match &inner {
                Some(inner) => (inner.code(), inner.first_of(&WORDS)),
                None if *name == "error" => (text, self.first_of(&WORDS)),
                None => (self.code().filter(|_| text.is_some()), text),
            };
            let told = code.is_some() || words.is_some();
            told.then(|| ErrorResponse {
                error: code.unwrap_or_default(),
                error_description: words,
            })
        })
    }

    /// A code is one word; RFC 9457's `type` is an address.
    fn code(&self) -> Option<String> {
        self.first_of(&CODES)
            .filter(|code| !code.contains([' ', ':', '/']))
    }

    /// A text, or the first of a list.
    fn text(&self, name: &str) -> Option<String> {
        let first = || self.get::<Vec<String>>(name)?.into_iter().next();
        self.word(name)
            .or_else(first)
            .filter(|text| !text.trim().is_empty())
    }

    /// The object under this name, or the first one of a list there.
    fn inner(&self, name: &str) -> Option<Self> {
        let list = || self.get::<Vec<Box<RawValue>>>(name)?.into_iter().next();
        let object = |text: &RawValue| serde_json::from_str(text.get()).ok().map(Self);
        object(self.0.get(name)?).or_else(|| object(&list()?))
    }

    fn first_of(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.word(name))
    }
}

/// Whether it is pairs with names as members have them: a sentence, a page or cut JSON is none.
fn looks_like_a_form(body: &[u8]) -> bool {
    let is_pair = |pair: &[u8]| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        !name.is_empty() && name.len() < pair.len() && name.iter().all(is_name)
    };
    body.trim_ascii().split(|byte| *byte == b'&').all(is_pair)
}

/// The type of nearly every token, RFC 6750; what an answer means that names none.
pub fn bearer() -> String {
    "Bearer".to_owned()
}

/// RFC 6749 appendix A.12: one or more visible ASCII characters or spaces. A line break in it would be a second line for
/// whoever reads `token print`.
fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
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
        match read(200, "", body.as_bytes()) {
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
            (r#"{"access_token":"a","expires_in":-5}"#, None),
            (r#"{"access_token":"a","expires_in":0}"#, None),
            (r#"{"access_token":"a","expires_in":0.4}"#, None),
            (
                r#"{"access_token":"a","expires_in":" 3600.5 "}"#,
                Some(3600),
            ),
            (r#"{"access_token":"a","expires_in":"soon"}"#, None),
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
            let answer = read::<DeviceAuthorizationResponse>(200, "", body.as_bytes());
            assert!(
                matches!(&answer, Answer::Success(codes) if codes.verification_uri == "https://a/"),
                "{body}: {answer:?}"
            );
        }
        let none = br#"{"device_code":"d","user_code":"u"}"#;
        assert!(matches!(
            read::<DeviceAuthorizationResponse>(200, "", none),
            Answer::Unreadable
        ));
    }

    #[test]
    fn an_odd_description_hides_no_error() {
        for description in ["42", "null", r#"{"en":"gone"}"#] {
            let body = format!(r#"{{"error":"invalid_grant","error_description":{description}}}"#);
            let answer = read::<TokenResponse>(400, "", body.as_bytes());
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
            let _ = read::<TokenResponse>(status, "", &body);
            let _ = read::<DeviceAuthorizationResponse>(status, "", &body);
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
            match (read::<TokenResponse>(status, "", body.as_bytes()), error) {
                (Answer::Refused(refused), Some(error)) => prop_assert_eq!(refused.error, error),
                (Answer::Success(token), None) => prop_assert!(status == 200 && !token.access_token.expose().is_empty()),
                // Words without a code are no error's name.
                (Answer::Refused(refused), None) => prop_assert!(refused.error.is_empty()),
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
                matches!(read::<TokenResponse>(status, "", pending), Answer::Refused(e) if e.error == "authorization_pending")
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
                    read::<TokenResponse>(status, "", body.as_bytes()),
                    Answer::Unreadable
                ),
                "{body}"
            );
        }
    }
}
