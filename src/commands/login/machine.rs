//! `login --flow service-account` and `--flow client-credentials`: tokens that no person approves.

use std::io::IsTerminal;
use std::path::Path;

use super::finish::Place;
use super::input::read_file;
use super::plan;
use crate::cli;
use crate::context::Context;
use crate::credential::{Credential, Mint};
use crate::error::Error;
use crate::error::usage::login as usage;
use crate::flow::KeyFileError;
use crate::flow::assertion::{Minting, read_key_file};
use crate::flow::token::credential_of;
use crate::flow::{Client, FlowError};
use crate::provider::{Endpoint, Grant, Provider};
use crate::secret::ClientSecret;

/// Mints a first token, which proves that it can be done, and stores what mints the next ones.
///
/// # Errors
/// The key or the client can't be used, the server refuses it, or the store can't be used.
pub fn run(context: &Context, args: &cli::Login, provider: &Provider) -> Result<(), Error> {
    let Some(endpoint) = provider.login.token_endpoint() else {
        return Ok(());
    };
    let account = context.accounts().of(&provider.name);
    let client = client(context, args, provider)?;
    let mint = mint(context, args, provider, endpoint, &client)?;
    let place = Place::prepare(context, account, args.replace, &endpoint.origin())?;
    let scope = plan::scope(args, provider);
    let minting = Minting {
        http: context.http(),
        provider,
        endpoint,
        client: &client,
        mint: &mint,
        scope: &scope,
        clock_skew: 0,
    };
    let failed = |source: FlowError| Error::Flow {
        account: place.account.clone(),
        source,
    };
    let minted = context.until_interrupted(minting.run())?;
    let (token, reply) = minted.map_err(failed)?;
    let credential = credential_of(provider, endpoint, &client, &scope, token, &reply);
    let mut credential = Credential {
        refresh: None,
        ..credential.map_err(failed)?
    };
    if mint == Mint::ClientCredentials {
        credential.client_secret.clone_from(&client.secret);
    }
    credential.mint = Some(mint);
    place.keep(provider, &credential)
}

fn client(context: &Context, args: &cli::Login, provider: &Provider) -> Result<Client, Error> {
    let secret: Option<ClientSecret> = match args.client_secret_stdin {
        true => Some(plan::read_secret(&context.ui)?),
        false => context.client_secret(provider)?,
    };
    Ok(Client {
        id: provider.client_id.clone(),
        secret,
    })
}

fn mint(
    context: &Context,
    args: &cli::Login,
    provider: &Provider,
    endpoint: &Endpoint,
    client: &Client,
) -> Result<Mint, Error> {
    if provider.login.grant() == Grant::ClientCredentials {
        return match (&client.id, &client.secret) {
            (Some(_), Some(_)) => Ok(Mint::ClientCredentials),
            _ => Err(usage::no_client(&provider.name)),
        };
    }
    let wrong = |why: String| usage::not_a_service_account(&provider.name, &provider.title, &why);
    let text = match &args.key_file {
        Some(file) => read_file(file).map_err(&wrong)?,
        None if std::io::stdin().is_terminal() => {
            return Err(wrong("stdin is empty".to_owned()));
        }
        None => read_file(Path::new("-")).map_err(&wrong)?,
    };
    let read = read_key_file(&text, endpoint, args.subject.clone());
    let account = read.map_err(|why: KeyFileError| match &why {
        KeyFileError::OtherServer { .. } if context.sandbox().is_some() => {
            usage::real_service_account(&provider.title, endpoint)
        }
        _ => wrong(why.to_string()),
    })?;
    Ok(Mint::ServiceAccount(Box::new(account)))
}
