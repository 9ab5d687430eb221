//! Texts from outside: made harmless for a terminal and a page, and compared with what they may have been meant to be.

/// `text` without control characters, escape sequences' introducers and bidirectional overrides, each run of white space as
/// one space, and at most `max` characters long (cut with `…`).
pub fn printable(text: &str, max: usize) -> String {
    let mut cleaned = String::new();
    let mut gap = false;
    for (count, c) in text
        .trim()
        .chars()
        .filter(|c| c.is_whitespace() || !is_treacherous(*c))
        .enumerate()
    {
        if count >= max {
            cleaned.push('…');
            break;
        }
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && !cleaned.is_empty() {
            cleaned.push(' ');
        }
        gap = false;
        cleaned.push(c);
    }
    cleaned
}

/// Somebody else's sentence as a part of one of ours, which has an end of its own.
pub fn clause(text: &str) -> &str {
    let open = text.strip_suffix('.').filter(|open| !open.ends_with('.'));
    open.unwrap_or(text)
}

/// C0, DEL and C1 controls move the cursor; bidirectional marks and characters without a width make one text look like
/// another.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}'
        )
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` as HTML shows it, for text and for attribute values alike.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Two lower-case digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether this can name a variable everywhere: POSIX's portable names, and lower case.
pub fn is_variable(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// The known word that looks most like the given one, if it differs in no more than a third of its letters: that covers slips
/// of the finger, and leaves other words alone.
pub fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::osa_distance(&given, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= word.len().max(given.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{clause, is_treacherous, is_variable, nearest, printable};

    #[test]
    fn a_sentence_within_ours_ends_once() {
        for (text, part) in [
            ("The code was used.", "The code was used"),
            ("no stop", "no stop"),
            ("and so on...", "and so on..."),
            ("", ""),
        ] {
            assert_eq!(clause(text), part);
        }
    }

    #[test]
    fn names_of_variables() {
        for good in ["T", "_x", "SEMRUSH_TOKEN2"] {
            assert!(is_variable(good), "{good}");
        }
        for bad in ["", "2T", "A-B", "A B", "A=B", "Ä", "A\n"] {
            assert!(!is_variable(bad), "{bad:?}");
        }
    }

    #[test]
    fn slips_of_the_finger_are_near_and_other_words_are_not() {
        let known = ["semrush", "ahrefs", "my-idp"];
        for (given, word) in [
            ("semursh", Some("semrush")),
            ("AHREF", Some("ahrefs")),
            ("my_idp", Some("my-idp")),
            ("moz", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known), word, "{given}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_one_harmless_line(text in "(\\PC|[\\x00-\\xad\u{2000}-\u{2069}]){0,40}", max in 0usize..30) {
            let line = printable(&text, max);
            prop_assert!(line.chars().count() <= max + 1, "{line:?}");
            prop_assert!(!line.contains(is_treacherous) && !line.contains("  "), "{line:?}");
            prop_assert_eq!(printable(&line, max + 1), line);
        }
    }

    #[test]
    fn escape_sequences_lose_their_teeth() {
        assert_eq!(printable("\u{1b}[31mred\u{1b}[0m\u{7}", 80), "[31mred[0m");
        assert_eq!(printable("\u{9b}2Jgone\u{7f}", 80), "2Jgone");
        for mark in [
            '\u{202e}',
            '\u{61c}',
            '\u{ad}',
            '\u{200b}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert_eq!(printable(&format!("safe{mark}txt.exe"), 80), "safetxt.exe");
        }
    }

    #[test]
    fn lines_are_folded_and_length_is_bounded() {
        assert_eq!(printable("  one\r\n\ttwo ", 80), "one two");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }
}
