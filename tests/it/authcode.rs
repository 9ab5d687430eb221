//! The authorization code grant, from the command line to the stored credential, at the embedded authorization server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::api::{ApiServer, Asked, Reply, json, reply};
use crate::harness::browser::{Running, header, visit};
use crate::harness::home::{Ended, Home, SandboxServer, ended};

/// Any free port: the tests run beside each other.
const ANY_PORT: [&str; 2] = ["--redirect-uri", "http://127.0.0.1:0/callback"];

fn login<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec!["login", "ahrefs", "--json", "--no-browser"];
    line.extend(args);
    line
}

/// A login at a sandbox that runs beside it, up to where the address is shown.
fn begin(home: &Home, server: &SandboxServer, args: &[&str]) -> Running {
    Running::start(server.point(home.command(&login(args))))
}

/// Where the authorization server sends the browser.
fn landing(login: &Running) -> String {
    let answer = visit(&login.url);
    header(&answer, "location").unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn one_command_signs_in_and_another_prints_the_token() {
    let home = Home::new();
    let args = [&["--sandbox"], &ANY_PORT[..]].concat();
    let login = home.run(&login(&args)).expect(0);
    let events = login.events();
    assert_eq!(events[0]["event"], "authorization_url");
    assert_eq!(events[1]["event"], "logged_in");
    assert_eq!(events[1]["renewable"], false);
    let url = events[0]["url"].as_str().unwrap();
    assert!(url.contains("code_challenge_method=s256"), "{url}");
    let redirect_uri = events[0]["redirect_uri"].as_str().unwrap();
    assert!(!redirect_uri.contains(":0/"), "{redirect_uri}");
    assert!(
        !login.stdout.contains("sandbox_"),
        "no code and no token in the events: {login:?}"
    );
    let print = ["token", "print", "ahrefs", "--profile", "sandbox"];
    let token = home.run(&print).expect(0);
    assert!(token.stdout.starts_with("sandbox_at_"), "{token:?}");
}

#[test]
fn the_true_callback_gets_in_after_all_the_others() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    let login = begin(&home, &server, &ANY_PORT);
    let landing = landing(&login);
    let (base, _) = landing.split_once('?').unwrap();
    for stray in [
        base.to_owned(),
        format!("{base}?error=access_denied"),
        format!("{base}?code=stolen&state=guess"),
        format!("{base}/favicon.ico"),
    ] {
        let answer = visit(&stray);
        assert!(answer.starts_with("HTTP/1.1 40"), "{stray}: {answer}");
    }
    let page = visit(&landing);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("Signed in to Ahrefs"), "{page}");
    login.ended().expect(0);
}

#[test]
fn the_page_and_the_exit_code_agree() {
    for (args, exit, status, words) in [
        (&["--approve", "deny"][..], 5, 403, "Access was denied"),
        (&["--fault", "garbage@token"], 8, 502, "failed"),
    ] {
        let home = Home::new();
        let server = SandboxServer::start(&home, args);
        let login = begin(&home, &server, &ANY_PORT);
        let page = visit(&landing(&login));
        assert!(page.starts_with(&format!("HTTP/1.1 {status}")), "{page}");
        assert!(page.contains(words), "{page}");
        login.ended().expect(exit);
        let print = ["token", "print", "ahrefs"];
        ended(server.point(home.command(&print)), "").expect(4);
    }
}

#[test]
fn a_login_that_cannot_be_stored_is_no_success_in_the_browser() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    let login = begin(&home, &server, &ANY_PORT);
    // The store was proven before the address was shown; now its folder goes away.
    std::fs::remove_dir_all(home.state()).unwrap();
    std::fs::write(home.state(), "").unwrap();
    let page = visit(&landing(&login));
    assert!(page.starts_with("HTTP/1.1 500"), "{page}");
    assert!(page.contains("Signing in to Ahrefs failed"), "{page}");
    login.ended().expect(7);
}

#[test]
fn a_redirect_uri_elsewhere_works_by_paste() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    let elsewhere = ["--redirect-uri", "https://agency.example/cb", "--paste"];
    let mut login = begin(&home, &server, &elsewhere);
    let landing = landing(&login);
    assert!(
        landing.starts_with("https://agency.example/cb?"),
        "{landing}"
    );
    login.paste("https://agency.example/cb?code=stolen&state=guess");
    login.paste(&landing);
    let login = login.ended().expect(0);
    assert!(login.stderr.contains("another login"), "{login:?}");
    assert!(!login.stderr.contains("stolen"), "{login:?}");
}

