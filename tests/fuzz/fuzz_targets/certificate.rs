//! A certificate that was refused, and whose issuer is named in the error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seo_auth::fuzzing::http::certificate::issuer;

fuzz_target!(|data: &[u8]| {
    if let Some(name) = issuer(data) {
        assert!(!name.is_empty() && !name.chars().any(char::is_control));
    }
});
