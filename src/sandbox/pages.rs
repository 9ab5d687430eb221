//! Every page that a person sees here, and the policy under which a browser shows it.

use std::fmt::Write;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::books::codes::Authorization;
use super::message::Reply;
use super::tokens::{Permission, Persona};
use crate::text::escape;

const STYLE: &str = r#"
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --ink: #1b1f24; --soft: #59636e; --line: #d9dee3;
  --accent: #1a66d6; --accent-ink: #fff; --note: #fff4d6; --note-ink: #6b4e00; --good: #1a7f4b; --bad: #c0362c; }
@media (prefers-color-scheme: dark) { :root { --ground: #0f1216; --card: #191e24; --ink: #e8ecf0; --soft: #9aa5b1;
  --line: #303841; --accent: #6aa5ff; --accent-ink: #08162b; --note: #3a2f10; --note-ink: #ffdf94; --good: #5fd39a; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; background: var(--ground); color: var(--ink);
  font: 17px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.note { padding: .6rem 1rem; background: var(--note); color: var(--note-ink); text-align: center; font-size: .9rem; text-wrap: balance; }
main { width: min(30rem, calc(100% - 2rem)); margin: auto; padding: 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 14px; }
.from { margin: 0 0 .4rem; color: var(--soft); font-size: .82rem; letter-spacing: .06em; text-transform: uppercase; }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; text-wrap: balance; }
h1.good::before { content: "✓ "; color: var(--good); }
h1.bad::before { content: "✕ "; color: var(--bad); }
p { margin: 0 0 1rem; }
p:last-child { margin-bottom: 0; }
.code { margin: 1.25rem 0; padding: 1rem .5rem; border: 1px dashed var(--line); border-radius: 10px; background: var(--ground);
  text-align: center; font: 600 1.9rem/1.2 ui-monospace, "SF Mono", Menlo, Consolas, monospace; letter-spacing: .08em;
  overflow-wrap: anywhere; user-select: all; }
.code.long { font-size: 1rem; letter-spacing: 0; }
dl { margin: 1.25rem 0; border-top: 1px solid var(--line); }
dl div { display: flex; gap: 1rem; padding: .55rem 0; border-bottom: 1px solid var(--line); }
dt { flex: 0 0 6.5rem; color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
form { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0 0; }
button, input[type=text] { flex: 1 1 8rem; min-width: 0; min-height: 3rem; padding: 0 1rem; border-radius: 10px; font: inherit; }
button { border: 1px solid var(--line); background: transparent; color: var(--ink); font-weight: 600; cursor: pointer; }
button.yes { border-color: var(--accent); background: var(--accent); color: var(--accent-ink); }
button:hover { filter: brightness(1.08); }
button:focus-visible, input:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
input[type=text] { border: 1px solid var(--line); background: var(--ground); color: var(--ink); }
@media (max-width: 30rem) { main { margin: 1rem auto auto; padding: 1.25rem; } dl div { display: block; } dt { font-size: .85rem; } }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
"#;

/// The policy's source for the one style sheet. A hash, so that no other style gets in.
static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(STYLE))));

/// What a page is made of. `content` is HTML; the rest is text.
struct Page<'a> {
    status: u16,
    /// Whom it plays there.
    persona: Option<Persona>,
    /// `good`, `bad` or nothing.
    mood: &'a str,
    title: &'a str,
    content: String,
    /// Where the page's form may lead, beside the sandbox itself.
    form_target: Option<&'a Url>,
}

impl<'a> Page<'a> {
    fn new(persona: Option<Persona>, title: &'a str, content: String) -> Self {
        Page {
            status: 200,
            persona,
            mood: "",
            title,
            content,
            form_target: None,
        }
    }

    fn reply(self) -> Reply {
        let Page { mood, content, .. } = self;
        let from = match self.persona {
            Some(persona) => format!("playing {}", persona.name()),
            None => "the sandbox".to_owned(),
        };
        let title = escape(self.title);
        let mut reply = Reply::empty(self.status)
            .with("Content-Type", "text/html; charset=utf-8")
            .with("Content-Security-Policy", &policy(self.form_target))
            // `no-referrer` would make the forms' Origin `null`.
            .with("Referrer-Policy", "same-origin");
        reply.body = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"robots\" content=\"noindex\">\
             <title>{title} – seo-auth sandbox</title><style>{STYLE}</style></head>\
             <body><div class=\"note\">Sandbox – nothing here reaches Semrush or Ahrefs</div>\
             <main><p class=\"from\">{from}</p><h1 class=\"{mood}\">{title}</h1>{content}</main></body></html>\n"
        );
        reply
    }
}

