//! `import`: the keys of `.env` files become logins, and can leave the files.

pub mod dotenv;
mod file;

use std::ops::Range;
use std::path::PathBuf;

use serde_json::json;

use super::login::replace::Replacing;
use super::login::{finish, handed_over, key};
use super::outcome::tell;
use crate::cli::Import;
use crate::commands::outcome::Outcome;
use crate::context::Context;
use crate::credential::{Credential, KeyField, Kind};
use crate::error::{Error, Exit};
use crate::provider::{ACCESS_TOKEN, Provider};
use crate::secret::AccessToken;
use crate::ui::paste;
use crate::ui::table::Table;
use file::File;

/// What became of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Found,
    Stored,
    Refused,
    Unreachable,
    /// Left as it is: another value is stored, a field is missing, or a later line counts.
    Kept,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Stored => "stored",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Kept => "kept",
        }
    }
}

/// A line that names a known variable.
struct Hit {
    /// Its place among the files.
    file: usize,
    line: usize,
    span: Range<usize>,
    variable: String,
    value: AccessToken,
    /// Its place among the providers.
    provider: usize,
    kind: Kind,
    field: String,
    fate: Fate,
}

/// Finds, asks, stores, and takes the stored lines out on wish.
///
/// # Errors
/// A file can't be read, nobody said yes, or the store can't be used.
pub fn run(context: &Context, args: &Import) -> Outcome {
    let providers: Vec<Provider> = context.providers().collect();
    let names = match args.files.as_slice() {
        [] => vec![PathBuf::from(".env")],
        named => named.to_vec(),
    };
    let files: Vec<File> = names
        .iter()
        .map(|name| File::read(name))
        .collect::<Result<_, _>>()?;
    if args.remove && files.iter().any(File::is_stdin) {
        return Err(Error::usage(
            "--remove can't remove lines from stdin",
            "leave out --remove, or name the file",
        ));
    }
    let mut hits = hits(&files, &providers, &chosen(args, &providers)?);
    if hits.is_empty() || args.dry_run {
        show(context, &files, &providers, &hits)?;
        return Ok(None);
    }
    if !confirmed(context, args, &files, &providers, &hits)? {
        context.ui.say("Nothing was stored.");
        return Ok(None);
    }
    let mut exit = None;
    for (place, provider) in providers.iter().enumerate() {
        for kind in [Kind::Key, Kind::OAuth] {
            let of_it = |hit: &&mut Hit| hit.provider == place && hit.kind == kind;
            let mut of_it: Vec<&mut Hit> = hits.iter_mut().filter(of_it).collect();
            if of_it.is_empty() {
                continue;
            }
            if let Err(error) = take(context, args, provider, kind, &mut of_it) {
                if matches!(error, Error::Interrupted) {
                    return Err(error);
                }
                let report = error.report();
                let fate = match report.exit {
                    Exit::Unreachable | Exit::Protocol => Fate::Unreachable,
                    _ => Fate::Refused,
                };
                of_it.iter_mut().for_each(|hit| hit.fate = fate);
                tell(&context.ui, &report, report.exit.code());
                exit.get_or_insert(report.exit);
            }
        }
    }
    show(context, &files, &providers, &hits)?;
    if args.remove {
        for (place, file) in files.iter().enumerate() {
            let stored = hits
                .iter()
                .filter(|hit| hit.file == place && hit.fate == Fate::Stored);
            let spans: Vec<_> = stored.map(|hit| hit.span.clone()).collect();
            if !spans.is_empty() {
                file.remove(&spans)?;
            }
        }
    }
    Ok(exit)
}

/// `--as NAME=PROVIDER`, as the variable and the provider's place.
fn chosen<'a>(args: &'a Import, providers: &[Provider]) -> Result<Vec<(&'a str, usize)>, Error> {
    let read = |text: &'a String| {
        let wrong = || {
            Error::usage(
                format!(
                    "--as: `{}` is not NAME=PROVIDER with a known provider",
                    crate::text::printable(text, 64)
                ),
                "write it like this: --as API_KEY=moz; `seo-auth providers` lists them",
            )
        };
        let (variable, name) = text.split_once('=').ok_or_else(wrong)?;
        let place = providers
            .iter()
            .position(|provider| provider.name.as_str() == name);
        Ok((variable, place.ok_or_else(wrong)?))
    };
    args.assign.iter().map(read).collect()
}

