//! `move`: a login from one store to another. For a grant whose refresh tokens rotate, the only right way to hand it over.

use std::time::Duration;

use serde_json::json;

use super::stdout_failed;
use crate::account::fresh::not_logged_in;
use crate::cli::Move;
use crate::context::Context;
use crate::error::Error;
use crate::store::{Preference, StoreError, StoreKind};
use crate::ui::{BOLD, GOOD};

/// A refresh of the same account is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Written and read back there, then deleted here.
///
/// # Errors
/// Nothing is stored, or one of the stores can't be used; then the login is where it was.
pub fn run(context: &Context, args: &Move) -> Result<(), Error> {
    let account = context.accounts().meant(args.provider.as_deref())?;
    let to = match args.to.parse() {
        Ok(Preference::Only(kind)) => kind,
        _ => {
            return Err(Error::usage(
                format!(
                    "--to: `{}` is no store that a login can lie in",
                    crate::text::printable(&args.to, 64)
                ),
                "write keyring, file or vault",
            ));
        }
    };
    let Some(_lock) = context.stores.lock(&account, LOCK_WAIT)? else {
        return Err(Error::Busy {
            account,
            seconds: LOCK_WAIT.as_secs(),
        });
    };
    let found = context.stores.find(&account)?;
    let found = found.ok_or_else(|| not_logged_in(&context.accounts(), &account))?;
    if !found.stored.is_whole {
        return Err(Error::Store {
            store: found.store,
            source: StoreError::Failed {
                reason: "its policy shows the token alone, and a login needs the grant".to_owned(),
            },
        });
    }
    let moved = found.store != to;
    if moved {
        context.stores.choose(Preference::Only(to))?;
        let credential = &found.stored.credential;
        context.stores.write(to, &account, credential, None)?;
        let there = context.stores.read(to, &account)?;
        let is_there = there.is_some_and(|there| there.stored.credential == *credential);
        if !is_there {
            return Err(Error::Store {
                store: to,
                source: StoreError::Failed {
                    reason: "what was written there can't be read back".to_owned(),
                },
            });
        }
        context.stores.list(&account, to)?;
        delete(context, &account, found.store)?;
    }
    let ui = &context.ui;
    if ui.json {
        let object = json!({
            "schema": "seo-auth.move.v1", "provider": account.provider, "profile": account.profile,
            "from": found.store, "to": to, "moved": moved,
        });
        return ui.json_line(&object).map_err(stdout_failed);
    }
    match moved {
        true => ui.say(&format!(
            "{GOOD}Moved{GOOD:#} {BOLD}{account}{BOLD:#} from the {} store to the {to} store.",
            found.store
        )),
        false => ui.say(&format!("{account} is in the {to} store already.")),
    }
    Ok(())
}

/// The index says by now that the login is elsewhere, so this is what is left of it here.
fn delete(
    context: &Context,
    account: &crate::credential::AccountKey,
    from: StoreKind,
) -> Result<(), Error> {
    let deleted = context.stores.store(from).delete(account);
    deleted.map(drop).map_err(|source| Error::NotDeleted {
        account: account.clone(),
        store: from,
        source,
    })
}
