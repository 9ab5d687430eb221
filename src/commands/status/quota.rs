//! What is left of a quota, for people.

use serde_json::Number;

use crate::api::check::Quota;

/// `[#########-] 484,750 of 500,000 units left until 2026-12-01`, or as much of it as is known; the bar only on wish, and only
/// where a limit is known. `None`: nothing is.
pub fn describe(quota: &Quota, with_bar: bool) -> Option<String> {
    let remaining = quota.remaining.as_ref()?;
    let unit = quota.unit.as_deref().unwrap_or("units");
    let of = quota.limit.as_ref();
    let bar = of
        .filter(|_| with_bar)
        .and_then(|limit| bar(limit, remaining));
    let of = of.map_or_else(String::new, |limit| format!(" of {}", grouped(limit)));
    let until = quota.resets_at;
    let until = until.map_or_else(String::new, |time| format!(" until {}", time.date()));
    Some(format!(
        "{}{}{of} {unit} left{until}",
        bar.unwrap_or_default(),
        grouped(remaining)
    ))
}

/// Ten cells: what is left is `#`, so that it can be read without colour. All are full only when nothing is used, and all
/// empty only when nothing is left.
fn bar(limit: &Number, remaining: &Number) -> Option<String> {
    const CELLS: usize = 10;
    let (limit, left) = (limit.as_f64()?, remaining.as_f64()?);
    let share = if limit > 0.0 { left / limit } else { 0.0 };
    let most = if left < limit { CELLS - 1 } else { CELLS };
    // Between nothing and all of the cells, so that nothing is cut off.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let filled = ((share.clamp(0.0, 1.0) * CELLS as f64).ceil() as usize).min(most);
    Some(format!(
        "[{}{}] ",
        "#".repeat(filled),
        "-".repeat(CELLS - filled)
    ))
}

/// With a comma after each three digits; of a fraction two places.
fn grouped(number: &Number) -> String {
    let text = match number.is_f64() {
        true => format!("{:.2}", number.as_f64().unwrap_or_default()),
        false => number.to_string(),
    };
    let (digits, fraction) = match text.split_once('.') {
        Some((digits, fraction)) => (digits, format!(".{fraction}")),
        None => (text.as_str(), String::new()),
    };
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(&number.into()), text);
        }
        assert_eq!(grouped(&Number::from_f64(1_234.5).unwrap()), "1,234.50");
    }

    #[test]
    fn what_is_known_is_told() {
        let mut quota = Quota::default();
        assert_eq!(describe(&quota, true), None);
        quota.remaining = Some(250.into());
        assert_eq!(describe(&quota, true).unwrap(), "250 units left");
        quota.limit = Some(1_000.into());
        quota.unit = Some("rows".to_owned());
        assert_eq!(
            describe(&quota, true).unwrap(),
            "[###-------] 250 of 1,000 rows left"
        );
        quota.resets_at = Some(Timestamp::from_epoch(0));
        assert_eq!(
            describe(&quota, false).unwrap(),
            "250 of 1,000 rows left until 1970-01-01"
        );
    }

    #[test]
    fn the_bar_is_full_when_nothing_is_used_and_empty_when_nothing_is_left() {
        for (limit, left, filled) in [
            (100, 100, 10),
            (500_000, 499_999, 9),
            (100, 50, 5),
            (100, 1, 1),
            (100, 0, 0),
            (0, 0, 0),
            (100, 500, 10),
            (u64::MAX, 0, 0),
        ] {
            let bar = bar(&limit.into(), &left.into()).unwrap();
            assert_eq!(bar.matches('#').count(), filled, "{limit} {left} {bar}");
            assert_eq!(bar.len(), 13, "{bar}");
        }
    }
}
