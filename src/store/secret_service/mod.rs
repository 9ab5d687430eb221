//! The Secret Service by a small D-Bus client of its own, over a plain session.
//!
//! The `keyring` crate agrees on a key with the daemon for every command, which is nine tenths of its time; here the secret
//! crosses the user's own bus in plain text, as the service's specification allows. And gnome-keyring 42.1 was seen to
//! abort where a client was killed while that key was agreed on (rarely: 70,000 kills did not bring it again). Whatever is not exactly as
//! expected (no such bus, another transport, several hits, any error, a wait) is answered with `None`, and the caller asks
//! `keyring`, which knows what to make of it.
//!
//! # Order
//! gnome-keyring (42.1, and later ones by their source) records a client in an idle callback that is queued when its
//! first message arrives. Its main loop may pick that very message before the callback, and `OpenSession` aborts the
//! daemon where its client is not recorded. So the first call is one that needs no client and that the same main loop
//! answers: a property. Once its answer is here, the callback comes before anything that we send after it. (A `Ping`
//! proves less, for a thread of its own answers it.)
//!
//! Sources: D-Bus Specification 0.43 (the messages are in `wire.rs`, the bus in `connection.rs`), Secret Service API 0.2.

mod connection;
mod wire;

use std::time::Duration;

use zeroize::Zeroizing;

use connection::{BUS, Connection, End, PROPERTIES, SERVICE};
#[cfg(any(test, fuzzing))]
use wire::{LIMIT, Message};
use wire::{Object, Reader, Writer};

/// For a read. A healthy daemon takes 1 to 2 ms; one that needs longer has a reason that `keyring` can wait for.
const WAIT: Duration = Duration::from_millis(250);

/// For what changes something, and so waits for the daemon's disk: the caller's own deadline. A write that was given up
/// sooner would be begun a second time.
const PATIENCE: Duration = Duration::from_secs(3);

/// What an item is found by.
pub(super) type Attributes<'a> = [(&'a str, &'a str)];

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome<T> {
    Done(T),
    /// What it needs is locked.
    Locked,
    /// The service asked its person, who would not.
    Dismissed,
}

/// How the service may ask its person.
pub(super) struct Asking<'a> {
    /// For how long a prompt is waited for.
    pub(super) wait: Duration,
    /// Told when a prompt is about to be shown.
    pub(super) begins: &'a dyn Fn(),
}

/// The secret of the one item with these attributes; `None` in it where there is no such item.
pub(super) fn read(
    bus: &str,
    attributes: &Attributes<'_>,
) -> Option<Outcome<Option<Zeroizing<Vec<u8>>>>> {
    let mut bus = greeted(bus, WAIT)?;
    let [session, found] = bus.exchange([open_session(), search(attributes)])?;
    let session = session_path(session.body("vo")?)?;
    let Outcome::Done(hit) = the_item(found.body("aoao")?)? else {
        return Some(Outcome::Locked);
    };
    let Some(item) = hit else {
        return Some(Outcome::Done(None));
    };
    let mut argument = Writer::default();
    argument.string(session);
    let [secret] = bus.exchange([at_item(item).call("GetSecret", "o", argument)])?;
    Some(Outcome::Done(Some(secret_value(secret.body("(oayays)")?)?)))
}

/// Writes the secret of the one item with these attributes; where there is none, makes it in the default collection.
pub(super) fn write(
    bus: &str,
    label: &str,
    attributes: &Attributes<'_>,
    secret: &[u8],
    asking: Option<&Asking<'_>>,
) -> Option<Outcome<()>> {
    let mut bus = greeted(bus, PATIENCE)?;
    let [session, found, alias] =
        bus.exchange([open_session(), search(attributes), default_collection()])?;
    let session = session_path(session.body("vo")?)?;
    let mut call = Writer::default();
    let Outcome::Done(hit) = the_item(found.body("aoao")?)? else {
        return Some(Outcome::Locked);
    };
    if let Some(item) = hit {
        call.secret(session, secret, CONTENT_TYPE);
        let [set] = bus.exchange([at_item(item).call("SetSecret", "(oayays)", call)])?;
        return set.body("").map(|_| Outcome::Done(()));
    }
    let collection = collection_path(alias.body("o")?)?;
    let [locked] = bus.exchange([property(collection, COLLECTION, "Locked")])?;
    if is_true(locked.body("v")?)? {
        return Some(Outcome::Locked);
    }
    call.array(8, |properties| {
        properties.align(8);
        properties.string("org.freedesktop.Secret.Item.Label");
        properties.variant(label);
        properties.align(8);
        properties.string("org.freedesktop.Secret.Item.Attributes");
        properties.signature("a{ss}");
        properties.texts(attributes);
    });
    call.secret(session, secret, CONTENT_TYPE);
    // Replacing whatever has the same attributes by now.
    call.length(1);
    let collection = Object {
        path: collection,
        interface: COLLECTION,
        ..SERVICE
    };
    let [made] = bus.exchange([collection.call("CreateItem", "a{sv}(oayays)b", call)])?;
    let prompt = after_an_item(made.body("oo")?)?.to_owned();
    confirmed(&mut bus, &prompt, asking, ())
}

