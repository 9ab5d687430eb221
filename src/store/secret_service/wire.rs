//! D-Bus messages as bytes: calls are written, whatever arrives is read, and nothing here waits for anything.
//!
//! Source: D-Bus Specification 0.43, "Message Protocol". Little-endian only, which is what every bus of such a machine
//! speaks; a message of the other kind is none of ours.

/// Of one message and what arrived with it: more than any credential, and a bound for what a stranger can make us hold.
pub(super) const LIMIT: usize = 32 << 10;

/// What a call goes to.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
}

const METHOD_CALL: u8 = 1;
pub(super) const METHOD_RETURN: u8 = 2;
pub(super) const SIGNAL: u8 = 4;
/// Of the header: starting the service is `keyring`'s part.
const NO_AUTO_START: u8 = 2;
const PROTOCOL_VERSION: u8 = 1;
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;
/// Of the fixed part of a header, with the length of its fields.
const HEAD: usize = 16;

impl Object<'_> {
    /// A call without its serial, which the connection gives it.
    pub(super) fn call(self, member: &str, signature: &str, body: Writer) -> Vec<u8> {
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
pub(super) const SERIAL_AT: std::ops::Range<usize> = 8..12;

/// A message that arrived, as far as it matters here.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) reply_serial: Option<u32>,
    pub(super) path: &'a str,
    pub(super) member: &'a str,
    pub(super) signature: &'a str,
    pub(super) body: &'a [u8],
    /// Of all of it.
    pub(super) len: usize,
}

impl<'a> Message<'a> {
    /// `None`: this is not our protocol, or too long. `Some(None)`: it is not all here yet.
    pub(super) fn parse(arrived: &'a [u8]) -> Option<Option<Self>> {
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
            path: "",
            member: "",
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
            "s" | "o" => {
                let value = fields.string()?;
                match code {
                    PATH => self.path = value,
                    MEMBER => self.member = value,
                    _ => {}
                }
            }
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
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..len)?;
        self.at += len;
        Some(taken)
    }

    pub(super) fn align(&mut self, to: usize) -> Option<()> {
        let padding = self.at.next_multiple_of(to) - self.at;
        self.take(padding).map(drop)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn length(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    pub(super) fn string(&mut self) -> Option<&'a str> {
        let len = self.length()?;
        self.text(len)
    }

    pub(super) fn signature(&mut self) -> Option<&'a str> {
        let len = self.take(1)?[0];
        self.text(len.into())
    }

    pub(super) fn text(&mut self, len: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.take(len)?).ok()?;
        (self.take(1)? == [0]).then_some(text)
    }

    /// The bytes of an array whose elements are aligned to 4 or less.
    pub(super) fn array(&mut self) -> Option<&'a [u8]> {
        let len = self.length()?;
        self.take(len)
    }

    /// An array of strings or paths.
    pub(super) fn strings(&mut self) -> Option<Vec<&'a str>> {
        let mut elements = Reader::new(self.array()?);
        let mut strings = Vec::new();
        while !elements.rest().is_empty() {
            strings.push(elements.string()?);
        }
        Some(strings)
    }

    /// A dictionary of strings. Its entries are aligned to 8, and so may be read by themselves.
    pub(super) fn texts(&mut self) -> Option<Vec<(&'a str, &'a str)>> {
        let len = self.length()?;
        self.align(8)?;
        let mut entries = Reader::new(self.take(len)?);
        let mut texts = Vec::new();
        while !entries.rest().is_empty() {
            entries.align(8)?;
            texts.push((entries.string()?, entries.string()?));
        }
        Some(texts)
    }
}

/// The reverse of [`Reader`]; what is written here is short.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub(super) fn length(&mut self, length: usize) {
        self.align(4);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
    }

    pub(super) fn string(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    pub(super) fn signature(&mut self, text: &str) {
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

    /// A variant of a string.
    pub(super) fn variant(&mut self, text: &str) {
        self.signature("s");
        self.string(text);
    }

    /// The service's structure of a secret in a plain session.
    pub(super) fn secret(&mut self, session: &str, value: &[u8], content_type: &str) {
        self.align(8);
        self.string(session);
        self.array(1, |_no_parameters| {});
        self.array(1, |bytes| bytes.0.extend_from_slice(value));
        self.string(content_type);
    }

    pub(super) fn texts(&mut self, texts: &[(&str, &str)]) {
        self.array(8, |entries| {
            for (key, value) in texts {
                entries.align(8);
                entries.string(key);
                entries.string(value);
            }
        });
    }

    /// Its length does not count the padding before the first element.
    pub(super) fn array(&mut self, align: usize, fill: impl FnOnce(&mut Self)) {
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
            }
        }

        #[test]
        fn bytes_of_any_kind_are_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::parse(&bytes);
        }
    }
}
