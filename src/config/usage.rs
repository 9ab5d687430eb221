//! The keys of how a credential is got and used. They stand in a provider's table, and in its `api_key` for another way.

use serde_json::Value;
use toml::de::DeValue;

use super::document::Setting;
use super::error::ConfigError;
use super::setter::{Setter, find};
use crate::api::target;
use crate::provider::{ACCESS_TOKEN, Auth, Check, Endpoint, Field, Key, Sign, Usage, Variable};
use crate::text::is_variable;

/// A [`Usage`] that is still being read; what isn't said is as above, or as it is for everybody.
#[derive(Clone, Debug, Default)]
pub(super) struct UsageDraft {
    fields: Vec<Field>,
    auth: Option<Auth>,
    variables: Vec<Variable>,
    check: Option<Check>,
    docs: Option<String>,
}

pub(super) const KEYS: &[(&str, Setter<UsageDraft>)] = &[
    ("fields", |draft, setting| {
        let names = setting.texts(FIELDS_FORM)?;
        draft.fields = names.iter().map(|name| field(name)).collect();
        let is_word = |field: &Field| is_variable(&field.name.replace('-', "_"));
        match draft.fields.iter().any(|field| field.is_secret) && draft.fields.iter().all(is_word) {
            true => Ok(()),
            false => Err(setting.must_be(FIELDS_FORM)),
        }
    }),
    ("api_auth", |draft, setting| {
        draft.auth = Some(auth(setting)?);
        Ok(())
    }),
    ("token_variables", |draft, setting| {
        draft.variables = variables(setting)?;
        Ok(())
    }),
    ("check_path", |draft, setting| {
        draft.check = Some(Check {
            url: setting.text()?.to_owned(),
            ..Check::default()
        });
        Ok(())
    }),
    ("check", |draft, setting| {
        let mut check = Check::default();
        for key in setting.settings(CHECK_FORM)? {
            find(CHECK, &key)?(&mut check, &key)?;
        }
        if check.url.is_empty() {
            return Err(setting.lacks("url", ""));
        }
        draft.check = Some(check);
        Ok(())
    }),
    ("docs", |draft, setting| {
        draft.docs = Some(setting.endpoint()?.to_string());
        Ok(())
    }),
];

const CHECK: &[(&str, Setter<Check>)] = &[
    ("url", |check, setting| {
        check.url = setting.text()?.to_owned();
        Ok(())
    }),
    ("method", |check, setting| {
        let method = setting.text()?;
        if !matches!(method, "GET" | "POST") {
            return Err(setting.must_be("\"GET\" or \"POST\""));
        }
        check.method = Some(method.to_owned());
        Ok(())
    }),
    ("json", |check, setting| {
        check.json = Some(json(setting.value()));
        Ok(())
    }),
    ("valid", |check, setting| {
        check.valid = Some(sign(setting)?);
        Ok(())
    }),
    ("invalid", |check, setting| {
        check.invalid = Some(sign(setting)?);
        Ok(())
    }),
    ("remaining", |check, setting| {
        check.remaining = pointers(setting)?;
        Ok(())
    }),
    ("limit", |check, setting| {
        check.limit = pointers(setting)?;
        Ok(())
    }),
    ("used", |check, setting| {
        check.used = pointers(setting)?;
        Ok(())
    }),
    ("unit", |check, setting| {
        check.unit = Some(setting.text()?.to_owned());
        Ok(())
    }),
    ("resets_at", |check, setting| {
        check.resets_at = Some(pointer(setting)?);
        Ok(())
    }),
    ("expires_at", |check, setting| {
        check.expires_at = Some(pointer(setting)?);
        Ok(())
    }),
];

const FIELDS_FORM: &str = "a list of names, one secret at least: [\"login!\", \"password\"] (`!`: no secret, `?`: may be left empty)";

const CHECK_FORM: &str = "a table, { url = \"/me\" }";

const AUTH_FORM: &str = "\"bearer\", { scheme = \"Token\" }, { header = \"x-token\" }, { query = \"key\" } or { basic = [\"login\", \"password\"] }";

const SIGN_FORM: &str = "{ pointer = \"/status\", equals = \"ok\" }, { absent = \"/error\" }, { starts_with = \"OK\" } or { status = [401] }";

const POINTER_FORM: &str =
    "a JSON pointer (RFC 6901), as \"/quota/left\", or \"\" for the whole answer";

const VARIABLES_FORM: &str = "a list of names of variables, as [\"MY_API_TOKEN\"]: letters, digits and `_`, no digit first; with several fields a table of such lists";

impl UsageDraft {
    /// What OAuth tokens are used by.
    pub fn finish(&self, default_variable: String) -> Usage {
        let mut variables = self.variables.clone();
        if variables.is_empty() {
            variables.push(Variable {
                name: default_variable,
                field: ACCESS_TOKEN.to_owned(),
            });
        }
        for variable in variables.iter_mut().filter(|v| v.field.is_empty()) {
            ACCESS_TOKEN.clone_into(&mut variable.field);
        }
        self.usage(variables)
    }