/// Deletes the one item with these attributes; says whether there was one.
pub(super) fn remove(
    bus: &str,
    attributes: &Attributes<'_>,
    asking: Option<&Asking<'_>>,
) -> Option<Outcome<bool>> {
    let mut bus = greeted(bus, PATIENCE)?;
    let [found] = bus.exchange([search(attributes)])?;
    let Outcome::Done(hit) = the_item(found.body("aoao")?)? else {
        return Some(Outcome::Locked);
    };
    let Some(item) = hit else {
        return Some(Outcome::Done(false));
    };
    let [deleted] = bus.exchange([at_item(item).call("Delete", "", Writer::default())])?;
    let prompt = path(deleted.body("o")?)?.to_owned();
    confirmed(&mut bus, &prompt, asking, true)
}

/// The value of one attribute of every item that has `attributes`.
pub(super) fn list(
    bus: &str,
    attributes: &Attributes<'_>,
    wanted: &str,
) -> Option<Outcome<Vec<String>>> {
    let mut bus = greeted(bus, PATIENCE)?;
    let [found] = bus.exchange([search(attributes)])?;
    let (unlocked, locked) = hits(found.body("aoao")?)?;
    if !locked.is_empty() {
        return Some(Outcome::Locked);
    }
    let calls = unlocked
        .iter()
        .map(|item| property(item, ITEM, "Attributes"));
    let mut values = Vec::new();
    for item in bus.exchange_all(calls.collect())? {
        let attributes = texts_of(item.body("v")?)?;
        let value = attributes.iter().find(|(name, _)| *name == wanted);
        values.extend(value.map(|(_, value)| (*value).to_owned()));
    }
    Some(Outcome::Done(values))
}

/// Unlocks the items with these attributes; where there are none, the default collection.
pub(super) fn unlock(
    bus: &str,
    attributes: &Attributes<'_>,
    asking: Option<&Asking<'_>>,
) -> Option<Outcome<()>> {
    let mut bus = greeted(bus, WAIT)?;
    let [found, alias] = bus.exchange([search(attributes), default_collection()])?;
    let (unlocked, mut locked) = hits(found.body("aoao")?)?;
    match (unlocked.is_empty(), locked.is_empty()) {
        (_, false) => {}
        (false, true) => return Some(Outcome::Done(())),
        (true, true) => locked.push(collection_path(alias.body("o")?)?),
    }
    let mut argument = Writer::default();
    argument.array(4, |objects| {
        locked.iter().for_each(|path| objects.string(path));
    });
    let [unlocking] = bus.exchange([SERVICE.call("Unlock", "ao", argument)])?;
    let prompt = after_a_list(unlocking.body("aoo")?)?.to_owned();
    confirmed(&mut bus, &prompt, asking, ())
}

/// The process that has the service's name on this bus; asks the bus alone.
pub(super) fn process(bus: &str) -> Option<u32> {
    let mut bus = Connection::open(bus, WAIT)?;
    let hello = BUS.call("Hello", "", Writer::default());
    let mut name = Writer::default();
    name.string(SERVICE.destination);
    let owner = BUS.call("GetConnectionUnixProcessID", "s", name);
    let [_, owner] = bus.exchange([hello, owner])?;
    Some(u32::from_le_bytes(owner.body("u")?.try_into().ok()?))
}

/// A connection whose client the service has recorded: see the module's words on the order.
fn greeted(bus: &str, wait: Duration) -> Option<Connection> {
    let mut bus = Connection::open(bus, wait)?;
    let hello = BUS.call("Hello", "", Writer::default());
    let collections = property(SERVICE.path, SERVICE.interface, "Collections");
    let [_, guard] = bus.exchange([hello, collections])?;
    guard.body("v")?;
    Some(bus)
}

/// What a prompt makes of a call that brings `done`; a prompt that isn't needed has the path `/`.
fn confirmed<T>(
    bus: &mut Connection,
    prompt: &str,
    asking: Option<&Asking<'_>>,
    done: T,
) -> Option<Outcome<T>> {
    if prompt == "/" {
        return Some(Outcome::Done(done));
    }
    let Some(asking) = asking else {
        return Some(Outcome::Locked);
    };
    (asking.begins)();
    Some(match bus.prompt(prompt, asking.wait)? {
        End::Answered => Outcome::Done(done),
        End::Dismissed => Outcome::Dismissed,
    })
}

const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
/// What the `keyring` crate says of its secrets.
const CONTENT_TYPE: &str = "application/octet-stream";

