//! The keyring and the sealed file: whether a login could be stored, and whether what is stored can be had.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::finding::Finding;
use crate::context::Context;
use crate::error::{Error, Exit};
use crate::store::{Located, Preference, StoreKind};

/// Each store, the modes of our files, and the index.
pub fn checks(context: &Context) -> Vec<Finding> {
    // An unknown store was told among the variables.
    let preference = context.store_preference().unwrap_or(Preference::Auto);
    let file_only = preference == Preference::Only(StoreKind::File);
    let mut findings = Vec::new();
    let mut file_is_used = file_only;
    if file_only && context.stores.count_in(StoreKind::Keyring) == 0 {
        findings.push(Finding::ok(
            "keyring",
            "not used: logins are stored in the sealed file",
        ));
    } else {
        let (keyring, usable) = keyring(context, preference);
        file_is_used |= preference == Preference::Auto && !usable;
        findings.push(keyring);
    }
    findings.push(sealed_file(context, file_is_used));
    findings.extend(shared(context, preference));
    findings.extend(open_to_others(context));
    findings.push(index(context));
    findings
}

/// Whether it can be used stands beside the finding.
fn keyring(context: &Context, preference: Preference) -> (Finding, bool) {
    const NAME: &str = "keyring";
    let (outcome, took) = probe(context, StoreKind::Keyring);
    let Err(error) = outcome else {
        let service = context.stores.keyring.service();
        let what = format!(
            "{} stored, read and deleted a test entry",
            service.as_deref().unwrap_or("it")
        );
        return (Finding::ok(NAME, what).in_time(took), true);
    };
    let kept = context.stores.count_in(StoreKind::Keyring);
    let falls_back = kept == 0 && preference == Preference::Auto && error.source.is_out_of_reach();
    let mut report = Error::from(error).report();
    if kept > 0 {
        report.message = format!("{}; accounts stored there: {kept}", report.message);
    }
    if falls_back {
        report.message = format!("{}; logins are stored in the sealed file", report.message);
    }
    let finding = Finding::error(NAME, report, !falls_back);
    (finding.in_time(took), false)
}

/// Writes a test entry and reads it back; how long that took stands beside what came of it.
fn probe(context: &Context, store: StoreKind) -> (Result<(), Located>, Duration) {
    let begun = Instant::now();
    let outcome = context.stores.store(store).probe();
    let outcome = outcome.map_err(Located::at(store));
    (outcome, begun.elapsed())
}

/// A test entry is written only where a login would be: this makes the file and its key.
fn sealed_file(context: &Context, is_used: bool) -> Finding {
    const NAME: &str = "sealed file";
    let path = context.paths.sealed_file();
    let shown = path.display();
    if !is_used && !path.exists() {
        return Finding::ok(NAME, format!("{shown} does not exist, and is not needed"));
    }
    let (outcome, took) = probe(context, StoreKind::File);
    match outcome {
        Ok(()) => {
            let key = key(context);
            let what =
                format!("{shown} stored, read and deleted a test entry; its key comes from {key}");
            Finding::ok(NAME, what).in_time(took)
        }
        Err(error) => Finding::failure(NAME, Error::from(error).report()),
    }
}

/// The shared store, where one is configured or named: the way there, the login, and a write that proves the policy.
fn shared(context: &Context, preference: Preference) -> Option<Finding> {
    const NAME: &str = "shared store";
    let address = context.stores.vault.address();
    let is_named = preference == Preference::Only(StoreKind::Vault);
    if address.is_none() && !is_named {
        return None;
    }
    let (outcome, took) = probe(context, StoreKind::Vault);
    let finding = match outcome {
        Ok(()) => Finding::ok(
            NAME,
            format!("{} stored a test entry", address.unwrap_or_default()),
        ),
        Err(error) => Finding::error(NAME, Error::from(error).report(), is_named),
    };
    Some(finding.in_time(took))
}

/// Where the key comes from, by the order of the contract.
fn key(context: &Context) -> String {
    let set = ["SEO_AUTH_KEY_FILE", "SEO_AUTH_KEY"]
        .into_iter()
        .find(|name| context.variable(name).is_some());
    let generated = || context.paths.key_file().display().to_string();
    set.map_or_else(generated, str::to_owned)
}

/// Files and folders of ours that others may read or write.
fn open_to_others(context: &Context) -> Vec<Finding> {
    let paths = &context.paths;
    let mut ours = vec![
        paths.state_dir().to_owned(),
        paths.sealed_file(),
        paths.index_file(),
        paths.key_file(),
    ];
    ours.extend(context.variable("SEO_AUTH_KEY_FILE").map(PathBuf::from));
    ours.iter()
        .filter_map(|path| Some((path, mode_for_others(path)?)))
        .map(|(path, mode)| {
            let path = path.display();
            Finding::warning(
                "file modes",
                format!("other users can access {path} (mode {mode:04o})"),
                format!("run `chmod go-rwx {path}`"),
            )
        })
        .collect()
}

/// The mode, where it gives others anything.
#[cfg(unix)]
fn mode_for_others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    const PERMISSIONS: u32 = 0o7777;
    const OTHERS: u32 = 0o077;
    let mode = path.metadata().ok()?.permissions().mode() & PERMISSIONS;
    (mode & OTHERS != 0).then_some(mode)
}

/// Windows' profile folders are closed to others by their access lists.
#[cfg(not(unix))]
fn mode_for_others(_path: &Path) -> Option<u32> {
    None
}

fn index(context: &Context) -> Finding {
    const NAME: &str = "accounts";
    match context.stores.listed() {
        Ok(accounts) if accounts.is_empty() => Finding::ok(NAME, "no login is stored"),
        Ok(accounts) => {
            let names: Vec<String> = accounts.iter().map(ToString::to_string).collect();
            Finding::ok(NAME, names.join(", "))
        }
        Err(error) => {
            let mut report = Error::from(error).report();
            report.exit = Exit::Store;
            Finding::failure(NAME, report)
        }
    }
}
