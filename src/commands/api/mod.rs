//! `api`: an authorised request to a provider, and an answer that is understood.

mod asker;
mod pages;
mod params;
mod request;

use std::time::{Duration, Instant};

pub use asker::Asker;

use super::token::check_characters;
use super::{Outcome, stdout_failed, tell};
use crate::account::fresh::{self, Demand, Token};
use crate::address::is_loopback;
use crate::api::receive::{self, Received};
use crate::api::send;
use crate::api::shape::{Meaning, Refusal};
use crate::cli::Api;
use crate::clock::describe_span;
use crate::context::Context;
use crate::credential::AccountKey;
use crate::error::api::ApiProblem;
use crate::error::{Error, Exit};
use crate::http::HttpError;
use crate::http::api::ApiRequest;
use crate::provider::{Endpoint, Provider};

/// How long an answer may take to begin where no `--timeout` is given; reports are computed while one waits.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends what was asked for, and writes what came.
///
/// # Errors
/// The call is wrong, there is no token, no answer came, or the answer is an error and `--no-fail` was not given.
pub fn run(context: &Context, args: &Api) -> Outcome {
    let provider = context.provider(&args.provider)?;
    let request = request::build(&provider, args)?;
    let account = context.accounts().of(&provider.name);
    let token = fresh::token(&context.accounts(), &account, &Demand::default())?;
    check_characters(&account, &token)?;
    stays_in_its_world(context, &account, &token)?;
    let mut session = Session {
        token,
        may_renew: true,
        not_renewed: None,
        begun: Instant::now(),
        context,
        args,
        provider,
        account,
    };
    let outcome = if args.paginate {
        pages::fetch_all(&mut session, request)
    } else {
        session.fetch(&request)
    };
    match (outcome, session.not_renewed) {
        // That the token was refused would say that a login is needed.
        (Err(Error::Api(_)), Some(why)) => Err(why),
        // With `--no-fail` an answer that arrived is a success, and what it says is told all the same.
        (Err(error @ Error::Api(_)), None) if args.no_fail && is_an_answer(&error) => {
            tell(&context.ui, &error.report(), 0);
            Ok(None)
        }
        (other, _) => other.map(|()| None),
    }
}

/// `SEO_AUTH_SANDBOX` sends every request to a port of this machine, behind which anybody may listen: no token that a real
/// provider issued goes there.
fn stays_in_its_world(context: &Context, account: &AccountKey, token: &Token) -> Result<(), Error> {
    let (Some(sandbox), Token::Stored(_, credential)) = (context.sandbox(), token) else {
        return Ok(());
    };
    let issuer = Endpoint::parse(&credential.token_endpoint);
    if issuer.is_ok_and(|issuer| is_loopback(issuer.url())) {
        return Ok(());
    }
    Err(Error::usage(
        format!(
            "the login of {account} is a real one, and SEO_AUTH_SANDBOX points to {}",
            sandbox.origin()
        ),
        "unset SEO_AUTH_SANDBOX, or leave out --profile to use the sandbox's own login",
    ))
}

/// Whether this is what the API answered, and not what could not be done with an answer.
fn is_an_answer(error: &Error) -> bool {
    matches!(error, Error::Api(error) if matches!(
        error.problem,
        ApiProblem::Refused(_)
            | ApiProblem::Foreign { .. }
            | ApiProblem::Elsewhere { .. }
            | ApiProblem::EndlessRedirects { .. }
    ))
}

/// One call of the command: the account's token, and what was typed.
struct Session<'a> {
    context: &'a Context,
    args: &'a Api,
    provider: Provider,
    account: AccountKey,
    token: Token,
    /// A token is renewed once at most.
    may_renew: bool,
    /// Without `--no-fail`: what kept a token that was refused from being renewed, where that is not the need of a login.
    not_renewed: Option<Error>,
    begun: Instant,
}