fn policy(form_target: Option<&Url>) -> String {
    let target = form_target.map(form_source).unwrap_or_default();
    format!(
        "default-src 'none'; style-src {}; base-uri 'none'; form-action 'self'{target}; frame-ancestors 'none'",
        *STYLE_SOURCE
    )
}

/// Browsers hold the redirect after a form to `form-action` too. The grammar of sources knows no IP address but
/// 127.0.0.1 for certain, so that another loopback address can only be named by its scheme.
fn form_source(target: &Url) -> String {
    match target.host() {
        Some(Host::Ipv6(_)) => format!(" {}:", target.scheme()),
        Some(Host::Ipv4(address)) if address != std::net::Ipv4Addr::LOCALHOST => {
            format!(" {}:", target.scheme())
        }
        _ => format!(" {}", target.origin().ascii_serialization()),
    }
}

/// A page that only tells something.
fn tell(persona: Option<Persona>, status: u16, mood: &str, title: &str, text: &str) -> Reply {
    Page {
        status,
        mood,
        ..Page::new(persona, title, format!("<p>{}</p>", escape(text)))
    }
    .reply()
}

/// Approve and Deny for what `ticket` stands for.
fn decision(ticket: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/sandbox/decision\"><input type=\"hidden\" name=\"ticket\" value=\"{}\">\
         <button class=\"yes\" name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form>",
        escape(ticket)
    )
}

/// A list of names and values; a value that is empty is left out.
fn facts(facts: &[(&str, &str)]) -> String {
    let mut list = String::from("<dl>");
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write!(list, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
    }
    list + "</dl>"
}

