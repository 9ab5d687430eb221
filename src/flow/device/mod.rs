//! The device authorization grant, RFC 8628: ask for codes, show them, poll until the user has decided.
//!
//! What to do after each poll is `schedule`, a pure function; [`Login::run`] is the loop that obeys it.

mod schedule;
mod site;

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use schedule::{Decision, Schedule, decide};
use site::belongs_to;

use super::token::{self, Client, Step, credential_of};
use super::{DevicePrompt, FlowError, Interaction};
use crate::clock::Timestamp;
use crate::credential::Credential;
use crate::http::wire::{DeviceAuthorizationResponse, TokenResponse};
use crate::http::{Http, HttpError, Reply};
use crate::provider::Provider;
use crate::secret::DeviceCode;
use crate::text::printable;

/// Semrush's codes live 300 s; so do those of a server that does not say.
const DEFAULT_LIFETIME: u64 = 300;
/// Nobody walks to another screen for more than an hour.
const MAX_LIFETIME: u64 = 3_600;
/// How often the live line is drawn.
const TICK: Duration = Duration::from_secs(1);
/// Far more than any user code that a person could type.
const MAX_USER_CODE: usize = 64;
/// Longer addresses fit no QR code and no screen.
const MAX_URI: usize = 2_000;

/// The grant type of RFC 8628 §3.4.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// One login.
pub struct Login<'a> {
    /// The HTTP client.
    pub http: &'a Http,
    /// Where.
    pub provider: &'a Provider,
    /// Who asks.
    pub client: &'a Client,
    /// For what; empty: the parameter is left out.
    pub scope: &'a [String],
    /// How long to wait for the user; `None`: for as long as the code lives.
    pub timeout: Option<Duration>,
}

impl Login<'_> {
    /// Shows the code through `interaction` and returns when the user has approved, or when nobody did within the time-out
    /// (or the code's own lifetime, whichever ends first).
    ///
    /// # Errors
    /// [`FlowError::Denied`], [`FlowError::CodeExpired`], [`FlowError::NobodyApproved`], or why the provider could not be
    /// asked.
    pub async fn run(self, interaction: &dyn Interaction) -> Result<Credential, FlowError> {
        let codes = self.request_codes().await?;
        let lifetime = Duration::from_secs(bounded_lifetime(codes.expires_in));
        let wait = self
            .timeout
            .map_or(lifetime, |timeout| timeout.min(lifetime));
        let schedule = Schedule::new(codes.interval);
        let prompt = prompt(self.provider, &codes, &schedule, wait);
        interaction.device_code(&prompt);
        if !prompt.may_open {
            interaction.warn(&format!(
                "{} is not an address of {}; go there only if you know it",
                prompt.verification_uri, self.provider.title
            ));
        }
        let deadline = Instant::now() + wait;
        let approved = self
            .poll(&codes.device_code, schedule, deadline, interaction)
            .await?;
        let (token, reply) = approved.ok_or(if wait < lifetime {
            FlowError::NobodyApproved {
                seconds: wait.as_secs(),
            }
        } else {
            FlowError::CodeExpired
        })?;
        Ok(credential_of(
            self.provider,
            self.client,
            self.scope,
            token,
            &reply,
        ))
    }

    /// RFC 8628 §3.1 and §3.2. `client_id` is sent where there is one: Semrush knows none.
    async fn request_codes(&self) -> Result<DeviceAuthorizationResponse, FlowError> {
        let provider = self.provider;
        let endpoint = provider
            .device_authorization_endpoint
            .as_ref()
            .ok_or(FlowError::NotConfigured("device_authorization_endpoint"))?;
        let scope = self.scope.join(&provider.scope_separator);
        let mut fields = Vec::new();
        if !scope.is_empty() {
            fields.push(("scope", scope.as_str()));
        }
        let step = Step::DeviceAuthorization;
        let auth = provider.client_auth;
        let (codes, _) =
            token::request(self.http, endpoint, auth, self.client, step, &fields).await?;
        Ok(codes)
    }

    /// Polls until the user has decided; `None` when the deadline passed first.
    async fn poll(
        &self,
        device_code: &DeviceCode,
        mut schedule: Schedule,
        deadline: Instant,
        interaction: &dyn Interaction,
    ) -> Result<Option<(TokenResponse, Reply)>, FlowError> {
        let mut wait = Duration::from_secs(schedule.interval);
        let mut trouble: Option<FlowError> = None;
        loop {
            let next = Instant::now() + wait;
            let reason = trouble.as_ref().map(ToString::to_string);
            tick_until(next.min(deadline), deadline, reason.as_deref(), interaction).await;
            if next >= deadline {
                // A provider that could not be asked to the last is the reason, rather than the user.
                return trouble.map_or(Ok(None), Err);
            }
            let error = match self.ask(device_code, deadline).await {
                Ok(approved) => return Ok(Some(approved)),
                Err(error) => error,
            };
            match decide(&error, &mut schedule) {
                Decision::Wait { seconds, troubled } => {
                    wait = Duration::from_secs(seconds);
                    trouble = troubled.then_some(error);
                }
                Decision::Denied => return Err(FlowError::Denied),
                Decision::Expired => return Err(FlowError::CodeExpired),
                Decision::Fail => return Err(error),
            }
        }
    }

    /// One poll, RFC 8628 §3.4.
    async fn ask(
        &self,
        device_code: &DeviceCode,
        deadline: Instant,
    ) -> Result<(TokenResponse, Reply), FlowError> {
        let endpoint = self
            .provider
            .token_endpoint_for(self.client.secret.is_some());
        let fields = [
            ("grant_type", GRANT_TYPE),
            ("device_code", device_code.expose()),
        ];
        let auth = self.provider.client_auth;
        let step = Step::DevicePoll;
        let request = token::request(self.http, endpoint, auth, self.client, step, &fields);
        // A hung request must not outlive the code.
        let answer = tokio::time::timeout_at(deadline, request).await;
        answer.unwrap_or_else(|_| Err(HttpError::timed_out(endpoint.url()).into()))
    }
}

