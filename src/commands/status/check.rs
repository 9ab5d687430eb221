//! `status --check`: does each token work? The providers are asked by a call that costs nothing.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::super::api::Asker;
use super::super::token::check_characters;
use super::units::describe;
use crate::account::fresh::{self, Demand, Token};
use crate::account::view::{AccountView, State, put_time};
use crate::address::is_loopback;
use crate::api::check::Units;
use crate::api::shape::quota;
use crate::api::{receive, send, target};
use crate::clock::Timestamp;
use crate::context::Context;
use crate::credential::AccountKey;
use crate::error::{Error, Exit};
use crate::http::HttpError;
use crate::http::api::ApiRequest;
use crate::process;
use crate::provider::Provider;
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
    /// The API units, where the provider tells them.
    pub units: Option<Units>,
    /// The error's code, where there was one.
    code: Option<&'static str>,
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
    fn works(units: Option<Units>) -> Self {
        Self {
            result: CheckResult::Works,
            reason: None,
            hint: None,
            units,
            code: None,
        }
    }

    fn because(result: CheckResult, reason: impl Into<String>) -> Self {
        Self {
            result,
            reason: Some(reason.into()),
            ..Self::works(None)
        }
    }

    fn not_asked(reason: impl Into<String>) -> Self {
        Self::because(CheckResult::NotAsked, reason)
    }

    fn too_late() -> Self {
        let reason = "others took so long that it was not asked in time";
        Self::because(CheckResult::Unreachable, reason)
    }

    fn of(error: &Error) -> Self {
        let error = error.report();
        let result = match error.exit {
            Exit::LoginNeeded => CheckResult::LoginNeeded,
            _ if error.code == "api_scope_missing" => CheckResult::LoginNeeded,
            Exit::Unreachable | Exit::Protocol => CheckResult::Unreachable,
            Exit::Store => CheckResult::StoreUnavailable,
            _ => CheckResult::Refused,
        };
        // Of `api` alone. Here the address of the check is what may be wrong.
        let of_api = |hint: &str| hint.contains("--raw") || hint.contains("PATH");
        let hint = error.hint.map(|hint| match of_api(&hint) {
            true => "check api_base and check_path of this provider in config.toml".to_owned(),
            false => hint,
        });
        Self {
            hint,
            code: Some(error.code),
            ..Self::because(result, error.message)
        }
    }

    /// The `check` object of an account.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "result": self.result.as_str(),
            "reason": self.reason,
            "hint": self.hint,
        });
        if let Some(units) = &self.units {
            object["units_limit"] = json!(units.limit);
            object["units_used"] = json!(units.used);
            object["units_left"] = json!(units.left());
            put_time(&mut object, "units_renewed_at", units.renewed_at);
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
            Ok(question) => questions.push((index, question)),
            Err(check) => checks[index] = check,
        }
    }
    ask_all(context, &questions, views, &mut checks)?;
    questions.retain(|(index, _)| checks[*index].code == Some(REJECTED));
    let renewed = at_once(&questions, |(_, question)| question.renewed(context));
    let mut again = Vec::new();
    for (place, renewed) in renewed {
        let index = questions[place].0;
        match renewed {
            Ok(question) => again.push((index, question)),
            // That it was refused says enough.
            Err(check) if check.result == CheckResult::LoginNeeded => {}
            Err(check) => checks[index] = check,
        }
    }
    ask_all(context, &again, views, &mut checks)?;
    Ok(checks)
}

/// What the API's answer of 401 is called, which a renewed token may cure.
const REJECTED: &str = "api_unauthorized";

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
    if checks.iter().any(|check| check.code == Some(INTERRUPTED)) {
        return Err(Error::Interrupted);
    }
    let until = Instant::now() + DEADLINE;
    let asked = questions
        .iter()
        .map(|(_, question)| question.ask(context, until));
    let asked = stream::iter(asked).buffered(AT_ONCE).collect::<Vec<_>>();
    let answers = context.block_on(async {
        tokio::select! {
            biased;
            () = process::interrupted() => Err(Error::Interrupted),
            answers = asked => Ok(answers),
        }
    })??;
    for ((index, question), answer) in questions.iter().zip(answers) {
        question.tell(&mut views[*index]);
        checks[*index] = answer.map_or_else(|error| Check::of(&error), Check::works);
    }
    Ok(())
}

/// What Ctrl-C during a refresh is called.
const INTERRUPTED: &str = "interrupted";

/// A call that proves one account's token.
struct Question {
    account: AccountKey,
    provider: Provider,
    token: Token,
    request: ApiRequest,
}

