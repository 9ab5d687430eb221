//! `status --check`: does each token work? The providers are asked by a call that costs nothing.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::account::call::{Call, Checked};
use crate::account::fresh::{self, Demand, Token};
use crate::account::view::{AccountView, State, put_time};
use crate::api::check::{self, Quota};
use crate::api::shape::Kind;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::api::ApiProblem;
use crate::error::{Error, Exit, KeyError, login_command_for};
use crate::http::HttpError;
use crate::http::api::ApiRequest;
use crate::store::StoreKind;
use crate::ui::wrap::hang;
use crate::ui::{BAD, DIM, GOOD, Ui};

/// All answers together; a healthy API needs well under a second, and a person waits.
const DEADLINE: Duration = Duration::from_secs(10);
/// Ten at once is what the strictest of the providers allows an account; eight leaves room for what else is running.
const AT_ONCE: usize = 8;

/// What asking has shown of one account.
#[derive(Clone, Debug)]
pub struct Check {
    /// The short of it.
    pub result: CheckResult,
    /// Why, where it doesn't just work.
    pub reason: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// What the provider tells of what is left.
    pub quota: Quota,
    /// The credential was refused, which another token may cure.
    is_rejected: bool,
}

/// Whether a token works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// The API took it.
    Works,
    /// It didn't, and only a login helps.
    LoginNeeded,
    /// It took the token and refuses the call, so that nothing is known of the account.
    Refused,
    /// No answer, or none of the API's.
    Unreachable,
    /// Its store is unavailable.
    StoreUnavailable,
    /// There was nothing to ask, or nobody.
    NotAsked,
}

impl CheckResult {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::LoginNeeded => "login_needed",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::StoreUnavailable => "store_unavailable",
            Self::NotAsked => "not_asked",
        }
    }

    /// The word for people, in its colour.
    pub fn shown(self) -> String {
        let style = match self {
            Self::Works => GOOD,
            Self::NotAsked => DIM,
            _ => BAD,
        };
        format!("{style}{}{style:#}", self.as_str().replace('_', " "))
    }

    /// The exit code that it asks for.
    pub fn exit(self) -> Option<Exit> {
        match self {
            Self::Works | Self::NotAsked => None,
            Self::LoginNeeded => Some(Exit::LoginNeeded),
            // No login mends a plan that does not reach this, or a wrong check_path.
            Self::Refused | Self::Unreachable => Some(Exit::Unreachable),
            Self::StoreUnavailable => Some(Exit::Store),
        }
    }
}

impl Check {
    fn works(quota: Quota) -> Self {
        Self {
            result: CheckResult::Works,
            reason: None,
            hint: None,
            quota,
            is_rejected: false,
        }
    }

    fn because(result: CheckResult, reason: impl Into<String>) -> Self {
        Self {
            result,
            reason: Some(reason.into()),
            ..Self::works(Quota::default())
        }
    }

    fn too_late() -> Self {
        let reason = "it was not checked in time, because the others took too long";
        Self::because(CheckResult::Unreachable, reason)
    }

    fn of(error: &Error) -> Self {
        let report = error.report();
        let problem = match error {
            Error::Api(error) => Some(&error.problem),
            _ => None,
        };
        let refused = match problem {
            Some(ApiProblem::Refused(refusal)) => Some(refusal.kind),
            _ => None,
        };
        let result = match report.exit {
            _ if matches!(error, Error::Key(KeyError::OtherWorld { .. })) => CheckResult::NotAsked,
            // Only a login with a wider scope helps.
            _ if refused == Some(Kind::ScopeMissing) => CheckResult::LoginNeeded,
            Exit::LoginNeeded => CheckResult::LoginNeeded,
            Exit::Unreachable | Exit::Protocol => CheckResult::Unreachable,
            Exit::Store => CheckResult::StoreUnavailable,
            _ => CheckResult::Refused,
        };
        // What is advised to callers of `api` helps nobody here: the address of the check is what may be wrong.
        let is_strange = match refused {
            Some(kind) => kind == Kind::Other,
            None => problem.is_some(),
        };
        let hint = match is_strange {
            true => Some("check api_base and the check of this provider in config.toml".to_owned()),
            false => report.hint,
        };
        Self {
            hint,
            ..Self::because(result, report.message)
        }
    }

