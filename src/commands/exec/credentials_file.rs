//! `exec --credentials-file`: what the vendor's libraries read from `GOOGLE_APPLICATION_CREDENTIALS`, for the life of a command.

use serde_json::json;

use crate::account::fresh::Token;
use crate::account::renew;
use crate::context::Context;
use crate::credential::{AccountKey, Mint};
use crate::error::Error;
use crate::error::usage::token as usage;
use crate::secret::{AccessToken, Secret};

/// Where those libraries look ("Application Default Credentials").
pub const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// The file's content: the service account, or the user's client and refresh token.
///
/// # Errors
/// The login holds neither.
pub fn content(
    context: &Context,
    account: &AccountKey,
    token: &Token,
) -> Result<AccessToken, Error> {
    let none = || usage::nothing_for_credentials_file(account);
    let Token::Stored(_, credential) = token else {
        return Err(none());
    };
    let refresh_token = credential.usable_refresh_token();
    let object = match (&credential.mint, refresh_token) {
        (Some(Mint::ServiceAccount(account)), _) => json!({
            "type": "service_account",
            "client_email": account.client_email,
            "private_key": account.private_key.expose(),
            "private_key_id": account.private_key_id,
            "token_uri": account.token_uri,
        }),
        (_, Some(refresh_token)) => {
            let provider = context.provider(account.provider.as_str())?;
            let client = renew::client(&context.accounts(), &provider, credential)?;
            json!({
                "type": "authorized_user",
                "client_id": client.id,
                "client_secret": client.secret.as_ref().map(Secret::expose),
                "refresh_token": refresh_token.expose(),
            })
        }
        _ => return Err(none()),
    };
    Ok(AccessToken::new(object.to_string()))
}
