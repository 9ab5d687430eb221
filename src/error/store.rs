//! What is told when a credential store cannot be used.

use std::io;
use std::path::Path;

use super::report::{Exit, Report, report};
use crate::credential::AccountKey;
use crate::paths::is_nowhere;
use crate::store::kv2::fault::Fault;
use crate::store::{StoreError, StoreKind};

/// What an error of a store tells its user.
pub(super) fn report_of(store: StoreKind, source: &StoreError) -> Report {
    let name = match store {
        StoreKind::Keyring => "the keyring",
        StoreKind::File => "the sealed file",
        StoreKind::Vault => "the shared store",
    };
    let file = "`seo-auth login PROVIDER --store file`";
    let use_file = format!("sign in with {file}");
    let (code, message, hint) = match source {
        StoreError::Shared(fault) => return shared(fault),
        StoreError::Absent(reason) => (
            "store_absent",
            format!("{name} can't be reached: {reason}"),
            format!(
                "{use_file} (cron, SSH and containers have no keyring). On a desktop, start the keyring service: gnome-keyring, KWallet or KeePassXC"
            ),
        ),
        StoreError::Locked(reason) => (
            "store_locked",
            reason.clone(),
            format!(
                "{file} needs no keyring: use it for cron and SSH. Or unlock the keyring (log in to the desktop, or open its password manager) and try again"
            ),
        ),
        StoreError::StaysLocked(_) => (
            "store_locked",
            source.to_string(),
            format!("run the command again and type the keyring's password into its dialog, or {use_file}"),
        ),
        StoreError::TimedOut(_) => (
            "store_timed_out",
            format!("{name}: {source}"),
            format!(
                "look for an open dialog of the keyring; if its service hangs, restart it, or {use_file}"
            ),
        ),
        StoreError::Corrupt { what, .. } => (
            "store_corrupt",
            format!("{name} can't be read: {source}"),
            match store {
                StoreKind::Keyring => {
                    format!("remove the entry (`{}`) and sign in again", remover(what))
                }
                _ => {
                    "if SEO_AUTH_KEY or SEO_AUTH_KEY_FILE was set at the login, set it here too (cron and CI do not have your shell's variables). Else restore the file and its key, or move the file away and sign in again"
                        .to_owned()
                }
            },
        ),
        StoreError::Newer(_) => (
            "store_newer",
            source.to_string(),
            "update seo-auth, or use the version that created the file".to_owned(),
        ),
        StoreError::BadKey { .. } => (
            "bad_key",
            source.to_string(),
            "a key is 32 bytes in base64 or hex; make one with `openssl rand -base64 32`"
                .to_owned(),
        ),
        StoreError::Io { path, .. } if is_nowhere(path) => return homeless(),
        StoreError::Io { path, source: why } => (
            "store_io",
            format!("{name} can't be used: {source}"),
            io_hint(path, why),
        ),
        StoreError::Conflict => (
            "store_conflict",
            format!("{name} was not written: {source}"),
            "run the command again".to_owned(),
        ),
        StoreError::TooLarge { .. } => (
            "store_too_large",
            format!("{name}: {source}"),
            use_file,
        ),
        StoreError::Failed(_) => (
            "store_failed",
            format!("{name} failed: {source}"),
            format!("run `seo-auth doctor`; or {use_file}"),
        ),
    };
    let exit = match source {
        StoreError::BadKey { .. } => Exit::Usage,
        _ => Exit::Store,
    };
    report(code, exit, message, Some(hint))
}

/// What a shared store tells of itself.
fn shared(fault: &Fault) -> Report {
    let (code, hint) = match fault {
        Fault::NotConfigured(_) => (
            "vault_not_configured",
            "set VAULT_ADDR and VAULT_TOKEN (or another way to sign in), or the table [vault] in config.toml",
        ),
        Fault::Unreachable { .. } | Fault::Slow { .. } => (
            "vault_unreachable",
            "check VAULT_ADDR, VAULT_CACERT and the network; `seo-auth doctor` checks each of them",
        ),
        Fault::Sealed | Fault::NotInitialised => (
            "vault_sealed",
            "its administrator must initialise or unseal it",
        ),
        Fault::Standby(_) => (
            "vault_no_leader",
            "try again in half a minute: a cluster chooses a new leader in that time",
        ),
        Fault::NotReady => ("vault_not_ready", "try again in half a minute"),
        Fault::WrongMount(_) => (
            "vault_wrong_mount",
            "set mount under [vault] in config.toml to the mount of a KV engine of version 2",
        ),
        Fault::BadToken => (
            "vault_bad_token",
            "set VAULT_TOKEN to a valid token, or sign in with `bao login`",
        ),
        Fault::LoginRefused { .. } => (
            "vault_login_refused",
            "check the role, and the credential of this runner (VAULT_SECRET_ID, jwt_file)",
        ),
        Fault::NoRight { .. } => (
            "vault_no_right",
            "ask its administrator to allow that in the policy; to use tokens, reading `…/token` is enough",
        ),
        Fault::RolledBack { .. } => (
            "vault_rolled_back",
            "sign in again: if an old refresh token is used, the provider may end the login",
        ),
        Fault::NobodyRefreshed(_) => (
            "vault_nobody_refreshed",
            "check the job that refreshes the tokens (`seo-auth token refresh --all`)",
        ),
        Fault::Uncertain(_) => ("vault_uncertain", "try again in half a minute"),
        Fault::Foreign => (
            "vault_foreign",
            "check path under [vault] in config.toml, or update seo-auth",
        ),
        Fault::Strange { .. } => ("vault_failed", "run `seo-auth doctor`"),
    };
    let exit = match fault {
        Fault::NobodyRefreshed(_) => Exit::Unreachable,
        _ => Exit::Store,
    };
    report(
        code,
        exit,
        format!("the shared store: {fault}"),
        Some(hint.to_owned()),
    )
}

