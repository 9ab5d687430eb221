//! `[vault]`: where the shared store is, and how one gets in.

use std::path::PathBuf;

use super::document::Setting;
use super::error::ConfigError;
use super::setter::{Setter, find};
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

const KEYS: &[(&str, Setter<VaultConfig>)] = &[
    ("address", |vault, setting| {
        vault.address = Some(setting.endpoint()?);
        Ok(())
    }),
    ("namespace", |vault, setting| {
        vault.namespace = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("mount", |vault, setting| {
        vault.mount = Some(folder(setting)?);
        Ok(())
    }),
    ("path", |vault, setting| {
        vault.path = Some(folder(setting)?);
        Ok(())
    }),
    ("auth", |vault, setting| {
        vault.auth = Some(match setting.text() {
            Ok("token") => AuthKind::Token,
            Ok("approle") => AuthKind::AppRole,
            Ok("jwt") => AuthKind::Jwt,
            _ => return Err(setting.must_be("\"token\", \"approle\" or \"jwt\"")),
        });
        Ok(())
    }),
    ("role", |vault, setting| {
        vault.role = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("jwt_file", |vault, setting| {
        vault.jwt_file = Some(setting.beside_file()?);
        Ok(())
    }),
    ("auth_mount", |vault, setting| {
        vault.auth_mount = Some(folder(setting)?);
        Ok(())
    }),
    ("ca_file", |vault, setting| {
        vault.ca_file = Some(setting.beside_file()?);
        Ok(())
    }),
];

/// Sets what the table says.
pub(super) fn set(vault: &mut VaultConfig, table: &Setting<'_>) -> Result<(), ConfigError> {
    for setting in table.settings("a table, [vault]")? {
        find(KEYS, &setting)?(vault, &setting)?;
    }
    Ok(())
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
