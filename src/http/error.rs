//! Why no answer came: each cause in its own words, found in the chain of errors below reqwest's.

use std::error::Error as StdError;
use std::io;

use url::Url;

/// A request that got no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The host's name has no address.
    #[error("the name {host} could not be resolved (DNS)")]
    Dns {
        /// The host.
        host: String,
    },
    /// Nobody listens there.
    #[error("{host} refused the connection")]
    Refused {
        /// Host and port.
        host: String,
    },
    /// No answer in time.
    #[error("{host} did not answer in time")]
    TimedOut {
        /// Host and port.
        host: String,
    },
    /// The certificate is not trusted, or no common TLS version.
    #[error("the TLS connection to {host} failed: {reason}")]
    Tls {
        /// The host.
        host: String,
        /// In the words of the verifier.
        reason: String,
    },
    /// The answer is larger than any honest one.
    #[error("{host} sent more than {cap} bytes")]
    BodyTooLarge {
        /// The host.
        host: String,
        /// The cap, in bytes.
        cap: usize,
    },
    /// The line broke, or what came was no HTTP.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// Host and port.
        host: String,
        /// The innermost cause.
        reason: String,
    },
    /// The client could not be set up (a proxy or CA variable that cannot be read).
    #[error("the HTTP client could not be set up: {reason}")]
    Setup {
        /// Why.
        reason: String,
    },
}

/// Host and, where it isn't the scheme's own, port.
pub fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl HttpError {
    /// What lies behind reqwest's error for a request to `url`. The texts name the host, never path or query.
    pub fn of(error: &reqwest::Error, url: &Url) -> Self {
        let host = host_of(url);
        let causes = causes(error);
        if let Some(reason) = causes.iter().find_map(|cause| tls_reason(*cause)) {
            return Self::Tls { host, reason };
        }
        if error.is_timeout() {
            return Self::TimedOut { host };
        }
        let io_kind = causes
            .iter()
            .find_map(|cause| cause.downcast_ref::<io::Error>())
            .map(io::Error::kind);
        match io_kind {
            Some(io::ErrorKind::ConnectionRefused) => return Self::Refused { host },
            Some(io::ErrorKind::TimedOut) => return Self::TimedOut { host },
            _ => {}
        }
        // hyper's connector has no type for it, only this text.
        if causes
            .iter()
            .any(|cause| cause.to_string().starts_with("dns error"))
        {
            return Self::Dns { host };
        }
        let reason = causes
            .last()
            .map_or_else(|| error.to_string(), ToString::to_string);
        Self::Broken { host, reason }
    }
}

/// The error's sources, outermost first; an `io::Error` hides its own inside.
fn causes(error: &reqwest::Error) -> Vec<&(dyn StdError + 'static)> {
    let mut found = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        found.push(cause);
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    found
}

fn tls_reason(cause: &(dyn StdError + 'static)) -> Option<String> {
    cause
        .downcast_ref::<rustls::Error>()
        .map(|error| match error {
            rustls::Error::InvalidCertificate(why) => {
                format!("its certificate is not trusted ({why})")
            }
            other => other.to_string(),
        })
}
