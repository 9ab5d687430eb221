//! The OAuth flows, RFC by RFC. They know neither terminal nor browser nor store: they tell an [`Interaction`] what to
//! show, and answer with a [`Credential`](crate::credential::Credential).

pub mod assertion;
pub mod authcode;
pub mod callback;
pub mod device;
pub mod discovery;
mod error;
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

pub use error::{DiscoveryError, FlowError, KeyFileError, Step};
pub use token::Client;

use crate::clock::Timestamp;

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