/// "Semrush Auth": a client with a secret, no PKCE, and a page that shows the code alone.
#[test]
fn semrush_auth_works_by_pasting_the_code() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    let mut command = home.command(&[
        "login",
        "semrush",
        "--flow",
        "code",
        "--client-id",
        "id",
        "--paste",
        "--json",
        "--no-browser",
    ]);
    command.env("SEO_AUTH_SEMRUSH_CLIENT_SECRET", "hush");
    let mut login = Running::start(server.point(command));
    let landing = landing(&login);
    let (_, code) = landing.split_once("code=").unwrap();
    login.paste(code.split('&').next().unwrap());
    let login = login.ended().expect(0);
    assert!(login.stdout.contains("\"renewable\":true"), "{login:?}");
}

#[test]
fn a_scope_is_sent_without_blanks() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    for (given, sent) in [
        ("a, b", Some("a b")),
        ("a,,b", Some("a b")),
        ("a b", Some("a b")),
        (" ,", Some("apiv3-integration-apps")),
    ] {
        let args = [&["--scope", given], &ANY_PORT[..]].concat();
        let mut login = begin(&home, &server, &args);
        let url = url::Url::parse(&login.url).unwrap();
        let scope = url.query_pairs().find(|(name, _)| name == "scope");
        assert_eq!(scope.as_ref().map(|(_, scope)| &**scope), sent, "{given:?}");
        login.child.kill().unwrap();
        login.ended();
    }
}

#[test]
fn without_a_way_back_nothing_begins() {
    let home = Home::new();
    let args = ["--sandbox", "--redirect-uri", "https://agency.example/cb"];
    let login = home.run(&login(&args)).expect(2);
    assert_eq!(login.stdout, "", "{login:?}");
}

#[test]
fn a_taken_port_is_told_before_anything_else() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/callback", taken.local_addr().unwrap());
    let home = Home::new();
    let login = home
        .run(&login(&["--sandbox", "--redirect-uri", &uri]))
        .expect(2);
    assert_eq!(login.stdout, "", "nothing was shown: {login:?}");
    assert!(!home.state().exists(), "nothing was written");
    let address = taken.local_addr().unwrap().to_string();
    assert!(login.stderr.contains(&address), "{login:?}");
    if cfg!(target_os = "linux") {
        let holder = format!("pid {}", std::process::id());
        assert!(login.stderr.contains(&holder), "{login:?}");
    }
}

#[test]
fn a_sandbox_that_cannot_listen_is_a_mistake_in_the_call() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let sandbox = Home::new().run(&["sandbox", "--port", &port]).expect(2);
    assert_eq!(sandbox.stdout, "");
    assert!(
        sandbox.stderr.contains(&format!("127.0.0.1:{port}")),
        "{sandbox:?}"
    );
    assert!(sandbox.stderr.contains("--port"), "{sandbox:?}");
}

/// A login that may open no more than 40 files gets 80 connections that say nothing.
#[cfg(unix)]
#[test]
fn running_out_of_descriptors_ends_no_login() {
    use std::net::TcpStream;
    use std::process::Command;

    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    let mut shell: Command = home.program("sh");
    shell.args(["-c", "ulimit -n 40; exec \"$@\"", "sh"]);
    shell
        .arg(crate::harness::home::SEO_AUTH)
        .args(login(&ANY_PORT));
    let login = Running::start(server.point(shell));
    let landing = landing(&login);
    let (_, address) = landing.split_once("://").unwrap();
    let (address, _) = address.split_once('/').unwrap();
    let connect = || {
        let mut idle = TcpStream::connect(address).unwrap();
        let _ = idle.write_all(b"GET /callback");
        idle
    };
    let idle: Vec<TcpStream> = (0..80).map(|_| connect()).collect();
    let page = visit(&landing);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let _: Ended = login.ended().expect(0);
    drop(idle);
}

#[test]
fn in_a_container_the_way_back_is_told_before_waiting() {
    let home = Home::new();
    home.configure(
        "[providers.ahrefs]\nclient_id = \"app\"\nredirect_uri = \"http://127.0.0.1:0/cb\"\n",
    );
    let login = ["login", "ahrefs", "--no-browser", "--timeout", "1s"];
    let told = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("container", "podman");
        let stderr = crate::harness::home::ended(command, "").stderr;
        stderr.matches("even if the port is published").count()
    };
    assert_eq!(told(&login), 1);
    assert_eq!(told(&[&login[..], &["--paste"]].concat()), 0);
}

