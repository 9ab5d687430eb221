//! `token print` and `token refresh`: the token, and nothing but the token, on stdout.

mod format;
mod github;

use std::io::Read;

use serde_json::json;

use super::stdout_failed;
use crate::account::fresh::{self, Demand, Token};
use crate::account::view::{AccountView, put_time};
use crate::cli::{Format, TokenPrint};
use crate::clock::{Timestamp, describe_span};
use crate::context::Context;
use crate::credential::AccountKey;
use crate::error::Error;
use crate::provider;
use crate::secret::{AccessToken, Secret};
use crate::ui::{BOLD, GOOD};

use format::Unfit;
pub use format::{check, is_variable};

/// Tokens have a few hundred bytes, self-contained ones a few thousand.
const MAX_TOKEN: u64 = 64 << 10;

/// `token print`: never interactive, never a stale token, nothing on stdout when it fails.
///
/// # Errors
/// No token that is good for what is demanded.
pub fn print(context: &Context, args: &TokenPrint) -> Result<(), Error> {
    let format = chosen_format(context, args)?;
    check_flags(args, format)?;
    let account = context.accounts().meant(args.provider.as_deref())?;
    let variable = match names_a_variable(format) {
        true => variable(context, &account, args),
        false => String::new(),
    };
    let github = match format {
        Format::Github => {
            github::check_name(context, &variable)?;
            Some(github::File::find(context)?)
        }
        _ => None,
    };
    let token = obtain(context, &account, args)?;
    if format == Format::Json {
        let object = object(&account, &token, args.with_refresh_token);
        return context.ui.json_line(&object).map_err(stdout_failed);
    }
    // To stdout, or to the runner's file.
    let text = token.access_token().expose();
    let line = format::line(format, &variable, text).map_err(|why| unfit(&account, &token, why))?;
    match github {
        Some(file) => {
            // To stderr: a runner reads commands there as well, and stdout may be on its way into a variable.
            context.ui.talk(&format::mask_command(text));
            file.append(&line)
        }
        None => context.ui.data(&line).map_err(stdout_failed),
    }
}

/// `--json` is `--format json`, and goes with no other.
fn chosen_format(context: &Context, args: &TokenPrint) -> Result<Format, Error> {
    match (context.ui.json, args.format) {
        (true, None | Some(Format::Json)) => Ok(Format::Json),
        (true, Some(_)) => Err(Error::usage(
            "--json is --format json, and another --format is given",
            "leave one of them out",
        )),
        (false, format) => Ok(format.unwrap_or(Format::Raw)),
    }
}

fn check_flags(args: &TokenPrint, format: Format) -> Result<(), Error> {
    if args.with_refresh_token && format != Format::Json {
        return Err(Error::usage(
            "--with-refresh-token goes only with --format json",
            "add --format json, and pipe it to where it is kept: `… | gh secret set NAME`",
        ));
    }
    match args.name.as_deref() {
        Some(_) if !names_a_variable(format) => Err(Error::usage(
            "--name names a variable, and this format has none",
            "use it with --format env, dotenv or github",
        )),
        Some(name) if !is_variable(name) => Err(not_a_variable("--name", name)),
        _ => Ok(()),
    }
}

fn names_a_variable(format: Format) -> bool {
    matches!(format, Format::Env | Format::Dotenv | Format::Github)
}

/// A name that no shell takes.
pub fn not_a_variable(flag: &str, name: &str) -> Error {
    let name = crate::text::printable(name, 64);
    Error::usage(
        format!("{flag}: `{name}` can't name a variable"),
        "use letters, digits and `_`, and no digit first",
    )
}

/// The one that was asked for, else the provider's first.
fn variable(context: &Context, account: &AccountKey, args: &TokenPrint) -> String {
    let own = || variables(context, account).into_iter().next();
    args.name.clone().or_else(own).unwrap_or_default()
}

/// The variables that the provider's own tools read.
pub fn variables(context: &Context, account: &AccountKey) -> Vec<String> {
    context.accounts().known_provider(account).map_or_else(
        || vec![provider::token_variable(&account.provider)],
        |known| known.token_variables,
    )
}

/// A token goes into a header or a variable, and a line's end in it would be another one.
///
/// # Errors
/// It holds what no token holds.
pub fn check_characters(account: &AccountKey, token: &Token) -> Result<(), Error> {
    // Looked at, and gone nowhere.
    check(token.access_token().expose()).map_err(|why| unfit(account, token, why))
}

