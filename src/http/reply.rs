//! What an answer says in its head, and the whole of a small one.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use url::Url;
use zeroize::Zeroizing;

use crate::clock::{Timestamp, parse_http_date};

/// Longer waits than a day are a server's mistake.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(86_400);

pub struct Reply {
    pub status: u16,
    /// The body, at most 1 MiB; wiped on drop.
    pub body: Zeroizing<Vec<u8>>,
    /// `Content-Type`, in lower case; empty where absent.
    pub content_type: String,
    pub date: Option<Timestamp>,
    /// `Retry-After`, as a span from now.
    pub retry_after: Option<Duration>,
    /// Where a redirect points, without its query, which may hold anything; `nowhere` where it doesn't say.
    pub redirect: Option<String>,
}

pub fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Where an answer of `url` redirects to, if it does and says where.
pub fn redirect(url: &Url, response: &Response) -> Option<Url> {
    let to = header(response.headers(), LOCATION);
    let is_redirect = response.status().is_redirection() && !to.is_empty();
    url.join(to).ok().filter(|_| is_redirect)
}

pub fn redirect_target(endpoint: &Url, response: &Response) -> Option<String> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let to = redirect(endpoint, response).filter(Url::has_host);
    let to = to.map(|to| to.origin().ascii_serialization() + to.path());
    is_redirect.then(|| to.unwrap_or_else(|| "nowhere".to_owned()))
}

pub fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    parse_http_date(header(headers, DATE))
}

/// RFC 9110 §10.2.3: seconds, or a date (reckoned from the server's own clock where it told it).
pub fn retry_after(headers: &HeaderMap, server_time: Option<Timestamp>) -> Option<Duration> {
    let text = header(headers, RETRY_AFTER).trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let until = parse_http_date(text)?;
            u64::try_from(until.seconds_since(server_time.unwrap_or_else(Timestamp::now)))
                .unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_CAP))
}
