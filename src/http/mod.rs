//! One HTTP policy for every request: time-outs, no redirects on token calls, a cap on bodies, TLS 1.2 at least, the
//! system's proxies and trust store, and a trace that holds no secret.

pub mod api;
mod body;
pub mod certificate;
pub mod error;
pub mod probe;
pub mod proxy;
mod reply;
pub mod runtime;
pub mod trace;
pub mod trust;
mod tunnel;
pub mod wire;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, NoProxy, Proxy, RequestBuilder, Response};
use url::Url;
use zeroize::Zeroizing;

use body::Body;
pub use error::HttpError;
pub use reply::Reply;
use reply::{header, redirect, redirect_target, retry_after, server_time};
pub use trace::Trace;

use crate::address::is_loopback;

use crate::secret::ClientSecret;

/// A connection takes well under a second; ten allow for a slow VPN and one lost SYN.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest silence inside an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// One token request from end to end.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Nobody sees a server close a connection while no request is under way, and a request into a closed one may cost a
/// refresh token. Servers keep an idle one for five seconds at least (Node.js, Apache).
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Token answers have a few hundred bytes; 1 MiB leaves room for verbose error pages and bounds a hostile server.
const BODY_CAP: usize = 1 << 20;

/// The HTTP client. Connections are made when first needed; loopback never goes through a proxy.
pub struct Http {
    /// One for each kind of request, with and without TLS (each has a proxy variable), on loopback and elsewhere.
    clients: [OnceLock<Client>; 8],
    roots: Vec<PathBuf>,
    trace: Option<Trace>,
}

/// What a client is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Requests of the OAuth protocols, which any server answers at once.
    Protocol,
    /// An API, which may compute for a while before it answers: its callers have deadlines of their own.
    Api,
}

/// A client that proves itself by HTTP Basic, RFC 6749 §2.3.1.
pub struct BasicAuth<'a> {
    pub id: &'a str,
    pub secret: &'a ClientSecret,
}

impl BasicAuth<'_> {
    /// What stands behind `Basic` in the header: both form-encoded before they are joined (RFC 6749 §2.3.1). Whoever
    /// decodes it has the secret.
    pub fn credentials(&self) -> Zeroizing<String> {
        let (id, secret) = (
            form_encode(self.id),
            Zeroizing::new(form_encode(self.secret.expose())),
        );
        let joined = Zeroizing::new(format!("{id}:{}", *secret));
        Zeroizing::new(STANDARD.encode(joined.as_bytes()))
    }
}

impl Http {
    /// A client that tells `trace` what it does.
    pub fn new(trace: Option<Trace>) -> Self {
        Self {
            clients: Default::default(),
            roots: Vec::new(),
            trace,
        }
    }

    /// Trusts the certificates in these PEM files, or folders of them, besides the system's. They are read when a TLS
    /// connection first needs them.
    #[must_use]
    pub fn with_roots(mut self, roots: Vec<PathBuf>) -> Self {
        self.roots = roots;
        self
    }

    /// Sends a form by POST, as all requests of RFC 6749, 7009 and 8628 are sent, and reads the whole answer.
    ///
    /// # Errors
    /// No answer came: see [`HttpError`]. Any status is an answer.
    pub async fn post_form(
        &self,
        endpoint: &Url,
        fields: &[(&str, &str)],
        basic: Option<BasicAuth<'_>>,
    ) -> Result<Reply, HttpError> {
        let begun = Instant::now();
        if let Some(trace) = &self.trace {
            trace.asks(endpoint, fields, basic.is_some());
        }
        let proof = basic.as_ref().map(BasicAuth::credentials);
        let exchange = async {
            let client = self.client(endpoint, Kind::Protocol)?;
            let mut request = client.post(endpoint.clone()).form(fields);
            if let Some(BasicAuth { id, secret }) = &basic {
                request = request.basic_auth(form_encode(id), Some(form_encode(secret.expose())));
            }
            self.whole(endpoint, request).await
        };
        let outcome = exchange.await;
        if let Some(trace) = &self.trace {
            let mut sent = fields.to_vec();
            sent.extend(
                proof
                    .as_ref()
                    .map(|proof| ("client_secret", proof.as_str())),
            );
            trace.answered(endpoint, &sent, begun.elapsed(), &outcome);
        }
        outcome
    }

