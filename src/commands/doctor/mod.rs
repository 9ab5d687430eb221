//! `doctor`: checks everything that commonly breaks, and says what to do. Made to be pasted into an issue: names of
//! variables, never their values; no token, no password.

mod configuration;
mod finding;
mod login;
mod network;
mod stores;

use finding::Finding;

use super::outcome::Outcome;
use crate::config::ConfigError;
use crate::context::Context;
use crate::credential::Kind;
use crate::provider::Provider;

/// Checks all there is, and ends with 0 where a login could work. A broken configuration is a finding, and the built-in
/// providers are then looked at.
///
/// # Errors
/// There is no runtime for the network, or stdout cannot be written.
pub fn run(context: &Context, broken: Option<ConfigError>) -> Outcome {
    let providers = concerned(context);
    let groups = [
        ("program", vec![program()]),
        ("configuration", configuration::checks(context, broken)),
        ("stores", stores::checks(context)),
        ("login", login::checks(context, &providers)),
        ("network", network::checks(context, &providers)?),
    ];
    if context.ui.json {
        context.ui.json_line(&finding::object(&groups))
    } else {
        let text = finding::lines(&groups, context.ui.columns());
        context.ui.page(&text)
    }?;
    Ok(finding::verdict(&groups))
}

/// The providers that are used here, and those that anybody can sign in to at once: what is wrong with others troubles
/// nobody.
fn concerned(context: &Context) -> Vec<Provider> {
    let stored = context.stores.listed().unwrap_or_default();
    let is_used = |provider: &Provider| {
        context.variable(&provider.variable("CLIENT_ID")).is_some()
            || context.config.providers.is_configured(&provider.name)
            || stored
                .iter()
                .any(|account| account.provider == provider.name)
    };
    let needs_nothing =
        |provider: &Provider| provider.kind() == Kind::OAuth && provider.client_id_help.is_none();
    let concerned = |provider: &Provider| is_used(provider) || needs_nothing(provider);
    context.providers().filter(concerned).collect()
}

fn program() -> Finding {
    let (version, os, arch) = (
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    Finding::ok("version", format!("seo-auth {version}, {os} {arch}"))
}
