//! `api`: an authorised request to a provider, and an answer that is understood.

mod pages;
mod params;
mod request;
mod session;

use session::Session;

use super::outcome::{Outcome, tell};
use crate::account::call::Call;
use crate::account::fresh::{self, Demand};
use crate::cli::Api;
use crate::context::Context;
use crate::error::Error;
use crate::error::api::ApiProblem;

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
    let mut session = Session::new(context, args, call);
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
