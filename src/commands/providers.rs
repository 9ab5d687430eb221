//! `providers`: what can be signed in to.

use serde_json::json;

use super::stdout_failed;
use crate::context::Context;
use crate::error::Error;
use crate::provider::{Endpoint, Grant, Provider};
use crate::ui::table::Table;

/// Lists the providers, built in and from the config file.
///
/// # Errors
/// Stdout cannot be written.
pub fn run(context: &Context) -> Result<(), Error> {
    let providers: Vec<Provider> = context.providers().collect();
    if context.ui.json {
        let list: Vec<_> = providers.iter().map(object).collect();
        return context
            .ui
            .json_line(&json!({"schema": "seo-auth.providers.v1", "providers": list}))
            .map_err(stdout_failed);
    }
    let mut table = Table::new(&["PROVIDER", "GRANT", "CLIENT ID", "SCOPE", "TOKEN ENDPOINT"]);
    for provider in &providers {
        let client_id = match (&provider.client_id, &provider.client_id_help) {
            (Some(_), _) => "configured",
            (None, Some(_)) => "needed",
            (None, None) => "-",
        };
        let scope = if provider.scope.is_empty() {
            "-".to_owned()
        } else {
            provider.scope.join(&provider.scope_separator)
        };
        table.row([
            provider.name.to_string(),
            provider.login.grant().to_string(),
            client_id.to_owned(),
            scope,
            provider.login.token_endpoint().to_string(),
        ]);
    }
    let text = table.lines(context.ui.columns());
    context.ui.page(&text).map_err(stdout_failed)
}

fn object(provider: &Provider) -> serde_json::Value {
    let first_endpoint = |grant: Grant| {
        let mut logins = provider.logins();
        let login = logins.find(|login| login.grant() == grant);
        login.map(|login| login.first_endpoint().to_string())
    };
    let text = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(ToString::to_string);
    let flows: Vec<&str> = provider
        .logins()
        .map(|login| login.grant().flow())
        .collect();
    json!({
        "name": provider.name,
        "title": provider.title,
        "grant": provider.login.grant().to_string(),
        "flows": flows,
        "device_authorization_endpoint": first_endpoint(Grant::DeviceCode),
        "authorization_endpoint": first_endpoint(Grant::AuthorizationCode),
        "token_endpoint": provider.login.token_endpoint().to_string(),
        "revocation_endpoint": text(&provider.revocation_endpoint),
        "client_id": provider.client_id,
        "scope": provider.scope,
        "redirect_uri": provider.code().map(|code| code.redirect_uri.to_string()),
        "api_base": text(&provider.api.base),
    })
}
