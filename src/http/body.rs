//! The body of an answer as it arrives, unpacked where it came in gzip: the one coding that every server has, and that some
//! send to whoever asked for none.

use std::io::{self, Cursor, Read, Write};
use std::mem::take;

use flate2::write::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use url::Url;

use super::error::{HttpError, host_of};
use super::reply::header;

/// Bytes that are unpacked at once. Deflate makes a thousandfold of them at most, so that no piece is larger than 1 MiB.
const STEP: u64 = 1 << 10;

pub(super) struct Body {
    pub response: Response,
    packed: Option<Packed>,
}

impl Body {
    /// Takes the headers off that speak of the packed bytes, where those are unpacked.
    pub fn of(mut response: Response) -> Self {
        let headers = response.headers_mut();
        let packed = is_gzip(headers).then(Packed::default);
        if packed.is_some() {
            headers.remove(CONTENT_ENCODING);
            headers.remove(CONTENT_LENGTH);
        }
        Self { response, packed }
    }

    /// The next piece; `None` at its end.
    ///
    /// # Errors
    /// The line broke, or it can't be unpacked.
    pub async fn chunk(&mut self, url: &Url) -> Result<Option<Vec<u8>>, HttpError> {
        let damaged = |error: io::Error| HttpError::Broken {
            host: host_of(url),
            reason: format!("its answer can't be unpacked ({error})"),
        };
        loop {
            let ready = self.packed.as_mut().map(Packed::next);
            if let Some(piece) = ready.transpose().map_err(damaged)?.flatten() {
                return Ok(Some(piece));
            }
            let chunk = self.response.chunk().await;
            let chunk = chunk.map_err(|error| HttpError::of(&error, url))?;
            match (chunk, &mut self.packed) {
                (Some(chunk), Some(packed)) => packed.arrived = Cursor::new(chunk.to_vec()),
                (None, Some(packed)) => {
                    let last = packed.end().map_err(damaged)?;
                    self.packed = None;
                    return Ok(Some(last).filter(|last| !last.is_empty()));
                }
                (chunk, None) => return Ok(chunk.map(|chunk| chunk.to_vec())),
            }
        }
    }
}

/// RFC 9110 §8.4.1: the names are the same in any case, and `x-gzip` is the old one.
fn is_gzip(headers: &HeaderMap) -> bool {
    let coding = header(headers, CONTENT_ENCODING).trim();
    ["gzip", "x-gzip"]
        .iter()
        .any(|gzip| coding.eq_ignore_ascii_case(gzip))
}

/// RFC 1952: several members one behind the other are one file.
struct Packed {
    decoder: MultiGzDecoder<Vec<u8>>,
    /// The last that arrived, up to where it is unpacked.
    arrived: Cursor<Vec<u8>>,
    begun: bool,
}

impl Default for Packed {
    fn default() -> Self {
        Self {
            decoder: MultiGzDecoder::new(Vec::new()),
            arrived: Cursor::default(),
            begun: false,
        }
    }
}

impl Packed {
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let mut step = (&mut self.arrived).take(STEP);
            if io::copy(&mut step, &mut self.decoder)? == 0 {
                return Ok(None);
            }
            self.decoder.flush()?;
            self.begun = true;
            let piece = take(self.decoder.get_mut());
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    /// What is left when everything has arrived: nothing at all is the answer to a HEAD, or a 204.
    fn end(&mut self) -> io::Result<Vec<u8>> {
        if self.begun {
            self.decoder.try_finish()?;
        }
        Ok(take(self.decoder.get_mut()))
    }
}
