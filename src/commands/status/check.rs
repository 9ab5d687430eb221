//! `status --check`: does each token work? The providers are asked by a call that costs nothing.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::super::account::{AccountView, put_time};
use super::super::api::{self, receive};
use super::super::fresh::{self, Demand, Token};
use super::super::token::check_characters;
use super::units::describe;
use crate::address::is_loopback;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::credential::AccountKey;
use crate::error::{Error, Exit};
use crate::flow::bearer;
use crate::http::HttpError;
use crate::http::api::ApiRequest;
use crate::provider::ahrefs::Units;
use crate::provider::{Envelope, Provider, target};
use crate::store::StoreKind;
use crate::ui::wrap::hang;
use crate::ui::{BAD, DIM, GOOD, Ui};

/// All answers together; a healthy API needs well under a second, and a person waits.
const DEADLINE: Duration = Duration::from_secs(10);
/// Of Semrush's accounts ten may be asked at once (documentation); eight leaves room for what else is running.
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
    /// The API answered 401, which a renewed token may cure.
    token_rejected: bool,
}

/// Whether a token works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// The API took it.
    Works,
    /// It didn't, and only a login helps.
    LoginNeeded,
    /// It took the token and refuses the call.
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
            Self::LoginNeeded | Self::Refused => Some(Exit::LoginNeeded),
            Self::Unreachable => Some(Exit::Unreachable),
            Self::StoreUnavailable => Some(Exit::Store),
        }
    }
}

impl Check {
    fn not_asked(reason: impl Into<String>) -> Self {
        Self {
            result: CheckResult::NotAsked,
            reason: Some(reason.into()),
            hint: None,
            units: None,
            token_rejected: false,
        }
    }

    fn of(outcome: Result<Option<Units>, Error>) -> Self {
        let error = match outcome {
            Ok(units) => {
                return Self {
                    result: CheckResult::Works,
                    reason: None,
                    hint: None,
                    units,
                    token_rejected: false,
                };
            }
            Err(error) => error.report(),
        };
        let result = match error.exit {
            Exit::LoginNeeded => CheckResult::LoginNeeded,
            _ if error.code == "api_scope_missing" => CheckResult::LoginNeeded,
            Exit::Unreachable | Exit::Protocol => CheckResult::Unreachable,
            Exit::Store => CheckResult::StoreUnavailable,
            _ => CheckResult::Refused,
        };
        Self {
            result,
            reason: Some(error.message),
            hint: error.hint,
            units: None,
            token_rejected: error.code == "api_unauthorized",
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
/// login. The deadline is that of the asking.
///
/// # Errors
/// No runtime can be had.
pub fn all(context: &Context, views: &mut [AccountView]) -> Result<Vec<Check>, Error> {
    let mut questions: Vec<Question> = Vec::new();
    let mut checks: Vec<Option<Check>> = Vec::new();
    for (index, view) in views.iter_mut().enumerate() {
        let question = Question::of(context, index, view);
        checks.push(question.as_ref().err().cloned());
        questions.extend(question);
    }
    let first = ask_all(context, &questions)?;
    let refused = questions.into_iter().zip(&first);
    let renewed: Vec<Question> = refused
        .filter(|(_, (_, check))| check.token_rejected)
        .filter_map(|(question, _)| question.renewed(context, views))
        .collect();
    let second = ask_all(context, &renewed)?;
    for (index, check) in first.into_iter().chain(second) {
        checks[index] = Some(check);
    }
    Ok(checks.into_iter().flatten().collect())
}

/// The answers, with the index of each account.
fn ask_all(context: &Context, questions: &[Question]) -> Result<Vec<(usize, Check)>, Error> {
    let until = Instant::now() + DEADLINE;
    let asked = questions.iter().map(|question| async move {
        let outcome = question.ask(context, until).await;
        (question.index, Check::of(outcome))
    });
    context.block_on(stream::iter(asked).buffered(AT_ONCE).collect())
}

/// A call that proves one account's token.
struct Question {
    /// Of the account, among all.
    index: usize,
    account: AccountKey,
    provider: Provider,
    token: Token,
    request: ApiRequest,
}

impl Question {
    fn of(context: &Context, index: usize, view: &mut AccountView) -> Result<Self, Check> {
        let account = &view.account;
        let provider = context
            .known_provider(account)
            .ok_or_else(|| Check::not_asked("no such provider is configured"))?;
        let variable = provider.variable("TOKEN");
        if view.store != StoreKind::Env && context.env_token(&account.provider).is_some() {
            return Err(Check::not_asked(format!("{variable} is in force")));
        }
        let request = request(&provider)?;
        if let Some(issuer) = elsewhere(view, &request) {
            return Err(Check::not_asked(format!(
                "its login was made at {issuer}, and {} is the address of another world",
                request.url.origin().ascii_serialization()
            )));
        }
        let token = fresh::token(context, account, &Demand::default())
            .and_then(|token| check_characters(account, &token).map(|()| token))
            .map_err(|error| Check::of(Err(error)))?;
        let question = Self {
            index,
            account: account.clone(),
            provider,
            token,
            request,
        };
        question.tell(view);
        Ok(question)
    }

    /// The token may have just been refreshed: `view` shows what is stored now.
    fn tell(&self, view: &mut AccountView) {
        if let Token::Stored(store, credential) = &self.token {
            let (account, provider) = (self.account.clone(), Some(&self.provider));
            *view = AccountView::new(account, *store, credential, provider, Timestamp::now());
        }
    }

    /// The same with a renewed token; `None` where it can't be renewed.
    fn renewed(mut self, context: &Context, views: &mut [AccountView]) -> Option<Self> {
        let rejected = self.token.access_token();
        self.token = fresh::token_after_rejection(context, &self.account, rejected).ok()?;
        self.tell(&mut views[self.index]);
        Some(self)
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
        let answer = bearer::send(context.http(), &self.request, token, until, &|_, _| {}).await;
        let answer = answer.map_err(|error| asker.unreachable(error))?;
        let held = receive::How::held();
        let received = receive::receive(&context.ui, answer, &held).await;
        let received = received.map_err(|failure| asker.failure(failure))?;
        let data = asker.data_of(&self.request.method, &received)?;
        let text = std::str::from_utf8(data).unwrap_or_default();
        Ok(match self.provider.quirks.envelope {
            Envelope::Ahrefs => Units::read(text),
            Envelope::Semrush | Envelope::Plain => None,
        })
    }

    fn asker(&self) -> api::Asker<'_> {
        api::Asker {
            provider: &self.provider,
            account: &self.account,
            token: &self.token,
        }
    }
}

fn request(provider: &Provider) -> Result<ApiRequest, Check> {
    let missing = || Check::not_asked("no api_base and check_path are configured");
    let base = provider.api_base.as_ref().ok_or_else(missing)?;
    let path = provider.check_path.as_deref().ok_or_else(missing)?;
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
