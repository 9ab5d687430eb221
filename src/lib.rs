//! seo-auth

pub mod clock;
pub mod credential;
pub mod paths;
pub mod secret;
pub mod store;
