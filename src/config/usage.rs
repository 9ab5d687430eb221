//! The keys of how a credential is got and used. They stand in a provider's table, and in its `api_key` for another way.

use serde::Deserialize;

use super::document::Setting;
use super::error::ConfigError;
use super::setter::{Known, Value, fill};
use crate::provider::{ACCESS_TOKEN, Auth, Check, Endpoint, Field, Key, Sign, Usage, Variable};
use crate::text::is_variable;

/// A [`Usage`] that is still being read; what isn't said is as above, or as it is for everybody.
#[derive(Clone, Debug, Default)]
pub(super) struct UsageDraft {
    fields: Vec<Field>,
    auth: Option<Auth>,
    variables: Vec<Variable>,
    pub(super) check: Option<Check>,
    docs: Option<String>,
}

pub(super) const KEYS: Known<UsageDraft> = &[
    ("fields", |draft, setting| {
        fields(setting).map(|fields| draft.fields = fields)
    }),
    ("api_auth", |draft, setting| setting.put(&mut draft.auth)),
    ("token_variables", |draft, setting| {
        variables(setting).map(|variables| draft.variables = variables)
    }),
    ("check_path", |draft, setting| {
        let check = draft.check.insert(Check::default());
        setting.put(&mut check.url)
    }),
    ("check", |draft, setting| {
        let check = draft.check.insert(Check::default());
        fill(check, CHECK, &setting.settings(CHECK_FORM)?)?;
        match check.url.is_empty() {
            true => Err(setting.lacks(("url", ""))),
            false => Ok(()),
        }
    }),
    ("docs", |draft, setting| {
        Endpoint::read(setting).map(|docs| draft.docs = Some(docs.to_string()))
    }),
];

const CHECK: Known<Check> = &[
    ("url", |check, setting| setting.put(&mut check.url)),
    ("method", |check, setting| {
        let known = [("GET", "GET"), ("POST", "POST")];
        let method = setting.word(&known, "\"GET\" or \"POST\"")?;
        check.method = Some(method.to_owned());
        Ok(())
    }),
    ("json", |check, setting| {
        setting.get("JSON").map(|json| check.json = json)
    }),
    ("valid", |check, setting| setting.put(&mut check.valid)),
    ("invalid", |check, setting| setting.put(&mut check.invalid)),
    ("remaining", |check, setting| {
        pointers(setting).map(|places| check.remaining = places)
    }),
    ("limit", |check, setting| {
        pointers(setting).map(|places| check.limit = places)
    }),
    ("used", |check, setting| {
        pointers(setting).map(|places| check.used = places)
    }),
    ("unit", |check, setting| setting.put(&mut check.unit)),
    ("resets_at", |check, setting| {
        pointer(setting).map(|place| check.resets_at = Some(place))
    }),
    ("expires_at", |check, setting| {
        pointer(setting).map(|place| check.expires_at = Some(place))
    }),
];

const FIELDS_FORM: &str = "a list of names, one secret at least: [\"login!\", \"password\"] (`!`: no secret, `?`: may be left empty)";

const CHECK_FORM: &str = "a table, { url = \"/me\" }";

const AUTH_FORM: &str = "\"bearer\", { scheme = \"Token\" }, { header = \"x-token\" }, { query = \"key\" } or { basic = [\"login\", \"password\"] }";

/// RFC 9110 §5.6.2: what a token may hold beside letters and digits.
const TOKEN_MARKS: &str = "!#$%&'*+-.^_`|~";

const SIGN_FORM: &str = "{ pointer = \"/status\", equals = \"ok\" }, { absent = \"/error\" }, { starts_with = \"OK\" } or { status = [401] }";

const POINTER_FORM: &str =
    "a JSON pointer (RFC 6901), as \"/quota/left\", or \"\" for the whole answer";

const VARIABLES_FORM: &str = "a list of names of variables, as [\"MY_API_TOKEN\"]: letters, digits and `_`, no digit first; with several fields a table of such lists";

impl UsageDraft {
    /// What OAuth tokens are used by.
    pub fn finish(mut self, default_variable: String) -> Usage {
        if self.variables.is_empty() {
            self.variables.push(Variable {
                name: default_variable,
                field: String::new(),
            });
        }
        self.usage(ACCESS_TOKEN)
    }

    /// What a key is made of, and used by; what this table does not say is as in the one `above`.
    pub fn finish_key(&self, above: &Self, name_for_variable: &str) -> Key {
        let own = self.clone();
        let mut draft = Self {
            fields: or(own.fields, &above.fields),
            auth: own.auth.or_else(|| above.auth.clone()),
            variables: or(own.variables, &above.variables),
            check: own.check.or_else(|| above.check.clone()),
            docs: own.docs.or_else(|| above.docs.clone()),
        };
        if draft.fields.is_empty() {
            draft.fields.push(field("key"));
        }
        let fields = draft.fields.clone();
        let first = fields.iter().find(|field| field.is_secret);
        let mut usage = draft.usage(first.map_or("", |field| &field.name));
        for Field { name, .. } in &fields {
            if usage.variables.iter().all(|known| known.field != *name) {
                let suffix = match fields.len() {
                    1 => "API_KEY".to_owned(),
                    _ => name.to_ascii_uppercase().replace('-', "_"),
                };
                usage.variables.push(Variable {
                    name: format!("{name_for_variable}_{suffix}"),
                    field: name.clone(),
                });
            }
        }
        Key { fields, usage }
    }

