//! What a person at a terminal meets: texts, the paste and the callback in a race, typed secrets, Ctrl-C.

use std::io::Write;
use std::net::TcpStream;

use crate::harness::browser::{header, visit};
use crate::harness::home::{Home, SEO_AUTH, SandboxServer};
use crate::harness::terminal::Terminal;

const SCREEN: (u16, u16) = (100, 50);
const AHREFS: &str = "login ahrefs --store file --redirect-uri http://127.0.0.1:0/callback";

/// The address that the login shows.
fn shown_address(screen: &str) -> String {
    let mut lines = screen.lines();
    let line = lines.find(|line| line.starts_with("  http://"));
    line.unwrap_or_else(|| panic!("{screen}")).trim().to_owned()
}

/// Where the authorization server sends the browser.
fn landing(address: &str) -> String {
    let answer = visit(address);
    header(&answer, "location").unwrap_or_else(|| panic!("{answer}"))
}

/// The shell gets what is typed from now on and nothing else, and the terminal shows it.
fn assert_sane(terminal: &Terminal) {
    // Split, so that only the command's output has it in one piece.
    terminal.run(
        "stty -a | tr ' ;' '\\n\\n' | grep -xE 'echo|icanon|isig' | tr '\\n' '+'; echo he''re",
    );
    let screen = terminal.wait_for("+here");
    assert!(screen.contains("isig+icanon+echo+here"), "{screen}");
    assert!(!screen.contains("not found"), "{screen}");
}

/// A screen with what differs between two runs made equal.
fn settled(screen: &str, code: &str) -> String {
    let port = |line: &str| match line.split_once("127.0.0.1:") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}127.0.0.1:PORT{after}")
        }
        None => line.to_owned(),
    };
    let lines: Vec<String> = screen.lines().map(port).collect();
    lines.join("\n").replace(code, "CODE-CODE")
}

/// The user code in its box.
fn shown_code(screen: &str) -> String {
    let mut lines = screen.lines();
    let line = lines.find(|line| line.contains('│')).unwrap();
    line.trim_matches([' ', '│']).to_owned()
}

#[test]
fn a_device_code_login_reads_well_at_every_width() {
    for columns in [60, 80, 200] {
        let home = Home::new();
        let server = SandboxServer::start(&home, &["--approve", "ask"]);
        let terminal = Terminal::start(
            &home,
            (columns, 40),
            &[("SEO_AUTH_SANDBOX", server.origin()), ("BROWSER", "true")],
        );
        terminal.seo_auth("login semrush --store file");
        let screen = terminal.wait_for(" left.");
        let code = shown_code(&screen);
        let (shown, _) = screen.rsplit_once("Waiting for the approval, ").unwrap();
        insta::assert_snapshot!(format!("device_{columns}"), settled(shown, &code));
        terminal.press("C-c");
        terminal.wait_for("exit=130");
    }
}

#[test]
fn a_browser_login_over_ssh_shows_the_way_back_at_every_width() {
    for columns in [60, 80, 200] {
        let home = Home::new();
        let server = SandboxServer::start(&home, &["--approve", "ask"]);
        let terminal = Terminal::start(
            &home,
            (columns, 40),
            &[
                ("SEO_AUTH_SANDBOX", server.origin()),
                ("SSH_CONNECTION", "192.0.2.7 51234 198.51.100.4 22"),
                ("USER", "eve"),
            ],
        );
        terminal.seo_auth(AHREFS);
        let screen = terminal.wait_for("\n> ");
        let address = shown_address(&screen);
        let port = address.split("127.0.0.1%3A").nth(1).unwrap();
        let port = port.split("%2F").next().unwrap();
        let line = format!("  ssh -L {port}:127.0.0.1:{port} eve@198.51.100.4");
        assert!(screen.lines().any(|row| row == line), "{screen}");
        let shown = screen.replace(&address, "ADDRESS").replace(port, "PORT");
        insta::assert_snapshot!(format!("ssh_{columns}"), shown);
    }
}

#[test]
fn a_status_reads_well_at_every_width() {
    for columns in [60, 80, 200] {
        let home = Home::new();
        home.run(&["login", "semrush", "--sandbox", "--expires-in", "30d"])
            .expect(0);
        let terminal = Terminal::start(&home, (columns, 40), &[]);
        terminal.seo_auth("status");
        let screen = terminal.wait_for("exit=0");
        let digits = |c: char| if c.is_ascii_digit() { '9' } else { c };
        let settled: String = screen.chars().map(digits).collect();
        insta::assert_snapshot!(format!("status_{columns}"), settled);
        let raw = terminal.raw();
        assert!(raw.contains("\x1b[32mvalid\x1b[0m"), "{raw}");
    }
}