    /// Gets a public document, as RFC 8414 has it.
    ///
    /// # Errors
    /// No answer came. Any status is an answer.
    pub async fn get(&self, url: &Url) -> Result<Reply, HttpError> {
        let request = self.client(url, Kind::Protocol)?.get(url.clone());
        let outcome = self.whole(url, request).await;
        self.tell(1, || match &outcome {
            Ok(reply) => format!("GET {url}: {}, {} bytes", reply.status, reply.body.len()),
            Err(error) => format!("GET {url}: {error}"),
        });
        outcome
    }

    /// Sends a request, and reads the whole answer.
    async fn whole(&self, endpoint: &Url, request: RequestBuilder) -> Result<Reply, HttpError> {
        let request = request
            .timeout(TOTAL_TIMEOUT)
            .header(ACCEPT, "application/json");
        let response = sent(request, endpoint).await?;
        let headers = response.headers();
        let date = server_time(headers);
        let mut reply = Reply {
            status: response.status().as_u16(),
            body: Zeroizing::default(),
            content_type: header(headers, CONTENT_TYPE).to_ascii_lowercase(),
            date,
            retry_after: retry_after(headers, date),
            redirect: redirect_target(endpoint, &response),
        };
        let mut body = Body::of(response);
        while let Some(chunk) = body.chunk(endpoint).await? {
            if reply.body.len() + chunk.len() > BODY_CAP {
                return Err(HttpError::BodyTooLarge {
                    host: error::host_of(endpoint),
                    cap: BODY_CAP,
                });
            }
            reply.body.extend_from_slice(&chunk);
        }
        Ok(reply)
    }

    /// Gets an address and answers with where it redirects to, if it does.
    ///
    /// # Errors
    /// No answer came.
    pub async fn redirect_of(&self, url: &Url) -> Result<Option<Url>, HttpError> {
        let request = self
            .client(url, Kind::Protocol)?
            .get(url.clone())
            .timeout(TOTAL_TIMEOUT);
        let response = sent(request, url).await?;
        Ok(redirect(url, &response))
    }

    /// Tells what happens at `-v` (1) and more; `text` holds no secret.
    pub fn tell(&self, verbosity: u8, text: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace.say(verbosity, &text());
        }
    }

    /// The client for this address: loopback is reached directly, whatever the proxy variables say.
    fn client(&self, url: &Url, kind: Kind) -> Result<&Client, HttpError> {
        let direct = is_loopback(url);
        let proxy = if direct {
            None
        } else {
            proxy::named_for(url).map_err(|(variable, why)| HttpError::Setup {
                reason: format!("{variable} {why}"),
            })?
        };
        let secure = url.scheme() == "https";
        let way = usize::from(direct) + 2 * usize::from(secure);
        let slot = &self.clients[way + 4 * usize::from(kind == Kind::Api)];
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = build_client(direct, proxy, kind, &self.roots)?;
        Ok(slot.get_or_init(|| client))
    }
}

/// The head of the answer.
async fn sent(request: RequestBuilder, url: &Url) -> Result<Response, HttpError> {
    match request.send().await {
        Ok(response) => Ok(response),
        Err(error) => Err(HttpError::found(&error, url).await),
    }
}

fn build_client(
    direct: bool,
    proxy: Option<proxy::Named>,
    kind: Kind,
    roots: &[PathBuf],
) -> Result<Client, HttpError> {
    let tls = trust::tls_config(roots).map_err(|error| HttpError::Setup {
        reason: error.to_string(),
    })?;
    let mut builder = Client::builder()
        .user_agent(concat!("seo-auth/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .tls_info(true)
        .redirect(Policy::none())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT);
    if kind == Kind::Protocol {
        builder = builder.read_timeout(READ_TIMEOUT);
    }
    let failed = |error: reqwest::Error| HttpError::Setup {
        reason: error.to_string(),
    };
    if direct {
        builder = builder.no_proxy();
    } else if let Some(named) = proxy {
        let proxy = Proxy::all(named.address).map_err(failed)?;
        builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&named.except)));
    }
    builder.build().map_err(failed)
}

fn form_encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
