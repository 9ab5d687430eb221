//! The way to the providers: proxies, trusted authorities, each endpoint, and the clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use url::Url;

use super::finding::Finding;
use crate::account::view::SKEW_TO_TELL_SECONDS;
use crate::clock::{Timestamp, describe_span};
use crate::context::Context;
use crate::error::network::report_of;
use crate::error::{Error, Exit, Report};
use crate::http::probe::Seen;
use crate::http::{Http, HttpError, proxy, trust};
use crate::provider::Provider;

/// For one endpoint; all are asked at once.
const DEADLINE: Duration = Duration::from_secs(5);

/// By the names that the network's tools share.
const PROXY_VARIABLES: &[&str] = &[
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Proxies, authorities, then each endpoint, then the clock.
///
/// # Errors
/// There is no runtime.
pub fn checks(context: &Context, providers: &[Provider]) -> Result<Vec<Finding>, Error> {
    let targets = targets(providers);
    let needs_tls = targets
        .values()
        .any(|target| target.url.scheme() == "https");
    let mut findings = proxies(context);
    findings.extend(authorities(context, needs_tls));
    let http = context.http();
    let looks = targets.values().map(|target| look(http, target));
    let seen = context.block_on(join_all(looks))?;
    findings.extend(
        targets
            .values()
            .zip(&seen)
            .map(|(target, looked)| endpoint(target, looked)),
    );
    findings.extend(clock(&targets, &seen));
    Ok(findings)
}

/// One origin, and who needs it.
struct Target {
    url: Url,
    needed_by: Vec<String>,
    /// Needed to sign in, not only by `api`.
    for_login: bool,
}

/// Every origin that the providers have, by its name.
fn targets(providers: &[Provider]) -> BTreeMap<String, Target> {
    let mut targets = BTreeMap::new();
    for provider in providers {
        let logins = provider.logins();
        let of_logins = logins.flat_map(|login| [login.token_endpoint(), login.first_endpoint()]);
        let of_logins = of_logins.flatten().map(|endpoint| (endpoint, true));
        let of_api = provider.api.base.iter().map(|base| (base, false));
        for (endpoint, for_login) in of_logins.chain(of_api) {
            let target = targets.entry(endpoint.origin()).or_insert_with(|| Target {
                url: endpoint.url().clone(),
                needed_by: Vec::new(),
                for_login: false,
            });
            target.for_login |= for_login;
            let name = provider.name.to_string();
            if !target.needed_by.contains(&name) {
                target.needed_by.push(name);
            }
        }
    }
    targets
}

/// What came of a look, how long it took, and when it ended.
struct Looked {
    outcome: Result<Seen, HttpError>,
    took: Duration,
    at: Timestamp,
}

async fn look(http: &Http, target: &Target) -> Looked {
    let begun = Instant::now();
    let outcome = http.look_at(&target.url, DEADLINE).await;
    let (took, at) = (begun.elapsed(), Timestamp::now());
    Looked { outcome, took, at }
}

fn endpoint(target: &Target, looked: &Looked) -> Finding {
    let name = target.needed_by.join(", ");
    let report = match &looked.outcome {
        Ok(seen) => match trouble(target, seen) {
            Some(report) => report,
            None => return Finding::ok(name, answer(target, seen)).in_time(looked.took),
        },
        Err(error) => report_of(error),
    };
    Finding::error(name, report, target.for_login).in_time(looked.took)
}

fn answer(target: &Target, seen: &Seen) -> String {
    let mut text = format!("{} answers", target.url.origin().ascii_serialization());
    if let Some(way) = proxy::way(&target.url) {
        let proxy = way.host;
        text.push_str(&format!(" through the proxy {proxy}"));
    }
    if let Some(issuer) = &seen.issuer {
        text.push_str(&format!(", certificate by {issuer}"));
    }
    if let Some(host) = &seen.elsewhere {
        text.push_str(&format!(", and redirects to {host}"));
    }
    text
}

/// RFC 6585 §6: only the network between answers so.
const SIGN_IN: u16 = 511;

/// An answer that is none of a provider at work.
fn trouble(target: &Target, seen: &Seen) -> Option<Report> {
    let host = target.url.host_str().unwrap_or_default();
    let (message, hint) = match seen.status {
        SIGN_IN => (
            "this network requires a sign-in (511)".to_owned(),
            "open any page in a browser, and sign in to the network there",
        ),
        407 => (
            format!("a proxy before {host} wants a user name and a password (407)"),
            "set the user name and password in the proxy variable: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
        ),
        status @ (408 | 500..) => (
            format!("{host} is failing ({status})"),
            "try again in a few minutes",
        ),
        _ => return None,
    };
    Some(Report {
        code: "provider_failing",
        exit: Exit::Unreachable,
        message,
        hint: Some(hint.to_owned()),
    })
}

fn proxies(context: &Context) -> Vec<Finding> {
    const NAME: &str = "proxy";
    let finding = |name: &&str| match proxy::address(&context.variable(name)?) {
        Ok(address) => {
            let what = format!("{name} is {}", without_password(&address));
            Some(Finding::ok(NAME, what))
        }
        Err(why) => Some(Finding::warning(
            NAME,
            format!("{name} {why}"),
            format!("set {name} to http://HOST:PORT, or unset it"),
        )),
    };
    let mut findings: Vec<Finding> = PROXY_VARIABLES.iter().filter_map(finding).collect();
    if findings.is_empty() {
        findings.push(Finding::ok(NAME, "no proxy variable is set"));
    } else if let Some(except) = context
        .variable("NO_PROXY")
        .or_else(|| context.variable("no_proxy"))
    {
        findings.push(Finding::ok(NAME, format!("NO_PROXY is {except}")));
    }
    findings
}

/// A proxy's address without user name and password.
fn without_password(address: &str) -> String {
    match (address.split_once("://"), address.split_once('@')) {
        (Some((scheme, _)), Some((_, host))) => {
            format!("{scheme}://{host}, with user name and password")
        }
        _ => address.to_owned(),
    }
}

/// Whose certificates are trusted. Without TLS on the way, nobody is a matter of warning.
fn authorities(context: &Context, needs_tls: bool) -> Vec<Finding> {
    const NAME: &str = "authorities";
    let variables = [
        "SSL_CERT_FILE",
        "ssl_cert_file",
        "SSL_CERT_DIR",
        "ssl_cert_dir",
    ];
    let mut named: Vec<(&str, PathBuf)> = variables
        .into_iter()
        .filter_map(|name| Some((name, PathBuf::from(context.variable(name)?))))
        .collect();
    let from_environment = !named.is_empty();
    named.extend(context.config.ca_file.clone().map(|file| ("ca_file", file)));
    let mut findings: Vec<Finding> = named
        .iter()
        .map(|(name, path)| certificates(name, path))
        .collect();
    if let Err(error) = trust::check(&context.extra_roots()) {
        let report = report_of(&HttpError::Setup {
            reason: error.to_string(),
        });
        findings.push(Finding::error(NAME, report, needs_tls));
    } else if !from_environment || cfg!(any(windows, target_vendor = "apple")) {
        findings.push(Finding::ok(
            NAME,
            "the certificate authorities of the system",
        ));
    }
    findings
}

fn certificates(name: &str, path: &Path) -> Finding {
    let shown = path.display();
    match trust::certificates(path) {
        Ok(found) => Finding::ok(
            "authorities",
            format!("{} from {name} ({shown})", found.len()),
        ),
        Err(reason) => Finding::warning(
            "authorities",
            format!("{name} names {shown}: {reason}"),
            format!("set {name} to a file of certificates in PEM format, or unset it"),
        ),
    }
}

/// By the first server that told the time.
fn clock(targets: &BTreeMap<String, Target>, looked: &[Looked]) -> Option<Finding> {
    const NAME: &str = "clock";
    let (origin, ahead) = targets.keys().zip(looked).find_map(|(origin, looked)| {
        let server = looked.outcome.as_ref().ok()?.date?;
        Some((origin, looked.at.seconds_since(server)))
    })?;
    if ahead.abs() <= SKEW_TO_TELL_SECONDS {
        return Some(Finding::ok(NAME, format!("agrees with {origin}")));
    }
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    Some(Finding::warning(
        NAME,
        format!(
            "this machine's clock is {} {direction} that of {origin}",
            describe_span(ahead.abs())
        ),
        "set the clock (on Linux: `timedatectl set-ntp true`). seo-auth corrects expiry times, but certificates may look invalid",
    ))
}