fn open_session() -> Vec<u8> {
    let mut algorithm = Writer::default();
    algorithm.string("plain");
    algorithm.variant("");
    SERVICE.call("OpenSession", "sv", algorithm)
}

fn search(attributes: &Attributes<'_>) -> Vec<u8> {
    let mut wanted = Writer::default();
    wanted.texts(attributes);
    SERVICE.call("SearchItems", "a{ss}", wanted)
}

fn default_collection() -> Vec<u8> {
    let mut alias = Writer::default();
    alias.string("default");
    SERVICE.call("ReadAlias", "s", alias)
}

fn property(path: &str, interface: &str, name: &str) -> Vec<u8> {
    let mut property = Writer::default();
    property.string(interface);
    property.string(name);
    Object { path, ..PROPERTIES }.call("Get", "ss", property)
}

fn at_item(path: &str) -> Object<'_> {
    Object {
        path,
        interface: ITEM,
        ..SERVICE
    }
}

/// Reads the bytes as a message, and its body as each of the answers that are waited for here. For the fuzzers, which no
/// bus stands before.
#[cfg(any(test, fuzzing))]
pub(super) fn read_anything(arrived: &[u8]) {
    let Some(Some(message)) = Message::parse(arrived) else {
        return;
    };
    assert!(message.len <= arrived.len() && message.body.len() <= LIMIT);
    read_any_body(message.body);
}

#[cfg(any(test, fuzzing))]
fn read_any_body(body: &[u8]) {
    let _ = (session_path(body), the_item(body), collection_path(body));
    let _ = (after_an_item(body), after_a_list(body), is_true(body));
    let _ = (texts_of(body), connection::end_told(body));
    let secret = secret_value(body);
    assert!(secret.is_none_or(|secret| secret.len() <= body.len()));
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
fn hits(body: &[u8]) -> Option<(Vec<&str>, Vec<&str>)> {
    let mut body = Reader::new(body);
    Some((body.strings()?, body.strings()?))
}

/// What a search for one item brought, if anything.
fn the_item(body: &[u8]) -> Option<Outcome<Option<&str>>> {
    let (unlocked, locked) = hits(body)?;
    match (unlocked.as_slice(), locked.as_slice()) {
        ([], []) => Some(Outcome::Done(None)),
        ([item], []) => Some(Outcome::Done(Some(item))),
        ([], [_]) => Some(Outcome::Locked),
        _ => None,
    }
}

fn path(body: &[u8]) -> Option<&str> {
    Reader::new(body).string()
}

/// `ReadAlias`' answer; `/` is no collection.
fn collection_path(body: &[u8]) -> Option<&str> {
    path(body).filter(|path| *path != "/")
}

/// `CreateItem`'s answer: the item, then the prompt.
fn after_an_item(body: &[u8]) -> Option<&str> {
    let mut body = Reader::new(body);
    body.string()?;
    body.string()
}

/// `Unlock`'s answer: what is unlocked, then the prompt.
fn after_a_list(body: &[u8]) -> Option<&str> {
    let mut body = Reader::new(body);
    body.strings()?;
    body.string()
}

/// A property that is a boolean.
fn is_true(body: &[u8]) -> Option<bool> {
    let mut body = Reader::new(body);
    (body.signature()? == "b").then_some(())?;
    Some(body.number()? != 0)
}

/// A property that is a dictionary of strings.
fn texts_of(body: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut body = Reader::new(body);
    (body.signature()? == "a{ss}").then_some(())?;
    body.texts()
}

/// `GetSecret`'s answer: session, parameters of the algorithm, value, content type.
fn secret_value(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut body = Reader::new(body);
    body.align(8)?;
    body.string()?;
    body.array()?.is_empty().then_some(())?;
    Some(Zeroizing::new(body.array()?.to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use socket2::{Domain, SockAddr, Socket, Type};

    use super::*;

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
    fn only_a_single_item_is_taken() {
        assert_eq!(
            the_item(&paths(&["/a"], &[])),
            Some(Outcome::Done(Some("/a")))
        );
        assert_eq!(the_item(&paths(&[], &[])), Some(Outcome::Done(None)));
        assert_eq!(the_item(&paths(&["/a", "/b"], &[])), None);
        assert_eq!(the_item(&paths(&["/a"], &["/b"])), None);
        assert_eq!(the_item(&paths(&[], &["/a"])), Some(Outcome::Locked));
        assert_eq!(the_item(&paths(&[], &["/a", "/b"])), None);
    }

    #[test]
    fn a_session_has_no_output_however_that_is_spelled() {
        let answer = |output: fn(&mut Writer)| {
            let mut body = Writer::default();
            output(&mut body);
            body.string("/session");
            body.0
        };
        let text = answer(|body| body.variant(""));
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
            read_any_body(&bytes);
            read_anything(&bytes);
        }
    }
}
