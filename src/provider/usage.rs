//! How a credential is used, and how it is proven.

use super::endpoint::Endpoint;

/// How a credential of one kind is got and used.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// How a request carries it.
    pub auth: Auth,
    /// The variables that `exec` sets, and in which `import` finds it.
    pub variables: Vec<Variable>,
    /// The free request that proves it.
    pub check: Option<Check>,
    /// The page on which a person gets it.
    pub docs: Option<String>,
}

/// A variable of the environment, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// The name of a key's field; [`ACCESS_TOKEN`] otherwise.
    pub field: String,
}

/// What a login by OAuth yields.
pub const ACCESS_TOKEN: &str = "access_token";

/// How a request carries a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: SCHEME VALUE`; `Bearer` by RFC 6750 §2.1.
    Scheme(String),
    /// A header of its own.
    Header(String),
    /// A parameter of the query.
    Query(String),
    /// RFC 7617, of two fields.
    Basic { user: String, password: String },
}

impl Default for Auth {
    fn default() -> Self {
        Self::Scheme("Bearer".to_owned())
    }
}

/// A free request that proves a credential, and where its answer tells what.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Below `api_base`, or absolute on one of the API's hosts.
    pub url: String,
    pub method: Option<String>,
    /// Sent as the body.
    pub json: Option<serde_json::Value>,
    /// What a good credential is answered with, where that is not any success.
    pub valid: Option<Sign>,
    /// What a bad credential is answered with.
    pub invalid: Option<Sign>,
    /// JSON pointers (RFC 6901). Of several the first that leads to a number counts.
    pub remaining: Vec<String>,
    /// Together with `used`: of several pairs the first of two numbers counts.
    pub limit: Vec<String>,
    pub used: Vec<String>,
    pub unit: Option<String>,
    pub resets_at: Option<String>,
    pub expires_at: Option<String>,
}

/// By which an answer is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Sign {
    /// There is this value at a pointer.
    Equals(String, serde_json::Value),
    /// There is nothing at a pointer, or `null`.
    Absent(String),
    /// The body begins so.
    StartsWith(String),
    /// It has one of these statuses.
    Status(Vec<u16>),
}

impl Usage {
    pub(super) fn move_to(&mut self, origin: &Endpoint) {
        let Some(check) = &mut self.check else {
            return;
        };
        if let Ok(absolute) = Endpoint::parse(&check.url) {
            check.url = absolute.at_origin(origin).to_string();
        }
    }
}
