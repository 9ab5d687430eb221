//! Why no answer came: each cause in its own words, found in the chain of errors below reqwest's.

use std::error::Error as StdError;
use std::io;

use rustls::pki_types::InvalidDnsNameError;
use url::Url;

use super::proxy::{self, ProxyTrouble};
use super::trust::{Distrust, Untrusted};
use super::tunnel;

/// A request that got no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The host's name has no address.
    #[error("the name {host} could not be resolved (DNS)")]
    Dns { host: String },
    #[error("{host} refused the connection")]
    Refused { host: String },
    /// No answer in time.
    #[error("{host} did not answer in time")]
    TimedOut { host: String },
    /// The server's certificate is not trusted.
    #[error("{host} showed a certificate that is not trusted: {why}")]
    Certificate {
        host: String,
        /// Who issued it, and why it is refused.
        why: Box<Untrusted>,
    },
    /// The proxy that the environment or the system names stands in the way.
    #[error("the proxy {proxy} {trouble}, so {host} was not reached")]
    Proxy {
        /// Its host and port, without user name and password.
        proxy: String,
        /// Where the request was to go.
        host: String,
        trouble: ProxyTrouble,
    },
    /// TLS failed for another reason than the certificate: no common version, no TLS at all.
    #[error("the TLS connection to {host} failed: {reason}")]
    Tls {
        host: String,
        /// In the words of the verifier.
        reason: String,
        /// The server has no version that is safe.
        too_old: bool,
    },
    /// The answer is larger than any honest one.
    #[error("{host} sent more than {cap} bytes")]
    BodyTooLarge {
        host: String,
        /// The cap, in bytes.
        cap: usize,
    },
    /// The line broke, or what came was no HTTP.
    #[error("the connection to {host} broke: {reason}")]
    Broken { host: String, reason: String },
    /// What was asked for is no request that can be sent.
    #[error("the request to {host} can't be sent: {reason}")]
    Unsendable { host: String, reason: String },
    /// The client could not be set up (a proxy or CA variable that cannot be read).
    #[error("the HTTP client could not be set up: {reason}")]
    Setup { reason: String },
}

/// Host and, where it isn't the scheme's own, port.
pub fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl HttpError {
    /// A request to `url` whose time was up.
    pub fn timed_out(url: &Url) -> Self {
        Self::TimedOut { host: host_of(url) }
    }

    /// Nothing was sent, and trying again would end in the same way.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Certificate { .. }
                | Self::Tls { .. }
                | Self::Unsendable { .. }
                | Self::Setup { .. }
        )
    }

    /// What lies behind reqwest's error for a request to `url`; a proxy that opens no tunnel is asked why.
    pub async fn found(error: &reqwest::Error, url: &Url) -> Self {
        let mut found = Self::of(error, url);
        if let Self::Proxy { trouble, .. } = &mut found
            && let ProxyTrouble::OpensNoTunnel | ProxyTrouble::WantsPassword = trouble
            && let Some(known) = tunnel::refusal(url).await
        {
            *trouble = known;
        }
        found
    }

    /// What lies behind reqwest's error for a request to `url`. The texts name the host, never path or query.
    pub fn of(error: &reqwest::Error, url: &Url) -> Self {
        let host = host_of(url);
        let causes = causes(error);
        if let Some(error) = causes.iter().find_map(|cause| cause.downcast_ref()) {
            return match (error, proxy::way(url)) {
                (rustls::Error::InvalidMessage(_), Some(way)) if way.scheme == "https" => {
                    Self::Proxy {
                        proxy: way.host,
                        host,
                        trouble: ProxyTrouble::SpeaksNoTls,
                    }
                }
                _ => Self::tls(host, error),
            };
        }
        let last = || {
            causes
                .last()
                .map_or_else(|| error.to_string(), ToString::to_string)
        };
        if error.is_builder() {
            return Self::Unsendable {
                host,
                reason: last(),
            };
        }
        let trouble = Trouble::of(error, &causes);
        if error.is_connect()
            && let Some(way) = proxy::way(url)
            && let Some(trouble) = trouble.of_proxy()
        {
            return Self::Proxy {
                proxy: way.host,
                host,
                trouble,
            };
        }
        match trouble {
            Trouble::TimedOut => Self::TimedOut { host },
            Trouble::Refused => Self::Refused { host },
            Trouble::Dns => Self::Dns { host },
            Trouble::Tunnel(_) | Trouble::Other => Self::Broken {
                host,
                reason: last(),
            },
        }
    }

    fn tls(host: String, error: &rustls::Error) -> Self {
        let inner = match error {
            rustls::Error::InvalidCertificate(rustls::CertificateError::Other(inner))
            | rustls::Error::Other(inner) => inner.0.downcast_ref(),
            _ => None,
        };
        match inner {
            Some(Distrust::Certificate(why)) => Self::Certificate {
                host,
                why: Box::new(why.clone()),
            },
            Some(Distrust::NoRoots(reason)) => Self::Setup {
                reason: reason.clone(),
            },
            None if is_too_old(error) => Self::Tls {
                host,
                reason: "it offers neither TLS 1.2 nor 1.3".to_owned(),
                too_old: true,
            },
            None => Self::Tls {
                host,
                reason: error.to_string(),
                too_old: false,
            },
        }
    }
}

/// The server's alert (RFC 8446 §6.2), or its choice of a version that was not offered.
fn is_too_old(error: &rustls::Error) -> bool {
    use rustls::{AlertDescription, PeerIncompatible};
    matches!(
        error,
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
    )
}

/// What kind of failure it was, whoever caused it.
enum Trouble {
    Dns,
    Refused,
    TimedOut,
    Tunnel(ProxyTrouble),
    Other,
}

impl Trouble {
    fn of(error: &reqwest::Error, causes: &[&(dyn StdError + 'static)]) -> Self {
        let says = |text: &str| {
            causes
                .iter()
                .any(|cause| cause.to_string().starts_with(text))
        };
        // hyper's connector and its tunnels have no public types for these, only their texts.
        if says("tunnel error: proxy authorization required") {
            return Self::Tunnel(ProxyTrouble::WantsPassword);
        }
        if says("tunnel error: unsuccessful") {
            return Self::Tunnel(ProxyTrouble::OpensNoTunnel);
        }
        let is_no_name = |cause: &&(dyn StdError + 'static)| cause.is::<InvalidDnsNameError>();
        if says("dns error") || causes.iter().any(is_no_name) {
            return Self::Dns;
        }
        if error.is_timeout() {
            return Self::TimedOut;
        }
        let io_kind = causes
            .iter()
            .find_map(|cause| cause.downcast_ref::<io::Error>())
            .map(io::Error::kind);
        match io_kind {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(io::ErrorKind::TimedOut) => Self::TimedOut,
            _ => Self::Other,
        }
    }

    /// The same as a proxy's doing. `None` for silence: the proxy or the host behind it may have caused that.
    fn of_proxy(&self) -> Option<ProxyTrouble> {
        match self {
            Self::Dns => Some(ProxyTrouble::Unknown),
            Self::Refused => Some(ProxyTrouble::Refuses),
            Self::Tunnel(trouble) => Some(*trouble),
            Self::Other => Some(ProxyTrouble::Breaks),
            Self::TimedOut => None,
        }
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
