//! What an answer can mean, and the words of an error in whichever shape an API puts them.

use serde_json::Value;

use crate::http::api::Proof;
use crate::text::printable;

/// Longer texts than this are no sentences for people.
pub const TEXT_LIMIT: usize = 300;

#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub status: u16,
    /// `Content-Type`, in lower case; empty where absent.
    pub content_type: &'a str,
    /// `WWW-Authenticate`, RFC 6750 §3; empty where absent.
    pub challenge: &'a str,
    pub body: &'a [u8],
    /// What was sent: a server that repeats it is not quoted on that.
    pub proof: &'a Proof,
}

/// What an answer turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// JSON, to the byte as it came; of an envelope, what is inside.
    Json(&'a str),
    /// Data of another type that the answer declares: CSV, XML.
    Other(&'a [u8]),
    /// Success, and nothing to say.
    Empty,
    Refused(Refusal),
    /// Not an answer of the API; what it is instead: "a web page".
    Foreign(&'static str),
}

/// An error as an API tells it; every text in it is safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status; where that is a success, the one in the envelope, if there is one.
    pub status: u16,
    /// What it is about.
    pub kind: Kind,
    /// The API's own code, where it isn't just the status.
    pub code: Option<String>,
    /// The API's words; or what came instead of words: "a web page".
    pub message: String,
    /// For the provider's support.
    pub request_id: Option<String>,
    /// The scope that the request needs, where the answer names it (RFC 6750 §3).
    pub scope: Vec<String>,
}

impl Refusal {
    /// An error of which only the status is known.
    pub fn by_status(status: u16) -> Self {
        Words::default().refusal(status)
    }
}

/// What an error is about, where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 401: the token has expired or was revoked.
    TokenRejected,
    /// The token was granted too little.
    ScopeMissing,
    /// The plan's API units are used up.
    UnitsUsedUp,
    /// 429: too many requests.
    TooManyRequests,
    /// 403 for any other reason.
    Forbidden,
    /// 5xx, Semrush's 550–554 among them; 407 and 408, by which proxies answer.
    Failing,
    Other,
}

/// A server's words as they may be told: harmless for a terminal, and without the credential, which some servers repeat.
pub fn quotable(text: &str, proof: &Proof, limit: usize) -> String {
    printable(&proof.unsaid(text), limit)
}

/// The words of an error, in whichever shape an API puts them: Semrush's `error` object and its flat form, Ahrefs' text and
/// its array, RFC 6749's `error` and `error_description`, RFC 9457's `title` and `detail`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Words {
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

impl Words {
    pub fn of(json: &str, proof: &Proof) -> Self {
        let clean = |text: &str| quotable(text, proof, TEXT_LIMIT);
        let text = |value: &Value| match value {
            Value::String(text) => Some(clean(text)).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let whole: Value = serde_json::from_str(json).unwrap_or_default();
        if let Some(list) = whole.as_array() {
            // `["Error", "Forbidden"]`: the first word says only that it is one.
            let texts: Vec<String> = list.iter().skip(1).filter_map(text).collect();
            return Self {
                message: texts.join(": "),
                ..Self::default()
            };
        }
        let error = &whole["error"];
        // A flat error is its own `error` object.
        let told = if error.is_object() { error } else { &whole };
        let first = |keys: &[&str]| keys.iter().find_map(|key| text(&told[*key]));
        let mut parts = vec![
            text(error),
            first(&["message", "title"]),
            first(&["description", "error_description", "detail"]),
        ];
        parts.push(
            told.get("details")
                .map(|details| clean(&details.to_string())),
        );
        let mut parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.dedup();
        let ids = [
            &whole["meta"]["request_id"],
            &whole["requestId"],
            &whole["request_id"],
        ];
        Self {
            code: text(&told["code"]),
            message: parts.join(": "),
            request_id: ids.into_iter().find_map(text),
        }
    }

    pub fn instead(what: &str) -> Self {
        Self {
            message: format!("the answer is {what}"),
            ..Self::default()
        }
    }

    /// The error that these words tell, under this status.
    pub fn refusal(self, status: u16) -> Refusal {
        Refusal {
            status,
            kind: kind(status, &self.message),
            code: self.code.filter(|code| *code != status.to_string()),
            message: self.message,
            request_id: self.request_id,
            scope: Vec::new(),
        }
    }
}

fn kind(status: u16, message: &str) -> Kind {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match status {
        401 => Kind::TokenRejected,
        // As they are seen: "API units limit reached", "API UNITS BALANCE IS ZERO", "not enough units".
        _ if says(&["unit"])
            && says(&[
                "limit", "balance", "enough", "insuffic", "exceed", "exhaust",
            ]) =>
        {
            Kind::UnitsUsedUp
        }
        429 => Kind::TooManyRequests,
        407 | 408 | 500.. => Kind::Failing,
        _ if says(&["insufficient_scope"]) || (status == 403 && says(&["scope"])) => {
            Kind::ScopeMissing
        }
        403 => Kind::Forbidden,
        _ => Kind::Other,
    }
}
