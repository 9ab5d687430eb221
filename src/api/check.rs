//! What the answer to a check tells: whether the credential is good, and what is left of its quota. The places are data
//! ([`Check`]); here they are looked up, by JSON pointers (RFC 6901).

use serde_json::{Number, Value};

use super::target::{self, TargetError};
use crate::clock::{Timestamp, parse_moment};
use crate::http::api::ApiRequest;
use crate::provider::{Api, Check, Sign};

/// What an account may use, and has used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quota {
    pub remaining: Option<Number>,
    pub limit: Option<Number>,
    pub used: Option<Number>,
    /// What is counted; units where nobody says.
    pub unit: Option<String>,
    /// When the next period begins.
    pub resets_at: Option<Timestamp>,
    /// When the credential itself dies.
    pub expires_at: Option<Timestamp>,
}

/// What an answer says of a credential.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Good(Quota),
    Bad,
    /// The signs say nothing; the status and the API's envelope decide.
    Open(Quota),
}

/// The request of a check. `None`: the provider has none.
///
/// # Errors
/// Its address is none that the credential may be sent to.
pub fn request(api: &Api, check: Option<&Check>) -> Result<Option<ApiRequest>, TargetError> {
    let (Some(base), Some(check)) = (&api.base, check) else {
        return Ok(None);
    };
    let json = [("Content-Type".to_owned(), "application/json".to_owned())];
    Ok(Some(ApiRequest {
        method: check.method.clone().unwrap_or_else(|| "GET".to_owned()),
        url: target::resolve(base, &api.origins, &check.url)?,
        headers: check.json.iter().flat_map(|_| json.clone()).collect(),
        body: check
            .json
            .as_ref()
            .map(|json| json.to_string().into_bytes()),
    }))
}

/// Whether the answer proves the credential, by the signs that the provider is known to give: several answer 200 to a bad
/// key, and some 403 to a good one without money.
pub fn judge(check: &Check, status: u16, body: &[u8]) -> Verdict {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let text = text.trim_start_matches('\u{feff}').trim();
    let json = serde_json::from_str(text).ok();
    // A number that isn't JSON: `1,000`.
    let json = json.or_else(|| number(&Value::from(text)).map(Value::Number));
    let shows = |sign: &Sign| match sign {
        Sign::Status(list) => list.contains(&status),
        Sign::StartsWith(word) => text.starts_with(word.as_str()),
        Sign::Equals(pointer, value) => json.as_ref().is_some_and(|json| {
            json.pointer(pointer)
                .is_some_and(|found| same(found, value))
        }),
        Sign::Absent(pointer) => json
            .as_ref()
            .is_some_and(|json| json.pointer(pointer).is_none_or(Value::is_null)),
    };
    if check.invalid.as_ref().is_some_and(shows) {
        return Verdict::Bad;
    }
    let quota = Quota::read(check, json.as_ref());
    let succeeded = (200..300).contains(&status);
    // Neither a gateway's page nor JSON that was cut says anything of a credential.
    let is_page = text.starts_with('<');
    let is_data =
        json.is_some() || check.valid.is_none() || matches!(check.valid, Some(Sign::StartsWith(_)));
    match (&check.valid, &check.invalid) {
        _ if is_page || !is_data => Verdict::Open(quota),
        (Some(valid), _) if succeeded && shows(valid) => Verdict::Good(quota),
        (Some(_), _) if succeeded => Verdict::Bad,
        // What is wrong with a request that a bad credential would not have got this far with: no money, no right.
        (None, Some(_)) if succeeded || matches!(status, 402 | 403) => Verdict::Good(quota),
        _ => Verdict::Open(quota),
    }
}

/// Numbers are written as text by some.
fn same(found: &Value, value: &Value) -> bool {
    found == value
        || matches!((number(found), number(value)), (Some(a), Some(b)) if a.as_f64() == b.as_f64())
}

