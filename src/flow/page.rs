//! What the browser shows at the end of a login: one page without anything from elsewhere, which tells the truth and takes the
//! code out of the address bar.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::http::header::{self, HeaderName};
use hyper::http::{HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::callback::Rejection;
use crate::text::escape;

/// The query leaves the address bar and the history's entry; the page itself needs none of it. A fragment stays: where a
/// server put its answer there, it can only be pasted from the address bar.
const SCRIPT: &str = "history.replaceState(null,'',location.pathname+location.hash)";

/// System fonts and two colour schemes: nothing is fetched, and nobody is blinded at night.
const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#f4f5f7;--card:#fff;--ink:#1c2430;--soft:#5b6675;--line:#dfe3e8;--good:#1a7f4b;--bad:#b3382c;--calm:#8a6100}\
@media(prefers-color-scheme:dark){:root{--ground:#12161c;--card:#1b212a;--ink:#e8ecf1;--soft:#9aa6b5;--line:#2c3541;--good:#4cc38a;--bad:#f0837a;--calm:#e0b050}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--ground);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
main{width:100%;max-width:27rem;padding:2.25rem 2rem 1.75rem;background:var(--card);border:1px solid var(--line);border-radius:14px;text-align:center}\
svg{width:3.25rem;height:3.25rem;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}\
.good{color:var(--good)}.bad{color:var(--bad)}.calm{color:var(--calm)}\
h1{margin:.75rem 0 .5rem;font-size:1.375rem;line-height:1.3;font-weight:650;text-wrap:balance}\
p{margin:.5rem 0;color:var(--soft);overflow-wrap:anywhere;text-wrap:balance}\
footer{margin-top:1.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.8125rem}";

/// The mark above the headline: class and path of the drawing, on a field of 24 by 24 with a circle around.
type Mark = (&'static str, &'static str);
const GOOD: Mark = ("good", "M7.5 12.5l3 3 6-6.5");
const BAD: Mark = ("bad", "M8.5 8.5l7 7m0-7l-7 7");
const CALM: Mark = ("calm", "M12 7v6m0 3.5v.01");

/// An answer to the browser: status and what is said. Texts are plain; they are escaped when the page is written.
pub struct Page {
    status: StatusCode,
    mark: Mark,
    headline: String,
    lines: Vec<String>,
}

impl Page {
    /// The login is done and the credential is stored.
    pub fn signed_in(title: &str) -> Self {
        Self {
            status: StatusCode::OK,
            mark: GOOD,
            headline: format!("Signed in to {title}"),
            lines: vec!["You can close this tab and go back to your terminal.".to_owned()],
        }
    }

    /// The user said no.
    pub fn denied(title: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            mark: CALM,
            headline: "Access was denied".to_owned(),
            lines: vec![
                format!("You are not signed in to {title}, and nothing was stored."),
                "If that was a mistake, run the same command in your terminal again.".to_owned(),
            ],
        }
    }

    /// The answer was right, and yet there is no login; `reason` is a sentence for people.
    pub fn failed(title: &str, status: StatusCode, reason: &str) -> Self {
        Self {
            status,
            mark: BAD,
            headline: format!("Signing in to {title} failed"),
            lines: vec![
                reason.to_owned(),
                "Your terminal says what to do next.".to_owned(),
            ],
        }
    }

    /// The right request came a second time.
    pub fn already_answered() -> Self {
        Self {
            status: StatusCode::CONFLICT,
            mark: CALM,
            headline: "This login was already answered".to_owned(),
            lines: vec!["Each answer counts only once. Your terminal shows the result.".to_owned()],
        }
    }

    /// A request that is not this login's answer.
    pub fn rejected(rejection: Rejection) -> Self {
        Self {
            status: status_of(rejection),
            mark: CALM,
            headline: "This is not the answer that seo-auth waits for".to_owned(),
            lines: vec![
                format!("Reason: {rejection}."),
                match rejection {
                    Rejection::TooLarge => "Delete the cookies of this address in the browser's settings, or use a private window, and open the address in your terminal again.".to_owned(),
                    Rejection::ErrorWithoutState => "The login is still waiting. If you denied the request, press Ctrl-C in your terminal.".to_owned(),
                    Rejection::Empty | Rejection::FormPost => "The login is still waiting. Your terminal says what to do.".to_owned(),
                    _ => "The login is still waiting. Continue in the tab that it opened, or open the address in your terminal."
                        .to_owned(),
                },
            ],
        }
    }

    /// The whole answer, with headers that let a browser keep and load nothing.
    pub fn into_response(self) -> Response<String> {
        let mut response = Response::new(self.html());
        *response.status_mut() = self.status;
        let fixed: [(HeaderName, &'static str); 7] = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                "same-origin",
            ),
            (header::CONNECTION, "close"),
        ];
        let headers = response.headers_mut();
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::try_from(policy()) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }

    fn html(&self) -> String {
        let (class, path) = self.mark;
        let headline = escape(&self.headline);
        let lines: String = self
            .lines
            .iter()
            .map(|line| format!("<p>{}</p>", escape(line)))
            .collect();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{headline}</title><style>{STYLE}</style><script>{SCRIPT}</script></head>\
             <body><main><svg class=\"{class}\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">\
             <circle cx=\"12\" cy=\"12\" r=\"10\"/><path d=\"{path}\"/></svg>\
             <h1>{headline}</h1>{lines}<footer>seo-auth, on your own machine</footer></main></body></html>\n"
        )
    }
}

fn status_of(rejection: Rejection) -> StatusCode {
    match rejection {
        Rejection::NotFound => StatusCode::NOT_FOUND,
        Rejection::MethodNotAllowed | Rejection::FormPost => StatusCode::METHOD_NOT_ALLOWED,
        Rejection::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Rejection::WrongHost => StatusCode::MISDIRECTED_REQUEST,
        // A browser that gets an error for a prefetch asks again when the user really goes there.
        Rejection::Prefetch => StatusCode::FORBIDDEN,
        Rejection::Doubled
        | Rejection::WrongState
        | Rejection::ErrorWithoutState
        | Rejection::Empty
        | Rejection::NoCode
        | Rejection::OtherAddress
        | Rejection::NotAnAddress => StatusCode::BAD_REQUEST,
    }
}

/// Only our own style and script, by their hashes; no frame, form, base or connection.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_from_outside_is_text() {
        let reason = "<script>alert(\"1\")</script>&'";
        let html = Page::failed("<b>", StatusCode::BAD_GATEWAY, reason).html();
        assert!(
            html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"),
            "{html}"
        );
        assert!(!html.contains("<b>"), "{html}");
        assert_eq!(html.matches("<script>").count(), 1, "only our own: {html}");
    }

    #[test]
    fn nothing_is_loaded_kept_or_framed() {
        let response = Page::signed_in("Ahrefs").into_response();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert!(!response.body().contains("//"), "no address of any kind");
    }
}
