//! `token print` for its readers: shells, curl, .env files, GitHub's runner; and tokens that move between machines.

use std::fs;

use serde_json::json;

#[cfg(unix)]
use crate::harness::home::Ended;
use crate::harness::home::{Home, SandboxServer, ended};

/// All that means something to a shell, to curl's config or to a .env file.
const WILD: &str = r#"a'b"c\d$(touch${IFS}owned)`e`;f|g&h>i<j*k?l[m]{n}~o#p!q%r^s=t"#;

/// A home that holds this token of Semrush.
fn home_with(token: &str) -> Home {
    let home = Home::new();
    home.run_with_stdin(&["login", "semrush", "--with-token"], token)
        .expect(0);
    home
}

/// Runs this script, with `seo-auth` on the path.
#[cfg(unix)]
fn shell(home: &Home, script: &str) -> Ended {
    let mut command = home.program("sh");
    command.arg("-c").arg(script).current_dir(home.path());
    ended(on_path(command), "")
}

#[cfg(unix)]
fn on_path(mut command: std::process::Command) -> std::process::Command {
    let bin = std::path::Path::new(crate::harness::home::SEO_AUTH)
        .parent()
        .unwrap();
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", bin.display()));
    command
}

#[test]
fn a_planted_token_comes_back_as_it_was() {
    let home = home_with(WILD);
    let raw = home.run(&["token", "print", "semrush"]).expect(0);
    assert_eq!(raw.stdout, format!("{WILD}\n"));
    let json = home.run(&["token", "print", "--json"]).expect(0).json();
    assert_eq!(json["access_token"], WILD);
    assert_eq!(json["schema"], "seo-auth.token.v1");
    let header = home
        .run(&["token", "print", "--format", "header"])
        .expect(0);
    assert_eq!(header.stdout, format!("Authorization: Bearer {WILD}\n"));
}

#[cfg(unix)]
#[test]
fn a_shell_evaluates_nothing_inside_the_token() {
    let home = home_with(WILD);
    let read = shell(
        &home,
        r#"eval "$(seo-auth token print semrush --format env)" && printf %s "$SEMRUSH_OAUTH_TOKEN""#,
    );
    assert_eq!(read.expect(0).stdout, WILD);
    let named = shell(
        &home,
        r#"eval "$(seo-auth token print --format env --name MINE)" && env | grep -c '^MINE='"#,
    );
    assert_eq!(named.expect(0).stdout, "1\n");
    assert!(!home.path().join("owned").exists());
}

#[test]
fn json_and_another_format_are_two_wishes() {
    let home = home_with("planted");
    for format in ["raw", "header", "env", "dotenv", "curl", "github"] {
        let refused = home.run(&["token", "print", "--json", "--format", format]);
        assert_eq!(refused.expect(2).stdout, "");
    }
    let alike = ["--json", "--format", "json"].map(Some);
    for flags in [&alike[..1], &alike[1..], &alike] {
        let mut args = vec!["token", "print"];
        args.extend(flags.iter().flatten());
        assert_eq!(home.run(&args).expect(0).json()["access_token"], "planted");
    }
}

#[cfg(unix)]
#[test]
fn curl_sends_just_the_token() {
    use std::io::{BufRead, BufReader, Write};
    let home = home_with(WILD);
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let sent = lines
            .find(|line| {
                line.as_ref()
                    .unwrap()
                    .to_lowercase()
                    .starts_with("authorization:")
            })
            .unwrap()
            .unwrap();
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .unwrap();
        sent
    });
    let script = format!(
        "seo-auth token print semrush --format curl | curl -sS --noproxy '*' -K - http://{address}/"
    );
    shell(&home, &script).expect(0);
    assert_eq!(
        server.join().unwrap(),
        format!("Authorization: Bearer {WILD}")
    );
}

#[test]
fn a_dotenv_line_is_one_that_all_readers_read_alike_or_none() {
    let written = |token: &str| {
        let home = home_with(token);
        home.run(&["token", "print", "--format", "dotenv"])
    };
    let plain = written("abc-1.2_3~4+5/6==").expect(0);
    assert_eq!(plain.stdout, "SEMRUSH_OAUTH_TOKEN=abc-1.2_3~4+5/6==\n");
    assert_eq!(
        written("a$b#c").expect(0).stdout,
        "SEMRUSH_OAUTH_TOKEN='a$b#c'\n"
    );
    let refused = written(WILD).expect(2);
    assert_eq!(refused.stdout, "");
    assert!(!refused.stderr.contains("touch"), "{refused:?}");
}

