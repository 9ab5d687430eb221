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

/// `text` as it follows something `indent` columns wide: broken as by [`wrap`], and what follows in a broken line stands
/// below its beginning. `None` is no screen, and breaks nothing.
pub fn hang(text: &str, indent: usize, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let room = columns.saturating_sub(indent).max(MIN_ROOM);
    wrap(text, room).replace('\n', &format!("\n{:indent$}", ""))
}

/// Narrower text than this is harder to read than lines that the terminal breaks.
const MIN_ROOM: usize = 20;

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
pub fn width(text: &str) -> usize {
    let plain = anstream::adapter::strip_str(text);
    plain.map(|part| part.chars().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::{hang, wrap};

    #[test]
    fn lines_end_between_words() {
        let text = "one two three\n  four five\nhttps://example.com/a/long/address x";
        let lines = "one two\nthree\n  four\n  five\nhttps://example.com/a/long/address\nx";
        assert_eq!(wrap(text, 9), lines);
        assert_eq!(wrap(text, 80), text);
    }

    #[test]
    fn what_hangs_stands_below_its_beginning() {
        let text = "twenty columns are the least room there is";
        let below = "twenty columns are\n    the least room there\n    is";
        assert_eq!(hang(text, 4, Some(24)), below);
        assert_eq!(hang(text, 4, Some(3)), below);
        assert_eq!(hang(text, 4, None), text);
    }

    #[test]
    fn colours_take_no_room() {
        let text = "\u{1b}[1mone\u{1b}[0m two";
        assert_eq!(wrap(text, 7), text);
    }
}
