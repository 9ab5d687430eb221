//! `status`: what is stored, where, valid until when, and when a human must act next.

mod check;
pub(super) mod quota;

use std::collections::BTreeSet;

use check::Check;
use serde_json::json;
use url::Url;

use super::outcome::Outcome;
use crate::account::view::{AccountView, State};
use crate::address::is_loopback;
use crate::cli::Status;
use crate::clock::{Timestamp, describe_span};
use crate::context::Context;
use crate::credential::{AccountKey, Kind, Name};
use crate::error::{Error, Exit, login_command_for};
use crate::store::Located;
use crate::store::survey::Entry;
use crate::ui::table::{NOTHING, Table};
use crate::ui::wrap::hang;
use crate::ui::{BAD, DIM, GOOD, WARNING};

/// Shows every account, or those of one provider, on the profile that was named or on all.
///
/// # Errors
/// The provider is unknown, or it can't be told what is stored.
#[inline(never)] // see `commands::run`
pub fn run(context: &Context, args: &Status) -> Outcome {
    let only = args
        .provider
        .as_deref()
        .map(|name| context.accounts().provider_name(name))
        .transpose()?;
    let profile = context.accounts().profile;
    let now = Timestamp::now();
    // `--check` takes a token of the environment as it stands, and no store is touched for its provider.
    let in_environment = |name: &Name| args.check && context.has_env_token(name);
    let (entries, healed) = match &only {
        Some(name) if in_environment(name) => Default::default(),
        _ => {
            let wanted = |account: &AccountKey| !in_environment(&account.provider);
            match (context.stores.survey(wanted), &only) {
                // Who may read the token alone may list nothing.
                (Err(error), Some(name)) => (named_alone(context, name).ok_or(error)?, Vec::new()),
                (surveyed, _) => surveyed?,
            }
        }
    };
    for line in healed {
        context.ui.warn(&line);
    }
    let mut told = BTreeSet::new();
    let mut views: Vec<AccountView> = entries
        .into_iter()
        .map(|entry| view(context, entry, now, &mut told))
        .collect();
    views.retain(|AccountView { account, .. }| {
        only.as_ref().is_none_or(|only| *only == account.provider)
            && profile.as_ref().is_none_or(|name| *name == account.profile)
    });
    views.extend(in_force(context, only.as_ref()));
    // Programs find the order of before.
    if !context.ui.json {
        let others;
        (views, others) = views.into_iter().partition(needs_a_person);
        views.extend(others);
    }
    let checks = match args.check {
        true => check::all(context, &mut views)?,
        false => Vec::new(),
    };
    if views.is_empty() && !context.ui.json {
        context
            .ui
            .say(&none_stored(only.as_ref(), profile.as_ref()));
    } else {
        show(context, &views, &checks, now)?;
        remind(context, &views, args, now);
    }
    // Whoever watches over a login wants to be told that it is gone.
    let watched =
        (only.is_some() || profile.is_some()) && (args.check || args.warn_before.is_some());
    if views.is_empty() && watched {
        return Ok(Some(Exit::LoginNeeded));
    }
    Ok(exit(&views, &checks, args, now))
}

/// The account of a provider by its name, where nobody can tell which accounts there are.
fn named_alone(context: &Context, provider: &Name) -> Option<Vec<Entry>> {
    let account = context.accounts().of(provider);
    let found = context.stores.find(&account).ok()??;
    Some(vec![Entry {
        account,
        store: found.store,
        content: Ok(Some(found.stored)),
    }])
}

/// What only a person can mend stands first.
fn needs_a_person(view: &AccountView) -> bool {
    match view.state {
        State::Missing | State::Unreadable => true,
        State::Expired => !view.renewable && !view.is_reader,
        State::Valid | State::Expiring => false,
    }
}

fn none_stored(provider: Option<&Name>, profile: Option<&Name>) -> String {
    let of = provider.map_or_else(String::new, |name| format!(" for {name}"));
    let on = profile.map_or_else(String::new, |name| format!(" on the profile {name}"));
    let start = match provider {
        Some(_) => "",
        None => " Start with `seo-auth login PROVIDER`; `seo-auth providers` lists the providers.",
    };
    format!("No login is stored{of}{on}.{start}")
}

