//! The code becomes a token, RFC 6749 §4.1.3; asked for again where the server can't have spent the code.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::login::Login;
use super::request::AuthorizationRequest;
use crate::credential::Credential;
use crate::flow::refusal::Meaning;
use crate::flow::token::{self, credential_of};
use crate::flow::{FlowError, Interaction, Step};
use crate::http::HttpError;
use crate::http::proxy::ProxyTrouble;
use crate::secret::AuthorizationCode;

/// For all requests and waits. RFC 6749 §4.1.2 recommends that codes live for 10 minutes at most; at Okta and Keycloak they
/// live for one, of which the browser's way here takes a part.
const DEADLINE: Duration = Duration::from_secs(30);
/// Five in all: with the waits between them, a restart of some seconds is bridged.
const MAX_SENT: u32 = 5;
/// The first wait, doubled for each next one: most hiccups last less than a second.
const FIRST_WAIT: Duration = Duration::from_millis(500);

impl Login<'_> {
    /// # Errors
    /// The last failure.
    pub(super) async fn exchange(
        &self,
        code: &AuthorizationCode,
        request: &AuthorizationRequest,
        interaction: &dyn Interaction,
    ) -> Result<Credential, FlowError> {
        let deadline = Instant::now() + DEADLINE;
        let mut sent = 1;
        loop {
            let error = match self.exchange_once(code, request).await {
                Err(error) => error,
                exchanged => return exchanged,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(wait) = again(&error, sent, left) else {
                return Err(error);
            };
            if sent == 1 {
                interaction.warn(&format!(
                    "{error}; the login is approved, so seo-auth requests the token again"
                ));
            }
            sleep(wait).await;
            sent += 1;
        }
    }

    async fn exchange_once(
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
        let own = &self.code.token_endpoint;
        let has_secret = self.client.secret.is_some();
        let endpoint = self.provider.token_endpoint_for(own, has_secret);
        let (token, reply) = token::request(
            self.http,
            endpoint,
            self.provider.client_auth,
            self.client,
            Step::CodeExchange,
            &fields,
        )
        .await?;
        let (provider, client) = (self.provider, self.client);
        credential_of(provider, endpoint, client, self.scope, token, &reply)
    }
}

/// How long to wait before the code is sent again; `None`: it may be spent, it is refused, or the time is up. A server
/// must refuse a code that is used twice, and should then revoke what it gave for it (RFC 6749 §4.1.2): so a line that broke
/// after the request was sent is no reason to try again, and neither is a gateway that waited in vain.
fn again(error: &FlowError, sent: u32, left: Duration) -> Option<Duration> {
    let asked = match error {
        FlowError::Overloaded {
            status: 429 | 503,
            retry_after,
            ..
        } => retry_after.unwrap_or_default(),
        FlowError::Refused { error, .. }
            if matches!(error.meaning(), Meaning::Passing | Meaning::SlowDown) =>
        {
            Duration::ZERO
        }
        // No connection, so nothing was sent.
        FlowError::Http(
            HttpError::Refused { .. }
            | HttpError::Dns { .. }
            | HttpError::Proxy {
                trouble: ProxyTrouble::Refuses,
                ..
            },
        ) => Duration::ZERO,
        _ => return None,
    };
    let backoff = FIRST_WAIT * 2_u32.saturating_pow(sent.saturating_sub(1));
    let wait = asked.max(backoff);
    (sent < MAX_SENT && wait < left).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::wire::ErrorResponse;

    fn overloaded(status: u16, retry_after: Option<u64>) -> FlowError {
        FlowError::Overloaded {
            host: "as.example".into(),
            status,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn refused(code: &str) -> FlowError {
        FlowError::Refused {
            step: Step::CodeExchange,
            error: ErrorResponse {
                error: code.into(),
                error_description: None,
            },
        }
    }

    fn host() -> String {
        "as.example".into()
    }

    #[test]
    fn the_code_is_sent_again_where_it_can_not_be_spent() {
        let proxy = |trouble| HttpError::Proxy {
            proxy: "proxy.example:8080".into(),
            host: host(),
            trouble,
        };
        let reason = String::new();
        for (error, repeated) in [
            (overloaded(503, None), true),
            (overloaded(429, None), true),
            (refused("temporarily_unavailable"), true),
            (HttpError::Refused { host: host() }.into(), true),
            (HttpError::Dns { host: host() }.into(), true),
            (proxy(ProxyTrouble::Refuses).into(), true),
            (proxy(ProxyTrouble::WantsPassword).into(), false),
            (overloaded(500, None), false),
            (overloaded(502, None), false),
            (overloaded(504, None), false),
            (refused("invalid_grant"), false),
            (HttpError::TimedOut { host: host() }.into(), false),
            (
                HttpError::Broken {
                    host: host(),
                    reason,
                }
                .into(),
                false,
            ),
        ] {
            let wait = again(&error, 1, DEADLINE);
            assert_eq!(wait, repeated.then_some(FIRST_WAIT), "{error}");
        }
    }

    #[test]
    fn waits_grow_to_what_the_server_asks_for_and_end() {
        for (retry_after, sent, left, wait) in [
            (None, 2, 30, Some(1)),
            (None, 4, 30, Some(4)),
            (None, 5, 30, None),
            (None, 4, 4, None),
            (Some(1), 1, 30, Some(1)),
            (Some(20), 1, 30, Some(20)),
            (Some(30), 1, 30, None),
        ] {
            let error = overloaded(503, retry_after);
            let found = again(&error, sent, Duration::from_secs(left));
            assert_eq!(found, wait.map(Duration::from_secs), "{sent} {left}");
        }
    }
}
