//! What a check found, and how it is shown: lines for people, an object for scripts.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Exit, Report};
use crate::ui::wrap::hang;
use crate::ui::{BAD, BOLD, GOOD, WARNING};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Ok,
    /// A login works; something about it may surprise.
    Warning,
    /// A login, or the use of one, fails with this exit code.
    Failure(Exit),
}

impl Level {
    /// The word in its colour, as wide as the widest.
    fn shown(self) -> String {
        let style = match self {
            Self::Ok => GOOD,
            Self::Warning => WARNING,
            Self::Failure(_) => BAD,
        };
        format!("{style}{:LEVEL_WIDTH$}{style:#}", self.word())
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure(_) => "failure",
        }
    }
}

/// The width of `warning` and `failure`.
const LEVEL_WIDTH: usize = 7;

/// A column of sentences that is narrower is a ladder of single words, and breaks most paths.
const MIN_ROOM: usize = 40;

/// What a check found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was looked at.
    pub name: String,
    /// How grave it is.
    pub level: Level,
    /// What is the case, and why.
    pub what: String,
    /// What to do about it.
    pub mend: Option<String>,
    /// How long it took, where that tells something.
    pub took: Option<Duration>,
}

impl Finding {
    pub fn ok(name: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            level: Level::Ok,
            what: what.into(),
            mend: None,
            took: None,
        }
    }

    pub fn warning(
        name: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            mend: Some(mend.into()),
            ..Self::ok(name, what)
        }
    }

    /// The error that a login would end with.
    pub fn failure(name: impl Into<String>, report: Report) -> Self {
        Self {
            level: Level::Failure(report.exit),
            mend: report.hint,
            ..Self::ok(name, report.message)
        }
    }

    /// The same error, which may stop no login.
    pub fn error(name: impl Into<String>, report: Report, stops_a_login: bool) -> Self {
        let failure = Self::failure(name, report);
        match stops_a_login {
            true => failure,
            false => Self {
                level: Level::Warning,
                ..failure
            },
        }
    }

    /// With the time that it took.
    #[must_use]
    pub fn in_time(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }
}

