//! `logout`: revoke where the provider can be asked to, then delete everywhere; say which of the two happened.

use serde_json::json;

use super::stdout_failed;
use crate::cli::Logout;
use crate::context::{Context, located};
use crate::credential::AccountKey;
use crate::error::Error;

/// Logs out of one account, or of all.
///
/// # Errors
/// A store that holds an account is unavailable; all others are logged out of first.
pub fn run(context: &Context, args: &Logout) -> Result<(), Error> {
    let accounts = match &args.provider {
        Some(name) => vec![context.account_of(&context.provider(name)?.name)],
        None => context.vault.listed().map_err(located)?,
    };
    let mut failed = None;
    for account in &accounts {
        if let Err(error) = log_out(context, account) {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

fn log_out(context: &Context, account: &AccountKey) -> Result<(), Error> {
    let deleted = context.vault.delete(account).map_err(located)?;
    if context.ui.json {
        let object = json!({
            "schema": "seo-auth.logout.v1",
            "provider": account.provider,
            "profile": account.profile,
            "deleted": deleted,
            "revoked": false,
        });
        return context.ui.json_line(&object).map_err(stdout_failed);
    }
    if deleted {
        context.ui.say(&format!(
            "Deleted the credential of {account} from this machine."
        ));
    } else {
        context
            .ui
            .say(&format!("Nothing was stored for {account}."));
    }
    Ok(())
}
