//! An error of an authorization server, from its bytes to the words that a user reads: status, `Content-Type`, body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seo_auth::fuzzing::error::Error;
use seo_auth::fuzzing::flow::Step;
use seo_auth::fuzzing::flow::refresh::{Progress, decide};
use seo_auth::fuzzing::flow::token::understand;
use seo_auth::fuzzing::http::Reply;
use seo_auth::fuzzing::http::wire::TokenResponse;
use seo_auth::fuzzing::provider::Endpoint;

const STATUSES: [u16; 8] = [200, 204, 302, 400, 401, 429, 502, 599];
const STEPS: [Step; 6] = [
    Step::DeviceAuthorization,
    Step::DevicePoll,
    Step::Authorization,
    Step::CodeExchange,
    Step::Refresh,
    Step::Revocation,
];

/// Some servers repeat what they were sent.
const SENT: &[(&str, &str)] = &[("refresh_token", "planted-secret")];

fuzz_target!(|data: &[u8]| {
    let [status, step, rest @ ..] = data else {
        return;
    };
    let end = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or_default();
    let (content_type, body) = rest.split_at(end);
    let reply = Reply {
        status: STATUSES[usize::from(*status) % STATUSES.len()],
        body: body.to_vec().into(),
        content_type: String::from_utf8_lossy(content_type).into_owned(),
        date: None,
        retry_after: None,
        redirect: None,
    };
    let endpoint = Endpoint::parse("https://as.example/token").expect("an endpoint");
    let step = STEPS[usize::from(*step) % STEPS.len()];
    let Err(error) = understand::<TokenResponse>(&endpoint, step, &reply, SENT) else {
        return;
    };
    let progress = Progress {
        sent: 1,
        uncertain: false,
        left: std::time::Duration::from_secs(9),
    };
    let _ = decide(&error, progress, true, 0.5);
    let account = "semrush/default".parse().expect("an account");
    let report = match step {
        Step::Refresh => Error::Refresh {
            account,
            source: error,
        },
        _ => Error::Flow {
            account,
            source: error,
        },
    };
    let report = report.report();
    let harmless = |text: &str| {
        let controls = text.chars().any(char::is_control);
        !controls && text.len() < 2_000 && !text.contains(SENT[0].1)
    };
    assert!(harmless(&report.message), "{:?}", report.message);
    assert!(
        report.hint.as_deref().is_none_or(harmless),
        "{:?}",
        report.hint
    );
});
