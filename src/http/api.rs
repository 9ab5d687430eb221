//! A request to an API: any method, headers and body, the answer's head at once and its body as it arrives.

use std::time::{Duration, Instant};

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE,
    WWW_AUTHENTICATE,
};
use reqwest::{Method, Response};
use url::Url;

use super::body::Body;
use super::error::host_of;
use super::reply::{header, redirect, retry_after, server_time};
use super::trace::unsaid;
use super::{Http, HttpError, Kind, sent};
use crate::clock::Timestamp;
use crate::secret::AccessToken;
use crate::text::printable;

/// The longest silence inside a body; reports are computed before their first byte, not between two.
const SILENCE: Duration = Duration::from_secs(30);

/// Characters of a content type in a trace; with its parameters it has some 40.
const MAX_TYPE: usize = 80;

/// Characters of a path in a trace.
const MAX_PATH: usize = 200;

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    pub method: String,
    pub url: Url,
    /// Headers of the caller's; `Authorization` is none of them.
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

/// What proves who asks, and where in a request it stands.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    pub header: Option<(String, AccessToken)>,
    /// A parameter; every text that shows a URL leaves the query out.
    pub query: Option<(String, AccessToken)>,
    /// What no text shows that quotes a server.
    pub secrets: Vec<AccessToken>,
}

impl Proof {
    /// A server's words, cleaned, without what it repeats of the credential.
    pub fn unsaid(&self, text: &str) -> String {
        let sent: Vec<_> = self
            .secrets
            .iter()
            .map(|secret| ("access_token", secret.expose()))
            .collect();
        unsaid(text, &sent)
    }

    /// The address with its parameter, in place of one of that name.
    fn put_into(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if let Some((name, value)) = &self.query {
            let kept: Vec<String> = url
                .query()
                .unwrap_or_default()
                .split('&')
                .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name))
                .map(str::to_owned)
                .collect();
            let kept = kept.join("&");
            url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
            url.query_pairs_mut().append_pair(name, value.expose());
        }
        url
    }
}

/// An answer whose body is still to come.
pub struct ApiAnswer {
    pub status: u16,
    /// `Content-Type`, in lower case; empty where absent.
    pub content_type: String,
    /// `WWW-Authenticate`; empty where absent.
    pub challenge: String,
    /// The server's clock.
    pub date: Option<Timestamp>,
    /// `Retry-After`, as a span from now.
    pub retry_after: Option<Duration>,
    /// Where it redirects to, if it does.
    pub redirect: Option<Url>,
    /// Whether nobody follows it any further, though it stays on the origin.
    pub redirects_on: bool,
    body: Body,
    url: Url,
}

impl Http {
    /// Sends a request with its proof, and answers when the answer's head is there. Redirects are not followed.
    ///
    /// # Errors
    /// No answer came. Any status is an answer.
    pub async fn api(&self, request: &ApiRequest, proof: &Proof) -> Result<ApiAnswer, HttpError> {
        let url = &request.url;
        let cannot = |reason: &str| HttpError::Unsendable {
            host: host_of(url),
            reason: reason.to_owned(),
        };
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| cannot("the method is no HTTP method"))?;
        let mut headers = headers_of(&request.headers).ok_or_else(|| {
            cannot(
                "a header contains characters that are not allowed, or there are too many headers",
            )
        })?;
        if let Some((name, value)) = &proof.header {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_str(value.expose());
            let (Ok(name), Ok(mut value)) = (name, value) else {
                return Err(cannot(
                    "the credential holds characters that no header can hold",
                ));
            };
            // So that no debug output of the client shows it.
            value.set_sensitive(true);
            headers
                .try_insert(name, value)
                .map_err(|_| cannot("it has too many headers"))?;
        }
        let mut builder = self
            .client(url, Kind::Api)?
            .request(method, proof.put_into(url))
            .headers(headers);
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let begun = Instant::now();
        // The query may hold what the user keeps secret.
        let path = printable(url.path(), MAX_PATH);
        let place = format!("{} {}{path}", request.method, host_of(url));
        let response = sent(builder, url).await.inspect_err(|error| {
            self.tell(1, || format!("{place}: {error}"));
        })?;
        let status = response.status();
        self.tell(1, || {
            format!(
                "{place}: {}, {} ms",
                status.as_u16(),
                begun.elapsed().as_millis()
            )
        });
        self.tell(2, || described(&response, proof));
        Ok(ApiAnswer::new(response, url.clone()))
    }
}

/// What is known of a body before it is read. The body itself is what `api` writes to stdout.
fn described(response: &Response, proof: &Proof) -> String {
    let content_type = match header(response.headers(), CONTENT_TYPE) {
        "" => "no content type",
        named => named,
    };
    let size = response.content_length().map_or_else(
        || "of unknown length".to_owned(),
        |size| format!("{size} bytes"),
    );
    // A server may repeat what it was sent, and traces show no token.
    let content_type = proof.unsaid(content_type);
    format!("< {}, {size}", printable(&content_type, MAX_TYPE))
}

impl ApiAnswer {
    fn new(response: Response, url: Url) -> Self {
        let body = Body::of(response);
        let response = &body.response;
        let headers = response.headers();
        Self {
            status: response.status().as_u16(),
            content_type: header(headers, CONTENT_TYPE).to_ascii_lowercase(),
            challenge: header(headers, WWW_AUTHENTICATE).to_owned(),
            date: server_time(headers),
            retry_after: retry_after(headers, server_time(headers)),
            redirect: redirect(&url, response),
            redirects_on: false,
            body,
            url,
        }
    }

    /// The status line and the headers, as HTTP/1.1 writes them, with a line's end after each.
    pub fn head(&self) -> String {
        let response = &self.body.response;
        let status = response.status();
        let mut head = format!("{:?} {status}\n", response.version());
        for (name, value) in response.headers() {
            let value = String::from_utf8_lossy(value.as_bytes());
            head.push_str(&format!("{name}: {value}\n"));
        }
        head
    }

    /// The next piece of the body, as it arrives; `None` at its end.
    ///
    /// # Errors
    /// The line broke, was silent for too long, or brought what can't be unpacked.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let next = tokio::time::timeout(SILENCE, self.body.chunk(&self.url)).await;
        next.unwrap_or_else(|_| Err(HttpError::timed_out(&self.url)))
    }
}

/// The caller's headers, over what we send by ourselves. `None` where one can't be sent.
fn headers_of(given: &[(String, String)]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        headers.try_append(name, value).ok()?;
    }
    headers
        .try_entry(ACCEPT)
        .ok()?
        .or_insert(HeaderValue::from_static("application/json"));
    // A part of what is packed can't be unpacked.
    if !headers.contains_key(RANGE) {
        let coding = headers.try_entry(ACCEPT_ENCODING).ok()?;
        coding.or_insert(HeaderValue::from_static("gzip"));
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_without_end_are_refused() {
        let given: Vec<_> = (0..40_000)
            .map(|n| (format!("x-{n}"), String::new()))
            .collect();
        assert!(headers_of(&given[..1_000]).is_some());
        assert!(headers_of(&given).is_none());
    }
}
