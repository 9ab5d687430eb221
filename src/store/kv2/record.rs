//! The two secrets of an account: `token`, which any reader may use, and `grant`, which holds all else.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fault::Fault;
use crate::clock::{Timestamp, parse_moment};
use crate::credential::{AccountKey, Credential, KeyField};
use crate::secret::AccessToken;
use crate::text::hex;

/// `…/grant`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// Raised by each login and each refresh that succeeded, never by a claim.
    pub generation: u64,
    /// `None`: logged out.
    #[serde(default)]
    pub credential: Option<Credential>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Mark>,
    /// Of this write alone: after a broken line it says whose content is there.
    pub write: String,
}

/// Who is at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// For people: host and process.
    pub holder: String,
    pub id: String,
    /// Somebody doubts that the holder is alive, by a random name of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contest: Option<String>,
}

/// A random name, of which no two are the same.
pub fn random_id() -> String {
    let random: [u8; 16] = rand::random();
    hex(&random)
}

pub fn token_path(account: &AccountKey) -> String {
    format!("{}/{}/token", account.provider, account.profile)
}

pub fn grant_path(account: &AccountKey) -> String {
    format!("{}/{}/grant", account.provider, account.profile)
}

impl Grant {
    /// Nobody's claim. Without a credential it is a tombstone.
    pub fn new(generation: u64, credential: Option<Credential>) -> Self {
        Self {
            generation,
            credential,
            claim: None,
            write: random_id(),
        }
    }

    pub fn read(data: &Value) -> Result<Self, Fault> {
        serde_json::from_value(data.clone()).map_err(|_| Fault::Foreign)
    }

    pub fn data(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// `…/token` of a grant. Its first four fields are what any other reader of the engine may use; they are empty after a logout.
pub fn token_data(grant: &Grant) -> Value {
    let generation = grant.generation.to_string();
    let Some(credential) = &grant.credential else {
        return json!({
            "access_token": "", "token_type": "", "expires_at": "", "scope": "", "generation": generation,
        });
    };
    let expires_at = credential.expires_at.map(|time| time.to_string());
    let mut data = json!({
        "access_token": credential.access_token.expose(),
        "token_type": credential.token_type,
        "expires_at": expires_at.unwrap_or_default(),
        "scope": credential.scope.join(" "),
        "obtained_at": credential.obtained_at.to_string(),
        "issuer": credential.token_endpoint,
        "generation": generation,
    });
    if !credential.key_fields.is_empty() {
        data["fields"] = json!(credential.key_fields);
    }
    data
}

/// The reverse: as much of a credential as is needed to use its token, and the generation. `None`: logged out.
pub fn from_token(data: &Value) -> Result<(Option<Credential>, u64), Fault> {
    let text = |key: &str| data[key].as_str().unwrap_or_default();
    let generation = text("generation").parse().map_err(|_| Fault::Foreign)?;
    let access_token = text("access_token");
    if access_token.is_empty() {
        return Ok((None, generation));
    }
    let fields: Vec<KeyField> = match data.get("fields") {
        Some(fields) => serde_json::from_value(fields.clone()).map_err(|_| Fault::Foreign)?,
        None => Vec::new(),
    };
    let credential = Credential {
        access_token: AccessToken::new(access_token.to_owned()),
        token_type: text("token_type").to_owned(),
        scope: text("scope")
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        obtained_at: parse_moment(text("obtained_at")).unwrap_or(Timestamp::from_epoch(0)),
        expires_at: parse_moment(text("expires_at")),
        token_endpoint: text("issuer").to_owned(),
        key_fields: fields,
        ..Credential::default()
    };
    Ok((Some(credential), generation))
}
