//! What is told when an API answered, and not with what was asked for.

use super::account::login_command_for;
use super::network;
use super::report::{Exit, Report, report};
use crate::api::shape::{Kind, Refusal};
use crate::credential::{self, AccountKey};
use crate::http::proxy::ProxyTrouble;
use crate::text::clause;

/// An answer of an API that is not what was asked for, with what its remedy depends on.
#[derive(Debug)]
pub struct ApiError {
    /// Whose token was sent.
    pub account: AccountKey,
    /// What was sent.
    pub kind: credential::Kind,
    /// The provider's name for people.
    pub title: String,
    pub problem: ApiProblem,
    /// The variable that the token came from, if it did.
    pub token_variable: Option<String>,
    /// The scope that the token was granted.
    pub granted: Vec<String>,
    /// The scopes that the provider is known to have.
    pub known_scopes: Vec<String>,
}

/// What came instead of what was asked for.
#[derive(Debug)]
pub enum ApiProblem {
    Refused(Refusal),
    /// No answer of the API: a gateway's page, cut JSON.
    Foreign {
        status: u16,
        /// What it is: "a web page".
        content: &'static str,
    },
    /// A redirect that is not followed.
    Elsewhere {
        status: u16,
        /// The origin that it leads to, or `nowhere`.
        to: String,
    },
    /// On the origin, again and again.
    EndlessRedirects {
        /// How many were followed.
        redirects: usize,
    },
    /// More than is held in memory.
    TooLarge {
        /// The most that is held, in bytes.
        cap: usize,
    },
    /// `--paginate` on a list that says nothing of pages.
    NoPages,
    /// Pages that lead on and on.
    EndlessPages {
        /// How many were fetched.
        pages: usize,
    },
}

impl ApiError {
    pub(super) fn report(&self) -> Report {
        let title = &self.title;
        match &self.problem {
            ApiProblem::Refused(refusal) => self.refused(refusal),
            ApiProblem::Foreign { status, content } => report(
                "not_the_api",
                Exit::Protocol,
                format!("{title} answered {status} with {content}, which is not an answer of its API"),
                Some("if this network has a sign-in page, sign in there first; if it has a filtering proxy, ask its administrator. `--raw` shows the whole answer".to_owned()),
            ),
            ApiProblem::Elsewhere { status, to } => report(
                "redirected_elsewhere",
                Exit::Protocol,
                format!("{title} answered {status}, a redirect to {to}, but seo-auth does not send the token to another origin"),
                Some("check PATH, and api_base in config.toml".to_owned()),
            ),
            ApiProblem::EndlessRedirects { redirects } => report(
                "endless_redirects",
                Exit::Protocol,
                format!("{title} redirected more than {redirects} times in a row"),
                Some("check PATH and api_base in config.toml; often a `/` at the end of PATH is missing or is not wanted".to_owned()),
            ),
            ApiProblem::TooLarge { cap } => report(
                "too_large",
                Exit::Failed,
                format!("the answer is larger than {} MiB", cap >> 20),
                Some("add `--raw`, which streams answers of any size".to_owned()),
            ),
            ApiProblem::NoPages => report(
                "no_pages",
                Exit::Usage,
                format!("--paginate: this answer of {title} has no page information that seo-auth knows"),
                Some("leave out --paginate, and request each page as the endpoint's documentation describes".to_owned()),
            ),
            ApiProblem::EndlessPages { pages } => report(
                "endless_pages",
                Exit::Protocol,
                format!("the list did not end after {pages} pages"),
                Some("request larger pages, such as -f size=100, or one page at a time".to_owned()),
            ),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Report {
        let (code, hint) = self.remedy(refusal);
        report(
            code,
            exit_of(refusal.status),
            self.told(refusal),
            Some(hint),
        )
    }

    /// `Semrush answered 400: This was bad (code 120200, request IAD-1)`.
    fn told(&self, refusal: &Refusal) -> String {
        let with = if refusal.status < 400 {
            " with an error"
        } else {
            ""
        };
        let mut text = format!("{} answered {}{with}", self.title, refusal.status);
        if !refusal.message.is_empty() {
            text.push_str(&format!(": {}", clause(&refusal.message)));
        }
        let code = refusal.code.as_ref().map(|code| format!("code {code}"));
        let request = refusal
            .request_id
            .as_ref()
            .map(|id| format!("request {id}"));
        let more: Vec<String> = [code, request].into_iter().flatten().collect();
        if !more.is_empty() {
            text.push_str(&format!(" ({})", more.join(", ")));
        }
        text
    }

    fn remedy(&self, refusal: &Refusal) -> (&'static str, String) {
        let login = login_command_for(&self.account, self.kind);
        match refusal.kind {
            Kind::TokenRejected => (
                "api_unauthorized",
                match &self.token_variable {
                    Some(variable) => format!(
                        "the token comes from {variable}: set a valid token there, or unset the variable to use a stored login"
                    ),
                    None => format!("run `{login}`"),
                },
            ),
            Kind::ScopeMissing => ("api_scope_missing", self.wider_login(refusal, &login)),
            Kind::UnitsUsedUp => (
                "api_units_used_up",
                format!(
                    "wait until the plan renews its units, or change the plan; `seo-auth status {} --check` shows the units that are left",
                    self.account.provider
                ),
            ),
            Kind::TooManyRequests => (
                "api_rate_limited",
                "try again later, and send fewer requests per minute".to_owned(),
            ),
            Kind::Forbidden => (
                "api_forbidden",
                format!(
                    "the account's plan or permissions do not include this; ask {}'s support",
                    self.title
                ),
            ),
            Kind::Failing if refusal.status == 407 => (
                "proxy",
                network::proxy_hint(ProxyTrouble::WantsPassword).to_owned(),
            ),
            Kind::Failing => ("api_failing", "try again in a few minutes".to_owned()),
            Kind::Other if refusal.status == 404 => (
                "api_error",
                format!(
                    "check PATH: it is appended to the api_base of {}, which `seo-auth providers {}` shows",
                    self.title, self.account.provider
                ),
            ),
            Kind::Other => (
                "api_error",
                format!(
                    "{}'s documentation explains its errors; `--raw` shows the whole answer",
                    self.title
                ),
            ),
        }
    }

    /// The login that would get what is missing, beside what was granted already.
    fn wider_login(&self, refusal: &Refusal, login: &str) -> String {
        let mut missing = refusal.scope.clone();
        if missing.is_empty() {
            let named = |scope: &&String| refusal.message.contains(scope.as_str());
            missing.extend(self.known_scopes.iter().filter(named).cloned());
        }
        missing.retain(|scope| !self.granted.contains(scope));
        let known = missing.is_empty();
        if known {
            missing.push("SCOPE".to_owned());
        }
        let scope = [self.granted.as_slice(), &missing].concat().join(",");
        let note = if known {
            ", where SCOPE is the scope that the endpoint's documentation names"
        } else {
            ""
        };
        format!("run `{login} --scope {scope}`{note}")
    }
}

/// The contract's codes of `api`.
fn exit_of(status: u16) -> Exit {
    match status {
        401 => Exit::LoginNeeded,
        // The first two are a proxy's.
        407 | 408 | 429 | 500.. => Exit::Unreachable,
        _ => Exit::Failed,
    }
}
