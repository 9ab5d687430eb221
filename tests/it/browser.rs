//! A real Chromium at the sandbox's page: what is pressed there, what it shows in the end, and what the command answers.

use crate::harness::browser::Running;
use crate::harness::chromium::Chromium;
use crate::harness::home::{Home, SandboxServer};

/// Presses a button on the consent page of a login.
fn decide(home: &Home, browser: &Chromium, button: &str) -> Running {
    let login = Running::start(home.command(&[
        "login",
        "ahrefs",
        "--sandbox",
        "--approve",
        "ask",
        "--json",
        "--no-browser",
        "--redirect-uri",
        "http://127.0.0.1:0/callback",
    ]));
    browser.go(&login.url);
    browser.screenshot("ahrefs-consent");
    browser.press(button);
    login
}

/// The address bar and the history hold nothing of the answer, and no address of it is left on the page.
fn assert_no_code_is_left(browser: &Chromium) {
    let address = browser.address();
    assert!(address.ends_with("/callback"), "{address}");
    let entry = browser.evaluate("location.href + document.referrer + document.body.innerHTML");
    let entry = entry.as_str().unwrap();
    assert!(
        !entry.contains("code=") && !entry.contains("state="),
        "{entry}"
    );
}

#[test]
fn approve_signs_in_and_the_page_says_so() {
    let home = Home::new();
    let browser = Chromium::start(&home);
    let login = decide(&home, &browser, "Approve");
    browser.see("Signed in to Ahrefs");
    assert_eq!(browser.status(), 200);
    assert_no_code_is_left(&browser);
    browser.screenshot("ahrefs-signed-in");
    let login = login.ended().expect(0);
    assert!(login.stdout.contains("\"logged_in\""), "{login:?}");
    home.run(&["token", "print", "ahrefs", "--profile", "sandbox"])
        .expect(0);
}

#[test]
fn deny_is_what_the_page_and_the_exit_code_say() {
    let home = Home::new();
    let browser = Chromium::start(&home);
    let login = decide(&home, &browser, "Deny");
    browser.see("Access was denied");
    assert_eq!(browser.status(), 403);
    assert_no_code_is_left(&browser);
    browser.screenshot("ahrefs-denied");
    login.ended().expect(5);
    home.run(&["token", "print", "ahrefs", "--profile", "sandbox"])
        .expect(4);
}

#[test]
fn a_refused_code_is_told_in_the_browser_too() {
    let home = Home::new();
    let server = SandboxServer::start(&home, &["--fault", "garbage@token"]);
    let login = Running::start(server.point(home.command(&[
        "login",
        "ahrefs",
        "--json",
        "--no-browser",
        "--redirect-uri",
        "http://localhost:0/callback",
    ])));
    let browser = Chromium::start(&home);
    browser.go(&login.url);
    browser.see("Signing in to Ahrefs failed");
    assert_eq!(browser.status(), 502);
    assert_no_code_is_left(&browser);
    browser.screenshot("ahrefs-failed");
    login.ended().expect(8);
}
