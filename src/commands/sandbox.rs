//! `sandbox`: the embedded authorization server, alone or for one login.

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use url::Url;

use crate::address::is_loopback;
use crate::cli::{Approve, Sandbox as Args, SandboxRules};
use crate::context::Context;
use crate::error::Error;
use crate::error::usage;
use crate::http::Http;
use crate::sandbox::{self, Options, Sandbox};
use crate::ui::Ui;

/// The shortest interval that RFC 8628's whole seconds allow, so that trying it out is quick.
const INTERVAL: Duration = Duration::from_secs(1);
/// A script that drives the login by itself has this long to open the address before the sandbox does.
const HEAD_START: Duration = Duration::from_millis(1500);
/// Authorization request, then the callback; a sandbox that asks for more is not ours.
const MAX_REDIRECTS: usize = 3;

/// Serves until the process ends; says on stdout where.
///
/// # Errors
/// The port is taken, or the rules can't be read.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let sandbox = start(
        &context.ui,
        &args.rules,
        args.port,
        context.ui.is_interactive(),
    )?;
    let origin = sandbox.origin().to_owned();
    if context.ui.json {
        context
            .ui
            .json_line(&json!({"schema": "seo-auth.sandbox.v1", "url": origin}))?;
    } else {
        context.ui.data(&format!("{origin}\n"))?;
        context.ui.say(&format!(
            "The sandbox plays {} until Ctrl-C. In another terminal:\n\n  export SEO_AUTH_SANDBOX={origin}\n  seo-auth login {}\n",
            sandbox::PLAYED, sandbox::FIRST
        ));
    }
    sandbox.wait();
    Ok(())
}

/// Starts it on 127.0.0.1. `by_hand`: a person with a browser is there to click.
///
/// # Errors
/// The port is taken, or a fault can't be read.
pub fn start(ui: &Ui, rules: &SandboxRules, port: u16, by_hand: bool) -> Result<Sandbox, Error> {
    let faults = rules
        .fault
        .iter()
        .map(|text| text.parse().map_err(usage::wrong_fault));
    let teller = ui.clone();
    let options = Options {
        port,
        approve: match rules.approve {
            Some(Approve::Auto) => sandbox::Approve::Auto,
            Some(Approve::Deny) => sandbox::Approve::Deny,
            Some(Approve::Ask) => sandbox::Approve::Ask,
            None if by_hand => sandbox::Approve::Ask,
            None => sandbox::Approve::Auto,
        },
        faults: faults.collect::<Result<_, _>>()?,
        expires_in: rules.expires_in,
        interval: INTERVAL,
        notice: Box::new(move |text| teller.say(&format!("sandbox: {text}"))),
    };
    Sandbox::start(options).map_err(|source| usage::sandbox_port(port, &source))
}

/// Stands in for a browser where there is none, at a sandbox that approves by itself: it opens the address that the login
/// shows, after a head start for whoever wants to do it.
#[derive(Default)]
pub struct Visitor {
    address: RefCell<Option<String>>,
    named: Notify,
}

impl Visitor {
    /// Names the address of the authorization request.
    pub fn send_to(&self, address: &str) {
        *self.address.borrow_mut() = Some(address.to_owned());
        self.named.notify_one();
    }

    /// Goes there when it is named, and follows the redirects to the callback. Never ends, so that it can stand beside the
    /// login in a `select!`.
    pub async fn visit(&self, http: &Http) -> Infallible {
        self.named.notified().await;
        tokio::time::sleep(HEAD_START).await;
        let address = self.address.take();
        let mut next = address.and_then(|address| Url::parse(&address).ok());
        for _ in 0..=MAX_REDIRECTS {
            let Some(url) = next.take().filter(is_loopback) else {
                break;
            };
            next = http.redirect_of(&url).await.ok().flatten();
        }
        std::future::pending().await
    }
}
