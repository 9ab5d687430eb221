//! Over real sockets: each hostile request gets its answer, and then the true callback still gets in.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;
use crate::flow::callback::{Issuer, Outcome, Rejection};
use crate::flow::page::Page;
use crate::flow::testing::{exchange, get, status, visit};
use crate::secret::State;

const STATE: &str = "the-state-of-this-login";

/// A listener that waits for a callback, and where.
struct Waiting {
    serving: Serving,
    callback: Url,
    address: SocketAddr,
}

fn waiting() -> Waiting {
    let listener = Listener::bind(&url("http://127.0.0.1:0/callback")).unwrap();
    let redirect = listener.redirect_uri().clone();
    let address = redirect.socket_addrs(|| None).unwrap()[0];
    let expected = Expected {
        redirect: redirect.clone(),
        state: State::new(STATE.into()),
        stateless: false,
        issuer: Issuer::At(Vec::new()),
    };
    let mut callback = redirect;
    callback.set_query(Some(&format!("code=c&state={STATE}")));
    Waiting {
        serving: listener.serve(expected),
        callback,
        address,
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

impl Waiting {
    /// The true callback arrives and gets its page, whatever came before.
    fn assert_lets_in(mut self) {
        let callback = self.callback.clone();
        let browser = std::thread::spawn(move || visit(&callback));
        self.next_callback().send(Page::signed_in("Ahrefs"));
        let answer = browser.join().unwrap();
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.contains("Signed in to Ahrefs"), "{answer}");
    }

    fn next_callback(&mut self) -> Reply {
        let events = &mut self.serving.events;
        let told = std::iter::from_fn(|| events.blocking_recv());
        match told
            .into_iter()
            .find(|event| !matches!(event, Event::Refused(_)))
        {
            Some(Event::Callback(Outcome::Code(code), reply)) => {
                assert_eq!(code.expose(), "c");
                reply
            }
            Some(Event::Callback(outcome, _)) => panic!("{outcome:?}"),
            Some(Event::Died(reason)) => panic!("{reason}"),
            Some(Event::Refused(_)) => unreachable!("passed over"),
            None => panic!("the listener's thread ended"),
        }
    }
}

#[test]
fn every_hostile_request_is_answered_and_none_ends_the_wait() {
    let waiting = waiting();
    let host = waiting.address;
    let right = format!("/callback?code=c&state={STATE}");
    let cookie = "Cookie: name=J\u{fc}rgen";
    let long = "a".repeat(15_000);
    let huge = "a".repeat(100_000);
    let many = "X: y\r\n".repeat(2_000);
    let lines = |head: &str| format!("{head}\r\nHost: {host}\r\n");
    let table = [
        (
            "another method",
            lines(&format!("POST {right} HTTP/1.1\r\nContent-Length: 0")),
            "405",
        ),
        ("HEAD", lines(&format!("HEAD {right} HTTP/1.1")), "405"),
        (
            "a preflight",
            lines(&format!(
                "OPTIONS {right} HTTP/1.1\r\nOrigin: https://evil.example"
            )),
            "405",
        ),
        ("CONNECT", lines("CONNECT evil.example:443 HTTP/1.1"), "404"),
        ("another path", lines("GET / HTTP/1.1"), "404"),
        ("the favicon", lines("GET /favicon.ico HTTP/1.1"), "404"),
        (
            "a rebound name",
            format!(
                "GET {right} HTTP/1.1\r\nHost: evil.example:{}\r\n",
                host.port()
            ),
            "421",
        ),
        (
            "another port's Host",
            format!("GET {right} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"),
            "421",
        ),
        ("no Host", format!("GET {right} HTTP/1.0\r\n"), "421"),
        (
            "two Hosts",
            lines(&format!("GET {right} HTTP/1.1\r\nHost: {host}")),
            "421",
        ),
        (
            "a prefetch",
            lines(&format!("GET {right} HTTP/1.1\r\nSec-Purpose: prefetch")),
            "403",
        ),
        ("no state", lines("GET /callback?code=c HTTP/1.1"), "400"),
        (
            "a wrong state",
            lines("GET /callback?code=c&state=guess HTTP/1.1"),
            "400",
        ),
        (
            "an error with a wrong state",
            lines("GET /callback?error=access_denied&state=guess HTTP/1.1"),
            "400",
        ),
        (
            "a doubled state",
            lines(&format!("GET {right}&state={STATE} HTTP/1.1")),
            "400",
        ),
        (
            "a cookie that isn't ASCII",
            lines(&format!("GET /callback HTTP/1.1\r\n{cookie}")),
            "400",
        ),
        (
            "15 kB of cookies",
            lines(&format!("GET /callback HTTP/1.1\r\nCookie: {long}")),
            "400",
        ),
        (
            "100 kB of cookies",
            lines(&format!("GET {right} HTTP/1.1\r\nCookie: {huge}")),
            "431",
        ),
        (
            "2,000 headers",
            lines(&format!("GET {right} HTTP/1.1\r\n{many}X: y")),
            "431",
        ),
        (
            "a body that never comes",
            lines("GET /callback?a=b HTTP/1.1\r\nContent-Length: 99"),
            "400",
        ),
        (
            "two lengths",
            lines(&format!(
                "GET {right} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2"
            )),
            "400",
        ),
        (
            "TLS",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n".to_owned(),
            "400",
        ),
        (
            "HTTP/2",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n".to_owned(),
            "closed",
        ),
        ("garbage", "\u{0}\u{1}\u{2} what?\r\n".to_owned(), "400"),
    ];
    for (name, head, expected) in table {
        let answer = exchange(waiting.address, format!("{head}\r\n").as_bytes());
        assert_eq!(status(&answer), expected, "{name}: {answer}");
        assert!(!answer.contains("Signed in"), "{name}: {answer}");
        assert_eq!(answer.contains("allow: GET"), expected == "405", "{name}");
    }
    waiting.assert_lets_in();
}

#[test]
fn what_other_servers_on_this_host_left_in_the_browser_is_dropped() {
    for headers in [
        format!("Cookie: {}\r\n", "a=1; ".repeat(4_000)),
        (0..120).map(|n| format!("X-{n}: 1\r\n")).collect(),
    ] {
        let mut waiting = waiting();
        let request = get(&waiting.callback).replace("Accept: text/html\r\n", &headers);
        let address = waiting.address;
        let browser = std::thread::spawn(move || exchange(address, request.as_bytes()));
        waiting.next_callback().send(Page::signed_in("Ahrefs"));
        assert_eq!(status(&browser.join().unwrap()), "200");
    }
}

#[test]
fn too_many_cookies_are_told_on_the_page_and_to_the_login() {
    let mut waiting = waiting();
    let cookies = format!("Cookie: {}\r\n", "a=1; ".repeat(20_000));
    let request = get(&waiting.callback).replace("Accept: text/html\r\n", &cookies);
    let answer = exchange(waiting.address, request.as_bytes());
    assert_eq!(status(&answer), "431");
    assert!(answer.contains("private window"), "{answer}");
    let event = waiting.serving.events.blocking_recv();
    assert!(matches!(event, Some(Event::Refused(Rejection::TooLarge))));
    waiting.assert_lets_in();
}

#[test]
fn a_header_of_ten_megabytes_is_not_read() {
    let waiting = waiting();
    let mut stream = TcpStream::connect(waiting.address).unwrap();
    let chunk = [b'a'; 1 << 16];
    let written = (0..160).take_while(|_| stream.write_all(&chunk).is_ok());
    assert!(written.count() < 160, "all of it was taken");
    waiting.assert_lets_in();
}

#[test]
fn hundreds_of_idle_connections_shut_nobody_out() {
    let waiting = waiting();
    let connect = || TcpStream::connect(waiting.address).unwrap();
    let mut idle: Vec<TcpStream> = (0..2_000).map(|_| connect()).collect();
    // And some that began to speak and stopped.
    for _ in 0..200 {
        let mut half = connect();
        half.write_all(b"GET /callback HTTP/1.1\r\nHos").unwrap();
        idle.push(half);
    }
    waiting.assert_lets_in();
    drop(idle);
}

#[test]
fn more_connections_do_not_push_out_the_callback() {
    let mut waiting = waiting();
    let callback = waiting.callback.clone();
    let browser = std::thread::spawn(move || visit(&callback));
    let reply = waiting.next_callback();
    let address = waiting.address;
    let idle: Vec<_> = (0..300)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    // Answered after all of those were accepted.
    assert_eq!(status(&exchange(address, b"GET / HTTP/1.0\r\n\r\n")), "404");
    reply.send(Page::signed_in("Ahrefs"));
    assert_eq!(status(&browser.join().unwrap()), "200");
    drop(idle);
}

#[test]
fn the_right_request_counts_once() {
    let mut waiting = waiting();
    let callback = waiting.callback.clone();
    let browser = std::thread::spawn(move || visit(&callback));
    let reply = waiting.next_callback();
    let again = visit(&waiting.callback);
    assert_eq!(status(&again), "409", "{again}");
    reply.send(Page::denied("Ahrefs"));
    let first = browser.join().unwrap();
    assert_eq!(status(&first), "403");
    assert!(first.contains("Access was denied"), "{first}");
    assert!(waiting.serving.events.try_recv().is_err());
}

#[test]
fn a_browser_that_left_holds_nothing_up() {
    let mut waiting = waiting();
    let mut browser = TcpStream::connect(waiting.address).unwrap();
    browser
        .write_all(get(&waiting.callback).as_bytes())
        .unwrap();
    let Reply { page, written } = waiting.next_callback();
    drop(browser);
    // Nobody takes the page where the listener has noticed already.
    drop(page.send(Page::signed_in("Ahrefs")));
    assert!(
        written.recv().is_err(),
        "it is closed, and not by a deadline"
    );
}

#[test]
fn a_login_that_is_gone_leaves_a_failure_page() {
    let mut waiting = waiting();
    let callback = waiting.callback.clone();
    let browser = std::thread::spawn(move || visit(&callback));
    drop(waiting.next_callback());
    assert_eq!(status(&browser.join().unwrap()), "500");
}

#[test]
fn the_port_is_closed_when_the_listener_is_dropped() {
    let waiting = waiting();
    let mut open = TcpStream::connect(waiting.address).unwrap();
    drop(waiting.serving);
    assert!(TcpStream::connect(waiting.address).is_err());
    assert!(!matches!(open.read(&mut [0; 1]), Ok(1..)));
}

#[test]
fn it_binds_what_the_uri_says_and_nothing_else() {
    for (uri, addresses) in [
        ("http://127.0.0.1:0/", vec!["127.0.0.1"]),
        ("http://[::1]:0/", vec!["::1"]),
        ("http://localhost:0/", vec!["127.0.0.1", "::1"]),
    ] {
        let listener = Listener::bind(&url(uri)).unwrap();
        let port = listener.redirect_uri().port().unwrap();
        let bound: Vec<_> = listener
            .sockets
            .iter()
            .map(|socket| socket.local_addr().unwrap())
            .collect();
        let expected: Vec<_> = addresses
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), port))
            .collect();
        assert_eq!(bound, expected, "{uri}");
        assert!(listener.redirect_uri().as_str().starts_with(&uri[..11]));
    }
}

#[test]
fn a_taken_port_is_named() {
    let taken = Listener::bind(&url("http://127.0.0.1:0/callback")).unwrap();
    let error = Listener::bind(taken.redirect_uri()).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(Some(error.port), taken.redirect_uri().port());
    // One family is enough: the browser would go to either.
    let by_name = format!("http://localhost:{}/callback", error.port);
    assert!(Listener::bind(&url(&by_name)).is_err());
}

#[test]
fn other_machines_addresses_are_refused() {
    for elsewhere in [
        "http://192.0.2.1:8976/callback",
        "http://0.0.0.0:8976/",
        "https://127.0.0.1:8976/",
        "http://example.com/",
    ] {
        let error = Listener::bind(&url(elsewhere)).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput);
    }
}
