//! The account object of the contract: what is known of a login, without any secret.

use serde_json::{Value, json};

use super::Host;
use super::demand::Demand;
use crate::clock::{Timestamp, describe_span};
use crate::credential::{AccountKey, Credential, Kind};
use crate::provider::Provider;
use crate::store::StoreKind;

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The token works for now.
    Valid,
    /// So little is left that `token print` would refresh it now.
    Expiring,
    Expired,
    /// The index names it, and its store does not have it.
    Missing,
    /// Its store can't be read.
    Unreadable,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
        }
    }
}

/// An account as `status` and `login` show it.
#[derive(Clone, Debug)]
pub struct AccountView {
    pub account: AccountKey,
    pub kind: Kind,
    /// `None`: a variable of the environment.
    pub store: Option<StoreKind>,
    pub state: State,
    /// The token endpoint's origin.
    pub issuer: Option<String>,
    /// As the server wrote it.
    pub token_type: Option<String>,
    pub scope: Vec<String>,
    /// What was asked for and not granted.
    pub missing_scope: Vec<String>,
    /// When the access token was obtained.
    pub obtained_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// Whether a refresh token that was not refused is held.
    pub renewable: bool,
    /// When a human must next sign in.
    pub act_by: Option<Timestamp>,
    /// Only the token may be read here: who renews it, and until when, is another machine's to know.
    pub is_reader: bool,
    /// Why its store can't be read.
    pub reason: Option<String>,
}

impl AccountView {
    /// An account of which nothing can be told but where it should be.
    pub fn unknown(account: AccountKey, store: Option<StoreKind>, state: State) -> Self {
        Self {
            account,
            kind: Kind::OAuth,
            store,
            state,
            issuer: None,
            token_type: None,
            scope: Vec::new(),
            missing_scope: Vec::new(),
            obtained_at: None,
            expires_at: None,
            renewable: false,
            act_by: None,
            is_reader: false,
            reason: None,
        }
    }

    /// An account with its credential, at the local time `now`.
    pub fn new(
        account: AccountKey,
        store: StoreKind,
        credential: &Credential,
        provider: Option<&Provider>,
        now: Timestamp,
    ) -> Self {
        let state = match credential.seconds_left(now) {
            Some(left) if left <= 0 => State::Expired,
            Some(left) if left <= Demand::default().seconds(credential) => State::Expiring,
            _ => State::Valid,
        };
        Self {
            kind: credential.kind(),
            issuer: origin(&credential.token_endpoint),
            token_type: Some(credential.token_type.clone()),
            scope: credential.scope.clone(),
            missing_scope: credential.missing_scope.clone(),
            obtained_at: Some(credential.obtained_at),
            expires_at: credential.expires_at,
            renewable: credential.usable_refresh_token().is_some() || credential.mint.is_some(),
            act_by: act_by(credential, provider),
            ..Self::unknown(account, Some(store), state)
        }
    }

    pub fn store_name(&self) -> String {
        self.store
            .map_or_else(|| "env".to_owned(), |store| store.to_string())
    }

    /// The contract's object: one that has its `schema` and `event` already, with the fields of the account.
    pub fn json(&self, mut object: Value) -> Value {
        object["provider"] = json!(self.account.provider);
        object["profile"] = json!(self.account.profile);
        object["kind"] = json!(self.kind.as_str());
        object["issuer"] = json!(self.issuer);
        object["store"] = json!(self.store_name());
        object["state"] = json!(self.state.as_str());
        object["token_type"] = json!(self.token_type);
        object["scope"] = json!(self.scope);
        object["missing_scope"] = json!(self.missing_scope);
        put_time(&mut object, "obtained_at", self.obtained_at);
        put_time(&mut object, "expires_at", self.expires_at);
        object["renewable"] = json!(self.renewable);
        put_time(&mut object, "act_by", self.act_by);
        if let Some(reason) = &self.reason {
            object["reason"] = json!(reason);
        }
        object
    }
}

/// A time as the contract has it: RFC 3339 beside an integer, both `null` where there is none.
pub fn put_time(object: &mut Value, key: &str, time: Option<Timestamp>) {
    object[key] = json!(time.map(|time| time.to_string()));
    object[format!("{key}_epoch")] = json!(time.map(Timestamp::epoch));
}

/// When a human must next sign in: when the refresh token dies, where its lifetime is known; at the token's own expiry,
/// where nothing can renew it; `None` where neither is known.
fn act_by(credential: &Credential, provider: Option<&Provider>) -> Option<Timestamp> {
    if credential.mint.is_some() {
        return None;
    }
    if credential.usable_refresh_token().is_none() {
        return credential.expires_at;
    }
    let told = credential
        .refresh
        .as_ref()
        .and_then(|renewal| renewal.expires_at);
    if told.is_some() {
        return told;
    }
    let lifetime = provider?.refresh_token_lifetime?;
    let refreshable_until = credential
        .obtained_at
        .plus(lifetime.as_secs().cast_signed());
    Some(
        credential
            .expires_at
            .map_or(refreshable_until, |expiry| expiry.max(refreshable_until)),
    )
}

/// Clocks that differ by no more than the margins of tokens forgive are not talked about. What is further off shows in what
/// `status` says, and soon in certificates.
pub const SKEW_TO_TELL_SECONDS: i64 = 60;

/// Says that the clock of this machine is wrong, where the last exchange showed it.
pub fn warn_of_skew(host: &dyn Host, credential: &Credential) {
    let skew = credential.clock_skew;
    if skew.abs() > SKEW_TO_TELL_SECONDS {
        let side = if skew > 0 { "behind" } else { "ahead of" };
        host.warn(&format!(
            "this machine's clock is {} {side} the provider's clock; seo-auth corrects the expiry times",
            describe_span(skew)
        ));
    }
}

/// Scheme, host and port of an endpoint, where it is one.
pub fn origin(endpoint: &str) -> Option<String> {
    url::Url::parse(endpoint)
        .ok()
        .map(|url| url.origin().ascii_serialization())
}
