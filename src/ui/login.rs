//! What a login shows: for people the address, the code and a live line; with `--json` one event a line.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::browser::Browser;
use super::ssh::SshRoute;
use super::{BOLD, DIM, Ui, WARNING, qr, terminal};
use crate::clock::{Timestamp, describe_span};
use crate::credential::AccountKey;
use crate::flow::{AuthorizationPrompt, DevicePrompt, Interaction};
use crate::text::printable;

/// The lines around a QR code that should stay on the screen with it: the address above, the code and the live line below.
const LINES_AROUND_QR: usize = 14;

/// What a login's screen depends on.
pub struct Options<'a> {
    pub account: &'a AccountKey,
    /// The provider's name for people.
    pub title: &'a str,
    /// Where the address goes.
    pub browser: &'a Browser,
    /// The variables that hold secrets of ours, none of which is the browser's business.
    pub withheld: Vec<OsString>,
    /// Is told the address that a browser may open, whether one does or not.
    pub on_address: Box<dyn Fn(&str) + 'a>,
    pub qr: bool,
    pub copy: bool,
    /// Whether lines are read from stdin.
    pub can_paste: bool,
    /// The way back to this machine, where the session came over SSH.
    pub ssh: Option<SshRoute>,
}

pub struct LoginScreen<'a> {
    ui: &'a Ui,
    options: Options<'a>,
    /// By which a browser that was sent to the address tells why none could be opened.
    opening: RefCell<Option<Receiver<String>>>,
    /// Whether the live line is a prompt, behind which the user may be typing.
    prompting: Cell<bool>,
    /// The trouble that was told last, where there is no live line to hold it.
    told: RefCell<Option<String>>,
}

impl<'a> LoginScreen<'a> {
    /// A screen for one login.
    pub fn new(ui: &'a Ui, options: Options<'a>) -> Self {
        Self {
            ui,
            options,
            opening: RefCell::default(),
            prompting: Cell::default(),
            told: RefCell::default(),
        }
    }

    fn event(&self, name: &str, details: &[(&str, serde_json::Value)], expires_at: Timestamp) {
        let mut event = json!({
            "schema": "seo-auth.login.v1",
            "event": name,
            "provider": self.options.account.provider,
            "profile": self.options.account.profile,
        });
        for (key, value) in details {
            event[*key] = value.clone();
        }
        event["expires_at"] = json!(expires_at.to_string());
        event["expires_at_epoch"] = json!(expires_at.epoch());
        // A script that closed stdout can't be told; the login goes on for the person who sees the browser.
        let _ = self.ui.json_line(&event);
    }

    /// Says what nobody can sign in without, and so in spite of `--quiet`.
    fn show(&self, text: &str) {
        self.ui.talk(&format!("{text}\n"));
    }

    fn can_open(&self) -> bool {
        matches!(self.options.browser, Browser::Commands(_))
    }

    fn open(&self, address: &str) {
        (self.options.on_address)(address);
        let Options {
            browser, withheld, ..
        } = &self.options;
        *self.opening.borrow_mut() = Some(browser.open(address, withheld));
    }

    fn show_address(&self, address: &str, will_open: bool) {
        let title = self.options.title;
        self.ui.say(&if will_open {
            format!("\nOpening the browser to sign in to {title}. If none appears, open:\n")
        } else {
            format!("\nTo sign in to {title}, open this address in a browser:\n")
        });
        self.show(&format!("  {address}"));
        self.ui.say("");
    }

    /// With `--qr`, and unasked (`by_itself`) where it fits.
    fn show_qr(&self, address: &str, by_itself: bool) {
        let (asked, size) = (self.options.qr, terminal::size());
        let unasked = by_itself && self.ui.live && !self.ui.quiet;
        if !asked && !unasked {
            return;
        }
        let Some(drawing) = qr::draw(address) else {
            if asked {
                self.ui.warn("the address is too long for a QR code");
            }
            return;
        };
        let fits = match size {
            Some((columns, _)) if asked => drawing.fits((columns, usize::MAX), 0),
            Some(size) => drawing.fits(size, LINES_AROUND_QR),
            None => asked,
        };
        if fits {
            self.show(&drawing.lines.join("\n"));
            self.ui.say("");
        } else if asked {
            let columns = size.map_or(0, |(columns, _)| columns);
            self.ui.warn(&format!(
                "the QR code needs {} columns, and the terminal has {columns}",
                drawing.width
            ));
        }
    }

    /// OSC 52: the terminal's own clipboard, over SSH too. Nobody answers whether it was taken.
    fn copy(&self, text: &str, name: &str) {
        if !self.options.copy {
            return;
        }
        if self.ui.live {
            let encoded = STANDARD.encode(text);
            self.ui.control(&format!("\x1b]52;c;{encoded}\x07"));
            self.ui.say(&format!(
                "The {name} was sent to the terminal's clipboard.\n"
            ));
        } else {
            self.ui.warn("--copy needs a terminal; nothing was copied");
        }
    }

