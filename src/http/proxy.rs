//! Which proxy a request goes through, for messages, and whether the variable that should say so does: reqwest decides by the
//! same matcher.

use std::env;

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

/// Whether this is the address of a proxy: what is none, the matcher passes over, as if nobody had named one.
pub fn is_address(value: &str) -> bool {
    goes_through(&Matcher::builder().all(value).build(), "https://host")
}

/// The variable that decides about a request to `url` and holds no proxy's address. Without this look, the request would go
/// past the proxy that somebody meant.
pub fn unreadable_for(url: &Url) -> Option<&'static str> {
    let names: [&str; 4] = match url.scheme() {
        "https" => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    let (name, value) = names.into_iter().find_map(set)?;
    let excepted = ["NO_PROXY", "no_proxy"].into_iter().find_map(set);
    let any = Matcher::builder()
        .all("http://proxy")
        .no(excepted.map_or_else(String::new, |(_, hosts)| hosts))
        .build();
    (goes_through(&any, url.as_str()) && !is_address(&value)).then_some(name)
}

fn set(name: &'static str) -> Option<(&'static str, String)> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    Some((name, value.to_string_lossy().into_owned()))
}

fn goes_through(proxies: &Matcher, url: &str) -> bool {
    url.parse()
        .is_ok_and(|url| proxies.intercept(&url).is_some())
}
