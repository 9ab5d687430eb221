//! What an API's answer means, as a pure function of status, content type and bytes.
//!
//! The status decides first: 4xx and 5xx are refusals, whatever their body looks like. In a 2xx the provider's envelope
//! decides: it may hold an error all the same. What is neither is not the API's answer: a gateway's page, cut JSON.

mod ahrefs;
mod semrush;

use serde_json::Value;
use serde_json::value::RawValue;

pub use semrush::Page;

use crate::http::api::Proof;
use crate::provider::Shape;
use crate::text::printable;

/// Longer texts than this are no sentences for people.
const TEXT_LIMIT: usize = 300;

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

pub fn read<'a>(envelope: Shape, answer: Answer<'a>) -> Meaning<'a> {
    let content = Content::of(answer.content_type, answer.body);
    if answer.status >= 400 {
        return Meaning::Refused(refusal(answer, &content));
    }
    // 304 answers a condition that the caller set; every other redirect that arrives here leads elsewhere.
    if (300..400).contains(&answer.status) && answer.status != 304 {
        return Meaning::Foreign("a redirect");
    }
    match content {
        Content::Empty => Meaning::Empty,
        Content::Json(text) => match envelope {
            Shape::Semrush => semrush::unwrap(answer, text),
            // Whoever puts an `error` into a success means one, whichever API it is.
            Shape::Ahrefs | Shape::Plain => ahrefs::unwrap(answer, text),
        },
        Content::WebPage => Meaning::Foreign("a web page"),
        Content::BrokenJson => Meaning::Foreign("JSON that is cut short or malformed"),
        Content::Declared => Meaning::Other(answer.body),
        Content::Unknown => Meaning::Foreign("something that is not JSON"),
    }
}

/// One page of a list, and where the next one is; `None` where the API documents no pages, or the answer is none.
pub fn page(shape: Shape, json: &str) -> Option<Page<'_>> {
    match shape {
        Shape::Semrush => semrush::page(json),
        Shape::Ahrefs | Shape::Plain => None,
    }
}

/// Whether the API documents how its lists go on.
pub fn has_pages(shape: Shape) -> bool {
    shape == Shape::Semrush
}

/// What the body is, by its type and its first bytes.
enum Content<'a> {
    Empty,
    Json(&'a str),
    WebPage,
    BrokenJson,
    /// Of a type that an API may answer with instead of JSON.
    Declared,
    Unknown,
}

impl<'a> Content<'a> {
    fn of(content_type: &str, body: &'a [u8]) -> Self {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Self::Empty;
        }
        let text = std::str::from_utf8(body)
            .ok()
            .map(|text| text.trim_start_matches('\u{feff}').trim());
        // Some APIs call their JSON text/plain, and some gateways call their pages JSON: the bytes know better.
        if let Some(json) = text.filter(|text| serde_json::from_str::<&RawValue>(text).is_ok()) {
            return Self::Json(json);
        }
        let begins = |word: &str| {
            text.is_some_and(|text| {
                text.get(..word.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(word))
            })
        };
        if content_type.contains("html") || begins("<!doctype html") || begins("<html") {
            return Self::WebPage;
        }
        let declared = content_type.split(';').next().unwrap_or_default().trim();
        match declared {
            _ if declared.ends_with("json") => Self::BrokenJson,
            "" | "text/plain" if begins("{") || begins("[") => Self::BrokenJson,
            "" | "text/plain" => Self::Unknown,
            _ => Self::Declared,
        }
    }
}

fn refusal(answer: Answer<'_>, content: &Content<'_>) -> Refusal {
    let words = match content {
        Content::Json(text) => Words::of(text, answer.proof),
        Content::WebPage => Words::instead("a web page"),
        Content::Empty => Words::instead("an empty body"),
        Content::BrokenJson => Words::instead("JSON that is cut short or malformed"),
        Content::Declared | Content::Unknown => Words::instead("no explanation"),
    };
    let mut refusal = words.refusal(answer.status);
    refusal.scope = needed_scope(answer.challenge, answer.proof);
    if !refusal.scope.is_empty() && answer.status == 403 {
        refusal.kind = Kind::ScopeMissing;
    }
    refusal
}

/// RFC 6750 §3: `Bearer error="insufficient_scope", scope="a b"`.
fn needed_scope(challenge: &str, proof: &Proof) -> Vec<String> {
    if !challenge.contains("insufficient_scope") {
        return Vec::new();
    }
    let list = challenge
        .split_once("scope=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("", |(list, _)| list);
    list.split([' ', ','])
        .map(|scope| quotable(scope, proof, 64))
        .filter(|scope| !scope.is_empty())
        .collect()
}

/// A server's words as they may be told: harmless for a terminal, and without the credential, which some servers repeat.
fn quotable(text: &str, proof: &Proof, limit: usize) -> String {
    printable(&proof.unsaid(text), limit)
}

/// The words of an error, in whichever shape an API puts them: Semrush's `error` object and its flat form, Ahrefs' text and
/// its array, RFC 6749's `error` and `error_description`, RFC 9457's `title` and `detail`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

impl Words {
    pub(super) fn of(json: &str, proof: &Proof) -> Self {
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

    fn instead(what: &str) -> Self {
        Self {
            message: format!("the answer is {what}"),
            ..Self::default()
        }
    }

    /// The error that these words tell, under this status.
    pub(super) fn refusal(self, status: u16) -> Refusal {
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

#[cfg(test)]
mod tests;
