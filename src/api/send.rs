//! A request with a credential, which leaves the origin that it was meant for under no circumstances.
//!
//! A redirect is followed on the same origin only. 429 and 503 are waited for as the server asks (RFC 9110 §10.2.3), as long
//! as the caller's deadline allows and sending again can't do the same thing twice.

use std::time::{Duration, Instant};

use url::Url;

use super::target::fits;
use crate::http::api::{ApiAnswer, ApiRequest, Proof};
use crate::http::{Http, HttpError};

/// More redirects than any API needs; browsers stop at 20.
pub const MAX_REDIRECTS: usize = 5;
/// A server that says `Retry-After: 0` is not asked more often than this.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Sends the request and answers when the head of an answer is there that is no redirect within the origin and no wish to
/// be asked later. `waiting` is told before each wait: the status, and how long.
///
/// # Errors
/// No answer came before the deadline `until`.
pub async fn send(
    http: &Http,
    request: &ApiRequest,
    proof: &Proof,
    until: Instant,
    waiting: &dyn Fn(u16, Duration),
) -> Result<ApiAnswer, HttpError> {
    let mut request = request.clone();
    let mut redirects = 0;
    loop {
        let asked = tokio::time::timeout_at(until.into(), http.api(&request, proof)).await;
        let mut answer = asked.map_err(|_| HttpError::timed_out(&request.url))??;
        let to = answer.redirect.as_ref();
        if let Some(next) = to.and_then(|to| redirected(&request, answer.status, to)) {
            if redirects < MAX_REDIRECTS {
                request = next;
                redirects += 1;
                continue;
            }
            answer.redirects_on = true;
        }
        match wait(&request.method, &answer) {
            Some(wait) if Instant::now() + wait < until => {
                waiting(answer.status, wait);
                // The connection is given back, or closed, before the wait.
                drop(answer);
                tokio::time::sleep(wait).await;
            }
            _ => return Ok(answer),
        }
    }
}

/// The request that a redirect asks for, where it stays on the origin. RFC 9110 §15.4: 307 and 308 repeat the request, 303 fetches the answer, and so do 301 and 302 after a POST.
fn redirected(request: &ApiRequest, status: u16, to: &Url) -> Option<ApiRequest> {
    let stays =
        to.origin() == request.url.origin() && to.username().is_empty() && to.password().is_none();
    if !stays || !fits(to) {
        return None;
    }
    let mut next = request.clone();
    next.url = to.clone();
    let becomes_get = match status {
        303 => request.method != "HEAD",
        301 | 302 => request.method == "POST",
        307 | 308 => false,
        _ => return None,
    };
    if becomes_get {
        "GET".clone_into(&mut next.method);
        next.body = None;
        next.headers
            .retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    }
    Some(next)
}

/// How long to wait before the request may be sent again. A 429 was not acted upon; of a 503 that can't be known, so only
/// what may be done twice is sent again (RFC 9110 §9.2.2).
fn wait(method: &str, answer: &ApiAnswer) -> Option<Duration> {
    let repeatable = match answer.status {
        429 => true,
        503 => matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE"),
        _ => false,
    };
    answer
        .retry_after
        .filter(|_| repeatable)
        .map(|wait| wait.max(SHORTEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str) -> ApiRequest {
        ApiRequest {
            method: method.to_owned(),
            url: Url::parse("https://api.example/v1/things").unwrap(),
            headers: vec![
                ("Content-Type".to_owned(), "application/json".to_owned()),
                ("X-Mine".to_owned(), "1".to_owned()),
            ],
            body: Some(b"{}".to_vec()),
        }
    }

    #[test]
    fn a_redirect_stays_on_the_origin_or_is_not_followed() {
        for (to, followed) in [
            ("https://api.example/v2/things", true),
            ("https://api.example:443/v2", true),
            ("https://api.example:8443/v2", false),
            ("http://api.example/v2", false),
            ("https://evil.example/v2", false),
            ("https://api.example.evil.example/", false),
            ("https://user@api.example/v2", false),
            ("https://user:password@api.example/v2", false),
            ("data:text/plain,x", false),
        ] {
            let to = Url::parse(to).unwrap();
            assert_eq!(
                redirected(&request("GET"), 302, &to).is_some(),
                followed,
                "{to}"
            );
        }
    }

    #[test]
    fn the_status_says_whether_the_request_is_repeated() {
        let to = Url::parse("https://api.example/v2").unwrap();
        for (method, status, becomes, keeps_body) in [
            ("POST", 301, "GET", false),
            ("POST", 302, "GET", false),
            ("PUT", 302, "PUT", true),
            ("POST", 303, "GET", false),
            ("POST", 307, "POST", true),
            ("POST", 308, "POST", true),
            ("DELETE", 308, "DELETE", true),
        ] {
            let next = redirected(&request(method), status, &to).unwrap();
            assert_eq!(
                (next.method.as_str(), next.body.is_some()),
                (becomes, keeps_body),
                "{method} {status}"
            );
            assert_eq!(next.headers.len(), if keeps_body { 2 } else { 1 });
        }
        assert!(
            redirected(&request("GET"), 300, &to).is_none(),
            "a list of choices is for people"
        );
        assert!(redirected(&request("GET"), 304, &to).is_none());
    }
}
