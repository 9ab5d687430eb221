//! A look at an address without asking it for anything: does it answer, by whose certificate, at what time?

use std::time::Duration;

use reqwest::tls::TlsInfo;
use url::Url;

use super::reply::{redirect, server_time};
use super::{Http, HttpError, certificate, sent};
use crate::clock::Timestamp;

#[derive(Clone, Debug)]
pub struct Seen {
    pub status: u16,
    pub date: Option<Timestamp>,
    /// Who issued its certificate; `None` without TLS.
    pub issuer: Option<String>,
    /// The other host that it redirects to.
    pub elsewhere: Option<String>,
}

impl Http {
    /// Gets the address, and leaves the body where it is.
    ///
    /// # Errors
    /// No answer came within `deadline`: see [`HttpError`]. Any status is an answer.
    pub async fn look_at(&self, url: &Url, deadline: Duration) -> Result<Seen, HttpError> {
        let request = self
            .client(url, super::Kind::Protocol)?
            .get(url.clone())
            .timeout(deadline);
        let response = sent(request, url).await.inspect_err(|error| {
            self.tell(1, || format!("GET {url}: {error}"));
        })?;
        self.tell(1, || format!("GET {url}: {}", response.status().as_u16()));
        let elsewhere = redirect(url, &response)
            .filter(|target| target.host() != url.host())
            .and_then(|target| target.host_str().map(str::to_owned));
        let tls = response.extensions().get::<TlsInfo>();
        Ok(Seen {
            status: response.status().as_u16(),
            date: server_time(response.headers()),
            issuer: tls
                .and_then(TlsInfo::peer_certificate)
                .and_then(certificate::issuer),
            elsewhere,
        })
    }
}