impl Quota {
    fn read(check: &Check, json: Option<&Value>) -> Self {
        let at = |pointer: &String| json.and_then(|json| json.pointer(pointer));
        let told =
            |pointers: &[String]| pointers.iter().find_map(|place| at(place).and_then(number));
        let moment = |pointer: &Option<String>| pointer.as_ref().and_then(at).and_then(moment);
        let pairs = check.limit.iter().zip(&check.used);
        let pair = pairs
            .filter_map(|(limit, used)| {
                Some((at(limit).and_then(number)?, at(used).and_then(number)?))
            })
            .next();
        let (limit, used) = match pair {
            Some((limit, used)) => (Some(limit), Some(used)),
            None => (told(&check.limit), told(&check.used)),
        };
        let remaining = told(&check.remaining);
        let left = limit.as_ref().zip(used.as_ref());
        let left = left.and_then(|(limit, used)| difference(limit, used));
        Self {
            remaining: remaining.or(left),
            limit,
            used,
            unit: check.unit.clone(),
            resets_at: moment(&check.resets_at),
            expires_at: moment(&check.expires_at),
        }
    }
}

/// A number, or a text that is one: `"1,234"`.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()).filter(|number| number.as_f64() >= Some(0.0)),
        Value::String(text) => {
            let plain = text.trim().replace(',', "");
            let digits = plain
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.');
            digits.then(|| plain.parse().ok()).flatten()
        }
        _ => None,
    }
}

fn difference(limit: &Number, used: &Number) -> Option<Number> {
    match (limit.as_u64(), used.as_u64()) {
        (Some(limit), Some(used)) => Some(limit.saturating_sub(used).into()),
        _ => Number::from_f64((limit.as_f64()? - used.as_f64()?).max(0.0)),
    }
}

/// Beyond this a number of an epoch counts milliseconds: as seconds it would be the year 5138.
const LARGEST_EPOCH_SECONDS: i64 = 100_000_000_000;

