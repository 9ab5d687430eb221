//! What the code of an error means: one table for logins and refreshes.

use crate::http::wire::ErrorResponse;

/// What an error asks of whoever gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// RFC 8628 §3.5: the user has not decided yet.
    Pending,
    /// RFC 8628 §3.5, and any server that was asked too often.
    SlowDown,
    /// It may pass by itself.
    Passing,
    Denied,
    /// The device code or the authorization code is good no more.
    CodeExpired,
    /// The grant, or the token, is good no more: RFC 6749 §5.2 has one code for all of them.
    GrantGone,
    InvalidClient,
    /// RFC 6749 §5.2 has it for a client that may not use the grant; some have it for a token that is none of that client's.
    UnauthorizedClient,
    InvalidRequest,
    InvalidScope,
    /// A code that nobody knows.
    Other,
    /// No code: words alone, which are outside the protocol.
    Unnamed,
}

/// Codes as servers write them, in lower case.
const TABLE: [(Meaning, &[&str]); 10] = [
    (Meaning::Pending, &["authorization_pending"]),
    (Meaning::SlowDown, &["slow_down"]),
    (
        Meaning::Passing,
        &[
            "temporarily_unavailable",
            "server_error",
            // Slack (`ratelimited`), Auth0 (`too_many_requests`), Google's `status`.
            "ratelimited",
            "rate_limited",
            "rate_limit_exceeded",
            "too_many_requests",
            "resource_exhausted",
            "unavailable",
            "internal_server_error",
            "service_unavailable",
            "timeout",
        ],
    ),
    // Microsoft has the second.
    (
        Meaning::Denied,
        &["access_denied", "authorization_declined"],
    ),
    (
        Meaning::CodeExpired,
        // Microsoft's documents have the second and third, GitHub the last.
        &[
            "expired_token",
            "code_expired",
            "bad_verification_code",
            "incorrect_device_code",
        ],
    ),
    (
        Meaning::GrantGone,
        // Slack (`invalid_refresh_token`, `token_revoked`, `token_expired`), GitHub (`bad_refresh_token`), Cloud Foundry's
        // UAA (`invalid_token`).
        &[
            "invalid_grant",
            "invalid_refresh_token",
            "bad_refresh_token",
            "expired_refresh_token",
            "refresh_token_expired",
            "refresh_token_invalid",
            "refresh_token_revoked",
            "token_revoked",
            "token_expired",
            "invalid_token",
        ],
    ),
    (
        Meaning::InvalidClient,
        // GitHub.
        &["invalid_client", "incorrect_client_credentials"],
    ),
    (Meaning::UnauthorizedClient, &["unauthorized_client"]),
    (Meaning::InvalidRequest, &["invalid_request"]),
    (Meaning::InvalidScope, &["invalid_scope"]),
];

/// What to do about errors that mean one thing at every server that has them: a word of the code or of its description. The
/// first five are Google's, as its OAuth documentation names them.
const ADVICE: [(&str, &str); 6] = [
    (
        "invalid_rapt",
        "the organisation requires people to sign in again from time to time: run the login again. For jobs, use a service account",
    ),
    (
        "admin_policy_enforced",
        "the organisation's administrator must allow this client, or these scopes: ask them to",
    ),
    (
        "org_internal",
        "the client accepts only accounts of its own organisation: sign in with such an account, or make the consent screen external",
    ),
    (
        "deleted_client",
        "the OAuth client was deleted: create a new one at the provider, and sign in with it",
    ),
    (
        "disallowed_useragent",
        "open the address in a normal browser: the provider accepts no logins from windows inside apps",
    ),
    // What Google says of an assertion's `iat` and `exp`.
    (
        "short-lived token",
        "the clock of this machine is wrong: set it, and try again",
    ),
];

impl ErrorResponse {
    /// A sentence that helps more than what is said of the code in general.
    pub fn advice(&self) -> Option<&'static str> {
        let description = self.error_description.as_deref().unwrap_or_default();
        let says = |word: &str| self.error == word || description.contains(word);
        let known = ADVICE.iter().find(|(word, _)| says(word));
        known.map(|(_, advice)| *advice)
    }

    pub fn meaning(&self) -> Meaning {
        if self.error.is_empty() {
            return Meaning::Unnamed;
        }
        let code = self.error.to_ascii_lowercase();
        let known = TABLE
            .iter()
            .find(|(_, codes)| codes.contains(&code.as_str()));
        known.map_or(Meaning::Other, |(meaning, _)| *meaning)
    }
}
