//! The token request that every grant ends with (RFC 6749 §3.2), and what its answer means.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::credential::{Credential, Renewal};
use crate::http::error::host_of;
use crate::http::trace::unsaid;
use crate::http::wire::{self, Answer, ErrorResponse, Shape, TokenResponse};
use crate::http::{BasicAuth, Http, Reply};
use crate::provider::{ClientAuth, Endpoint, Provider};
use crate::secret::ClientSecret;
use crate::text::printable;

use super::error::{FlowError, Step};
use super::refusal::Meaning;

/// Who asks: the client as it stands in this request.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// `client_id`, where the provider knows any.
    pub id: Option<String>,
    /// `client_secret`, where one was issued.
    pub secret: Option<ClientSecret>,
}

/// Clocks that differ by no more than this are equal: `Date` has whole seconds, and the answer travelled.
const SKEW_NOISE_SECONDS: i64 = 2;

/// Error codes are short words: more than any RFC's has.
pub(super) const MAX_ERROR: usize = 64;
/// Descriptions of errors have a line or two.
pub(super) const MAX_DESCRIPTION: usize = 200;

/// Far more than `Bearer`, or any other type that is registered (RFC 6749 §11.1).
pub const MAX_TOKEN_TYPE: usize = 32;

/// Longer addresses are cut where they are shown.
const MAX_ADDRESS: usize = 200;

/// Scopes are names or addresses; Google's longest has 70 characters.
const MAX_SCOPE: usize = 200;
/// OpenID Connect Core §2 has 255 characters at most.
const MAX_SUBJECT: usize = 255;

/// The longest lifetime that is believed, 100 years: keeps sums within range, whatever a server sends.
const MAX_LIFETIME_SECONDS: u64 = 100 * 366 * 86_400;

/// Sends a request with the client's proof and decides by the body.
///
/// # Errors
/// No answer, an OAuth error, or an answer outside the protocol.
pub async fn request<T: Shape>(
    http: &Http,
    endpoint: &Endpoint,
    auth: ClientAuth,
    client: &Client,
    step: Step,
    fields: &[(&str, &str)],
) -> Result<(T, Reply), FlowError> {
    let reply = post(http, endpoint, auth, client, fields).await?;
    // Only to be searched for in the server's words: the secret as it may have stood in the form, and in the header.
    let mut sent = fields.to_vec();
    let both = client.id.as_ref().zip(client.secret.as_ref());
    let proof = both.map(|(id, secret)| BasicAuth { id, secret }.credentials());
    let secrets = client.secret.iter().map(ClientSecret::expose);
    let secrets = secrets.chain(proof.iter().map(|proof| proof.as_str()));
    sent.extend(secrets.map(|secret| ("client_secret", secret)));
    Ok((understand(endpoint, step, &reply, &sent)?, reply))
}

/// Sends a form with the client's identification, RFC 6749 §2.3.1 and §3.2.1.
///
/// # Errors
/// No answer.
pub async fn post(
    http: &Http,
    endpoint: &Endpoint,
    auth: ClientAuth,
    client: &Client,
    fields: &[(&str, &str)],
) -> Result<Reply, FlowError> {
    let mut fields = fields.to_vec();
    let mut basic = None;
    match (auth, &client.id, &client.secret) {
        (ClientAuth::Basic, Some(id), Some(secret)) => basic = Some(BasicAuth { id, secret }),
        (_, id, secret) => {
            fields.extend(id.as_deref().map(|id| ("client_id", id)));
            let posted = secret.as_ref().filter(|_| auth != ClientAuth::None);
            fields.extend(posted.map(|secret| ("client_secret", secret.expose())));
        }
    }
    Ok(http.post_form(endpoint.url(), &fields, basic).await?)
}

/// What an answer with this status and body means; `sent` is kept out of its error, for servers repeat codes and tokens.
///
/// # Errors
/// It means no success.
pub fn understand<T: Shape>(
    endpoint: &Endpoint,
    step: Step,
    reply: &Reply,
    sent: &[(&str, &str)],
) -> Result<T, FlowError> {
    let (host, status) = (host_of(endpoint.url()), reply.status);
    // No server of this protocol answers 407 and 408, but the proxies before it do.
    let overloaded = matches!(status, 407 | 408 | 429 | 500..);
    if let Some(to) = &reply.redirect {
        let to = printable(to, MAX_ADDRESS);
        return Err(FlowError::Redirected { step, host, to });
    }
    let refused = match wire::read(status, &reply.content_type, &reply.body) {
        Answer::Success(success) => return Ok(success),
        Answer::Refused(error) => Some(error),
        Answer::Unreadable => None,
    };
    let is_final = |error: &ErrorResponse| step == Step::DevicePoll && is_decision(error, reply);
    match refused {
        Some(error) if !overloaded || is_final(&error) => Err(FlowError::Refused {
            step,
            error: cleaned(error, sent),
        }),
        _ if overloaded => Err(FlowError::Overloaded {
            host,
            status,
            retry_after: reply.retry_after,
        }),
        _ => Err(FlowError::Unreadable {
            host,
            status,
            content: content_of(reply),
        }),
    }
}

