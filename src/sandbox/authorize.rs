//! The authorization endpoint: RFC 6749 §4.1.1 with RFC 7636 §4.3, and the consent.

use std::time::Instant;

use url::Url;

use super::books::codes::{Authorization, ReplyTo};
use super::client;
use super::code;
use super::desk::{Desk, Ticket, verb};
use super::device::requested_scope;
use super::message::{Asked, Params, Reply};
use super::options::Approve;
use super::pages;
use super::tokens::{Permission, Persona};
use crate::address::is_loopback;

/// The one redirect URI of "Semrush Auth": a page of Semrush's own that shows the code.
pub(super) const SEMRUSH_SUCCESS: &str = "/oauth2/success";

/// A redirect URI that counts as registered: `https`, or `http` on loopback; no fragment (RFC 6749 §3.1.2), no user.
fn registered(redirect_uri: &str) -> Option<Url> {
    let uri = Url::parse(redirect_uri).ok()?;
    let allowed = match uri.scheme() {
        "https" => true,
        "http" => is_loopback(&uri),
        _ => false,
    };
    let plain = uri.fragment().is_none() && uri.username().is_empty() && uri.password().is_none();
    (allowed && plain).then_some(uri)
}

/// The authorization endpoint (RFC 6749 §4.1.1). As long as client and redirect URI are in doubt, nobody is
/// redirected (§4.1.2.1): the user sees why.
pub(super) fn answer(
    desk: &mut Desk,
    persona: Persona,
    asked: &Asked,
    now: Instant,
) -> Result<Reply, Reply> {
    let query = &asked.query;
    let client_id = query.get("client_id").filter(|id| client::well_formed(id));
    let refuse = |why| pages::refused(persona, why);
    let client_id = client_id.ok_or_else(|| refuse("The request names no proper client_id."))?;
    let redirect_uri = query.get("redirect_uri").unwrap_or_default();
    let target = match persona {
        Persona::Semrush if redirect_uri == SEMRUSH_SUCCESS => {
            Url::parse(&format!("{}{SEMRUSH_SUCCESS}", desk.origin)).ok()
        }
        Persona::Semrush => None,
        _ => registered(redirect_uri),
    };
    let target = target.ok_or_else(|| {
        refuse("The redirect_uri of the request is not registered for this client.")
    })?;
    let reply_to = ReplyTo {
        target,
        state: query.get("state").map(str::to_owned),
        iss: (persona == Persona::Generic).then(|| desk.origin.clone()),
    };
    let (scope, code_challenge) =
        details(persona, query).map_err(|(code, why)| reply_to.error(code, why))?;
    let authorization = Authorization {
        permission: Permission {
            persona,
            client_id: Some(client_id.to_owned()),
            scope,
        },
        redirect_uri: redirect_uri.to_owned(),
        reply_to,
        code_challenge,
    };
    if desk.approve == Approve::Ask {
        let ticket = Ticket::Authorization(Box::new(authorization.clone()));
        return Ok(pages::consent(&authorization, &desk.hand_out(ticket)));
    }
    let approved = desk.approve == Approve::Auto;
    let notice = format!(
        "{} {client_id} at {} by itself",
        verb(approved),
        persona.name()
    );
    Ok(code::decide(desk, authorization, approved, now).noticed(notice))
}

/// Scope and code challenge of a request, or the error (RFC 6749 §4.1.2.1) that its redirect URI is told.
fn details(
    persona: Persona,
    query: &Params,
) -> Result<(String, Option<String>), (&'static str, &'static str)> {
    let invalid = |why| ("invalid_request", why);
    if query.repeated() {
        return Err(invalid("a parameter is given more than once"));
    }
    match query.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(("unsupported_response_type", "response_type must be code")),
        None => return Err(invalid("response_type is required")),
    }
    if persona == Persona::Ahrefs && query.get("state").is_none() {
        return Err(invalid("state is required"));
    }
    let scope = requested_scope(persona, query);
    let scope = scope.map_err(|_| ("invalid_scope", "the scope is malformed"))?;
    // The one scope that Ahrefs Connect knows.
    if persona == Persona::Ahrefs && scope != "apiv3-integration-apps" {
        return Err(("invalid_scope", "the scope must be apiv3-integration-apps"));
    }
    Ok((scope, code_challenge(persona, query).map_err(invalid)?))
}

/// RFC 7636 §4.3. Required but for "Semrush Auth", whose documentation knows nothing of it.
fn code_challenge(persona: Persona, query: &Params) -> Result<Option<String>, &'static str> {
    let Some(challenge) = query.get("code_challenge") else {
        return match persona {
            Persona::Semrush => Ok(None),
            _ => Err("code_challenge is required"),
        };
    };
    let method = query.get("code_challenge_method");
    // Ahrefs documents `s256`, and was seen to take the RFC's `S256` as well.
    let lower_case_too = persona == Persona::Ahrefs;
    if !(method == Some("S256") || lower_case_too && method == Some("s256")) {
        return Err("code_challenge_method must be S256");
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err("code_challenge must be 43 characters of base64url without padding");
    }
    Ok(Some(challenge.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_redirect_uris_count_as_registered() {
        for good in [
            "http://127.0.0.1:8976/callback",
            "http://[::1]:1/",
            "http://localhost:9/x",
            "https://a.example/x?y=1",
        ] {
            assert!(registered(good).is_some(), "{good}");
        }
        for bad in [
            "http://a.example/",
            "ftp://127.0.0.1/",
            "http://127.0.0.1/#x",
            "http://u@127.0.0.1/",
            "/x",
            "",
            "http://127.0.0.1.example/",
        ] {
            assert!(registered(bad).is_none(), "{bad}");
        }
    }
}
