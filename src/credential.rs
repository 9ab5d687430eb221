//! What a login yields: the [`Credential`], and the [`AccountKey`] under which a store keeps it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::{
    AccessToken, ClientSecret, PrivateKey, RefreshToken, serialize_exposed,
    serialize_exposed_option,
};

/// The name of a provider or a profile: 1 to 64 of `a-z 0-9 - _ .`, starting with a letter or a digit.
///
/// Names become file names, keyring users and variable names, so nothing else is let in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(String);

/// Long enough for any name that a person would type, short enough for a file name with its suffix everywhere.
const MAX_NAME: usize = 64;

/// The name `default`, of the profile that nobody named.
impl Default for Name {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl Name {
    /// The profile of everything that the embedded authorization server issued.
    pub fn sandbox() -> Self {
        Self("sandbox".to_owned())
    }

    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a part of an environment variable's name: upper case, with `-` and `.` as `_`.
    pub fn for_variable(&self) -> String {
        self.0.to_ascii_uppercase().replace(['-', '.'], "_")
    }
}

/// A text that is no [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: use 1 to {MAX_NAME} lower-case letters, digits, `-`, `_` and `.`, starting with a letter or a digit"
)]
pub struct NameError(String);

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        let begins_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if begins_well && text.len() <= MAX_NAME && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(text.escape_debug().to_string()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One account: a provider, and the profile that holds several accounts of it apart. Shown as `semrush/default`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey {
    pub provider: Name,
    /// The profile's name; `default` unless told otherwise.
    pub profile: Name,
}

impl AccountKey {
    /// As a command takes it: `semrush`, or `semrush --profile acme`.
    pub fn as_typed(&self) -> String {
        let Self { provider, profile } = self;
        match *profile == Name::default() {
            true => provider.to_string(),
            false => format!("{provider} --profile {profile}"),
        }
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.profile)
    }
}

impl FromStr for AccountKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (provider, profile) = text.split_once('/').unwrap_or((text, ""));
        Ok(Self {
            provider: provider.parse()?,
            profile: profile.parse()?,
        })
    }
}

/// Clocks are put right by small steps all the time; beyond this, one was set.
const CLOCK_STEP_SECONDS: i64 = 60;

/// What one login holds. Serialized only into a store that seals it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The token that an API takes.
    #[serde(serialize_with = "serialize_exposed")]
    pub access_token: AccessToken,
    /// RFC 6749 §7.1, as the server wrote it; `Bearer` nearly always.
    pub token_type: String,
    /// The scope that was granted (or asked for, where the answer was silent: RFC 6749 §5.1).
    pub scope: Vec<String>,
    /// What was asked for and not granted, in the user's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_scope: Vec<String>,
    /// When the access token was obtained, by the server's clock as far as it is known.
    pub obtained_at: Timestamp,
    /// When it expires, by the same clock; `None` where the server did not say.
    pub expires_at: Option<Timestamp>,
    /// How far the server's clock was ahead of ours at that exchange, in seconds.
    #[serde(default)]
    pub clock_skew: i64,
    /// The refresh token with what is known of it, where one was issued.
    #[serde(default)]
    pub refresh: Option<Renewal>,
    /// The token endpoint of the login. The refresh token goes to no other origin.
    pub token_endpoint: String,
    /// The revocation endpoint at the time of the login (RFC 7009), where there was one.
    #[serde(default)]
    pub revocation_endpoint: Option<String>,
    /// The client that the tokens were issued to; a refresh must name the same one (RFC 6749 §6).
    #[serde(default)]
    pub client_id: Option<String>,
    /// A client secret that was given at the login by `--client-secret-stdin`.
    #[serde(default, serialize_with = "serialize_exposed_option")]
    pub client_secret: Option<ClientSecret>,
    /// Whose login it is: the `sub` of its id token (OpenID Connect Core §2), which came straight from the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// By what the next token is minted, where no refresh token is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mint: Option<Mint>,
    /// The fields of an API key; empty of what an authorization server issued. `access_token` is the first secret one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_fields: Vec<KeyField>,
}

/// By what a login was made, which decides how its credential is used and renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A token that an authorization server issued.
    OAuth,
    Key,
    /// RFC 7523 §2.1.
    ServiceAccount,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl Kind {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::Key => "key",
            Self::ServiceAccount => "service_account",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

/// By what tokens are minted for whom no person approves them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mint {
    /// By assertions that it signs, RFC 7523 §2.1.
    ServiceAccount(Box<ServiceAccount>),
    /// By the client's id and secret alone, RFC 6749 §4.4.
    ClientCredentials,
}

