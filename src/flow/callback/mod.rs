//! What counts as this login's answer (RFC 6749 §4.1.2), whether the browser brings it or the user pastes it. Pure.
//!
//! The checks stand in this order: method and path → Host → `state` → `iss` → `error` → `code`. A request that fails one is
//! no answer at all, and the login waits on; so nobody who doesn't know the `state` can end or hijack it.

use hyper::http::uri::Uri;
use hyper::http::{HeaderMap, Method, header};
use url::{Position, Url, form_urlencoded};

use super::token::{MAX_DESCRIPTION, MAX_ERROR};
use crate::http::wire::ErrorResponse;
use crate::secret::{AuthorizationCode, State};
use crate::text::printable;

/// Codes are some hundred characters long; a pasted novel is none.
const MAX_PASTED_CODE: usize = 2_048;

/// What this login's answer must look like.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The redirect URI, absolute and with its real port.
    pub redirect: Url,
    /// The state of this login's authorization request.
    pub state: State,
    /// The user copies the code from a page of the provider's own, which may show it alone: then a missing state is no
    /// failure (a wrong one is), and neither is a bare code.
    pub stateless: bool,
    /// Who may have answered, RFC 9207 §2.4.
    pub issuer: Issuer,
}

/// Who an `iss` may name.
#[derive(Clone, Debug)]
pub enum Issuer {
    /// This one, to the letter.
    Named {
        name: String,
        /// It promises to name itself always.
        always: bool,
    },
    /// Nobody knows its name; one of these addresses has its origin.
    At(Vec<Url>),
}

#[derive(Debug)]
pub enum Outcome {
    Code(AuthorizationCode),
    /// RFC 6749 §4.1.2.1, cleaned.
    Error(ErrorResponse),
    /// RFC 9207: another server's answer, with its name (cleaned).
    ForeignIssuer(String),
    /// RFC 9207: nobody's name, where the issuer promises its own.
    NoIssuer,
    /// Our own state came back, and what came with it is no answer of RFC 6749 §4.1.2: no other will follow.
    Malformed(&'static str),
}

/// Why a request or a pasted line is not this login's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is nothing at this address")]
    NotFound,
    /// Not GET: HEAD must not use the code up.
    #[error("only GET is answered here")]
    MethodNotAllowed,
    /// Another Host: a name that was bound to this machine by somebody else's DNS, or a request without any.
    #[error("the request was meant for another host")]
    WrongHost,
    /// The browser only wants to have it ready.
    #[error("a prefetch is not answered")]
    Prefetch,
    /// RFC 6749 §3.1: parameters must not be included more than once.
    #[error("a parameter occurs twice")]
    Doubled,
    /// No state, or that of another login.
    #[error("it belongs to another login (its `state` is different)")]
    WrongState,
    /// Some servers leave the state out when the user says no. So could anybody's page.
    #[error("it is a refusal, but may belong to another login (it has no `state`)")]
    ErrorWithoutState,
    /// What stands behind a `#` is not sent by browsers.
    #[error(
        "it contains no answer; if the address bar has text after a `#`, the answer is there, and browsers do not send that part"
    )]
    Empty,
    /// `response_mode=form_post`, which nobody asked for.
    #[error("the answer came as a form (POST), but seo-auth reads only the address")]
    FormPost,
    #[error(
        "its headers are larger than 64 kB; most of them are cookies, which all servers on this machine share"
    )]
    TooLarge,
    /// Neither `code` nor `error`.
    #[error("it contains no code")]
    NoCode,
    #[error("that is not the address of the last browser page")]
    OtherAddress,
    /// Pasted: only the code, where the state must be seen.
    #[error("seo-auth can check only the whole address, not a part of it")]
    NotAnAddress,
}

impl Expected {
    /// Judges what arrived over HTTP.
    ///
    /// # Errors
    /// Why this isn't the answer.
    pub fn judge(
        &self,
        method: &Method,
        target: &Uri,
        headers: &HeaderMap,
    ) -> Result<Outcome, Rejection> {
        if target.path() != self.redirect.path() {
            return Err(Rejection::NotFound);
        }
        if method != Method::GET {
            return Err(match is_form(method, headers) {
                true => Rejection::FormPost,
                false => Rejection::MethodNotAllowed,
            });
        }
        if !self.is_host(target, headers) {
            return Err(Rejection::WrongHost);
        }
        if is_prefetch(headers) {
            return Err(Rejection::Prefetch);
        }
        let query = target.query().unwrap_or_default();
        if query.is_empty() {
            return Err(Rejection::Empty);
        }
        match self.judge_query(query) {
            // It had our state. A browser cuts nothing off, as a copying hand may.
            Err(Rejection::NoCode) => Ok(Outcome::Malformed("neither a code nor an error")),
            judged => judged,
        }
    }

