//! What a device authorization endpoint answers: a status by its first byte, then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seo_auth::fuzzing::http::wire::{Answer, DeviceAuthorizationResponse, read};

fuzz_target!(|data: &[u8]| {
    let Some((status, body)) = data.split_first() else {
        return;
    };
    let status = [200, 400, 500][usize::from(*status) % 3];
    if let Answer::Success(codes) = read::<DeviceAuthorizationResponse>(status, "", body) {
        assert_eq!(status, 200);
        let shown = format!("{codes:?}");
        let code = codes.device_code.expose();
        // Short ones stand in other words by chance.
        let elsewhere = [&codes.user_code, &codes.verification_uri];
        let elsewhere = elsewhere
            .into_iter()
            .chain(&codes.verification_uri_complete);
        let apart = code.len() > 30 && !elsewhere.into_iter().any(|text| text.contains(code));
        assert!(!apart || !shown.contains(code), "the device code is shown");
    }
});