/// The platform's command that removes our entry of this user from its keyring, even where there are several.
fn remover(user: &str) -> String {
    if cfg!(target_os = "macos") {
        format!("security delete-generic-password -s seo-auth -a {user}")
    } else if cfg!(windows) {
        format!("cmdkey /delete:{user}.seo-auth")
    } else {
        format!("secret-tool clear service seo-auth username {user}")
    }
}

/// A file that belongs to no store: the index, a lock.
pub(super) fn files(source: &StoreError) -> Report {
    match source {
        StoreError::Newer(_) => report_of(StoreKind::File, source),
        StoreError::Io { path, .. } if is_nowhere(path) => homeless(),
        _ => {
            let hint = match source {
                StoreError::Io { path, source } => io_hint(path, source),
                _ => CHECK_IT.to_owned(),
            };
            let message = format!("a file of seo-auth can't be used: {source}");
            report("files", Exit::Store, message, Some(hint))
        }
    }
}

/// There is no home folder, and what was asked for needs a place.
fn homeless() -> Report {
    report(
        "no_home",
        Exit::Usage,
        "there is no home folder, so there is no place for logins",
        Some(
            "set HOME, or SEO_AUTH_STATE_DIR=FOLDER and SEO_AUTH_KEY (`openssl rand -base64 32` makes a key)"
                .to_owned(),
        ),
    )
}

const CHECK_IT: &str = "check the owner and mode of the file, and the free space on the disk";

/// What mends a file or folder of ours that can't be read or written.
fn io_hint(path: &Path, source: &io::Error) -> String {
    const ELSEWHERE: &str = "set SEO_AUTH_STATE_DIR to a folder";
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("free some space on that disk, or {ELSEWHERE} on another one")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("that disk is read-only: {ELSEWHERE} that can be written")
        }
        io::ErrorKind::Unsupported => {
            format!("that file system can't lock files: {ELSEWHERE} on a local disk")
        }
        io::ErrorKind::PermissionDenied => match of_another_user(path) {
            Some((path, uid)) => format!(
                "{path} belongs to another user (uid {uid}): run `sudo chown -R $(id -u):$(id -g) {path}`",
                path = path.display()
            ),
            None => format!("give yourself write permission there, or {ELSEWHERE} of your own"),
        },
        _ if source.raw_os_error() == Some(TOO_MANY_FILES) => {
            "too many files are open: end some programs, or raise the limit (`ulimit -n`)"
                .to_owned()
        }
        _ => CHECK_IT.to_owned(),
    }
}

/// EMFILE, on all systems that have it.
const TOO_MANY_FILES: i32 = 24;

/// The file, or the folder around it, where it is another user's and private to that one, as what we make is.
#[cfg(unix)]
fn of_another_user(path: &Path) -> Option<(&Path, u32)> {
    use std::os::unix::fs::MetadataExt;
    let ours = rustix::process::geteuid().as_raw();
    path.ancestors().find_map(|path| {
        let metadata = path.symlink_metadata().ok()?;
        let private = metadata.mode() & 0o077 == 0;
        (private && metadata.uid() != ours).then(|| (path, metadata.uid()))
    })
}

#[cfg(not(unix))]
fn of_another_user(_: &Path) -> Option<(&Path, u32)> {
    None
}

/// A store that `logout` could not ask may keep what it was to delete.
pub(super) fn not_deleted(account: &AccountKey, store: StoreKind, source: &StoreError) -> Report {
    let unavailable = report_of(store, source);
    Report {
        message: format!(
            "{}; a copy of the credential of {account} may still be there",
            unavailable.message
        ),
        hint: Some(format!(
            "`seo-auth doctor` says how to fix it; then run `seo-auth logout {}` again",
            account.as_typed()
        )),
        exit: Exit::Store,
        ..unavailable
    }
}
