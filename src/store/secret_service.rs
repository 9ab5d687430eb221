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
//! Sources: D-Bus Specification 0.43 ("Message Protocol", "Authentication Protocol"), Secret Service API 0.2.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

/// For everything. A healthy daemon takes 1 to 2 ms; one that needs longer has a reason that `keyring` can wait for.
const WAIT: Duration = Duration::from_millis(250);

/// Of one message and what arrived with it: more than any credential, and a bound for what a stranger can make us hold.
const LIMIT: usize = 32 << 10;

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

/// `OpenSession`'s answer: the output of the algorithm, which plain has none of, and the session.
fn session_path(body: &[u8]) -> Option<&str> {
    let mut body = Reader::new(body);
    (body.signature()? == "s" && body.string()?.is_empty()).then_some(())?;
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

/// What a call goes to.
#[derive(Clone, Copy)]
struct Object<'a> {
    destination: &'a str,
    path: &'a str,
    interface: &'a str,
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

/// Message types.
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const SIGNAL: u8 = 4;
/// Of the header: starting the service is `keyring`'s part.
const NO_AUTO_START: u8 = 2;
const PROTOCOL_VERSION: u8 = 1;
/// Header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;
/// Of the fixed part of a header, with the length of its fields.
const HEAD: usize = 16;

impl Object<'_> {
    /// A call without its serial, which [`Connection::exchange`] gives it.
    fn call(self, member: &str, signature: &str, body: Writer) -> Vec<u8> {
        let mut message = Writer(vec![b'l', METHOD_CALL, NO_AUTO_START, PROTOCOL_VERSION]);
        message.length(body.0.len());
        message.length(0);
        message.array(8, |fields| {
            fields.field(PATH, "o", self.path);
            fields.field(INTERFACE, "s", self.interface);
            fields.field(MEMBER, "s", member);
            fields.field(DESTINATION, "s", self.destination);
            if !signature.is_empty() {
                fields.field(SIGNATURE, "g", signature);
            }
        });
        message.align(8);
        message.0.extend_from_slice(&body.0);
        message.0
    }
}

/// Where the serial stands in a message.
const SERIAL_AT: std::ops::Range<usize> = 8..12;

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
        let socket = UnixStream::connect_addr(&socket_address(address)?).ok()?;
        socket.set_write_timeout(Some(WAIT)).ok()?;
        Some(Self {
            socket,
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
        replies.sort_by_key(|reply| reply.serial);
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
fn socket_address(addresses: &str) -> Option<SocketAddr> {
    let first = addresses.split(';').next()?;
    let mut keys = first.strip_prefix("unix:")?.split(',');
    // An escaped character is rare enough to leave it to others.
    let plain = |value: &&str| !value.contains('%');
    keys.find_map(|key| {
        if let Some(path) = key.strip_prefix("path=").filter(plain) {
            SocketAddr::from_pathname(path).ok()
        } else {
            let name = key.strip_prefix("abstract=").filter(plain)?;
            SocketAddr::from_abstract_name(name).ok()
        }
    })
}

/// A message that arrived, as far as it matters here.
#[derive(Debug)]
struct Message<'a> {
    kind: u8,
    reply_serial: Option<u32>,
    signature: &'a str,
    body: &'a [u8],
    /// Of all of it.
    len: usize,
}

impl<'a> Message<'a> {
    /// `None`: this is not our protocol, or too long. `Some(None)`: it is not all here yet.
    fn parse(arrived: &'a [u8]) -> Option<Option<Self>> {
        let Some(head) = arrived.get(..HEAD) else {
            return Some(None);
        };
        let kind = head[1];
        (head[0] == b'l' && head[3] == PROTOCOL_VERSION).then_some(())?;
        let mut lengths = Reader {
            bytes: head,
            at: HEAD - 4,
        };
        let fields_len = lengths.length()?;
        lengths.at = 4;
        let body_len = lengths.length()?;
        (fields_len <= LIMIT && body_len <= LIMIT).then_some(())?;
        let body_at = (HEAD + fields_len).next_multiple_of(8);
        let len = body_at + body_len;
        (len <= LIMIT).then_some(())?;
        let Some(bytes) = arrived.get(..len) else {
            return Some(None);
        };
        let mut message = Self {
            kind,
            reply_serial: None,
            signature: "",
            body: &bytes[body_at..],
            len,
        };
        let mut fields = Reader {
            bytes: &bytes[..HEAD + fields_len],
            at: HEAD,
        };
        while !fields.rest().is_empty() {
            message.take_field(&mut fields)?;
        }
        Some(Some(message))
    }

    fn take_field(&mut self, fields: &mut Reader<'a>) -> Option<()> {
        fields.align(8)?;
        let code = fields.take(1)?[0];
        match fields.signature()? {
            "u" => {
                let value = fields.number()?;
                if code == REPLY_SERIAL {
                    self.reply_serial = Some(value);
                }
            }
            "s" | "o" => drop(fields.string()?),
            "g" => {
                let value = fields.signature()?;
                if code == SIGNATURE {
                    self.signature = value;
                }
            }
            _ => return None,
        }
        Some(())
    }
}

/// Values in the order in which they lie in a message; `at` counts from an aligned place.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..len)?;
        self.at += len;
        Some(taken)
    }

    fn align(&mut self, to: usize) -> Option<()> {
        let padding = self.at.next_multiple_of(to) - self.at;
        self.take(padding).map(drop)
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn length(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    fn string(&mut self) -> Option<&'a str> {
        let len = self.length()?;
        self.text(len)
    }

    fn signature(&mut self) -> Option<&'a str> {
        let len = self.take(1)?[0];
        self.text(len.into())
    }

    fn text(&mut self, len: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.take(len)?).ok()?;
        (self.take(1)? == [0]).then_some(text)
    }

    /// The bytes of an array whose elements are aligned to 4 or less.
    fn array(&mut self) -> Option<&'a [u8]> {
        let len = self.length()?;
        self.take(len)
    }
}

