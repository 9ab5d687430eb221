//! A request with an account's credential, and what its answer means: ask; renew once on a 401; ask again.

use std::time::{Duration, Instant};

use super::Accounts;
use super::fresh::{self, Token};
use crate::address::is_loopback;
use crate::api::auth::carry;
use crate::api::check::{Quota, Verdict, judge};
use crate::api::receive::{self, Failure, Output, Received, Sink};
use crate::api::send;
use crate::api::shape::{Meaning, Refusal};
use crate::credential::{AccountKey, Kind};
use crate::error::api::{ApiError, ApiProblem};
use crate::error::{Error, KeyError};
use crate::flow::FlowError;
use crate::http::api::{ApiRequest, Proof};
use crate::http::{Http, HttpError};
use crate::provider::{Endpoint, Provider};

/// Whose credential is sent where.
pub struct Call {
    pub account: AccountKey,
    pub provider: Provider,
    pub token: Token,
    pub proof: Proof,
}

/// What was asked for.
pub struct Data<'a> {
    pub bytes: &'a [u8],
    pub is_json: bool,
}

/// What a check showed of a credential.
pub enum Checked {
    Works(Quota),
    /// By the sign that the provider is known to give, or by a 401, which is then the error.
    Refused(Option<Error>),
}

impl Call {
    /// # Errors
    /// The credential is of the other world, or lacks a field that a request carries.
    pub fn new(account: AccountKey, provider: Provider, token: Token) -> Result<Self, Error> {
        stays_in_its_world(&account, &provider, &token)?;
        let auth = &provider.usage(token.kind(&provider)).auth;
        let proof = carry(auth, token.access_token(), token.key_fields());
        let proof = proof.map_err(|missing| KeyError::NoField {
            account: account.clone(),
            field: missing.0,
            variable: match token {
                Token::Env(_) => Some(provider.variable("TOKEN")),
                Token::Stored(..) => None,
            },
        })?;
        Ok(Self {
            account,
            provider,
            token,
            proof,
        })
    }

