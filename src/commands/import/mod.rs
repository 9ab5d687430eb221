//! `import`: the keys of `.env` files become logins, and can leave the files.

pub mod dotenv;
mod file;
mod find;

use std::path::PathBuf;

use serde_json::json;

use super::login::finish::Place;
use super::login::{handed_over, key};
use super::outcome::tell;
use crate::cli::Import;
use crate::commands::outcome::Outcome;
use crate::context::Context;
use crate::credential::{Credential, KeyField, Kind};
use crate::error::usage::import as usage;
use crate::error::{Error, Exit, KeyError, Report};
use crate::provider::{ACCESS_TOKEN, Provider};
use crate::ui::Ui;
use crate::ui::paste;
use crate::ui::table::Table;
use file::File;
use find::{Fate, Hit, chosen, hits, unknown_names};

/// Finds, asks, stores, and takes the stored lines out on wish.
///
/// # Errors
/// A file can't be read, nobody said yes, or the store can't be used.
#[inline(never)] // see `commands::run`
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
        return Err(usage::removes_from_stdin());
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
                let report = refused(&error, provider, &mut of_it);
                tell(&context.ui, &report, report.exit.code());
                exit.get_or_insert(report.exit);
            }
        }
    }
    show(context, &files, &providers, &hits)?;
    if args.remove {
        remove(context, &files, &hits)?;
    }
    Ok(exit)
}

/// Takes the lines that are stored out of their files.
fn remove(context: &Context, files: &[File], hits: &[Hit]) -> Result<(), Error> {
    let mut removed = 0;
    for (place, file) in files.iter().enumerate() {
        let stored = hits
            .iter()
            .filter(|hit| hit.file == place && hit.fate == Fate::Stored);
        let spans: Vec<_> = stored.map(|hit| hit.span.clone()).collect();
        if !spans.is_empty() {
            file.remove(&spans)?;
        }
        removed += spans.len();
    }
    context
        .ui
        .say(&format!("Removed {removed} of these lines from the files."));
    Ok(())
}

/// Why a provider's lines were not stored, as it is told; notes it at the lines that were tried.
fn refused(error: &Error, provider: &Provider, hits: &mut [&mut Hit]) -> Report {
    let mut report = error.report();
    let not_tried = matches!(error, Error::Key(KeyError::NotTried(_)));
    let fate = match report.exit {
        _ if not_tried => Fate::Unreachable,
        Exit::Unreachable | Exit::Protocol => Fate::Unreachable,
        _ => Fate::Refused,
    };
    if not_tried {
        report.hint = Some(format!(
            "to store it unchecked: `seo-auth login {} --flow key --no-check`",
            provider.name
        ));
    }
    for at in 0..hits.len() {
        let was_tried = last_of(hits, &hits[at].field) == Some(at);
        hits[at].fate = if was_tried { fate } else { Fate::Kept };
    }
    report
}

/// The place of the line that counts for a field: as for whoever reads the file, the last one.
fn last_of(hits: &[&mut Hit], field: &str) -> Option<usize> {
    hits.iter().rposition(|hit| hit.field == field)
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
        return Err(usage::nobody_confirms(hits.len()));
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
    tell_of_twins(ui, hits);
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
    let place = Place::prepare(context, account, args.replace, &issuer)?;
    let credential = key::tried(context, &place, provider, credential.clone())?;
    place.save(&credential)?;
    settle();
    Ok(())
}

/// Says which of two values for one field does not count.
fn tell_of_twins(ui: &Ui, hits: &[&mut Hit]) {
    for hit in hits {
        let used = last_of(hits, &hit.field).map(|at| &hits[at]);
        if let Some(used) = used.filter(|used| used.value != hit.value) {
            ui.warn(&format!(
                "{} (line {}) is not used, because {} (line {}) is for the same login; to store both, use --profile",
                hit.variable, hit.line, used.variable, used.line
            ));
        }
    }
}

/// The credential of these lines; `None` where a field is missing, which is told.
fn credential(
    context: &Context,
    provider: &Provider,
    kind: Kind,
    hits: &[&mut Hit],
) -> Result<Option<Credential>, Error> {
    let last = |field: &str| last_of(hits, field).map(|at| &hits[at]);
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
            "{} names no variable of a known provider; `seo-auth providers NAME` lists those of one, and `--as NAME=PROVIDER` says whose key a line is.",
            names.join(", ")
        ));
        return Ok(());
    }
    let text = table(files, providers, hits).lines(context.ui.columns());
    context.ui.page(&text)?;
    let unknown = unknown_names(files, hits);
    if !unknown.is_empty() {
        context.ui.say(&format!(
            "Not known, and left in the file: {}. `--as NAME=PROVIDER` says whose key it is.",
            unknown.join(", ")
        ));
    }
    Ok(())
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
