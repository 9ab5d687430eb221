//! Durations that a user types, moments that a server writes, and how both are shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seo_auth::fuzzing::clock::{Timestamp, describe_span, parse_duration, parse_http_date};

fuzz_target!(|data: &[u8]| {
    if let Some(number) = data.first_chunk() {
        let seconds = i64::from_le_bytes(*number);
        let _ = describe_span(seconds);
        let moment = Timestamp::from_epoch(seconds);
        assert!(moment.to_string().ends_with('Z'));
        let _ = (
            moment.plus(seconds),
            moment.seconds_since(Timestamp::from_epoch(!seconds)),
        );
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(span) = parse_duration(text) {
        assert!(text.ends_with(['s', 'm', 'h', 'd']));
        assert!(std::time::Instant::now().checked_add(span).is_some());
        assert_eq!(parse_duration(&format!("{}s", span.as_secs())), Ok(span));
    }
    if let Some(moment) = parse_http_date(text) {
        assert!(moment.to_string().ends_with('Z'));
    }
});