/// `told`: what was said of a store already, for a store that can't be read is so for each of its accounts.
fn view(
    context: &Context,
    entry: Entry,
    now: Timestamp,
    told: &mut BTreeSet<String>,
) -> AccountView {
    let Entry {
        account,
        store,
        content,
    } = entry;
    match content {
        Ok(Some(stored)) => {
            let provider = context.accounts().known_provider(&account);
            let credential = &stored.credential;
            let view = AccountView::new(account, store, credential, provider.as_ref(), now);
            AccountView {
                is_reader: !stored.is_whole,
                act_by: view.act_by.filter(|_| stored.is_whole),
                ..view
            }
        }
        // What was healed has been said.
        Ok(None) => AccountView::unknown(account, Some(store), State::Missing),
        Err(error) => {
            let report = Error::from(Located::at(store)(error)).report();
            let hint = report
                .hint
                .map(|hint| format!("\n{DIM}hint:{DIM:#}  {hint}"));
            let text = format!("{}{}", report.message, hint.unwrap_or_default());
            if told.insert(text.clone()) {
                context.ui.warn(&text);
            }
            let mut view = AccountView::unknown(account, Some(store), State::Unreadable);
            view.reason = Some(report.message);
            view
        }
    }
}

/// The accounts whose token comes from the environment.
fn in_force(context: &Context, only: Option<&Name>) -> Vec<AccountView> {
    let names = context.config.providers.names().into_iter();
    let set = names
        .filter(|name| only.is_none_or(|only| only == name))
        .filter(|name| context.has_env_token(name));
    set.map(|name| {
        let variable = crate::provider::variable(&name, "TOKEN");
        context.ui.say(&format!(
            "{variable} is set: `token print`, `exec` and `api` use its token for {name}, and no stored login."
        ));
        let mut view = AccountView::unknown(context.accounts().of(&name), None, State::Valid);
        match context.accounts().known_provider(&view.account) {
            Some(provider) if provider.kind() == Kind::Key => view.kind = Kind::Key,
            _ => view.token_type = Some(crate::http::wire::bearer()),
        }
        view
    })
    .collect()
}

/// The last two only where they were asked for, and the last one only where somebody told something.
const HEADINGS: [&str; 8] = [
    "ACCOUNT",
    "STATE",
    "VALID FOR",
    "RENEWS",
    "SIGN IN BY",
    "STORE",
    "CHECK",
    "QUOTA",
];

fn show(
    context: &Context,
    views: &[AccountView],
    checks: &[Check],
    now: Timestamp,
) -> Result<(), Error> {
    if context.ui.json {
        let mut accounts: Vec<_> = views.iter().map(|view| view.json(json!({}))).collect();
        for (account, check) in accounts.iter_mut().zip(checks) {
            account["check"] = check.json();
        }
        let object = json!({"schema": "seo-auth.status.v1", "accounts": accounts});
        return Ok(context.ui.json_line(&object)?);
    }
    let columns = context.ui.columns();
    let left = left(context, checks);
    // The widest that the screen takes: with the second, with the day, with the quotas in a table of their own.
    let ways = [(true, true), (false, true), (true, false), (false, false)];
    let fitting = ways.into_iter().find_map(|(exact, with_left)| {
        let quotas: &[String] = if with_left { &left } else { &[] };
        let table = table(views, checks, quotas, now, exact);
        table.fits(columns).then_some((table, with_left))
    });
    let (table, with_left) =
        fitting.unwrap_or_else(|| (table(views, checks, &left, now, false), true));
    let below = match with_left {
        true => String::new(),
        false => quotas_of(views, &left).lines(columns),
    };
    let told = not_granted(views, columns) + &check::lines(&context.ui, views, checks);
    let parts = [table.lines(columns), below, told];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(context.ui.page(&parts.join("\n"))?)
}

