//! What the tests stand on; each part cleans up after itself when it is dropped.

pub mod api;
pub mod browser;
#[cfg(target_os = "linux")]
pub mod bus;
#[cfg(unix)]
pub mod certificates;
#[cfg(target_os = "linux")]
pub mod chromium;
#[allow(dead_code, reason = "some of it is used on some platforms only")]
pub mod home;
#[cfg(target_os = "linux")]
pub mod screen;
#[cfg(unix)]
pub mod servers;
#[cfg(target_os = "linux")]
pub mod terminal;
#[cfg(unix)]
pub mod vendors;
pub mod wire;
