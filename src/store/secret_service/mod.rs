//! A fast read of the Secret Service: one secret over a plain session, by a small D-Bus client of its own.
//!
//! The `keyring` crate agrees on a key with the daemon for every read, which is nine tenths of its time; here the secret
//! crosses the user's own bus in plain text, as the service's specification allows. Only reads are done so. Whatever is
//! not exactly as expected (no such bus, another transport, several hits, a locked one, any error, a wait) is answered
//! with `None`, and the caller asks `keyring`, which knows what to make of it.
//!
//! # Order
//! gnome-keyring (42.1, and later ones by their source) records a client in an idle callback that is queued when its
//! first message arrives. Its main loop may pick that very message before the callback, and `OpenSession` aborts the
//! daemon where its client is not recorded. So the first call is one that needs no client and that the same main loop
//! answers: a property. Once its answer is here, the callback comes before anything that we send after it. (A `Ping`
//! proves less, for a thread of its own answers it.)
//!
//! Sources: D-Bus Specification 0.43 ("Authentication Protocol"; the messages are in `wire.rs`), Secret Service API 0.2.

mod wire;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};
use zeroize::Zeroizing;

use wire::{LIMIT, METHOD_RETURN, Message, Object, Reader, SERIAL_AT, SIGNAL, Writer};

/// For everything. A healthy daemon takes 1 to 2 ms; one that needs longer has a reason that `keyring` can wait for.
const WAIT: Duration = Duration::from_millis(250);

/// The secret of the one unlocked item with these attributes; `None` where anything is not as expected.
pub(super) fn read(bus: &str, attributes: &[(&str, &str)]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bus = Connection::open(bus)?;
    let hello = BUS.call("Hello", "", Writer::default());
    let mut property = Writer::default();
    property.string(SERVICE.interface);
    property.string("Collections");
    let collections = PROPERTIES.call("Get", "ss", property);
    let [_, guard] = bus.exchange([hello, collections])?;
    guard.body("v")?;

    let mut session = Writer::default();
    session.string("plain");
    session.variant_of_nothing();
    let mut wanted = Writer::default();
    wanted.texts(attributes);
    let [session, found] = bus.exchange([
        SERVICE.call("OpenSession", "sv", session),
        SERVICE.call("SearchItems", "a{ss}", wanted),
    ])?;
    let session = session_path(session.body("vo")?)?;
    let item = the_only_item(found.body("aoao")?)?;

    let mut argument = Writer::default();
    argument.string(session);
    let get_secret = Object {
        path: item,
        interface: "org.freedesktop.Secret.Item",
        ..SERVICE
    };
    let [secret] = bus.exchange([get_secret.call("GetSecret", "o", argument)])?;
    secret_value(secret.body("(oayays)")?)
}

/// The process that has the service's name on this bus; asks the bus alone.
pub(super) fn process(bus: &str) -> Option<u32> {
    let mut bus = Connection::open(bus)?;
    let hello = BUS.call("Hello", "", Writer::default());
    let mut name = Writer::default();
    name.string(SERVICE.destination);
    let owner = BUS.call("GetConnectionUnixProcessID", "s", name);
    let [_, owner] = bus.exchange([hello, owner])?;
    Some(u32::from_le_bytes(owner.body("u")?.try_into().ok()?))
}

/// Reads the bytes as a message, and its body as each of the answers that [`read`] waits for. For the fuzzers, which no
/// bus stands before.
#[cfg(any(test, fuzzing))]
pub(super) fn read_anything(arrived: &[u8]) {
    let Some(Some(message)) = Message::parse(arrived) else {
        return;
    };
    assert!(message.len <= arrived.len() && message.body.len() <= LIMIT);
    let _ = (session_path(message.body), the_only_item(message.body));
    let secret = secret_value(message.body);
    assert!(secret.is_none_or(|secret| secret.len() <= message.body.len()));
}

/// `OpenSession`'s answer: the output of the algorithm, which plain has none of, and the session.
fn session_path(body: &[u8]) -> Option<&str> {
    let mut body = Reader::new(body);
    let nothing = match body.signature()? {
        "s" => body.string()?.is_empty(),
        // KWallet's.
        "ay" => body.array()?.is_empty(),
        _ => false,
    };
    nothing.then_some(())?;
    body.string()
}

/// `SearchItems`' answer: unlocked items, then locked ones.
fn the_only_item(body: &[u8]) -> Option<&str> {
    let mut body = Reader::new(body);
    let mut unlocked = Reader::new(body.array()?);
    let item = unlocked.string()?;
    (unlocked.rest().is_empty() && body.array()?.is_empty()).then_some(item)
}

/// `GetSecret`'s answer: session, parameters of the algorithm, value, content type.
fn secret_value(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut body = Reader::new(body);
    body.align(8)?;
    body.string()?;
    body.array()?.is_empty().then_some(())?;
    Some(Zeroizing::new(body.array()?.to_vec()))
}

const BUS: Object<'static> = Object {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
};
const SERVICE: Object<'static> = Object {
    destination: "org.freedesktop.secrets",
    path: "/org/freedesktop/secrets",
    interface: "org.freedesktop.Secret.Service",
};
const PROPERTIES: Object<'static> = Object {
    interface: "org.freedesktop.DBus.Properties",
    ..SERVICE
};

