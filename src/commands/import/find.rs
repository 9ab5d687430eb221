//! The lines of a file that are somebody's keys.

use std::ops::Range;

use super::file::File;
use crate::cli::Import;
use crate::credential::Kind;
use crate::error::Error;
use crate::error::usage::import as usage;
use crate::provider::{ACCESS_TOKEN, Provider};
use crate::secret::AccessToken;

/// What became of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Found,
    Stored,
    Refused,
    Unreachable,
    /// Left as it is: another value is stored, a field is missing, or a later line counts.
    Kept,
}

impl Fate {
    pub fn as_str(self) -> &'static str {
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
pub struct Hit {
    /// Its place among the files.
    pub file: usize,
    pub line: usize,
    pub span: Range<usize>,
    pub variable: String,
    pub value: AccessToken,
    /// Its place among the providers.
    pub provider: usize,
    pub kind: Kind,
    pub field: String,
    pub fate: Fate,
}

/// `--as NAME=PROVIDER`, as the variable and the provider's place.
pub fn chosen<'a>(
    args: &'a Import,
    providers: &[Provider],
) -> Result<Vec<(&'a str, usize)>, Error> {
    let read = |text: &'a String| {
        let wrong = || usage::wrong_choice(text);
        let (variable, name) = text.split_once('=').ok_or_else(wrong)?;
        let place = providers
            .iter()
            .position(|provider| provider.name.as_str() == name);
        Ok((variable, place.ok_or_else(wrong)?))
    };
    args.assign.iter().map(read).collect()
}

/// The lines whose variables are known. A name that two providers share is the first one's.
pub fn hits(files: &[File], providers: &[Provider], chosen: &[(&str, usize)]) -> Vec<Hit> {
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

/// The names that look like a secret's, and that no provider has.
pub fn unknown_names(files: &[File], hits: &[Hit]) -> Vec<String> {
    let secret = |name: &str| {
        let ends = ["_KEY", "_TOKEN", "_SECRET", "_PASSWORD"];
        ends.iter()
            .any(|end| name.to_ascii_uppercase().ends_with(end))
    };
    let entries = files.iter().flat_map(|file| &file.entries);
    entries
        .map(|entry| &entry.name)
        .filter(|name| secret(name) && hits.iter().all(|hit| hit.variable != **name))
        .cloned()
        .collect()
}
