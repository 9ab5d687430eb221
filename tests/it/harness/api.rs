//! An API on loopback that answers as a test has it, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// One request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The token that came with it.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
}

/// What is answered.
pub enum Reply {
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, and then the next request on the same connection.
    Kept(Vec<u8>),
    /// A body of so many zeros, announced.
    Zeros(u64),
    /// Nothing, for as long as the client waits.
    Hang,
}

/// A whole answer.
pub fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    bytes(status, headers, body.as_bytes())
}

/// The same, compressed.
pub fn gzip(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let headers = [headers, &[("Content-Encoding", "gzip")]].concat();
    bytes(status, &headers, &packed(body))
}

/// As gzip has it.
pub fn packed(body: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(body).unwrap();
    packed.finish().unwrap()
}

/// An answer that is no text.
pub fn bytes(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let length = body.len().to_string();
    let mut answer = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n");
    for (name, value) in [headers, &[("Content-Length", &length)]].concat() {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    Reply::Raw([answer.as_bytes(), b"\r\n", body].concat())
}

/// An answer in JSON.
pub fn json(status: u16, body: &str) -> Reply {
    reply(status, &[("Content-Type", "application/json")], body)
}

type Handler = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A server that is ended when it is dropped.
pub struct ApiServer {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let stop = Arc::new(AtomicBool::new(false));
        let handler: Arc<Handler> = Arc::new(handler);
        let listener = thread::spawn({
            let (asked, stop) = (Arc::clone(&asked), Arc::clone(&stop));
            let connections = Arc::clone(&connections);
            move || {
                for stream in socket.incoming().map_while(Result::ok) {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (asked, handler) = (Arc::clone(&asked), Arc::clone(&handler));
                    thread::spawn(move || serve(stream, &asked, handler.as_ref()));
                }
            }
        });
        Self {
            port,
            asked,
            connections,
            stop,
            listener: Some(listener),
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many connections were made to it so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Asked>>, handler: &Handler) {
    let mut lines = BufReader::new(stream);
    while let Some(asked) = read(&mut lines) {
        log.lock().unwrap().push(asked.clone());
        let reply = handler(&asked);
        let stream = lines.get_mut();
        // A client that has seen enough closes the line, which is no failure of ours.
        let _ = match &reply {
            Reply::Raw(bytes) | Reply::Kept(bytes) => stream.write_all(bytes),
            Reply::Zeros(length) => zeros(stream, *length),
            // Until the client hangs up.
            Reply::Hang => stream.read(&mut [0]).map(drop),
        };
        if !matches!(reply, Reply::Kept(_)) {
            return;
        }
    }
}

fn read(lines: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut asked = Asked {
        method: words.next()?,
        target: words.next()?,
        ..Asked::default()
    };
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        asked
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = asked.header("content-length").unwrap_or("0").parse().ok()?;
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    Some(asked)
}

fn zeros(stream: &mut TcpStream, length: u64) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    )?;
    std::io::copy(&mut std::io::repeat(0).take(length), stream).map(drop)
}