/// A token that its reader would take for more than a token.
fn unfit(account: &AccountKey, token: &Token, why: Unfit) -> Error {
    match (why, token) {
        (Unfit::Characters, Token::Env(_)) => Error::usage(
            format!(
                "the token in {} is empty, or holds characters that no token has",
                provider::variable(&account.provider, "TOKEN")
            ),
            "look for a line's end, quotes or `Bearer ` around it",
        ),
        (Unfit::Characters, Token::Stored(..)) => Error::StrangeToken {
            account: account.clone(),
        },
        (Unfit::Quotes, _) => Error::usage(
            format!(
                "the token of {account} has quotes and escapes that no two readers of .env files read alike"
            ),
            "use --format env or json",
        ),
    }
}

fn obtain(context: &Context, account: &AccountKey, args: &TokenPrint) -> Result<Token, Error> {
    let demand = Demand {
        min_valid: args.min_valid,
    };
    if !args.rejected {
        return fresh::token(&context.accounts(), account, &demand);
    }
    let rejected = read_token()?;
    match fresh::token_after_rejection(&context.accounts(), account, &rejected)? {
        // What is demanded holds for the other token too, and it may need a refresh of its own.
        Token::Stored(..) if args.min_valid.is_some() => {
            fresh::token(&context.accounts(), account, &demand)
        }
        token => Ok(token),
    }
}

/// The rejected token, from stdin: an argument could be read by every user of the machine.
fn read_token() -> Result<AccessToken, Error> {
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let read = std::io::stdin()
        .lock()
        .take(MAX_TOKEN + 1)
        .read_to_end(&mut bytes);
    read.map_err(|source| Error::System {
        what: "stdin can't be read".to_owned(),
        source,
    })?;
    // What is more than the token would pass for another one, and have the rejected one printed again.
    let wrong = |why: &str| {
        Error::usage(
            format!("stdin holds no token, or more than a token: {why}"),
            "give just the token that was refused: `printf %s \"$TOKEN\" | seo-auth token print … --rejected`",
        )
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it isn't text"))?;
    match AccessToken::parse(text) {
        _ if bytes.len() as u64 > MAX_TOKEN => Err(wrong("it is too long")),
        Ok(_) if crate::secret::bare(text).starts_with('{') => Err(wrong("it is JSON")),
        token => token.map_err(|flaw| wrong(&flaw.to_string())),
    }
}

/// `token refresh`: refreshes now, and tells the account's state. The token itself is `token print`'s to show.
///
/// # Errors
/// It could not be refreshed.
pub fn refresh(context: &Context, provider: Option<&str>) -> Result<(), Error> {
    let account = context.accounts().meant(provider)?;
    let (store, credential) = fresh::refresh(&context.accounts(), &account)?;
    let known = context.accounts().known_provider(&account);
    let now = Timestamp::now();
    if context.ui.json {
        let view = AccountView::new(account, store, &credential, known.as_ref(), now);
        let mut object = json!({"schema": "seo-auth.refresh.v1"});
        view.put_into(&mut object);
        return context.ui.json_line(&object).map_err(stdout_failed);
    }
    let valid = credential
        .seconds_left(now)
        .map(|left| format!("; the token is valid for {}", describe_span(left)))
        .unwrap_or_default();
    context.ui.say(&format!(
        "{GOOD}Refreshed{GOOD:#} {BOLD}{account}{BOLD:#}{valid}."
    ));
    Ok(())
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
            object["token_type"] = json!(crate::http::wire::bearer());
            object["scope"] = json!([]);
            object["source"] = json!("env");
            put_time(&mut object, "expires_at", None);
        }
        Token::Stored(store, credential) => {
            object["token_type"] = json!(credential.token_type);
            object["scope"] = json!(credential.scope);
            object["source"] = json!(store);
            put_time(&mut object, "expires_at", credential.expires_at);
            if with_refresh_token {
                let refresh_token = credential.usable_refresh_token().map(Secret::expose);
                object["refresh_token"] = json!(refresh_token);
                // What `login --with-token` needs to go on from here on another machine.
                object["issuer"] = json!(crate::account::view::origin(&credential.token_endpoint));
                object["client_id"] = json!(credential.client_id);
                put_time(&mut object, "obtained_at", Some(credential.obtained_at));
            }
        }
    }
    object
}
