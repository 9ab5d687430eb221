//! The end that every login has: a store that was proven, the credential in it, and a word to the user.

use std::sync::Once;
use std::time::Duration;

use serde_json::json;

use super::replace::Replacing;
use crate::account::view::{AccountView, warn_of_skew};
use crate::clock::{Timestamp, describe_span};
use crate::context::Context;
use crate::credential::{AccountKey, Credential, Kind};
use crate::error::Error;
use crate::provider::Provider;
use crate::store::Preference;
use crate::store::stores::Settled;
use crate::store::{Located, StoreError, StoreKind};
use crate::ui::{BOLD, GOOD};

/// Writing a login waits this long for a refresh of the same account to end.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Where a new login goes. Every way of signing in ends here.
pub struct Place<'a> {
    context: &'a Context,
    pub account: AccountKey,
    pub store: StoreKind,
    pub replacing: Replacing,
}

impl<'a> Place<'a> {
    /// Decides what may be replaced, then proves the store and what else a login must write, before anything is shown. Says
    /// where `auto` had to fall back.
    ///
    /// # Errors
    /// Another login is stored and may not be replaced; or the store, the account's lock or the index can't be used.
    pub fn prepare(
        context: &'a Context,
        account: AccountKey,
        replace: bool,
        issuer: &str,
    ) -> Result<Self, Error> {
        let replacing = Replacing::decide(context, &account, replace, issuer)?;
        let chosen = context.stores.choose(context.store_preference()?)?;
        context.stores.prove_listing(&account)?;
        if let Some(reason) = chosen.fallback_reason {
            say_fallback(context, &reason);
        }
        Ok(Self {
            context,
            account,
            store: chosen.store.kind(),
            replacing,
        })
    }

    /// Writes the credential; one that an earlier login left in another store is deleted there. Says where it went: where
    /// `auto` chose a keyring that is gone by now, that is the sealed file.
    ///
    /// # Errors
    /// The store can't be written.
    pub fn save(&self, credential: &Credential) -> Result<StoreKind, Error> {
        let (context, account) = (self.context, &self.account);
        // A holder that does not let go within the time can't be waited for, nor can a lock file be mended now: losing the
        // login would be worse.
        let _lock = context.stores.lock(account, LOCK_WAIT);
        self.replacing.check(context, account)?;
        match settle(context, account, self.store, credential) {
            // Whatever is wrong with it by now: it was proven, and the login can't be had again.
            Err(reason) if reason.store == Some(StoreKind::Keyring) && is_auto(context) => {
                say_fallback(context, &reason.source);
                Ok(settle(context, account, StoreKind::File, credential)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Writes the credential and tells of it.
    ///
    /// # Errors
    /// The store or stdout can't be written.
    pub fn keep(&self, provider: &Provider, credential: &Credential) -> Result<(), Error> {
        let store = self.save(credential)?;
        self.report(provider, store, credential)
    }

    /// Tells what was stored: the event of the contract, or a few lines.
    ///
    /// # Errors
    /// Stdout can't be written.
    pub fn report(
        &self,
        provider: &Provider,
        store: StoreKind,
        credential: &Credential,
    ) -> Result<(), Error> {
        let Self {
            context, account, ..
        } = self;
        let ui = &context.ui;
        warn_of_skew(*context, credential);
        let view = AccountView::new(
            account.clone(),
            store,
            credential,
            Some(provider),
            Timestamp::now(),
        );
        if !view.missing_scope.is_empty() {
            ui.warn(&format!(
                "{} did not grant the requested scope {}: if you need it, sign in again and approve everything",
                provider.title,
                view.missing_scope.join(", ")
            ));
        }
        if ui.json {
            let event = json!({"schema": "seo-auth.login.v1", "event": "logged_in"});
            let event = view.json(event);
            return Ok(ui.json_line(&event)?);
        }
        let title = &provider.title;
        ui.say(&match view.kind {
            Kind::OAuth | Kind::ServiceAccount | Kind::ClientCredentials => {
                format!("{GOOD}Signed in{GOOD:#} to {title} as {BOLD}{account}{BOLD:#}.")
            }
            Kind::Key => {
                format!("{GOOD}Stored{GOOD:#} the key of {title} as {BOLD}{account}{BOLD:#}.")
            }
        });
        let place = match store {
            StoreKind::File => format!("the sealed file {}", context.paths.sealed_file().display()),
            StoreKind::Keyring => "the system's keyring".to_owned(),
            StoreKind::Vault => format!(
                "the shared store at {}",
                context.stores.vault.address().unwrap_or_default()
            ),
        };
        let validity = validity(credential, &view);
        ui.say(&format!("{validity}. It is stored in {place}."));
        ui.say(&format!(
            "\nNext: seo-auth token print {}",
            account.as_typed()
        ));
        Ok(())
    }
}

fn say_fallback(context: &Context, reason: &StoreError) {
    static ONCE: Once = Once::new();
    let why = match reason {
        StoreError::Absent(_) => "No keyring is available here".to_owned(),
        other => format!("The keyring can't be used: {other}"),
    };
    // The bus's own words help whoever looks for the reason, and nobody else.
    context.ui.detail(1, &format!("the keyring: {reason}"));
    // An import stores many logins.
    ONCE.call_once(|| {
        context.ui.say(&format!(
            "{why}. Logins are kept in the sealed file {}.",
            context.paths.sealed_file().display()
        ));
    });
}

fn is_auto(context: &Context) -> bool {
    matches!(context.store_preference(), Ok(Preference::Auto))
}

fn settle(
    context: &Context,
    account: &AccountKey,
    store: StoreKind,
    credential: &Credential,
) -> Result<StoreKind, Located> {
    let Settled {
        unlisted,
        left_behind,
    } = context.stores.settle(store, account, credential)?;
    if let Some(error) = unlisted {
        context.ui.warn(&format!(
            "the account index could not be written ({error}); seo-auth rebuilds it later"
        ));
    }
    if let Some(error) = left_behind {
        context.ui.warn(&format!(
            "an earlier login of {account} stays in another store, because seo-auth can't use that store: {error}"
        ));
    }
    Ok(store)
}

/// `The token is valid for 7 days and renews itself; sign in again by 2026-12-01`.
fn validity(credential: &Credential, view: &AccountView) -> String {
    let what = match view.kind {
        Kind::Key => "key",
        _ => "token",
    };
    let valid = match credential.seconds_left(Timestamp::now()) {
        Some(left) if left > 0 => format!("The {what} is valid for {}", describe_span(left)),
        Some(past) => format!("The {what} expired {} ago", describe_span(past)),
        None => format!("The {what} has no known expiry"),
    };
    let renews = if view.renewable {
        " and renews itself"
    } else {
        ""
    };
    let act_by = view
        .act_by
        .map(|time| format!("; sign in again by {}", time.date()))
        .unwrap_or_default();
    format!("{valid}{renews}{act_by}")
}
