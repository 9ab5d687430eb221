//! What is told of API keys, and of credentials that would go where they don't belong.

use super::account::login_command;
use super::report::{Exit, Report, report};
use crate::credential::{AccountKey, Name};

/// Why a key can't be stored or printed.
#[derive(Debug)]
pub enum KeyError {
    /// The provider's check says that it is none.
    Refused {
        /// The provider's name for people.
        title: String,
        docs: Option<String>,
    },
    /// The provider's check could not be asked.
    NotTried(Box<Report>),
    /// One field was meant, and the key has several.
    SeveralFields {
        account: AccountKey,
        fields: Vec<String>,
    },
    /// Of `exec --as`.
    FieldsToName {
        account: AccountKey,
        fields: Vec<String>,
    },
    /// Also of a login that is no key, which has no fields.
    NoSuchField {
        account: AccountKey,
        field: String,
        fields: Vec<String>,
    },
    /// A request carries a field that this credential does not have.
    NoField {
        account: AccountKey,
        field: String,
        /// The variable that the credential came from.
        variable: Option<String>,
    },
    /// No header carries it.
    InQuery { provider: Name },
    /// A login of the sandbox's at a real provider, or the other way round.
    OtherWorld {
        account: AccountKey,
        /// The origin at which the login was made.
        login: String,
        /// The origin that is configured now.
        here: String,
        /// The login is the sandbox's.
        is_sandbox: bool,
    },
}

impl KeyError {
    pub(super) fn report(&self) -> Report {
        match self {
            Self::Refused { title, docs } => {
                let docs = docs.as_ref();
                let docs = docs.map_or_else(String::new, |docs| format!(" from {docs}"));
                report(
                    "key_refused",
                    Exit::NotAuthorised,
                    format!("{title} refused this key, and nothing was stored"),
                    Some(format!(
                        "copy the key again{docs}; `--no-check` stores a key without checking it"
                    )),
                )
            }
            Self::NotTried(cause) => {
                let hint = cause.hint.as_ref();
                let hint = hint.map_or_else(String::new, |hint| format!("{hint}; "));
                report(
                    "key_not_tried",
                    cause.exit,
                    format!("the key could not be checked, so it was not stored: {}", cause.message),
                    Some(format!("{hint}`--no-check` stores a key without checking it")),
                )
            }
            Self::SeveralFields { account, fields } => report(
                "several_fields",
                Exit::Usage,
                format!("the key of {account} has several fields: {}", fields.join(", ")),
                Some("name one with --field, or use --format env or json".to_owned()),
            ),
            Self::FieldsToName { account, fields } => report(
                "several_fields",
                Exit::Usage,
                format!("the key of {account} has several fields: {}", fields.join(", ")),
                Some("name a variable for each field: add `--as FIELD=NAME` once for each".to_owned()),
            ),
            Self::NoSuchField {
                account,
                field,
                fields,
            } if fields.is_empty() => report(
                "no_such_field",
                Exit::Usage,
                format!("{account} is not an API key, so it has no field `{field}`"),
                Some("leave out the field".to_owned()),
            ),
            Self::NoSuchField {
                account,
                field,
                fields,
            } => report(
                "no_such_field",
                Exit::Usage,
                format!("the key of {account} has no field `{field}`"),
                Some(format!("it has: {}", fields.join(", "))),
            ),
            Self::NoField {
                account,
                field,
                variable: Some(variable),
            } => report(
                "no_field",
                Exit::Usage,
                format!("{account} needs the field `{field}`, but {variable} contains only one value"),
                Some(format!("unset {variable}, and run `{}`", login_command(account))),
            ),
            Self::NoField { account, field, .. } => report(
                "no_field",
                Exit::LoginNeeded,
                format!("a request for {account} needs the field `{field}`, but the stored key does not have it"),
                Some(format!("run `{} --flow key`", login_command(account))),
            ),
            Self::InQuery { provider } => report(
                "key_in_query",
                Exit::Usage,
                format!("the key of {provider} is sent in the URL of a request, and not in a header"),
                Some(format!(
                    "use `seo-auth api {provider} PATH`, or --format env or curl"
                )),
            ),
            Self::OtherWorld {
                account,
                login,
                here,
                is_sandbox: true,
            } => report(
                "other_world",
                Exit::Usage,
                format!("the login of {account} belongs to the sandbox {login}, but requests now go to {here}"),
                Some("use another --profile; or, for tests, run `seo-auth sandbox --port 8888`, set SEO_AUTH_SANDBOX=http://127.0.0.1:8888, and sign in again (a sandbox that `login --sandbox` starts ends with the login)".to_owned()),
            ),
            Self::OtherWorld {
                account,
                here,
                ..
            } => report(
                "other_world",
                Exit::Usage,
                format!("the login of {account} is a real one, but requests now go to the sandbox {here}"),
                Some("unset SEO_AUTH_SANDBOX, or leave out --profile to use the sandbox's own login".to_owned()),
            ),
        }
    }
}
