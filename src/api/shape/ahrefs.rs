//! Ahrefs' errors, which other APIs have in the same form.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::meaning::{Answer, Meaning, Words};

/// What an `error` says where there is none.
const NO_ERROR: &[&str] = &["null", "false", "0", "\"\"", "[]", "{}"];

/// What JSON in an answer with a success status means: `{"error": …}` and `["Error", …]` are errors all the same.
pub(super) fn unwrap<'a>(answer: Answer<'_>, json: &'a str) -> Meaning<'a> {
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow, default)]
        error: Option<&'a RawValue>,
    }
    let is_error = match json.strip_prefix('[') {
        Some(list) => list.trim_start().starts_with("\"Error\""),
        None => serde_json::from_str::<Object<'_>>(json).is_ok_and(|object| {
            object
                .error
                .is_some_and(|error| !NO_ERROR.contains(&error.get()))
        }),
    };
    if is_error {
        return Meaning::Refused(Words::of(json, answer.proof).refusal(answer.status));
    }
    Meaning::Json(json)
}
