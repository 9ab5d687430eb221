//! `exec`: a command with tokens in its environment. Nothing of ours stands between it and its caller, unless a token file
//! is to be kept fresh.

mod child;
mod credentials_file;
mod keeper;
mod token_file;

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use super::token::variables;
use crate::account::fresh::{self, Demand, Token};
use crate::cli::Exec;
use crate::context::Context;
use crate::credential::{AccountKey, Kind, Name};
use crate::error::usage::token as usage;
use crate::error::{Error, KeyError};
use crate::provider::{ACCESS_TOKEN, Variable};
use crate::secret::AccessToken;
use crate::text::is_variable;
use keeper::Keeper;
use token_file::TokenFile;

/// Where the child finds the path of its token file.
const TOKEN_FILE_VARIABLE: &str = "SEO_AUTH_TOKEN_FILE";

/// Runs the command; its exit status is the answer.
///
/// # Errors
/// A token can't be had, or the command can't be run; then it has not run at all.
#[inline(never)] // see `commands::run`
pub fn run(context: &Context, args: &Exec) -> Result<ExitCode, Error> {
    let accounts = accounts(context, args)?;
    check_flags(args, &accounts)?;
    let demand = Demand {
        min_valid: args.min_valid,
    };
    let mut tokens = Vec::new();
    for account in &accounts {
        let token = fresh::token(&context.accounts(), account, &demand)?;
        tokens.push(token);
    }
    let mut command = command(context, args, &accounts, &tokens)?;
    let name = &args.command[0];
    let needs_keeper = args.token_file || args.credentials_file;
    let (Some(account), Some(token), true) = (accounts.first(), tokens.pop(), needs_keeper) else {
        return replace_this_process(command, name);
    };
    let make = |content: &AccessToken| TokenFile::create(&context.paths.token_files_dir(), content);
    let file = args.token_file.then(|| make(token.access_token()));
    let file = file.transpose()?;
    if let Some(file) = &file {
        command.env(TOKEN_FILE_VARIABLE, file.path());
    }
    let content = args
        .credentials_file
        .then(|| credentials_file::content(context, account, &token));
    let credentials = content.transpose()?.as_ref().map(make).transpose()?;
    if let Some(credentials) = &credentials {
        command.env(credentials_file::VARIABLE, credentials.path());
    }
    let keeper = Keeper {
        context,
        account,
        demand,
        token,
        file,
        _credentials: credentials,
    };
    keeper.run(command, name)
}

/// Removes the token files whose `exec` was killed, so that no `logout` leaves a token behind.
pub fn sweep(context: &Context) {
    token_file::sweep(&context.paths.token_files_dir());
}

fn accounts(context: &Context, args: &Exec) -> Result<Vec<AccountKey>, Error> {
    if args.providers.is_empty() {
        return Ok(vec![context.accounts().meant(None)?]);
    }
    let named = args
        .providers
        .iter()
        .map(|name| context.accounts().meant(Some(name)));
    named.collect()
}

fn check_flags(args: &Exec, accounts: &[AccountKey]) -> Result<(), Error> {
    for given in &args.variables {
        let name = given
            .split_once('=')
            .map_or(given.as_str(), |(_, name)| name);
        if !is_variable(name) {
            return Err(usage::not_a_variable("--as", name));
        }
    }
    let flag = match args {
        _ if accounts.len() == 1 => return Ok(()),
        _ if !args.variables.is_empty() => "--as names the variables of one provider",
        _ if args.token_file => "--token-file holds one token",
        _ if args.credentials_file => "--credentials-file holds one login",
        _ => return Ok(()),
    };
    Err(usage::several_providers(flag))
}

/// The command with the tokens in its environment, and without the secrets of ours that it was not given.
fn command(
    context: &Context,
    args: &Exec,
    accounts: &[AccountKey],
    tokens: &[Token],
) -> Result<Command, Error> {
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    let named: Vec<&Name> = accounts.iter().map(|account| &account.provider).collect();
    for variable in context.withheld_variables(&named) {
        command.env_remove(variable);
    }
    for (account, token) in accounts.iter().zip(tokens) {
        refuse_half_a_key(context, account, token)?;
        // What `exec` is for: the child alone has it, where an argument could be read by every user of the machine.
        for variable in to_set(context, args, account, token)? {
            let field = token
                .key_fields()
                .iter()
                .find(|field| field.name == variable.field);
            let value = field.map_or_else(|| token.access_token(), |field| &field.value);
            if field.is_some() || token.key_fields().is_empty() || variable.field == ACCESS_TOKEN {
                command.env(variable.name, value.expose());
            }
        }
    }
    Ok(command)
}

/// A variable holds one value, and some keys have two: the command would run without the other.
fn refuse_half_a_key(context: &Context, account: &AccountKey, token: &Token) -> Result<(), Error> {
    let (Token::Env(_), Some(provider)) = (token, context.accounts().known_provider(account))
    else {
        return Ok(());
    };
    let key = provider.key().filter(|_| provider.kind() == Kind::Key);
    let mut fields = key.iter().flat_map(|key| &key.fields);
    match fields.find(|field| !field.is_secret && !field.is_optional) {
        None => Ok(()),
        Some(field) => Err(KeyError::NoField {
            account: account.clone(),
            field: field.name.clone(),
            variable: Some(provider.variable("TOKEN")),
        }
        .into()),
    }
}

/// The variables to set: those of `--as`, else the provider's own.
fn to_set(
    context: &Context,
    args: &Exec,
    account: &AccountKey,
    token: &Token,
) -> Result<Vec<Variable>, Error> {
    if args.variables.is_empty() {
        return Ok(variables(context, account, token));
    }
    let fields = token.key_fields();
    let names = || fields.iter().map(|field| field.name.clone()).collect();
    let variable = |field: &str, name: &str| Variable {
        name: name.to_owned(),
        field: field.to_owned(),
    };
    let given = args.variables.iter();
    let given = given.map(|given| match given.split_once('=') {
        Some((field, _)) if fields.iter().all(|known| known.name != field) => {
            Err(Error::from(KeyError::NoSuchField {
                account: account.clone(),
                field: crate::text::printable(field, 64),
                fields: names(),
            }))
        }
        Some((field, name)) => Ok(variable(field, name)),
        None if fields.len() > 1 => Err(Error::from(KeyError::FieldsToName {
            account: account.clone(),
            fields: names(),
        })),
        None => Ok(variable(ACCESS_TOKEN, given)),
    });
    given.collect()
}

/// Signals, the terminal and the exit status then need no go-between.
#[cfg(unix)]
fn replace_this_process(mut command: Command, name: &OsString) -> Result<ExitCode, Error> {
    use std::os::unix::process::CommandExt;
    Err(keeper::not_run(name, command.exec()))
}

#[cfg(not(unix))]
fn replace_this_process(mut command: Command, name: &OsString) -> Result<ExitCode, Error> {
    let status = command
        .status()
        .map_err(|source| keeper::not_run(name, source))?;
    Ok(keeper::exit_code(status))
}
