//! A connection to the session bus: calls go out, their answers come back, and a prompt's end is heard.
//!
//! Source: D-Bus Specification 0.43 ("Authentication Protocol", "Message Bus Messages").

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};
use zeroize::Zeroizing;

use super::wire::{LIMIT, METHOD_RETURN, Message, Object, SERIAL_AT, SIGNAL, Writer};

pub(super) const BUS: Object<'static> = Object {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
};
pub(super) const SERVICE: Object<'static> = Object {
    destination: "org.freedesktop.secrets",
    path: "/org/freedesktop/secrets",
    interface: "org.freedesktop.Secret.Service",
};
pub(super) const PROPERTIES: Object<'static> = Object {
    interface: "org.freedesktop.DBus.Properties",
    ..SERVICE
};

/// A connection to the session bus, all of whose waiting ends at the deadline.
pub(super) struct Connection {
    socket: UnixStream,
    deadline: Instant,
    /// What came and was not parsed yet, in the first `filled` bytes; it may hold a secret.
    buffer: Zeroizing<Vec<u8>>,
    filled: usize,
    last_serial: u32,
    /// What goes out with the next exchange, so that it needs no wait of its own.
    greeting: &'static [u8],
    /// The path of the prompt that is shown, and how it ended.
    prompt: Option<(String, Option<End>)>,
}

/// How a prompt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Answered,
    Dismissed,
}

/// The authentication in one go: by the socket's own credentials, under whatever identity they are.
const AUTHENTICATION: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

/// The answer to a call.
pub(super) struct Reply {
    serial: u32,
    signature: String,
    body: Zeroizing<Vec<u8>>,
}

impl Reply {
    pub(super) fn body(&self, signature: &str) -> Option<&[u8]> {
        (self.signature == signature).then_some(&*self.body)
    }
}

