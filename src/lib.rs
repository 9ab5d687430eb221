//! seo-auth
// A test that panics has failed, which is what a test is for.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod clock;
pub mod credential;
pub mod flow;
pub mod http;
pub mod paths;
pub mod provider;
pub mod sandbox;
pub mod secret;
pub mod store;
pub mod text;
