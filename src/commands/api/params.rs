//! What `-f`, `-F` and `-H` mean.

use std::io;

use serde_json::{Map, Value};
use url::Url;

/// A mistake in `-f`, `-F` or `-H`.
#[derive(Debug, thiserror::Error)]
pub enum ParamError {
    /// There is no `=`.
    #[error("`{0}` has no value; write KEY=VALUE")]
    NoValue(String),
    /// Brackets that don't close, or an empty name.
    #[error("`{0}` is not a valid key; write KEY, KEY[] or KEY[SUB]")]
    BadKey(String),
    #[error("`{0}` is used both as a value and as a list or an object")]
    Clash(String),
    /// A file of `-F key=@FILE`.
    #[error("{name} can't be read: {source}")]
    Unreadable {
        /// The file, or `stdin`.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// `-H` without a colon, or with a name that is none.
    #[error("`{0}` is not a header; write NAME: VALUE")]
    BadHeader(String),
    /// A header whose value is ours alone.
    #[error("seo-auth sets the header {0} itself, so -H can't set it")]
    OwnHeader(String),
    /// A line break or another control character in a header.
    #[error("a header contains a control character")]
    ControlInHeader,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    key: String,
    value: Value,
}

/// Reads the file of `-F key=@FILE`; `-` is stdin.
pub type ReadFile<'a> = &'a mut dyn FnMut(&str) -> io::Result<String>;

/// The parameters, those of `-f` first.
///
/// # Errors
/// One can't be read.
pub fn fields(
    raw: &[String],
    typed: &[String],
    read: ReadFile<'_>,
) -> Result<Vec<Field>, ParamError> {
    let mut fields = Vec::new();
    for text in raw {
        let (key, value) = split(text)?;
        fields.push(Field {
            key,
            value: Value::String(value.to_owned()),
        });
    }
    for text in typed {
        let (key, value) = split(text)?;
        let value = typed_value(value, read)?;
        fields.push(Field { key, value });
    }
    Ok(fields)
}

fn split(text: &str) -> Result<(String, &str), ParamError> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| ParamError::NoValue(shown(text)))?;
    if parts(key).is_none() {
        return Err(ParamError::BadKey(shown(key)));
    }
    Ok((key.to_owned(), value))
}

fn typed_value(text: &str, read: ReadFile<'_>) -> Result<Value, ParamError> {
    let file = match text {
        "-" => Some("-"),
        _ => text.strip_prefix('@'),
    };
    if let Some(file) = file {
        let content = read(file).map_err(|source| ParamError::Unreadable {
            name: if file == "-" {
                "stdin".to_owned()
            } else {
                shown(file)
            },
            source,
        })?;
        return Ok(Value::String(content));
    }
    Ok(match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        // A number that would not come out as it was typed (20 digits) stays a text.
        _ => match text.parse::<serde_json::Number>() {
            Ok(number) if number.to_string() == text => Value::Number(number),
            _ => Value::String(text.to_owned()),
        },
    })
}

/// Adds the parameters to the query of `url`, after what is there.
pub fn into_query(fields: &[Field], url: &mut Url) {
    if fields.is_empty() {
        return;
    }
    let mut pairs = url.query_pairs_mut();
    for Field { key, value } in fields {
        match value {
            Value::String(text) => pairs.append_pair(key, text),
            Value::Null => pairs.append_pair(key, ""),
            other => pairs.append_pair(key, &other.to_string()),
        };
    }
}

/// The parameters as a JSON object: `a[b]=1` is an object in it, `a[]=1` adds to a list; of one key the last value counts.
///
/// # Errors
/// A key is used in two ways.
pub fn into_body(fields: &[Field]) -> Result<Value, ParamError> {
    let mut body = Value::Object(Map::new());
    for Field { key, value } in fields {
        let mut place = &mut body;
        for part in parts(key).unwrap_or_default() {
            place = step(place, part).ok_or_else(|| ParamError::Clash(shown(key)))?;
        }
        if place.is_array() || place.is_object() {
            return Err(ParamError::Clash(shown(key)));
        }
        *place = value.clone();
    }
    Ok(body)
}

/// One step down: into an object's member, or onto the end of a list. What is not there yet becomes what the step needs.
fn step<'a>(place: &'a mut Value, part: &str) -> Option<&'a mut Value> {
    if part.is_empty() {
        if place.is_null() {
            *place = Value::Array(Vec::new());
        }
        let list = place.as_array_mut()?;
        list.push(Value::Null);
        return list.last_mut();
    }
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    let object = place.as_object_mut()?;
    Some(object.entry(part).or_insert(Value::Null))
}

/// `a[b][]` as `a`, `b` and an empty part.
fn parts(key: &str) -> Option<Vec<&str>> {
    let (name, mut rest) = match key.find('[') {
        Some(at) => key.split_at(at),
        None => (key, ""),
    };
    let mut parts = vec![name];
    while !rest.is_empty() {
        let (part, after) = rest.strip_prefix('[')?.split_once(']')?;
        parts.push(part);
        rest = after;
    }
    (!name.is_empty() && !name.contains(']')).then_some(parts)
}