/// What its key file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    pub client_email: String,
    /// PKCS #8, PEM.
    #[serde(serialize_with = "serialize_exposed")]
    pub private_key: PrivateKey,
    #[serde(default)]
    pub private_key_id: Option<String>,
    pub token_uri: String,
    /// The user to act for.
    #[serde(default)]
    pub subject: Option<String>,
}

/// A field of an API key with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyField {
    pub name: String,
    #[serde(serialize_with = "serialize_exposed")]
    pub value: AccessToken,
    /// Whether it is no more than a user's name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_public: bool,
}

/// A refresh token and its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    #[serde(serialize_with = "serialize_exposed")]
    pub refresh_token: RefreshToken,
    /// When it dies, where a server said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The server refused it for good: it is never sent again.
    #[serde(default)]
    pub spent: bool,
    /// The journal mark: a refresh with this token was begun at this moment, and its outcome was never written.
    #[serde(default)]
    pub begun_at: Option<Timestamp>,
    /// Who is at work on that refresh; without one, a process that is dead was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
}

/// A process that refreshes an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Which lock it holds: whoever gets that one knows that it has ended.
    pub lock: String,
    /// It has ended by then.
    pub until: Timestamp,
}

impl Renewal {
    /// A refresh token that was just issued.
    pub fn fresh(refresh_token: RefreshToken) -> Self {
        Self {
            refresh_token,
            expires_at: None,
            spent: false,
            begun_at: None,
            holder: None,
        }
    }
}

impl Credential {
    pub fn kind(&self) -> Kind {
        match &self.mint {
            Some(Mint::ServiceAccount(_)) => Kind::ServiceAccount,
            Some(Mint::ClientCredentials) => Kind::ClientCredentials,
            None if self.key_fields.is_empty() => Kind::OAuth,
            None => Kind::Key,
        }
    }

    /// Seconds that the access token is still valid at the local time `now`; negative after its expiry, `None` where it
    /// has none. Reckoned by the server's clock.
    pub fn seconds_left(&self, now: Timestamp) -> Option<i64> {
        let expiry = self.expires_at?;
        let left = expiry.seconds_since(now.plus(self.clock_skew));
        let lifetime = expiry.seconds_since(self.obtained_at);
        if left <= lifetime.saturating_add(CLOCK_STEP_SECONDS) {
            return Some(left);
        }
        // More than it ever had: this clock was set since the exchange, so the distance that was measured then is gone.
        Some(expiry.seconds_since(now).min(lifetime))
    }

    /// Whether the access token is valid for at least `seconds` from the local time `now`.
    pub fn is_valid_for(&self, now: Timestamp, seconds: i64) -> bool {
        self.seconds_left(now)
            .is_none_or(|left| left > seconds.max(0))
    }

    /// A refresh token that was not refused, if one is held.
    pub fn usable_refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh
            .as_ref()
            .filter(|renewal| !renewal.spent)
            .map(|renewal| &renewal.refresh_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_paths_and_variables() {
        for good in ["semrush", "my-idp", "a", "9", "team.eu_1"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "Semrush",
            "..",
            "-x",
            ".hidden",
            "a/b",
            "a b",
            "ä",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
        assert_eq!("my-idp".parse::<Name>().unwrap().for_variable(), "MY_IDP");
    }

    #[test]
    fn a_wrong_local_clock_does_not_change_what_is_left() {
        let server = Timestamp::from_epoch(1_000_000);
        let two_hours = 7_200;
        let credential = Credential {
            expires_at: Some(server.plus(3_600)),
            clock_skew: -two_hours,
            ..sample()
        };
        assert_eq!(credential.seconds_left(server.plus(two_hours)), Some(3_600));
    }

    #[test]
    fn a_clock_that_is_put_right_makes_no_token_live_longer() {
        let server = Timestamp::from_epoch(1_000_000);
        let two_hours = 7_200;
        let credential = Credential {
            obtained_at: server,
            expires_at: Some(server.plus(3_600)),
            clock_skew: -two_hours,
            ..sample()
        };
        // Right from now on, ten minutes later; and two hours slow, as nothing tells from just obtained.
        assert_eq!(credential.seconds_left(server.plus(600)), Some(3_000));
        assert_eq!(
            credential.seconds_left(server.plus(-two_hours)),
            Some(3_600)
        );
    }

    fn sample() -> Credential {
        Credential {
            access_token: AccessToken::new("at".into()),
            token_type: "Bearer".into(),
            scope: Vec::new(),
            missing_scope: Vec::new(),
            obtained_at: Timestamp::from_epoch(0),
            expires_at: None,
            clock_skew: 0,
            refresh: None,
            token_endpoint: "https://as.example/token".into(),
            revocation_endpoint: None,
            client_id: None,
            client_secret: None,
            subject: None,
            mint: None,
            key_fields: Vec::new(),
        }
    }
}