/// The reverse of [`Reader`]; what is written here is short.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn length(&mut self, length: usize) {
        self.align(4);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    fn field(&mut self, code: u8, signature: &str, value: &str) {
        self.align(8);
        self.0.push(code);
        self.signature(signature);
        match signature {
            "g" => self.signature(value),
            _ => self.string(value),
        }
    }

    fn variant_of_nothing(&mut self) {
        self.signature("s");
        self.string("");
    }

    /// `a{ss}`.
    fn texts(&mut self, texts: &[(&str, &str)]) {
        self.array(8, |entries| {
            for (key, value) in texts {
                entries.align(8);
                entries.string(key);
                entries.string(value);
            }
        });
    }

    /// Its length does not count the padding before the first element.
    fn array(&mut self, align: usize, fill: impl FnOnce(&mut Self)) {
        self.length(0);
        let length_at = self.0.len() - 4;
        self.align(align);
        let start = self.0.len();
        fill(self);
        let length = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX);
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }
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

    /// The words of the specification's own layout, byte by byte.
    #[test]
    fn a_call_is_laid_out_as_specified() {
        let mut body = Writer::default();
        body.string("x");
        let call = Object {
            destination: "d.e",
            path: "/",
            interface: "i.f",
        }
        .call("M", "s", body);
        let expected: &[&[u8]] = &[
            b"l\x01\x02\x01\x06\0\0\0\0\0\0\0\x49\0\0\0",
            b"\x01\x01o\0\x01\0\0\0/\0\0\0\0\0\0\0",
            b"\x02\x01s\0\x03\0\0\0i.f\0\0\0\0\0",
            b"\x03\x01s\0\x01\0\0\0M\0\0\0\0\0\0\0",
            b"\x06\x01s\0\x03\0\0\0d.e\0\0\0\0\0",
            b"\x08\x01g\0\x01s\0\0",
            b"\x01\0\0\0x\0",
        ];
        let mut expected = expected.concat();
        let fields_len = u8::try_from(16 * 4 + 7).unwrap();
        expected[12] = fields_len;
        assert_eq!(call, expected);
    }

    /// A message as the bus hands it on.
    fn arriving(kind: u8, serial: u32, signature: &str, body: &[u8]) -> Vec<u8> {
        let mut message = Writer(vec![b'l', kind, 1, 1]);
        message.length(body.len());
        message.length(7);
        message.array(8, |fields| {
            fields.align(8);
            fields.0.push(REPLY_SERIAL);
            fields.signature("u");
            fields.length(serial.try_into().unwrap());
            fields.field(SIGNATURE, "g", signature);
            fields.field(7, "s", ":1.2");
        });
        message.align(8);
        message.0.extend_from_slice(body);
        message.0
    }

    proptest! {
        #[test]
        fn a_message_is_read_as_soon_as_it_is_whole(
            body in proptest::collection::vec(any::<u8>(), 0..100),
            cut: proptest::sample::Index,
        ) {
            let whole = arriving(METHOD_RETURN, 5, "ay", &body);
            let part = &whole[..cut.index(whole.len())];
            prop_assert!(Message::parse(part).unwrap().is_none());
            let more = [whole.as_slice(), b"next"].concat();
            let message = Message::parse(&more).unwrap().unwrap();
            prop_assert_eq!(message.len, whole.len());
            prop_assert_eq!(message.reply_serial, Some(5));
            prop_assert_eq!(message.signature, "ay");
            prop_assert_eq!(message.body, &body);
        }

        #[test]
        fn damaged_messages_are_never_a_panic(
            body in proptest::collection::vec(any::<u8>(), 0..60),
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut bytes = arriving(METHOD_RETURN, 5, "aoao", &body);
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(Some(message)) = Message::parse(&bytes) {
                prop_assert!(message.len <= bytes.len());
                let _ = (session_path(message.body), the_only_item(message.body), secret_value(message.body));
            }
        }

        #[test]
        fn bytes_of_any_kind_are_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::parse(&bytes);
            let _ = (session_path(&bytes), the_only_item(&bytes), secret_value(&bytes));
        }
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
}