    fn show_user_code(&self, prompt: &DevicePrompt) {
        let code = &prompt.user_code;
        self.ui.say(if stands_in(code, prompt.best_uri()) {
            "Approve only if the page shows the same code:\n"
        } else {
            "Enter this code there:\n"
        });
        self.show(&boxed(code, self.ui.live));
        self.ui.say("");
    }

    /// Where the browser is on another machine than the listener.
    fn show_way_back(&self, redirect_uri: &str) {
        let route = self.options.ssh.as_ref().filter(|_| !self.can_open());
        if let Some(line) = route.and_then(|route| route.forward(redirect_uri)) {
            self.ui.say(&format!(
                "\nThe browser must reach this machine. First run this where the browser is:\n\n  {BOLD}{line}{BOLD:#}"
            ));
        }
    }

    fn ask_for_paste(&self, prompt: &AuthorizationPrompt) {
        if !self.options.can_paste {
            return;
        }
        self.ui.say(if prompt.stateless {
            "Then paste the code that the page shows, or the page's address."
        } else if prompt.paste_only {
            "Then paste the address of the last browser page."
        } else {
            "If the browser ends on a page that doesn't load, paste its address here."
        });
        self.prompt();
    }

    fn prompt(&self) {
        self.prompting.set(true);
        if self.shows_live_line() {
            self.ui.draw(&format!("{DIM}>{DIM:#} "));
        }
    }

    fn shows_live_line(&self) -> bool {
        self.ui.live && !self.ui.quiet
    }

    fn tell_trouble(&self, trouble: Option<&str>) {
        if self.told.borrow().as_deref() != trouble {
            if let Some(trouble) = trouble {
                self.ui
                    .say(&format!("{trouble}; trying again until the code expires"));
            }
            *self.told.borrow_mut() = trouble.map(str::to_owned);
        }
    }

    fn tell_browser_failure(&self) {
        let opening = self.opening.borrow();
        if let Some(Ok(reason)) = opening.as_ref().map(Receiver::try_recv) {
            self.warn(&format!(
                "no browser was opened: {reason}; open the address yourself"
            ));
        }
    }
}

impl Interaction for LoginScreen<'_> {
    fn device_code(&self, prompt: &DevicePrompt) {
        let address = prompt.best_uri();
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
            self.show_address(address, prompt.may_open && self.can_open());
            if prompt.may_open {
                self.show_qr(address, !self.can_open());
            }
            self.show_user_code(prompt);
            self.copy(&prompt.user_code, "code");
        }
        if prompt.may_open {
            self.open(address);
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
            self.show_way_back(&prompt.redirect_uri);
            self.show_address(&prompt.url, self.can_open());
            // Not unasked: another device's browser would not get back here.
            self.show_qr(&prompt.url, false);
            self.copy(&prompt.url, "address");
            self.ask_for_paste(prompt);
            if !self.options.can_paste && !self.shows_live_line() {
                self.ui
                    .say("Waiting for the browser. Ctrl-C ends the login.");
            }
        }
        self.open(&prompt.url);
    }

    fn waiting(&self, left: Duration, trouble: Option<&str>) {
        self.tell_browser_failure();
        if !self.shows_live_line() {
            return self.tell_trouble(trouble);
        }
        if self.prompting.get() {
            // Drawn anew each second, it would wipe what the user is typing.
            if !self.ui.drawn.load(Ordering::Relaxed) {
                self.prompt();
            }
            return;
        }
        let left = describe_span(left.as_secs().cast_signed());
        let trouble = trouble.map(|trouble| format!("{trouble}; trying again"));
        // A live line of two rows could not be wiped.
        let columns = terminal::size().map_or(usize::MAX, |(columns, _)| columns);
        let waiting = [
            format!("Waiting for the approval, {left} left."),
            format!("{left} left."),
        ];
        let waiting = waiting.into_iter().find(|line| line.len() < columns);
        let waiting = waiting.unwrap_or_default();
        let room = columns.saturating_sub(waiting.len() + 3);
        let trouble = printable(trouble.as_deref().unwrap_or_default(), room);
        self.ui.draw(&format!(
            "{DIM}{waiting}{DIM:#} {WARNING}{trouble}{WARNING:#}"
        ));
    }

    fn warn(&self, text: &str) {
        self.ui.warn(text);
    }
}

impl Drop for LoginScreen<'_> {
    fn drop(&mut self) {
        if self.ui.live {
            self.ui.wipe();
        } else if self.prompting.get() && !self.ui.json && self.ui.is_interactive() {
            // What the user types behind a prompt that can't be wiped.
            self.ui.say("");
        }
    }
}

/// Whether the address holds the code, so that the page shows it.
fn stands_in(code: &str, address: &str) -> bool {
    let bare = |text: &str| text.replace('-', "").to_ascii_uppercase();
    bare(address).contains(&bare(code))
}

/// The user code, as large as plain text gets.
fn boxed(code: &str, frame: bool) -> String {
    if !frame {
        return format!("  {BOLD}{code}{BOLD:#}");
    }
    let line = "─".repeat(code.chars().count() + 6);
    format!("  ╭{line}╮\n  │   {BOLD}{code}{BOLD:#}   │\n  ╰{line}╯")
}
