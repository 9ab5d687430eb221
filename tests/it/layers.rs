//! The import table of the house, held against the tree.

use std::collections::{BTreeMap, BTreeSet};
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
            "config",
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
    ("environment", &[]),
    ("process", &[]),
    ("text", &[]),
];

/// Open to all, for they know nothing of this program, and each is needed on more than one floor: `address` (what is
/// loopback) by the providers' endpoints, the listener and the browser; `clock` by whatever expires or waits; `environment` by what variables
/// steer: the context, proxies, certificates; `process` (signals
/// and memory) by `lib`, the terminal and every command that must not be torn; `text` by all that shows what came from
/// outside.
const LEAVES: &[&str] = &["address", "clock", "environment", "process", "text"];

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
    let code = code_of(text);
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
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        // Tests may know more than what they test, and build.rs runs before there is a program.
        .filter(|path| !path.ends_with("tests.rs") && !path.ends_with("src/build.rs"));
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
    let code = code_of(text);
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

/// Without comments, and without the tests at its end.
fn code_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let trimmed = |index: usize| lines[index].trim_start();
    let is_end = |at: &usize| trimmed(*at) == "#[cfg(test)]" && trimmed(*at + 1) == "mod tests {";
    let end = (0..lines.len().saturating_sub(1)).find(is_end);
    let code = lines[..end.unwrap_or(lines.len())].iter();
    let code = code.filter(|line| !line.trim_start().starts_with("//"));
    code.copied().collect::<Vec<_>>().join("\n")
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

/// Each file with the files that it names in its code, both by their modules: `store::kv2::claim`.
fn files_and_their_imports() -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: BTreeMap<String, String> = rust_files(&src)
        .into_iter()
        .filter(|file| !file.ends_with("main.rs") && !file.iter().any(|part| part == "tests"))
        .map(|file| {
            let relative = file.strip_prefix(&src).unwrap().with_extension("");
            let parts = relative.iter().map(|part| part.to_str().unwrap());
            let module: Vec<_> = parts
                .filter(|part| !["lib", "mod"].contains(part))
                .collect();
            (module.join("::"), fs::read_to_string(&file).unwrap())
        })
        .collect();
    graph(&files)
}

/// The longest beginning of each path that is a file. What a file says of itself, or of the root, is no import.
fn graph(files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let named = |module: &String, text: &String| {
        let code = code_of(text);
        let absolute = paths(&code)
            .into_iter()
            .filter_map(|path| from_root(module, &path, files));
        let places = absolute.filter_map(|path| {
            let ends = (1..=path.len()).rev().map(|end| path[..end].join("::"));
            ends.into_iter().find(|place| files.contains_key(place))
        });
        places.filter(|place| place != module).collect()
    };
    files
        .iter()
        .map(|(module, text)| (module.clone(), named(module, text)))
        .collect()
}

/// Every path in the code: `a::b::c`, and each of a list in braces.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let bare = line
            .trim_start()
            .trim_start_matches("pub(super) ")
            .trim_start_matches("pub ");
        if let Some(begin) = bare.strip_prefix("use ") {
            let rest = lines.by_ref();
            let mut tree = begin.to_owned();
            while !tree.ends_with(';') {
                tree.push_str(rest.next().unwrap().trim());
            }
            expand("", tree.trim_end_matches(';'), &mut found);
        } else {
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            found.extend(words.filter(|word| word.contains("::")).map(str::to_owned));
        }
    }
    let split = |path: &String| path.split("::").map(str::to_owned).collect();
    found.iter().map(split).collect()
}

fn expand(before: &str, tree: &str, found: &mut Vec<String>) {
    let (mut depth, mut start) = (0, 0);
    let ends = tree.char_indices().chain([(tree.len(), ',')]);
    for (at, c) in ends {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let one = tree[start..at].trim();
                start = at + 1;
                match one.split_once('{') {
                    Some((head, list)) => {
                        expand(
                            &format!("{before}{head}"),
                            list.strip_suffix('}').unwrap(),
                            found,
                        );
                    }
                    None => found.push(format!("{before}{}", one.split(" as ").next().unwrap())),
                }
            }
            _ => {}
        }
    }
}