/// What RFC 8628 §3.5 has a poll answered with decides whatever the status, but for a server that also names a time to come
/// again.
fn is_decision(error: &ErrorResponse, reply: &Reply) -> bool {
    match error.meaning() {
        Meaning::Denied | Meaning::CodeExpired => true,
        Meaning::Pending | Meaning::SlowDown => reply.retry_after.is_none(),
        _ => false,
    }
}

fn content_of(reply: &Reply) -> &'static str {
    let begins_with = |c| reply.body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&c);
    if reply.body.iter().all(u8::is_ascii_whitespace) {
        "an empty body"
    } else if reply.content_type.starts_with("text/html") || begins_with(b'<') {
        "a web page"
    } else if begins_with(b'{') {
        "JSON that is cut or of another kind"
    } else {
        "something else"
    }
}

/// An error's words without control characters, and without the secrets in `sent`.
fn cleaned(error: ErrorResponse, sent: &[(&str, &str)]) -> ErrorResponse {
    let clean = |text: &str, max| printable(&unsaid(text, sent), max);
    ErrorResponse {
        error: clean(&error.error, MAX_ERROR),
        error_description: error
            .error_description
            .map(|text| clean(&text, MAX_DESCRIPTION)),
    }
}

/// The credential of a first login.
///
/// `asked` is the scope that was asked for, and counts as granted where the answer names none (RFC 6749 §5.1).
///
/// # Errors
/// [`FlowError::TokenType`].
pub fn credential_of(
    provider: &Provider,
    endpoint: &Endpoint,
    client: &Client,
    asked: &[String],
    token: TokenResponse,
    reply: &Reply,
) -> Result<Credential, FlowError> {
    check_type(&token)?;
    let login = Credential {
        scope: asked.to_vec(),
        subject: token.id_token.as_deref().and_then(subject),
        token_endpoint: endpoint.to_string(),
        revocation_endpoint: provider
            .revocation_endpoint
            .as_ref()
            .map(ToString::to_string),
        client_id: client.id.clone(),
        ..Credential::default()
    };
    Ok(renewed(&login, token, reply.date))
}

/// The credential after a refresh that the server answered at `server_time`. The old refresh token stays where no new one
/// came, and the old scope where none is named (RFC 6749 §6); a named one may be narrower. Where the login was made, and by
/// which client, stays as it was.
pub fn renewed(
    old: &Credential,
    token: TokenResponse,
    server_time: Option<Timestamp>,
) -> Credential {
    let (obtained_at, clock_skew) = server_clock(Timestamp::now(), server_time);
    let asked = [old.scope.as_slice(), &old.missing_scope].concat();
    let scope = granted(token.scope, &old.scope);
    let kept = || {
        old.refresh
            .as_ref()
            .map(|renewal| renewal.refresh_token.clone())
    };
    // A server that names no date means the one of before: most count from the user's consent.
    let before = old.refresh.as_ref().and_then(|renewal| renewal.expires_at);
    let expires_at = expiry(obtained_at, token.refresh_token_expires_in).or(before);
    let refresh = token.refresh_token.or_else(kept);
    let refresh = refresh.map(|refresh_token| Renewal {
        expires_at,
        ..Renewal::fresh(refresh_token)
    });
    Credential {
        expires_at: expiry(obtained_at, token.expires_in),
        access_token: token.access_token,
        token_type: printable(&token.token_type, MAX_TOKEN_TYPE),
        missing_scope: missing(&asked, &scope, refresh.is_some()),
        scope,
        obtained_at,
        clock_skew,
        refresh,
        ..old.clone()
    }
}

/// The `sub` of an id token. Its signature isn't looked at: it came over TLS from the token endpoint (OpenID Connect Core
/// §3.1.3.7, point 6), and it decides nothing but a question to the user.
fn subject(id_token: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Claims {
        sub: String,
    }
    let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(printable(&claims.sub, MAX_SUBJECT))
}