    /// Judges a line that the user pasted: the address that the browser ended on, or the code alone where that will do.
    ///
    /// # Errors
    /// Why this isn't the answer.
    pub fn judge_pasted(&self, line: &str) -> Result<Outcome, Rejection> {
        let line = line.trim().trim_matches(['"', '\'', '<', '>']);
        let Some(address) = self.address(line) else {
            return self.bare_code(line);
        };
        // Not by origin: a scheme of an app's own has none.
        if address[..Position::AfterPath] != self.redirect[..Position::AfterPath] {
            return Err(Rejection::OtherAddress);
        }
        let query = address.query().filter(|query| !query.is_empty());
        // A server that answers in the fragment sends the browser's listener nothing; the address bar has it.
        let query = query.or(address.fragment()).unwrap_or_default();
        match self.judge_query(query) {
            // Whoever pastes it has seen it, and nobody else can.
            Err(Rejection::ErrorWithoutState) => Parameters::read(query)
                .error()
                .map(Outcome::Error)
                .ok_or(Rejection::ErrorWithoutState),
            judged => judged,
        }
    }

    /// Browsers hide the scheme, and some copy what they show.
    fn address(&self, line: &str) -> Option<Url> {
        // `host:port/path` parses as an URL too, with the host as its scheme.
        let is_whole =
            |url: &Url| ["http", "https", self.redirect.scheme()].contains(&url.scheme());
        let whole = Url::parse(line).ok().filter(is_whole);
        let without_scheme = || {
            let line = Some(line).filter(|line| line.contains('?'))?;
            if line.starts_with('/') {
                return self.redirect.join(line).ok();
            }
            Url::parse(&format!("{}://{line}", self.redirect.scheme())).ok()
        };
        whole.or_else(without_scheme)
    }

    fn bare_code(&self, line: &str) -> Result<Outcome, Rejection> {
        // RFC 6749 appendix A.11: visible characters; a space would be a sentence.
        let is_code = (1..=MAX_PASTED_CODE).contains(&line.len())
            && line.bytes().all(|byte| byte.is_ascii_graphic());
        if self.stateless && is_code {
            Ok(Outcome::Code(AuthorizationCode::new(line.to_owned())))
        } else {
            Err(Rejection::NotAnAddress)
        }
    }

    fn judge_query(&self, query: &str) -> Result<Outcome, Rejection> {
        let parameters = Parameters::read(query);
        if parameters.is_double("state") {
            return Err(Rejection::Doubled);
        }
        let is_double = parameters.are_double();
        match parameters.get("state") {
            Some(state) if State::new(state.to_owned()) == self.state => {
                if is_double {
                    return Ok(Outcome::Malformed("a parameter that occurs twice"));
                }
            }
            None if is_double => return Err(Rejection::Doubled),
            None if self.stateless => {}
            None if parameters.get("error").is_some() => return Err(Rejection::ErrorWithoutState),
            _ => return Err(Rejection::WrongState),
        }
        if let Some(issuer) = parameters.get("iss").filter(|iss| !self.is_issuer(iss)) {
            return Ok(Outcome::ForeignIssuer(printable(issuer, MAX_DESCRIPTION)));
        }
        if let (Issuer::Named { always: true, .. }, None) = (&self.issuer, parameters.get("iss")) {
            return Ok(Outcome::NoIssuer);
        }
        if let Some(error) = parameters.error() {
            return Ok(Outcome::Error(error));
        }
        match parameters.get("code") {
            Some(code) if !code.is_empty() => {
                Ok(Outcome::Code(AuthorizationCode::new(code.to_owned())))
            }
            _ => Err(Rejection::NoCode),
        }
    }

    /// One Host, exactly ours (RFC 9112 §3.2); an absolute target must name the same one.
    fn is_host(&self, target: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let absolute = target.authority().map(|authority| authority.as_str());
        host.to_str().is_ok_and(|host| self.is_authority(host))
            && absolute.is_none_or(|authority| self.is_authority(authority))
    }

    fn is_authority(&self, text: &str) -> bool {
        let host = self.redirect.host_str().unwrap_or_default();
        let port = self.redirect.port().unwrap_or(80);
        // Browsers leave port 80 out.
        text.eq_ignore_ascii_case(&format!("{host}:{port}"))
            || port == 80 && text.eq_ignore_ascii_case(host)
    }

    fn is_issuer(&self, iss: &str) -> bool {
        match &self.issuer {
            Issuer::Named { name, .. } => name == iss,
            Issuer::At(addresses) => Url::parse(iss)
                .is_ok_and(|iss| addresses.iter().any(|known| known.origin() == iss.origin())),
        }
    }
}

/// `Sec-Purpose` is the standard's, the others are what browsers sent before it.
fn is_prefetch(headers: &HeaderMap) -> bool {
    let ahead = ["prefetch", "prerender", "preview"];
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .into_iter()
        .flat_map(|name| headers.get_all(name))
        .filter_map(|value| value.to_str().ok())
        .any(|value| ahead.iter().any(|word| value.contains(word)))
}

fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    method == Method::POST && kind.starts_with("application/x-www-form-urlencoded")
}

/// The parameters of a query, in its order.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// RFC 6749 §3.1 forbids it.
    fn is_double(&self, wanted: &str) -> bool {
        self.0.iter().filter(|(name, _)| name == wanted).count() > 1
    }

    /// Whether any is there twice.
    fn are_double(&self) -> bool {
        let mut names: Vec<_> = self.0.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// RFC 6749 §4.1.2.1, cleaned.
    fn error(&self) -> Option<ErrorResponse> {
        let description = self.get("error_description");
        Some(ErrorResponse {
            error: printable(self.get("error")?, MAX_ERROR),
            error_description: description.map(|text| printable(text, MAX_DESCRIPTION)),
        })
    }

    fn get(&self, wanted: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests;
