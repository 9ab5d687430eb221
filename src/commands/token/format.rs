//! How a credential is written for its reader. Pure: what goes where is the caller's matter.

use serde_json::{Value, json};

use crate::cli::Format;
use crate::http::api::Proof;

/// Whether the format has a variable in it.
pub fn names_a_variable(format: Format) -> bool {
    matches!(format, Format::Env | Format::Dotenv | Format::Github)
}

/// Whether the format is what a request carries.
pub fn is_of_a_request(format: Format) -> bool {
    matches!(format, Format::Header | Format::Headers | Format::Curl)
}

/// A value as a line, with its newline: alone, or in its variable. `None`: no notation of .env files holds these quotes and
/// these other characters for every reader.
pub fn line(format: Format, variable: &str, value: &str) -> Option<String> {
    let line = match format {
        Format::Env => format!("export {variable}={}", shell(value)),
        Format::Dotenv => format!("{variable}={}", dotenv(value)?),
        Format::Github => format!("{variable}={value}"),
        _ => value.to_owned(),
    };
    Some(line + "\n")
}

/// What a request carries, with its newline. `None`: it goes into no header, and this format has only those.
pub fn of_a_request(format: Format, proof: &Proof) -> Option<String> {
    let header = proof.header.as_ref();
    let header = header.map(|(name, value)| (name.as_str(), value.expose()));
    let line = match (format, header, &proof.query) {
        (Format::Headers, Some((name, value)), _) => {
            let mut headers = json!({});
            headers[name] = Value::from(value);
            headers.to_string()
        }
        (Format::Curl, Some((name, value)), _) => {
            format!("header = \"{}\"", curl(&format!("{name}: {value}")))
        }
        // Encoded by curl, like the argument of --data-urlencode.
        (Format::Curl, None, Some((name, value))) => {
            format!(
                "url-query = \"{}\"",
                curl(&format!("{name}={}", value.expose()))
            )
        }
        (_, Some((name, value)), _) => format!("{name}: {value}"),
        _ => return None,
    };
    Some(line + "\n")
}

/// The command by which a GitHub runner learns what to mask; it decodes `%25`, `%0D` and `%0A` in what follows.
pub fn mask_command(token: &str) -> String {
    format!("::add-mask::{}\n", token.replace('%', "%25"))
}

/// POSIX: nothing is special between single quotes but the single quote, which stands outside of them, escaped.
fn shell(token: &str) -> String {
    format!("'{}'", token.replace('\'', "'\\''"))
}

/// Readers of .env files agree on no escape. Bare words are read alike by all, `docker --env-file` among them, which takes
/// quotes for a part of the value; single quotes are literal wherever quotes mean something; double quotes are safe as
/// long as nothing inside can be an escape or a variable.
fn dotenv(token: &str) -> Option<String> {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    if token.chars().all(bare) {
        Some(token.to_owned())
    } else if !token.contains(['\'', '\\']) {
        Some(format!("'{token}'"))
    } else if !token.contains(['"', '\\', '$', '`']) {
        Some(format!("\"{token}\""))
    } else {
        None
    }
}

/// `man curl`, `--config`: between double quotes, a backslash escapes itself and the quote.
fn curl(token: &str) -> String {
    token.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use proptest::prelude::*;

    fn bearer(token: &str) -> Proof {
        let value = Secret::new(format!("Bearer {token}"));
        Proof {
            header: Some(("Authorization".to_owned(), value)),
            ..Proof::default()
        }
    }

    #[test]
    fn each_format_has_its_line() {
        for (format, expected) in [
            (Format::Raw, "a1.b-c\n"),
            (Format::Env, "export T='a1.b-c'\n"),
            (Format::Dotenv, "T=a1.b-c\n"),
            (Format::Github, "T=a1.b-c\n"),
        ] {
            assert_eq!(line(format, "T", "a1.b-c").unwrap(), expected);
        }
        for (format, expected) in [
            (Format::Header, "Authorization: Bearer a1.b-c\n"),
            (Format::Headers, "{\"Authorization\":\"Bearer a1.b-c\"}\n"),
            (Format::Curl, "header = \"Authorization: Bearer a1.b-c\"\n"),
        ] {
            assert_eq!(of_a_request(format, &bearer("a1.b-c")).unwrap(), expected);
        }
        let query = Proof {
            query: Some(("key".to_owned(), Secret::new("a\"b".to_owned()))),
            ..Proof::default()
        };
        let curl = of_a_request(Format::Curl, &query).unwrap();
        assert_eq!(curl, "url-query = \"key=a\\\"b\"\n");
        assert_eq!(of_a_request(Format::Header, &query), None);
        assert_eq!(of_a_request(Format::Headers, &query), None);
    }

    #[test]
    fn quotes_are_quoted_for_their_reader() {
        let written = |format, token| line(format, "T", token);
        assert_eq!(written(Format::Env, "a'b").unwrap(), "export T='a'\\''b'\n");
        assert_eq!(
            of_a_request(Format::Curl, &bearer(r#"a"b\c"#)).unwrap(),
            "header = \"Authorization: Bearer a\\\"b\\\\c\"\n"
        );
        assert_eq!(
            written(Format::Dotenv, "a$(b)\"#").unwrap(),
            "T='a$(b)\"#'\n"
        );
        assert_eq!(written(Format::Dotenv, "a'b").unwrap(), "T=\"a'b\"\n");
        assert_eq!(written(Format::Dotenv, "a'$b"), None);
        assert_eq!(mask_command("a%0Ab"), "::add-mask::a%250Ab\n");
    }

    /// What a POSIX shell makes of a word in single quotes.
    fn read_by_shell(word: &str) -> String {
        let mut text = String::new();
        let (mut rest, mut quoted) = (word.chars(), false);
        while let Some(c) = rest.next() {
            match c {
                '\'' => quoted = !quoted,
                '\\' if !quoted => text.extend(rest.next()),
                c => {
                    assert!(quoted, "{c:?} stands in the open");
                    text.push(c);
                }
            }
        }
        text
    }

    /// What curl makes of a quoted value.
    fn read_by_curl(value: &str) -> String {
        let mut text = String::new();
        let mut rest = value.strip_prefix('"').unwrap().chars();
        loop {
            match rest.next().unwrap() {
                '"' => break,
                '\\' => text.extend(rest.next()),
                c => text.push(c),
            }
        }
        assert_eq!(rest.as_str(), "");
        text
    }

    proptest! {
        #[test]
        fn a_reader_reads_just_the_token(token in "[ -~]{1,80}") {
            let env = line(Format::Env, "T", &token).unwrap();
            let word = env.strip_prefix("export T=").unwrap().trim_end_matches('\n');
            prop_assert_eq!(read_by_shell(word), token.clone());
            let curl = of_a_request(Format::Curl, &bearer(&token)).unwrap();
            let value = curl.strip_prefix("header = ").unwrap().trim_end_matches('\n');
            prop_assert_eq!(read_by_curl(value), format!("Authorization: Bearer {token}"));
            prop_assert_eq!(curl.matches('\n').count(), 1);
        }
    }
}
