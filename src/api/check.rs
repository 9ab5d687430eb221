//! What the answer to a check tells of a credential's quota, found by JSON pointers (RFC 6901).

use serde_json::Value;

use crate::clock::{Timestamp, parse_moment};

/// Where an answer tells of a quota. Of several places the first one whose limit and use are both numbers counts.
pub struct Quota<'a> {
    /// The pointers of a limit and of what is used of it.
    pub places: &'a [(&'a str, &'a str)],
    /// When the next period begins.
    pub resets_at: &'a str,
}

/// What an account may use in a period, and has used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    pub limit: u64,
    pub used: u64,
    /// When the next period begins.
    pub renewed_at: Option<Timestamp>,
}

impl Units {
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    pub fn read(json: &str, quota: &Quota<'_>) -> Option<Self> {
        let body: Value = serde_json::from_str(json).ok()?;
        let number = |pointer: &str| body.pointer(pointer).and_then(number);
        let mut places = quota.places.iter();
        let (limit, used) =
            places.find_map(|(limit, used)| Some((number(limit)?, number(used)?)))?;
        let reset = body.pointer(quota.resets_at).and_then(Value::as_str);
        Some(Self {
            limit,
            used,
            renewed_at: reset.and_then(parse_moment),
        })
    }
}

/// A number, or a text that is one: `"1,234"`.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().replace(',', "").parse().ok(),
        other => other.as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_texts_with_commas() {
        let quota = Quota {
            places: &[("/quota/limit", "/quota/used")],
            resets_at: "",
        };
        for (limit, read) in [
            ("1234", true),
            (r#""1,234""#, true),
            ("null", false),
            (r#""all""#, false),
            ("-1", false),
        ] {
            let body = format!(r#"{{"quota":{{"limit":{limit},"used":" 34 "}}}}"#);
            let units = Units::read(&body, &quota).map(|units| (units.limit, units.left()));
            assert_eq!(units, read.then_some((1_234, 1_200)), "{body}");
        }
    }
}