/// A provider of this token endpoint, and a login at it that has shown its address.
fn at(home: &Home, token_endpoint: &str, args: &[&str]) -> Running {
    home.configure(&format!(
        "store = \"file\"\n[providers.idp]\ngrant = \"authorization_code\"\nclient_id = \"c\"\n\
         authorization_endpoint = \"http://127.0.0.1:9/authorize\"\ntoken_endpoint = \"{token_endpoint}\"\n\
         redirect_uri = \"http://127.0.0.1:0/cb\"\n"
    ));
    let login = ["login", "idp", "--json", "--no-browser"];
    Running::start(home.command(&[&login[..], args].concat()))
}

/// Where the browser ends with this answer; `STATE` in it is the login's own.
fn callback(login: &Running, answer: &str) -> String {
    let url = url::Url::parse(&login.url).unwrap();
    let parameter = |name: &str| {
        let mut pairs = url.query_pairs();
        let found = pairs.find(|(key, _)| key == name);
        found.unwrap().1.into_owned()
    };
    let answer = answer.replace("STATE", &parameter("state"));
    format!("{}{answer}", parameter("redirect_uri"))
}

const APPROVED: &str = "?code=c0de&state=STATE";
const TOKEN: &str = r#"{"access_token":"new","token_type":"Bearer"}"#;

fn busy(status: u16) -> Reply {
    reply(status, &[("Retry-After", "1")], "")
}

#[test]
fn an_approval_outlives_a_server_that_is_busy() {
    let home = Home::new();
    let server = ApiServer::start(|asked: &Asked| {
        assert!(asked.body.contains("code=c0de"));
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        match ASKED.fetch_add(1, Ordering::SeqCst) {
            0 => busy(503),
            1 => busy(429),
            _ => json(200, TOKEN),
        }
    });
    let login = at(&home, &server.origin(), &[]);
    let page = visit(&callback(&login, APPROVED));
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let login = login.ended().expect(0);
    assert_eq!(server.asked().len(), 3);
    assert_eq!(login.stderr.matches("requests the token again").count(), 1);
    assert!(!login.stderr.contains("c0de"), "{login:?}");
}

#[cfg(unix)]
#[test]
fn an_approval_outlives_a_server_that_is_not_up_yet() {
    use std::io::{BufRead, BufReader};

    use crate::harness::servers::DeadPort;

    let home = Home::new();
    let server = DeadPort::new();
    let mut login = at(&home, &format!("http://127.0.0.1:{}/", server.port), &[]);
    let mut stderr = BufReader::new(login.child.stderr.take().unwrap());
    let starts = std::thread::spawn(move || {
        let mut line = String::new();
        while !line.contains("requests the token again") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0);
        }
        server.answer_once(TOKEN);
    });
    let page = visit(&callback(&login, APPROVED));
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    starts.join().unwrap();
    assert!(login.child.wait().unwrap().success());
}

/// Codes live for a minute or some; who must wait for longer signs in again.
#[test]
fn a_server_that_asks_for_more_time_than_a_code_has_is_not_waited_for() {
    let home = Home::new();
    let server = ApiServer::start(|_| reply(503, &[("Retry-After", "60")], ""));
    let login = at(&home, &server.origin(), &[]);
    let page = visit(&callback(&login, APPROVED));
    assert!(page.starts_with("HTTP/1.1 502"), "{page}");
    assert!(page.contains("(HTTP 503)"), "{page}");
    login.ended().expect(6);
    assert_eq!(server.asked().len(), 1);
    home.run(&["token", "print", "idp"]).expect(4);
}

#[test]
fn a_code_that_may_be_spent_is_not_sent_again() {
    for (answer, exit) in [
        (Vec::new(), 6),
        (
            b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec(),
            6,
        ),
        (
            b"HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n".to_vec(),
            6,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"access_t".to_vec(),
            6,
        ),
    ] {
        let home = Home::new();
        let server = ApiServer::start(move |_| Reply::Raw(answer.clone()));
        let login = at(&home, &server.origin(), &[]);
        let page = visit(&callback(&login, APPROVED));
        assert!(page.starts_with("HTTP/1.1 502"), "{page}");
        login.ended().expect(exit);
        assert_eq!(server.asked().len(), 1);
    }
}

