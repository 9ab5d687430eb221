//! `token print` and `token refresh`: the token, and nothing but the token, on stdout.

mod format;
mod github;

use std::io::Read;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::outcome::{Outcome, tell};
use crate::account::call::Call;
use crate::account::fresh::{self, Demand, Token};
use crate::account::view::{AccountView, put_time};
use crate::cli::{Format, TokenPrint};
use crate::clock::{Timestamp, describe_span};
use crate::context::Context;
use crate::credential::{AccountKey, Credential, Kind};
use crate::error::usage::token as usage;
use crate::error::{CannotRenew, Error, KeyError};
use crate::provider::{ACCESS_TOKEN, Variable, token_variable};
use crate::secret::{AccessToken, Secret};
use crate::text::is_variable;
use crate::ui::{BOLD, GOOD};

use format::{is_of_a_request, names_a_variable};

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
    let github = match format {
        Format::Github => {
            github::check_name(context, args.name.as_deref().unwrap_or_default())?;
            Some(github::File::find(context)?)
        }
        _ => None,
    };
    let token = obtain(context, &account, args)?;
    if format == Format::Json {
        let object = object(&account, &token, args.with_refresh_token);
        return Ok(context.ui.json_line(&object)?);
    }
    if is_of_a_request(format) {
        let text = of_a_request(context, account, token, format)?;
        return Ok(context.ui.data(&text)?);
    }
    let values = chosen(&account, &token, args, format)?;
    let names = match names_a_variable(format) {
        true => variables(context, &account, &token),
        false => Vec::new(),
    };
    let mut text = String::new();
    for (field, value) in &values {
        let own = names.iter().find(|variable| variable.field == *field);
        let name = args.name.as_ref().or(own.map(|own| &own.name));
        let name = name.map_or("", String::as_str);
        let line = format::line(format, name, value.expose());
        text.push_str(&line.ok_or_else(|| usage::unfit_for_dotenv(&account))?);
    }
    // To stdout, or to the runner's file.
    match github {
        Some(file) => {
            for (_, value) in &values {
                // To stderr: a runner reads commands there as well, and stdout may be on its way into a variable.
                context.ui.talk(&format::mask_command(value.expose()));
            }
            file.append(&text)
        }
        None => Ok(context.ui.data(&text)?),
    }
}

/// What is printed, by the names of its fields: the token, a key's field that was named, its only secret one, or where each
/// has a variable, all of them.
fn chosen<'a>(
    account: &AccountKey,
    token: &'a Token,
    args: &TokenPrint,
    format: Format,
) -> Result<Vec<(&'a str, &'a AccessToken)>, Error> {
    let all = token.key_fields();
    let fields = all.iter().map(|field| (field.name.as_str(), &field.value));
    if let Some(name) = &args.field {
        let field = fields.clone().find(|(field, _)| field == name);
        return field.map(|field| vec![field]).ok_or_else(|| {
            KeyError::NoSuchField {
                account: account.clone(),
                field: crate::text::printable(name, 64),
                fields: fields.map(|(field, _)| field.to_owned()).collect(),
            }
            .into()
        });
    }
    let secret = all.iter().filter(|field| !field.is_public);
    let in_variables = names_a_variable(format);
    match all {
        [] => Ok(vec![(ACCESS_TOKEN, token.access_token())]),
        // One name serves one field.
        _ if in_variables && (args.name.is_none() || all.len() == 1) => Ok(fields.collect()),
        _ if !in_variables && secret.count() == 1 => Ok(vec![(ACCESS_TOKEN, token.access_token())]),
        _ => Err(KeyError::SeveralFields {
            account: account.clone(),
            fields: fields.map(|(field, _)| field.to_owned()).collect(),
        }
        .into()),
    }
}

/// What a request of this account carries.
#[inline(never)] // see `commands::run`
fn of_a_request(
    context: &Context,
    account: AccountKey,
    token: Token,
    format: Format,
) -> Result<String, Error> {
    let name = account.provider.clone();
    let proof = match context.accounts().known_provider(&account) {
        Some(provider) => Call::new(account, provider, token)?.proof,
        // Taken out of the configuration: by RFC 6750, like nearly every one.
        None => crate::api::auth::carry(&Default::default(), token.access_token(), &[])
            .unwrap_or_default(),
    };
    format::of_a_request(format, &proof).ok_or_else(|| KeyError::InQuery { provider: name }.into())
}

/// `--json` is `--format json`, and goes with no other.
fn chosen_format(context: &Context, args: &TokenPrint) -> Result<Format, Error> {
    match (context.ui.json, args.format) {
        (true, None | Some(Format::Json)) => Ok(Format::Json),
        (true, Some(_)) => Err(usage::two_formats()),
        (false, format) => Ok(format.unwrap_or(Format::Raw)),
    }
}