/// The scopes as a list that reads well, whatever separates them.
fn listed(scope: &str) -> String {
    scope
        .split([',', ' '])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The consent page of the authorization endpoint.
pub(super) fn consent(authorization: &Authorization, ticket: &str) -> Reply {
    let Permission { persona, scope, .. } = &authorization.permission;
    let target = &authorization.reply_to.target;
    let host = target.host_str().unwrap_or_default();
    let port = target.port().map(|port| format!(":{port}"));
    let answer_to = format!("{host}{}", port.unwrap_or_default());
    let content = format!(
        "<p>A program asks to use {} in your name.</p>{}{}",
        escape(persona.name()),
        facts(&[
            ("Client", authorization.client_id()),
            ("Scope", &listed(scope)),
            ("Answer to", &answer_to)
        ]),
        decision(ticket)
    );
    let title = "Let this program use your account?";
    Page {
        form_target: Some(target),
        ..Page::new(Some(*persona), title, content)
    }
    .reply()
}

/// The page of the device flow: RFC 8628 §3.3.1 has the user compare the codes.
pub(super) fn compare_code(persona: Persona, user_code: &str, scope: &str, ticket: &str) -> Reply {
    let facts = match scope {
        "" => String::new(),
        _ => facts(&[("Scope", &listed(scope))]),
    };
    let content = format!(
        "<p class=\"code\">{}</p><p>Approve only if you started the login yourself and the codes are the same.</p>{facts}{}",
        escape(user_code),
        decision(ticket)
    );
    Page::new(Some(persona), "Is this the code in your terminal?", content).reply()
}

/// Where a user code is typed in; `name` is the parameter that takes it at `path`.
pub(super) fn enter_code(persona: Persona, path: &str, name: &str) -> Reply {
    let content = format!(
        "<form method=\"get\" action=\"{}\"><input type=\"text\" name=\"{}\" aria-label=\"Code\" \
         autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" required>\
         <button class=\"yes\">Continue</button></form>",
        escape(path),
        escape(name)
    );
    Page::new(Some(persona), "Enter the code from your terminal", content).reply()
}

/// The sandbox was told to decide, so this page has nothing to click.
pub(super) fn decides_by_itself(persona: Persona, user_code: &str, approves: bool) -> Reply {
    let verb = if approves { "approves" } else { "denies" };
    let title = format!("The sandbox {verb} this by itself");
    let content = format!(
        "<p class=\"code\">{}</p><p>It does so as soon as the program has asked once. To decide here yourself, \
         start the sandbox with <code>--approve ask</code>.</p>",
        escape(user_code)
    );
    Page::new(Some(persona), &title, content).reply()
}

pub(super) fn decided(persona: Persona, approved: bool) -> Reply {
    let (mood, title, text) = match approved {
        true => (
            "good",
            "Approved",
            "The program in your terminal goes on by itself. You can close this tab.",
        ),
        false => (
            "bad",
            "Denied",
            "The login in your terminal was denied. You can close this tab.",
        ),
    };
    tell(Some(persona), 200, mood, title, text)
}

/// Semrush's success page: the code is copied into the terminal.
pub(super) fn copy_code(code: &str) -> Reply {
    let content = format!(
        "<p class=\"code long\">{}</p><p>It is good for a minute, and only once.</p>",
        escape(code)
    );
    let title = "Copy this code into your terminal";
    Page {
        mood: "good",
        ..Page::new(Some(Persona::Semrush), title, content)
    }
    .reply()
}

/// Semrush's success page after a no: the program learns of it from the user alone.
pub(super) fn no_code() -> Reply {
    let text =
        "There is no code to copy. End the login in your terminal with Ctrl-C, and close this tab.";
    tell(Some(Persona::Semrush), 200, "bad", "Denied", text)
}

/// A user code that is not known, or no longer.
pub(super) fn unknown_code(persona: Persona) -> Reply {
    let text =
        "It is mistyped, was used already, or has expired. Start the login again in your terminal.";
    tell(Some(persona), 404, "bad", "This code is not known", text)
}

/// An authorization request that can't be answered by a redirect (RFC 6749 §4.1.2.1).
pub(super) fn refused(persona: Persona, why: &str) -> Reply {
    tell(Some(persona), 400, "bad", "This request is refused", why)
}

/// A form or a link that was used, or never was ours.
pub(super) fn stale() -> Reply {
    let text = "It was used already, or has expired. Start the login again in your terminal.";
    tell(None, 400, "bad", "This page is no longer valid", text)
}

pub(super) fn not_found() -> Reply {
    let text =
        "The sandbox knows the documented paths of Semrush and Ahrefs, and those under /generic/.";
    tell(None, 404, "bad", "There is nothing here", text)
}

/// What the origin itself shows.
pub(super) fn index(origin: &str) -> Reply {
    let content = format!(
        "<p>It plays the login servers of Semrush and Ahrefs for seo-auth. Point a terminal at it:</p>\
         <p class=\"code long\">SEO_AUTH_SANDBOX={} seo-auth login semrush</p>",
        escape(origin)
    );
    Page::new(None, "The sandbox is running", content).reply()
}

/// The fault `garbage`: what a gateway or a captive portal says, and with a 200.
pub(super) fn garbage() -> Reply {
    let mut reply = Reply::empty(200).with("Content-Type", "text/html; charset=utf-8");
    reply.body =
        "<!doctype html><title>Welcome</title><p>Please accept the terms of this network.\n"
            .to_owned();
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::books::codes::ReplyTo;

    #[test]
    fn what_came_with_the_request_is_escaped() {
        let hostile = "<script>'\"&";
        let authorization = Authorization {
            permission: Permission {
                persona: Persona::Ahrefs,
                client_id: Some(hostile.to_owned()),
                scope: hostile.to_owned(),
            },
            redirect_uri: String::new(),
            reply_to: ReplyTo {
                target: Url::parse("http://127.0.0.1:1/").unwrap(),
                state: None,
                iss: None,
            },
            code_challenge: None,
        };
        let page = consent(&authorization, hostile).body;
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&lt;script&gt;&#39;&quot;&amp;"), "{page}");
    }

    #[test]
    fn the_policy_lets_the_form_reach_its_redirect_and_nothing_else() {
        let source = |uri: &str| form_source(&Url::parse(uri).unwrap());
        assert_eq!(
            source("http://127.0.0.1:8976/callback"),
            " http://127.0.0.1:8976"
        );
        assert_eq!(source("https://a.example/x?y"), " https://a.example");
        assert_eq!(source("http://[::1]:8976/"), " http:");
        assert_eq!(source("http://127.0.0.2:8976/"), " http:");
        assert!(policy(None).contains("form-action 'self';"));
        assert!(policy(None).starts_with("default-src 'none';"));
    }
}
