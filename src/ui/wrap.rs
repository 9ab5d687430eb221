//! Talk in lines that end between words.

/// `text` with its long lines broken at spaces, so that none is wider than `columns`. What follows in a broken line is
/// indented like its beginning. Words stay whole: an address can be copied.
pub fn wrap(text: &str, columns: usize) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| wrap_line(line, columns))
        .collect();
    lines.join("\n")
}

fn wrap_line(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let words = line.trim_start_matches(' ');
    let indent = &line[..line.len() - words.len()];
    let mut wrapped = String::new();
    let mut used = 0;
    for word in words.split(' ') {
        if used > 0 && used + 1 + width(word) > columns {
            wrapped.push('\n');
            used = 0;
        }
        let gap = if used == 0 { indent } else { " " };
        wrapped.push_str(gap);
        wrapped.push_str(word);
        used += gap.len() + width(word);
    }
    wrapped
}

/// Columns on the screen; colours have none.
fn width(text: &str) -> usize {
    let plain = anstream::adapter::strip_str(text);
    plain.map(|part| part.chars().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_end_between_words() {
        let text = "one two three\n  four five\nhttps://example.com/a/long/address x";
        let lines = "one two\nthree\n  four\n  five\nhttps://example.com/a/long/address\nx";
        assert_eq!(wrap(text, 9), lines);
        assert_eq!(wrap(text, 80), text);
    }

    #[test]
    fn colours_take_no_room() {
        let text = "\u{1b}[1mone\u{1b}[0m two";
        assert_eq!(wrap(text, 7), text);
    }
}