#[test]
fn a_runner_masks_the_token_before_it_can_be_seen() {
    let home = home_with("a%25b");
    let file = home.path().join("github_env");
    // An earlier step left its last line open.
    fs::write(&file, "A=1").unwrap();
    let print = ["token", "print", "--format", "github"];
    let mut command = home.command(&print);
    command.env("GITHUB_ENV", &file).args(["--name", "TOKEN"]);
    let told = ended(command, "").expect(0);
    assert_eq!(told.stdout, "", "nothing for a $(…) to catch");
    assert_eq!(told.stderr, "::add-mask::a%2525b\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), "A=1\nTOKEN=a%25b\n");
    home.run(&print).expect(2);
}

#[test]
fn flags_that_do_not_go_together_are_refused_before_anything_is_read() {
    let home = Home::new();
    for args in [
        &["--with-refresh-token"][..],
        &["--name", "X"],
        &["--format", "env", "--name", "1X"],
        &["--format", "env", "--name", "X;Y"],
        &["--format", "yaml"],
    ] {
        let refused = home
            .run(&[&["token", "print", "semrush"], args].concat())
            .expect(2);
        assert_eq!(refused.stdout, "");
    }
}

#[test]
fn a_login_moves_to_another_machine_and_goes_on_there() {
    let (laptop, runner) = (Home::new(), Home::new());
    let server = SandboxServer::start(&laptop, &[]);
    let run =
        |home: &Home, args: &[&str], stdin: &str| ended(server.point(home.command(args)), stdin);
    run(&laptop, &["login", "semrush", "--scope", "user.id"], "").expect(0);
    let export = ["token", "print", "--format", "json", "--with-refresh-token"];
    let secret = run(&laptop, &export, "").expect(0);
    let login = ["login", "semrush", "--with-token", "--json"];
    let event = run(&runner, &login, &secret.stdout).expect(0);
    assert_eq!(event.json()["event"], "logged_in");
    assert_eq!(event.json()["scope"], json!(["user.id"]));
    assert_eq!(
        event.json()["expires_at_epoch"],
        secret.json()["expires_at_epoch"]
    );
    assert!(event.stderr.contains("two places"), "{event:?}");
    let here = run(&laptop, &["token", "print"], "").expect(0).stdout;
    let there = run(&runner, &["token", "print"], "").expect(0).stdout;
    assert_eq!(here, there);
    run(&runner, &["token", "refresh"], "").expect(0);
    let back = run(&runner, &export, "").expect(0).stdout;
    run(&laptop, &login, &back).expect(0);
    run(&laptop, &["token", "refresh"], "").expect(0);
}

#[test]
fn garbage_is_no_token() {
    let home = Home::new();
    let login = ["login", "semrush", "--with-token"];
    for garbage in [
        "",
        "not found: 404",
        "<!doctype html><p>x",
        "{\"error\":\"x\"}",
    ] {
        let refused = home.run_with_stdin(&login, garbage).expect(2);
        assert!(refused.stderr.contains("no token"), "{refused:?}");
    }
    let endless = home.run_with_stdin(&login, &"a".repeat(100_000)).expect(2);
    assert!(
        endless.stderr.contains("more than 65536 bytes"),
        "{endless:?}"
    );
    home.run(&["token", "print", "semrush"]).expect(4);
}

#[test]
fn a_token_in_the_environment_wins_and_is_used_as_it_stands() {
    let home = home_with("stored");
    let with_variable = |args: &[&str], stdin: &str| {
        let mut command = home.command(args);
        command.env("SEO_AUTH_SEMRUSH_TOKEN", "from-the-environment");
        ended(command, stdin)
    };
    let print = with_variable(&["token", "print", "semrush"], "").expect(0);
    assert_eq!(print.stdout, "from-the-environment\n");
    let rejected = ["token", "print", "semrush", "--rejected"];
    let refused = with_variable(&rejected, "from-the-environment").expect(4);
    assert!(
        refused.stderr.contains("SEO_AUTH_SEMRUSH_TOKEN"),
        "{refused:?}"
    );
    assert_eq!(refused.stdout, "");
}
