//! What happens on the wire, told without a secret: `-v` each request and its answer, `-vv` what was asked and what kind of
//! answer came, `-vvv` the bodies. A secret is shown as a short keyed fingerprint, by which a token can be followed through
//! rotations and from run to run, and which tells nobody else anything.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::error::HttpError;
use super::reply::Reply;
use crate::text::{hex, printable};

/// Receives a line, with the verbosity at which it becomes visible.
pub type Sink = Box<dyn Fn(u8, &str) + Send + Sync>;

/// The parameters of RFC 6749, 7009, 7636 and 8628 that are no secrets; all others are shown as fingerprints, those that
/// nobody thought of too.
const PLAIN_FIELDS: &[&str] = &[
    "grant_type",
    "client_id",
    "redirect_uri",
    "scope",
    "token_type_hint",
];

/// The members of answers whose text is no secret. Numbers never are.
const PLAIN_MEMBERS: &[&str] = &[
    "token_type",
    "scope",
    "error",
    "error_description",
    "error_uri",
    "user_code",
    "verification_uri",
    "verification_uri_complete",
    "issued_token_type",
];

/// An answer of more than a few lines is none of a token endpoint.
const MAX_SHOWN: usize = 2_000;

/// Tells a [`Sink`] what happens.
pub struct Trace {
    sink: Sink,
    key: [u8; 32],
}

impl Trace {
    /// `key` makes the fingerprints: 32 random bytes that stay on this machine.
    pub fn new(sink: Sink, key: [u8; 32]) -> Self {
        Self { sink, key }
    }

    /// Something that holds no secret.
    pub(super) fn say(&self, verbosity: u8, text: &str) {
        (self.sink)(verbosity, text);
    }

    /// A form is about to be sent.
    pub(super) fn asks(&self, endpoint: &Url, fields: &[(&str, &str)], basic: bool) {
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let names = if names.is_empty() {
            "no parameters".to_owned()
        } else {
            names.join(", ")
        };
        let proof = if basic { ", by HTTP Basic" } else { "" };
        (self.sink)(2, &format!("> POST {endpoint} with {names}{proof}"));
        for (name, value) in fields {
            let shown = if PLAIN_FIELDS.contains(name) {
                printable(value, MAX_SHOWN)
            } else {
                self.fingerprint(value)
            };
            (self.sink)(3, &format!(">   {name}={shown}"));
        }
    }

    /// An answer to the form came, or none did.
    pub(super) fn answered(
        &self,
        endpoint: &Url,
        sent: &[(&str, &str)],
        took: Duration,
        outcome: &Result<Reply, HttpError>,
    ) {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(error) => return (self.sink)(1, &format!("POST {endpoint}: {error}")),
        };
        let (status, size, took) = (reply.status, reply.body.len(), took.as_millis());
        (self.sink)(
            1,
            &format!("POST {endpoint}: {status}, {size} bytes, {took} ms"),
        );
        let kind = if reply.content_type.is_empty() {
            "no content type".to_owned()
        } else {
            printable(&reply.content_type, 80)
        };
        let clock = reply
            .date
            .map(|date| format!(", its clock says {date}"))
            .unwrap_or_default();
        let wait = reply
            .retry_after
            .map(|span| format!(", try again in {} s", span.as_secs()))
            .unwrap_or_default();
        (self.sink)(2, &format!("< {status} {kind}{clock}{wait}"));
        (self.sink)(3, &format!("<   {}", unsaid(&self.body(&reply.body), sent)));
    }

    /// A body with every text masked that isn't known to be harmless. What is no JSON is not shown: nobody knows what a page
    /// repeats.
    fn body(&self, body: &[u8]) -> String {
        match serde_json::from_slice::<Value>(body) {
            Ok(mut value) => {
                self.mask(&mut value, false);
                printable(&value.to_string(), MAX_SHOWN)
            }
            Err(_) => format!("({} bytes that are no JSON)", body.len()),
        }
    }

    fn mask(&self, value: &mut Value, plain: bool) {
        match value {
            Value::String(text) if !plain => *text = self.fingerprint(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.mask(value, plain)),
            Value::Object(members) => {
                for (name, value) in members {
                    self.mask(value, PLAIN_MEMBERS.contains(&name.as_str()));
                }
            }
            _ => {}
        }
    }

    /// 32 bits of a keyed digest: enough to tell a handful of tokens apart, far too few to try guesses against.
    fn fingerprint(&self, secret: &str) -> String {
        let digest = Sha256::new()
            .chain_update(self.key)
            .chain_update(secret)
            .finalize();
        format!("#{}", hex(&digest[..4]))
    }
}

