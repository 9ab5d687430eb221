//! `logout`: revoke where the provider can be asked to, then delete everywhere; say which of the two happened.

use std::time::Duration;

use serde_json::{Value, json};

use crate::account::renew;
use crate::cli::Logout;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::credential::{AccountKey, Credential, Kind};
use crate::error::Error;
use crate::flow::revoke::revoke;
use crate::flow::{Client, FlowError};
use crate::provider::{ClientAuth, Endpoint, Provider};
use crate::secret::Secret;
use crate::store::stores::Deletion;
use crate::store::{Located, StoreKind};
use crate::ui::{BOLD, GOOD};

/// A refresh that is under way may end first, so that it does not bring tokens which nobody revokes.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Logs out of one account, or of all on the profile that was named.
///
/// # Errors
/// A store that holds an account is unavailable; all others are logged out of first.
#[inline(never)] // see `commands::run`
pub fn run(context: &Context, args: &Logout) -> Result<(), Error> {
    let accounts = match &args.provider {
        Some(name) => vec![context.accounts().meant(Some(name))?],
        None => every_account(context)?,
    };
    if accounts.is_empty() {
        context.ui.say("There is no login to delete.");
    }
    let mut failed = None;
    let mut told = Vec::new();
    for account in &accounts {
        let (object, error) = log_out(context, account);
        told.push(object);
        failed = failed.or(error);
    }
    if context.ui.json {
        let told = in_one(told, args.all);
        context.ui.json_line(&told)?;
    }
    failed.map_or(Ok(()), Err)
}

/// One object on stdout, as everywhere: the account's own, or a list of them where all were asked for.
fn in_one(told: Vec<Value>, all: bool) -> Value {
    let mut object = match all {
        true => json!({ "accounts": told }),
        false => told.into_iter().next().unwrap_or_default(),
    };
    object["schema"] = "seo-auth.logout.v1".into();
    object
}

/// Without those of a shared store, which other machines use, unless `--store` names it.
fn every_account(context: &Context) -> Result<Vec<AccountKey>, Error> {
    let mut accounts = context.accounts().of_this_profile(context.stores.all()?);
    if !context.stores.is_restricted_to(StoreKind::Vault) {
        accounts.retain(|account| {
            let is_shared = context.stores.place(account) == Some(StoreKind::Vault);
            if is_shared {
                context.ui.say(&format!(
                    "{account} stays in the shared store, because other machines may use it. To end it for all of them: seo-auth logout {}",
                    account.as_typed()
                ));
            }
            !is_shared
        });
    }
    Ok(accounts)
}

/// What became of the tokens at the provider.
enum Revocation {
    Done,
    /// They are not, for this reason, and go on working until they expire.
    Failed(String),
    /// The refresh token is, and the access token is not, for this reason.
    Partly(String),
    /// They can't be read, for this reason, so nobody was asked to.
    Unreadable(String),
    /// The provider has no endpoint for it.
    Unsupported,
    /// It was a key: no protocol ends one, only a person at the provider's page.
    Key,
    Nothing,
}

/// What happened, for JSON; and why a store may hold the account still.
fn log_out(context: &Context, account: &AccountKey) -> (Value, Option<Error>) {
    // Without the lock it goes on: whoever holds it writes by version, and finds that the account is gone.
    let _lock = context.stores.lock(account, LOCK_WAIT);
    let provider = context.accounts().known_provider(account);
    let read = context.stores.find(account);
    let is_shared = matches!(&read, Ok(Some(found)) if found.store == StoreKind::Vault);
    let revocation = match read {
        Ok(Some(found)) => revoke_all(context, provider.as_ref(), &found.stored.credential),
        Ok(None) => Revocation::Nothing,
        Err(error) => Revocation::Unreadable(Error::from(error).report().message),
    };
    let Deletion { found, failed } = context.stores.delete(account);
    if !context.ui.json {
        let from = match (found, is_shared) {
            (false, _) => None,
            (true, false) => Some("this machine"),
            (true, true) => Some("the shared store, for all machines"),
        };
        tell(context, account, provider.as_ref(), &revocation, from);
    }
    let failed = failed.map(|Located { store, source }| match store {
        Some(store) => Error::NotDeleted {
            account: account.clone(),
            store,
            source,
        },
        None => Error::Files(source),
    });
    (object(account, &revocation, found), failed)
}

