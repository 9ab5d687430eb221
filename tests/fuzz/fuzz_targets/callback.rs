//! A request at the callback, and a pasted line: lines of target, Host, a further header and the paste.
#![no_main]

use hyper::http::{HeaderMap, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use seo_auth::fuzzing::flow::callback::{Expected, Issuer, Outcome, Rejection};
use seo_auth::fuzzing::secret::State;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (target, host, purpose, pasted) = (line(), line(), line(), line());
    for stateless in [false, true] {
        let expected = expected(stateless);
        if let Ok(target) = Uri::try_from(target) {
            let mut headers = HeaderMap::new();
            for (name, value) in [("host", host), ("sec-purpose", purpose)] {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.append(name, value);
                }
            }
            let outcome = expected.judge(&Method::GET, &target, &headers);
            check(outcome, target.query().unwrap_or_default(), stateless);
        }
        if let Ok(pasted) = std::str::from_utf8(pasted) {
            check(expected.judge_pasted(pasted), pasted, stateless);
        }
    }
});

fn expected(stateless: bool) -> Expected {
    let url = |text| Url::parse(text).expect("an address");
    Expected {
        redirect: url("http://127.0.0.1:8976/callback"),
        state: State::new("S7".to_owned()),
        stateless,
        issuer: Issuer::At(vec![url("https://as.example/authorize")]),
    }
}

/// Nothing is an answer without the state, and what is shown of one is harmless.
fn check(outcome: Result<Outcome, Rejection>, query: &str, stateless: bool) {
    let Ok(outcome) = outcome else { return };
    // `%53` is an S, and `state` may be written so, too.
    assert!(
        stateless || query.contains("S7") || query.contains('%'),
        "without the state"
    );
    match outcome {
        Outcome::Code(code) => assert!(!code.expose().is_empty()),
        Outcome::Error(error) => {
            harmless(&error.error);
            harmless(error.error_description.as_deref().unwrap_or_default());
        }
        Outcome::ForeignIssuer(issuer) => harmless(&issuer),
        Outcome::NoIssuer | Outcome::Malformed(_) => {}
    }
}

fn harmless(text: &str) {
    assert!(
        !text.chars().any(char::is_control) && text.chars().count() <= 201,
        "{text:?}"
    );
}