async fn tick_until(
    end: Instant,
    deadline: Instant,
    trouble: Option<&str>,
    interaction: &dyn Interaction,
) {
    loop {
        let now = Instant::now();
        interaction.waiting(deadline.saturating_duration_since(now), trouble);
        if now >= end {
            return;
        }
        sleep_until(end.min(now + TICK)).await;
    }
}

fn bounded_lifetime(expires_in: Option<u64>) -> u64 {
    expires_in
        .filter(|seconds| *seconds > 0)
        .unwrap_or(DEFAULT_LIFETIME)
        .min(MAX_LIFETIME)
}

fn prompt(
    provider: &Provider,
    codes: &DeviceAuthorizationResponse,
    schedule: &Schedule,
    wait: Duration,
) -> DevicePrompt {
    let complete = codes
        .verification_uri_complete
        .as_deref()
        .filter(|uri| !uri.is_empty());
    let uris = std::iter::once(codes.verification_uri.as_str()).chain(complete);
    DevicePrompt {
        user_code: printable(&codes.user_code, MAX_USER_CODE),
        verification_uri: printable(&codes.verification_uri, MAX_URI),
        verification_uri_complete: complete.map(|uri| printable(uri, MAX_URI)),
        expires_at: Timestamp::now().plus(wait.as_secs().cast_signed()),
        interval: schedule.interval,
        may_open: uris.into_iter().all(|uri| belongs_to(provider, uri)),
    }
}

#[cfg(test)]
mod tests {
    use super::bounded_lifetime;

    #[test]
    fn odd_lifetimes_are_bounded() {
        for (given, used) in [
            (None, 300),
            (Some(0), 300),
            (Some(60), 60),
            (Some(u64::MAX), 3_600),
        ] {
            assert_eq!(bounded_lifetime(given), used);
        }
    }
}
