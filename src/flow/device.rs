//! The device authorization grant, RFC 8628: ask for codes, show them, poll until the user has decided.
//!
//! What to do after each poll is [`decide`], a pure function; [`login`] is the loop that obeys it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use url::Url;

use super::token::{self, Client, Step, credential_of, understand};
use super::{DevicePrompt, FlowError, Interaction};
use crate::clock::Timestamp;
use crate::credential::Credential;
use crate::http::wire::{DeviceAuthorizationResponse, TokenResponse};
use crate::http::{Http, HttpError, Reply};
use crate::provider::Provider;
use crate::secret::DeviceCode;
use crate::text::printable;

/// RFC 8628 §3.2: "If no value is provided, clients MUST use 5 as the default."
const DEFAULT_INTERVAL: u64 = 5;
/// Zero would be a busy loop at somebody else's server.
const MIN_INTERVAL: u64 = 1;
/// A server that asks for more than a minute between polls means something else (milliseconds, mostly).
const MAX_INTERVAL: u64 = 60;
/// RFC 8628 §3.5: `slow_down` adds 5 seconds "for this and all subsequent requests".
const SLOW_DOWN: u64 = 5;
/// Semrush's codes live 300 s; so do those of a server that does not say.
const DEFAULT_LIFETIME: u64 = 300;
/// Nobody walks to another screen for more than an hour.
const MAX_LIFETIME: u64 = 3_600;
/// Back-off after lost connections stops growing here, so that an approval is seen within a minute of the line's return.
const MAX_BACKOFF: u64 = 60;
/// How often the live line is drawn.
const TICK: Duration = Duration::from_secs(1);
/// Far more than any user code that a person could type.
const MAX_USER_CODE: usize = 64;
/// Longer addresses fit no QR code and no screen.
const MAX_URI: usize = 2_000;

/// The grant type of RFC 8628 §3.4.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Signs in: shows the code through `interaction` and returns when the user has approved, or when nobody did within
/// `timeout` (or the code's own lifetime, whichever ends first).
///
/// # Errors
/// [`FlowError::Denied`], [`FlowError::CodeExpired`], [`FlowError::NobodyApproved`], or why the provider could not be asked.
pub async fn login(
    http: &Http,
    provider: &Provider,
    client: &Client,
    scope: &[String],
    timeout: Option<Duration>,
    interaction: &dyn Interaction,
) -> Result<Credential, FlowError> {
    let codes = request_codes(http, provider, client, scope).await?;
    let lifetime = Duration::from_secs(bounded_lifetime(codes.expires_in));
    let wait = timeout.map_or(lifetime, |timeout| timeout.min(lifetime));
    let mut schedule = Schedule::new(codes.interval);
    let prompt = prompt(provider, &codes, &schedule, wait);
    interaction.device_code(&prompt);
    if !prompt.may_open {
        interaction.warn(&format!(
            "{} is not an address of {}; go there only if you know it",
            prompt.verification_uri, provider.title
        ));
    }
    let deadline = Instant::now() + wait;
    let (token, reply) = poll(
        http,
        provider,
        client,
        &codes.device_code,
        &mut schedule,
        deadline,
        interaction,
    )
    .await?
    .ok_or(if wait < lifetime {
        FlowError::NobodyApproved {
            seconds: wait.as_secs(),
        }
    } else {
        FlowError::CodeExpired
    })?;
    Ok(credential_of(provider, client, scope, token, &reply))
}

/// RFC 8628 §3.1 and §3.2. `client_id` is sent where there is one: Semrush knows none.
async fn request_codes(
    http: &Http,
    provider: &Provider,
    client: &Client,
    scope: &[String],
) -> Result<DeviceAuthorizationResponse, FlowError> {
    let endpoint = provider
        .device_authorization_endpoint
        .as_ref()
        .ok_or(FlowError::MissingEndpoint("device_authorization_endpoint"))?;
    let scope = scope.join(&provider.scope_separator);
    let mut fields = Vec::new();
    if !scope.is_empty() {
        fields.push(("scope", scope.as_str()));
    }
    let reply = token::post(http, endpoint, provider.client_auth, client, &fields).await?;
    understand(endpoint, Step::DeviceAuthorization, &reply)
}