/// The lines whose variables are known. A name that two providers share is the first one's.
fn hits(files: &[File], providers: &[Provider], chosen: &[(&str, usize)]) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (file, content) in files.iter().enumerate() {
        for entry in &content.entries {
            let named = chosen.iter().find(|(name, _)| *name == entry.name);
            let home = match named {
                Some((_, place)) => Some((*place, first_secret(&providers[*place]))),
                None => home_of(providers, &entry.name),
            };
            let Some((provider, (kind, field))) = home else {
                continue;
            };
            hits.push(Hit {
                file,
                line: entry.line,
                span: entry.span.clone(),
                variable: entry.name.clone(),
                value: AccessToken::new(entry.value.clone()),
                provider,
                kind,
                field,
                fate: Fate::Found,
            });
        }
    }
    hits
}

/// The provider that names this variable, and what the variable holds. A key's come first: where both are named the same, a
/// file holds the key, for a token lives for hours.
fn home_of(providers: &[Provider], variable: &str) -> Option<(usize, (Kind, String))> {
    let mut known = providers.iter().enumerate();
    known.find_map(|(place, provider)| {
        let of_key = provider.key().map(|key| (Kind::Key, &key.usage));
        let of_token = provider
            .login
            .token_endpoint()
            .map(|_| (Kind::OAuth, &provider.usage));
        let mut usages = of_key.into_iter().chain(of_token);
        usages.find_map(|(kind, usage)| {
            let mut variables = usage.variables.iter();
            let found = variables.find(|known| known.name == variable)?;
            Some((place, (kind, found.field.clone())))
        })
    })
}

fn first_secret(provider: &Provider) -> (Kind, String) {
    let fields = provider.key().map(|key| key.fields.as_slice());
    let first = fields.and_then(|fields| fields.iter().find(|field| field.is_secret));
    match first {
        Some(field) => (Kind::Key, field.name.clone()),
        None => (Kind::OAuth, ACCESS_TOKEN.to_owned()),
    }
}

fn confirmed(
    context: &Context,
    args: &Import,
    files: &[File],
    providers: &[Provider],
    hits: &[Hit],
) -> Result<bool, Error> {
    if args.yes {
        return Ok(true);
    }
    if !context.ui.is_interactive() || context.ui.json {
        return Err(Error::usage(
            format!(
                "{} lines would be stored as logins, but there is no terminal to confirm that",
                hits.len()
            ),
            "add --yes, or look first with --dry-run",
        ));
    }
    context
        .ui
        .talk(&table(files, providers, hits).lines(context.ui.columns()));
    Ok(paste::yes(&context.ui, "Store these?"))
}

/// Makes one login of a provider's lines, or leaves them.
fn take(
    context: &Context,
    args: &Import,
    provider: &Provider,
    kind: Kind,
    hits: &mut [&mut Hit],
) -> Result<(), Error> {
    let account = context.accounts().of(&provider.name);
    let ui = &context.ui;
    let Some(credential) = credential(context, provider, kind, hits)? else {
        hits.iter_mut().for_each(|hit| hit.fate = Fate::Kept);
        return Ok(());
    };
    // Of several lines for one field the last counts, as for whoever reads the file.
    let is_used = |hit: &Hit| match kind {
        Kind::Key => credential
            .key_fields
            .iter()
            .any(|field| field.value == hit.value),
        _ => credential.access_token == hit.value,
    };
    let mut settle = || {
        for hit in hits.iter_mut() {
            hit.fate = if is_used(hit) {
                Fate::Stored
            } else {
                Fate::Kept
            };
        }
    };
    if let Some(found) = context.stores.find(&account)? {
        let stored = &found.stored.credential;
        let is_same = stored.access_token == credential.access_token
            && stored.key_fields == credential.key_fields;
        if is_same {
            settle();
            return Ok(());
        }
        if !args.replace {
            ui.warn(&format!(
                "{account} holds another login, so nothing was changed; --replace replaces it"
            ));
            hits.iter_mut().for_each(|hit| hit.fate = Fate::Kept);
            return Ok(());
        }
    }
    let issuer = crate::account::view::origin(&credential.token_endpoint).unwrap_or_default();
    let replacing = Replacing::decide(context, &account, args.replace, &issuer)?;
    let store = finish::choose_store(context, &account)?;
    let credential = key::tried(context, &account, provider, store, credential.clone())?;
    finish::save(context, &account, store, &credential, &replacing)?;
    settle();
    Ok(())
}