#[test]
fn a_pasted_address_wins_while_the_listener_hears_garbage() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    let terminal = Terminal::start(&home, SCREEN, &[("SEO_AUTH_SANDBOX", server.origin())]);
    terminal.seo_auth(AHREFS);
    let screen = terminal.wait_for("\n> ");
    let landing = landing(&shown_address(&screen));
    let (base, _) = landing.split_once('?').unwrap();
    let authority = base.split('/').nth(2).unwrap();
    let mut open = Vec::new();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET /callback?code=x HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /callback HTTP/9.9\r\n\r\n",
        b"GET /callback?code=x&state=y HT",
        b"",
    ] {
        let mut stream = TcpStream::connect(authority).unwrap();
        stream.write_all(garbage).unwrap();
        open.push(stream);
    }
    visit(&format!("{base}?error=access_denied&state=guess"));
    terminal.run("https://example.com/?code=x");
    terminal.wait_for("that is not the address of the last browser page");
    terminal.run(&landing);
    let screen = terminal.wait_for("exit=");
    assert!(screen.contains("Signed in to Ahrefs"), "{screen}");
    assert!(screen.ends_with("exit=0"), "{screen}");
    drop(open);
    assert_sane(&terminal);
}

#[test]
fn the_prompt_asks_for_what_the_browser_ends_on() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    for (uri, asks, useless, advice) in [
        (
            "urn:ietf:wg:oauth:2.0:oob",
            "Then paste the code that the page shows",
            "two words",
            "this is not a code",
        ),
        (
            "com.example.app:/callback",
            "Then paste the address of the last browser page.",
            "c0de",
            "it starts with com.example.app:/callback",
        ),
    ] {
        let variables = [("SEO_AUTH_SANDBOX", server.origin())];
        let terminal = Terminal::start(&home, SCREEN, &variables);
        terminal.seo_auth(&format!("login ahrefs --store file --redirect-uri {uri}"));
        let screen = terminal.wait_for("\n> ");
        assert!(screen.contains(asks), "{screen}");
        terminal.run(useless);
        terminal.wait_for(advice);
        terminal.press("C-c");
        terminal.wait_for("exit=130");
    }
}

#[test]
fn the_callback_wins_while_half_a_line_is_typed() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &[]);
    let terminal = Terminal::start(&home, SCREEN, &[("SEO_AUTH_SANDBOX", server.origin())]);
    terminal.seo_auth(AHREFS);
    let screen = terminal.wait_for("\n> ");
    let landing = landing(&shown_address(&screen));
    // It must be seen, or it might still be on its way to the terminal.
    terminal.type_text("HALF-A-LINE");
    terminal.wait_for("> HALF-A-LINE");
    assert!(visit(&landing).starts_with("HTTP/1.1 200"));
    let screen = terminal.wait_for("exit=");
    assert!(screen.ends_with("exit=0"), "{screen}");
    assert!(!screen.contains("HALF-A-LINE"), "{screen}");
    assert_sane(&terminal);
}

#[test]
fn ctrl_c_ends_a_login_and_leaves_nothing_behind() {
    for (login, waiting) in [("login semrush --store file", " left."), (AHREFS, "\n> ")] {
        let home = Home::new();
        let server = SandboxServer::start(&home, &["--approve", "ask"]);
        let terminal = Terminal::start(
            &home,
            SCREEN,
            &[("SEO_AUTH_SANDBOX", server.origin()), ("BROWSER", "true")],
        );
        terminal.seo_auth(login);
        terminal.wait_for(waiting);
        terminal.press("C-c");
        let screen = terminal.wait_for("exit=130");
        assert!(screen.contains("error: interrupted"), "{screen}");
        assert!(!screen.contains("Waiting for"), "{screen}");
        assert_sane(&terminal);
        let status = home.run(&["status", "--json"]).expect(0);
        assert_eq!(status.json()["accounts"], serde_json::json!([]));
    }
}

#[test]
fn a_typed_secret_is_not_shown() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &["--approve", "ask"]);
    let terminal = Terminal::start(
        &home,
        SCREEN,
        &[("SEO_AUTH_SANDBOX", server.origin()), ("BROWSER", "true")],
    );
    let login = "login semrush --store file --client-id c --client-secret-stdin";
    terminal.seo_auth(login);
    terminal.wait_for("Client secret (not shown):");
    terminal.run("planted-secret");
    terminal.wait_for(" left.");
    terminal.press("C-c");
    terminal.wait_for("exit=130");
    assert!(!terminal.raw().contains("planted-secret"));
    assert_sane(&terminal);

    for key in ["C-c", "C-\\"] {
        terminal.seo_auth(login);
        terminal.wait_for("Client secret (not shown):");
        terminal.type_text("half-a-secret");
        terminal.press(key);
        let screen = terminal.wait_for("exit=130");
        assert!(screen.contains("error: interrupted"), "{key}: {screen}");
        assert!(!terminal.raw().contains("half-a-secret"));
        assert_sane(&terminal);
    }
}

