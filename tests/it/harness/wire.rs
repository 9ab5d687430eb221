//! The wire between the program and a sandbox: it counts refreshes, and does to them what networks do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use super::home::SandboxServer;

/// What becomes of one refresh request.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It arrives, and so does its answer.
    Passes,
    /// It arrives, and its answer does not.
    LosesAnswer,
    /// It does not arrive: status line and headers, an empty line, and a body are the answer.
    Meets(&'static str),
}

/// Decides on the n-th refresh request, counted from 1.
type Weather = Box<dyn FnMut(usize) -> Fate + Send>;

/// A running one; its threads end with the test's process.
pub struct Wire {
    origin: String,
    state: Arc<Mutex<State>>,
}

struct State {
    refresh_tokens: Vec<String>,
    weather: Weather,
}

impl Wire {
    /// To this server, in fair weather.
    pub fn to(server: &SandboxServer) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", socket.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            refresh_tokens: Vec::new(),
            weather: Box::new(|_| Fate::Passes),
        }));
        let shared = Arc::clone(&state);
        let server = server.origin().trim_start_matches("http://").to_owned();
        thread::spawn(move || {
            for stream in socket.incoming() {
                let (shared, server) = (Arc::clone(&shared), server.clone());
                // A client that was killed ends its connection anywhere.
                thread::spawn(move || drop(carry(stream.unwrap(), &server, &shared)));
            }
        });
        Self { origin, state }
    }

    /// Points a command at it.
    pub fn point(&self, mut command: Command) -> Command {
        command.env("SEO_AUTH_SANDBOX", &self.origin);
        command
    }

    /// From now on, counting refresh requests anew.
    pub fn weather(&self, weather: impl FnMut(usize) -> Fate + Send + 'static) {
        let mut state = self.state.lock().unwrap();
        state.refresh_tokens.clear();
        state.weather = Box::new(weather);
    }

    /// The refresh tokens that were sent since, in order.
    pub fn refresh_tokens(&self) -> Vec<String> {
        self.state.lock().unwrap().refresh_tokens.clone()
    }
}

fn carry(client: TcpStream, server: &str, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" || line.is_empty() {
            break;
        }
        if lower.starts_with("host:") {
            line = format!("Host: {server}\r\n");
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let fate = fate(&String::from_utf8_lossy(&body), state);
    let mut client = client;
    if let Fate::Meets(answer) = fate {
        let (head, body) = answer.split_once("\n\n").unwrap();
        let head = head.replace('\n', "\r\n");
        let length = body.len();
        return write!(
            client,
            "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
    }
    let mut upstream = TcpStream::connect(server)?;
    write!(upstream, "{head}Connection: close\r\n\r\n")?;
    upstream.write_all(&body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    match fate {
        Fate::LosesAnswer => Ok(()),
        _ => client.write_all(&answer),
    }
}

fn fate(body: &str, state: &Mutex<State>) -> Fate {
    let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    let Some((_, token)) = pairs.find(|(name, _)| *name == "refresh_token") else {
        return Fate::Passes;
    };
    let mut state = state.lock().unwrap();
    state.refresh_tokens.push(token.to_owned());
    let count = state.refresh_tokens.len();
    (state.weather)(count)
}
