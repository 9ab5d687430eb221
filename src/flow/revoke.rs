//! RFC 7009: the provider is told that a token is needed no more.

use std::time::Duration;

use super::error::{FlowError, Step};
use super::token::{Client, post, understand};
use crate::http::{Http, HttpError};
use crate::provider::{ClientAuth, Endpoint};

/// Nobody waits longer than this to be logged out; the credential is deleted all the same.
const DEADLINE: Duration = Duration::from_secs(10);

/// Revokes one token; `hint` is RFC 7009 §2.1's `token_type_hint`. A token that the server does not know counts (§2.2).
///
/// # Errors
/// The server could not be reached within ten seconds, or did not do it.
pub async fn revoke(
    http: &Http,
    endpoint: &Endpoint,
    auth: ClientAuth,
    client: &Client,
    token: &str,
    hint: &str,
) -> Result<(), FlowError> {
    let fields = [("token", token), ("token_type_hint", hint)];
    let answer = tokio::time::timeout(DEADLINE, post(http, endpoint, auth, client, &fields)).await;
    let reply = answer.unwrap_or_else(|_| Err(HttpError::timed_out(endpoint.url()).into()))?;
    if (200..300).contains(&reply.status) {
        // "The content of the response body is ignored by the client", §2.2.
        return Ok(());
    }
    understand(endpoint, Step::Revocation, &reply, &fields)
}