/// What is left of each quota; empty where nobody tells any.
fn left(context: &Context, checks: &[Check]) -> Vec<String> {
    let with_bar = context.ui.stdout_is_terminal();
    let described = |check: &Check| or_dash(quota::describe(&check.quota, with_bar));
    let told: Vec<String> = checks.iter().map(described).collect();
    match told.iter().all(|told| told == NOTHING) {
        true => Vec::new(),
        false => told,
    }
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

/// How far a time is, behind `ahead` where it is to come.
fn from_now(time: Timestamp, now: Timestamp, ahead: &str) -> String {
    match time.seconds_since(now) {
        left if left > 0 => format!("{ahead}{}", describe_span(left)),
        past => format!("ended {} ago", describe_span(past)),
    }
}

fn quotas_of(views: &[AccountView], left: &[String]) -> Table {
    let mut table = Table::new(&["ACCOUNT", "QUOTA"]);
    let told = views.iter().zip(left).filter(|(_, left)| *left != NOTHING);
    told.for_each(|(view, left)| table.row([view.account.to_string(), left.clone()]));
    table
}

/// A line for each account that was granted less than its login asked for.
fn not_granted(views: &[AccountView], columns: Option<usize>) -> String {
    let narrow = views.iter().filter(|view| !view.missing_scope.is_empty());
    let lines = narrow.map(|view| {
        let missing = view.missing_scope.join(", ");
        let line = format!("{}: requested, but not granted: {missing}", view.account);
        hang(&line, 0, columns) + "\n"
    });
    lines.collect()
}

/// With the second at which a human must act (`exact`), or with the day.
fn table(
    views: &[AccountView],
    checks: &[Check],
    left: &[String],
    now: Timestamp,
    exact: bool,
) -> Table {
    let unasked = usize::from(checks.is_empty()) + usize::from(left.is_empty());
    let mut table = Table::new(&HEADINGS[..HEADINGS.len() - unasked]);
    let quotas = left;
    let moment = |time: Timestamp| match exact {
        true => time.to_string().replace('T', " "),
        false => time.date(),
    };
    for (index, view) in views.iter().enumerate() {
        let cells = [
            view.account.to_string(),
            shown(view),
            or_dash(view.expires_at.map(|time| from_now(time, now, ""))),
            renews(view).to_owned(),
            or_dash(view.act_by.map(moment)),
            kept_in(view),
        ];
        let checked = checks.get(index).map(|check| check.result.shown());
        let quota = quotas.get(index).cloned();
        table.row(cells.into_iter().chain(checked).chain(quota));
    }
    table.pruned()
}

fn renews(view: &AccountView) -> &'static str {
    match (view.kind, view.renewable) {
        (Kind::Key, _) => NOTHING,
        _ if view.is_reader => "elsewhere",
        (_, true) => "yes",
        (_, false) => "no",
    }
}

/// The store; with a mark where the login is the sandbox's, or of another server on this machine, and the profile does not
/// say so already.
fn kept_in(view: &AccountView) -> String {
    let issuer = view.issuer.as_deref().and_then(|url| Url::parse(url).ok());
    let is_sandbox = issuer.is_some_and(|url| is_loopback(&url));
    let is_said = view.account.profile == Name::sandbox();
    let mark = if is_sandbox && !is_said {
        " (sandbox)"
    } else {
        ""
    };
    format!("{}{mark}", view.store_name())
}

/// The state's word. What the next use renews by itself is no failure.
fn shown(view: &AccountView) -> String {
    let style = match view.state {
        State::Valid => GOOD,
        State::Expired if view.renewable => WARNING,
        State::Expiring => WARNING,
        State::Expired | State::Missing | State::Unreadable => BAD,
    };
    format!("{style}{}{style:#}", view.state.as_str())
}

/// Says which accounts `--warn-before` is about, and what to run.
fn remind(context: &Context, views: &[AccountView], args: &Status, now: Timestamp) {
    for (view, act_by) in views.iter().filter_map(|view| soon(view, args, now)) {
        let when = from_now(act_by, now, "ends in ");
        context.ui.warn(&format!(
            "the login of {} {when}, on {act_by}: run `{}`",
            view.account,
            login_command_for(&view.account, view.kind)
        ));
    }
}

/// An account whose login ends within `--warn-before`, and when that is.
fn soon<'a>(
    view: &'a AccountView,
    args: &Status,
    now: Timestamp,
) -> Option<(&'a AccountView, Timestamp)> {
    let horizon = now.plus(i64::try_from(args.warn_before?.as_secs()).unwrap_or(i64::MAX));
    let act_by = view.act_by.filter(|act_by| *act_by < horizon)?;
    Some((view, act_by))
}

fn exit(views: &[AccountView], checks: &[Check], args: &Status, now: Timestamp) -> Option<Exit> {
    let of_store = |view: &AccountView| (view.state == State::Unreadable).then_some(Exit::Store);
    let soon = |view: &AccountView| soon(view, args, now).map(|_| Exit::LoginNeeded);
    let all: Vec<Exit> = views
        .iter()
        .flat_map(|view| [of_store(view), soon(view)])
        .chain(checks.iter().map(|check| check.result.exit()))
        .flatten()
        .collect();
    // What keeps the truth from being told first, then what only a human mends, then what may pass.
    [Exit::Store, Exit::LoginNeeded, Exit::Unreachable]
        .into_iter()
        .find(|exit| all.contains(exit))
}