/// A moment as text, or as seconds or milliseconds since 1970.
fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => parse_moment(text.trim()),
        other => other
            .as_i64()
            .map(|epoch| match epoch > LARGEST_EPOCH_SECONDS {
                true => Timestamp::from_epoch(epoch / 1000),
                false => Timestamp::from_epoch(epoch),
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> Check {
        let place = |text: &str| vec![text.to_owned()];
        Check {
            limit: place("/quota/limit"),
            used: place("/quota/used"),
            resets_at: Some("/quota/reset".to_owned()),
            ..Check::default()
        }
    }

    fn quota(check: &Check, body: &str) -> Quota {
        match judge(check, 200, body.as_bytes()) {
            Verdict::Good(quota) | Verdict::Open(quota) => quota,
            Verdict::Bad => panic!("{body}"),
        }
    }

    #[test]
    fn numbers_may_be_texts_with_commas() {
        for (limit, read) in [
            ("1234", true),
            (r#""1,234""#, true),
            ("null", false),
            (r#""all""#, false),
            ("-1", false),
        ] {
            let body = format!(r#"{{"quota":{{"limit":{limit},"used":" 34 "}}}}"#);
            let quota = quota(&check(), &body);
            assert_eq!(quota.limit, read.then(|| 1_234.into()), "{body}");
            assert_eq!(quota.remaining, read.then(|| 1_200.into()), "{body}");
        }
    }

    #[test]
    fn of_several_places_the_first_pair_counts() {
        let check = Check {
            limit: vec!["/own/limit".to_owned(), "/all/limit".to_owned()],
            used: vec!["/own/used".to_owned(), "/all/used".to_owned()],
            ..Check::default()
        };
        let body = r#"{"own":{"limit":null,"used":3},"all":{"limit":100,"used":40}}"#;
        assert_eq!(quota(&check, body).remaining, Some(60.into()));
        let body = r#"{"own":{"limit":10,"used":3},"all":{"limit":100,"used":40}}"#;
        assert_eq!(quota(&check, body).remaining, Some(7.into()));
    }

    #[test]
    fn a_moment_is_text_or_an_epoch() {
        for moment in [
            r#""1970-01-12""#,
            r#""1970-01-12T00:00:00Z""#,
            r#""1970-01-12 00:00:00""#,
            "950400",
        ] {
            let body = format!(r#"{{"quota":{{"reset":{moment}}}}}"#);
            let resets_at = quota(&check(), &body).resets_at;
            assert_eq!(resets_at, Some(Timestamp::from_epoch(950_400)), "{moment}");
        }
        let body = r#"{"quota":{"reset":1700000000000}}"#;
        let resets_at = quota(&check(), body).resets_at;
        assert_eq!(resets_at, Some(Timestamp::from_epoch(1_700_000_000)));
    }

    #[test]
    fn signs_decide_where_there_are_any() {
        let pointer = "/status".to_owned();
        let ok = Some(Sign::Equals(pointer.clone(), Value::from(20_000)));
        let valid = |valid: Option<Sign>| Check {
            valid,
            ..Check::default()
        };
        let invalid = |invalid| Check {
            invalid: Some(invalid),
            ..Check::default()
        };
        let good = |verdict: Verdict| matches!(verdict, Verdict::Good(_));
        let open = |verdict: Verdict| matches!(verdict, Verdict::Open(_));
        let bad = |verdict: Verdict| verdict == Verdict::Bad;
        let page = "<html>sign in to the network</html>";
        for (check, status, body, holds) in [
            (
                valid(ok.clone()),
                200,
                r#"{"status":20000}"#,
                good as fn(Verdict) -> bool,
            ),
            (valid(ok.clone()), 200, r#"{"status":"20,000"}"#, good),
            (valid(ok.clone()), 200, r#"{"status":40100}"#, bad),
            (valid(ok.clone()), 200, page, open),
            (valid(ok.clone()), 503, r#"{"status":40100}"#, open),
            (valid(ok.clone()), 401, r#"{"status":40100}"#, open),
            (
                valid(Some(Sign::Absent("/error".to_owned()))),
                200,
                "{}",
                good,
            ),
            (
                valid(Some(Sign::Absent("/error".to_owned()))),
                200,
                r#"{"error":1}"#,
                bad,
            ),
            (
                valid(Some(Sign::StartsWith("OK".to_owned()))),
                200,
                "OK 7",
                good,
            ),
            (
                valid(Some(Sign::StartsWith("OK".to_owned()))),
                200,
                "NO",
                bad,
            ),
            (
                invalid(Sign::StartsWith("ERROR".to_owned())),
                200,
                "ERROR 120 :: WRONG KEY",
                bad,
            ),
            (
                invalid(Sign::StartsWith("ERROR".to_owned())),
                200,
                "1,000",
                good,
            ),
            (
                invalid(Sign::StartsWith("ERROR".to_owned())),
                200,
                page,
                open,
            ),
            (invalid(Sign::Status(vec![401])), 401, "{}", bad),
            (
                invalid(Sign::Status(vec![401])),
                403,
                r#"{"error":"Insufficient funds"}"#,
                good,
            ),
            (invalid(Sign::Status(vec![401])), 404, "{}", open),
            (invalid(Sign::Status(vec![401])), 500, "{}", open),
            (valid(None), 200, "{}", open),
        ] {
            assert!(
                holds(judge(&check, status, body.as_bytes())),
                "{check:?} {status} {body}"
            );
        }
    }

    #[test]
    fn a_body_may_be_the_number() {
        let check = Check {
            remaining: vec![String::new()],
            ..Check::default()
        };
        assert_eq!(quota(&check, "1,000\n").remaining, Some(1_000.into()));
        assert_eq!(quota(&check, "12.5").remaining, Number::from_f64(12.5));
        assert_eq!(quota(&check, "ERROR").remaining, None);
    }
}
