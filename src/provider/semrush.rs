//! Semrush, API v4: the device authorization grant of RFC 8628 with no `client_id` and comma-separated scopes; and, for
//! clients that Semrush's support issued a secret to, the "Semrush Auth" code flow.
//!
//! Source: Semrush's API documentation, "OAuth 2.0 Device Authorization Grant" and "Semrush Auth".

use std::time::Duration;

use super::{DefinitionError, Endpoint, Envelope, Grant, Provider, Quirks, RedirectUri};
use crate::credential::Name;

/// "The refresh token is valid for 30 days", renewed with each refresh (documentation).
const REFRESH_TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// 10 requests a second (documentation).
const REQUESTS_PER_MINUTE: u32 = 600;

/// Scopes that Semrush's documentation and clients in the field show.
const KNOWN_SCOPES: &[&str] = &[
    "user.id",
    "user.limits",
    "domains.info",
    "url.info",
    "backlinks.info",
    "subfolders.info",
    "projects.info",
    "positiontracking.info",
    "siteaudit.info",
];

/// Semrush as it is documented.
///
/// # Errors
/// Never, or a test fails.
pub fn definition() -> Result<Provider, DefinitionError> {
    let at = Endpoint::parse;
    let name: Name = "semrush".parse()?;
    let token_endpoint = at("https://oauth.semrush.com/dag/device/token")?;
    Ok(Provider {
        title: "Semrush".to_owned(),
        device_authorization_endpoint: Some(at("https://oauth.semrush.com/dag/device/code")?),
        authorization_endpoint: Some(at("https://oauth.semrush.com/oauth2/authorize")?),
        confidential_token_endpoint: Some(at("https://oauth.semrush.com/oauth2/access_token")?),
        scope_separator: ",".to_owned(),
        known_scopes: KNOWN_SCOPES,
        code_challenge_method: None,
        redirect_uri: RedirectUri::parse("/oauth2/success")?,
        api_base: Some(at("https://api.semrush.com/apis/v4/")?),
        check_path: Some("map-rank-tracker/v0/campaigns?size=1".to_owned()),
        quirks: Quirks {
            refresh_token_lifetime: Some(REFRESH_TOKEN_LIFETIME),
            invalid_request_is_final: true,
            envelope: Envelope::Semrush,
            token_variables: vec![
                "SEMRUSH_OAUTH_TOKEN".to_owned(),
                "SEMRUSH_ACCESS_TOKEN".to_owned(),
            ],
            requests_per_minute: Some(REQUESTS_PER_MINUTE),
            ..Quirks::none(&name)
        },
        ..Provider::ordinary(name, Grant::DeviceCode, token_endpoint)?
    })
}
