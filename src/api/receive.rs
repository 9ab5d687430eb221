//! An answer as it arrives: streamed to stdout, or held until it is understood.

use std::io;

use super::shape::{Answer, Meaning, read};
use crate::http::HttpError;
use crate::http::api::{ApiAnswer, Proof};
use crate::provider::Shape;
use crate::text::printable;

/// The most of an answer that is held; the largest reports of these APIs have some ten MiB.
const HELD: usize = 64 << 20;
/// Of an answer that is streamed, this much is remembered, to tell an error from data at its end: errors are short.
const REMEMBERED: usize = 64 << 10;
/// No header that is worth showing is longer.
const HEADER_SHOWN: usize = 4096;

/// Takes the next bytes for stdout, and answers whether it takes more: a closed one does not.
pub type Sink<'a> = &'a dyn Fn(&[u8]) -> io::Result<bool>;

/// What becomes of a body; by default it is held until it is understood.
#[derive(Default)]
pub struct Output {
    /// It goes to stdout as it arrives.
    pub stream: bool,
    /// But not that of a 401.
    pub hold_back_401: bool,
    /// The head goes before it.
    pub include: bool,
}

/// An answer that arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// Whether the body is on stdout already.
    pub streamed: bool,
    /// Whether `body` is all of it.
    pub whole: bool,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// The origin that it redirects to.
    pub redirect: Option<String>,
    /// It was not followed any further, though it stays on the origin.
    pub redirects_on: bool,
    content_type: String,
    challenge: String,
}

impl Received {
    pub fn meaning<'a>(&'a self, envelope: Shape, proof: &'a Proof) -> Meaning<'a> {
        let answer = Answer {
            status: self.status,
            content_type: &self.content_type,
            challenge: &self.challenge,
            body: &self.body,
            proof,
        };
        read(envelope, answer)
    }
}

/// Why an answer did not arrive whole, or could not be passed on.
pub enum Failure {
    Http(HttpError),
    /// Stdout can't be written.
    Stdout(io::Error),
    /// It is larger than what is held.
    TooLarge {
        /// The most that is held, in bytes.
        cap: usize,
    },
}

/// Reads the body of an answer.
///
/// # Errors
/// See [`Failure`].
pub async fn receive(
    sink: Sink<'_>,
    mut answer: ApiAnswer,
    how: &Output,
) -> Result<Received, Failure> {
    let stream = how.stream && !(answer.status == 401 && how.hold_back_401);
    let mut received = Received {
        status: answer.status,
        head: answer.head(),
        streamed: stream,
        whole: true,
        body: Vec::new(),
        redirect: answer
            .redirect
            .as_ref()
            .map(|url| printable(&url.origin().ascii_serialization(), 256)),
        redirects_on: answer.redirects_on,
        content_type: answer.content_type.clone(),
        challenge: answer.challenge.clone(),
    };
    let mut open = true;
    if stream && how.include {
        open = write(sink, shown_head(&received.head).as_bytes())?;
    }
    // Whoever closed stdout has seen enough.
    while open && let Some(chunk) = answer.chunk().await.map_err(Failure::Http)? {
        if stream {
            open = write(sink, &chunk)?;
            let room = REMEMBERED - received.body.len();
            received.whole &= chunk.len() <= room;
            received
                .body
                .extend_from_slice(&chunk[..chunk.len().min(room)]);
        } else if received.body.len() + chunk.len() > HELD {
            return Err(Failure::TooLarge { cap: HELD });
        } else {
            received.body.extend_from_slice(&chunk);
        }
    }
    received.whole &= open;
    Ok(received)
}

/// Writes an answer that was held back after all.
///
/// # Errors
/// Stdout can't be written.
pub fn write_raw(sink: Sink<'_>, include: bool, received: &Received) -> io::Result<()> {
    if !include || sink(shown_head(&received.head).as_bytes())? {
        sink(&received.body)?;
    }
    Ok(())
}

/// The head as it is shown: harmless for a terminal, an empty line at its end.
pub fn shown_head(head: &str) -> String {
    let lines = head.lines().map(|line| printable(line, HEADER_SHOWN));
    lines.map(|line| line + "\n").collect::<String>() + "\n"
}

fn write(sink: Sink<'_>, bytes: &[u8]) -> Result<bool, Failure> {
    sink(bytes).map_err(Failure::Stdout)
}