/// A connection to the session bus, all of whose waiting ends at the deadline.
struct Connection {
    socket: UnixStream,
    deadline: Instant,
    /// What came and was not parsed yet, in the first `filled` bytes; it may hold a secret.
    buffer: Zeroizing<Vec<u8>>,
    filled: usize,
    last_serial: u32,
    /// What goes out with the next exchange, so that it needs no wait of its own.
    greeting: &'static [u8],
}

/// The authentication in one go: by the socket's own credentials, under whatever identity they are.
const AUTHENTICATION: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

/// The answer to a call.
struct Reply {
    serial: u32,
    signature: String,
    body: Zeroizing<Vec<u8>>,
}

impl Reply {
    fn body(&self, signature: &str) -> Option<&[u8]> {
        (self.signature == signature).then_some(&*self.body)
    }
}

impl Connection {
    fn open(address: &str) -> Option<Self> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).ok()?;
        // Before it connects, for a bus whose queue is full would make that wait too (unix(7), SO_SNDTIMEO).
        socket.set_write_timeout(Some(WAIT)).ok()?;
        socket.connect(&socket_address(address)?).ok()?;
        Some(Self {
            socket: UnixStream::from(OwnedFd::from(socket)),
            deadline: Instant::now() + WAIT,
            buffer: Zeroizing::new(vec![0; LIMIT]),
            filled: 0,
            last_serial: 0,
            greeting: AUTHENTICATION,
        })
    }

    /// Sends the calls in one go and waits for all their answers, in the order of the calls.
    fn exchange<const N: usize>(&mut self, mut calls: [Vec<u8>; N]) -> Option<[Reply; N]> {
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
        let mut replies = Vec::with_capacity(N);
        while replies.len() < N {
            let reply = self.reply()?;
            (first..=self.last_serial)
                .contains(&reply.serial)
                .then_some(())?;
            replies.push(reply);
        }
        replies.sort_unstable_by_key(|reply| reply.serial);
        replies.try_into().ok()
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

    /// The next answer; signals that come before it are dropped. An error is nothing that we expect.
    fn reply(&mut self) -> Option<Reply> {
        loop {
            match Message::parse(&self.buffer[..self.filled])? {
                None => self.receive()?,
                Some(message) => {
                    let len = message.len;
                    let reply = match (message.kind, message.reply_serial) {
                        (METHOD_RETURN, Some(serial)) => Some(Reply {
                            serial,
                            signature: message.signature.to_owned(),
                            body: Zeroizing::new(message.body.to_vec()),
                        }),
                        (SIGNAL, _) => None,
                        _ => return None,
                    };
                    self.consume(len);
                    if reply.is_some() {
                        return reply;
                    }
                }
            }
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
    use proptest::prelude::*;

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

    #[test]
    fn a_bus_that_accepts_nobody_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bus");
        let stream = || Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let address = SockAddr::unix(&path).unwrap();
        let listener = stream();
        listener.bind(&address).unwrap();
        listener.listen(0).unwrap();
        let mut queue = Vec::new();
        loop {
            let waiting = stream();
            waiting.set_nonblocking(true).unwrap();
            if waiting.connect(&address).is_err() {
                break;
            }
            queue.push(waiting);
        }
        assert!(read(&format!("unix:path={}", path.display()), &[]).is_none());
    }

    fn paths(unlocked: &[&str], locked: &[&str]) -> Vec<u8> {
        let mut body = Writer::default();
        for list in [unlocked, locked] {
            body.array(4, |list_of| {
                list.iter().for_each(|path| list_of.string(path))
            });
        }
        body.0
    }

    #[test]
    fn only_a_single_unlocked_item_is_taken() {
        assert_eq!(the_only_item(&paths(&["/a"], &[])), Some("/a"));
        assert_eq!(the_only_item(&paths(&[], &[])), None);
        assert_eq!(the_only_item(&paths(&["/a", "/b"], &[])), None);
        assert_eq!(the_only_item(&paths(&["/a"], &["/b"])), None);
        assert_eq!(the_only_item(&paths(&[], &["/a"])), None);
    }

    #[test]
    fn a_session_has_no_output_however_that_is_spelled() {
        let answer = |output: fn(&mut Writer)| {
            let mut body = Writer::default();
            output(&mut body);
            body.string("/session");
            body.0
        };
        let text = answer(Writer::variant_of_nothing);
        assert_eq!(session_path(&text), Some("/session"));
        let bytes = answer(|body| {
            body.signature("ay");
            body.array(1, |_| {});
        });
        assert_eq!(session_path(&bytes), Some("/session"));
        let something = answer(|body| {
            body.signature("s");
            body.string("a key");
        });
        assert_eq!(session_path(&something), None);
    }

    #[test]
    fn only_an_answer_in_the_plain_is_a_secret() {
        let answer = |parameters: &[u8]| {
            let mut body = Writer::default();
            body.string("/session");
            body.array(1, |array| array.0.extend_from_slice(parameters));
            body.array(1, |array| array.0.extend_from_slice(b"secret"));
            body.string("text/plain");
            body.0
        };
        let secret = secret_value(&answer(b"")).unwrap();
        assert_eq!(*secret, b"secret");
        assert!(secret_value(&answer(b"iv")).is_none(), "it is encrypted");
        assert!(secret_value(&answer(b"")[..20]).is_none(), "it is cut off");
    }

    proptest! {
        #[test]
        fn bodies_of_any_kind_are_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (session_path(&bytes), the_only_item(&bytes), secret_value(&bytes));
            read_anything(&bytes);
        }
    }
}
