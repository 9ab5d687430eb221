//! Ahrefs, API v3 ("Ahrefs Connect"): the authorization code grant with PKCE, RFC 7636 and RFC 8252.
//!
//! Source: Ahrefs' documentation of Ahrefs Connect and of API v3.

use super::{DefinitionError, Endpoint, Envelope, Grant, Provider, Quirks, RedirectUri};
use crate::credential::Name;

/// 60 requests a minute (documentation).
const REQUESTS_PER_MINUTE: u32 = 60;

/// What to do without a client id; Ahrefs issues them, so none can be shipped.
const CLIENT_ID_HELP: &str = "Ahrefs issues a client ID for each app: in Ahrefs, open Account settings → Ahrefs Connect, \
create a desktop app and register the redirect URI of the login there";

/// Ahrefs as it is documented.
///
/// # Errors
/// Never, or a test fails.
pub fn definition() -> Result<Provider, DefinitionError> {
    let at = Endpoint::parse;
    let name: Name = "ahrefs".parse()?;
    let token_endpoint = at("https://ahrefs.com/oauth/token")?;
    Ok(Provider {
        title: "Ahrefs".to_owned(),
        authorization_endpoint: Some(at("https://app.ahrefs.com/web/oauth/authorize")?),
        scope: vec!["apiv3-integration-apps".to_owned()],
        known_scopes: &["apiv3-integration-apps"],
        // Lower case to the letter: so it stands in Ahrefs' documentation.
        code_challenge_method: Some("s256".to_owned()),
        redirect_uri: RedirectUri::parse("http://127.0.0.1:8976/callback")?,
        api_base: Some(at("https://api.ahrefs.com/v3/")?),
        check_path: Some("subscription-info/limits-and-usage".to_owned()),
        quirks: Quirks {
            client_id_help: Some(CLIENT_ID_HELP),
            envelope: Envelope::Ahrefs,
            token_variables: vec!["AHREFS_API_KEY".to_owned(), "AHREFS_API_TOKEN".to_owned()],
            requests_per_minute: Some(REQUESTS_PER_MINUTE),
            revoke_by_hand: Some(
                "a workspace admin removes the app in Ahrefs under Account settings → Applications",
            ),
            ..Quirks::none(&name)
        },
        ..Provider::ordinary(name, Grant::AuthorizationCode, token_endpoint)?
    })
}