    /// The variables that say nothing else hold this field.
    fn usage(mut self, field: &str) -> Usage {
        for variable in self.variables.iter_mut().filter(|v| v.field.is_empty()) {
            field.clone_into(&mut variable.field);
        }
        Usage {
            auth: self.auth.unwrap_or_default(),
            variables: self.variables,
            check: self.check,
            docs: self.docs,
        }
    }
}

fn or<T: Clone>(own: Vec<T>, above: &[T]) -> Vec<T> {
    match own.is_empty() {
        true => above.to_vec(),
        false => own,
    }
}

fn fields(setting: &Setting<'_>) -> Result<Vec<Field>, ConfigError> {
    let names = setting.texts(FIELDS_FORM)?;
    let fields: Vec<_> = names.iter().map(|name| field(name)).collect();
    let is_word = |field: &Field| is_variable(&field.name.replace('-', "_"));
    match fields.iter().any(|field| field.is_secret) && fields.iter().all(is_word) {
        true => Ok(fields),
        false => Err(setting.must_be(FIELDS_FORM)),
    }
}

/// `login!`, `token?`.
fn field(text: &str) -> Field {
    let name = text.trim_end_matches(['!', '?']);
    let marks = &text[name.len()..];
    Field {
        name: name.to_owned(),
        is_secret: !marks.contains('!'),
        is_optional: marks.contains('?'),
    }
}

impl Value for Auth {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Form {
            Bearer,
            Scheme(String),
            Header(String),
            Query(String),
            Basic(Vec<String>),
        }
        let is = |text: &str, marks: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
            !text.is_empty() && text.chars().all(allowed)
        };
        let is_name = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
        match setting.get(AUTH_FORM)? {
            Form::Bearer => Ok(Self::default()),
            Form::Scheme(scheme) if is(&scheme, TOKEN_MARKS) => Ok(Self::Scheme(scheme)),
            Form::Header(header) if is(&header, TOKEN_MARKS) => Ok(Self::Header(header)),
            Form::Query(name) if is(&name, "-._~") => Ok(Self::Query(name)),
            Form::Basic(fields) => match fields.as_slice() {
                [user, password] if is_name(user) && is_name(password) => Ok(Self::Basic {
                    user: user.clone(),
                    password: password.clone(),
                }),
                _ => Err(setting.must_be(AUTH_FORM)),
            },
            _ => Err(setting.must_be(AUTH_FORM)),
        }
    }
}

/// The field of a plain list is not known yet.
fn variables(setting: &Setting<'_>) -> Result<Vec<Variable>, ConfigError> {
    let lists = match setting.is_table() {
        true => setting.settings(VARIABLES_FORM)?,
        false => vec![setting.clone()],
    };
    let mut variables = Vec::new();
    for list in lists {
        let field = if setting.is_table() { list.key } else { "" };
        for name in list.texts(VARIABLES_FORM)? {
            if !is_variable(&name) {
                return Err(setting.must_be(VARIABLES_FORM));
            }
            variables.push(Variable {
                name,
                field: field.to_owned(),
            });
        }
    }
    Ok(variables)
}

impl Value for Sign {
    fn read(setting: &Setting<'_>) -> Result<Self, ConfigError> {
        let settings = setting.settings(SIGN_FORM)?;
        let of = |key: &str| settings.iter().find(|setting| setting.key == key);
        match (settings.as_slice(), of("pointer"), of("equals")) {
            ([_, _], Some(at), Some(value)) => {
                Ok(Self::Equals(pointer(at)?, value.get(SIGN_FORM)?))
            }
            ([one], ..) => match one.key {
                "absent" => pointer(one).map(Self::Absent),
                "starts_with" => String::read(one).map(Self::StartsWith),
                "status" => {
                    let statuses = one.get(SIGN_FORM).map(Self::Status);
                    statuses.map_err(|_| setting.must_be(SIGN_FORM))
                }
                _ => Err(setting.must_be(SIGN_FORM)),
            },
            _ => Err(setting.must_be(SIGN_FORM)),
        }
    }
}

/// One pointer, or several places of which the first counts.
fn pointers(setting: &Setting<'_>) -> Result<Vec<String>, ConfigError> {
    if !setting.value().is_array() {
        return pointer(setting).map(|one| vec![one]);
    }
    let list = setting.texts(POINTER_FORM)?;
    match list.iter().all(|text| is_pointer(text)) {
        true => Ok(list),
        false => Err(setting.must_be(POINTER_FORM)),
    }
}

fn pointer(setting: &Setting<'_>) -> Result<String, ConfigError> {
    match setting.value().as_str() {
        Some(text) if is_pointer(text) => Ok(text.to_owned()),
        _ => Err(setting.must_be(POINTER_FORM)),
    }
}

fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/')) && !text.chars().any(char::is_control)
}
