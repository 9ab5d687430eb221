//! `move`: a login from one store to another. For a grant whose refresh tokens rotate, the only right way to hand it over.

use std::time::Duration;

use serde_json::json;

use crate::cli::Move;
use crate::context::Context;
use crate::credential::{AccountKey, Credential};
use crate::error::Error;
use crate::error::usage;
use crate::process;
use crate::store::ask::{Ask, Outcome};
use crate::store::claim::{Claim, Claimed};
use crate::store::{Preference, StoreError, StoreKind};
use crate::ui::{BOLD, GOOD};

/// A refresh of the same account is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Written and read back there, then deleted here.
///
/// # Errors
/// Nothing is stored, or one of the stores can't be used; then the login is where it was.
#[inline(never)] // see `commands::run`
pub fn run(context: &Context, args: &Move) -> Result<(), Error> {
    let account = context.accounts().meant(args.provider.as_deref())?;
    let to = match args.to.parse() {
        Ok(Preference::Only(kind)) => kind,
        _ => {
            return Err(usage::no_place_for_logins(&args.to));
        }
    };
    let Some(_lock) = context.stores.lock(&account, LOCK_WAIT)? else {
        return Err(Error::Busy {
            account,
            seconds: LOCK_WAIT.as_secs(),
        });
    };
    let found = context.stores.find(&account)?;
    let found = found.ok_or_else(|| context.accounts().not_logged_in(&account))?;
    if !found.stored.is_whole {
        return Err(Error::Store {
            store: found.store,
            source: StoreError::Failed(
                "its policy allows reading only the token, but a move needs the grant".to_owned(),
            ),
        });
    }
    let moved = found.store != to;
    if moved {
        context.stores.choose(Preference::Only(to))?;
        match found.store {
            StoreKind::Vault => from_fleet(context, &account, to)?,
            from => {
                copy(context, &account, &found.stored.credential, to)?;
                delete(context, &account, from)?;
            }
        }
    }
    let ui = &context.ui;
    if ui.json {
        let object = json!({
            "schema": "seo-auth.move.v1", "provider": account.provider, "profile": account.profile,
            "from": found.store, "to": to, "moved": moved,
        });
        return Ok(ui.json_line(&object)?);
    }
    match moved {
        true => ui.say(&format!(
            "{GOOD}Moved{GOOD:#} {BOLD}{account}{BOLD:#} from the {} store to the {to} store.",
            found.store
        )),
        false => ui.say(&format!("{account} is already in the {to} store.")),
    }
    Ok(())
}

/// Of a shared store, whose other runners know nothing of this machine's lock: none may refresh what is under way.
fn from_fleet(context: &Context, account: &AccountKey, to: StoreKind) -> Result<(), Error> {
    let busy = || Error::Busy {
        account: account.clone(),
        seconds: LOCK_WAIT.as_secs(),
    };
    let claimed = context.stores.claim(&Ask {
        store: StoreKind::Vault,
        account,
        wait: LOCK_WAIT,
        lease: LOCK_WAIT,
        wanted: &|_| true,
        met: &|_| false,
        readers_wait: false,
    })?;
    let held = match claimed {
        Claimed::Mine(claim) => match *claim {
            Claim::Shared(held) => held,
            Claim::Local(_) => return Err(busy()),
        },
        Claimed::Gone => return Err(context.accounts().not_logged_in(account)),
        Claimed::Busy | Claimed::Unwanted(_) => return Err(busy()),
    };
    // Between the two writes, two stores hold a refresh token that is good for one use.
    let _no_end = process::hold_interrupts();
    if let Err(error) = copy(context, account, &held.credential, to) {
        held.release(Outcome::NothingSent);
        return Err(error);
    }
    let taken = held.bury().map_err(|source| Error::NotDeleted {
        account: account.clone(),
        store: StoreKind::Vault,
        source,
    })?;
    if !taken {
        // Somebody took this process for dead, and has refreshed since: theirs is the login.
        context.stores.list(account, StoreKind::Vault)?;
        delete(context, account, to)?;
        return Err(busy());
    }
    Ok(())
}

/// Written and read back.
fn copy(
    context: &Context,
    account: &AccountKey,
    credential: &Credential,
    to: StoreKind,
) -> Result<(), Error> {
    context.stores.write(to, account, credential, None)?;
    let there = context.stores.read(to, account)?;
    if !there.is_some_and(|there| there.stored.credential == *credential) {
        return Err(Error::Store {
            store: to,
            source: StoreError::Failed(
                "the credential can't be read back after writing".to_owned(),
            ),
        });
    }
    Ok(context.stores.list(account, to)?)
}

/// The index says by now that the login is elsewhere, so this is what is left of it here.
fn delete(context: &Context, account: &AccountKey, from: StoreKind) -> Result<(), Error> {
    let deleted = context.stores.store(from).delete(account);
    deleted.map(drop).map_err(|source| Error::NotDeleted {
        account: account.clone(),
        store: from,
        source,
    })
}
