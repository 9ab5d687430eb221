//! `login --flow key`: an API key that a person copied from the provider's pages, tried before it is stored.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::finish::Place;
use super::input::read_stdin;
use crate::account::call::{Call, Checked};
use crate::account::fresh::Token;
use crate::api::check;
use crate::api::shape::Refusal;
use crate::cli;
use crate::clock::Timestamp;
use crate::commands::status::quota;
use crate::context::Context;
use crate::credential::{Credential, KeyField};
use crate::error::api::ApiProblem;
use crate::error::usage::login as usage;
use crate::error::{Error, KeyError};
use crate::http::HttpError;
use crate::provider::{Auth, Endpoint, Field, Key, Provider};
use crate::secret::{AccessToken, Flaw};
use crate::ui::paste;

/// Keys have some 40 characters, a Google key file's members some 2,000.
const MAX_INPUT: u64 = 64 << 10;
/// The check is free and small; a person waits.
const DEADLINE: Duration = Duration::from_secs(10);

/// Reads a key, tries it and stores it.
///
/// # Errors
/// There is none, the provider refuses it or can't be asked, or the store can't be used.
pub fn run(context: &Context, args: &cli::Login, provider: Provider) -> Result<(), Error> {
    let Some(key) = provider.key().cloned() else {
        return Ok(());
    };
    let account = context.accounts().of(&provider.name);
    let place = Place::prepare(context, account, args.replace, &issuer(&provider))?;
    let fields = read(context, args, &provider, &key)?;
    let credential = credential(&provider, fields)?;
    let credential = match args.no_check {
        true => credential,
        false => tried(context, &place, &provider, credential)?,
    };
    place.keep(&provider, &credential)
}

/// Where a key is used: of the API, whose origin takes the place of an authorization server's.
pub fn issuer(provider: &Provider) -> String {
    let base = provider.api.base.as_ref();
    base.map(Endpoint::origin).unwrap_or_default()
}

/// The credential of these fields.
///
/// # Errors
/// HTTP Basic can't carry them (RFC 7617 §2).
pub fn credential(provider: &Provider, fields: Vec<KeyField>) -> Result<Credential, Error> {
    let auth = provider.key().map(|key| &key.usage.auth);
    if let Some(Auth::Basic { user, .. }) = auth
        && let Some(field) = fields.iter().find(|field| field.name == *user)
        && field.value.expose().contains(':')
    {
        return Err(wrong(provider, &format!("the {user} contains a colon")));
    }
    let secret = fields.iter().find(|field| !field.is_public);
    let token_type = match auth {
        Some(Auth::Scheme(scheme)) => scheme.clone(),
        Some(Auth::Basic { .. }) => "Basic".to_owned(),
        _ => "key".to_owned(),
    };
    Ok(Credential {
        access_token: secret.map(|field| field.value.clone()).unwrap_or_default(),
        token_type,
        obtained_at: Timestamp::now(),
        token_endpoint: issuer(provider),
        key_fields: fields,
        ..Credential::default()
    })
}

/// The credential, with what the provider's check tells of its expiry; says what is left. A provider without a check is taken
/// at its word.
///
/// # Errors
/// The provider refused it, or could not be asked.
pub fn tried(
    context: &Context,
    place: &Place<'_>,
    provider: &Provider,
    credential: Credential,
) -> Result<Credential, Error> {
    let check = provider.usage(credential.kind()).check.as_ref();
    let request = check::request(&provider.api, check);
    let request = request.map_err(usage::wrong_check)?;
    let Some(request) = request else {
        let title = &provider.title;
        context.ui.say(&format!(
            "{title} has no free request that checks a key, so the key is stored unchecked."
        ));
        return Ok(credential);
    };
    let token = Token::Stored(place.store, Box::new(credential.clone()));
    let call = Call::new(place.account.clone(), provider.clone(), token)?;
    let until = Instant::now() + DEADLINE;
    let checked = context.until_interrupted(async {
        let checked = call.check(context.http(), &request, until);
        tokio::time::timeout_at(until.into(), checked).await
    })?;
    let checked =
        checked.unwrap_or_else(|_| Err(call.unreachable(HttpError::timed_out(&request.url))));
    let quota = match checked {
        Ok(Checked::Works(quota)) => quota,
        Ok(Checked::Refused(_)) => return Err(refused(provider)),
        Err(error) if is_refusal(&error) => return Err(refused(provider)),
        Err(error) => return Err(KeyError::NotTried(Box::new(error.report())).into()),
    };
    if let Some(left) = quota::describe(&quota, false) {
        let title = &provider.title;
        context
            .ui
            .say(&format!("{title} accepted the key: {left}."));
    }
    Ok(Credential {
        expires_at: quota.expires_at,
        ..credential
    })
}

/// Where no sign says what a 403 means, it means this.
fn is_refusal(error: &Error) -> bool {
    let Error::Api(error) = error else {
        return false;
    };
    matches!(
        error.problem,
        ApiProblem::Refused(Refusal { status: 403, .. })
    )
}

fn refused(provider: &Provider) -> Error {
    KeyError::Refused {
        title: provider.title.clone(),
        docs: docs(provider).map(str::to_owned),
    }
    .into()
}