/// Polls until the user has decided; `None` when the deadline passed first.
async fn poll(
    http: &Http,
    provider: &Provider,
    client: &Client,
    device_code: &DeviceCode,
    schedule: &mut Schedule,
    deadline: Instant,
    interaction: &dyn Interaction,
) -> Result<Option<(TokenResponse, Reply)>, FlowError> {
    let endpoint = provider.token_endpoint_for(client.secret.is_some());
    let fields = [
        ("grant_type", GRANT_TYPE),
        ("device_code", device_code.expose()),
    ];
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
        let request = token::request(
            http,
            endpoint,
            provider.client_auth,
            client,
            Step::DevicePoll,
            &fields,
        );
        // A hung request must not outlive the code.
        let answer = match tokio::time::timeout_at(deadline, request).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::TimedOut {
                host: crate::http::error::host_of(endpoint.url()),
            }
            .into()),
        };
        match answer {
            Ok(token) => return Ok(Some(token)),
            Err(error) => match decide(&error, schedule) {
                Decision::Wait { seconds, troubled } => {
                    wait = Duration::from_secs(seconds);
                    trouble = troubled.then_some(error);
                }
                Decision::Denied => return Err(FlowError::Denied),
                Decision::Expired => return Err(FlowError::CodeExpired),
                Decision::Fail => return Err(error),
            },
        }
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

/// How often to poll, and how often in a row the line broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Schedule {
    interval: u64,
    broken: u32,
}

impl Schedule {
    fn new(interval: Option<u64>) -> Self {
        let interval = interval
            .unwrap_or(DEFAULT_INTERVAL)
            .clamp(MIN_INTERVAL, MAX_INTERVAL);
        Self {
            interval,
            broken: 0,
        }
    }
}

/// What follows from an answer that brought no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Poll again after so many seconds; `troubled` where the provider failed rather than the user waited.
    Wait {
        seconds: u64,
        troubled: bool,
    },
    Denied,
    Expired,
    Fail,
}

