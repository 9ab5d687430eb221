//! The integration tests, one binary. Its map:
//!
//! - [`harness`]: what the tests stand on: private buses with a real keyring on them.
//! - [`keyring`]: the Secret Service as a store: found by others, locked, absent, hanging.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod harness;
#[cfg(target_os = "linux")]
mod keyring;
