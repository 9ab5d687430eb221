//! The examples of the README and the reference: the program takes the configurations, a shell the scripts.

use crate::harness::home::Home;

const PAGES: [&str; 2] = [
    include_str!("../../README.md"),
    include_str!("../../.github/REFERENCE.md"),
];

/// The blocks of code in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let in_page = |page: &'static str| {
        let parts: Vec<&str> = page.split(fence.as_str()).skip(1).collect();
        parts
            .into_iter()
            .map(|rest| rest.split("```").next().unwrap())
    };
    PAGES.into_iter().flat_map(in_page).collect()
}

#[test]
fn every_configuration_is_taken() {
    let configurations = blocks("toml");
    assert!(configurations.len() >= 4, "{configurations:?}");
    for configuration in configurations {
        let home = Home::new();
        home.configure(configuration);
        home.run(&["providers"]).expect(0);
    }
}

#[cfg(unix)]
#[test]
fn a_shell_reads_every_script() {
    use std::io::Write as _;
    use std::process::Stdio;
    let scripts = blocks("sh");
    assert!(scripts.len() >= 5, "{scripts:?}");
    for script in scripts {
        let mut shell = Home::new()
            .program("sh")
            .arg("-n")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = shell.stdin.take().unwrap();
        stdin.write_all(script.as_bytes()).unwrap();
        drop(stdin);
        assert!(shell.wait().unwrap().success(), "{script}");
    }
}
