//! `token print` and `token refresh`: the token, and nothing but the token, on stdout.

use serde_json::json;

use super::account::put_time;
use super::fresh::{self, Demand, Token};
use super::stdout_failed;
use crate::cli::{Format, TokenPrint};
use crate::context::Context;
use crate::credential::AccountKey;
use crate::error::Error;
use crate::store::StoreKind;

/// `token print`: never interactive, never a stale token, nothing on stdout when it fails.
///
/// # Errors
/// No token that is good for what is demanded.
pub fn print(context: &Context, args: &TokenPrint) -> Result<(), Error> {
    let account = context.account(args.provider.as_deref())?;
    let token = fresh::token(
        context,
        &account,
        &Demand {
            min_valid: args.min_valid,
        },
    )?;
    let format = if context.ui.json {
        Format::Json
    } else {
        args.format
    };
    let text = match format {
        Format::Json => format!("{}\n", object(&account, &token, args.with_refresh_token)),
        _ => format!("{}\n", token.access_token().expose()),
    };
    context.ui.data(&text).map_err(stdout_failed)
}

/// `token refresh`.
///
/// # Errors
/// It could not be refreshed.
pub fn refresh(context: &Context, provider: Option<&str>) -> Result<(), Error> {
    let account = context.account(provider)?;
    fresh::token(context, &account, &Demand::default()).map(drop)
}

/// The contract's token object.
fn object(account: &AccountKey, token: &Token, with_refresh_token: bool) -> serde_json::Value {
    let mut object = json!({
        "schema": "seo-auth.token.v1",
        "provider": account.provider,
        "profile": account.profile,
        "access_token": token.access_token().expose(),
    });
    match token {
        Token::Env(_) => {
            object["token_type"] = json!("Bearer");
            object["scope"] = json!([]);
            object["source"] = json!(StoreKind::Env);
            put_time(&mut object, "expires_at", None);
        }
        Token::Stored(store, credential) => {
            object["token_type"] = json!(credential.token_type);
            object["scope"] = json!(credential.scope);
            object["source"] = json!(store);
            put_time(&mut object, "expires_at", credential.expires_at);
            if with_refresh_token {
                let refresh_token = credential
                    .usable_refresh_token()
                    .map(crate::secret::Secret::expose);
                object["refresh_token"] = json!(refresh_token);
            }
        }
    }
    object
}