/// Whether a token can be used, at a login and at a refresh alike.
///
/// # Errors
/// [`FlowError::TokenType`].
pub(super) fn check_type(token: &TokenResponse) -> Result<(), FlowError> {
    let token_type = printable(&token.token_type, MAX_TOKEN_TYPE);
    match is_bearer(&token_type) {
        true => Ok(()),
        false => Err(FlowError::TokenType(token_type)),
    }
}

/// RFC 6749 §7.1: a token of a type that is not understood must not be used; §5.1: the type is the same in any case.
pub fn is_bearer(token_type: &str) -> bool {
    token_type.eq_ignore_ascii_case(&wire::bearer())
}

/// The scope that was granted: the server's words, cleaned, or `asked` where it is silent (RFC 6749 §5.1).
pub fn granted(named: Option<Vec<String>>, asked: &[String]) -> Vec<String> {
    let clean = |scope: &String| printable(scope, MAX_SCOPE);
    named.map_or_else(|| asked.to_vec(), |named| named.iter().map(clean).collect())
}

/// What of `asked` was not granted (RFC 6749 §3.3). A server that writes a scope in its own way has granted it: in other case,
/// or as an address that ends in it (Microsoft); and one that issued a refresh token may leave `offline_access` out.
pub(super) fn missing(asked: &[String], granted: &[String], renewable: bool) -> Vec<String> {
    let is_granted = |wanted: &str| {
        renewable && wanted == "offline_access"
            || granted.iter().any(|scope| {
                scope.eq_ignore_ascii_case(wanted) || scope.rsplit('/').next() == Some(wanted)
            })
    };
    let missing = asked.iter().filter(|wanted| !is_granted(wanted));
    missing.cloned().collect()
}

/// The server's time and its distance from ours in seconds; ours where it told none.
pub fn server_clock(local: Timestamp, server: Option<Timestamp>) -> (Timestamp, i64) {
    match server.map(|server| server.seconds_since(local)) {
        Some(skew) if skew.abs() > SKEW_NOISE_SECONDS => (local.plus(skew), skew),
        _ => (local, 0),
    }
}

/// When a token expires that lives for `expires_in` seconds.
pub fn expiry(obtained_at: Timestamp, expires_in: Option<u64>) -> Option<Timestamp> {
    expires_in.map(|seconds| obtained_at.plus(seconds.min(MAX_LIFETIME_SECONDS).cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::TokenEndpoint;
    use crate::secret::Secret;

    #[test]
    fn a_public_client_sends_no_secret_even_where_there_is_one() {
        for (auth, sent) in [(ClientAuth::None, false), (ClientAuth::Unset, true)] {
            let server = TokenEndpoint::answering("200 OK", "{}");
            let endpoint = Endpoint::parse(server.origin.as_str()).unwrap();
            let (http, client) = (
                Http::new(None),
                Client {
                    id: Some("id".into()),
                    secret: Some(Secret::new("hush".into())),
                },
            );
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let reply = runtime.block_on(post(&http, &endpoint, auth, &client, &[]));
            assert!(reply.is_ok());
            let form = server.form();
            assert!(form.iter().any(|(name, _)| name == "client_id"));
            assert_eq!(form.iter().any(|(name, _)| name == "client_secret"), sent);
        }
    }

    #[test]
    fn a_second_of_difference_is_no_skew() {
        let local = Timestamp::from_epoch(1_000);
        assert_eq!(server_clock(local, Some(local.plus(1))), (local, 0));
        assert_eq!(server_clock(local, None), (local, 0));
        assert_eq!(
            server_clock(local, Some(local.plus(-7_200))),
            (local.plus(-7_200), -7_200)
        );
    }

    #[test]
    fn a_scope_that_is_written_in_another_way_is_granted() {
        let list = |text: &str| wire::split_scope(text);
        for (asked, granted, renewable, lacks) in [
            ("a b", "a b", false, ""),
            ("a b", "b", false, "a"),
            ("a b c", "b d", false, "a c"),
            ("mail.read", "Mail.Read", false, ""),
            ("Mail.Read", "https://graph.example/Mail.Read", false, ""),
            ("read", "admin.read", false, "read"),
            ("a offline_access", "a", true, ""),
            ("a offline_access", "a", false, "offline_access"),
            ("", "a", false, ""),
        ] {
            let missing = missing(&list(asked), &list(granted), renewable);
            assert_eq!(missing, list(lacks), "{asked}: {granted}");
        }
    }

    #[test]
    fn absurd_lifetimes_stay_in_range() {
        let expires_at = expiry(Timestamp::from_epoch(0), Some(u64::MAX)).unwrap();
        assert_eq!(expires_at.epoch(), MAX_LIFETIME_SECONDS.cast_signed());
        assert_eq!(expiry(Timestamp::from_epoch(0), None), None);
    }
}
