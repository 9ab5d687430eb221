//! Moments and durations as users read and write them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A moment: whole seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The system's clock, right or wrong.
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// From seconds since the epoch.
    pub fn from_epoch(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub fn epoch(self) -> i64 {
        self.0
    }

    /// Later by `seconds` (earlier where negative), kept within the range of the type.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` until this moment; negative where it lies before.
    pub fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The day alone, in UTC: `2026-12-01`.
    pub fn date(self) -> String {
        let text = self.to_string();
        text.split('T').next().unwrap_or_default().to_owned()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds)
            }
        };
        Self(seconds)
    }
}

/// RFC 3339 in UTC with `Z`. A moment that jiff cannot write (past the year 9999) is shown as the last one that it can.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = jiff::Timestamp::MAX.as_second();
        let moment = jiff::Timestamp::from_second(self.0)
            .or_else(|_| jiff::Timestamp::from_second(last))
            .unwrap_or_default();
        moment.fmt(f)
    }
}

/// The moment of an HTTP `Date` header (RFC 9110 §5.6.7); `None` where it cannot be read.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    httpdate::parse_http_date(text).ok().map(Timestamp::from)
}

/// A moment of RFC 3339, or the beginning of a day; `None` where it can't be read.
pub fn parse_moment(text: &str) -> Option<Timestamp> {
    let moment = text.parse::<jiff::Timestamp>().or_else(|_| {
        let day = text.parse::<jiff::civil::Date>()?;
        day.to_zoned(jiff::tz::TimeZone::UTC)
            .map(|day| day.timestamp())
    });
    moment.ok().map(|moment| Timestamp(moment.as_second()))
}

/// 100 years. What is longer is a slip, and could not be added to every moment (a monotonic clock's ends earlier than the
/// number that holds it).
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// What a user types for a duration: a number and a unit, `90s`, `10m`, `24h`, `7d`; 100 years at the most.
///
/// # Errors
/// A sentence that says what a duration looks like.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{text}` is not a duration; write a number and a unit: 90s, 10m, 24h or 7d");
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let seconds_per_unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number = u64::from_str(number).map_err(|_| wrong())?;
    let span = number
        .checked_mul(seconds_per_unit)
        .map(Duration::from_secs)
        .ok_or_else(wrong)?;
    if span > LONGEST {
        return Err(format!("`{text}` is longer than 100 years"));
    }
    Ok(span)
}

/// From two weeks on, hours change nothing that anybody would do.
const WHOLE_DAYS_FROM: u64 = 14 * 86_400;

/// A span for people, in its two largest units: `6 days 3 h`, `4 min 59 s`. The sign is dropped. A long one is rounded to
/// days, so that a year that began a second ago is still told as 365 days.
pub fn describe_span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    if seconds >= WHOLE_DAYS_FROM {
        return format!("{} days", (seconds + 43_200) / 86_400);
    }
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let days_text = if days == 1 {
        "1 day".to_owned()
    } else {
        format!("{days} days")
    };
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, 0) => format!("{m} min"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, 0, _) => format!("{h} h"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (_, 0, _, _) => days_text,
        (_, h, _, _) => format!("{days_text} {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_duration_is_read_as_it_is_written(number in prop_oneof![0..100_000u64, any::<u64>()], unit in "[smhd]") {
            let text = format!("{number}{unit}");
            let worth = match unit.as_str() { "s" => 1, "m" => 60, "h" => 3_600, _ => 86_400 };
            let span = number.checked_mul(worth).map(Duration::from_secs);
            prop_assert_eq!(parse_duration(&text).ok(), span.filter(|span| *span <= LONGEST));
        }

        #[test]
        fn texts_and_moments_of_any_kind_are_never_a_panic(text in "\\PC{0,30}|[0-9]{0,22}[a-z]?", seconds: i64) {
            let _ = (parse_duration(&text), parse_http_date(&text), describe_span(seconds));
            let moment = Timestamp::from_epoch(seconds);
            prop_assert!(moment.to_string().len() >= 20 && moment.to_string().ends_with('Z'));
            let _ = (moment.plus(seconds), moment.seconds_since(Timestamp::from_epoch(!seconds)));
        }
    }

    #[test]
    fn a_moment_is_written_in_utc() {
        assert_eq!(
            Timestamp::from_epoch(1_795_303_485).to_string(),
            "2026-11-21T23:24:45Z"
        );
        assert_eq!(
            Timestamp::from_epoch(i64::MAX).to_string(),
            "9999-12-30T22:00:00Z"
        );
    }

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in [
            "",
            "s",
            "5",
            "1.5h",
            "-1s",
            "5 m",
            "1w",
            "99999999999999999999s",
            "999999999999999999d",
            // More than `Instant` can hold, and less than `Duration` can.
            "213503982334601d",
            "36601d",
            "5µ",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_name_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (299, "4 min 59 s"),
            (3_600, "1 h"),
            (86_400, "1 day"),
            (604_799, "6 days 23 h"),
            (-90, "1 min 30 s"),
            (1_209_599, "13 days 23 h"),
            (1_209_600, "14 days"),
            (31_535_999, "365 days"),
            (31_536_000, "365 days"),
            (i64::MIN, "106751991167301 days"),
        ] {
            assert_eq!(describe_span(seconds), text);
        }
    }

    #[test]
    fn moments_and_days_are_read() {
        let day = Some(Timestamp(1_796_083_200));
        assert_eq!(parse_moment("2026-12-01T00:00:00Z"), day);
        assert_eq!(parse_moment("2026-12-01T02:00:00+02:00"), day);
        assert_eq!(parse_moment("2026-12-01"), day);
        assert_eq!(parse_moment("soon"), None);
    }

    #[test]
    fn http_dates_are_read() {
        assert_eq!(
            parse_http_date("Sat, 21 Nov 2026 23:24:45 GMT"),
            Some(Timestamp(1_795_303_485))
        );
        // The two forms that RFC 9110 calls obsolete, and wants read.
        for old in ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse_http_date(old), Some(Timestamp(784_111_777)));
        }
        assert_eq!(parse_http_date("yesterday"), None);
    }
}