/// The headers of `-H`, checked.
///
/// # Errors
/// One is malformed, or ours alone.
pub fn headers(given: &[String]) -> Result<Vec<(String, String)>, ParamError> {
    given.iter().map(|text| one_header(text)).collect()
}

/// `Authorization` is what this program is for; the others say how the message is cut and where it goes.
const OWN_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
];

fn one_header(text: &str) -> Result<(String, String), ParamError> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(ParamError::ControlInHeader);
    }
    // The value may be secret: it is not repeated.
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| ParamError::BadHeader("…".to_owned()))?;
    // RFC 9110 §5.6.2.
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err(ParamError::BadHeader(shown(name)));
    }
    let lower = name.to_ascii_lowercase();
    if OWN_HEADERS.contains(&lower.as_str()) {
        return Err(ParamError::OwnHeader(shown(name)));
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn shown(text: &str) -> String {
    crate::text::printable(text, 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &[&str], typed: &[&str]) -> Result<Vec<Field>, ParamError> {
        let own = |list: &[&str]| {
            list.iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        fields(&own(raw), &own(typed), &mut |name| match name {
            "-" => Ok("from stdin".to_owned()),
            "there.json" => Ok("from a file".to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        })
    }

    fn body(raw: &[&str], typed: &[&str]) -> String {
        into_body(&parse(raw, typed).unwrap()).unwrap().to_string()
    }

    #[test]
    fn raw_fields_are_texts_and_typed_ones_are_what_they_look_like() {
        assert_eq!(
            body(&["a=1", "b=true", "c=x=y", "d="], &[]),
            r#"{"a":"1","b":"true","c":"x=y","d":""}"#
        );
        assert_eq!(
            body(
                &[],
                &[
                    "a=1",
                    "b=true",
                    "c=null",
                    "d=-0.5",
                    "e=word",
                    "f=@there.json",
                    "g=-",
                    "h=@-"
                ]
            ),
            r#"{"a":1,"b":true,"c":null,"d":-0.5,"e":"word","f":"from a file","g":"from stdin","h":"from stdin"}"#
        );
        assert_eq!(
            body(&[], &["id=12345678901234567890123", "zip=01234", "v=1.10"]),
            r#"{"id":"12345678901234567890123","zip":"01234","v":"1.10"}"#
        );
    }

    #[test]
    fn brackets_make_lists_and_objects() {
        assert_eq!(
            body(&["k[]=a", "k[]=b", "o[p][q]=c", "o[r]=d"], &["n[]=1"]),
            r#"{"k":["a","b"],"o":{"p":{"q":"c"},"r":"d"},"n":[1]}"#
        );
        for clash in [&["a=1", "a[]=2"], &["a[]=1", "a[b]=2"], &["a[]=1", "a=2"]] {
            assert!(
                matches!(
                    into_body(&parse(clash, &[]).unwrap()),
                    Err(ParamError::Clash(_))
                ),
                "{clash:?}"
            );
        }
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        assert!(matches!(parse(&["a"], &[]), Err(ParamError::NoValue(_))));
        for key in ["=1", "a[=1", "a]=1", "a[b]c=1", "[]=1"] {
            assert!(
                matches!(parse(&[key], &[]), Err(ParamError::BadKey(_))),
                "{key}"
            );
        }
        assert!(matches!(
            parse(&[], &["a=@gone.json"]),
            Err(ParamError::Unreadable { .. })
        ));
    }

    #[test]
    fn a_query_is_added_to_and_not_rewritten() {
        let mut url = Url::parse("https://api.example/x?q=a%2Fb|c").unwrap();
        into_query(
            &parse(&["name=a b&c"], &["n=1", "none=null"]).unwrap(),
            &mut url,
        );
        assert_eq!(url.query(), Some("q=a%2Fb|c&name=a+b%26c&n=1&none="));
        let mut plain = Url::parse("https://api.example/x").unwrap();
        into_query(&[], &mut plain);
        assert_eq!(plain.as_str(), "https://api.example/x");
    }

    #[test]
    fn some_headers_are_not_the_callers() {
        let one = |text: &str| headers(&[text.to_owned()]);
        assert_eq!(
            one("X-Mine:  a:b ").unwrap(),
            [("X-Mine".to_owned(), "a:b".to_owned())]
        );
        assert_eq!(
            one("X-Empty:").unwrap(),
            [("X-Empty".to_owned(), String::new())]
        );
        for own in [
            "Authorization: Bearer x",
            "authorization:x",
            "HOST: evil.example",
            "Content-Length: 0",
        ] {
            assert!(matches!(one(own), Err(ParamError::OwnHeader(_))), "{own}");
        }
        for bad in ["no colon", ": x", "a b: c", "é: c", " Authorization: x"] {
            assert!(matches!(one(bad), Err(ParamError::BadHeader(_))), "{bad}");
        }
        for control in [
            "X: a\r\nAuthorization: b",
            "X: a\u{0}",
            "X\n: a",
            "X: \u{7f}",
        ] {
            assert!(
                matches!(one(control), Err(ParamError::ControlInHeader)),
                "{control:?}"
            );
        }
    }
}
