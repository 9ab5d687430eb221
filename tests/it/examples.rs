//! The files of `.github/examples`, run: their own commands and variables, on a home and a fake server of the test's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::harness::api::{ApiServer, Asked, Reply, json};
use crate::harness::home::{Ended, Home, SEO_AUTH, ended};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/examples")
}

/// A file, with what is elsewhere in a test.
fn example(name: &str, moved: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(folder().join(name)).unwrap();
    for (from, to) in moved {
        assert!(text.contains(from), "{name} has no {from}");
        text = text.replace(from, to);
    }
    text
}

/// What stands behind a key, wherever it does: the rest of its line, or after `|` the lines that are further in.
fn values(text: &str, key: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let margin = |line: &str| line.len() - line.trim_start().len();
    let value = |(at, line): (usize, &&str)| {
        let entry = line.trim_start().trim_start_matches("- ");
        let value = entry.strip_prefix(key)?.strip_prefix(": ")?;
        let inner = lines[at + 1..].iter().copied();
        let inner = inner.take_while(|next| margin(next) > margin(line));
        let block: String = inner.map(|line| line.trim().to_owned() + "\n").collect();
        Some(if value == "|" {
            block
        } else {
            value.to_owned() + "\n"
        })
    };
    lines.iter().enumerate().filter_map(value).collect()
}

/// `NAME: value` and `- { name: NAME, value: value }`, as a shell sets them.
fn variables(text: &str) -> String {
    let variable = |line: &str| {
        let line = line.trim().trim_start_matches("- { name: ");
        let line = line.trim_end_matches(" }").replace(", value: ", ": ");
        let (name, value) = line.split_once(": ")?;
        let is_one = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        is_one.then(|| format!("export {name}={value}\n"))
    };
    text.lines().filter_map(variable).collect()
}

/// A home with a report that tells its token.
fn home() -> Home {
    let home = Home::new();
    let report = home.path().join("report.sh");
    let script = "#!/bin/sh\necho \"report with $SEMRUSH_OAUTH_TOKEN$AHREFS_API_KEY\"\n";
    fs::write(&report, script).unwrap();
    fs::set_permissions(&report, fs::Permissions::from_mode(0o755)).unwrap();
    home
}

fn bash(home: &Home, script: &str) -> Ended {
    let program = Path::new(SEO_AUTH).parent().unwrap().display();
    let script = format!("PATH={program}:$PATH\n{script}");
    let mut command = home.program("bash");
    command.args(["-e", "-c", &script]).current_dir(home.path());
    ended(command, "")
}

fn assert_reports(home: &Home, script: &str, token: &str) {
    let report = bash(home, script).expect(0).stdout;
    assert_eq!(report, format!("report with {token}\n"));
}