    /// The `check` object of an account.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "result": self.result.as_str(),
            "reason": self.reason,
            "hint": self.hint,
        });
        let quota = &self.quota;
        object["remaining"] = json!(quota.remaining);
        object["limit"] = json!(quota.limit);
        object["used"] = json!(quota.used);
        object["unit"] = json!(quota.unit);
        put_time(&mut object, "resets_at", quota.resets_at);
        put_time(&mut object, "expires_at", quota.expires_at);
        // The names of before, which scripts may know.
        if quota.limit.is_some() && quota.used.is_some() {
            object["units_limit"] = json!(quota.limit);
            object["units_used"] = json!(quota.used);
            object["units_left"] = json!(quota.remaining);
            put_time(&mut object, "units_renewed_at", quota.resets_at);
        }
        object
    }
}

/// Asks for all accounts at once. Tokens that are due are refreshed first, as by any use, and one that is refused is renewed
/// and asked for once more: that is never cut short, since a refresh token that was rotated and not stored would be a lost
/// login, but none is begun when the deadline has passed. The asking itself has a deadline, too.
///
/// # Errors
/// No runtime can be had, or Ctrl-C.
pub fn all(context: &Context, views: &mut [AccountView]) -> Result<Vec<Check>, Error> {
    let mut checks = vec![Check::too_late(); views.len()];
    let prepared = at_once(views, |view| Question::of(context, view));
    let mut questions = Vec::new();
    for (index, prepared) in prepared {
        match prepared {
            Ok(Ok(question)) => questions.push((index, question)),
            Ok(Err(reason)) => checks[index] = Check::because(CheckResult::NotAsked, reason),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => checks[index] = Check::of(&error),
        }
    }
    ask_all(context, &questions, views, &mut checks)?;
    questions
        .retain(|(index, question)| checks[*index].is_rejected && question.call.is_renewable());
    let renewed = at_once(&questions, |(_, question)| {
        question.call.renewed(&context.accounts())
    });
    let mut again = Vec::new();
    for (place, renewed) in renewed {
        let (index, question) = &questions[place];
        match renewed {
            Ok(call) => {
                let request = question.request.clone();
                again.push((*index, Question { call, request }));
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            // That it was refused says enough.
            Err(error) if error.report().exit == Exit::LoginNeeded => {}
            Err(error) => checks[*index] = Check::of(&error),
        }
    }
    ask_all(context, &again, views, &mut checks)?;
    Ok(checks)
}

/// What `work` makes of each of them, with its place, on several threads: one that takes long keeps no other waiting. What
/// was not begun before the deadline is left out.
fn at_once<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<(usize, R)> {
    let until = Instant::now() + DEADLINE;
    let next = AtomicUsize::new(0);
    let work_off = || {
        let places = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        let taken = places.map_while(|place| Some((place, items.get(place)?)));
        let in_time = taken.take_while(|_| Instant::now() < until);
        let done = in_time.map(|(place, item)| (place, work(item)));
        done.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        // This thread is one of them, and does all where the system gives no other.
        let helpers: Vec<_> = (1..AT_ONCE.min(items.len()))
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work_off).ok())
            .collect();
        let mut done = work_off();
        for helper in helpers {
            done.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}

/// Asks, and notes the answers. A token may have just been refreshed: the views show what is stored now.
fn ask_all(
    context: &Context,
    questions: &[(usize, Question)],
    views: &mut [AccountView],
    checks: &mut [Check],
) -> Result<(), Error> {
    let until = Instant::now() + DEADLINE;
    let asked = questions
        .iter()
        .map(|(_, question)| question.ask(context, until));
    let asked = stream::iter(asked).buffered(AT_ONCE).collect::<Vec<_>>();
    let answers = context.block_on_unless_interrupted(asked)?;
    for ((index, question), answer) in questions.iter().zip(answers) {
        question.tell(&mut views[*index], &answer);
        checks[*index] = answer;
    }
    Ok(())
}

const NO_CHECK: &str = "seo-auth knows no free request that checks it";

/// A call that proves one account's credential.
struct Question {
    call: Call,
    request: ApiRequest,
}

impl Question {
    /// The inner error is why there is nothing to ask, or nobody.
    fn of(context: &Context, view: &AccountView) -> Result<Result<Self, String>, Error> {
        let account = &view.account;
        let Some(provider) = context.accounts().known_provider(account) else {
            return Ok(Err("no such provider is configured".to_owned()));
        };
        let no_check = || Ok(Err(NO_CHECK.to_owned()));
        let token = match fresh::token(&context.accounts(), account, &Demand::default()) {
            Ok(token) => token,
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            // Whether or not there is a call that would show it.
            Err(error) if view.state == State::Expired && !view.renewable => return Err(error),
            Err(error) if provider.usage(provider.kind()).check.is_some() => return Err(error),
            Err(_) => return no_check(),
        };
        let check = provider.usage(token.kind(&provider)).check.as_ref();
        let request = match check::request(&provider.api, check) {
            Ok(Some(request)) => request,
            Ok(None) => return no_check(),
            Err(error) => return Ok(Err(format!("check: {error}"))),
        };
        let call = Call::new(account.clone(), provider, token)?;
        Ok(Ok(Self { call, request }))
    }

    fn tell(&self, view: &mut AccountView, check: &Check) {
        let Call {
            account, provider, ..
        } = &self.call;
        if let Token::Stored(store, credential) = &self.call.token {
            let (account, provider) = (account.clone(), Some(provider));
            let renewed = AccountView::new(account, *store, credential, provider, Timestamp::now());
            // A shared store's token alone does not tell who renews it, and until when.
            let is_part = *store == StoreKind::Vault && credential.refresh.is_none();
            *view = match is_part {
                false => renewed,
                true => AccountView {
                    renewable: view.renewable,
                    act_by: view.act_by,
                    is_reader: view.is_reader,
                    ..renewed
                },
            };
        }
        // A token's own expiry is known already; a key's may be known to the provider alone.
        if let (Some(dies), None) = (check.quota.expires_at, view.expires_at) {
            view.expires_at = Some(dies);
            view.act_by = Some(dies);
        }
    }

    async fn ask(&self, context: &Context, until: Instant) -> Check {
        let Self { call, request } = self;
        let asked = call.check(context.http(), request, until);
        let checked = tokio::time::timeout_at(until.into(), asked).await;
        let late = || Err(call.unreachable(HttpError::timed_out(&request.url)));
        let refused = match checked.unwrap_or_else(|_| late()) {
            Ok(Checked::Works(quota)) => return Check::works(quota),
            Err(error) => return Check::of(&error),
            Ok(Checked::Refused(Some(error))) => Check::of(&error),
            Ok(Checked::Refused(None)) => {
                let reason = format!("{} refused it", call.provider.title);
                let kind = call.token.kind(&call.provider);
                let login = login_command_for(&call.account, kind);
                Check {
                    hint: Some(format!("run `{login}`")),
                    ..Check::because(CheckResult::LoginNeeded, reason)
                }
            }
        };
        Check {
            is_rejected: true,
            ..refused
        }
    }
}

/// The results for people, a line each where there is more to say than the table does.
pub fn lines(ui: &Ui, views: &[AccountView], checks: &[Check]) -> String {
    let columns = ui.columns();
    let mut text = String::new();
    let mut checks = views.iter().zip(checks).peekable();
    while let Some((view, check)) = checks.next() {
        if let Some(reason) = &check.reason {
            let line = format!("{}: {reason}", view.account);
            text.push_str(&format!("{}\n", hang(&line, 0, columns)));
        }
        // Of several with the same advice, it stands below the last one.
        let is_repeated = checks
            .peek()
            .is_some_and(|(_, next)| next.hint == check.hint);
        if let (Some(hint), false) = (&check.hint, is_repeated) {
            text.push_str(&format!("  {}\n", hang(hint, 2, columns)));
        }
    }
    text
}