impl Question {
    fn of(context: &Context, view: &AccountView) -> Result<Self, Check> {
        let account = &view.account;
        let provider = context
            .accounts()
            .known_provider(account)
            .ok_or_else(|| Check::not_asked("no such provider is configured"))?;
        if view.state == State::Expired && !view.renewable {
            // Whether or not there is a call that would show it.
            token_of(context, account)?;
        }
        let request = request(&provider)?;
        if let Some(issuer) = elsewhere(view, &request) {
            return Err(Check::not_asked(format!(
                "its login was made at {issuer}, and {} is the address of another world",
                request.url.origin().ascii_serialization()
            )));
        }
        Ok(Self {
            account: account.clone(),
            provider,
            token: token_of(context, account)?,
            request,
        })
    }

    fn tell(&self, view: &mut AccountView) {
        if let Token::Stored(store, credential) = &self.token {
            let (account, provider) = (self.account.clone(), Some(&self.provider));
            *view = AccountView::new(account, *store, credential, provider, Timestamp::now());
        }
    }

    /// The same with a renewed token.
    fn renewed(&self, context: &Context) -> Result<Self, Check> {
        let rejected = self.token.access_token();
        let token = fresh::token_after_rejection(&context.accounts(), &self.account, rejected);
        Ok(Self {
            account: self.account.clone(),
            provider: self.provider.clone(),
            token: token.map_err(|error| Check::of(&error))?,
            request: self.request.clone(),
        })
    }

    async fn ask(&self, context: &Context, until: Instant) -> Result<Option<Units>, Error> {
        let late = tokio::time::timeout_at(until.into(), self.exchange(context, until)).await;
        late.unwrap_or_else(|_| {
            Err(self
                .asker()
                .unreachable(HttpError::timed_out(&self.request.url)))
        })
    }

    async fn exchange(&self, context: &Context, until: Instant) -> Result<Option<Units>, Error> {
        let token = self.token.access_token();
        let asker = self.asker();
        let answer = send::send(context.http(), &self.request, token, until, &|_, _| {}).await;
        let answer = answer.map_err(|error| asker.unreachable(error))?;
        let held = receive::How::held();
        let received = receive::receive(&|_| Ok(true), answer, &held).await;
        let received = received.map_err(|failure| asker.failure(failure))?;
        let data = asker.data_of(&self.request.method, &received)?;
        let text = std::str::from_utf8(data.bytes).unwrap_or_default();
        let quota = quota(self.provider.api.shape);
        Ok(quota.and_then(|quota| Units::read(text, quota)))
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            provider: &self.provider,
            account: &self.account,
            token: &self.token,
        }
    }
}

fn token_of(context: &Context, account: &AccountKey) -> Result<Token, Check> {
    fresh::token(&context.accounts(), account, &Demand::default())
        .and_then(|token| check_characters(account, &token).map(|()| token))
        .map_err(|error| Check::of(&error))
}

fn request(provider: &Provider) -> Result<ApiRequest, Check> {
    let missing = || Check::not_asked("no api_base and check_path are configured");
    let base = provider.api.base.as_ref().ok_or_else(missing)?;
    let path = provider.api.check.as_deref().ok_or_else(missing)?;
    let url = target::resolve(base, path)
        .map_err(|error| Check::not_asked(format!("check_path: {error}")))?;
    Ok(ApiRequest {
        method: "GET".to_owned(),
        url,
        headers: Vec::new(),
        body: None,
    })
}

/// Where the login was made, if that was the embedded authorization server and the call would go to the real one, or the
/// other way round: no token changes between the two worlds.
fn elsewhere<'a>(view: &'a AccountView, request: &ApiRequest) -> Option<&'a str> {
    let issuer = view.issuer.as_deref()?;
    let url = url::Url::parse(issuer).ok()?;
    (is_loopback(&url) != is_loopback(&request.url)).then_some(issuer)
}

/// The results for people, a line each where there is more to say than the table does.
pub fn lines(ui: &Ui, views: &[AccountView], checks: &[Check]) -> String {
    let columns = ui.columns();
    let mut text = String::new();
    for (view, check) in views.iter().zip(checks) {
        let units = check.units.as_ref();
        let units = units.map(|units| describe(units, ui.stdout_is_terminal()));
        for said in units.iter().chain(&check.reason) {
            let line = format!("{}: {said}", view.account);
            text.push_str(&format!("{}\n", hang(&line, 0, columns)));
        }
        if let Some(hint) = &check.hint {
            text.push_str(&format!("  {}\n", hang(hint, 2, columns)));
        }
    }
    text
}
