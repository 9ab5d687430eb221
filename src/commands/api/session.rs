//! The requests of one `api` command: asked, perhaps once more with a renewed token, and written to stdout.

use std::time::{Duration, Instant};

use crate::account::call::Call;
use crate::api::receive::{self, Received};
use crate::cli::Api;
use crate::clock::describe_span;
use crate::context::Context;
use crate::error::{Error, Exit};
use crate::http::HttpError;
use crate::http::api::ApiRequest;
use crate::ui::StdoutFailed;

/// How long an answer may take to begin where no `--timeout` is given; reports are computed while one waits.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// One call of the command: whose credential it is, and what was typed.
pub struct Session<'a> {
    pub context: &'a Context,
    args: &'a Api,
    pub call: Call,
    /// A token is renewed once at most.
    may_renew: bool,
    /// Without `--no-fail`: what kept a token that was refused from being renewed, where that is not the need of a login.
    pub not_renewed: Option<Error>,
    begun: Instant,
}

impl<'a> Session<'a> {
    pub fn new(context: &'a Context, args: &'a Api, call: Call) -> Self {
        Self {
            may_renew: call.is_renewable(),
            call,
            not_renewed: None,
            begun: Instant::now(),
            context,
            args,
        }
    }

    /// One request, its answer on stdout.
    pub fn fetch(&mut self, request: &ApiRequest) -> Result<(), Error> {
        let received = self.ask(request)?;
        let ui = &self.context.ui;
        let call = &self.call;
        if self.args.raw {
            if !received.streamed {
                let sink = |bytes: &[u8]| ui.bytes(bytes).map_err(|StdoutFailed(error)| error);
                receive::write_raw(&sink, self.args.include, &received).map_err(StdoutFailed)?;
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
                Ok(_) => ui.data(&head)?,
                // A server that repeats the credential is not quoted on that.
                Err(_) => head.lines().for_each(|line| {
                    ui.talk(&format!("{}\n", call.proof.unsaid(line)));
                }),
            }
        }
        let data = data?;
        let open = ui.bytes(data.bytes)?;
        // JSON becomes a line; everything else comes to the byte.
        if open && data.is_json {
            ui.data("\n")?;
        }
        Ok(())
    }

    /// Sends a request; after a 401 once more, with a renewed token. A 401 says that the server did not act, so any request
    /// may be sent again.
    pub fn ask(&mut self, request: &ApiRequest) -> Result<Received, Error> {
        let received = self.exchange(request)?;
        // What is on stdout already is not followed by a second answer.
        let can_repeat = self.may_renew && !received.streamed;
        if !(can_repeat && self.call.is_rejected(&received)) {
            return Ok(received);
        }
        self.may_renew = false;
        match self.call.renewed(&self.context.accounts()) {
            Ok(call) => {
                self.context
                    .ui
                    .detail(1, "the API refused the token; trying again with a new one");
                self.call = call;
                self.exchange(request)
            }
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) if !self.args.no_fail && error.report().exit != Exit::LoginNeeded => {
                self.not_renewed = Some(error);
                Ok(received)
            }
            Err(error) => {
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
        let how = receive::Output {
            // The body of a 401 is kept back for as long as the token may be renewed.
            stream: self.args.raw,
            hold_back_401: self.may_renew,
            include: self.args.include,
        };
        let (http, call) = (self.context.http(), &self.call);
        let sink = |bytes: &[u8]| ui.bytes(bytes).map_err(|StdoutFailed(error)| error);
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