fn check_flags(args: &TokenPrint, format: Format) -> Result<(), Error> {
    if args.with_refresh_token && format != Format::Json {
        return Err(usage::refresh_token_needs_json());
    }
    if args.field.is_some() && (format == Format::Json || is_of_a_request(format)) {
        return Err(usage::field_of_whole());
    }
    match args.name.as_deref() {
        Some(_) if !names_a_variable(format) => Err(usage::name_without_variable()),
        Some(name) if !is_variable(name) => Err(usage::not_a_variable("--name", name)),
        _ => Ok(()),
    }
}

/// The variables that the provider's own tools read.
#[inline(never)] // see `commands::run`
pub fn variables(context: &Context, account: &AccountKey, token: &Token) -> Vec<Variable> {
    let provider = context.accounts().known_provider(account);
    provider.map_or_else(
        || {
            vec![Variable {
                name: token_variable(&account.provider),
                field: ACCESS_TOKEN.to_owned(),
            }]
        },
        |known| {
            let mut variables = known.usage(token.kind(&known)).variables.clone();
            // A variable holds one value: that of the key's first secret field.
            let first = known
                .key()
                .and_then(|key| key.fields.iter().find(|field| field.is_secret));
            if let (Token::Env(_), Some(first), Kind::Key) = (token, first, known.kind()) {
                variables.retain(|variable| variable.field == first.name);
            }
            variables
        },
    )
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
    let wrong = usage::not_one_token;
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it isn't text"))?;
    match AccessToken::parse(text) {
        _ if bytes.len() as u64 > MAX_TOKEN => Err(wrong("it is too long")),
        Ok(_) if crate::secret::bare(text).starts_with('{') => Err(wrong("it is JSON")),
        token => token.map_err(|flaw| wrong(&flaw.to_string())),
    }
}

/// `token refresh`: refreshes now, or where less is left than `min_valid`, and tells the account's state. The token itself is
/// `token print`'s to show.
///
/// # Errors
/// It could not be refreshed.
pub fn refresh(
    context: &Context,
    account: AccountKey,
    min_valid: Option<Duration>,
) -> Result<(), Error> {
    let accounts = context.accounts();
    let due = |credential: &Credential| {
        let demand = Demand { min_valid };
        min_valid.is_none()
            || !credential.is_valid_for(Timestamp::now(), demand.seconds(credential))
    };
    let held = accounts.stores.glance(&account)?;
    let (store, credential) = match held {
        Some(held) if !due(&held.stored.credential) => {
            (held.store, Box::new(held.stored.credential))
        }
        _ => fresh::refresh(&accounts, &account)?,
    };
    let known = accounts.known_provider(&account);
    let now = Timestamp::now();
    if context.ui.json {
        let view = AccountView::new(account, store, &credential, known.as_ref(), now);
        let object = view.json(json!({"schema": "seo-auth.refresh.v1"}));
        return Ok(context.ui.json_line(&object)?);
    }
    let valid = credential
        .seconds_left(now)
        .map(|left| format!("; the token is valid for {}", describe_span(left)))
        .unwrap_or_default();
    let word = match min_valid.is_some() && !due(&credential) {
        true => "Fresh",
        false => "Refreshed",
    };
    context.ui.say(&format!(
        "{GOOD}{word}{GOOD:#} {BOLD}{account}{BOLD:#}{valid}."
    ));
    Ok(())
}

/// `--all`: for a cron job that keeps the tokens of a fleet fresh. Each account is told; the code is the first failure's.
///
/// # Errors
/// The accounts can't be listed.
pub fn refresh_all(context: &Context, min_valid: Option<Duration>) -> Outcome {
    let mut exit = None;
    for account in context.accounts().of_this_profile(context.stores.all()?) {
        match refresh(context, account, min_valid) {
            Ok(()) => {}
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            // A key, or a login that nothing renews, is not due.
            Err(Error::Expired {
                why: CannotRenew::Key | CannotRenew::NoRefreshToken,
                ..
            }) => {}
            Err(error) => {
                let report = error.report();
                tell(&context.ui, &report, report.exit.code());
                exit.get_or_insert(report.exit);
            }
        }
    }
    Ok(exit)
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
            if credential.kind() == Kind::Key {
                let fields = credential.key_fields.iter();
                let fields = fields.map(|field| (field.name.clone(), json!(field.value.expose())));
                object["fields"] = Value::Object(fields.collect::<Map<_, _>>());
            }
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
