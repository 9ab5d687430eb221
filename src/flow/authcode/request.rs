//! The authorization request, RFC 6749 §4.1.1 and RFC 7636 §4.3.

use url::Url;

use super::login::Login;
use crate::flow::callback::{Expected, Issuer};
use crate::flow::loopback::Listener;
use crate::flow::{FlowError, pkce};
use crate::provider::{Code, RedirectUri};
use crate::secret::{CodeVerifier, State};

/// RFC 6749 §4.1.1, and what its answer and its exchange must agree with.
pub(super) struct AuthorizationRequest {
    /// To be shown; its `state` and `code_challenge` are the request's own.
    pub url: Url,
    /// To the letter as it is registered.
    pub redirect_uri: String,
    /// `None`: the provider has no PKCE.
    pub verifier: Option<CodeVerifier>,
    /// What the answer must look like.
    pub expected: Expected,
}

impl AuthorizationRequest {
    /// A new state and a new verifier.
    ///
    /// # Errors
    /// The client lacks its id.
    pub fn new(login: &Login<'_>) -> Result<Self, FlowError> {
        let (provider, code) = (login.provider, login.code);
        let endpoint = &code.authorization_endpoint;
        let client_id = login
            .client
            .id
            .as_deref()
            .ok_or(FlowError::NotConfigured("client_id"))?;
        let (redirect_uri, redirect) = redirect(code, login.listener.as_ref());
        let state: State = pkce::random();
        let verifier = code.code_challenge_method.as_ref().map(|_| pkce::random());
        // The state is the one secret in an address of ours, for the browser must bring it back (RFC 6749 §10.12).
        let mut parameters = vec![
            ("response_type", "code".to_owned()),
            ("client_id", client_id.to_owned()),
            ("redirect_uri", redirect_uri.clone()),
            ("state", state.expose().to_owned()),
        ];
        if !login.scope.is_empty() {
            parameters.push(("scope", login.scope.join(&provider.scope_separator)));
        }
        if let (Some(verifier), Some(method)) = (&verifier, &code.code_challenge_method) {
            parameters.push(("code_challenge", pkce::challenge(verifier)));
            parameters.push(("code_challenge_method", method.clone()));
        }
        let own = &code.token_endpoint;
        let token_endpoint = provider.token_endpoint_for(own, login.client.secret.is_some());
        let issuer = match &provider.issuer {
            Some(issuer) => Issuer::Named {
                name: issuer.name.clone(),
                always: issuer.iss_in_callback,
            },
            None => Issuer::At(vec![endpoint.url().clone(), token_endpoint.url().clone()]),
        };
        Ok(Self {
            url: with_parameters(code, &parameters),
            redirect_uri,
            verifier,
            expected: Expected {
                redirect,
                state,
                stateless: code.redirect_uri.shows_code(),
                issuer,
            },
        })
    }
}

/// The redirect URI as it is sent, and as an address.
fn redirect(code: &Code, listener: Option<&Listener>) -> (String, Url) {
    match &code.redirect_uri {
        RedirectUri::Loopback { url, text } => match listener.map(Listener::redirect_uri) {
            // Port 0 became a real one; all else stays as it was registered.
            Some(bound) if bound != url => {
                let sent = with_port(text, bound).unwrap_or_else(|| bound.to_string());
                (sent, bound.clone())
            }
            _ => (text.clone(), url.clone()),
        },
        RedirectUri::Elsewhere(text) => match Url::parse(text) {
            Ok(url) => (text.clone(), url),
            // Relative: a page of the authorization server, as Semrush has it.
            Err(_) => {
                let own = code.authorization_endpoint.url();
                let url = own.join(text).unwrap_or_else(|_| own.clone());
                (text.clone(), url)
            }
        },
    }
}

/// The text of a redirect URI, with the port of `bound` in the place of its own.
fn with_port(text: &str, bound: &Url) -> Option<String> {
    let start = text.find("://")? + "://".len();
    let length = text[start..].find(['/', '?', '#']);
    let end = length.map_or(text.len(), |length| start + length);
    let colon = start + text[start..end].rfind(':')?;
    Some(format!(
        "{}:{}{}",
        &text[..colon],
        bound.port()?,
        &text[end..]
    ))
}

/// The endpoint's own query stays (RFC 6749 §3.1), and the provider's extra parameters replace none of the protocol's.
fn with_parameters(code: &Code, own: &[(&str, String)]) -> Url {
    let mut url = code.authorization_endpoint.url().clone();
    let extra = code
        .authorization_params
        .iter()
        .filter(|(name, _)| own.iter().all(|(own, _)| own != name));
    url.query_pairs_mut().extend_pairs(own).extend_pairs(extra);
    url
}
