//! The OAuth flows, RFC by RFC. They know neither terminal nor browser nor store: they tell an [`Interaction`] what to
//! show, and answer with a [`Credential`](crate::credential::Credential).

pub mod assertion;
pub mod authcode;
pub mod callback;
pub mod device;
pub mod discovery;
pub mod loopback;
mod page;
mod pkce;
pub mod refresh;
pub mod refusal;
pub mod revoke;
#[cfg(test)]
mod testing;
pub mod token;

use std::time::Duration;

pub use token::{Client, Step};

use crate::clock::Timestamp;
use crate::http::HttpError;
use crate::http::wire::ErrorResponse;
use crate::text::clause;

/// What a flow wants the user to see. Every text in it is safe to print.
pub trait Interaction {
    /// Show the user code and where to enter it, RFC 8628 §3.3.
    fn device_code(&self, prompt: &DevicePrompt);
    /// Show the address at which the user approves, RFC 6749 §4.1.1.
    fn authorization_url(&self, prompt: &AuthorizationPrompt);
    /// Still waiting; called about once a second. `trouble` says what keeps the provider from answering.
    fn waiting(&self, left: Duration, trouble: Option<&str>);
    /// Something that the user should know.
    fn warn(&self, text: &str);
}

/// What RFC 8628 §3.3 has the user see.
#[derive(Clone, Debug)]
pub struct DevicePrompt {
    /// To compare, or to type.
    pub user_code: String,
    pub verification_uri: String,
    /// The same with the code inside, where there is one.
    pub verification_uri_complete: Option<String>,
    /// When the code expires.
    pub expires_at: Timestamp,
    /// Seconds between two polls.
    pub interval: u64,
    /// Whether a browser may be sent there unasked.
    pub may_open: bool,
}

impl DevicePrompt {
    /// The address to open: with the code inside where there is one (RFC 8628 §3.3.1).
    pub fn best_uri(&self) -> &str {
        self.verification_uri_complete
            .as_deref()
            .unwrap_or(&self.verification_uri)
    }
}

/// What the user needs for the authorization code grant.
#[derive(Clone, Debug)]
pub struct AuthorizationPrompt {
    /// The authorization request; its `state` and `code_challenge` are the request's own.
    pub url: String,
    /// Where the browser will end.
    pub redirect_uri: String,
    /// When we stop waiting.
    pub expires_at: Timestamp,
    /// Whether the user must paste the address, since nobody listens at the redirect URI.
    pub paste_only: bool,
    /// Whether the browser ends on a page that shows the code alone, which then may be pasted.
    pub stateless: bool,
}

/// Why a login or a refresh did not end in a credential.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server answered with an OAuth error.
    #[error("{}", describe(.error))]
    Refused {
        step: Step,
        /// The server's words, cleaned.
        error: ErrorResponse,
    },
    /// The server, or what stands before it, can't work for now.
    #[error("{}", overload(.host, *.status))]
    Overloaded {
        host: String,
        status: u16,
        /// When to come again.
        retry_after: Option<Duration>,
    },
    /// Not an answer of this protocol.
    #[error("{host} answered with {content} (HTTP {status}) instead of JSON")]
    Unreadable {
        host: String,
        status: u16,
        /// What it was: "a web page", "an empty body", …
        content: &'static str,
    },
    /// A redirect of a token or device endpoint is not followed: what it would be given is secret.
    #[error(
        "{host} redirects to {to}, but seo-auth sends codes and tokens only to configured addresses"
    )]
    Redirected {
        step: Step,
        host: String,
        /// Where it points, without its query.
        to: String,
    },
    /// Nobody is sent to an address that isn't `https`, or `http` on loopback.
    #[error("{address} is not an https address, so seo-auth does not open it")]
    UnsafeAddress {
        /// Cleaned and cut.
        address: String,
    },
    /// The server issued a token that is used in another way than as a bearer token.
    #[error("the token has the type `{0}`, but seo-auth supports only Bearer tokens")]
    TokenType(String),
    /// The user said no.
    #[error("the request was denied")]
    Denied,
    /// The device code or the authorization code expired.
    #[error("the code expired before it was approved")]
    CodeExpired,
    /// Nobody approved within the time that we wait.
    #[error("nobody approved within {}", crate::clock::describe_span(.seconds.cast_signed()))]
    NobodyApproved {
        /// How long we waited, in seconds.
        seconds: u64,
    },
    /// RFC 9207: the answer came from another authorization server.
    #[error("the answer names the issuer {got}, but this login was started at {expected}")]
    IssuerMismatch { expected: String, got: String },
    /// RFC 9207 §2.4: the metadata promises an `iss`, and none came.
    #[error("the answer names no issuer, but {expected} always names itself")]
    IssuerMissing { expected: String },
    /// A key that could sign when it was stored, and can't now.
    #[error("the service account's key can't be used: {0}")]
    Key(#[from] assertion::KeyFileError),
    #[error(transparent)]
    Discovery(#[from] discovery::DiscoveryError),
    /// The provider has answered, and not as RFC 6749 §4.1.2 has it: waiting on would be for nothing.
    #[error("the browser returned {0}")]
    BadCallback(&'static str),
    /// The callback listener ended, and there is no terminal to paste into.
    #[error("the listener at {address} ended ({reason}), so the browser's answer can't arrive")]
    ListenerDied {
        address: String,
        /// What the system said.
        reason: String,
    },
    /// Nobody listens at the redirect URI, and the input ended before a usable address was pasted.
    #[error("{}", .trouble.as_deref().unwrap_or("the input ended before the address was pasted"))]
    NothingPasted {
        /// What was wrong with the last line that was pasted.
        trouble: Option<String>,
    },
    /// The provider's definition lacks what this flow needs.
    #[error("no {0} is configured")]
    NotConfigured(&'static str),
}

fn overload(host: &str, status: u16) -> String {
    let what = match status {
        // Of what stands between: RFC 9110 §15.5.8 and §15.5.9, RFC 6585 §6.
        407 => format!("a proxy before {host} wants a user name and a password"),
        408 => format!("a proxy before {host} timed out"),
        511 => format!("this network requires a sign-in before you can reach {host}"),
        _ => format!("{host} is overloaded or failing"),
    };
    format!("{what} (HTTP {status})")
}

/// The server's words, for the middle of a sentence.
fn describe(error: &ErrorResponse) -> String {
    let description = clause(error.error_description.as_deref().unwrap_or_default());
    match (error.error.as_str(), description) {
        ("", description) => description.to_owned(),
        (code, "") => code.to_owned(),
        (code, description) => format!("{code} ({description})"),
    }
}
