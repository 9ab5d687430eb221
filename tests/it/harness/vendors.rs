//! The vendors' hosts, played on loopback: a proxy that takes every `CONNECT`, nginx that speaks TLS for all of them, and
//! behind it an [`ApiServer`] that is told by `X-Host` for whom it answers. Nothing leaves the machine.

use std::io::{BufRead, BufReader, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use super::api::{ApiServer, Asked, Reply};
use super::certificates::Authority;
use super::servers::{Server, nginx};

pub struct Vendors {
    pub server: ApiServer,
    proxy: u16,
    authority: Authority,
    _nginx: Server,
}

impl Vendors {
    /// Plays these hosts.
    pub fn start(
        hosts: &[&str],
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let server = ApiServer::start(handler);
        let authority = Authority::new();
        let names: Vec<String> = hosts.iter().map(|host| format!("DNS:{host}")).collect();
        let nginx = nginx(
            &authority.issue(&names.join(",")),
            &format!(
                "location / {{ proxy_pass {}; proxy_set_header X-Host $host; }}",
                server.origin()
            ),
        );
        let proxy = proxy_to(nginx.port);
        Self {
            server,
            proxy,
            authority,
            _nginx: nginx,
        }
    }

    /// Sends a command there, whatever host it asks for.
    pub fn point(&self, mut command: Command) -> Command {
        command
            .env("HTTPS_PROXY", format!("http://127.0.0.1:{}", self.proxy))
            .env("SSL_CERT_FILE", self.authority.pem());
        command
    }
}

/// A proxy whose every tunnel leads to this port, for as long as the process lives.
fn proxy_to(port: u16) -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in socket.incoming().map_while(Result::ok) {
            thread::spawn(move || tunnel(client, port));
        }
    });
    own
}

fn tunnel(mut client: TcpStream, port: u16) -> Option<()> {
    let mut head = BufReader::new(client.try_clone().ok()?);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        head.read_line(&mut line).ok().filter(|read| *read > 0)?;
    }
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from_server, mut to_client) = (server.try_clone().ok()?, client.try_clone().ok()?);
    let back = thread::spawn(move || {
        let _ = copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    let _ = copy(&mut head, &mut server);
    let _ = server.shutdown(Shutdown::Write);
    back.join().ok()
}
