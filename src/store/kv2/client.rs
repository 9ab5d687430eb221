//! The engine's API over HTTP: three calls on secrets, a login, and the questions that tell one refusal from another.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;

use super::fault::Fault;
use crate::address::is_loopback;
use crate::clock::{Timestamp, parse_moment};
use crate::http::api::{ApiRequest, Proof};
use crate::http::runtime::Runtime;
use crate::http::trace::unsaid;
use crate::http::{Http, HttpError};
use crate::paths;
use crate::provider::Endpoint;
use crate::secret::{AccessToken, Secret};
use crate::store::StoreError;

/// One answer. A store that takes longer is down for whoever waits; what it says of itself then must come in the rest of ten
/// seconds.
const DEADLINE: Duration = Duration::from_secs(7);
/// For the question why.
const DIAGNOSIS: Duration = Duration::from_secs(2);
/// A standby names the active node; a chain of them is a mistake.
const MAX_REDIRECTS: usize = 2;
/// Secrets have a few kB; the engine itself takes 512 kB at most.
const MAX_ANSWER: usize = 1 << 20;
/// A service account's token has 1 kB.
const MAX_JWT: u64 = 1 << 16;
/// Longer texts than this are no sentences for people.
const MAX_WORDS: usize = 300;
/// Renewed that long before its end, so that no request meets it.
const LOGIN_MARGIN: Duration = Duration::from_secs(10);

/// Where the engine is, and how one gets in.
#[derive(Clone, Debug)]
pub struct Settings {
    pub address: Endpoint,
    pub namespace: Option<String>,
    /// Of the engine.
    pub mount: String,
    /// The folder below it.
    pub path: String,
    pub auth: Auth,
    /// PEM files to trust beside the system's.
    pub roots: Vec<PathBuf>,
}

/// How one gets in. Tokens of a login live in memory only.
#[derive(Clone, Debug)]
pub enum Auth {
    Token(Option<AccessToken>),
    AppRole {
        mount: String,
        role_id: String,
        secret_id: Option<AccessToken>,
    },
    /// Also Kubernetes' service accounts and the id tokens of CI.
    Jwt {
        mount: String,
        role: String,
        file: PathBuf,
    },
}

pub struct Client {
    pub settings: Settings,
    http: OnceLock<Http>,
    /// Its own: a store is asked by whoever has none, and from several threads.
    runtime: Runtime,
    login: Mutex<Option<Login>>,
}

struct Login {
    token: AccessToken,
    until: Option<Instant>,
}

struct Answer {
    status: u16,
    body: Value,
    /// The store's own words, cleaned.
    errors: String,
    /// The store's clock.
    date: Option<Timestamp>,
}

impl Answer {
    /// While an engine is made ready for versions, active node and standby say that it "will be unavailable for a brief
    /// period" (seen at OpenBao 2.7.2, after `secrets enable`).
    fn is_not_ready(&self) -> bool {
        self.errors.contains("unavailable for a brief period")
    }
}

/// A secret as it was read.
#[derive(Debug)]
pub struct Read {
    /// `Null`: this version was deleted.
    pub data: Value,
    pub version: u64,
    /// How long it has stood so, by the store's own clock, in seconds.
    pub age: i64,
}

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    Done(u64),
    /// Another version is there. A standby of OpenBao may say so of its own stale copy: only a read decides.
    Mismatch,
    /// The line broke, or the cluster chooses a leader: it may be written or not.
    Unknown(String),
}

