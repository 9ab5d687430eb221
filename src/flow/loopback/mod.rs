//! The callback listener on loopback, RFC 8252 §7.3 and §8.3: bound before anything is shown, and served on a thread of its
//! own, so that the browser gets its answer whatever the rest of the program waits for.
//!
//! It is hyper's HTTP/1 server and not tiny_http, which plays the sandbox. Measured with tiny_http 0.12: a cookie that isn't
//! ASCII (cookies are shared by all ports of a host, so people meet this) closes the connection without an answer; a
//! header of 10 MB is read whole; some 350 idle connections at `ulimit -n 1024` panic its accepting thread, and the
//! port answers no more. Here each of these gets a 4xx or a time-out, and the true callback still gets in.

mod event;
mod server;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};
use url::{Host, Url};

pub(super) use event::{Claim, Event, Reply};

use super::callback::Expected;
use crate::address::is_loopback;

/// With `localhost` and port 0, both families need the same free port; one that is free in the first is nearly always free
/// in the second.
const PAIR_ATTEMPTS: usize = 16;

/// Connections that the system holds until they are accepted. Std's 128 were full after a burst of some hundred, and whoever
/// finds the queue full comes again only after a second.
const QUEUE: i32 = 1_024;

/// Bound to the redirect URI's address, and not serving yet: what connects now waits in the system's queue.
#[derive(Debug)]
pub struct Listener {
    redirect_uri: Url,
    sockets: Vec<TcpListener>,
}

/// The redirect URI's address can't be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}:{port}")]
pub struct BindError {
    /// As the redirect URI has it; `[::1]` in brackets.
    pub address: String,
    /// As the redirect URI has it.
    pub port: u16,
    /// What the system said.
    pub source: io::Error,
}

impl Listener {
    /// Binds exactly what the URI says: `127.0.0.1`, `[::1]`, or for `localhost` both (as far as the machine has both
    /// families). Port 0 takes any free port. Never another interface.
    ///
    /// # Errors
    /// The address is taken, not allowed, or not on loopback.
    pub fn bind(redirect_uri: &Url) -> Result<Self, BindError> {
        let port = redirect_uri.port_or_known_default().unwrap_or_default();
        let bound = addresses(redirect_uri).and_then(|addresses| match port {
            0 => bind_any(&addresses),
            port => bind_all(&addresses, port),
        });
        let failed = |source| BindError {
            address: redirect_uri.host_str().unwrap_or_default().to_owned(),
            port,
            source,
        };
        let (sockets, port) = bound.map_err(failed)?;
        let mut redirect_uri = redirect_uri.clone();
        // Fails only for an URL without a host, which has no address either.
        let _ = redirect_uri.set_port(Some(port));
        Ok(Self {
            redirect_uri,
            sockets,
        })
    }

    /// The redirect URI with the port that was really bound.
    pub fn redirect_uri(&self) -> &Url {
        &self.redirect_uri
    }

    /// Host and port, for people.
    pub(super) fn address(&self) -> String {
        let host = self.redirect_uri.host_str().unwrap_or_default();
        let port = self.redirect_uri.port_or_known_default();
        format!("{host}:{}", port.unwrap_or_default())
    }

    /// Starts answering. A thread that can't be started is told as [`Event::Died`].
    pub(super) fn serve(self, expected: Expected) -> Serving {
        let (events, arriving) = tokio_mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let claim = Claim::default();
        let server = server::Server {
            expected,
            claim: claim.clone(),
            events: events.clone(),
        };
        let sockets = self.sockets;
        let thread = std::thread::Builder::new()
            .name("callback".to_owned())
            .spawn(move || server.run(sockets, stopped))
            .inspect_err(|error| {
                // The receiver is held below.
                let _ = events.send(Event::Died(error.to_string()));
            });
        Serving {
            events: arriving,
            claim,
            stop: Some(stop),
            thread: thread.ok(),
        }
    }
}

fn addresses(redirect_uri: &Url) -> io::Result<Vec<IpAddr>> {
    let elsewhere = || io::Error::new(io::ErrorKind::InvalidInput, "it is not on loopback");
    if redirect_uri.scheme() != "http" || !is_loopback(redirect_uri) {
        return Err(elsewhere());
    }
    match redirect_uri.host().ok_or_else(elsewhere)? {
        Host::Ipv4(address) => Ok(vec![address.into()]),
        Host::Ipv6(address) => Ok(vec![address.into()]),
        Host::Domain(_) => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
    }
}

/// Binds each of the addresses; of several, one that this machine doesn't have may be missing.
fn bind_all(addresses: &[IpAddr], port: u16) -> io::Result<(Vec<TcpListener>, u16)> {
    let mut port = port;
    let mut sockets = Vec::new();
    let mut absent = None;
    for address in addresses {
        match bind(SocketAddr::new(*address, port)) {
            Ok(socket) => {
                port = socket.local_addr()?.port();
                sockets.push(socket);
            }
            // A family that is switched off: AddrNotAvailable, or EAFNOSUPPORT, which std has no name for.
            Err(error)
                if addresses.len() > 1
                    && !matches!(
                        error.kind(),
                        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
                    ) =>
            {
                absent = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match absent {
        Some(error) if sockets.is_empty() => Err(error),
        _ => Ok((sockets, port)),
    }
}

/// As std binds, but with a longer queue.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows the same option would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(QUEUE)?;
    Ok(socket.into())
}

fn bind_any(addresses: &[IpAddr]) -> io::Result<(Vec<TcpListener>, u16)> {
    for _ in 1..PAIR_ATTEMPTS {
        match bind_all(addresses, 0) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => return bound,
        }
    }
    bind_all(addresses, 0)
}

/// A running listener. Dropping it closes the port and returns when that is done.
pub(super) struct Serving {
    /// What it tells; ends when the listener has died.
    pub events: tokio_mpsc::UnboundedReceiver<Event>,
    /// Shared with the paste.
    pub claim: Claim,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[cfg(test)]
impl Serving {
    /// A listener that has died.
    pub fn dying(reason: &str) -> Self {
        let (events, arriving) = tokio_mpsc::unbounded_channel();
        let _ = events.send(Event::Died(reason.to_owned()));
        Self {
            events: arriving,
            claim: Claim::default(),
            stop: None,
            thread: None,
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it was told by the end of its events.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
