//! Why a flow did not end in a credential.

use std::time::Duration;

use crate::http::HttpError;
use crate::http::wire::ErrorResponse;
use crate::text::clause;

/// Which request an OAuth error answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    DeviceAuthorization,
    DevicePoll,
    /// RFC 6749 §4.1.1, answered through the browser.
    Authorization,
    CodeExchange,
    Refresh,
    /// RFC 7523 §2.1, RFC 6749 §4.4.
    Minting,
    Revocation,
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
    Key(#[from] KeyFileError),
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
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

/// Why a service account's file can't be used. No text says anything of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    #[error("it is not a JSON object")]
    NotJson,
    /// The client's file, or a user's credentials: they are used otherwise.
    #[error("its type is `{0}`, but a service account key has the type `service_account`")]
    OtherType(String),
    #[error("it is a service account key, which is for `--flow service-account --key-file`")]
    ServiceAccount,
    #[error("it has no {0}")]
    Lacks(&'static str),
    #[error("its private_key is not an RSA key in PEM format (PKCS #8)")]
    BadKey,
    /// A key goes to its own server's token endpoint, and to no other.
    #[error("its token_uri is at {named}, but the provider's token endpoint is at {configured}")]
    OtherServer { named: String, configured: String },
}

/// Why an issuer's metadata can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// Neither of the two documents is there.
    #[error("{issuer} has no metadata: {status} at {last}")]
    NotFound {
        issuer: String,
        status: u16,
        last: String,
    },
    #[error("the metadata of {issuer} is not the JSON of RFC 8414")]
    Unreadable { issuer: String },
    /// RFC 8414 §3.3: to the letter, so that no other server can pass for this one.
    #[error(
        "the metadata names the issuer {got}, but {issuer} is configured (both must be exactly the same)"
    )]
    OtherIssuer { issuer: String, got: String },
    #[error("the metadata of {issuer} has no {missing}, but this login needs it")]
    Lacks {
        issuer: String,
        missing: &'static str,
    },
    #[error("the metadata of {issuer} names an address for {name} that can't be used: {why}")]
    BadEndpoint {
        issuer: String,
        name: &'static str,
        why: String,
    },
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
