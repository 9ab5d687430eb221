//! What is asked and what is answered, between tiny_http and the rooms: plain values, so that a room is a function.

use std::collections::HashSet;
use std::io::Read;

use serde_json::{Value, json};
use tiny_http::{Header, Request, Response};

/// Enough for any form of these protocols; a larger body is somebody's mistake.
const BODY_LIMIT: u64 = 64 * 1024;

/// Parameters of a query or a form, in the order in which they came.
#[derive(Debug, Default, Clone)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(encoded: &[u8]) -> Params {
        Params(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The value of `name`; none where it is absent, empty (RFC 6749 §3.1: as if omitted) or given more than once.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        only(&self.0, |key| key == name).filter(|value| !value.is_empty())
    }

    /// The value of `name`, or the `invalid_request` that says it is missing.
    pub(super) fn require(&self, name: &str) -> Result<&str, Reply> {
        self.get(name)
            .ok_or_else(|| Reply::error(400, "invalid_request", &format!("{name} is required")))
    }

    /// Whether a parameter is given more than once (RFC 6749 §3.1: must not be).
    pub(super) fn repeated(&self) -> bool {
        let names: HashSet<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.len() < self.0.len()
    }
}

/// The value of a name that is given once.
fn only(pairs: &[(String, String)], is_it: impl Fn(&str) -> bool) -> Option<&str> {
    let mut values = pairs.iter().filter(|(name, _)| is_it(name));
    let (_, value) = values.next()?;
    values.next().is_none().then_some(value)
}

/// One request, read to its end.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Params,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    /// Reads the whole request. `Err` is the refusal of one that is too large or breaks off.
    pub(super) fn read(request: &mut Request) -> Result<Asked, Reply> {
        let mut body = Vec::new();
        let read = request
            .as_reader()
            .take(BODY_LIMIT + 1)
            .read_to_end(&mut body);
        let refuse = |status, why| Err(Reply::error(status, "invalid_request", why));
        if read.is_err() {
            return refuse(400, "the body broke off");
        }
        if body.len() as u64 > BODY_LIMIT {
            return refuse(413, "the body is too large");
        }
        let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
        Ok(Asked {
            method: request.method().as_str().to_owned(),
            path: path.to_owned(),
            query: Params::parse(query.as_bytes()),
            headers: request
                .headers()
                .iter()
                .map(|header| (header.field.to_string(), header.value.to_string()))
                .collect(),
            body,
        })
    }

    /// The value of a header, its name in any case; none where it is absent or given more than once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        only(&self.headers, |field| field.eq_ignore_ascii_case(name)).map(str::trim)
    }

    /// The credentials of `Authorization: SCHEME …`, the scheme in any case (RFC 9110 §11.1).
    pub(super) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (given, credentials) = self.header("Authorization")?.split_once(' ')?;
        given
            .eq_ignore_ascii_case(scheme)
            .then_some(credentials.trim())
    }

    /// The body as a form. `Err` where it is none, where a parameter comes twice, or where parameters stand in
    /// the URI (RFC 6749 §3.2 and appendix B).
    pub(super) fn form(&self) -> Result<Params, Reply> {
        let refuse = |why: &str| Err(Reply::error(400, "invalid_request", why));
        if !self.query.0.is_empty() {
            return refuse("parameters belong into the body, not into the URI");
        }
        let content_type = self.header("Content-Type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !self.body.is_empty()
            && !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            return refuse("the body must be application/x-www-form-urlencoded");
        }
        let form = Params::parse(&self.body);
        if form.repeated() {
            return refuse("a parameter is given more than once");
        }
        Ok(form)
    }
}

/// One answer, and what the person who runs the sandbox is told about it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) notice: Option<String>,
}

impl Reply {
    /// An empty answer that nobody may keep.
    pub(super) fn empty(status: u16) -> Reply {
        Reply {
            status,
            headers: vec![
                ("Cache-Control", "no-store".to_owned()),
                // RFC 6749 §5.1 asks for both.
                ("Pragma", "no-cache".to_owned()),
                ("X-Content-Type-Options", "nosniff".to_owned()),
            ],
            body: String::new(),
            notice: None,
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Reply {
        let mut reply = Reply::empty(status).with("Content-Type", "application/json");
        reply.body = body.to_string();
        reply
    }

    /// An error of RFC 6749 §5.2. The description never repeats a secret.
    pub(super) fn error(status: u16, code: &str, description: &str) -> Reply {
        Reply::json(
            status,
            &json!({ "error": code, "error_description": description }),
        )
    }

    /// 303: the browser goes there by GET, whatever it came with (RFC 9700 §4.12 warns of 307).
    pub(super) fn redirect(location: &str) -> Reply {
        Reply::empty(303).with("Location", location)
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Reply {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn noticed(mut self, line: String) -> Reply {
        self.notice = Some(line);
        self
    }

    /// Sends the answer; a client that has gone is no error of ours.
    pub(super) fn send(self, request: Request) {
        let mut response = Response::from_string(self.body).with_status_code(self.status);
        // `from_string` has put a Content-Type of its own, which the first one given here replaces.
        for (name, value) in &self.headers {
            if let Ok(header) = Header::from_bytes(name.as_bytes(), value.as_bytes()) {
                response.add_header(header);
            }
        }
        request.respond(response).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_parameter_counts_as_omitted_and_a_repeated_one_as_neither() {
        let params = Params::parse(b"a=1&b=&c=1&c=2");
        assert_eq!(params.get("a"), Some("1"));
        assert_eq!(params.get("b"), None);
        assert_eq!(params.get("c"), None);
        assert!(params.repeated());
        assert!(!Params::parse(b"a=1&b=2").repeated());
    }

    #[test]
    fn a_form_has_the_right_type_and_nothing_in_the_uri() {
        let asked = |content_type: &str, query: &str| Asked {
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            query: Params::parse(query.as_bytes()),
            body: b"a=1".to_vec(),
            ..Asked::default()
        };
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(asked(form, "").form().unwrap().get("a"), Some("1"));
        assert_eq!(
            asked("application/json", "").form().unwrap_err().status,
            400
        );
        assert_eq!(asked(form, "b=2").form().unwrap_err().status, 400);
    }
}