/// RFC 8628 §3.5, by the error that a poll gave. Changes the schedule where the RFC says "for all subsequent requests".
fn decide(error: &FlowError, schedule: &mut Schedule) -> Decision {
    match error {
        FlowError::Http(
            HttpError::Setup { .. } | HttpError::Tls { .. } | HttpError::BodyTooLarge { .. },
        ) => Decision::Fail,
        // "On encountering a connection timeout, clients MUST unilaterally reduce their polling frequency […] exponential
        // backoff".
        FlowError::Http(_) => {
            schedule.broken = schedule.broken.saturating_add(1);
            let factor = 2_u64.saturating_pow(schedule.broken);
            let seconds = schedule
                .interval
                .saturating_mul(factor)
                .min(MAX_BACKOFF.max(schedule.interval));
            Decision::Wait {
                seconds,
                troubled: true,
            }
        }
        FlowError::Overloaded { retry_after, .. } => {
            let asked = retry_after.map_or(0, |span| span.as_secs());
            Decision::Wait {
                seconds: schedule.interval.max(asked),
                troubled: true,
            }
        }
        FlowError::Refused { error, .. } => {
            schedule.broken = 0;
            match error.error.as_str() {
                "authorization_pending" => Decision::Wait {
                    seconds: schedule.interval,
                    troubled: false,
                },
                "slow_down" => {
                    schedule.interval = schedule.interval.saturating_add(SLOW_DOWN);
                    Decision::Wait {
                        seconds: schedule.interval,
                        troubled: false,
                    }
                }
                "access_denied" => Decision::Denied,
                "expired_token" => Decision::Expired,
                _ => Decision::Fail,
            }
        }
        _ => Decision::Fail,
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

/// Whether an address that a server named is one of the provider's: `https` (or loopback, where the provider itself is
/// there), on the domain of one of its endpoints.
fn belongs_to(provider: &Provider, uri: &str) -> bool {
    let Ok(uri) = Url::parse(uri) else {
        return false;
    };
    let endpoints = [
        &provider.device_authorization_endpoint,
        &provider.authorization_endpoint,
    ];
    let mut known = endpoints
        .into_iter()
        .flatten()
        .chain([&provider.token_endpoint])
        .map(|endpoint| endpoint.url());
    match uri.scheme() {
        "https" => known.any(|known| same_site(known, &uri)),
        "http" => known.any(|known| known.origin() == uri.origin()),
        _ => false,
    }
}

/// Whether two hosts share their registrable domain. Two labels make one, or three under a country's second level
/// (`co.uk`, `com.br`): the full public suffix list is not worth its size for a warning.
fn same_site(a: &Url, b: &Url) -> bool {
    match (a.domain(), b.domain()) {
        (Some(a), Some(b)) => site(a) == site(b),
        _ => a.host() == b.host(),
    }
}

fn site(domain: &str) -> Vec<&str> {
    let labels: Vec<&str> = domain.trim_end_matches('.').rsplit('.').collect();
    let second_level = labels.len() > 2 && labels[0].len() == 2 && labels[1].len() <= 3;
    labels
        .into_iter()
        .take(if second_level { 3 } else { 2 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::wire::ErrorResponse;
    use crate::provider::semrush;

    fn refused(code: &str) -> FlowError {
        let error = ErrorResponse {
            error: code.into(),
            error_description: None,
        };
        FlowError::Refused {
            step: Step::DevicePoll,
            error,
        }
    }

    fn lost() -> FlowError {
        HttpError::TimedOut {
            host: "as.example".into(),
        }
        .into()
    }

    #[test]
    fn slow_down_adds_five_seconds_for_good() {
        let mut schedule = Schedule::new(Some(5));
        assert_eq!(
            decide(&refused("slow_down"), &mut schedule),
            Decision::Wait {
                seconds: 10,
                troubled: false
            }
        );
        assert_eq!(
            decide(&refused("slow_down"), &mut schedule),
            Decision::Wait {
                seconds: 15,
                troubled: false
            }
        );
        let pending = decide(&refused("authorization_pending"), &mut schedule);
        assert_eq!(
            pending,
            Decision::Wait {
                seconds: 15,
                troubled: false
            }
        );
    }

    #[test]
    fn lost_connections_back_off_and_recover() {
        let mut schedule = Schedule::new(Some(5));
        let waits: Vec<Decision> = (0..5).map(|_| decide(&lost(), &mut schedule)).collect();
        let seconds = [10, 20, 40, 60, 60];
        assert_eq!(
            waits,
            seconds.map(|seconds| Decision::Wait {
                seconds,
                troubled: true
            })
        );
        let pending = decide(&refused("authorization_pending"), &mut schedule);
        assert_eq!(
            pending,
            Decision::Wait {
                seconds: 5,
                troubled: false
            }
        );
    }

    #[test]
    fn an_overloaded_server_is_asked_again_when_it_says() {
        let mut schedule = Schedule::new(Some(5));
        for (asked, seconds) in [(None, 5), (Some(2), 5), (Some(30), 30)] {
            let retry_after = asked.map(Duration::from_secs);
            let error = FlowError::Overloaded {
                host: String::new(),
                status: 503,
                retry_after,
            };
            assert_eq!(
                decide(&error, &mut schedule),
                Decision::Wait {
                    seconds,
                    troubled: true
                }
            );
        }
    }

    #[test]
    fn the_users_decision_and_the_rest_end_it() {
        let mut schedule = Schedule::new(None);
        assert_eq!(schedule.interval, 5);
        assert_eq!(
            decide(&refused("access_denied"), &mut schedule),
            Decision::Denied
        );
        assert_eq!(
            decide(&refused("expired_token"), &mut schedule),
            Decision::Expired
        );
        assert_eq!(
            decide(&refused("invalid_grant"), &mut schedule),
            Decision::Fail
        );
        let page = FlowError::Unreadable {
            host: String::new(),
            status: 200,
            content: "a web page",
        };
        assert_eq!(decide(&page, &mut schedule), Decision::Fail);
    }

    #[test]
    fn odd_intervals_and_lifetimes_are_bounded() {
        for (given, used) in [(None, 5), (Some(0), 1), (Some(7), 7), (Some(5_000), 60)] {
            assert_eq!(Schedule::new(given).interval, used);
        }
        for (given, used) in [
            (None, 300),
            (Some(0), 300),
            (Some(60), 60),
            (Some(u64::MAX), 3_600),
        ] {
            assert_eq!(bounded_lifetime(given), used);
        }
    }

    #[test]
    fn only_the_providers_own_addresses_are_opened() {
        let semrush = semrush::definition().unwrap();
        for own in [
            "https://oauth.semrush.com/dag/auth/verify_code?code=A",
            "https://www.semrush.com/device",
        ] {
            assert!(belongs_to(&semrush, own), "{own}");
        }
        for foreign in [
            "http://oauth.semrush.com/dag",
            "https://semrush.com.evil.example/",
            "https://evilsemrush.com/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "http://127.0.0.1/",
            "",
        ] {
            assert!(!belongs_to(&semrush, foreign), "{foreign}");
        }
    }

    #[test]
    fn a_countrys_second_level_is_no_site() {
        assert_eq!(site("a.example.co.uk"), site("b.example.co.uk"));
        assert_ne!(site("one.co.uk"), site("two.co.uk"));
    }
}
