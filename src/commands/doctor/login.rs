//! What a login needs on this machine besides a store: a browser, a free port, a client id.

use std::net::TcpListener;

use super::finding::Finding;
use crate::commands::login::port;
use crate::context::Context;
use crate::credential::Kind;
use crate::error::login_command;
use crate::flow::loopback::Listener;
use crate::provider::Provider;
use crate::ui::browser::{Browser, Choice, Why};

/// The browser, the loopback interface, then each provider.
pub fn checks(context: &Context, providers: &[Provider]) -> Vec<Finding> {
    let mut findings = vec![browser(context), loopback()];
    for provider in providers {
        if provider.kind() == Kind::OAuth {
            findings.push(client_id(context, provider));
        }
        findings.extend(port(provider));
    }
    findings
}

fn browser(context: &Context) -> Finding {
    const NAME: &str = "browser";
    let variable = context.browser_variable();
    let choice = Choice {
        variable: variable.clone(),
        ..Choice::default()
    };
    let browser = Browser::choose(&choice, &context.surroundings());
    let path = context.variable("PATH").unwrap_or_default();
    let why = match (&browser, browser.installed(&path)) {
        (_, Some(program)) => return Finding::ok(NAME, format!("opened by {program}")),
        (Browser::None(Why::Ssh), _) => "this is a session over SSH",
        (Browser::None(Why::Container), _) => "this is a container",
        (Browser::None(Why::NoScreen | Why::Asked), _) => "there is no display here",
        (Browser::Commands(_), None) => {
            // The value stays out of it: whatever stands in a variable may be anything.
            let (what, mend) = match variable {
                Some(_) => (
                    "no program in $BROWSER",
                    "set BROWSER to an installed program, or unset it",
                ),
                None => ("no browser", "install xdg-utils, or set BROWSER"),
            };
            let what =
                format!("{what} was found: a login prints its address, and opens no browser");
            return Finding::warning(NAME, what, mend);
        }
    };
    Finding::ok(
        NAME,
        format!(
            "{why}: a login prints an address to open on another machine; with `--paste`, you paste the answer here"
        ),
    )
}

/// Both families, since a provider may have either registered.
fn loopback() -> Finding {
    const NAME: &str = "loopback";
    let works = |address: &str| TcpListener::bind((address, 0)).is_ok();
    match (works("127.0.0.1"), works("::1")) {
        (true, true) => Finding::ok(NAME, "seo-auth can listen on 127.0.0.1 and [::1]"),
        (true, false) => Finding::ok(
            NAME,
            "seo-auth can listen on 127.0.0.1, but not on [::1]: do not use [::1] in a redirect URI",
        ),
        (false, true) => Finding::warning(
            NAME,
            "seo-auth can listen on [::1], but not on 127.0.0.1",
            "register redirect URIs with [::1], or sign in with --paste",
        ),
        (false, false) => Finding::warning(
            NAME,
            "seo-auth can't listen on any port: a container's policy or a firewall may forbid it",
            "sign in with --paste",
        ),
    }
}

fn client_id(context: &Context, provider: &Provider) -> Finding {
    let name = &provider.name;
    let grant = provider.login.grant();
    match (&provider.client_id, &provider.client_id_help) {
        (None, Some(help)) => Finding::warning(
            name.as_str(),
            format!("grant {grant}; no client ID is configured"),
            format!(
                "{help}{}; then run `{} --client-id ID`",
                provider
                    .code()
                    .map(|code| format!(" ({})", code.redirect_uri))
                    .unwrap_or_default(),
                login_command(&context.accounts().of(name))
            ),
        ),
        (Some(_), _) => Finding::ok(name.as_str(), format!("grant {grant}, with a client ID")),
        (None, None) => Finding::ok(name.as_str(), format!("grant {grant}")),
    }
}

/// The very socket that a login would open. `None` where it opens none.
fn port(provider: &Provider) -> Option<Finding> {
    let uri = port::address(provider)?;
    let name = format!("{} port", provider.name);
    let Err(error) = Listener::bind(uri) else {
        let which = match uri.port() {
            Some(0) => format!("any free port, for {uri}"),
            _ => format!("free: {uri}"),
        };
        return Some(Finding::ok(name, which));
    };
    let report = port::taken(error).report();
    // Whoever has no client id can't sign in there anyway.
    let in_use = provider.client_id.is_some() || provider.client_id_help.is_none();
    Some(Finding::error(name, report, in_use))
}
