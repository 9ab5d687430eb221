//! `login`: bind the port, prove the store, run the flow, store what it yields, and only then say that it worked.

mod finish;
mod import;
pub(super) mod port;

use std::io::ErrorKind;
use std::time::Duration;

use super::sandbox::{self, Visitor};
use crate::cli::{Flow, Login};
use crate::context::Context;
use crate::credential::{AccountKey, Credential};
use crate::error::Error;
use crate::flow::authcode::{self, Approved};
use crate::flow::loopback::Listener;
use crate::flow::{Client, FlowError, device};
use crate::process;
use crate::provider::{ClientAuth, Endpoint, Grant, Provider, RedirectUri};
use crate::secret::{ClientSecret, Secret};
use crate::ui::browser::{Browser, Wish};
use crate::ui::login::{LoginScreen, Options};
use crate::ui::{Ui, paste};

/// Nobody is told how long an authorization code login may take; Semrush's device codes live as long.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
/// Client secrets have some 40 characters.
const MAX_SECRET: u64 = 4096;

/// Signs in.
///
/// # Errors
/// See [`Error`]; nothing is stored then, and what was stored before stays.
pub fn run(mut context: Context, args: &Login) -> Result<(), Error> {
    if args.with_token {
        return import::run(&context, args);
    }
    let by_hand =
        context.ui.is_interactive() && matches!(browser(&context, args), Browser::Commands(_));
    // Lives until the login has ended.
    let embedded = match args.sandbox && context.sandbox().is_none() {
        true => Some(sandbox::start(&context.ui, &args.rules, 0, by_hand)?),
        false => None,
    };
    if let Some(sandbox) = &embedded {
        let origin = Endpoint::parse(sandbox.origin()).map_err(|error| Error::Usage {
            message: error.to_string(),
            hint: None,
        })?;
        context.move_to_sandbox(origin);
    }
    let mut login = Plan::new(&context, args)?;
    let pasting = login.provider.grant == Grant::AuthorizationCode && can_paste(&context, args);
    let _leftovers = pasting.then_some(paste::Leftovers);
    let store = finish::choose_store(&context)?;
    let (credential, answer) = login.sign_in(&context, args, embedded.is_some())?;
    let saved = finish::save(&context, &login.account, store, &credential);
    match (&saved, answer) {
        (Ok(()), Some(answer)) => answer.succeed(),
        (Err(error), Some(answer)) => answer.fail(&error.report().message),
        (_, None) => {}
    }
    saved?;
    finish::report(
        &context,
        &login.account,
        &login.provider,
        store,
        &credential,
    )
}

/// A login as flags, environment and configuration have it together.
struct Plan {
    provider: Provider,
    account: AccountKey,
    client: Client,
    /// The secret came from stdin and is kept in the store.
    keep_secret: bool,
    scope: Vec<String>,
    listener: Option<Listener>,
}

impl Plan {
    fn new(context: &Context, args: &Login) -> Result<Self, Error> {
        let mut provider = context.provider(&args.provider)?;
        if let Some(id) = &args.client_id {
            provider.client_id = Some(id.clone());
        }
        if let Some(uri) = &args.redirect_uri {
            provider.redirect_uri = RedirectUri::parse(uri);
        }
        if let Some(flow) = args.flow {
            provider.grant = match flow {
                Flow::Device => Grant::DeviceCode,
                Flow::Code => Grant::AuthorizationCode,
            };
        }
        // Before a secret is asked for, or a store is touched.
        let listener = port::bind(&provider, args)?;
        let secret = match args.client_secret_stdin {
            true => Some(read_secret(&context.ui)?),
            false => context.client_secret(&provider),
        };
        let plan = Self {
            account: context.account_of(&provider.name),
            client: Client {
                id: provider.client_id.clone(),
                secret,
            },
            keep_secret: args.client_secret_stdin,
            scope: if args.scope.is_empty() {
                provider.scope.clone()
            } else {
                args.scope.clone()
            },
            provider,
            listener,
        };
        plan.check(context, args)?;
        Ok(plan)
    }

