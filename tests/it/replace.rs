//! A login over one of another issuer, by every way in which a login is written.

use crate::harness::home::{Ended, Home, ended};

const PROVIDERS: [&str; 2] = ["semrush", "ahrefs"];
const TOKEN: &[&str] = &["--with-token"];
const WAYS: [&[&str]; 2] = [&["--flow", "device"], &["--flow", "code"]];

/// Both providers at this issuer, which nobody reaches: what is refused, is refused before anybody is asked.
fn configure(home: &Home, issuer: &str) {
    let tables = PROVIDERS.map(|name| {
        format!(
            "[providers.{name}]\nclient_id = \"app\"\ntoken_endpoint = \"https://{issuer}/token\"\n\
             device_authorization_endpoint = \"https://{issuer}/device\"\n\
             authorization_endpoint = \"https://{issuer}/authorize\"\n\
             redirect_uri = \"http://127.0.0.1:0/callback\"\n"
        )
    });
    home.configure(&tables.concat());
}

fn login(home: &Home, provider: &str, args: &[&str], stdin: &str) -> Ended {
    let common = ["login", provider, "--profile", "mine", "--store", "file"];
    ended(home.command(&[&common, args].concat()), stdin)
}

fn held(home: &Home, provider: &str) -> String {
    let print = home.run(&["token", "print", provider, "--profile", "mine"]);
    print.expect(0).stdout.trim().to_owned()
}

fn refused(ended: Ended, hint: &str) {
    let ended = ended.expect(2);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("holds a login of"), "{ended:?}");
    assert!(ended.stderr.contains(hint), "{ended:?}");
    assert!(!ended.stderr.contains("http://127.0.0.1:0"), "{ended:?}");
}

#[test]
fn a_sandbox_login_never_replaces_a_real_one() {
    for provider in PROVIDERS {
        let home = Home::new();
        configure(&home, "one.example");
        login(&home, provider, TOKEN, "real").expect(0);
        for replace in [&[][..], &["--replace"]] {
            for way in WAYS {
                let args = [&["--sandbox"], way, replace].concat();
                refused(login(&home, provider, &args, ""), "never replaces");
            }
            let args = ["login", provider, "--profile", "mine", "--with-token"];
            let mut import = home.command(&[&args, replace].concat());
            import.env("SEO_AUTH_SANDBOX", "http://127.0.0.1:9");
            refused(ended(import, "fake"), "never replaces");
        }
        assert_eq!(held(&home, provider), "real");
    }
}

#[test]
fn another_issuers_login_is_replaced_only_when_told_to() {
    for provider in PROVIDERS {
        let home = Home::new();
        configure(&home, "one.example");
        login(&home, provider, TOKEN, "first").expect(0);
        login(&home, provider, TOKEN, "again").expect(0);
        configure(&home, "two.example");
        for way in WAYS.into_iter().chain([TOKEN]) {
            refused(login(&home, provider, way, "other"), "--replace");
        }
        assert_eq!(held(&home, provider), "again");
        let told = [TOKEN, &["--replace"]].concat();
        login(&home, provider, &told, "other").expect(0);
        assert_eq!(held(&home, provider), "other");
    }
}

#[test]
fn a_real_login_replaces_a_sandboxs_only_when_told_to() {
    let home = Home::new();
    let sandbox = ["--sandbox"].as_slice();
    login(&home, "semrush", sandbox, "").expect(0);
    login(&home, "semrush", sandbox, "").expect(0);
    let status = home.run(&["status"]).expect(0);
    assert!(status.stdout.contains("file (sandbox)"), "{status:?}");
    for way in [WAYS[0], TOKEN] {
        refused(login(&home, "semrush", way, "real"), "--replace");
    }
    login(&home, "semrush", &["--with-token", "--replace"], "real").expect(0);
    assert_eq!(held(&home, "semrush"), "real");
    let status = home.run(&["status"]).expect(0);
    assert!(!status.stdout.contains("sandbox"), "{status:?}");
}

/// A store that `--store` does not choose is looked at as well, for a login deletes there what it replaces.
#[test]
fn the_index_need_not_be_there() {
    let home = Home::new();
    configure(&home, "one.example");
    login(&home, "semrush", TOKEN, "real").expect(0);
    std::fs::remove_file(home.state().join("accounts.json")).unwrap();
    refused(
        login(&home, "semrush", &["--sandbox"], ""),
        "never replaces",
    );
}

/// On a terminal the user is asked, and anything but a yes keeps what is stored.
#[cfg(target_os = "linux")]
#[test]
fn a_yes_on_the_terminal_replaces() {
    use crate::harness::terminal::Terminal;

    let home = Home::new();
    configure(&home, "one.example");
    login(&home, "semrush", TOKEN, "first").expect(0);
    configure(&home, "two.example");
    for (answer, kept, end) in [("n", "first", "exit=2"), ("y", "typed", "exit=0")] {
        let terminal = Terminal::start(&home, (120, 30), &[]);
        terminal.seo_auth("login semrush --profile mine --store file --with-token");
        terminal.wait_for("(not shown)");
        terminal.type_text("typed");
        terminal.press("Enter");
        terminal.wait_for("[y/N]");
        terminal.type_text(answer);
        terminal.press("Enter");
        terminal.wait_for(end);
        assert_eq!(held(&home, "semrush"), kept);
    }
}