/// GitHub's id tokens, and a shared store that lets one role in at `mount`, to read tokens.
fn vault(mount: &str, role: &str) -> ApiServer {
    let login = format!("/v1/auth/{mount}/login");
    let role = format!("\"role\":\"{role}\"");
    let token = r#"{"access_token": "shared", "token_type": "Bearer", "expires_at": "", "generation": "1"}"#;
    ApiServer::start(move |asked: &Asked| -> Reply {
        let of_the_job = asked.header("authorization") == Some("bearer of-the-job");
        let reads = asked.header("x-vault-token") == Some("reader");
        let signs_in = asked.body.contains(&role) && asked.body.contains("\"jwt\":\"jwt\"");
        let body = match asked.target.as_str() {
            "/id-token" if of_the_job => r#"{"value": "jwt"}"#,
            "/v1/secret/data/seo-auth/semrush/default/token" if reads => {
                &format!(r#"{{"data": {{"data": {token}, "metadata": {{"version": 1}}}}}}"#)
            }
            path if path == login && signs_in => r#"{"auth": {"client_token": "reader"}}"#,
            _ => return json(403, r#"{"errors": ["permission denied"]}"#),
        };
        json(200, body)
    })
}

#[test]
fn each_file_has_its_test() {
    let files = fs::read_dir(folder()).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    let tested = "compose.yml github.yml gitlab-ci.yml kubernetes.yml nightly.sh";
    assert_eq!(names, tested.split(' ').collect::<Vec<_>>());
}

#[test]
fn compose_keeps_its_login_in_a_volume() {
    let home = home();
    let here = home.path().display().to_string();
    let state = format!(": {here}/state");
    let moved = [("/run/secrets", &*here), (": /state", &state)];
    let text = example("compose.yml", &moved);
    let setup = text.lines().filter_map(|line| line.strip_prefix("#   "));
    let setup = setup.collect::<Vec<_>>().join("\n");
    // The file is where Docker would put it, and the person at the browser is left out.
    let setup = setup.replace("> key", "> seo-auth-key");
    let setup = setup.replace("docker compose run report", "printf kept |") + " --with-token";
    let script = format!("{}{setup}\n{}", variables(&text), values(&text, "command"));
    assert_reports(&home, &script, "kept");
    assert!(home.path().join("state/credentials.sealed").exists());
    // Nor was there need to make another key.
    assert!(!home.path().join(".config/seo-auth").exists());
}

#[test]
fn github_signs_in_by_its_id_token() {
    let server = vault("jwt", "ci");
    let origin = server.origin();
    let text = example("github.yml", &[("https://vault.example:8200", &origin)]);
    let script = variables(&text) + &values(&text, "run");
    let url = format!("export ACTIONS_ID_TOKEN_REQUEST_URL={origin}/id-token");
    let token = "export ACTIONS_ID_TOKEN_REQUEST_TOKEN=of-the-job";
    assert_reports(&home(), &format!("{url}\n{token}\n{script}"), "shared");
}

#[test]
fn gitlab_takes_a_login_from_a_variable() {
    let text = example("gitlab-ci.yml", &[]);
    let export = text.lines().next().unwrap().rsplit_once(": ").unwrap().1;
    let laptop = format!("printf exported | seo-auth login ahrefs --with-token\n{export}");
    let login = bash(&Home::new(), &laptop).expect(0).stdout;
    let steps = text.lines().filter_map(|line| line.strip_prefix("    - "));
    let script = steps.collect::<Vec<_>>().join("\n");
    let script = format!("export AHREFS_LOGIN='{login}'\n{script}");
    assert_reports(&home(), &script, "exported");
}

#[test]
fn kubernetes_signs_in_by_its_service_account() {
    let (home, server) = (home(), vault("kubernetes", "report"));
    let here = home.path().to_str().unwrap();
    let moved = [
        ("https://vault.example:8200", &*server.origin()),
        ("/etc/seo-auth", here),
        ("/var/run/secrets/kubernetes.io/serviceaccount", here),
    ];
    let text = example("kubernetes.yml", &moved);
    fs::write(home.path().join("token"), "jwt\n").unwrap();
    fs::write(
        home.path().join("config.toml"),
        values(&text, "config.toml"),
    )
    .unwrap();
    let command = values(&text, "command").replace(['[', ',', ']'], "");
    assert_reports(&home, &(variables(&text) + &command), "shared");
}

#[test]
fn nightly_stops_where_a_person_must_sign_in() {
    let home = home();
    let nightly = folder().join("nightly.sh").display().to_string();
    let nightly = format!("seo-auth login semrush --with-token --store file\n{nightly}");
    assert_reports(&home, &format!("printf good | {nightly}"), "good");
    let dies = r#"{"schema": "seo-auth.token.v1", "provider": "semrush", "access_token": "t", "token_type": "Bearer""#;
    let dies = format!("echo '{dies}, \"expires_at_epoch\": '$(($(date +%s) + 86400))'}}'");
    let told = bash(&home, &format!("{dies} | {nightly}")).expect(4);
    assert!(told.stdout.is_empty(), "{told:?}");
    assert!(told.stderr.contains("seo-auth login semrush"), "{told:?}");
}