/// People untick boxes. What is missing is told at the login and by `status`, and a refresh may grant less again.
#[test]
fn a_scope_that_was_not_granted_is_named() {
    let home = Home::new();
    let server = ApiServer::start(|asked: &Asked| {
        let scope = match asked.body.contains("refresh_token") {
            true => "read",
            false => "read Write",
        };
        json(
            200,
            &format!(r#"{{"access_token":"new","refresh_token":"again","scope":"{scope}"}}"#),
        )
    });
    let login = at(
        &home,
        &server.origin(),
        &["--scope", "read,write,admin,audit"],
    );
    visit(&callback(&login, APPROVED));
    let login = login.ended().expect(0);
    assert!(
        login
            .stderr
            .contains("did not grant the requested scope admin, audit:"),
        "{login:?}"
    );
    let missing = |ended: &Ended| ended.json()["accounts"][0]["missing_scope"].clone();
    let logged_in: serde_json::Value = serde_json::from_str(login.stdout.trim()).unwrap();
    assert_eq!(
        logged_in["missing_scope"],
        serde_json::json!(["admin", "audit"])
    );
    home.run(&["token", "refresh", "idp"]).expect(0);
    let status = home.run(&["status", "--json"]).expect(0);
    assert_eq!(
        missing(&status),
        serde_json::json!(["Write", "admin", "audit"])
    );
    let text = home.run(&["status"]).expect(0).stdout;
    let line = "idp/default: requested, but not granted: Write, admin, audit\n";
    assert!(text.ends_with(line), "{text}");
}

#[test]
fn a_pasted_line_that_is_no_text_ends_nothing() {
    let home = Home::new();
    let server = ApiServer::start(|_| json(200, TOKEN));
    let mut login = at(&home, &server.origin(), &["--paste"]);
    let stdin = login.child.stdin.as_mut().unwrap();
    stdin
        .write_all(b"http://caf\xe9.example/cb?code=x\n")
        .unwrap();
    let landing = callback(&login, APPROVED);
    login.paste(&format!("\u{feff}\u{1b}[200~{landing}\u{1b}[201~"));
    login.ended().expect(0);
}

#[test]
fn a_refusal_that_is_pasted_without_its_state_is_a_denial() {
    let home = Home::new();
    let mut login = at(&home, "http://127.0.0.1:9/token", &["--paste"]);
    let landing = callback(&login, "?error=access_denied");
    login.paste(&landing);
    let login = login.ended().expect(5);
    assert!(login.stderr.contains("was denied"), "{login:?}");
}

/// Waiting on is safe, and page and terminal say why: once, with a way out; each of them at `-v`.
#[test]
fn what_is_no_answer_is_told_on_the_page_and_in_the_terminal() {
    let home = Home::new();
    let server = ApiServer::start(|_| json(200, TOKEN));
    let login = at(&home, &server.origin(), &["-v"]);
    let landing = callback(&login, APPROVED);
    let (base, answer) = landing.split_once('?').unwrap();
    for _ in 0..2 {
        let page = post_form(base, answer);
        assert!(page.starts_with("HTTP/1.1 40"), "{page}");
        assert!(page.contains("came as a form (POST)"), "{page}");
    }
    let page = visit(&format!("{base}?error=access_denied"));
    assert!(page.contains("may belong to another login"), "{page}");
    let page = visit(&format!("{base}?code=stolen&state=guess"));
    assert!(page.contains("another login"), "{page}");
    visit(&landing);
    let login = login.ended().expect(0);
    let count = |text: &str| login.stderr.matches(text).count();
    assert_eq!(count("remove `response_mode`"), 1, "{login:?}");
    assert_eq!(
        count("if you denied the request, press Ctrl-C"),
        1,
        "{login:?}"
    );
    assert_eq!(count("was refused: the answer came as a form"), 2);
    assert_eq!(count("was refused: it belongs to another login"), 1);
    for secret in ["c0de", "stolen", "guess"] {
        assert_eq!(count(secret), 0, "{login:?}");
    }
}

/// As a page of the provider's sends its form (`response_mode=form_post`).
fn post_form(url: &str, form: &str) -> String {
    let (authority, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    let mut stream = std::net::TcpStream::connect(authority).unwrap();
    let length = form.len();
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A script's login at a sandbox that approves by itself needs no browser, and nobody to play one.
#[test]
fn a_running_sandbox_needs_no_browser() {
    let home = Home::new();
    let sandbox = SandboxServer::start(&home, &["--approve", "auto"]);
    let login = [
        "login",
        "ahrefs",
        "--store",
        "file",
        "--redirect-uri",
        "http://127.0.0.1:0/callback",
    ];
    ended(sandbox.point(home.command(&login)), "").expect(0);
    let print = ["token", "print", "ahrefs"];
    ended(sandbox.point(home.command(&print)), "").expect(0);
}