/// What is shorter is left where it stands: it would be found in the middle of words, and a text full of masks shows by their
/// places what it hides. What is left so is no real secret: RFC 6749 §10.10 wants 128 bits, which no 8 characters hold; a
/// client secret that somebody made up that short can be guessed by anybody, and then the server's words show it.
const MIN_SECRET: usize = 8;

/// `text`, cleaned, without the secrets that were just sent: some servers repeat them in their error texts.
pub fn unsaid(text: &str, sent: &[(&str, &str)]) -> String {
    // First of all: a control character between its letters would hide a secret from the search.
    let text = printable(text, usize::MAX);
    let is_secret = |(name, value): &&(&str, &str)| {
        !PLAIN_FIELDS.contains(name) && value.chars().count() >= MIN_SECRET
    };
    // As it is, and as it stood in the form.
    let secrets: Vec<(String, &str)> = sent
        .iter()
        .filter(is_secret)
        .flat_map(|(name, value)| {
            let encoded = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            [((*value).to_owned(), *name), (encoded, *name)]
        })
        .collect();
    // One pass, so that no mask is searched in its turn.
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(next) = rest.chars().next() {
        let here = secrets
            .iter()
            .filter(|(secret, _)| rest.starts_with(secret));
        // Of two at one place the longer one is meant.
        match here.max_by_key(|(secret, _)| secret.len()) {
            Some((secret, name)) => {
                shown.push_str(&format!("[{name}]"));
                rest = &rest[secret.len()..];
            }
            None => {
                shown.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use zeroize::Zeroizing;

    use super::*;

    const SENT: &[(&str, &str)] = &[
        ("grant_type", "refresh_token"),
        ("refresh_token", "planted-old"),
    ];

    fn told(body: &str) -> String {
        let lines = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&lines);
        let trace = Trace::new(
            Box::new(move |level, line| {
                heard.lock().unwrap().push_str(&format!("{level} {line}\n"))
            }),
            [7; 32],
        );
        let endpoint = Url::parse("https://as.example/token").unwrap();
        trace.asks(&endpoint, SENT, false);
        let reply = Reply {
            status: 200,
            body: Zeroizing::new(body.as_bytes().to_vec()),
            content_type: "application/json".to_owned(),
            date: None,
            retry_after: None,
            redirect: None,
        };
        trace.answered(&endpoint, SENT, Duration::from_millis(41), &Ok(reply));
        let text = lines.lock().unwrap().clone();
        assert!(!text.contains("planted"), "{text}");
        text
    }

    #[test]
    fn a_token_can_be_followed_and_not_read() {
        let text = told(
            r#"{"access_token":"planted-at","expires_in":60,"refresh_token":"planted-new","token_type":"Bearer"}"#,
        );
        insta::assert_snapshot!(text, @r##"
        2 > POST https://as.example/token with grant_type, refresh_token
        3 >   grant_type=refresh_token
        3 >   refresh_token=#3b4a1e40
        1 POST https://as.example/token: 200, 97 bytes, 41 ms
        2 < 200 application/json
        3 <   {"access_token":"#795345ae","expires_in":60,"refresh_token":"#eddae2af","token_type":"Bearer"}
        "##);
        assert_eq!(told(r#"{"x":"planted-new"}"#).matches("#").count(), 2);
    }

    #[test]
    fn what_a_server_repeats_is_not_repeated() {
        told(r#"{"error":"invalid_grant","error_description":"planted-old is unknown"}"#);
        told(
            r#"{"error":{"planted-old":["planted-x"]}, "scope":"planted-old"}"#
                .replace("\"planted-old\":", "\"a\":")
                .as_str(),
        );
        told("<html>planted-old</html>");
        for text in ["token planted-old!", "token planted\u{0}-old!"] {
            assert_eq!(unsaid(text, SENT), "token [refresh_token]!");
        }
        let odd = [("code", "planted+/=")];
        assert_eq!(unsaid("code=planted%2B%2F%3D", &odd), "code=[code]");
    }

    #[test]
    fn masks_are_not_searched_and_short_values_stay() {
        let sent = [
            ("device_code", "d"),
            ("code", "device_code"),
            ("client_secret", "device_code-and-more"),
        ];
        for (text, shown) in [
            ("access_denied", "access_denied"),
            ("a device_code!", "a [code]!"),
            ("device_code-and-more", "[client_secret]"),
        ] {
            assert_eq!(unsaid(text, &sent), shown);
        }
    }
}