/// The findings on one subject, by its word for scripts, in the order of the checks.
pub type Group = (&'static str, Vec<Finding>);

/// What all of it comes to: `None` where a login could work, else the exit code of what must be mended first. Nothing works
/// with a wrong configuration, and nobody needs a network whose login can't be stored.
pub fn verdict(groups: &[Group]) -> Option<Exit> {
    let failures: Vec<Exit> = findings(groups)
        .filter_map(|finding| match finding.level {
            Level::Failure(exit) => Some(exit),
            Level::Ok | Level::Warning => None,
        })
        .collect();
    let first = [Exit::Usage, Exit::Store, Exit::Unreachable];
    first
        .into_iter()
        .find(|exit| failures.contains(exit))
        .or_else(|| failures.first().copied())
}

fn findings(groups: &[Group]) -> impl Iterator<Item = &Finding> {
    groups.iter().flat_map(|(_, findings)| findings)
}

/// As lines: level, name, what; the mend below; broken for a screen this wide. The level is a word, so nothing is told by
/// colour alone.
pub fn lines(groups: &[Group], columns: Option<usize>) -> String {
    let width = findings(groups)
        .map(|finding| finding.name.chars().count())
        .max()
        .unwrap_or(0);
    let below_level = "  ".len() + LEVEL_WIDTH + "  ".len();
    let beside_name = below_level + width + "  ".len();
    // On a narrow screen what was found stands below its name.
    let (indent, width, between) = match columns {
        Some(columns) if columns < beside_name + MIN_ROOM => {
            (below_level, 0, format!("\n{:below_level$}", ""))
        }
        _ => (beside_name, width, "  ".to_owned()),
    };
    let mut text = String::new();
    for (subject, findings) in groups {
        let (first, rest) = subject.split_at(1);
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{BOLD}{}{rest}{BOLD:#}", first.to_uppercase());
        for (index, finding) in findings.iter().enumerate() {
            let took = finding
                .took
                .map(|took| format!(" ({} ms)", took.as_millis()));
            let what = format!("{}{}", finding.what, took.unwrap_or_default());
            let what = hang(&what, indent, columns);
            let level = finding.level.shown();
            let name = format!("{:width$}{between}", finding.name);
            let _ = writeln!(text, "  {level}  {name}{what}");
            // One mend for all findings in a row that it mends.
            let next = findings.get(index + 1);
            let mend = finding.mend.as_deref();
            if let Some(mend) = mend.filter(|_| next.and_then(|next| next.mend.as_deref()) != mend)
            {
                let arrow = "→ ".chars().count();
                let mend = hang(mend, indent + arrow, columns);
                let _ = writeln!(text, "{:indent$}→ {mend}", "");
            }
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{}", summary(groups));
    // A long list scrolls its failures away.
    for finding in findings(groups).filter(|finding| finding.level.word() == "failure") {
        let line = format!("{}: {}", finding.name, finding.what);
        let _ = writeln!(text, "  {}", hang(&line, "  ".len(), columns));
    }
    text
}

fn summary(groups: &[Group]) -> String {
    let count = |word| findings(groups).filter(|f| f.level.word() == word).count();
    let counted = |word| match count(word) {
        0 => None,
        1 => Some(format!("1 {word}")),
        more => Some(format!("{more} {word}s")),
    };
    let told = ["failure", "warning"].into_iter().filter_map(counted);
    let told: Vec<String> = told.collect();
    match (verdict(groups), told.is_empty()) {
        (None, true) => "Everything works: a login is possible.".to_owned(),
        (None, false) => format!("A login is possible; {}.", told.join(", ")),
        (Some(_), _) => format!("Not everything works: {}.", told.join(", ")),
    }
}

/// As one object, schema `seo-auth.doctor.v1`.
pub fn object(groups: &[Group]) -> Value {
    let list: Vec<Value> = groups
        .iter()
        .flat_map(|(subject, findings)| findings.iter().map(|finding| entry(subject, finding)))
        .collect();
    let exit = verdict(groups);
    json!({
        "schema": "seo-auth.doctor.v1",
        "version": env!("CARGO_PKG_VERSION"),
        "ok": exit.is_none(),
        "exit_code": exit.map_or(0, Exit::code),
        "findings": list,
    })
}

fn entry(subject: &str, finding: &Finding) -> Value {
    json!({
        "group": subject,
        "name": finding.name,
        "level": finding.level.word(),
        "what": finding.what,
        "mend": finding.mend,
        "milliseconds": finding.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(exit: Exit) -> Report {
        Report {
            code: "x",
            exit,
            message: "it broke".into(),
            hint: Some("mend it".into()),
        }
    }

    fn groups(findings: Vec<Finding>) -> [Group; 1] {
        [("stores", findings)]
    }

    #[test]
    fn lines_stand_in_columns_and_mends_below() {
        let took = Duration::from_millis(12);
        let found = groups(vec![
            Finding::ok("a", "well").in_time(took),
            Finding::warning("longer", "odd", "look"),
            Finding::failure("b", report(Exit::Store)),
            Finding::failure("c", report(Exit::Store)),
        ]);
        let expected = "\
Stores
  ok       a       well (12 ms)
  warning  longer  odd
                   → look
  failure  b       it broke
  failure  c       it broke
                   → mend it

Not everything works: 2 failures, 1 warning.
  b: it broke
  c: it broke
";
        let shown = lines(&found, None);
        assert_eq!(anstream::adapter::strip_str(&shown).to_string(), expected);
    }

    #[test]
    fn a_screen_breaks_them_between_words() {
        let found = groups(vec![Finding::warning(
            "first",
            "odd in one word more than fits into this line",
            "look at it once more, then tell somebody of it",
        )]);
        let shown = |columns| {
            let shown = lines(&found, Some(columns));
            anstream::adapter::strip_str(&shown).to_string()
        };
        let wide = "\
Stores
  warning  first  odd in one word more than fits into this
                  line
                  → look at it once more, then tell
                    somebody of it

A login is possible; 1 warning.
";
        assert_eq!(shown(58), wide);
        let narrow = "\
Stores
  warning  first
           odd in one word more than
           fits into this line
           → look at it once more,
             then tell somebody of it

A login is possible; 1 warning.
";
        assert_eq!(shown(37), narrow);
    }

    #[test]
    fn what_must_be_mended_first_decides_the_exit_code() {
        let all = [Exit::Unreachable, Exit::Store, Exit::Usage];
        for (count, exit) in [(1, Exit::Unreachable), (2, Exit::Store), (3, Exit::Usage)] {
            let failures = all[..count]
                .iter()
                .map(|exit| Finding::failure("x", report(*exit)));
            assert_eq!(verdict(&groups(failures.collect())), Some(exit));
        }
        let lesser = Finding::error("x", report(Exit::Store), false);
        assert_eq!(verdict(&groups(vec![lesser])), None);
    }
}
