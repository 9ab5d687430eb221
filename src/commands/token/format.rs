//! How a token is written for its reader. Pure: what goes where is the caller's matter.

use crate::cli::Format;

/// Why a token can't be written in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It holds what RFC 6749 §A.12 keeps out of a token, and what would end a line or a header.
    Characters,
    /// No notation of this format holds both its quotes and its other characters for every reader.
    Quotes,
}

/// The token as a line of `format`, with its newline. [`Format::Json`] is the caller's; so is what [`Format::Github`] puts
/// into a file, which is this text.
///
/// # Errors
/// The token can't be written so that its reader reads just the token.
pub fn line(format: Format, variable: &str, token: &str) -> Result<String, Unfit> {
    check(token)?;
    let line = match format {
        Format::Raw | Format::Json => token.to_owned(),
        Format::Header => format!("Authorization: Bearer {token}"),
        Format::Env => format!("export {variable}={}", shell(token)),
        Format::Dotenv => format!("{variable}={}", dotenv(token)?),
        Format::Curl => format!("header = \"Authorization: Bearer {}\"", curl(token)),
        Format::Github => format!("{variable}={token}"),
    };
    Ok(line + "\n")
}

/// RFC 6749 §A.12: a token is made of VSCHAR, `%x20-7E`. A newline in it would become a second header, variable or command.
///
/// # Errors
/// [`Unfit::Characters`].
pub fn check(token: &str) -> Result<(), Unfit> {
    let vschar = |byte: u8| (0x20..=0x7e).contains(&byte);
    if !token.is_empty() && token.bytes().all(vschar) {
        Ok(())
    } else {
        Err(Unfit::Characters)
    }
}

/// The command by which a GitHub runner learns what to mask; it decodes `%25`, `%0D` and `%0A` in what follows.
pub fn mask_command(token: &str) -> String {
    format!("::add-mask::{}\n", token.replace('%', "%25"))
}

/// Whether this can name a variable everywhere: POSIX's portable names, and lower case.
pub fn is_variable(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// POSIX: nothing is special between single quotes but the single quote, which stands outside of them, escaped.
fn shell(token: &str) -> String {
    format!("'{}'", token.replace('\'', "'\\''"))
}

/// Readers of .env files agree on no escape. Bare words are read alike by all, `docker --env-file` among them, which takes
/// quotes for a part of the value; single quotes are literal wherever quotes mean something; double quotes are safe as
/// long as nothing inside can be an escape or a variable.
fn dotenv(token: &str) -> Result<String, Unfit> {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    if token.chars().all(bare) {
        Ok(token.to_owned())
    } else if !token.contains(['\'', '\\']) {
        Ok(format!("'{token}'"))
    } else if !token.contains(['"', '\\', '$', '`']) {
        Ok(format!("\"{token}\""))
    } else {
        Err(Unfit::Quotes)
    }
}

/// `man curl`, `--config`: between double quotes, a backslash escapes itself and the quote.
fn curl(token: &str) -> String {
    token.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_format_has_its_line() {
        for (format, expected) in [
            (Format::Raw, "a1.b-c\n"),
            (Format::Header, "Authorization: Bearer a1.b-c\n"),
            (Format::Env, "export T='a1.b-c'\n"),
            (Format::Dotenv, "T=a1.b-c\n"),
            (Format::Curl, "header = \"Authorization: Bearer a1.b-c\"\n"),
            (Format::Github, "T=a1.b-c\n"),
        ] {
            assert_eq!(line(format, "T", "a1.b-c").unwrap(), expected);
        }
    }

    #[test]
    fn quotes_are_quoted_for_their_reader() {
        let written = |format, token| line(format, "T", token);
        assert_eq!(written(Format::Env, "a'b").unwrap(), "export T='a'\\''b'\n");
        assert_eq!(
            written(Format::Curl, r#"a"b\c"#).unwrap(),
            "header = \"Authorization: Bearer a\\\"b\\\\c\"\n"
        );
        assert_eq!(
            written(Format::Dotenv, "a$(b)\"#").unwrap(),
            "T='a$(b)\"#'\n"
        );
        assert_eq!(written(Format::Dotenv, "a'b").unwrap(), "T=\"a'b\"\n");
        assert_eq!(written(Format::Dotenv, "a'$b"), Err(Unfit::Quotes));
        assert_eq!(mask_command("a%0Ab"), "::add-mask::a%250Ab\n");
    }

    #[test]
    fn what_would_begin_a_second_line_is_refused_in_every_format() {
        for token in ["", "a\nb", "a\r", "a\0", "\u{7f}", "a\u{85}b", "ä"] {
            for format in [
                Format::Raw,
                Format::Header,
                Format::Env,
                Format::Dotenv,
                Format::Curl,
                Format::Github,
            ] {
                assert_eq!(
                    line(format, "T", token),
                    Err(Unfit::Characters),
                    "{token:?}"
                );
            }
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
            let curl = line(Format::Curl, "T", &token).unwrap();
            let value = curl.strip_prefix("header = ").unwrap().trim_end_matches('\n');
            prop_assert_eq!(read_by_curl(value), format!("Authorization: Bearer {token}"));
            prop_assert_eq!(curl.matches('\n').count(), 1);
        }
    }
}