/// A terminal keeps 4,095 characters of a line and drops the rest: what is left would be stored as a token.
#[test]
fn a_secret_that_the_terminal_cuts_short_is_not_stored() {
    let home = Home::new();
    let terminal = Terminal::start(&home, SCREEN, &[("BROWSER", "true")]);
    for (flags, prompt) in [
        ("--with-token", "Token (not shown):"),
        (
            "--client-id c --client-secret-stdin",
            "Client secret (not shown):",
        ),
    ] {
        terminal.seo_auth(&format!("login semrush --store file {flags}"));
        terminal.wait_for(prompt);
        terminal.run(&"x".repeat(6_000));
        let screen = terminal.wait_for("exit=2");
        assert!(screen.contains("cut it off"), "{screen}");
        assert_sane(&terminal);
        terminal.run("clear");
    }
    assert_eq!(
        home.run(&["status", "--json"]).expect(0).json()["accounts"],
        serde_json::json!([])
    );
}

/// A line that is wider than the screen could not be wiped, and would leave copies of itself.
#[test]
fn the_waiting_line_stays_one_line_on_a_narrow_screen() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &["--approve", "ask"]);
    let terminal = Terminal::start(
        &home,
        (40, 20),
        &[("SEO_AUTH_SANDBOX", server.origin()), ("BROWSER", "true")],
    );
    terminal.seo_auth("login semrush --store file");
    terminal.wait_for("58 s left.");
    let screen = terminal.wait_for("56 s left.");
    assert_eq!(screen.matches(" left.").count(), 1, "{screen}");
    terminal.press("C-c");
    terminal.wait_for("exit=130");
    assert_sane(&terminal);
}

/// In the background nothing is typed: what arrives there was sent, and to the keeper of the token file alone.
#[test]
fn a_sent_interrupt_reaches_a_command_in_the_background() {
    let home = Home::new();
    home.run_with_stdin(&["login", "ahrefs", "--with-token"], "token")
        .expect(0);
    let terminal = Terminal::start(&home, SCREEN, &[]);
    let command = "trap 'echo cau''ght; exit' INT; echo rea''dy-now; while :; do sleep 0.1; done";
    terminal.run(&format!(
        "{SEO_AUTH} exec ahrefs --token-file -- sh -c \"{command}\" &"
    ));
    terminal.wait_for("ready-now");
    terminal.run("kill -INT $!");
    terminal.wait_for("caught");
}

#[test]
fn a_dumb_terminal_gets_no_control_sequence_and_no_colour_means_none() {
    for (variable, value, allowed) in [
        ("TERM", "dumb", ""),
        ("TERM", "", ""),
        ("NO_COLOR", "1", "\u{1b}[2K"),
    ] {
        let home = Home::new();
        let server = SandboxServer::start(&home, &[]);
        let terminal = Terminal::start(
            &home,
            SCREEN,
            &[
                ("SEO_AUTH_SANDBOX", server.origin()),
                ("BROWSER", "true"),
                (variable, value),
            ],
        );
        let before = terminal.raw().len();
        terminal.run(&format!(
            "{} login semrush --store file; echo exit=$?",
            crate::harness::home::SEO_AUTH
        ));
        terminal.wait_for("exit=0");
        let raw = terminal.raw()[before..].replace(allowed, "");
        assert!(raw.contains("Signed in to Semrush"), "{raw:?}");
        assert!(!raw.contains('\u{1b}'), "{raw:?}");
    }
}

#[test]
fn the_code_is_drawn_and_copied_where_it_is_wanted() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &["--approve", "ask"]);
    let variables = [("SEO_AUTH_SANDBOX", server.origin())];
    let terminal = Terminal::start(&home, SCREEN, &variables);
    // Unasked: nobody can open a browser here, and there is room.
    terminal.seo_auth("login semrush --store file --copy");
    let screen = terminal.wait_for(" left.");
    let drawn = |screen: &str| {
        screen
            .lines()
            .filter(|line| line.starts_with("████"))
            .count()
    };
    assert!(drawn(&screen) >= 19, "{screen}");
    let copied = base64_of(&shown_code(&screen));
    let raw = terminal.raw();
    assert!(
        raw.contains(&format!("\u{1b}]52;c;{copied}\u{7}")),
        "{raw:?}"
    );
    assert!(
        raw.contains("38;5;231") && raw.contains("48;5;16"),
        "black on white by its own colours"
    );
    terminal.press("C-c");
    terminal.wait_for("exit=130");

    terminal.seo_auth("login semrush --store file --browser true");
    let screen = terminal.wait_for(" left.");
    assert_eq!(drawn(&screen), 0, "{screen}");
    terminal.press("C-c");
    terminal.wait_for("exit=130");
    drop(terminal);

    let terminal = Terminal::start(&home, (30, 50), &variables);
    terminal.seo_auth("login semrush --store file --qr");
    let screen = terminal.wait_for(" left.");
    assert_eq!(drawn(&screen), 0, "{screen}");
    assert!(screen.contains("the QR code needs"), "{screen}");
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
