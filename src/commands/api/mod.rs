//! `api`: an authorised request to a provider, and an answer that is understood.

mod pages;
mod params;
mod request;

use std::time::{Duration, Instant};

use super::{Outcome, stdout_failed, tell};
use crate::account::call::{Call, Renewed};
use crate::account::fresh::{self, Demand};
use crate::api::receive::{self, Received};
use crate::cli::Api;
use crate::clock::describe_span;
use crate::context::Context;
use crate::error::api::ApiProblem;
use crate::error::{Error, Exit};
use crate::http::HttpError;
use crate::http::api::ApiRequest;

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
    let call = Call::new(account, provider, token)?;
    let mut session = Session {
        may_renew: call.is_renewable(),
        call,
        not_renewed: None,
        begun: Instant::now(),
        context,
        args,
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

/// One call of the command: whose credential it is, and what was typed.
struct Session<'a> {
    context: &'a Context,
    args: &'a Api,
    call: Call,
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
        let call = &self.call;
        if self.args.raw {
            if !received.streamed {
                receive::write_raw(&|bytes| ui.bytes(bytes), self.args.include, &received)
                    .map_err(stdout_failed)?;
            }
            // Of a long body only the beginning is at hand; then the status alone decides.
            return match self.args.no_fail {
                true => Ok(()),
                false if received.whole => call.data_of(&request.method, &received).map(drop),
                false => call.status_of(&received),
            };
        }
        let data = call.data_of(&request.method, &received);
        if self.args.include {
            // Of an error, stdout stays empty.
            let head = receive::shown_head(&received.head);
            match data {
                Ok(_) => ui.data(&head).map_err(stdout_failed)?,
                // A server that repeats the credential is not quoted on that.
                Err(_) => head.lines().for_each(|line| {
                    ui.talk(&format!("{}\n", call.proof.unsaid(line)));
                }),
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
        // What is on stdout already is not followed by a second answer.
        let can_repeat = self.may_renew && !received.streamed;
        if !(can_repeat && self.call.is_rejected(&received)) {
            return Ok(received);
        }
        self.may_renew = false;
        match self.call.renewed(&self.context.accounts()) {
            Renewed::Again(call) => {
                self.context
                    .ui
                    .detail(1, "the API refused the token; trying again with a new one");
                self.call = *call;
                self.exchange(request)
            }
            Renewed::Not => Ok(received),
            Renewed::Failed(Error::Interrupted) => Err(Error::Interrupted),
            Renewed::Failed(error)
                if !self.args.no_fail && error.report().exit != Exit::LoginNeeded =>
            {
                self.not_renewed = Some(error);
                Ok(received)
            }
            Renewed::Failed(error) => {
                let why = error.report().message;
                self.context.ui.warn(&format!(
                    "the API refused the token, and it was not refreshed: {why}"
                ));
                Ok(received)
            }
        }
    }

    fn exchange(&self, request: &ApiRequest) -> Result<Received, Error> {
        let ui = &self.context.ui;
        let title = &self.call.provider.title;
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
            hold_back_401: self.may_renew,
            include: self.args.include,
        };
        let (http, call) = (self.context.http(), &self.call);
        let sink = |bytes: &[u8]| ui.bytes(bytes);
        let exchange = call.exchange(http, request, until, &waiting, (&sink, &how));
        let bounded = async {
            match whole {
                Some(until) => tokio::time::timeout_at(until.into(), exchange)
                    .await
                    .map_err(|_| call.unreachable(HttpError::timed_out(&request.url)))?,
                None => exchange.await,
            }
        };
        self.context.block_on(bounded)?
    }
}
