//! What is told when no answer came: the network, its proxies, its certificates.

use super::report::{Exit, Report, report};
use crate::http::HttpError;
use crate::http::proxy::ProxyTrouble;
use crate::http::trust::Reason;

fn certificate_hint(reason: &Reason) -> &'static str {
    match reason {
        Reason::Expired { .. } | Reason::NotYetValid { .. } => {
            "if this machine's clock is wrong, set it; else only the server's owner can fix this"
        }
        Reason::WrongName { .. } => {
            "if this network has a sign-in page, sign in there first; else check the address, and do not continue"
        }
        Reason::Authority => {
            "give the server a certificate of its own (CA:FALSE). Then name that certificate, or the authority that issued it, in SSL_CERT_FILE or as ca_file"
        }
        Reason::UnknownIssuer | Reason::Other(_) => {
            "is a proxy reading this traffic? Then name its CA file in SSL_CERT_FILE, or as ca_file in config.toml; else do not continue"
        }
    }
}

pub(super) fn proxy_hint(trouble: ProxyTrouble) -> &'static str {
    match trouble {
        ProxyTrouble::WantsPassword => {
            "set the user name and password in the proxy variable: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
        }
        ProxyTrouble::WantsOther => {
            "run a helper that signs in to the proxy (px or cntlm) and name the helper in HTTPS_PROXY, or add the host to NO_PROXY"
        }
        ProxyTrouble::Answers(401) => "check the user name and password in HTTPS_PROXY",
        ProxyTrouble::Answers(300..=399 | 511) => {
            "this network may have a sign-in page: sign in there with a browser first"
        }
        ProxyTrouble::Answers(500..) => {
            "try again; if it fails again, ask the proxy's administrator why it can't reach the host"
        }
        ProxyTrouble::Answers(_) => {
            "ask the proxy's administrator to allow this host, or add the host to NO_PROXY"
        }
        ProxyTrouble::OpensNoTunnel => {
            "check the user name and password in HTTPS_PROXY, ask the proxy's administrator to allow this host, or add the host to NO_PROXY"
        }
        ProxyTrouble::SpeaksNoTls => {
            "in HTTPS_PROXY, write http:// instead of https:// before the proxy's name"
        }
        ProxyTrouble::Refuses | ProxyTrouble::Unknown | ProxyTrouble::Breaks => {
            "check HTTPS_PROXY and ALL_PROXY (or the system's proxy settings), or add the host to NO_PROXY"
        }
    }
}

/// Whether a host, with its port, is this machine.
fn is_here(host: &str) -> bool {
    url::Url::parse(&format!("http://{host}")).is_ok_and(|url| crate::address::is_loopback(&url))
}

/// What an error of the network tells its user.
pub(crate) fn report_of(error: &HttpError) -> Report {
    let (code, exit, hint) = match error {
        HttpError::Dns { .. } => (
            "dns",
            Exit::Unreachable,
            "check the network and the name; behind a proxy, set HTTPS_PROXY",
        ),
        HttpError::Refused { host } if is_here(host) => (
            "refused_connection",
            Exit::Unreachable,
            "nothing listens there; if it is the sandbox that SEO_AUTH_SANDBOX names, start it: `seo-auth sandbox --port PORT`",
        ),
        HttpError::Refused { .. } => (
            "refused_connection",
            Exit::Unreachable,
            "check that the address is right and the service is running",
        ),
        HttpError::TimedOut { .. } => (
            "timed_out",
            Exit::Unreachable,
            "check the network; behind a proxy, set HTTPS_PROXY",
        ),
        HttpError::Certificate { why, .. } => (
            "certificate",
            Exit::Unreachable,
            certificate_hint(&why.reason),
        ),
        HttpError::Tls { too_old: true, .. } => (
            "tls",
            Exit::Unreachable,
            "older TLS versions are not secure; the administrator of the server or the proxy must enable a newer one",
        ),
        HttpError::Tls { .. } => (
            "tls",
            Exit::Unreachable,
            "check that the address speaks TLS; a filtering proxy may be cutting the connection",
        ),
        HttpError::Proxy { trouble, .. } => ("proxy", Exit::Unreachable, proxy_hint(*trouble)),
        HttpError::BodyTooLarge { .. } => {
            ("protocol", Exit::Protocol, "report this to the provider")
        }
        HttpError::Broken { .. } => (
            "connection_broken",
            Exit::Unreachable,
            "try again; `-vv` shows the requests and answers",
        ),
        HttpError::Unsendable { .. } => (
            "unsendable",
            Exit::Usage,
            "shorten or correct the address and the headers",
        ),
        HttpError::Setup { .. } => (
            "http_setup",
            Exit::Usage,
            "check ca_file in config.toml, SSL_CERT_FILE and the proxy variables; on a bare Linux, install the package ca-certificates",
        ),
    };
    report(code, exit, error, Some(hint.to_owned()))
}