fn from_root(
    module: &str,
    path: &[String],
    files: &BTreeMap<String, String>,
) -> Option<Vec<String>> {
    let mut here: Vec<String> = module.split("::").map(str::to_owned).collect();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "super" | "self" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            here.truncate(here.len().checked_sub(ups)?);
            let rest = path
                .iter()
                .skip_while(|part| *part == "super" || *part == "self");
            Some(here.into_iter().chain(rest.cloned()).collect())
        }
        child => {
            here.push(child.to_owned());
            let is_file = files.contains_key(&here.join("::"));
            is_file.then(|| here.into_iter().chain(path[1..].iter().cloned()).collect())
        }
    }
}

/// One circle of files, if there is any: each imports the next one, and the last the first.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    // What imports nobody who is left is in no circle.
    let mut left = imports.clone();
    loop {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, imported| imported.iter().any(|other| names.contains(other)));
        if left.len() == before {
            break;
        }
    }
    let mut way = vec![left.keys().next()?.clone()];
    loop {
        let next = left[way.last()?]
            .iter()
            .find(|other| left.contains_key(*other))?;
        if let Some(begin) = way.iter().position(|seen| seen == next) {
            return Some(way.split_off(begin));
        }
        way.push(next.clone());
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    assert_eq!(circle(&files_and_their_imports()), None);
}

#[test]
fn a_circle_is_found() {
    let file = |text: &str| text.to_owned();
    let mut files = BTreeMap::from([
        (
            "a".to_owned(),
            file("mod b;\npub use b::B;\n// use crate::c::C;"),
        ),
        ("a::b".to_owned(), file("use crate::{c::C, d::{self, D}};")),
        (
            "c".to_owned(),
            file("fn f() { crate::d::run() }\n#[cfg(test)]\nmod tests {\n use crate::a::b;\n}"),
        ),
        ("d".to_owned(), file("struct D;")),
    ]);
    let imported = graph(&files);
    assert_eq!(
        imported["a::b"],
        BTreeSet::from(["c", "d"].map(str::to_owned))
    );
    assert_eq!(circle(&imported), None);
    files.insert("d".to_owned(), file("use super::a::b::B;"));
    assert_eq!(circle(&graph(&files)).unwrap().len(), 3);
    files.insert("d".to_owned(), file("struct D;"));
    files.insert("a::b".to_owned(), file("use super::A;"));
    assert_eq!(circle(&graph(&files)).unwrap(), ["a", "a::b"]);
}

#[test]
fn one_file_reads_the_environment() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let reads = |file: &PathBuf| {
        let code = code_of(&fs::read_to_string(file).unwrap());
        code.contains("env::var") && !file.ends_with("cli/texts.rs")
    };
    let found: Vec<_> = rust_files(&src).into_iter().filter(reads).collect();
    assert_eq!(found, [src.join("environment.rs")]);
}

/// Longer ones hold more than one job.
const LONGEST_FILE: usize = 400;

#[test]
fn no_file_has_more_than_one_job_fills() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let long: Vec<_> = rust_files(&src)
        .into_iter()
        .filter(|file| !file.iter().any(|part| part == "tests"))
        .filter_map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let code = code_of(&text);
            let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
            (lines > LONGEST_FILE).then_some((file, lines))
        })
        .collect();
    assert!(long.is_empty(), "{long:#?}");
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
        let code = code_of(&text).to_lowercase();
        let vendor = ["semrush", "ahrefs"].iter().any(|name| code.contains(name));
        vendor && !at_home.iter().any(|room| relative.starts_with(room))
    };
    let wrong: Vec<_> = rust_files(&src).into_iter().filter(named_in).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
