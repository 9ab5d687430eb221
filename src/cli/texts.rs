//! All texts in one list, to be read in one go: `SEO_AUTH_TEXTS=/tmp/texts.txt cargo test texts` writes it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::{Command, CommandFactory};

use super::Cli;

/// What a screen of 80 columns shows; the first page lists all commands, too.
const LINES: usize = 24;
const LINES_OF_THE_FIRST: usize = 32;

/// What a reader takes in at once.
const WORDS: usize = 28;

/// What had to be read twice.
const RIDDLES: &str = "as it stands|asked for again|built-in values hold|can't be asked|do not go on|ends so too|except it by|\
    get past|give it by|given by|goes to no|human must act|in the open|is at it|is no json|is spent|it stays so|mend the|\
    must stand|nobody knows|sign-in's answer|to the letter|until when|untried";

/// Every command with its name.
fn commands() -> Vec<(String, Command)> {
    let mut root = Cli::command();
    root.build();
    let mut found = vec![("seo-auth".to_owned(), root)];
    let mut next = 0;
    while let Some((name, command)) = found.get(next).cloned() {
        let subs = command.get_subcommands();
        let subs = subs.filter(|sub| sub.get_name() != "help");
        found.extend(subs.map(|sub| (format!("{name} {}", sub.get_name()), sub.clone())));
        next += 1;
    }
    found
}

fn helps(width: usize) -> String {
    let mut list = String::new();
    for (name, command) in commands() {
        let mut command = command.term_width(width).max_term_width(width);
        let (short, long) = (command.render_help(), command.render_long_help());
        writeln!(list, "=== {name} -h\n{short}\n=== {name} --help\n{long}").unwrap();
    }
    list
}

/// The files below a folder of this repository, and what `part` leaves of each.
fn files(folder: &Path, part: &impl Fn(&str) -> String) -> String {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| !path.ends_with("tests") && !path.ends_with("snapshots"));
    paths.retain(|path| !path.ends_with("tests.rs") && !path.ends_with("texts.rs"));
    let texts = paths.iter().map(|path| match path.is_dir() {
        true => files(path, part),
        false => part(&fs::read_to_string(path).unwrap()),
    });
    texts.collect()
}

/// The code without comments and tests, each of its texts on one line: for what stands in no table.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let joined: String = code.split("\\\n").map(str::trim_start).collect();
    let lines = joined.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.starts_with("//") && !line.starts_with("# "));
    lines.map(|line| line.to_owned() + "\n").collect()
}

#[test]
fn the_texts_are_plain() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // The golden table, without the header of each file.
    let errors = files(&source.join("error/snapshots"), &|text| {
        text.splitn(3, "---\n").last().unwrap().to_owned()
    });
    if let Some(file) = env::var_os("SEO_AUTH_TEXTS") {
        fs::write(file, format!("{errors}\n{}", helps(80))).unwrap();
    }
    let told = errors + &helps(usize::MAX);
    for line in format!("{told}{}", files(&source, &code)).lines() {
        let lower = line.to_lowercase();
        let riddle = RIDDLES.split('|').find(|riddle| lower.contains(riddle));
        assert!(riddle.is_none(), "{riddle:?} in: {line}");
    }
    for line in told.replace("...", "…").lines() {
        let twice = line.contains("..") || line.contains(".)");
        assert!(!twice, "ends twice: {line}");
        let spaced = line.replace("; ", ". ").replace("? ", ". ");
        for sentence in spaced.replace(": ", ". ").split(". ") {
            let words = sentence.split_whitespace().count();
            assert!(words <= WORDS, "{words} words: {sentence}");
        }
    }
}

#[test]
fn each_short_help_fits_a_screen() {
    for (name, command) in commands() {
        let is_first = !name.contains(' ');
        let most = if is_first { LINES_OF_THE_FIRST } else { LINES };
        let help = command.term_width(80).render_help().to_string();
        let lines = help.lines().count();
        assert!(lines <= most, "{name} -h has {lines} lines:\n{help}");
    }
}