impl Session<'_> {
    /// One request, its answer on stdout.
    fn fetch(&mut self, request: &ApiRequest) -> Result<(), Error> {
        let received = self.ask(request)?;
        let ui = &self.context.ui;
        let asker = self.asker();
        if self.args.raw {
            if !received.streamed {
                receive::write_raw(&|bytes| ui.bytes(bytes), self.args.include, &received)
                    .map_err(stdout_failed)?;
            }
            // Of a long body only the beginning is at hand; then the status alone decides.
            return match self.args.no_fail {
                true => Ok(()),
                false if received.whole => asker.data_of(&request.method, &received).map(drop),
                false => asker.status_of(&received),
            };
        }
        let data = asker.data_of(&request.method, &received);
        if self.args.include {
            // Of an error, stdout stays empty.
            let head = receive::shown_head(&received.head);
            match data {
                Ok(_) => ui.data(&head).map_err(stdout_failed)?,
                // A server that repeats the token is not quoted on that.
                Err(_) => {
                    ui.talk(&head.replace(self.token.access_token().expose(), "[access_token]"))
                }
            }
        }
        let data = data?;
        let open = ui.bytes(data.bytes).map_err(stdout_failed)?;
        // JSON becomes a line; everything else comes to the byte.
        if open && data.is_json {
            ui.data("\n").map_err(stdout_failed)?;
        }
        Ok(())
    }

    /// Sends a request; after a 401 once more, with a renewed token. A 401 says that the server did not act, so any request
    /// may be sent again.
    fn ask(&mut self, request: &ApiRequest) -> Result<Received, Error> {
        let received = self.exchange(request)?;
        let is_stored = matches!(self.token, Token::Stored(..));
        // What is on stdout already is not followed by a second answer.
        let can_repeat = is_stored && self.may_renew && !received.streamed;
        if !(can_repeat && self.is_rejected(&received)) {
            return Ok(received);
        }
        self.may_renew = false;
        let rejected = self.token.access_token();
        match fresh::token_after_rejection(&self.context.accounts(), &self.account, rejected) {
            Ok(token) if token.access_token() != rejected => {
                self.context
                    .ui
                    .detail(1, "the token was refused; trying again with a renewed one");
                self.token = token;
                self.exchange(request)
            }
            Ok(_) => Ok(received),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) if !self.args.no_fail && error.report().exit != Exit::LoginNeeded => {
                self.not_renewed = Some(error);
                Ok(received)
            }
            Err(error) => {
                let why = error.report().message;
                self.context
                    .ui
                    .warn(&format!("the token was refused, and not renewed: {why}"));
                Ok(received)
            }
        }
    }

    fn exchange(&self, request: &ApiRequest) -> Result<Received, Error> {
        let ui = &self.context.ui;
        let title = &self.provider.title;
        let waiting = |status: u16, wait: Duration| {
            let span = describe_span(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
            ui.say(&format!(
                "{title} answered {status} and asks to wait; trying again in {span}"
            ));
        };
        // With the flag, all that the command does has this long; without it, each answer has this long to begin.
        let whole = self.args.timeout.map(|timeout| self.begun + timeout);
        let until = whole.unwrap_or_else(|| Instant::now() + DEFAULT_TIMEOUT);
        let how = receive::How {
            // The body of a 401 is kept back for as long as the token may be renewed.
            stream: self.args.raw,
            hold_back_401: self.may_renew && matches!(self.token, Token::Stored(..)),
            include: self.args.include,
        };
        let http = self.context.http();
        let asker = self.asker();
        let token = self.token.access_token();
        let exchange = async {
            let answer = send::send(http, request, token, until, &waiting)
                .await
                .map_err(|error| asker.unreachable(error))?;
            receive::receive(&|bytes| ui.bytes(bytes), answer, &how)
                .await
                .map_err(|failure| asker.failure(failure))
        };
        let bounded = async {
            match whole {
                Some(until) => tokio::time::timeout_at(until.into(), exchange)
                    .await
                    .map_err(|_| asker.unreachable(HttpError::timed_out(&request.url)))?,
                None => exchange.await,
            }
        };
        self.context.block_on(bounded)?
    }

    fn is_rejected(&self, received: &Received) -> bool {
        received.status == 401
            || matches!(
                self.asker().meaning(received),
                Meaning::Refused(Refusal { status: 401, .. })
            )
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            provider: &self.provider,
            account: &self.account,
            token: &self.token,
        }
    }
}
