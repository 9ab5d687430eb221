//! A login that waits for its browser, and a browser of bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::home::Ended;

/// A login with `--json` that has shown its address.
pub struct Running {
    /// The process.
    pub child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    /// The authorization URL.
    pub url: String,
}

impl Running {
    /// Starts it and waits for the address.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Ok(event) = serde_json::from_str::<Value>(&line) else {
            panic!("{line:?}: {:?}", child.wait_with_output());
        };
        let url = event["url"].as_str().unwrap().to_owned();
        Self { child, stdout, url }
    }

    /// A line on its stdin.
    pub fn paste(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Ended {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Ended {
            code: output.status.code(),
            stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// GET; the whole answer, head and body.
pub fn visit(url: &str) -> String {
    request("GET", url, "")
}

/// A request over a connection of its own; the whole answer, head and body.
pub fn request(method: &str, url: &str, body: &str) -> String {
    let (authority, target) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} /{target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    while !is_whole(&answer) {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8(answer).unwrap()
}

/// Whether it has as many bytes as it says; chromedriver closes no connection by itself.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&answer[..end]);
    let length = header(&head, "content-length").map(|length| length.parse::<usize>().unwrap());
    length.is_some_and(|length| answer.len() >= end + 4 + length)
}

/// A header of an answer.
pub fn header(answer: &str, name: &str) -> Option<String> {
    let mut lines = answer.lines().take_while(|line| !line.is_empty());
    lines.find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}
