//! API units for people.

use crate::api::check::Units;

/// `[####----------------] 15,250 of 500,000 units used, 484,750 left, reset on 2026-12-01`; the bar only on wish.
pub fn describe(units: &Units, with_bar: bool) -> String {
    let bar = if with_bar { bar(units) } else { String::new() };
    let reset = units
        .renewed_at
        .map(|time| format!(", reset on {}", time.date()))
        .unwrap_or_default();
    format!(
        "{bar}{} of {} units used, {} left{reset}",
        grouped(units.used),
        grouped(units.limit),
        grouped(units.left())
    )
}

/// Twenty cells: what was used is `#`, so that it can be read without colour. One is begun with the first unit, and the last
/// one is full only when nothing is left.
fn bar(units: &Units) -> String {
    const CELLS: usize = 20;
    let limit = u128::from(units.limit.max(1));
    let filled = (u128::from(units.used) * CELLS as u128).div_ceil(limit);
    let most = if units.left() > 0 { CELLS - 1 } else { CELLS };
    let filled = usize::try_from(filled).map_or(most, |filled| filled.min(most));
    format!("[{}{}] ", "#".repeat(filled), "-".repeat(CELLS - filled))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(limit: u64, used: u64) -> Units {
        Units {
            limit,
            used,
            renewed_at: None,
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn the_bar_begins_with_the_first_unit_and_is_full_when_none_is_left() {
        for (limit, used, filled) in [
            (100, 0, 0),
            (500_000, 1, 1),
            (100, 50, 10),
            (100, 99, 19),
            (100, 100, 20),
            (100, 500, 20),
            (0, 0, 0),
            (u64::MAX, u64::MAX, 20),
        ] {
            let bar = bar(&units(limit, used));
            assert_eq!(bar.matches('#').count(), filled, "{bar}");
            assert_eq!(bar.len(), 23, "{bar}");
        }
    }
}