    /// What a key is made of, and used by; what this table does not say is as in the one `above`.
    pub fn finish_key(&self, above: &Self, name_for_variable: &str) -> Key {
        let fields = match (self.fields.is_empty(), above.fields.is_empty()) {
            (false, _) => self.fields.clone(),
            (true, false) => above.fields.clone(),
            (true, true) => vec![field("key")],
        };
        let first = fields.iter().find(|field| field.is_secret);
        let first = first.map(|field| field.name.clone()).unwrap_or_default();
        let mut variables = match self.variables.is_empty() {
            false => self.variables.clone(),
            true => above.variables.clone(),
        };
        for variable in variables.iter_mut().filter(|v| v.field.is_empty()) {
            variable.field.clone_from(&first);
        }
        for field in &fields {
            if variables
                .iter()
                .all(|variable| variable.field != field.name)
            {
                let suffix = field.name.to_ascii_uppercase().replace('-', "_");
                variables.push(Variable {
                    name: match fields.len() {
                        1 => format!("{name_for_variable}_API_KEY"),
                        _ => format!("{name_for_variable}_{suffix}"),
                    },
                    field: field.name.clone(),
                });
            }
        }
        let merged = Self {
            fields: Vec::new(),
            auth: self.auth.clone().or_else(|| above.auth.clone()),
            variables: Vec::new(),
            check: self.check.clone().or_else(|| above.check.clone()),
            docs: self.docs.clone().or_else(|| above.docs.clone()),
        };
        Key {
            fields,
            usage: merged.usage(variables),
        }
    }

    fn usage(&self, variables: Vec<Variable>) -> Usage {
        Usage {
            auth: self.auth.clone().unwrap_or_default(),
            variables,
            check: self.check.clone(),
            docs: self.docs.clone(),
        }
    }

    /// Whether a check's address is one that the credential may be sent to; without a base it is never used, and no less wrong.
    pub fn refuse_check(
        &self,
        base: Option<&Endpoint>,
        origins: &[Endpoint],
    ) -> Result<(), target::TargetError> {
        match (&self.check, base) {
            (Some(check), Some(base)) => target::resolve(base, origins, &check.url).map(drop),
            _ => Ok(()),
        }
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

fn auth(setting: &Setting<'_>) -> Result<Auth, ConfigError> {
    let wrong = || setting.must_be(AUTH_FORM);
    if !setting.is_table() {
        return match setting.text() {
            Ok("bearer") => Ok(Auth::default()),
            _ => Err(wrong()),
        };
    }
    let settings = setting.settings(AUTH_FORM)?;
    let [one] = settings.as_slice() else {
        return Err(wrong());
    };
    let token = |allowed: fn(char) -> bool| match one.text() {
        Ok(text) if text.chars().all(allowed) => Ok(text.to_owned()),
        _ => Err(wrong()),
    };
    // RFC 9110 §5.6.2.
    let tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    match one.key {
        "scheme" => token(tchar).map(Auth::Scheme),
        "header" => token(tchar).map(Auth::Header),
        "query" => token(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)).map(Auth::Query),
        "basic" => match one.texts(AUTH_FORM)?.as_slice() {
            [user, password] => Ok(Auth::Basic {
                user: user.clone(),
                password: password.clone(),
            }),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
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

fn sign(setting: &Setting<'_>) -> Result<Sign, ConfigError> {
    let wrong = || setting.must_be(SIGN_FORM);
    let settings = setting.settings(SIGN_FORM)?;
    let of = |key: &str| settings.iter().find(|setting| setting.key == key);
    match (settings.len(), of("pointer"), of("equals")) {
        (2, Some(at), Some(value)) => Ok(Sign::Equals(pointer(at)?, json(value.value()))),
        (1, None, None) => match settings.first().map(|one| (one.key, one)) {
            Some(("absent", one)) => pointer(one).map(Sign::Absent),
            Some(("starts_with", one)) => Ok(Sign::StartsWith(one.text()?.to_owned())),
            Some(("status", one)) => match json(one.value()) {
                Value::Array(list) => list
                    .iter()
                    .map(|status| {
                        status
                            .as_u64()
                            .and_then(|status| u16::try_from(status).ok())
                    })
                    .collect::<Option<_>>()
                    .map(Sign::Status)
                    .ok_or_else(wrong),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// One pointer, or several places of which the first counts.
fn pointers(setting: &Setting<'_>) -> Result<Vec<String>, ConfigError> {
    match setting.value() {
        DeValue::Array(_) => {
            let list = setting.texts(POINTER_FORM)?;
            match list.iter().all(|text| is_pointer(text)) {
                true => Ok(list),
                false => Err(setting.must_be(POINTER_FORM)),
            }
        }
        _ => Ok(vec![pointer(setting)?]),
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

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => number
            .as_str()
            .parse::<i64>()
            .map_or(Value::Null, Value::from),
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .map_or(Value::Null, Value::from),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(moment) => Value::from(moment.to_string()),
        DeValue::Array(list) => list.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, item)| (key.get_ref().to_string(), json(item.get_ref())))
            .collect(),
    }
}
