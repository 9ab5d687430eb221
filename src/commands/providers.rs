//! `providers`: what can be signed in to.

use serde_json::json;

use super::stdout_failed;
use crate::context::Context;
use crate::error::Error;
use crate::provider::Provider;
use crate::ui::table::Table;

/// Lists the providers, built in and from the config file.
///
/// # Errors
/// Stdout cannot be written.
pub fn run(context: &Context) -> Result<(), Error> {
    let providers: Vec<Provider> = context
        .config
        .providers
        .keys()
        .filter_map(|name| context.provider(name.as_str()).ok())
        .collect();
    if context.ui.json {
        let list: Vec<_> = providers.iter().map(object).collect();
        return context
            .ui
            .json_line(&json!({"schema": "seo-auth.providers.v1", "providers": list}))
            .map_err(stdout_failed);
    }
    let mut table = Table::new(&["PROVIDER", "GRANT", "CLIENT ID", "SCOPE", "TOKEN ENDPOINT"]);
    for provider in &providers {
        let client_id = match (&provider.client_id, provider.quirks.client_id_help) {
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
            provider.grant.to_string(),
            client_id.to_owned(),
            scope,
            provider.token_endpoint.to_string(),
        ]);
    }
    let text = table.lines(context.ui.columns());
    context.ui.page(&text).map_err(stdout_failed)
}

fn object(provider: &Provider) -> serde_json::Value {
    let endpoint =
        |endpoint: &Option<crate::provider::Endpoint>| endpoint.as_ref().map(ToString::to_string);
    json!({
        "name": provider.name,
        "title": provider.title,
        "grant": provider.grant.to_string(),
        "device_authorization_endpoint": endpoint(&provider.device_authorization_endpoint),
        "authorization_endpoint": endpoint(&provider.authorization_endpoint),
        "token_endpoint": provider.token_endpoint.to_string(),
        "revocation_endpoint": endpoint(&provider.revocation_endpoint),
        "client_id": provider.client_id,
        "scope": provider.scope,
        "redirect_uri": provider.redirect_uri.to_string(),
        "api_base": endpoint(&provider.api_base),
    })
}