impl Client {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            http: OnceLock::new(),
            runtime: Runtime::default(),
            login: Mutex::default(),
        }
    }

    /// `…/data/…`; `None`: there never was such a secret.
    ///
    /// # Errors
    /// The store can't be asked, or lets nobody read there.
    pub fn read(&self, secret: &str) -> Result<Option<Read>, StoreError> {
        let path = self.path("data", secret);
        let answer = self.ask("GET", &path, None)?;
        let metadata = &answer.body["data"]["metadata"];
        let version = metadata["version"].as_u64();
        match (answer.status, version) {
            (200 | 404, Some(version)) => {
                let created = metadata["created_time"].as_str().and_then(parse_moment);
                let age = answer.date.zip(created);
                Ok(Some(Read {
                    data: answer.body["data"]["data"].clone(),
                    version,
                    age: age.map_or(0, |(now, created)| now.seconds_since(created)),
                }))
            }
            (404, None) if answer.errors.is_empty() => Ok(None),
            _ => Err(self.fault(&answer, &path, "read")),
        }
    }

    /// Writes where this version is there; 0: none ever was.
    ///
    /// # Errors
    /// The store refuses for good.
    pub fn write(&self, secret: &str, data: &Value, cas: u64) -> Result<Written, StoreError> {
        let path = self.path("data", secret);
        let body = json!({"options": {"cas": cas}, "data": data});
        let answer = match self.ask("POST", &path, Some(&body)) {
            Ok(answer) => answer,
            Err(StoreError::Shared(fault)) if fault.may_pass() => {
                return Ok(Written::Unknown(fault.to_string()));
            }
            Err(error) => return Err(error),
        };
        match answer.status {
            200 => {
                let version = answer.body["data"]["version"].as_u64();
                Ok(
                    version
                        .map_or_else(|| Written::Unknown("no version".to_owned()), Written::Done),
                )
            }
            400 if answer.errors.contains("check-and-set") => Ok(Written::Mismatch),
            307 | 412 | 429 | 472 | 473 | 500.. => {
                Ok(Written::Unknown(format!("it answered {}", answer.status)))
            }
            400 if answer.is_not_ready() => Ok(Written::Unknown(Fault::NotReady.to_string())),
            _ => Err(self.fault(&answer, &path, "create and update")),
        }
    }

    /// Makes versions unreadable for good; the counter stays.
    ///
    /// # Errors
    /// The store can't be asked, or refuses.
    pub fn destroy(&self, secret: &str, versions: &[u64]) -> Result<(), StoreError> {
        let path = self.path("destroy", secret);
        let body = json!({"versions": versions});
        let answer = self.ask("POST", &path, Some(&body))?;
        match answer.status {
            200..300 => Ok(()),
            _ => Err(self.fault(&answer, &path, "update")),
        }
    }

    /// The names below a folder; those of folders end in `/`.
    ///
    /// # Errors
    /// The store can't be asked, or refuses.
    pub fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = self.path("metadata", folder);
        let answer = self.ask("LIST", &path, None)?;
        match answer.status {
            200 => {
                let keys = answer.body["data"]["keys"].as_array().into_iter().flatten();
                let keys = keys.filter_map(Value::as_str);
                Ok(keys.map(str::to_owned).collect())
            }
            404 if answer.errors.is_empty() => Ok(Vec::new()),
            _ => Err(self.fault(&answer, &path, "list")),
        }
    }

    fn path(&self, what: &str, secret: &str) -> String {
        let Settings { mount, path, .. } = &self.settings;
        format!("{mount}/{what}/{path}/{secret}")
    }

    /// A request with the login's token; where a login's own token is refused, once more with a new one.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, StoreError> {
        let token = self.token()?;
        let answer = self.exchange(method, path, body, Some(&token), DEADLINE)?;
        let may_sign_in = !matches!(self.settings.auth, Auth::Token(_));
        if answer.status == 403 && may_sign_in && !self.is_good(&token) {
            *self.login.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let token = self.token()?;
            return self.exchange(method, path, body, Some(&token), DEADLINE);
        }
        Ok(answer)
    }

    /// RFC 9110 aside, what a login answers with is documented at OpenBao's `auth/approle` and `auth/jwt`.
    fn token(&self) -> Result<AccessToken, StoreError> {
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(login) = login.as_ref()
            && login.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(login.token.clone());
        }
        let (mount, body) = match &self.settings.auth {
            Auth::Token(token) => {
                let token = token.clone();
                return token.ok_or_else(|| Fault::NotConfigured("token (VAULT_TOKEN)").into());
            }
            Auth::AppRole {
                mount,
                role_id,
                secret_id,
            } => {
                let secret_id = secret_id.as_ref().map(Secret::expose);
                (mount, json!({"role_id": role_id, "secret_id": secret_id}))
            }
            Auth::Jwt { mount, role, file } => {
                let jwt = paths::read_bounded(file, MAX_JWT).map_err(StoreError::io(file))?;
                let jwt = String::from_utf8_lossy(&jwt);
                (mount, json!({"role": role, "jwt": jwt.trim()}))
            }
        };
        let path = format!("auth/{mount}/login");
        let answer = self.exchange("POST", &path, Some(&body), None, DEADLINE)?;
        let auth = &answer.body["auth"];
        let Some(token) = auth["client_token"]
            .as_str()
            .filter(|_| answer.status == 200)
        else {
            return Err(match answer.status {
                400 | 403 | 404 => Fault::LoginRefused {
                    path,
                    reason: answer.errors.clone(),
                }
                .into(),
                _ => self.fault(&answer, &path, "update"),
            });
        };
        let lease = auth["lease_duration"]
            .as_u64()
            .filter(|seconds| *seconds > 0);
        let lease = lease.map(|seconds| Duration::from_secs(seconds).saturating_sub(LOGIN_MARGIN));
        let token = AccessToken::new(token.to_owned());
        *login = Some(Login {
            token: token.clone(),
            until: lease.map(|lease| Instant::now() + lease),
        });
        Ok(token)
    }

    fn is_good(&self, token: &AccessToken) -> bool {
        let asked = self.exchange(
            "GET",
            "auth/token/lookup-self",
            None,
            Some(token),
            DIAGNOSIS,
        );
        asked.is_ok_and(|answer| answer.status == 200)
    }

    /// Why an answer is none that was asked for.
    fn fault(&self, answer: &Answer, path: &str, capability: &'static str) -> StoreError {
        let fault = match answer.status {
            403 => {
                let token = self.token();
                match token.is_ok_and(|token| self.is_good(&token)) {
                    true => Fault::NoRight {
                        path: path.to_owned(),
                        capability,
                    },
                    false => Fault::BadToken,
                }
            }
            404 | 400 if answer.errors.contains("route") => {
                Fault::WrongMount(self.settings.mount.clone())
            }
            400 if answer.is_not_ready() => Fault::NotReady,
            429 | 472 | 473 | 500.. => match self.health() {
                Some(503) => Fault::Sealed,
                Some(501) => Fault::NotInitialised,
                _ => Fault::Standby(answer.status),
            },
            status => Fault::Strange {
                status,
                reason: answer.errors.clone(),
            },
        };
        fault.into()
    }

    /// The status of `sys/health`: 200 active, 429 standby, 501 not initialised, 503 sealed.
    fn health(&self) -> Option<u16> {
        let asked = self.exchange("GET", "sys/health", None, None, DIAGNOSIS);
        asked.ok().map(|answer| answer.status)
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        token: Option<&AccessToken>,
        deadline: Duration,
    ) -> Result<Answer, StoreError> {
        let settings = &self.settings;
        let address = settings.address.to_string();
        let mut url = Url::parse(&format!("{}/v1/{path}", address.trim_end_matches('/'))).map_err(
            |error| Fault::Unreachable {
                address: address.clone(),
                reason: error.to_string(),
            },
        )?;
        let namespace = settings.namespace.iter();
        let headers: Vec<_> = namespace
            .map(|name| ("X-Vault-Namespace".to_owned(), name.clone()))
            .chain([("X-Vault-Request".to_owned(), "true".to_owned())])
            .collect();
        let proof = Proof {
            header: token.map(|token| ("X-Vault-Token".to_owned(), token.clone())),
            query: None,
            secrets: token.into_iter().cloned().collect(),
        };
        let asked = async {
            let mut redirects = 0;
            loop {
                let request = ApiRequest {
                    method: method.to_owned(),
                    url: url.clone(),
                    headers: headers.clone(),
                    body: body.map(|body| body.to_string().into_bytes()),
                };
                let mut answer = self.http().api(&request, &proof).await?;
                // A standby names the active node. What it would be given is secret.
                let next = answer.redirect.clone().filter(|next| {
                    next.scheme() == "https" || next.scheme() == "http" && is_loopback(next)
                });
                if let Some(next) = next.filter(|_| redirects < MAX_REDIRECTS) {
                    redirects += 1;
                    url = next;
                    continue;
                }
                let mut bytes = zeroize::Zeroizing::new(Vec::new());
                while let Some(chunk) = answer.chunk().await? {
                    bytes.extend_from_slice(&chunk);
                    if bytes.len() > MAX_ANSWER {
                        break;
                    }
                }
                let content: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                return Ok::<_, HttpError>(Answer {
                    status: answer.status,
                    errors: words(&content["errors"], token, body),
                    body: content,
                    date: answer.date,
                });
            }
        };
        let unreachable = |error: HttpError| Fault::Unreachable {
            address: settings.address.origin(),
            reason: error.to_string(),
        };
        let ended = self
            .runtime
            .block_on(async { tokio::time::timeout(deadline, asked).await });
        match ended.map_err(|error| StoreError::Failed(error.to_string()))? {
            Ok(answer) => Ok(answer.map_err(unreachable)?),
            Err(_) => Err(Fault::Slow {
                address: settings.address.origin(),
                seconds: deadline.as_secs(),
            }
            .into()),
        }
    }

    fn http(&self) -> &Http {
        self.http
            .get_or_init(|| Http::new(None).with_roots(self.settings.roots.clone()))
    }
}

/// The errors of an answer as they may be told: without what was sent, which they may repeat.
fn words(errors: &Value, token: Option<&AccessToken>, body: Option<&Value>) -> String {
    let mut sent = Vec::new();
    sent.extend(token.map(|token| ("secret", token.expose())));
    texts(body.unwrap_or(&Value::Null), &mut sent);
    let list = errors.as_array().map(Vec::as_slice).unwrap_or_default();
    let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    crate::text::printable(&unsaid(&words.join("; "), &sent), MAX_WORDS)
}

/// Every text of a request counts as a secret: most are.
fn texts<'v>(value: &'v Value, found: &mut Vec<(&'static str, &'v str)>) {
    match value {
        Value::String(text) => found.push(("secret", text)),
        Value::Array(list) => list.iter().for_each(|one| texts(one, found)),
        Value::Object(fields) => fields.values().for_each(|one| texts(one, found)),
        _ => {}
    }
}
