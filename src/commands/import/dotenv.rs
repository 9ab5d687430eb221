//! Files of lines `NAME=VALUE`, as the dotenv libraries read them: `export`, quotes, comments, CRLF, a byte order mark.

/// One assignment, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub value: String,
    /// From 1 on.
    pub line: usize,
    /// The bytes of its line or lines, their end included.
    pub span: std::ops::Range<usize>,
}

/// The assignments of a file; what is none, and what isn't UTF-8, is passed over.
pub fn entries(file: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < file.len() {
        let rest = &file[at..];
        let end = line_end(rest);
        let text = std::str::from_utf8(&rest[..end]).unwrap_or_default();
        let assigned = assignment(text);
        // A quote that is not closed on its line goes on on the next ones.
        let length = match assigned {
            Some((_, value)) => open_quote(value)
                .and_then(|quote| closed(&rest[end..], quote))
                .map_or(end, |more| end + more),
            None => end,
        };
        let whole = &rest[..length];
        if let Some((name, _)) = assigned
            && let Some((_, value)) = std::str::from_utf8(whole).ok().and_then(assignment)
        {
            entries.push(Entry {
                name: name.to_owned(),
                value: unquoted(value),
                line,
                span: at..at + length,
            });
        }
        line += whole.iter().filter(|byte| **byte == b'\n').count();
        at += length;
    }
    entries
}

/// Behind the next line's end, or at the end of the file.
fn line_end(text: &[u8]) -> usize {
    let end = text.iter().position(|byte| *byte == b'\n');
    end.map_or(text.len(), |end| end + 1)
}

/// Name and what follows the `=`, as it stands.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let text = match text.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => text,
    };
    let (name, value) = text.split_once('=')?;
    let name = name.trim_end();
    crate::text::is_variable(name).then(|| (name, value.trim()))
}

/// The quote that a value begins with and that its line does not close.
fn open_quote(value: &str) -> Option<u8> {
    let quote = *value.as_bytes().first()?;
    let is_open = matches!(quote, b'"' | b'\'') && closed(&value.as_bytes()[1..], quote).is_none();
    is_open.then_some(quote)
}

/// How far it is to the end of the line on which this quote is closed.
fn closed(text: &[u8], quote: u8) -> Option<usize> {
    let mut escaped = false;
    let at = text.iter().position(|byte| {
        let ends = *byte == quote && !escaped;
        escaped = quote == b'"' && *byte == b'\\' && !escaped;
        ends
    })?;
    Some(at + line_end(&text[at..]))
}

/// The value without its quotes or the comment behind it.
fn unquoted(value: &str) -> String {
    let inside = |quote: char| {
        let rest = value.strip_prefix(quote)?;
        let end = closed(rest.as_bytes(), quote as u8)?;
        let text = &rest[..end];
        text.rfind(quote).map(|close| &text[..close])
    };
    if let Some(text) = inside('\'') {
        return text.to_owned();
    }
    if let Some(text) = inside('"') {
        let mut plain = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match (c, c == '\\') {
                (_, true) => match rest.next() {
                    Some('n') => plain.push('\n'),
                    Some('r') => plain.push('\r'),
                    Some('t') => plain.push('\t'),
                    Some(other) => plain.push(other),
                    None => {}
                },
                (c, false) => plain.push(c),
            }
        }
        return plain;
    }
    let comment = value.find(" #").or_else(|| value.find("\t#"));
    let value = &value[..comment.unwrap_or(value.len())];
    match value.starts_with('#') {
        true => String::new(),
        false => value.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, usize)> {
        let entries = entries(text.as_bytes()).into_iter();
        entries
            .map(|entry| (entry.name, entry.value, entry.line))
            .collect()
    }

    #[test]
    fn values_are_read_as_dotenv_libraries_read_them() {
        for (line, value) in [
            ("K=v", "v"),
            ("export K=v", "v"),
            ("  K = v  ", "v"),
            ("K=v # why", "v"),
            ("K=v#not", "v#not"),
            ("K='v # in' # out", "v # in"),
            ("K=\"v\\n\\\"w\\\"\" # out", "v\n\"w\""),
            ("K='a\\n'", "a\\n"),
            ("K=", ""),
            ("K= # nothing", ""),
            ("K=v\r", "v"),
            ("\u{feff}K=v", "v"),
            ("K=a=b", "a=b"),
        ] {
            let read = read(line);
            assert_eq!(read, [("K".to_owned(), value.to_owned(), 1)], "{line:?}");
        }
        for none in ["", "# K=v", "K", "2K=v", "K-L=v", "=v", "export", "[table]"] {
            assert!(read(none).is_empty(), "{none:?}");
        }
    }

    #[test]
    fn a_value_of_several_lines_is_one_and_hides_what_it_holds() {
        let text = "A=1\nB=\"one\nMOZ_API_TOKEN=no\nlast\" # x\nC=3\nD='open\nE=5\n";
        let found = read(text);
        let names: Vec<_> = found
            .iter()
            .map(|(name, _, line)| (name.as_str(), *line))
            .collect();
        assert_eq!(names, [("A", 1), ("B", 2), ("C", 5), ("D", 6), ("E", 7)]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_there_spans_are_whole_lines(text in "[A-C='\"\\\\# \n\r]{0,60}") {
            let mut before = 0;
            for entry in entries(text.as_bytes()) {
                proptest::prop_assert!(entry.span.start >= before);
                let starts = entry.span.start == 0 || text.as_bytes()[entry.span.start - 1] == b'\n';
                let ends = entry.span.end == text.len() || text.as_bytes()[entry.span.end - 1] == b'\n';
                proptest::prop_assert!(starts && ends);
                before = entry.span.end;
            }
        }
    }
}
