//! Where the shared store is: variables above the file, by the names that the store's own tools have.

use std::path::PathBuf;

use super::reading::{path_var, setting_var, token_var};
use crate::config::Config;
use crate::config::vault::AuthKind;
use crate::error::Error;
use crate::error::usage::setting as usage;
use crate::paths::read_bounded;
use crate::provider::Endpoint;
use crate::secret::AccessToken;
use crate::store::kv2::client::{Auth, Settings};
use crate::store::kv2::fault::Fault;

/// The settings; the inner error says what is missing, which matters only where the store is used.
///
/// # Errors
/// A variable holds what can't be one.
pub(super) fn settings(
    config: &Config,
    roots: Vec<PathBuf>,
) -> Result<Result<Settings, Fault>, Error> {
    let file = &config.vault;
    let named = match setting_var("VAULT_ADDR")? {
        Some(text) => Some(("VAULT_ADDR", text)),
        None => setting_var("BAO_ADDR")?.map(|text| ("BAO_ADDR", text)),
    };
    let named = named.map(|(variable, text)| {
        Endpoint::parse(&text).map_err(|why| usage::wrong_vault(variable, why))
    });
    let Some(address) = named.transpose()?.or_else(|| file.address.clone()) else {
        return Ok(Err(Fault::NotConfigured("address (VAULT_ADDR)")));
    };
    let mut roots = roots;
    let ca_file = path_var("VAULT_CACERT")?.map(PathBuf::from);
    roots.extend(ca_file.or_else(|| file.ca_file.clone()));
    let auth = match auth(config)? {
        Ok(auth) => auth,
        Err(missing) => return Ok(Err(missing)),
    };
    Ok(Ok(Settings {
        address,
        namespace: setting_var("VAULT_NAMESPACE")?.or_else(|| file.namespace.clone()),
        mount: file.mount.clone().unwrap_or_else(|| "secret".to_owned()),
        path: file.path.clone().unwrap_or_else(|| "seo-auth".to_owned()),
        auth,
        roots,
    }))
}

fn auth(config: &Config) -> Result<Result<Auth, Fault>, Error> {
    let file = &config.vault;
    let mount = |usual: &str| file.auth_mount.clone().unwrap_or_else(|| usual.to_owned());
    let missing = |what| Ok(Err(Fault::NotConfigured(what)));
    match file.auth.unwrap_or(AuthKind::Token) {
        AuthKind::Token => Ok(Ok(Auth::Token(token()?))),
        AuthKind::AppRole => {
            let Some(role_id) = setting_var("VAULT_ROLE_ID")?.or_else(|| file.role.clone()) else {
                return missing("role id (VAULT_ROLE_ID)");
            };
            Ok(Ok(Auth::AppRole {
                mount: mount("approle"),
                role_id,
                secret_id: token_var("VAULT_SECRET_ID")?,
            }))
        }
        AuthKind::Jwt => match (&file.role, &file.jwt_file) {
            (Some(role), Some(jwt)) => Ok(Ok(Auth::Jwt {
                mount: mount("jwt"),
                role: role.clone(),
                file: jwt.clone(),
            })),
            (None, _) => missing("role ([vault] role)"),
            (_, None) => missing("token of its own ([vault] jwt_file)"),
        },
    }
}

/// By variable, else what the store's own tools keep after their login.
fn token() -> Result<Option<AccessToken>, Error> {
    for name in ["VAULT_TOKEN", "BAO_TOKEN"] {
        if let Some(token) = token_var(name)? {
            return Ok(Some(token));
        }
    }
    let home = path_var("HOME")?.map(PathBuf::from);
    let kept = home.and_then(|home| read_bounded(&home.join(".vault-token"), MAX_TOKEN).ok());
    Ok(kept.and_then(|text| AccessToken::parse(&String::from_utf8_lossy(&text)).ok()))
}

/// Batch tokens, the longest, have a few kB.
const MAX_TOKEN: u64 = 1 << 16;