fn docs(provider: &Provider) -> Option<&str> {
    provider.key()?.usage.docs.as_deref()
}

/// Asked for on a terminal, else from stdin.
fn read(
    context: &Context,
    args: &cli::Login,
    provider: &Provider,
    key: &Key,
) -> Result<Vec<KeyField>, Error> {
    let ui = &context.ui;
    if args.with_token || !ui.is_interactive() {
        if std::io::stdin().is_terminal() {
            return Err(wrong(
                provider,
                "stdin is a terminal, but seo-auth can't ask questions on it",
            ));
        }
        let text = read_stdin(ui, "Key", MAX_INPUT, |why| wrong(provider, why))?;
        return from_text(provider, key, &text);
    }
    if let Some(docs) = docs(provider) {
        ui.say(&format!("{} shows your keys at {docs}", provider.title));
    }
    let mut fields = Vec::new();
    for field in &key.fields {
        let name = format!("{} {}", provider.title, field.name);
        let text = match field.is_secret {
            true => read_stdin(ui, &name, MAX_INPUT, |why| wrong(provider, why))?,
            false => paste::answer(ui, &format!("{name}:")).into(),
        };
        fields.extend(parsed(provider, field, &text)?);
    }
    Ok(fields)
}

/// The bare key where nothing else is needed, else a JSON object of the fields.
fn from_text(provider: &Provider, key: &Key, text: &str) -> Result<Vec<KeyField>, Error> {
    let mut needed = key.fields.iter().filter(|field| !field.is_optional);
    let only = needed
        .next()
        .filter(|field| field.is_secret && needed.next().is_none());
    if let Some(field) = only.filter(|_| !text.starts_with('{')) {
        return Ok(parsed(provider, field, text)?.into_iter().collect());
    }
    // The parser's words are dropped, for they may repeat what it read.
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|_| wrong(provider, "it is not a JSON object of the fields"))?;
    let known = |name: &String| key.fields.iter().any(|field| field.name == *name);
    if !object.keys().all(known) {
        return Err(wrong(
            provider,
            "it contains a field that the key does not have",
        ));
    }
    let mut fields = Vec::new();
    for field in &key.fields {
        let text = match object.get(&field.name) {
            None => "",
            Some(Value::String(text)) => text,
            Some(_) => {
                return Err(wrong(
                    provider,
                    &format!("its {} is not a text", field.name),
                ));
            }
        };
        fields.extend(parsed(provider, field, text)?);
    }
    Ok(fields)
}

/// A field by the one reading of what people hand over; `None` where it may be, and is, left empty.
///
/// # Errors
/// It can't be one.
pub fn parsed(provider: &Provider, field: &Field, text: &str) -> Result<Option<KeyField>, Error> {
    match AccessToken::parse(text) {
        Ok(value) => Ok(Some(KeyField {
            name: field.name.clone(),
            value,
            is_public: !field.is_secret,
        })),
        Err(Flaw::Empty) if field.is_optional => Ok(None),
        Err(flaw) => Err(wrong(provider, &format!("the {}: {flaw}", field.name))),
    }
}

fn wrong(provider: &Provider, why: &str) -> Error {
    let fields = provider
        .key()
        .map(|key| key.fields.as_slice())
        .unwrap_or_default();
    let json: Vec<String> = fields
        .iter()
        .map(|field| format!("\"{}\":\"…\"", field.name))
        .collect();
    let form = match fields {
        [_] => "only the key".to_owned(),
        _ => format!("the JSON object {{{}}}", json.join(",")),
    };
    usage::not_a_key(&provider.name, &provider.title, &form, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::known;

    fn read(name: &str, text: &str) -> Result<Vec<(String, String)>, Error> {
        let provider = known(name);
        let key = provider.key().unwrap().clone();
        let fields = from_text(&provider, &key, text)?;
        let fields = fields.into_iter();
        Ok(fields
            .map(|field| (field.name, field.value.expose().to_owned()))
            .collect())
    }

    #[test]
    fn one_field_is_bare_and_several_are_json() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("moz", "abc").unwrap(), [pair("key", "abc")]);
        assert_eq!(
            read("moz", r#"{"key":"abc"}"#).unwrap(),
            [pair("key", "abc")]
        );
        let both = r#"{"login":"me@x.example","password":"p"}"#;
        let fields = [pair("login", "me@x.example"), pair("password", "p")];
        assert_eq!(read("dataforseo", both).unwrap(), fields);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for (name, text) in [
            ("moz", ""),
            ("moz", "planted key"),
            ("moz", "Bearer planted"),
            ("moz", "\"planted\""),
            ("dataforseo", "planted"),
            ("dataforseo", r#"{"login":"planted"}"#),
            ("dataforseo", r#"{"login":"planted","password":7}"#),
            (
                "dataforseo",
                r#"{"login":"x","password":"y","planted":"z"}"#,
            ),
        ] {
            let report = read(name, text).unwrap_err().report();
            assert!(
                !format!("{report:?}").contains("planted"),
                "{text}: {report:?}"
            );
        }
    }
}
