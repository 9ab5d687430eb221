//! Columns for people. Meaning never lies in colour or position alone: each column has a heading.

use super::BOLD;
use super::wrap::{hang, width};

pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a cell for each heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Without the columns whose every cell is [`NOTHING`]: they tell nothing of anybody.
    #[must_use]
    pub fn pruned(mut self) -> Self {
        let tells = |column: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.any(|cell| cell != NOTHING)
        };
        let kept: Vec<bool> = (0..self.headings.len()).map(tells).collect();
        let mut column = kept.iter();
        self.headings
            .retain(|_| column.next().is_none_or(|kept| *kept));
        for row in &mut self.rows {
            let mut column = kept.iter();
            row.retain(|_| column.next().is_none_or(|kept| *kept));
        }
        self
    }

    /// Whether it can be shown in columns on a screen this wide; `None` is no screen, on which everything can.
    pub fn fits(&self, columns: Option<usize>) -> bool {
        let all = self.widths().iter().map(|width| width + GAP.len()).sum();
        columns.is_none_or(|columns| columns + GAP.len() >= all)
    }

    /// Its lines, in columns where it [fits](Self::fits). On a narrower screen each row becomes lines of its own, the first
    /// cell and below it every heading with its cell: lines that break anywhere can't be read.
    pub fn lines(&self, columns: Option<usize>) -> String {
        match self.fits(columns) {
            true => self.in_columns(),
            false => self.in_blocks(columns),
        }
    }

    fn in_columns(&self) -> String {
        let widths = self.widths();
        let headings: Vec<String> = self.headings.iter().copied().map(bold).collect();
        let rows = std::iter::once(&headings).chain(&self.rows);
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells.map(|(cell, width)| pad(cell, *width)).collect();
            format!("{}\n", cells.join(GAP).trim_end())
        };
        rows.map(line).collect()
    }

    fn in_blocks(&self, columns: Option<usize>) -> String {
        let label = self.headings.iter().map(|heading| width(heading)).max();
        let block = |row: &Vec<String>| {
            let mut cells = row.iter();
            let first = cells.next().map_or_else(String::new, |cell| bold(cell));
            let below = self.headings.iter().skip(1).zip(cells);
            let below = below.filter(|(_, cell)| *cell != NOTHING);
            let below = below.map(|(heading, cell)| {
                let before = format!("{GAP}{}{GAP}", pad(heading, label.unwrap_or(0)));
                format!("{before}{}\n", hang(cell, before.len(), columns))
            });
            format!("{first}\n{}", below.collect::<String>())
        };
        let blocks: Vec<String> = self.rows.iter().map(block).collect();
        blocks.join("\n")
    }

    fn widths(&self) -> Vec<usize> {
        let of_column = |(column, heading): (usize, &&str)| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| width(cell))
                .chain([width(heading)])
                .max()
                .unwrap_or(0)
        };
        self.headings.iter().enumerate().map(of_column).collect()
    }
}

const GAP: &str = "  ";

/// What stands in a cell that has nothing to say.
pub const NOTHING: &str = "-";

fn bold(text: &str) -> String {
    format!("{BOLD}{text}{BOLD:#}")
}

/// With spaces behind it, as many as it lacks; those of a format string would count what colours it.
fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::GOOD;

    fn table() -> Table {
        let mut table = Table::new(&["ACCOUNT", "STATE", "VALID FOR"]);
        let valid = format!("{GOOD}valid{GOOD:#}");
        table.row(["semrush/default".into(), valid, "6 days".into()]);
        table.row(["ahrefs/x".into(), "missing".into(), "-".into()]);
        table
    }

    #[test]
    fn a_column_that_tells_nothing_is_left_out() {
        let mut table = table();
        table.rows[0][2] = NOTHING.to_owned();
        let text = plain(&table.pruned().lines(None));
        assert!(
            !text.contains("VALID FOR") && text.contains("STATE"),
            "{text}"
        );
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_stand_below_their_headings_whatever_the_colours() {
        let expected = "\
ACCOUNT          STATE    VALID FOR
semrush/default  valid    6 days
ahrefs/x         missing  -
";
        for columns in [None, Some(35), Some(200)] {
            assert_eq!(plain(&table().lines(columns)), expected);
        }
    }

    #[test]
    fn a_narrow_screen_gets_a_block_for_each_row() {
        let expected = "\
semrush/default
  STATE      valid
  VALID FOR  6 days

ahrefs/x
  STATE      missing
";
        assert_eq!(plain(&table().lines(Some(34))), expected);
        let mut table = Table::new(&["ACCOUNT", "QUOTA"]);
        table.row([
            "moz/default".into(),
            "2,500 of 3,000 rows left until Friday".into(),
        ]);
        let expected =
            "moz/default\n  QUOTA    2,500 of 3,000 rows\n           left until Friday\n";
        assert_eq!(plain(&table.lines(Some(30))), expected);
    }
}
