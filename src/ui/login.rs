//! What a login shows: for people the code, the address and a live line; with `--json` one event a line.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use serde_json::json;

use super::{BOLD, DIM, Ui, WARNING};
use crate::clock::{Timestamp, describe_span};
use crate::credential::AccountKey;
use crate::flow::{AuthorizationPrompt, DevicePrompt, Interaction};

/// Called with the address that a browser should open.
pub type Open<'a> = Box<dyn Fn(&str) + 'a>;

/// One login's screen.
pub struct LoginScreen<'a> {
    ui: &'a Ui,
    account: &'a AccountKey,
    title: &'a str,
    open: Open<'a>,
    /// What goes below the address: a QR code, a line for SSH.
    extras: RefCell<Vec<String>>,
    /// Whether the live line stands on the screen and must be wiped before anything else is said.
    drawn: Cell<bool>,
    /// The trouble that was told last, where there is no live line to hold it.
    told: RefCell<Option<String>>,
}

impl<'a> LoginScreen<'a> {
    /// A screen for a login of `account` at the provider called `title`.
    pub fn new(ui: &'a Ui, account: &'a AccountKey, title: &'a str, open: Open<'a>) -> Self {
        Self {
            ui,
            account,
            title,
            open,
            extras: RefCell::default(),
            drawn: Cell::new(false),
            told: RefCell::default(),
        }
    }

    /// Adds a line below the address, before it is shown.
    pub fn add(&self, line: String) {
        self.extras.borrow_mut().push(line);
    }

    /// Wipes the live line; call it when the login has ended.
    pub fn wipe(&self) {
        if self.drawn.replace(false) {
            self.ui.talk("\r\x1b[2K");
        }
    }

    fn event(&self, name: &str, details: &[(&str, serde_json::Value)], expires_at: Timestamp) {
        let mut event = json!({
            "schema": "seo-auth.login.v1",
            "event": name,
            "provider": self.account.provider,
            "profile": self.account.profile,
        });
        for (key, value) in details {
            event[*key] = value.clone();
        }
        event["expires_at"] = json!(expires_at.to_string());
        event["expires_at_epoch"] = json!(expires_at.epoch());
        // A script that closed stdout can't be told; the login goes on for the person who sees the browser.
        let _ = self.ui.json_line(&event);
    }

    fn say_extras(&self) {
        for line in self.extras.borrow().iter() {
            self.ui.say(line);
        }
    }
}

impl Interaction for LoginScreen<'_> {
    fn device_code(&self, prompt: &DevicePrompt) {
        if self.ui.json {
            let details = [
                ("user_code", json!(prompt.user_code)),
                ("verification_uri", json!(prompt.verification_uri)),
                (
                    "verification_uri_complete",
                    json!(prompt.verification_uri_complete),
                ),
                ("interval", json!(prompt.interval)),
            ];
            self.event("device_code", &details, prompt.expires_at);
        } else {
            self.ui
                .say(&format!("\nSign in to {} with this code:\n", self.title));
            self.ui.say(&boxed(&prompt.user_code, self.ui.live));
            self.ui.say(&format!("\n  at {}\n", prompt.best_uri()));
            self.say_extras();
            self.ui.say("Approve only if the page shows the same code.");
        }
        if prompt.may_open {
            (self.open)(prompt.best_uri());
        }
    }

    fn authorization_url(&self, prompt: &AuthorizationPrompt) {
        if self.ui.json {
            let details = [
                ("url", json!(prompt.url)),
                ("redirect_uri", json!(prompt.redirect_uri)),
            ];
            self.event("authorization_url", &details, prompt.expires_at);
        } else {
            self.ui.say(&format!(
                "\nSign in to {} in the browser, at\n\n  {}\n",
                self.title, prompt.url
            ));
            self.say_extras();
            if prompt.paste_only {
                self.ui.say("Then paste the address that the browser ended on (or the code that the page shows) here.");
            }
        }
        (self.open)(&prompt.url);
    }

    fn waiting(&self, left: Duration, trouble: Option<&str>) {
        let left = describe_span(left.as_secs().cast_signed());
        if self.ui.live && !self.ui.quiet {
            let trouble = trouble
                .map(|trouble| format!(" {WARNING}{trouble}; trying again{WARNING:#}"))
                .unwrap_or_default();
            self.ui.talk(&format!(
                "\r\x1b[2K{DIM}Waiting for the approval, {left} left.{DIM:#}{trouble}"
            ));
            self.drawn.set(true);
        } else if self.told.borrow().as_deref() != trouble {
            if let Some(trouble) = trouble {
                self.ui
                    .say(&format!("{trouble}; trying again until the code expires"));
            }
            *self.told.borrow_mut() = trouble.map(str::to_owned);
        }
    }

    fn warn(&self, text: &str) {
        self.wipe();
        self.ui.warn(text);
    }
}

impl Drop for LoginScreen<'_> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// The user code, as large as plain text gets.
fn boxed(code: &str, frame: bool) -> String {
    if !frame {
        return format!("  {BOLD}{code}{BOLD:#}");
    }
    let line = "─".repeat(code.chars().count() + 6);
    format!("  ╭{line}╮\n  │   {BOLD}{code}{BOLD:#}   │\n  ╰{line}╯")
}
