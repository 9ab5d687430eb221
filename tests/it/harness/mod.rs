//! What the tests stand on; each part cleans up after itself when it is dropped.

#[cfg(target_os = "linux")]
pub mod bus;