/// RFC 7009 §2: first the refresh token, for it takes its access tokens with it at most servers.
fn revoke_all(
    context: &Context,
    provider: Option<&Provider>,
    credential: &Credential,
) -> Revocation {
    if credential.kind() == Kind::Key {
        return Revocation::Key;
    }
    let Some(endpoint) = endpoint(provider, credential) else {
        return Revocation::Unsupported;
    };
    let (auth, client) = match provider {
        Some(provider) => match renew::client(&context.accounts(), provider, credential) {
            Ok(client) => (provider.client_auth, client),
            Err(error) => return Revocation::Failed(error.report().message),
        },
        // It was taken out of the configuration since the login.
        None => (
            ClientAuth::Unset,
            Client {
                id: credential.client_id.clone(),
                secret: credential.client_secret.clone(),
            },
        ),
    };
    // RFC 7009 has both in the form, and the endpoint has the origin that they came from.
    let refresh = credential.usable_refresh_token().map(Secret::expose);
    let access = credential
        .is_valid_for(Timestamp::now(), 0)
        .then(|| credential.access_token.expose());
    let tokens = [(refresh, "refresh_token"), (access, "access_token")];
    let mut outcome = Revocation::Nothing;
    let mut left = None;
    for (token, kind) in tokens {
        let Some(token) = token else { continue };
        let answer = revoke(context.http(), &endpoint, auth, &client, token, kind);
        let failed = match outcome {
            Revocation::Done => Revocation::Partly,
            _ => Revocation::Failed,
        };
        match context.block_on(answer) {
            Ok(Ok(())) => outcome = Revocation::Done,
            // RFC 7009 §2.2.1: the server revokes no access tokens by themselves, and the refresh token is revoked.
            Ok(Err(error)) if matches!(outcome, Revocation::Done) && is_unsupported(&error) => {}
            // It may revoke the access token yet, and the one that lives longer works on.
            Ok(Err(error)) if kind == "refresh_token" && is_unsupported(&error) => {
                left = Some(error.to_string());
            }
            Ok(Err(error)) => return failed(error.to_string()),
            Err(error) => return failed(error.report().message),
        }
    }
    left.map_or(outcome, Revocation::Failed)
}

fn is_unsupported(error: &FlowError) -> bool {
    matches!(error, FlowError::Refused { error, .. } if error.error == "unsupported_token_type")
}

/// The endpoint that the login remembered, whatever the configuration names by now; for a login that knew none, the
/// configured one, if it has the origin that the tokens came from.
fn endpoint(provider: Option<&Provider>, credential: &Credential) -> Option<Endpoint> {
    let remembered = credential.revocation_endpoint.as_deref();
    if let Some(endpoint) = remembered.and_then(|text| Endpoint::parse(text).ok()) {
        return Some(endpoint);
    }
    let issuer = Endpoint::parse(&credential.token_endpoint).ok()?;
    let configured = provider?.revocation_endpoint.clone()?;
    configured.same_origin(issuer.url()).then_some(configured)
}

fn object(account: &AccountKey, revocation: &Revocation, deleted: bool) -> Value {
    let (word, reason) = match revocation {
        Revocation::Done => ("done", None),
        Revocation::Failed(reason)
        | Revocation::Partly(reason)
        | Revocation::Unreadable(reason) => ("failed", Some(reason)),
        Revocation::Unsupported | Revocation::Key => ("unsupported", None),
        Revocation::Nothing => ("nothing", None),
    };
    json!({
        "provider": account.provider,
        "profile": account.profile,
        "deleted": deleted,
        "revoked": matches!(revocation, Revocation::Done),
        "revocation": word,
        "reason": reason,
    })
}

fn tell(
    context: &Context,
    account: &AccountKey,
    provider: Option<&Provider>,
    revocation: &Revocation,
    from: Option<&str>,
) {
    let ui = &context.ui;
    match (from, context.stores.left_out(account)) {
        (Some(from), _) => ui.say(&format!(
            "{GOOD}Deleted{GOOD:#} the credential of {BOLD}{account}{BOLD:#} from {from}."
        )),
        (None, Some(store)) => ui.say(&format!(
            "Nothing was deleted: {account} is in the {store} store, but --store names another one."
        )),
        (None, None) => {
            let stored = context.stores.listed().unwrap_or_default();
            let mut others = stored
                .iter()
                .filter(|other| other.provider == account.provider);
            let other = others.next().map(|other| {
                format!(
                    " To log out of {other}: seo-auth logout {}",
                    other.as_typed()
                )
            });
            ui.say(&format!(
                "Nothing was deleted for {account}.{}",
                other.unwrap_or_default()
            ));
        }
    }
    let title = provider.map_or(account.provider.as_str(), |provider| &provider.title);
    let by_hand = provider
        .and_then(|provider| provider.revoke_by_hand.as_ref())
        .map(|how| format!(" To end access now: {how}."))
        .unwrap_or_default();
    match revocation {
        Revocation::Done => ui.say(&format!("{title} revoked the tokens.")),
        Revocation::Failed(reason) => ui.warn(&format!(
            "{title} did not revoke the tokens: {reason}. They work until they expire.{by_hand}"
        )),
        Revocation::Partly(reason) => ui.warn(&format!(
            "{title} revoked the refresh token, but not the access token: {reason}. The access token works until it expires.{by_hand}"
        )),
        Revocation::Unsupported => ui.say(&format!(
            "{title} has no way to revoke tokens from here. Copies of the tokens work until they expire.{by_hand}"
        )),
        Revocation::Key => {
            let docs = provider.and_then(|provider| provider.usage(Kind::Key).docs.as_ref());
            let at = docs.map(|docs| format!(" ({docs})")).unwrap_or_default();
            ui.say(&format!(
                "The key still works until you delete it at {title}{at}."
            ));
        }
        Revocation::Unreadable(reason) if from.is_some() => ui.warn(&format!(
            "the credential could not be read ({reason}), so nothing was revoked. Its tokens work until they expire.{by_hand}"
        )),
        // Why it could not be deleted either is told as an error.
        Revocation::Unreadable(_) | Revocation::Nothing => {}
    }
}