    /// What can be known to fail fails here, before anything is shown or asked.
    fn check(&self, context: &Context, args: &Login) -> Result<(), Error> {
        let provider = &self.provider;
        let needs_id =
            provider.grant == Grant::AuthorizationCode || provider.client_auth != ClientAuth::None;
        if needs_id && self.client.id.is_none() {
            return Err(Error::NoClientId {
                provider: provider.name.clone(),
                help: provider.quirks.client_id_help,
                redirect_uri: provider.redirect_uri.to_string(),
            });
        }
        if provider.client_auth != ClientAuth::None && self.client.secret.is_none() {
            let variable = provider.variable("CLIENT_SECRET");
            return Err(Error::usage(
                format!("{} needs a client secret, and none is given", provider.name),
                format!(
                    "set {variable}, or give it to `seo-auth login {} --client-secret-stdin`",
                    provider.name
                ),
            ));
        }
        if provider.grant == Grant::AuthorizationCode
            && !provider.redirect_uri.is_loopback()
            && !can_paste(context, args)
        {
            return Err(Error::usage(
                format!(
                    "the redirect URI {} isn't on this machine, so the address must be pasted, and there is no terminal",
                    provider.redirect_uri
                ),
                "run it on a terminal, or give --paste and the address on stdin",
            ));
        }
        for scope in &self.scope {
            if !provider.known_scopes.is_empty() && !provider.known_scopes.contains(&scope.as_str())
            {
                context.ui.warn(&format!(
                    "{} is no scope that {} is known to have; asking all the same",
                    scope, provider.title
                ));
            }
        }
        Ok(())
    }

    /// Runs the flow. The browser, if one waits, is answered when the credential is stored.
    fn sign_in(
        &mut self,
        context: &Context,
        args: &Login,
        embedded: bool,
    ) -> Result<SignedIn, Error> {
        let browser = browser(context, args);
        let visitor = Visitor::default();
        let options = Options {
            account: &self.account,
            title: &self.provider.title,
            browser: &browser,
            withheld: context.withheld_variables(&[]),
            on_address: Box::new(|address| visitor.send_to(address)),
            qr: args.qr,
            copy: args.copy,
            can_paste: can_paste(context, args),
            ssh: context.ssh_route(),
        };
        let screen = LoginScreen::new(&context.ui, options);
        let alone = embedded || (!args.no_browser && !args.paste && !context.ui.is_interactive());
        let visits = alone && context.sandbox().is_some() && matches!(browser, Browser::None(_));
        let listener = self.listener.take();
        let outcome = context.block_on(async {
            tokio::select! {
                // Whoever listens for signals is polled first: from the moment that anything is shown, Ctrl-C cleans up.
                biased;
                () = process::interrupted() => Err(Error::Interrupted),
                result = self.flow(context, args, listener, &screen) => result.map_err(|source| self.failed(source)),
                never = visitor.visit(context.http()), if visits => match never {},
            }
        })?;
        let (mut credential, answer) = outcome?;
        if self.keep_secret {
            credential.client_secret.clone_from(&self.client.secret);
        }
        Ok((credential, answer))
    }

    /// The provider's grant, from the first request to the credential.
    async fn flow(
        &self,
        context: &Context,
        args: &Login,
        listener: Option<Listener>,
        screen: &LoginScreen<'_>,
    ) -> Result<SignedIn, FlowError> {
        let (http, provider) = (context.http(), &self.provider);
        let (client, scope) = (&self.client, self.scope.as_slice());
        if provider.grant == Grant::DeviceCode {
            let login = device::Login {
                http,
                provider,
                client,
                scope,
                timeout: args.timeout,
            };
            return Ok((login.run(screen).await?, None));
        }
        let login = authcode::Login {
            http,
            provider,
            client,
            scope,
            timeout: args.timeout.unwrap_or(DEFAULT_TIMEOUT),
            listener,
            pasted: can_paste(context, args).then(|| paste::lines(&context.ui)),
        };
        let Approved {
            credential,
            browser,
        } = login.run(screen).await?;
        Ok((credential, Some(browser)))
    }

    fn failed(&self, source: FlowError) -> Error {
        Error::Flow {
            account: self.account.clone(),
            source,
        }
    }
}

/// What a flow ends with, and the browser that waits to be told what became of it.
type SignedIn = (Credential, Option<authcode::BrowserAnswer>);

fn can_paste(context: &Context, args: &Login) -> bool {
    args.paste || (context.ui.is_interactive() && !args.client_secret_stdin)
}

fn browser(context: &Context, args: &Login) -> Browser {
    let wish = Wish {
        none: args.no_browser,
        command: args.browser.clone(),
        variable: context.browser_variable(),
    };
    Browser::choose(&wish, &context.surroundings())
}

fn stdin_failed(source: std::io::Error) -> Error {
    match source.kind() {
        ErrorKind::Interrupted => Error::Interrupted,
        _ => Error::System {
            what: "stdin can't be read".to_owned(),
            source,
        },
    }
}

fn read_secret(ui: &Ui) -> Result<ClientSecret, Error> {
    let text = paste::secret(ui, "Client secret", MAX_SECRET).map_err(stdin_failed)?;
    match text.as_str() {
        "" => Err(Error::usage(
            "stdin holds no client secret",
            "give it like this: `… --client-secret-stdin < secret.txt`",
        )),
        secret => Ok(Secret::new(secret.to_owned())),
    }
}
