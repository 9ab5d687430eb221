//! The authorization code grant, RFC 6749 §4.1 with PKCE (RFC 7636), as RFC 8252 has it for native apps: show the address,
//! wait for the browser or the user to bring the code, exchange it.

mod exchange;
mod login;
mod request;
mod ways;

use hyper::http::StatusCode;
use tokio::time::Instant;

pub use self::login::Login;
use self::request::AuthorizationRequest;
use self::ways::Ways;
use super::callback::Outcome;
use super::loopback::{Listener, Reply, Serving};
use super::page::Page;
use super::refusal::Meaning;
use super::{AuthorizationPrompt, FlowError, Interaction, Step};
use crate::clock::Timestamp;
use crate::credential::Credential;

/// The user has approved and the code is exchanged.
#[derive(Debug)]
pub struct Approved {
    pub credential: Credential,
    /// To be told what came of it.
    pub browser: BrowserAnswer,
}

/// The browser that brought the code and waits for its page: told only when the credential is stored, so that the page is
/// true. Nobody waits after a pasted login, and then nothing is sent. Dropped untold, it shows a failure.
pub struct BrowserAnswer {
    waiting: Option<Reply>,
    title: String,
    /// Keeps the connection open until the page is written.
    _serving: Option<Serving>,
}

impl BrowserAnswer {
    /// "Signed in." Blocks until the page is written, 2 seconds at most.
    pub fn succeed(mut self) {
        let page = Page::signed_in(&self.title);
        self.tell(page);
    }

    /// The login failed after all; `reason` is a sentence for people. Blocks like [`Self::succeed`].
    pub fn fail(mut self, reason: &str) {
        self.tell_failure(reason);
    }

    fn tell_failure(&mut self, reason: &str) {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        self.tell(Page::failed(&self.title, status, reason));
    }

    fn tell(&mut self, page: Page) {
        if let Some(waiting) = self.waiting.take() {
            waiting.send(page);
        }
    }
}

impl Drop for BrowserAnswer {
    fn drop(&mut self) {
        self.tell_failure("seo-auth ended before the credential was stored.");
    }
}

impl std::fmt::Debug for BrowserAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.waiting.is_some();
        f.debug_struct("BrowserAnswer")
            .field("waiting", &waiting)
            .finish()
    }
}

impl Login<'_> {
    /// Shows the address through `interaction`, waits for the answer, and exchanges the code.
    ///
    /// # Errors
    /// [`FlowError::Denied`], [`FlowError::NobodyApproved`], [`FlowError::IssuerMismatch`], no way left by which an answer
    /// could come, or why the code could not be exchanged. A browser that waits was told before.
    pub async fn run(mut self, interaction: &dyn Interaction) -> Result<Approved, FlowError> {
        let request = AuthorizationRequest::new(&self)?;
        let deadline = Instant::now() + self.timeout;
        let address = self.listener.as_ref().map(Listener::address);
        let mut ways = Ways {
            http: self.http,
            expected: request.expected.clone(),
            address: address.unwrap_or_default(),
            serving: self
                .listener
                .take()
                .map(|listener| listener.serve(request.expected.clone())),
            pasted: self.pasted.take(),
            trouble: None,
            told: Vec::new(),
        };
        interaction.authorization_url(&AuthorizationPrompt {
            url: request.url.to_string(),
            redirect_uri: request.redirect_uri.clone(),
            expires_at: Timestamp::now().plus(self.timeout.as_secs().cast_signed()),
            paste_only: ways.serving.is_none(),
            stateless: request.expected.stateless,
        });
        let answer = ways.wait(deadline, interaction).await?;
        let (outcome, waiting) = answer.ok_or(FlowError::NobodyApproved {
            seconds: self.timeout.as_secs(),
        })?;
        let mut browser = BrowserAnswer {
            waiting,
            title: self.provider.title.clone(),
            _serving: ways.serving,
        };
        match self.finish(outcome, &request, interaction).await {
            Ok(credential) => Ok(Approved {
                credential,
                browser,
            }),
            Err(error) => {
                browser.tell(failure_page(&self.provider.title, &error));
                Err(error)
            }
        }
    }

    /// The code that the answer brought becomes a credential, RFC 6749 §4.1.3.
    async fn finish(
        &self,
        outcome: Outcome,
        request: &AuthorizationRequest,
        interaction: &dyn Interaction,
    ) -> Result<Credential, FlowError> {
        match outcome {
            Outcome::Code(code) => self.exchange(&code, request, interaction).await,
            Outcome::Error(error) if error.meaning() == Meaning::Denied => Err(FlowError::Denied),
            Outcome::Error(error) => Err(FlowError::Refused {
                step: Step::Authorization,
                error,
            }),
            Outcome::Malformed(what) => Err(FlowError::BadCallback(what)),
            Outcome::NoIssuer => Err(FlowError::IssuerMissing {
                expected: self.issuer(),
            }),
            Outcome::ForeignIssuer(got) => Err(FlowError::IssuerMismatch {
                expected: self.issuer(),
                got,
            }),
        }
    }

    fn issuer(&self) -> String {
        let named = self.provider.issuer.as_ref();
        named.map_or_else(
            || self.code.authorization_endpoint.origin(),
            |issuer| issuer.name.clone(),
        )
    }
}

fn failure_page(title: &str, error: &FlowError) -> Page {
    let status = match error {
        FlowError::Denied => return Page::denied(title),
        FlowError::Refused {
            step: Step::Authorization,
            ..
        }
        | FlowError::BadCallback(_)
        | FlowError::IssuerMismatch { .. }
        | FlowError::IssuerMissing { .. } => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_GATEWAY,
    };
    Page::failed(title, status, &format!("Reason: {error}."))
}

#[cfg(test)]
mod tests;
