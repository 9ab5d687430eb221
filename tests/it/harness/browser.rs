//! A login that waits for its browser, and a browser of bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::home::Ended;

/// A login with `--json` that has shown its address.
pub struct Running {
    child: Child,
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
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
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