    /// Sends a request and receives its answer. `waiting` is told of each wait that the server asks for.
    ///
    /// # Errors
    /// No answer came before the deadline `until`, or it did not arrive whole.
    pub async fn exchange(
        &self,
        http: &Http,
        request: &ApiRequest,
        until: Instant,
        waiting: &dyn Fn(u16, Duration),
        (sink, how): (Sink<'_>, &Output),
    ) -> Result<Received, Error> {
        let answer = send::send(http, request, &self.proof, until, waiting).await;
        let answer = answer.map_err(|error| self.unreachable(error))?;
        let received = receive::receive(sink, answer, how).await;
        received.map_err(|failure| match failure {
            Failure::Http(error) => self.unreachable(error),
            Failure::Stdout(error) => Error::stdout(error),
            Failure::TooLarge { cap } => self.problem(ApiProblem::TooLarge { cap }),
        })
    }

    /// Sends the request of the provider's check, and judges its answer.
    ///
    /// # Errors
    /// No answer came, or one that says nothing of the credential.
    pub async fn check(
        &self,
        http: &Http,
        request: &ApiRequest,
        until: Instant,
    ) -> Result<Checked, Error> {
        let (sink, how) = (|_: &[u8]| Ok(true), Output::default());
        let passed_on = (&sink as Sink<'_>, &how);
        let received = self
            .exchange(http, request, until, &|_, _| {}, passed_on)
            .await?;
        let usage = self.provider.usage(self.token.kind(&self.provider));
        let judged = |check| judge(check, received.status, &received.body);
        let quota = match usage.check.as_ref().map(judged) {
            Some(Verdict::Good(quota)) => return Ok(Checked::Works(quota)),
            Some(Verdict::Bad) => return Ok(Checked::Refused(None)),
            Some(Verdict::Open(quota)) => quota,
            None => Quota::default(),
        };
        match self.data_of(&request.method, &received) {
            Ok(_) => Ok(Checked::Works(quota)),
            Err(error) if self.is_rejected(&received) => Ok(Checked::Refused(Some(error))),
            Err(error) => Err(error),
        }
    }

    /// Whether an answer is a 401, which another token may cure.
    pub fn is_rejected(&self, received: &Received) -> bool {
        received.status == 401
            || matches!(
                self.meaning(received),
                Meaning::Refused(Refusal { status: 401, .. })
            )
    }

    /// Whether another token may be had at all: not of a variable, and not of a key.
    pub fn is_renewable(&self) -> bool {
        matches!(self.token, Token::Stored(..)) && self.token.kind(&self.provider) != Kind::Key
    }

    /// The call with another token, after this one's was refused; only where it [is renewable](Self::is_renewable).
    ///
    /// # Errors
    /// None is to be had.
    pub fn renewed(&self, accounts: &Accounts<'_>) -> Result<Self, Error> {
        let rejected = self.token.access_token();
        let token = fresh::token_after_rejection(accounts, &self.account, rejected)?;
        Self::new(self.account.clone(), self.provider.clone(), token)
    }

    /// What an answer means.
    pub fn meaning<'a>(&'a self, received: &'a Received) -> Meaning<'a> {
        received.meaning(self.provider.api.shape, &self.proof)
    }

    /// The data of an answer.
    ///
    /// # Errors
    /// It is an error, or not the API's.
    pub fn data_of<'a>(&'a self, method: &str, received: &'a Received) -> Result<Data<'a>, Error> {
        let status = received.status;
        let data = |bytes, is_json| Ok(Data { bytes, is_json });
        let problem = match self.meaning(received) {
            Meaning::Json(text) => return data(text.as_bytes(), true),
            Meaning::Other(bytes) => return data(bytes, false),
            // Nothing at all is no answer to a question, but well one to a command.
            Meaning::Empty if method == "GET" && status == 200 && received.body.is_empty() => {
                ApiProblem::Foreign {
                    status,
                    content: "an empty body",
                }
            }
            Meaning::Empty => return data(&[], false),
            Meaning::Refused(refusal) => ApiProblem::Refused(refusal),
            Meaning::Foreign(_) if received.redirects_on => ApiProblem::EndlessRedirects {
                redirects: send::MAX_REDIRECTS,
            },
            Meaning::Foreign(_) if (300..400).contains(&status) => ApiProblem::Elsewhere {
                status,
                to: received
                    .redirect
                    .clone()
                    .unwrap_or_else(|| "nowhere".to_owned()),
            },
            Meaning::Foreign(content) => ApiProblem::Foreign { status, content },
        };
        Err(self.problem(problem))
    }

    /// The same where only the head of an answer is at hand.
    ///
    /// # Errors
    /// Its status is an error.
    pub fn status_of(&self, received: &Received) -> Result<(), Error> {
        if received.status < 400 {
            return Ok(());
        }
        let refusal = Refusal::by_status(received.status);
        Err(self.problem(ApiProblem::Refused(refusal)))
    }

    /// The user's error for what came.
    pub fn problem(&self, problem: ApiProblem) -> Error {
        let (token_variable, granted) = match &self.token {
            Token::Env(_) => (Some(self.provider.variable("TOKEN")), Vec::new()),
            Token::Stored(_, credential) => (None, credential.scope.clone()),
        };
        Error::Api(Box::new(ApiError {
            account: self.account.clone(),
            kind: self.token.kind(&self.provider),
            title: self.provider.title.clone(),
            problem,
            token_variable,
            granted,
            known_scopes: self.provider.known_scopes.clone(),
        }))
    }

    /// The user's error where no answer came.
    pub fn unreachable(&self, error: HttpError) -> Error {
        Error::Flow {
            account: self.account.clone(),
            source: FlowError::Http(error),
        }
    }
}

/// No credential goes from the embedded authorization server to a real provider, or the other way round: what it issued is
/// worth nothing elsewhere, and behind a port of this machine anybody may listen.
fn stays_in_its_world(
    account: &AccountKey,
    provider: &Provider,
    token: &Token,
) -> Result<(), Error> {
    let Token::Stored(_, credential) = token else {
        return Ok(());
    };
    let home = match credential.kind() {
        Kind::Key => provider.api.base.as_ref(),
        _ => provider.login.token_endpoint(),
    };
    let login = Endpoint::parse(&credential.token_endpoint).ok();
    let (Some(home), Some(login)) = (home, login) else {
        return Ok(());
    };
    match is_loopback(home.url()) == is_loopback(login.url()) {
        true => Ok(()),
        false => Err(Error::Key(KeyError::OtherWorld {
            account: account.clone(),
            login: login.origin(),
            here: home.origin(),
            is_sandbox: is_loopback(login.url()),
        })),
    }
}
