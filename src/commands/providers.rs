//! `providers`: what can be signed in to, and all that is known of one.

use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Error;
use crate::provider::{Auth, Endpoint, Grant, Login, Provider, Usage};
use crate::ui::table::Table;

/// Lists the providers, built in and from the config file, or tells of one.
///
/// # Errors
/// There is none of this name, or stdout can't be written.
pub fn run(context: &Context, name: Option<&str>) -> Result<(), Error> {
    let providers: Vec<Provider> = match name {
        Some(name) => vec![context.provider(name)?],
        None => context.providers().collect(),
    };
    if context.ui.json {
        let list: Vec<_> = providers.iter().map(object).collect();
        return Ok(context
            .ui
            .json_line(&json!({"schema": "seo-auth.providers.v1", "providers": list}))?);
    }
    let text = match (name, providers.as_slice()) {
        (Some(_), [one]) => told(one),
        _ => table(&providers).lines(context.ui.columns()),
    };
    Ok(context.ui.page(&text)?)
}

fn table(providers: &[Provider]) -> Table {
    let mut table = Table::new(&["PROVIDER", "NAME", "WAYS", "NEEDS"]);
    for provider in providers {
        let needs = match (&provider.client_id, &provider.client_id_help) {
            (None, Some(_)) if provider.kind().as_str() == "oauth" => "a client ID",
            _ => "-",
        };
        table.row([
            provider.name.to_string(),
            provider.title.clone(),
            ways(provider).join(", "),
            needs.to_owned(),
        ]);
    }
    table
}

/// The first is what `login` takes.
fn ways(provider: &Provider) -> Vec<&'static str> {
    let logins = provider.logins();
    logins.map(|login| login.grant().flow()).collect()
}

/// A line for each fact, as in the object.
fn told(provider: &Provider) -> String {
    let mut text = String::new();
    let object = object(provider);
    for (key, value) in object.as_object().into_iter().flatten() {
        tell(&mut text, key, value);
    }
    text
}

fn tell(text: &mut String, key: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (member, value) in members {
                tell(text, &format!("{key}.{member}"), value);
            }
        }
        Value::Array(list) if list.is_empty() => {}
        Value::Array(list) if list.iter().all(Value::is_string) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            text.push_str(&format!("{key}: {}\n", words.join(", ")));
        }
        Value::String(word) => text.push_str(&format!("{key}: {word}\n")),
        other => text.push_str(&format!("{key}: {other}\n")),
    }
}

fn object(provider: &Provider) -> Value {
    let first_endpoint = |grant: Grant| {
        let mut logins = provider.logins();
        let login = logins.find(|login| login.grant() == grant);
        login
            .and_then(Login::first_endpoint)
            .map(ToString::to_string)
    };
    let text = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(ToString::to_string);
    let mut logins = provider.logins();
    let token_endpoint = logins.find_map(Login::token_endpoint);
    let origins: Vec<_> = provider.api.origins.iter().map(Endpoint::origin).collect();
    let mut object = json!({
        "name": provider.name,
        "title": provider.title,
        "grant": provider.login.grant().to_string(),
        "flows": ways(provider),
        "issuer": provider.issuer.as_ref().map(|issuer| &issuer.name),
        "device_authorization_endpoint": first_endpoint(Grant::DeviceCode),
        "authorization_endpoint": first_endpoint(Grant::AuthorizationCode),
        "token_endpoint": token_endpoint.map(ToString::to_string),
        "revocation_endpoint": text(&provider.revocation_endpoint),
        "client_id": provider.client_id,
        "client_id_help": provider.client_id_help,
        "scope": provider.scope,
        "known_scopes": provider.known_scopes,
        "redirect_uri": provider.code().map(|code| code.redirect_uri.to_string()),
        "api_base": text(&provider.api.base),
        "api_origins": origins,
        "requests_per_minute": provider.api.requests_per_minute,
    });
    if token_endpoint.is_some() {
        put_usage(&mut object, &provider.usage);
    }
    if let Some(key) = provider.key() {
        let mut of_key = json!({});
        of_key["fields"] = key.fields.iter().map(|field| field.name.clone()).collect();
        put_usage(&mut of_key, &key.usage);
        object["key"] = of_key;
    }
    object
}

fn put_usage(object: &mut Value, usage: &Usage) {
    object["api_auth"] = match &usage.auth {
        Auth::Scheme(scheme) => json!({"scheme": scheme}),
        Auth::Header(header) => json!({"header": header}),
        Auth::Query(query) => json!({"query": query}),
        Auth::Basic { user, password } => json!({"basic": [user, password]}),
    };
    let variables = usage.variables.iter();
    object["token_variables"] = variables.map(|variable| variable.name.clone()).collect();
    object["check"] = json!(usage.check.as_ref().map(|check| &check.url));
    object["docs"] = json!(usage.docs);
}
