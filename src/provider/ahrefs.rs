//! Ahrefs, API v3 ("Ahrefs Connect"): the authorization code grant with PKCE, RFC 7636 and RFC 8252.
//!
//! Source: Ahrefs' documentation of Ahrefs Connect and of API v3.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{Answer, Meaning, Words};
use super::{DefinitionError, Endpoint, Envelope, Grant, Provider, Quirks, RedirectUri};
use crate::clock::{Timestamp, parse_moment};
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

/// What an `error` says where there is none.
const NO_ERROR: &[&str] = &["null", "false", "0", "\"\"", "[]", "{}"];

/// What JSON in an answer with a success status means: `{"error": …}` and `["Error", …]` are errors all the same.
pub(super) fn unwrap<'a>(answer: Answer<'_>, json: &'a str) -> Meaning<'a> {
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow, default)]
        error: Option<&'a RawValue>,
    }
    let is_error = match json.strip_prefix('[') {
        Some(list) => list.trim_start().starts_with("\"Error\""),
        None => serde_json::from_str::<Object<'_>>(json).is_ok_and(|object| {
            object
                .error
                .is_some_and(|error| !NO_ERROR.contains(&error.get()))
        }),
    };
    if is_error {
        return Meaning::Refused(Words::of(json, answer.token).refusal(answer.status));
    }
    Meaning::Json(json)
}

/// The API units of an account, as `GET subscription-info/limits-and-usage` tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    /// Of the plan, for a period.
    pub limit: u64,
    pub used: u64,
    /// When the next period begins.
    pub renewed_at: Option<Timestamp>,
}

impl Units {
    /// What is left in this period.
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Reads them: the key's own limit where it has one, else the workspace's.
    pub fn read(json: &str) -> Option<Self> {
        let body: serde_json::Value = serde_json::from_str(json).ok()?;
        let told = body.get("limits_and_usage")?;
        let number = |key: &str| told[key].as_u64();
        let of = |whose: &str| {
            Some((
                number(&format!("units_limit_{whose}"))?,
                number(&format!("units_usage_{whose}"))?,
            ))
        };
        let (limit, used) = of("api_key").or_else(|| of("workspace"))?;
        Some(Self {
            limit,
            used,
            renewed_at: told["usage_reset_date"].as_str().and_then(parse_moment),
        })
    }
}
