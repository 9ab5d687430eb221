//! The end that every login has: a store that was proven, the credential in it, and a word to the user.

use std::time::Duration;

use serde_json::json;

use crate::clock::{Timestamp, describe_span};
use crate::commands::account::{AccountView, warn_of_skew};
use crate::commands::stdout_failed;
use crate::context::{Context, located};
use crate::credential::{AccountKey, Credential};
use crate::error::Error;
use crate::provider::Provider;
use crate::provider::config::StorePreference;
use crate::store::{StoreKind, Wanted};
use crate::ui::{BOLD, GOOD};

/// Writing a login waits this long for a refresh of the same account to end.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Proves the store before anything is shown, and says where `auto` had to fall back.
///
/// # Errors
/// The store can't be used.
pub fn choose_store(context: &Context) -> Result<StoreKind, Error> {
    let wanted = match context.store_preference()? {
        StorePreference::Auto => Wanted::Auto,
        StorePreference::Keyring => Wanted::Keyring,
        StorePreference::File => Wanted::File,
    };
    let chosen = context.vault.choose(wanted).map_err(located)?;
    if let Some(reason) = chosen.fallback_reason {
        context.ui.say(&format!(
            "The keyring can't be used: {reason}. The credential goes into the sealed file {}.",
            context.paths.sealed_file().display()
        ));
    }
    Ok(chosen.store.kind())
}

/// Writes the credential; one that an earlier login left in another store is deleted there.
///
/// # Errors
/// The store can't be written.
pub fn save(
    context: &Context,
    account: &AccountKey,
    store: StoreKind,
    credential: &Credential,
) -> Result<(), Error> {
    // A holder that does not let go within the time can't be waited for: losing the login would be worse.
    let _lock = context.vault.lock(account, LOCK_WAIT).map_err(located)?;
    context
        .vault
        .write(store, account, credential, None)
        .map_err(located)?;
    context.vault.list(account, store).map_err(located)?;
    let other = if store == StoreKind::File {
        StoreKind::Keyring
    } else {
        StoreKind::File
    };
    // It may well be unavailable, which is why the login went elsewhere; the index names the right one.
    let _ = context.vault.store(other).delete(account);
    Ok(())
}

/// Tells what was stored: the event of the contract, or a few lines.
///
/// # Errors
/// Stdout can't be written.
pub fn report(
    context: &Context,
    account: &AccountKey,
    provider: &Provider,
    store: StoreKind,
    credential: &Credential,
) -> Result<(), Error> {
    let ui = &context.ui;
    warn_of_skew(ui, credential);
    let view = AccountView::new(
        account.clone(),
        store,
        credential,
        Some(provider),
        Timestamp::now(),
    );
    if ui.json {
        let mut event = json!({"schema": "seo-auth.login.v1", "event": "logged_in"});
        view.put_into(&mut event);
        return ui.json_line(&event).map_err(stdout_failed);
    }
    ui.say(&format!(
        "{GOOD}Signed in{GOOD:#} to {} as {BOLD}{account}{BOLD:#}.",
        provider.title
    ));
    let place = match store {
        StoreKind::File => format!("the sealed file {}", context.paths.sealed_file().display()),
        StoreKind::Keyring | StoreKind::Env => "the system's keyring".to_owned(),
    };
    let validity = validity(credential, &view);
    ui.say(&format!("{validity}. It is kept in {place}."));
    let profile = match account.profile.as_str() {
        "default" => String::new(),
        profile => format!(" --profile {profile}"),
    };
    ui.say(&format!(
        "\nNext: seo-auth token print {}{profile}",
        account.provider
    ));
    Ok(())
}

/// `The token is valid for 7 days and renews itself; sign in again by 2026-12-01`.
fn validity(credential: &Credential, view: &AccountView) -> String {
    let valid = match credential.seconds_left(Timestamp::now()) {
        Some(left) if left > 0 => format!("The token is valid for {}", describe_span(left)),
        Some(past) => format!("The token expired {} ago", describe_span(past)),
        None => "The token has no expiry that is known".to_owned(),
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
