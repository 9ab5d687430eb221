//! All that the sandbox knows, behind one lock: what it was told to do, and what it has handed out.

use std::collections::HashMap;
use std::time::Duration;

use super::books::codes::{Authorization, Code};
use super::books::devices::DeviceCode;
use super::client::Clients;
use super::fault::{Endpoint, Fault, FaultKind};
use super::options::{Approve, Options};
use super::tokens::{Tokens, fake_secret};

/// What an Approve or Deny decides on.
pub(super) enum Ticket {
    /// The device code of this name.
    Device(String),
    Authorization(Box<Authorization>),
}

/// What is told of a decision.
pub(super) fn verb(approved: bool) -> &'static str {
    if approved { "approved" } else { "denied" }
}

pub(super) struct Desk {
    pub(super) origin: String,
    pub(super) approve: Approve,
    pub(super) interval: Duration,
    faults: Vec<Fault>,
    pub(super) clients: Clients,
    /// By their device codes.
    pub(super) devices: HashMap<String, DeviceCode>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) tokens: Tokens,
    tickets: HashMap<String, Ticket>,
}

impl Desk {
    pub(super) fn new(options: &Options, origin: String) -> Desk {
        Desk {
            origin,
            approve: options.approve,
            interval: options.interval,
            faults: options.faults.clone(),
            clients: Clients::default(),
            devices: HashMap::new(),
            codes: HashMap::new(),
            tokens: Tokens::new(options.expires_in),
            tickets: HashMap::new(),
        }
    }

    /// The fault that is scripted for this endpoint: the first that was named.
    pub(super) fn fault(&self, endpoint: Endpoint) -> Option<FaultKind> {
        let mut faults = self.faults.iter();
        faults
            .find(|fault| fault.endpoint == endpoint)
            .map(|fault| fault.kind)
    }

    /// A value for a form that only the page that was asked for can hold: another site's form can't know it.
    pub(super) fn hand_out(&mut self, ticket: Ticket) -> String {
        let value = fake_secret("form");
        self.tickets.insert(value.clone(), ticket);
        value
    }

    /// What the form decides on; each form once.
    pub(super) fn take(&mut self, value: &str) -> Option<Ticket> {
        self.tickets.remove(value)
    }
}
