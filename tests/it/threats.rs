//! The threat page of `.github/SECURITY.md`: each line of its tables names a test, and each test that it names is there.

use std::fs;
use std::path::Path;

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(".github/SECURITY.md")).unwrap()
}

/// The `path.rs::name` in backticks, as path and name.
fn named_tests(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|word| word.split_once("::"))
        .filter(|(path, _)| path.ends_with(".rs"))
        .collect()
}

/// Whether the file has a test of this name; attributes may stand between `#[test]` and `fn`.
fn has_test(file: &str, name: &str) -> bool {
    let lines: Vec<&str> = file.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let above = lines[..at].iter().rev();
        let mut attributes = above.take_while(|above| above.starts_with(['#', '/']));
        line.starts_with(&head) && attributes.any(|attribute| *attribute == "#[test]")
    })
}

#[test]
fn each_test_that_the_page_names_is_there() {
    let page = page();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let missing: Vec<_> = named_tests(&page)
        .into_iter()
        .filter(|(path, name)| {
            let file = fs::read_to_string(root.join(path)).unwrap_or_default();
            !has_test(&file, name)
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn each_line_of_its_tables_names_a_test() {
    let page = page();
    let is_head = |line: &str| line.starts_with("|--") || line.ends_with("| test |");
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with('|') && !is_head(line))
        .collect();
    let without: Vec<_> = rows
        .iter()
        .filter(|row| named_tests(row).is_empty())
        .collect();
    assert!(rows.len() > 20 && without.is_empty(), "{without:#?}");
}
