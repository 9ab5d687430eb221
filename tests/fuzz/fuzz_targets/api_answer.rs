//! An answer of an API: envelope, status, `Content-Type` and challenge by its first lines, then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seo_auth::fuzzing::api::check::judge;
use seo_auth::fuzzing::api::shape::{Answer, Meaning, page, read};
use seo_auth::fuzzing::http::api::Proof;
use seo_auth::fuzzing::provider::{Check, Shape};
use seo_auth::fuzzing::secret::AccessToken;

/// A server that repeats the token is not quoted on it.
const PLANTED: &str = "planted-secret";
const STATUSES: [u16; 8] = [200, 204, 304, 301, 400, 401, 403, 553];
const ENVELOPES: [Shape; 3] = [Shape::Semrush, Shape::Ahrefs, Shape::Plain];

fuzz_target!(|data: &[u8]| {
    let [which, rest @ ..] = data else { return };
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (content_type, challenge, body) = (line(), line(), line());
    let (content_type, challenge) = (
        String::from_utf8_lossy(content_type),
        String::from_utf8_lossy(challenge),
    );
    let proof = Proof {
        header: None,
        query: None,
        secrets: vec![AccessToken::new(PLANTED.to_owned())],
    };
    let answer = Answer {
        status: STATUSES[usize::from(*which) % STATUSES.len()],
        content_type: &content_type,
        challenge: &challenge,
        proof: &proof,
        body,
    };
    match read(
        ENVELOPES[usize::from(*which >> 3) % ENVELOPES.len()],
        answer,
    ) {
        Meaning::Json(json) => {
            pages(json);
            assert!(answer.status < 400 && String::from_utf8_lossy(body).contains(json));
        }
        Meaning::Other(_) | Meaning::Empty | Meaning::Foreign(_) => assert!(answer.status < 400),
        Meaning::Refused(refusal) => {
            let told = [Some(refusal.message), refusal.code, refusal.request_id];
            for text in told.into_iter().flatten().chain(refusal.scope) {
                assert!(!text.chars().any(char::is_control), "{text:?}");
                assert!(!text.contains(PLANTED), "{text:?}");
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(body) {
        pages(text);
    }
    // A quota is read out of whatever came.
    let pointer = || vec![String::new(), "/a/0".to_owned()];
    let check = Check {
        remaining: pointer(),
        limit: pointer(),
        used: pointer(),
        resets_at: Some("/a".to_owned()),
        expires_at: Some(String::new()),
        ..Check::default()
    };
    let _ = judge(&check, answer.status, body);
});

/// A list must come to an end, however long a server says that it is.
fn pages(json: &str) {
    if let Some(page) = page(Shape::Semrush, json) {
        assert!(page.next.is_none() || !page.entries.is_empty());
    }
}
