//! What an authorization code login is given.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::flow::loopback::Listener;
use crate::flow::token::Client;
use crate::http::Http;
use crate::provider::{Code, Provider};

/// One login, with the ways by which its answer may come.
pub struct Login<'a> {
    pub http: &'a Http,
    pub provider: &'a Provider,
    pub code: &'a Code,
    pub client: &'a Client,
    /// For what; empty: the parameter is left out.
    pub scope: &'a [String],
    /// How long to wait for the user.
    pub timeout: Duration,
    /// At the redirect URI; `None`: the answer can only be pasted.
    pub listener: Option<Listener>,
    /// Lines that the user pastes; `None`: nothing can be pasted.
    pub pasted: Option<UnboundedReceiver<String>>,
}
