//! What a token endpoint answers: a status by its first byte, then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seo_auth::fuzzing::http::wire::{Answer, TokenResponse, read};

fuzz_target!(|data: &[u8]| {
    let Some((status, body)) = data.split_first() else {
        return;
    };
    let status = [200, 201, 400, 401, 429, 503][usize::from(*status) % 6];
    match read::<TokenResponse>(status, "", body) {
        Answer::Success(token) => {
            assert!((200..300).contains(&status), "a token under {status}");
            let refresh = token.refresh_token;
            assert!(refresh.is_none_or(|token| !token.expose().is_empty()));
        }
        Answer::Refused(_) | Answer::Unreadable => {}
    }
});
