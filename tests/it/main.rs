//! The integration tests, one binary. Its map:
//!
//! - [`harness`]: what the tests stand on: homes of their own, sandbox servers, private buses with a real keyring,
//!   certificates, nginx, tinyproxy.
//! - [`api`]: authorised requests: what is sent, what is told, and where the token never goes.
//! - [`authcode`]: the authorization code grant: the callback, the paste, the port.
//! - [`browser`]: a real Chromium presses Approve and Deny.
//! - [`budget`]: what `token print` costs, in instructions and system calls.
//! - [`completions`]: completions in real shells, and the manual pages in a real `man`.
//! - [`crash`]: a writer of the sealed file, killed at each of its system calls.
//! - [`check`]: `status --check`: what the providers say of each token, all at once.
//! - [`device`]: the device code grant, from the command line to the stored credential.
//! - [`doctor`]: what it says of each thing that commonly breaks.
//! - [`examples`]: the files of `.github/examples`, run.
//! - [`exec`]: a command's environment, status and signals, and its token file.
//! - [`google`]: clients of one's own, service accounts, logins that die in a week.
//! - [`hostile`]: authorization servers that mean ill: what they can't reach, start or delay.
//! - [`import`]: the keys of `.env` files become logins, and leave the files.
//! - [`issuer`]: endpoints by an issuer's name alone, against oidc-provider too.
//! - [`keyring`]: the Secret Service as a store: found by others, locked, absent, hanging.
//! - [`keys`]: API keys of every built-in provider, at its true address behind an intercepting proxy.
//! - [`layers`]: the import table of the house.
//! - [`logout`]: what is revoked, what is deleted, and that it says so.
//! - [`leaks`]: planted secrets, searched for in all that is said and kept.
//! - [`network`]: TLS against a real nginx, and a real proxy: what is trusted, and how each failure is told.
//! - [`readme`]: the examples that the README gives.
//! - [`refresh`]: one refresh whoever asks; nothing lost to a crash, a broken line or a full disk.
//! - [`signals`]: Ctrl-C and its like as exit codes; what others may see of the process's memory.
//! - [`stores`]: the sealed file as a store: modes, keys, damage, full disks.
//! - [`terminal`]: what a person at a terminal meets: texts, the race of paste and callback, typed secrets, Ctrl-C.
//! - [`threats`]: the threat page names a test on each line, and each is there.
//! - [`token`]: `token print` for its readers, and tokens that move between machines.
//! - [`usage`]: calls that are wrong.
//! - [`vault`]: a fleet on one grant, on a real OpenBao.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod answers;
mod api;
mod authcode;
#[cfg(target_os = "linux")]
mod browser;
#[cfg(target_os = "linux")]
mod budget;
mod check;
#[cfg(target_os = "linux")]
mod completions;
#[cfg(target_os = "linux")]
mod crash;
mod device;
#[cfg(target_os = "linux")]
mod doctor;
#[cfg(unix)]
mod examples;
#[cfg(unix)]
mod exec;
#[cfg(target_os = "linux")]
mod google;
mod harness;
#[cfg(unix)]
mod hostile;
#[cfg(target_os = "linux")]
mod import;
#[cfg(unix)]
mod issuer;
#[cfg(target_os = "linux")]
mod keyring;
#[cfg(unix)]
mod keys;
mod layers;
#[cfg(unix)]
mod leaks;
mod logout;
#[cfg(unix)]
mod network;
mod owners;
mod readme;
mod refresh;
mod replace;
#[cfg(target_os = "linux")]
mod signals;
mod status;
#[cfg(target_os = "linux")]
mod stores;
#[cfg(target_os = "linux")]
mod terminal;
mod threats;
mod token;
mod upgrade;
mod usage;
mod values;
#[cfg(target_os = "linux")]
mod vault;
