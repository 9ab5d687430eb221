//! What an API's answer means, as a pure function of status, content type and bytes.
//!
//! The status decides first: 4xx and 5xx are refusals, whatever their body looks like. In a 2xx the provider's envelope
//! decides: it may hold an error all the same. What is neither is not the API's answer: a gateway's page, cut JSON.

mod ahrefs;
mod meaning;
mod semrush;

pub use meaning::{Answer, Kind, Meaning, Refusal};
use meaning::{Words, quotable};
pub use semrush::Page;
use serde_json::value::RawValue;

use crate::http::api::Proof;
use crate::provider::Shape;

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

#[cfg(test)]
mod tests;
