//! The authorization code grant, RFC 6749 §4.1 with PKCE (RFC 7636), as RFC 8252 has it for native apps: show the address,
//! wait for the browser or the user to bring the code, exchange it.

use std::future::pending;
use std::time::Duration;

use hyper::http::StatusCode;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::callback::{Expected, Outcome, Rejection};
use super::loopback::{Claim, Event, Listener, Reply, Serving};
use super::page::Page;
use super::token::{self, Client, Step, credential_of};
use super::{AuthorizationPrompt, FlowError, Interaction, pkce};
use crate::clock::Timestamp;
use crate::credential::Credential;
use crate::http::Http;
use crate::provider::{Endpoint, Provider, RedirectUri};
use crate::secret::{AuthorizationCode, CodeVerifier};

/// How often the live line is drawn.
const TICK: Duration = Duration::from_secs(1);

/// One login, with the ways by which its answer may come.
pub struct Login<'a> {
    /// The HTTP client.
    pub http: &'a Http,
    /// Where.
    pub provider: &'a Provider,
    /// Who asks.
    pub client: &'a Client,
    /// For what; empty: the parameter is left out.
    pub scope: &'a [String],
    /// How long to wait for the user.
    pub timeout: Duration,
    /// At the redirect URI; `None`: the answer can only be pasted.
    pub listener: Option<Listener>,
    /// Lines that the user pastes; `None`: nothing can be pasted.
    pub pasted: Option<UnboundedReceiver<String>>,
}

/// The user has approved and the code is exchanged.
#[derive(Debug)]
pub struct Approved {
    /// To be stored.
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
        self.tell_failure(StatusCode::INTERNAL_SERVER_ERROR, reason);
    }

    fn tell_failure(&mut self, status: StatusCode, reason: &str) {
        let page = Page::failed(&self.title, status, reason);
        self.tell(page);
    }

    fn tell(&mut self, page: Page) {
        if let Some(waiting) = self.waiting.take() {
            waiting.send(page);
        }
    }
}

