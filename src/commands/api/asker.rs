//! Judges an answer: is it what was asked for, and what is the user told where it is not?

use crate::account::fresh::Token;
use crate::api::receive::{Failure, Received};
use crate::api::send::MAX_REDIRECTS;
use crate::api::shape::{Meaning, Refusal};
use crate::commands::stdout_failed;
use crate::credential::AccountKey;
use crate::error::Error;
use crate::error::api::{ApiError, ApiProblem};
use crate::flow::FlowError;
use crate::http::HttpError;
use crate::provider::Provider;

/// Whose token was sent where: what an answer is judged by.
pub struct Asker<'a> {
    pub provider: &'a Provider,
    pub account: &'a AccountKey,
    pub token: &'a Token,
}

/// What was asked for.
pub struct Data<'a> {
    pub bytes: &'a [u8],
    pub is_json: bool,
}

impl Asker<'_> {
    /// What an answer means.
    pub fn meaning<'b>(&'b self, received: &'b Received) -> Meaning<'b> {
        received.meaning(self.provider.api.shape, self.token.access_token())
    }

    /// The data of an answer.
    ///
    /// # Errors
    /// It is an error, or not the API's.
    pub fn data_of<'b>(&'b self, method: &str, received: &'b Received) -> Result<Data<'b>, Error> {
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
                redirects: MAX_REDIRECTS,
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
        let (token_variable, granted) = match self.token {
            Token::Env(_) => (Some(self.provider.variable("TOKEN")), Vec::new()),
            Token::Stored(_, credential) => (None, credential.scope.clone()),
        };
        Error::Api(Box::new(ApiError {
            account: self.account.clone(),
            title: self.provider.title.clone(),
            problem,
            token_variable,
            granted,
            known_scopes: self.provider.known_scopes.clone(),
        }))
    }

    /// The user's error where an answer did not arrive whole.
    pub fn failure(&self, failure: Failure) -> Error {
        match failure {
            Failure::Http(error) => self.unreachable(error),
            Failure::Stdout(error) => stdout_failed(error),
            Failure::TooLarge { cap } => self.problem(ApiProblem::TooLarge { cap }),
        }
    }

    /// The user's error where no answer came.
    pub fn unreachable(&self, error: HttpError) -> Error {
        Error::Flow {
            account: self.account.clone(),
            source: FlowError::Http(error),
        }
    }
}
