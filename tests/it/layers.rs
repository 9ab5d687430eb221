//! The import table of the house, held against the tree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom. Imports run downwards only: a module that is missing here fails the test.
///
/// What isn't obvious: `lib` tells errors through `ui`; `context` is where flags (`cli`) and secrets of the environment
/// become parts; `commands` starts the `sandbox`, and passes `http` from `context` to a `flow`; `ui` draws what a `flow`'s
/// `Interaction` says, for an account; `error` and `provider` name accounts and providers as `credential` does. The
/// `sandbox` knows nobody: a client that was tested against its own code would prove nothing.
const TABLE: &[(&str, &[&str])] = &[
    (
        "lib",
        &["cli", "context", "commands", "error", "ui", "usage"],
    ),
    ("usage", &["error"]),
    (
        "commands",
        &[
            "config",
            "account",
            "api",
            "context",
            "flow",
            "provider",
            "store",
            "credential",
            "paths",
            "secret",
            "ui",
            "error",
            "cli",
            "http",
            "sandbox",
        ],
    ),
    (
        "account",
        &[
            "api",
            "config",
            "context",
            "flow",
            "http",
            "provider",
            "store",
            "credential",
            "secret",
            "error",
        ],
    ),
    (
        "context",
        &[
            "config",
            "account",
            "http",
            "provider",
            "store",
            "ui",
            "paths",
            "error",
            "cli",
            "credential",
            "secret",
        ],
    ),
    ("ui", &["flow", "credential", "secret"]),
    (
        "error",
        &[
            "paths",
            "api",
            "flow",
            "http",
            "provider",
            "store",
            "credential",
        ],
    ),
    ("sandbox", &[]),
    ("flow", &["provider", "http", "credential", "secret"]),
    ("api", &["provider", "http", "credential", "secret"]),
    // Only the shared store speaks HTTP.
    (
        "store",
        &["credential", "secret", "paths", "http", "provider"],
    ),
    ("http", &["secret", "paths"]),
    (
        "config",
        &["api", "provider", "store", "credential", "paths"],
    ),
    ("provider", &["credential"]),
    ("credential", &["secret"]),
    ("cli", &[]),
    ("secret", &[]),
    ("paths", &[]),
    ("address", &[]),
    ("clock", &[]),
    ("process", &[]),
    ("text", &[]),
];

/// Open to all, for they know nothing of this program, and each is needed on more than one floor: `address` (what is
/// loopback) by the providers' endpoints, the listener and the browser; `clock` by whatever expires or waits; `process` (signals
/// and memory) by `lib`, the terminal and every command that must not be torn; `text` by all that shows what came from
/// outside.
const LEAVES: &[&str] = &["address", "clock", "process", "text"];

#[test]
fn imports_run_downwards_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    let mut used = BTreeSet::new();
    for file in rust_files(&src) {
        let module = module_of(file.strip_prefix(&src).unwrap());
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == module) else {
            assert_eq!(
                module,
                "main",
                "{} stands in no row of the table",
                file.display()
            );
            continue;
        };
        seen.insert(module.clone());
        let text = fs::read_to_string(&file).unwrap();
        let imported = match module.as_str() {
            "lib" => named_at_the_root(&text),
            _ => imports(&text),
        };
        for imported in imported {
            let fine = imported == module
                || allowed.contains(&imported.as_str())
                || LEAVES.contains(&imported.as_str());
            if !fine && TABLE.iter().any(|(name, _)| *name == imported) {
                wrong.push(format!("{}: {module} imports {imported}", file.display()));
            }
            used.insert((module.clone(), imported));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        seen.len(),
        TABLE.len(),
        "a row of the table has no module: saw {seen:?}"
    );
    let permissions = TABLE
        .iter()
        .flat_map(|(module, allowed)| allowed.iter().map(move |other| (*module, *other)));
    let idle: Vec<_> = permissions
        .filter(|(module, other)| !used.contains(&((*module).to_owned(), (*other).to_owned())))
        .collect();
    assert!(
        idle.is_empty(),
        "nobody uses these permissions, take them out: {idle:?}"
    );
}

/// The root of the crate names its modules without `crate::`.
fn named_at_the_root(text: &str) -> BTreeSet<String> {
    let code = without_comments(text);
    let modules = TABLE.iter().map(|(name, _)| (*name).to_owned());
    modules
        .filter(|name| {
            code.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c)))
                .any(|path| path.starts_with(&format!("{name}::")))
        })
        .collect()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (dirs, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let own = files
        .into_iter()
        // Tests may know more than what they test.
        .filter(|path| path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs"));
    own.chain(dirs.iter().flat_map(|dir| rust_files(dir)))
        .collect()
}

fn module_of(relative: &Path) -> String {
    let first = relative
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules after each `crate::`, one or a braced list; comments and test code do not count.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code = without_comments(code);
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let heads = match after.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap(),
            None => after,
        };
        let single = !after.starts_with('{');
        for head in heads.split(',').take(if single { 1 } else { usize::MAX }) {
            found.insert(
                head.trim()
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect(),
            );
        }
    }
    found
}

fn without_comments(code: &str) -> String {
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::flow::device;\nuse crate::{ui, store::file};\nfn f() { crate::http::wire::read() }\n// crate::cli";
    let expected = ["flow", "ui", "store", "http"].map(str::to_owned);
    assert_eq!(imports(text), BTreeSet::from(expected));
    let root = "use cli::Cli;\n// store::file\nfn f() { commands::tell(std::io::stderr()) }";
    let expected = ["cli", "commands"].map(str::to_owned);
    assert_eq!(named_at_the_root(root), BTreeSet::from(expected));
}

/// What a newcomer sees first stays short; everything else has a place in one of these, or in a folder with a dot.
#[test]
fn the_top_level_holds_what_it_should() {
    let expected = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "src",
        "tests",
    ];
    let entries = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    names.sort();
    assert_eq!(names, expected);
}

/// Providers are data: outside of the rooms that hold them, read their answers and play them, no code names one. Examples in
/// help texts and comments may.
#[test]
fn no_code_names_a_vendor() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named_in = |file: &PathBuf| {
        let relative = file.strip_prefix(&src).unwrap().to_str().unwrap();
        let at_home = ["provider/", "api/shape/", "sandbox/", "cli"];
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code = without_comments(code).to_lowercase();
        let vendor = ["semrush", "ahrefs"].iter().any(|name| code.contains(name));
        vendor && !at_home.iter().any(|room| relative.starts_with(room))
    };
    let wrong: Vec<_> = rust_files(&src).into_iter().filter(named_in).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
