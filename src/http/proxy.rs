//! Which proxy a request goes through, for messages: reqwest decides by the same matcher.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::address::is_loopback;

/// Host and port, as `proxy.example:3128`, without user name and password; `None` where the request goes straight to `url`.
///
/// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` in either case, else the settings of macOS and Windows.
pub fn for_url(url: &Url) -> Option<String> {
    if is_loopback(url) {
        return None;
    }
    let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
    let uri = proxy.uri();
    let host = uri.host()?;
    let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
        Some("https") => 443,
        Some(scheme) if scheme.starts_with("socks") => 1080,
        _ => 80,
    });
    Some(format!("{host}:{port}"))
}
