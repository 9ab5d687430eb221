//! Real servers on loopback: nginx, which speaks TLS as servers do, and tinyproxy.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::certificates::Certificate;

/// A port may be taken between its choice and the server's start; that it happens so often is a fault.
const TRIES: usize = 5;

/// A server that is ended when it is dropped.
pub struct Server {
    pub port: u16,
    child: Child,
    // Read to its end, so that the server never waits for us; joined when the server is gone.
    log: Option<JoinHandle<()>>,
    _dir: TempDir,
}

/// nginx with TLS on 127.0.0.1, answering by these `location` blocks.
pub fn nginx(certificate: &Certificate, locations: &str) -> Server {
    let (pem, key) = (certificate.pem.display(), certificate.key.display());
    start_nginx(&format!(
        "listen 127.0.0.1:PORT ssl; ssl_certificate {pem}; ssl_certificate_key {key}; {locations}"
    ))
}

/// The same without TLS.
pub fn plain_nginx(locations: &str) -> Server {
    start_nginx(&format!("listen 127.0.0.1:PORT; {locations}"))
}

fn start_nginx(server: &str) -> Server {
    start(
        &["nginx", "-e", "stderr", "-p", "DIR", "-c", "DIR/config"],
        &NGINX.replace("SERVER", server),
        // Said when the sockets listen.
        "event method",
    )
}

/// A proxy on 127.0.0.1 that tunnels to `port` only; with these lines added to its configuration.
pub fn tinyproxy(port: u16, more: &str) -> Server {
    start(
        &["tinyproxy", "-d", "-c", "DIR/config"],
        &format!("Port PORT\nListen 127.0.0.1\nLogLevel Info\nConnectPort {port}\n{more}\n"),
        "Accepting connections",
    )
}

/// A port that was free just now.
fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("its address").port()
}

/// A port at which nobody listens: bound, so that no other test is given it, for as long as this lives.
pub struct DeadPort {
    pub port: u16,
    bound: Socket,
}

impl DeadPort {
    pub fn new() -> Self {
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        bound.bind(&any.into()).expect("a port");
        let address = bound.local_addr().expect("its address").as_socket();
        Self {
            port: address.expect("an address of IP").port(),
            bound,
        }
    }

    /// Comes to life, and answers one request with this JSON.
    pub fn answer_once(self, body: &str) {
        self.bound.listen(1).expect("a listener");
        let listener = TcpListener::from(self.bound);
        let (mut stream, _) = listener.accept().expect("a client");
        assert_ne!(stream.read(&mut [0; 4_096]).expect("a request"), 0);
        let length = body.len();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
            .expect("an answer");
        // Until the client is gone: closed before it was read, the request would take the answer with it.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    }
}

/// Starts a server and waits until it says `ready`. `DIR` is its folder, `PORT` its port.
fn start(command: &[&str], config: &str, ready: &str) -> Server {
    for _ in 0..TRIES {
        let dir = tempfile::tempdir().expect("a folder for the server");
        let path = dir.path().to_string_lossy();
        let port = free_port();
        let config = config
            .replace("DIR", &path)
            .replace("PORT", &port.to_string());
        fs::write(dir.path().join("config"), config).expect("its configuration");
        let line = command
            .iter()
            .map(|part| part.replace("DIR", &path))
            .collect::<Vec<_>>()
            .join(" ");
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {line} 2>&1")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let began = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains(ready));
        let log = Some(thread::spawn(move || lines.for_each(drop)));
        let mut server = Server {
            port,
            child,
            log,
            _dir: dir,
        };
        if began {
            return server;
        }
        server.end();
    }
    panic!("{command:?} did not start");
}

impl Server {
    fn end(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(log) = self.log.take() {
            let _ = log.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// One process, nothing outside its folder.
const NGINX: &str = "
daemon off; master_process off; pid DIR/pid; error_log stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  server { SERVER }
}
";
