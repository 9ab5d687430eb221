//! `login`: bind the port, prove the store, run the flow, store what it yields, and only then say that it worked.

pub(super) mod finish;
pub(super) mod handed_over;
mod input;
pub(super) mod key;
mod machine;
mod plan;
pub(super) mod port;
mod replace;

use std::time::Duration;

use self::finish::Place;
use self::plan::Plan;
use super::sandbox::{self, Visitor};
use crate::cli::{self, SandboxRules};
use crate::context::Context;
use crate::credential::Credential;
use crate::error::Error;
use crate::error::usage::login as usage;
use crate::error::usage::setting::wrong_sandbox;
use crate::flow::authcode::{self, Approved};
use crate::flow::loopback::Listener;
use crate::flow::{FlowError, device};
use crate::provider::{Endpoint, Login};
use crate::ui::browser::{Browser, Choice};
use crate::ui::login::{LoginScreen, Options};
use crate::ui::paste;

/// Nobody is told how long an authorization code login may take; Semrush's device codes live as long.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// # Errors
/// See [`Error`]; nothing is stored then, and what was stored before stays.
pub fn run(mut context: Context, args: &cli::Login) -> Result<(), Error> {
    check_rules(&context, args)?;
    // Asked for once at most.
    let args = &plan::with_name(&context, args)?;
    let is_key = matches!(plan::provider(&context, args)?.login, Login::Key(_));
    if args.no_check && !is_key {
        return Err(usage::no_check_without_key());
    }
    if args.with_token && !is_key {
        return handed_over::run(&context, args);
    }
    check_screen(&context, args)?;
    let browser = browser(&context, args);
    let by_hand = context.ui.is_interactive() && matches!(browser, Browser::Commands(_));
    // Lives until the login has ended.
    let embedded = match args.sandbox && context.sandbox().is_none() {
        true => Some(sandbox::start(&context.ui, &args.rules, 0, by_hand)?),
        false => None,
    };
    if let Some(sandbox) = &embedded {
        let origin =
            Endpoint::parse(sandbox.origin()).map_err(|_| wrong_sandbox(sandbox.origin()))?;
        context.move_to_sandbox(origin);
    }
    let mut provider = plan::provider(&context, args)?;
    if let Login::Key(_) = provider.login {
        return key::run(&context, args, provider);
    }
    plan::discover(&context, &mut provider)?;
    if let Login::Machine(_) = provider.login {
        return machine::run(&context, args, &provider);
    }
    let mut login = Plan::new(&context, args, provider)?;
    warn_of_container(&context, &login);
    let _leftovers = login.can_paste.then_some(paste::Leftovers);
    let issuer = login.token_endpoint().map(Endpoint::origin);
    let issuer = issuer.unwrap_or_default();
    let place = Place::prepare(&context, login.account.clone(), args.replace, &issuer)?;
    let (credential, answer) = login.sign_in(&context, args, &browser, embedded.is_some())?;
    let replacing = &place.replacing;
    let same_person = replacing.same_person(&context, &login.account, &credential);
    let saved = same_person.and_then(|()| place.save(&credential));
    match (&saved, answer) {
        (Ok(_), Some(answer)) => answer.succeed(),
        (Err(error), Some(answer)) => answer.fail(&error.report().message),
        (_, None) => {}
    }
    place.report(&login.provider, saved?, &credential)
}

/// Rules are those of the server that a login starts; elsewhere nobody would heed them.
fn check_rules(context: &Context, args: &cli::Login) -> Result<(), Error> {
    let SandboxRules {
        approve,
        fault,
        expires_in,
    } = &args.rules;
    let flags = [
        ("--approve", approve.is_some()),
        ("--fault", !fault.is_empty()),
        ("--expires-in", expires_in.is_some()),
    ];
    let given = flags.into_iter().find(|(_, given)| *given);
    match given {
        Some((flag, _)) if context.sandbox().is_some() => {
            Err(usage::rule_for_running_sandbox(flag))
        }
        Some((flag, _)) if !args.sandbox => Err(usage::rule_without_sandbox(flag)),
        _ => Ok(()),
    }
}

/// Where a container publishes the port, the browser's answer reaches the container's own address, and never its loopback.
/// Whoever has a terminal can paste, and is asked to.
fn warn_of_container(context: &Context, login: &Plan) {
    let listens = login.listener.is_some() && context.sandbox().is_none();
    if listens && !login.can_paste && context.surroundings().container {
        context.ui.warn(
            "this is a container: a browser outside can't reach the login's port on 127.0.0.1, even if the port is published. Use --paste, or the host's network",
        );
    }
}

/// With `--json` nothing is drawn for people.
fn check_screen(context: &Context, args: &cli::Login) -> Result<(), Error> {
    let flags = [("--qr", args.qr), ("--copy", args.copy)];
    match flags.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) if context.ui.json => Err(usage::drawn_in_json(flag)),
        _ => Ok(()),
    }
}

impl Plan {
    /// Runs the flow. The browser, if one waits, is answered when the credential is stored.
    fn sign_in(
        &mut self,
        context: &Context,
        args: &cli::Login,
        browser: &Browser,
        embedded: bool,
    ) -> Result<SignedIn, Error> {
        let visitor = Visitor::default();
        let options = Options {
            account: &self.account,
            title: &self.provider.title,
            browser,
            withheld: context.withheld_variables(&[]),
            on_address: Box::new(|address| visitor.send_to(address)),
            qr: args.qr,
            copy: args.copy,
            can_paste: self.can_paste,
            ssh: context.ssh_route(),
        };
        let screen = LoginScreen::new(&context.ui, options);
        let alone = embedded || (!args.no_browser && !args.paste && !context.ui.is_interactive());
        let visits = alone && context.sandbox().is_some() && matches!(browser, Browser::None(_));
        let listener = self.listener.take();
        let outcome = context.until_interrupted(async {
            tokio::select! {
                biased;
                signed_in = self.flow(context, args, listener, &screen) => signed_in,
                never = visitor.visit(context.http()), if visits => match never {},
            }
        })?;
        let (mut credential, answer) = outcome.map_err(|source| self.failed(source))?;
        if self.keep_secret {
            credential.client_secret.clone_from(&self.client.secret);
        }
        Ok((credential, answer))
    }

    /// The provider's grant, from the first request to the credential.
    async fn flow(
        &self,
        context: &Context,
        args: &cli::Login,
        listener: Option<Listener>,
        screen: &LoginScreen<'_>,
    ) -> Result<SignedIn, FlowError> {
        let (http, provider) = (context.http(), &self.provider);
        let (client, scope) = (&self.client, self.scope.as_slice());
        let code = match &provider.login {
            Login::Code(code) => code,
            // Stored without a flow, or discovered before it comes to this.
            Login::Key(_) | Login::Machine(_) | Login::Issuer(_) => {
                return Err(FlowError::NotConfigured("grant"));
            }
            Login::Device(device) => {
                let login = device::Login {
                    http,
                    provider,
                    device,
                    client,
                    scope,
                    timeout: args.timeout,
                };
                return Ok((login.run(screen).await?, None));
            }
        };
        let login = authcode::Login {
            http,
            provider,
            code,
            client,
            scope,
            timeout: args.timeout.unwrap_or(DEFAULT_TIMEOUT),
            listener,
            pasted: self.can_paste.then(|| paste::lines(&context.ui)),
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

fn browser(context: &Context, args: &cli::Login) -> Browser {
    let choice = Choice {
        none: args.no_browser,
        command: args.browser.clone(),
        variable: context.browser_variable(),
    };
    Browser::choose(&choice, &context.surroundings())
}