impl Drop for BrowserAnswer {
    fn drop(&mut self) {
        let reason = "seo-auth ended before the credential was stored.";
        self.tell_failure(StatusCode::INTERNAL_SERVER_ERROR, reason);
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
    pub async fn run(self, interaction: &dyn Interaction) -> Result<Approved, FlowError> {
        let request = AuthorizationRequest::new(&self)?;
        let deadline = Instant::now() + self.timeout;
        let address = self.listener.as_ref().map(Listener::address);
        let mut ways = Ways {
            expected: request.expected.clone(),
            address: address.unwrap_or_default(),
            serving: self
                .listener
                .map(|listener| listener.serve(request.expected.clone())),
            pasted: self.pasted,
            trouble: None,
        };
        interaction.authorization_url(&AuthorizationPrompt {
            url: request.url.to_string(),
            redirect_uri: request.redirect_uri.clone(),
            expires_at: Timestamp::now().plus(self.timeout.as_secs().cast_signed()),
            paste_only: ways.serving.is_none(),
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
        let exchange = Exchange {
            http: self.http,
            provider: self.provider,
            client: self.client,
            scope: self.scope,
        };
        match exchange.finish(outcome, &request).await {
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
}

fn failure_page(title: &str, error: &FlowError) -> Page {
    let status = match error {
        FlowError::Denied => return Page::denied(title),
        FlowError::Refused {
            step: Step::Authorization,
            ..
        }
        | FlowError::IssuerMismatch { .. } => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_GATEWAY,
    };
    Page::failed(title, status, &format!("The reason: {error}."))
}

/// RFC 6749 §4.1.1, and what its answer and its exchange must agree with.
struct AuthorizationRequest {
    url: Url,
    /// To the letter as it is registered.
    redirect_uri: String,
    verifier: Option<CodeVerifier>,
    expected: Expected,
}

impl AuthorizationRequest {
    fn new(login: &Login<'_>) -> Result<Self, FlowError> {
        let provider = login.provider;
        let endpoint = provider
            .authorization_endpoint
            .as_ref()
            .ok_or(FlowError::MissingEndpoint("authorization_endpoint"))?;
        let client_id = login
            .client
            .id
            .as_deref()
            .ok_or(FlowError::MissingEndpoint("client_id"))?;
        let (redirect_uri, redirect, stateless) =
            redirect(provider, login.listener.as_ref(), endpoint);
        let state = pkce::state(&pkce::entropy());
        let verifier = provider
            .code_challenge_method
            .as_ref()
            .map(|_| pkce::verifier(&pkce::entropy()));
        let mut parameters = vec![
            ("response_type", "code".to_owned()),
            ("client_id", client_id.to_owned()),
            ("redirect_uri", redirect_uri.clone()),
            ("state", state.expose().to_owned()),
        ];
        if !login.scope.is_empty() {
            parameters.push(("scope", login.scope.join(&provider.scope_separator)));
        }
        if let (Some(verifier), Some(method)) = (&verifier, &provider.code_challenge_method) {
            parameters.push(("code_challenge", pkce::challenge(verifier)));
            parameters.push(("code_challenge_method", method.clone()));
        }
        let issuers = vec![
            endpoint.url().clone(),
            provider
                .token_endpoint_for(login.client.secret.is_some())
                .url()
                .clone(),
        ];
        Ok(Self {
            url: with_parameters(endpoint.url(), &parameters, provider),
            redirect_uri,
            verifier,
            expected: Expected {
                redirect,
                state,
                stateless,
                issuers,
            },
        })
    }
}

/// The redirect URI as it is sent, as an address, and whether the page there is the provider's own and may show a bare code.
fn redirect(
    provider: &Provider,
    listener: Option<&Listener>,
    endpoint: &Endpoint,
) -> (String, Url, bool) {
    if let Some(listener) = listener {
        let url = listener.redirect_uri();
        return (url.to_string(), url.clone(), false);
    }
    match &provider.redirect_uri {
        RedirectUri::Loopback(url) => (url.to_string(), url.clone(), false),
        RedirectUri::Elsewhere(text) => match Url::parse(text) {
            Ok(url) => (text.clone(), url, false),
            // Relative: a page of the authorization server, as Semrush has it.
            Err(_) => {
                let own = endpoint.url();
                let url = own.join(text).unwrap_or_else(|_| own.clone());
                (text.clone(), url, true)
            }
        },
    }
}

/// The endpoint's own query stays (RFC 6749 §3.1), and the provider's extra parameters replace none of the protocol's.
fn with_parameters(endpoint: &Url, own: &[(&str, String)], provider: &Provider) -> Url {
    let mut url = endpoint.clone();
    let extra = provider
        .authorization_params
        .iter()
        .filter(|(name, _)| own.iter().all(|(own, _)| own != name));
    url.query_pairs_mut().extend_pairs(own).extend_pairs(extra);
    url
}

/// The ways by which the answer may come. They race each other.
struct Ways {
    expected: Expected,
    /// The listener's, for people.
    address: String,
    serving: Option<Serving>,
    pasted: Option<UnboundedReceiver<String>>,
    /// What was wrong with the last line that was pasted.
    trouble: Option<String>,
}

/// The login's answer, and the browser where it was the browser that brought it.
type Answer = (Outcome, Option<Reply>);

impl Ways {
    /// Waits for the answer; `None` when the deadline passed first.
    async fn wait(
        &mut self,
        deadline: Instant,
        interaction: &dyn Interaction,
    ) -> Result<Option<Answer>, FlowError> {
        let mut tick = Instant::now();
        loop {
            let answer = tokio::select! {
                biased;
                event = next_event(&mut self.serving) => self.heard(event, interaction)?,
                line = next_line(&mut self.pasted) => self.read(line, interaction)?,
                () = sleep_until(deadline) => return Ok(None),
                () = sleep_until(tick) => {
                    interaction.waiting(deadline.saturating_duration_since(tick), None);
                    tick += TICK;
                    None
                }
            };
            if answer.is_some() {
                return Ok(answer);
            }
        }
    }

    fn heard(
        &mut self,
        event: Option<Event>,
        interaction: &dyn Interaction,
    ) -> Result<Option<Answer>, FlowError> {
        let reason = match event {
            Some(Event::Callback(outcome, reply)) => return Ok(Some((outcome, Some(reply)))),
            Some(Event::Died(reason)) => reason,
            None => "its thread ended".to_owned(),
        };
        self.serving = None;
        if self.pasted.is_none() {
            let address = self.address.clone();
            return Err(FlowError::ListenerDied { address, reason });
        }
        interaction.warn(&format!(
            "the listener at {} ended ({reason}); paste the address that the browser ends on instead",
            self.address
        ));
        Ok(None)
    }

    fn read(
        &mut self,
        line: Option<String>,
        interaction: &dyn Interaction,
    ) -> Result<Option<Answer>, FlowError> {
        let Some(line) = line else {
            self.pasted = None;
            return match self.serving {
                Some(_) => Ok(None),
                None => Err(FlowError::NothingPasted {
                    trouble: self.trouble.take(),
                }),
            };
        };
        if line.trim().is_empty() {
            return Ok(None);
        }
        match self.expected.judge_pasted(&line) {
            Ok(outcome) if self.is_first() => Ok(Some((outcome, None))),
            // The browser was quicker, and its event is under way.
            Ok(_) => Ok(None),
            Err(rejection) => {
                let trouble = advice(rejection, &self.expected.redirect);
                interaction.warn(&trouble);
                self.trouble = Some(trouble);
                Ok(None)
            }
        }
    }

    fn is_first(&self) -> bool {
        let claim = self.serving.as_ref().map(|serving| &serving.claim);
        claim.is_none_or(Claim::take)
    }
}

/// What to tell a user whose line was of no use. Never the line itself: it may hold a code.
fn advice(rejection: Rejection, redirect: &Url) -> String {
    let begins = format!("it begins with {}", &redirect[..url::Position::AfterPath]);
    match rejection {
        Rejection::NotAnAddress | Rejection::OtherAddress => {
            format!(
                "{rejection}: paste all of the address in the browser's address bar; {begins}?…"
            )
        }
        _ => format!(
            "the pasted address is not this sign-in's answer: {rejection}; finish in the tab that was opened for it and \
             paste where it ends, {begins}?…"
        ),
    }
}

async fn next_event(serving: &mut Option<Serving>) -> Option<Event> {
    match serving {
        Some(serving) => serving.events.recv().await,
        None => pending().await,
    }
}

async fn next_line(pasted: &mut Option<UnboundedReceiver<String>>) -> Option<String> {
    match pasted {
        Some(pasted) => pasted.recv().await,
        None => pending().await,
    }
}

/// What the exchange needs besides the request.
struct Exchange<'a> {
    http: &'a Http,
    provider: &'a Provider,
    client: &'a Client,
    scope: &'a [String],
}

impl Exchange<'_> {
    /// The code that the answer brought becomes a credential, RFC 6749 §4.1.3.
    async fn finish(
        &self,
        outcome: Outcome,
        request: &AuthorizationRequest,
    ) -> Result<Credential, FlowError> {
        match outcome {
            Outcome::Code(code) => self.exchange(&code, request).await,
            Outcome::Error(error) if error.error == "access_denied" => Err(FlowError::Denied),
            Outcome::Error(error) => Err(FlowError::Refused {
                step: Step::Authorization,
                error,
            }),
            Outcome::ForeignIssuer(got) => Err(FlowError::IssuerMismatch {
                expected: self.issuer(),
                got,
            }),
        }
    }

    fn issuer(&self) -> String {
        let endpoint = self.provider.authorization_endpoint.as_ref();
        endpoint.map_or_else(String::new, Endpoint::origin)
    }

    async fn exchange(
        &self,
        code: &AuthorizationCode,
        request: &AuthorizationRequest,
    ) -> Result<Credential, FlowError> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", request.redirect_uri.as_str()),
        ];
        let verifier = request.verifier.as_ref();
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier.expose())));
        let (token, reply) = token::request(
            self.http,
            self.provider
                .token_endpoint_for(self.client.secret.is_some()),
            self.provider.client_auth,
            self.client,
            Step::CodeExchange,
            &fields,
        )
        .await?;
        Ok(credential_of(
            self.provider,
            self.client,
            self.scope,
            token,
            &reply,
        ))
    }
}

#[cfg(test)]
mod tests;
