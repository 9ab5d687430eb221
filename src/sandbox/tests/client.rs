//! A sandbox to test, and an HTTP client of a few lines for it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::sandbox::{Approve, Options, Sandbox};

pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
// RFC 7636 appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const REDIRECT_URI: &str = "http://127.0.0.1:8976/callback";

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(super) fn text(&self, key: &str) -> String {
        self.json()[key].as_str().unwrap_or_default().to_owned()
    }

    /// A parameter of the Location's query.
    pub(super) fn redirected(&self, key: &str) -> Option<String> {
        let location = url::Url::parse(self.header("Location")?).unwrap();
        let mut pairs = location.query_pairs().into_owned();
        pairs.find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The ticket in the page's form.
    pub(super) fn ticket(&self) -> &str {
        let (_, rest) = self.body.split_once("name=\"ticket\" value=\"").unwrap();
        rest.split('"').next().unwrap()
    }
}

pub(super) fn sandbox(approve: Approve, faults: &[&str]) -> Sandbox {
    told(approve, faults, |_| {})
}

pub(super) fn told(
    approve: Approve,
    faults: &[&str],
    notice: impl Fn(&str) + Send + Sync + 'static,
) -> Sandbox {
    Sandbox::start(Options {
        port: 0,
        approve,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        expires_in: None,
        // None, so that no test has to wait; the interval's rules are tested in `device`.
        interval: Duration::ZERO,
        notice: Box::new(notice),
    })
    .unwrap()
}

impl Sandbox {
    pub(super) fn host(&self) -> &str {
        self.origin().strip_prefix("http://").unwrap()
    }

    pub(super) fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.host()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(super) fn get(&self, path: &str, headers: &str) -> Answer {
        self.raw(&format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n",
            self.host()
        ))
    }

    pub(super) fn bearer(&self, path: &str, token: &str) -> Answer {
        self.get(path, &format!("Authorization: Bearer {token}\r\n"))
    }

    pub(super) fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.host(),
            body.len()
        ))
    }

    pub(super) fn poll(&self, device_code: &str) -> Answer {
        let form = [("grant_type", DEVICE_GRANT), ("device_code", device_code)];
        self.post("/dag/device/token", &form)
    }

    /// An Ahrefs authorization request, with parameters added or replaced.
    pub(super) fn authorize(&self, changes: &[(&str, &str)]) -> Answer {
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", "app"),
            ("scope", "apiv3-integration-apps"),
            ("redirect_uri", REDIRECT_URI),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "s256"),
            ("state", "xyz"),
        ];
        for change in changes {
            parameters.retain(|(name, _)| *name != change.0);
            parameters.push(*change);
        }
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        self.get(&format!("/web/oauth/authorize?{query}"), "")
    }

    pub(super) fn exchange(&self, code: &str) -> Answer {
        self.post(
            "/oauth/token",
            &[
                ("grant_type", "authorization_code"),
                ("client_id", "app"),
                ("redirect_uri", REDIRECT_URI),
                ("code", code),
                ("code_verifier", VERIFIER),
            ],
        )
    }
}