/// The credential of these lines; `None` where a field is missing, which is told.
fn credential(
    context: &Context,
    provider: &Provider,
    kind: Kind,
    hits: &[&mut Hit],
) -> Result<Option<Credential>, Error> {
    let last = |field: &str| hits.iter().rev().find(|hit| hit.field == field);
    let key = match (kind, provider.key()) {
        (Kind::Key, Some(key)) => key,
        _ => {
            let token = last(ACCESS_TOKEN)
                .map(|hit| hit.value.expose())
                .unwrap_or_default();
            return handed_over::bare_credential(context, provider, token).map(Some);
        }
    };
    let mut fields: Vec<KeyField> = Vec::new();
    for field in &key.fields {
        let Some(hit) = last(&field.name) else {
            if field.is_optional {
                continue;
            }
            let mut variables = key.usage.variables.iter();
            let variable = variables.find(|variable| variable.field == field.name);
            context.ui.warn(&format!(
                "{}: the {} is missing ({}), so its lines are not stored",
                provider.title,
                field.name,
                variable.map_or("-", |variable| &variable.name)
            ));
            return Ok(None);
        };
        fields.extend(key::parsed(provider, field, hit.value.expose())?);
    }
    key::credential(provider, fields).map(Some)
}

fn show(
    context: &Context,
    files: &[File],
    providers: &[Provider],
    hits: &[Hit],
) -> Result<(), Error> {
    if context.ui.json {
        let profile = |hit: &Hit| context.accounts().of(&providers[hit.provider].name).profile;
        let found: Vec<_> = hits
            .iter()
            .map(|hit| {
                json!({
                    "file": files[hit.file].shown,
                    "line": hit.line,
                    "variable": hit.variable,
                    "provider": providers[hit.provider].name,
                    "profile": profile(hit),
                    "field": hit.field,
                    "outcome": hit.fate.as_str(),
                })
            })
            .collect();
        let object = json!({"schema": "seo-auth.import.v1", "found": found});
        return Ok(context.ui.json_line(&object)?);
    }
    if hits.is_empty() {
        let names: Vec<&str> = files.iter().map(|file| file.shown.as_str()).collect();
        context.ui.say(&format!(
            "{} names no variable of a known provider; `seo-auth providers NAME` lists those of one.",
            names.join(", ")
        ));
        return Ok(());
    }
    let text = table(files, providers, hits).lines(context.ui.columns());
    Ok(context.ui.page(&text)?)
}

fn table(files: &[File], providers: &[Provider], hits: &[Hit]) -> Table {
    let mut table = Table::new(&["VARIABLE", "WHERE", "PROVIDER", "OUTCOME"]);
    for hit in hits {
        table.row([
            hit.variable.clone(),
            format!("{}:{}", files[hit.file].shown, hit.line),
            providers[hit.provider].name.to_string(),
            hit.fate.as_str().to_owned(),
        ]);
    }
    table
}

/// The names in a file here that would be imported, for `doctor`; empty where there is none.
pub fn known_names(context: &Context, name: &str) -> Vec<String> {
    let providers: Vec<Provider> = context.providers().collect();
    let file = File::read(&PathBuf::from(name));
    let hits = file.map(|file| hits(&[file], &providers, &[]));
    hits.unwrap_or_default()
        .into_iter()
        .map(|hit| hit.variable)
        .collect()
}
