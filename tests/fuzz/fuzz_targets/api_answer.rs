//! An answer of an API: envelope, status, `Content-Type` and challenge by its first lines, then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seo_auth::fuzzing::api::check::Units;
use seo_auth::fuzzing::api::shape::{Answer, Meaning, page, quota, read};
use seo_auth::fuzzing::provider::Shape;
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
    let answer = Answer {
        status: STATUSES[usize::from(*which) % STATUSES.len()],
        content_type: &content_type,
        challenge: &challenge,
        token: &AccessToken::new(PLANTED.to_owned()),
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
});

/// A list must come to an end, however long a server says that it is.
fn pages(json: &str) {
    if let Some(page) = page(Shape::Semrush, json) {
        assert!(page.next.is_none() || !page.entries.is_empty());
    }
    if let Some(quota) = quota(Shape::Ahrefs) {
        let _ = Units::read(json, quota).map(|units| units.left());
    }
}