impl Connection {
    /// To the bus at this D-Bus address; all that is waited for must be here within `wait`.
    pub(super) fn open(address: &str, wait: Duration) -> Option<Self> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).ok()?;
        // Before it connects, for a bus whose queue is full would make that wait too (unix(7), SO_SNDTIMEO).
        socket.set_write_timeout(Some(wait)).ok()?;
        socket.connect(&socket_address(address)?).ok()?;
        Some(Self {
            socket: UnixStream::from(OwnedFd::from(socket)),
            deadline: Instant::now() + wait,
            buffer: Zeroizing::new(vec![0; LIMIT]),
            filled: 0,
            last_serial: 0,
            greeting: AUTHENTICATION,
            prompt: None,
        })
    }

    /// Sends the calls in one go and waits for all their answers, in the order of the calls.
    pub(super) fn exchange<const N: usize>(&mut self, calls: [Vec<u8>; N]) -> Option<[Reply; N]> {
        self.exchange_all(calls.into())?.try_into().ok()
    }

    /// The same for any number of calls.
    pub(super) fn exchange_all(&mut self, mut calls: Vec<Vec<u8>>) -> Option<Vec<Reply>> {
        let greeting = std::mem::take(&mut self.greeting);
        let first = self.last_serial + 1;
        for call in &mut calls {
            self.last_serial += 1;
            call.get_mut(SERIAL_AT)?
                .copy_from_slice(&self.last_serial.to_le_bytes());
        }
        let out = [greeting, &calls.concat()].concat();
        self.socket.write_all(&out).ok()?;
        if !greeting.is_empty() {
            self.authenticated()?;
        }
        let mut replies = Vec::with_capacity(calls.len());
        while replies.len() < calls.len() {
            let Some(reply) = self.message()? else {
                continue;
            };
            (first..=self.last_serial)
                .contains(&reply.serial)
                .then_some(())?;
            replies.push(reply);
        }
        replies.sort_unstable_by_key(|reply| reply.serial);
        Some(replies)
    }

    /// Shows the prompt at this path and waits for its end, for at most `wait`.
    pub(super) fn prompt(&mut self, path: &str, wait: Duration) -> Option<End> {
        // The end may be told before the call is answered, so it is listened for first.
        let service = SERVICE.destination;
        let rules = [
            format!("type='signal',sender='{service}',path='{path}',member='Completed'"),
            format!("type='signal',member='NameOwnerChanged',arg0='{service}'"),
        ];
        self.exchange(rules.map(|rule| {
            let mut argument = Writer::default();
            argument.string(&rule);
            BUS.call("AddMatch", "s", argument)
        }))?;
        self.prompt = Some((path.to_owned(), None));
        self.deadline = Instant::now() + wait;
        let mut no_window = Writer::default();
        no_window.string("");
        let prompt = Object {
            path,
            interface: "org.freedesktop.Secret.Prompt",
            ..SERVICE
        };
        self.exchange([prompt.call("Prompt", "s", no_window)])?;
        loop {
            if let Some((_, Some(end))) = self.prompt {
                return Some(end);
            }
            self.message()?;
        }
    }

    fn authenticated(&mut self) -> Option<()> {
        (self.line()? == "DATA" && self.line()?.starts_with("OK ")).then_some(())
    }

    fn line(&mut self) -> Option<String> {
        loop {
            let arrived = &self.buffer[..self.filled];
            if let Some(end) = arrived.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8(arrived[..end].to_vec()).ok()?;
                self.consume(end + 2);
                return Some(line);
            }
            self.receive()?;
        }
    }

    /// The next message: an answer, or `None` where it is a signal, of which only the prompt's end matters. An error is
    /// nothing that we expect; a service that goes while its prompt is shown neither.
    fn message(&mut self) -> Option<Option<Reply>> {
        loop {
            let Some(message) = Message::parse(&self.buffer[..self.filled])? else {
                self.receive()?;
                continue;
            };
            let len = message.len;
            let reply = match (message.kind, message.reply_serial) {
                (METHOD_RETURN, Some(serial)) => Some(Reply {
                    serial,
                    signature: message.signature.to_owned(),
                    body: Zeroizing::new(message.body.to_vec()),
                }),
                (SIGNAL, _) => {
                    match (message.member, &mut self.prompt) {
                        ("Completed", Some((path, end))) if message.path == path => {
                            *end = Some(end_told(message.body)?);
                        }
                        ("NameOwnerChanged", _) => return None,
                        _ => {}
                    }
                    None
                }
                _ => return None,
            };
            self.consume(len);
            return Some(reply);
        }
    }

    fn consume(&mut self, len: usize) {
        self.buffer.copy_within(len..self.filled, 0);
        self.filled -= len;
    }

    fn receive(&mut self) -> Option<()> {
        let left = self.deadline.checked_duration_since(Instant::now())?;
        // A time-out of zero would be none at all.
        let left = left.max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(left)).ok()?;
        let len = self.socket.read(self.buffer.get_mut(self.filled..)?).ok()?;
        self.filled += len;
        (len > 0).then_some(())
    }
}

/// `Completed` begins with a boolean: whether the prompt was dismissed.
pub(super) fn end_told(body: &[u8]) -> Option<End> {
    match body.first_chunk()? {
        [0, 0, 0, 0] => Some(End::Answered),
        [1, 0, 0, 0] => Some(End::Dismissed),
        _ => None,
    }
}

/// The first address of the list, where it is a socket of this machine.
fn socket_address(addresses: &str) -> Option<SockAddr> {
    let first = addresses.split(';').next()?;
    let mut keys = first.strip_prefix("unix:")?.split(',');
    // An escaped character is rare enough to leave it to others.
    let plain = |value: &&str| !value.contains('%');
    keys.find_map(|key| {
        if let Some(path) = key.strip_prefix("path=").filter(plain) {
            SockAddr::unix(path).ok()
        } else {
            let name = key.strip_prefix("abstract=").filter(plain)?;
            SockAddr::unix(format!("\0{name}")).ok()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_socket_of_this_machine_is_an_address() {
        for good in [
            "unix:path=/run/user/1000/bus",
            "unix:guid=1,path=/tmp/x",
            "unix:abstract=/tmp/dbus-x,guid=0123",
            "unix:path=/tmp/x;tcp:host=localhost",
        ] {
            assert!(socket_address(good).is_some(), "{good}");
        }
        for other in [
            "",
            "unix:",
            "tcp:host=localhost,port=1",
            "unix:path=/tmp/%20",
            "unix:runtime=yes",
            "autolaunch:",
            "unixexec:path=ssh",
        ] {
            assert!(socket_address(other).is_none(), "{other}");
        }
    }
}
