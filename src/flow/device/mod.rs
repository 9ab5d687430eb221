//! The device authorization grant, RFC 8628: ask for codes, show them, poll until the user has decided.
//!
//! What to do after each poll is `schedule`, a pure function; [`Login::run`] is the loop that obeys it.

mod schedule;

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use url::Url;

use schedule::{Decision, Schedule, decide};

use super::token::{self, Client, credential_of};
use super::{DevicePrompt, FlowError, Interaction, Step};
use crate::address::is_loopback;
use crate::clock::Timestamp;
use crate::credential::Credential;
use crate::http::wire::{DeviceAuthorizationResponse, TokenResponse};
use crate::http::{Http, HttpError, Reply};
use crate::provider::{Device, Provider};
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

pub struct Login<'a> {
    pub http: &'a Http,
    pub provider: &'a Provider,
    pub device: &'a Device,
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
        nobody_is_misled(&codes)?;
        let lifetime = Duration::from_secs(bounded_lifetime(codes.expires_in));
        let wait = self
            .timeout
            .map_or(lifetime, |timeout| timeout.min(lifetime));
        let schedule = Schedule::new(codes.interval);
        let prompt = prompt(self.device, &codes, &schedule, wait);
        interaction.device_code(&prompt);
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
        let endpoint = &self.device.token_endpoint;
        credential_of(
            self.provider,
            endpoint,
            self.client,
            self.scope,
            token,
            &reply,
        )
    }

    /// The client of the requests: none where clients with a secret have a token endpoint of their own, for then the device
    /// endpoints know none (Semrush). Its refreshes go there all the same.
    fn client(&self) -> Client {
        match self.provider.confidential_token_endpoint {
            Some(_) => Client::default(),
            None => self.client.clone(),
        }
    }

    /// RFC 8628 §3.1 and §3.2. `client_id` is sent where there is one: Semrush knows none.
    async fn request_codes(&self) -> Result<DeviceAuthorizationResponse, FlowError> {
        let provider = self.provider;
        let endpoint = &self.device.device_authorization_endpoint;
        let scope = self.scope.join(&provider.scope_separator);
        let mut fields = Vec::new();
        if !scope.is_empty() {
            fields.push(("scope", scope.as_str()));
        }
        let step = Step::DeviceAuthorization;
        let (auth, client) = (provider.client_auth, self.client());
        let request = token::request(self.http, endpoint, auth, &client, step, &fields);
        // A server that does not answer must not outlast the time-out.
        let limit = self.timeout.unwrap_or(Duration::MAX);
        let answer = tokio::time::timeout(limit, request).await;
        let (codes, _) =
            answer.unwrap_or_else(|_| Err(HttpError::timed_out(endpoint.url()).into()))?;
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
        let mut answered = false;
        loop {
            let next = Instant::now() + wait;
            let reason = trouble.as_ref().map(ToString::to_string);
            tick_until(next.min(deadline), deadline, reason.as_deref(), interaction).await;
            if next >= deadline {
                // A provider that could not be asked to the last is the reason, rather than the user.
                return trouble.map_or(Ok(None), Err);
            }
            // A hung request must not outlive the code.
            let Ok(answer) = tokio::time::timeout_at(deadline, self.ask(device_code)).await else {
                // A provider that has answered before was only slow, and the user slower.
                let silent = || HttpError::timed_out(self.device.token_endpoint.url()).into();
                let trouble = trouble.or_else(|| (!answered).then(silent));
                return trouble.map_or(Ok(None), Err);
            };
            let error = match answer {
                Ok(approved) => return Ok(Some(approved)),
                Err(error) => error,
            };
            match decide(&error, &mut schedule) {
                Decision::Wait { seconds, troubled } => {
                    wait = Duration::from_secs(seconds);
                    trouble = troubled.then_some(error);
                    answered |= !troubled;
                }
                Decision::Denied => return Err(FlowError::Denied),
                Decision::Expired => return Err(FlowError::CodeExpired),
                Decision::Fail => return Err(error),
            }
        }
    }

    /// One poll, RFC 8628 §3.4.
    async fn ask(&self, device_code: &DeviceCode) -> Result<(TokenResponse, Reply), FlowError> {
        let endpoint = &self.device.token_endpoint;
        let fields = [
            ("grant_type", GRANT_TYPE),
            ("device_code", device_code.expose()),
        ];
        let (auth, client) = (self.provider.client_auth, self.client());
        let step = Step::DevicePoll;
        token::request(self.http, endpoint, auth, &client, step, &fields).await
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

/// The user is sent to `https`, or to `http` on this machine: nothing else is an address to sign in at.
fn nobody_is_misled(codes: &DeviceAuthorizationResponse) -> Result<(), FlowError> {
    let is_safe = |address: &str| {
        Url::parse(address).is_ok_and(|url| match url.scheme() {
            "https" => true,
            "http" => is_loopback(&url),
            _ => false,
        })
    };
    let mut addresses = addresses(codes);
    match addresses.find(|address| !is_safe(address)) {
        None => Ok(()),
        Some(address) => Err(FlowError::UnsafeAddress {
            address: printable(address, MAX_URI),
        }),
    }
}

fn addresses(codes: &DeviceAuthorizationResponse) -> impl Iterator<Item = &str> {
    std::iter::once(codes.verification_uri.as_str())
        .chain(codes.verification_uri_complete.as_deref())
}

fn prompt(
    device: &Device,
    codes: &DeviceAuthorizationResponse,
    schedule: &Schedule,
    wait: Duration,
) -> DevicePrompt {
    DevicePrompt {
        user_code: printable(&codes.user_code, MAX_USER_CODE),
        verification_uri: printable(&codes.verification_uri, MAX_URI),
        verification_uri_complete: codes
            .verification_uri_complete
            .as_deref()
            .map(|uri| printable(uri, MAX_URI)),
        expires_at: Timestamp::now().plus(wait.as_secs().cast_signed()),
        interval: schedule.interval,
        // Only a server on this machine has business with others here.
        may_open: is_loopback(device.token_endpoint.url())
            || addresses(codes).all(|address| address.starts_with("https:")),
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
