//! The call that stands in loops, read without the tree of all commands.

use std::ffi::OsString;

use clap::ValueEnum as _;

use super::{Cli, Command, Format, Global, Token, TokenPrint};
use crate::clock::parse_duration;

/// A plain `token print`. Scripts call it in loops, and to build the tree of all commands would be half of its cost. `None`:
/// it is another command, or one with more to it; that is read by the tree, mistakes and help included.
pub fn print(arguments: impl Iterator<Item = OsString>) -> Option<Cli> {
    let mut words = arguments.skip(1).map(|word| word.into_string().ok());
    if words.next()?? != "token" || words.next()?? != "print" {
        return None;
    }
    let (mut global, mut print) = (Global::default(), TokenPrint::default());
    while let Some(word) = words.next() {
        let word = word?;
        let is_name = |text: &String| !text.is_empty() && !text.starts_with('-');
        let mut value = || words.next().flatten().filter(is_name);
        match word.as_str() {
            "--profile" if global.profile.is_none() => global.profile = Some(value()?),
            "--format" if print.format.is_none() => {
                print.format = Some(Format::from_str(&value()?, false).ok()?);
            }
            "--min-valid" if print.min_valid.is_none() => {
                print.min_valid = Some(parse_duration(&value()?).ok()?);
            }
            _ if is_name(&word) && print.provider.is_none() => print.provider = Some(word),
            _ => return None,
        }
    }
    let command = Command::Token(Token::Print(print));
    Some(Cli { global, command })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_plain_print_is_read_as_the_tree_reads_it() {
        let words = |line: &str| -> Vec<OsString> {
            line.split(' ')
                .map(|word| word.trim_matches('"').into())
                .collect()
        };
        let plain = |line: &str| print(words(line).into_iter());
        for line in [
            "seo-auth token print",
            "seo-auth token print semrush",
            "seo-auth token print --profile acme semrush",
            "seo-auth token print semrush --profile acme --format curl --min-valid 10m",
            "seo-auth token print semrush --min-valid 1h --format headers",
        ] {
            let tree = Cli::try_parse_from(words(line)).unwrap();
            let read = plain(line).expect(line);
            assert_eq!(format!("{read:?}"), format!("{tree:?}"), "{line}");
        }
        for line in [
            "seo-auth",
            "seo-auth token",
            "seo-auth token refresh semrush",
            "seo-auth status",
            "seo-auth token print a b",
            "seo-auth token print --help",
            "seo-auth token print -v semrush",
            "seo-auth token print -- semrush",
            "seo-auth token print semrush --profile",
            "seo-auth token print semrush --profile --json",
            "seo-auth token print semrush --profile=acme",
            "seo-auth token print semrush --profile a --profile b",
            "seo-auth token print semrush --format nothing",
            "seo-auth token print semrush --min-valid soon",
            "seo-auth token print semrush \"\"",
            "seo-auth --json token print semrush",
        ] {
            assert!(plain(line).is_none(), "{line}");
        }
    }
}
