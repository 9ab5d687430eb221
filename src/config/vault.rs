//! `[vault]`: where the shared store is, and how one gets in.

use std::path::PathBuf;

use super::document::Setting;
use super::error::ConfigError;
use super::setter::{Known, Value};
use crate::provider::Endpoint;

/// What the file says; variables stand above it.
#[derive(Clone, Debug, Default)]
pub struct VaultConfig {
    pub address: Option<Endpoint>,
    pub namespace: Option<String>,
    pub mount: Option<String>,
    pub path: Option<String>,
    pub auth: Option<AuthKind>,
    pub role: Option<String>,
    pub jwt_file: Option<PathBuf>,
    pub auth_mount: Option<String>,
    pub ca_file: Option<PathBuf>,
}

/// The ways in, by the words of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthKind {
    Token,
    AppRole,
    Jwt,
}

pub(super) const KEYS: Known<VaultConfig> = &[
    ("address", |vault, setting| setting.put(&mut vault.address)),
    ("namespace", |vault, setting| {
        setting.put(&mut vault.namespace)
    }),
    ("mount", |vault, setting| {
        folder(setting).map(|folder| vault.mount = Some(folder))
    }),
    ("path", |vault, setting| {
        folder(setting).map(|folder| vault.path = Some(folder))
    }),
    ("auth", |vault, setting| setting.put(&mut vault.auth)),
    ("role", |vault, setting| setting.put(&mut vault.role)),
    ("jwt_file", |vault, setting| {
        setting.put(&mut vault.jwt_file)
    }),
    ("auth_mount", |vault, setting| {
        folder(setting).map(|folder| vault.auth_mount = Some(folder))
    }),
    ("ca_file", |vault, setting| setting.put(&mut vault.ca_file)),
];

impl Value for AuthKind {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        let known = [
            ("token", Self::Token),
            ("approle", Self::AppRole),
            ("jwt", Self::Jwt),
        ];
        setting.word(&known, "\"token\", \"approle\" or \"jwt\"")
    }
}

/// A part of an address: names with slashes between them.
fn folder(setting: &Setting<'_>) -> Result<String, ConfigError> {
    let text = setting.text()?.trim_matches('/');
    let is_name = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && part.chars().all(allowed) && part != "." && part != ".."
    };
    match text.split('/').all(is_name) {
        true => Ok(text.to_owned()),
        false => {
            Err(setting
                .must_be("names of letters, digits, `-`, `_` and `.`, with `/` between them"))
        }
    }
}
