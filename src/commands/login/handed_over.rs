//! `login --with-token`: a login that was made elsewhere, from stdin: a bare token, or what
//! `token print --format json --with-refresh-token` wrote.

use serde::Deserialize;

use super::finish::Place;
use super::input::read_stdin;
use super::plan;
use crate::cli::Login;
use crate::clock::{Timestamp, parse_moment};
use crate::context::Context;
use crate::credential::{Credential, Name, Renewal};
use crate::error::Error;
use crate::error::usage::login as usage;
use crate::flow::token::{MAX_TOKEN_TYPE, is_bearer};
use crate::http::wire::bearer;
use crate::provider::{Endpoint, Provider};
use crate::secret::{AccessToken, Flaw, RefreshToken, Secret};

/// Two tokens and their details; self-contained tokens have a few thousand bytes.
const MAX_INPUT: u64 = 64 << 10;

/// Stores what stdin holds.
///
/// # Errors
/// Stdin holds no token, or one of another provider; or the store can't be used.
pub fn run(context: &Context, args: &Login) -> Result<(), Error> {
    let mut provider = plan::provider(context, args)?;
    plan::discover(context, &mut provider)?;
    let account = context.accounts().of(&provider.name);
    let text = read_stdin(&context.ui, "Token", MAX_INPUT, usage::not_a_token)?;
    let has_secret = context.client_secret(&provider)?.is_some();
    let mut credential = read(&text, &provider, has_secret, Timestamp::now())?;
    if let Some(scope) = plan::named_scope(args) {
        credential.scope = scope;
    }
    let issuer = Endpoint::parse(&credential.token_endpoint).map(|endpoint| endpoint.origin());
    let issuer = issuer.unwrap_or_default();
    let place = Place::prepare(context, account, args.replace, &issuer)?;
    let store = place.save(&credential)?;
    if credential.refresh.is_some() {
        context.ui.warn(
            "the refresh token is now stored in two places: where it came from, and here. If the provider rotates refresh \
             tokens and both places use this one, the provider ends the login. Delete the other copy without revoking it, \
             or refresh in one place only",
        );
    }
    place.report(&provider, store, &credential)?;
    context.ui.say(&format!(
        "The token was not checked; to check it: seo-auth status {} --check",
        place.account.provider
    ));
    Ok(())
}

/// The credential of a bare token.
///
/// # Errors
/// It is none, or the provider issues none.
pub fn bare_credential(
    context: &Context,
    provider: &Provider,
    token: &str,
) -> Result<Credential, Error> {
    let has_secret = context.client_secret(provider)?.is_some();
    read(token, provider, has_secret, Timestamp::now())
}

/// What we read of our own JSON.
#[derive(Deserialize)]
struct Exported {
    schema: String,
    provider: Name,
    access_token: AccessToken,
    #[serde(default = "bearer")]
    token_type: String,
    #[serde(default)]
    scope: Vec<String>,
    expires_at: Option<String>,
    expires_at_epoch: Option<Timestamp>,
    obtained_at_epoch: Option<Timestamp>,
    refresh_token: Option<RefreshToken>,
    issuer: Option<String>,
    client_id: Option<String>,
}

/// The credential in `text`, at the local time `now`.
fn read(
    text: &str,
    provider: &Provider,
    has_client_secret: bool,
    now: Timestamp,
) -> Result<Credential, Error> {
    let own = provider.login.token_endpoint();
    let own = own.ok_or_else(|| usage::not_a_token("this provider uses only API keys"))?;
    let endpoint = provider.token_endpoint_for(own, has_client_secret);
    let bare = Credential {
        token_type: bearer(),
        obtained_at: now,
        token_endpoint: endpoint.to_string(),
        revocation_endpoint: provider
            .revocation_endpoint
            .as_ref()
            .map(ToString::to_string),
        client_id: provider.client_id.clone(),
        ..Credential::default()
    };
    if !text.starts_with('{') {
        return Ok(Credential {
            access_token: AccessToken::parse(text).map_err(wrong_token)?,
            ..bare
        });
    }
    let exported = exported(text, provider)?;
    if !is_bearer(&exported.token_type) {
        return Err(usage::not_a_token("its token_type is not Bearer"));
    }
    check_issuer(&exported, provider, endpoint)?;
    let expires_at = expiry(&exported)?;
    Ok(Credential {
        access_token: exported.access_token,
        token_type: crate::text::printable(&exported.token_type, MAX_TOKEN_TYPE),
        scope: exported.scope,
        obtained_at: exported.obtained_at_epoch.unwrap_or(now),
        expires_at,
        refresh: exported.refresh_token.map(Renewal::fresh),
        client_id: exported.client_id.or(bare.client_id),
        ..bare
    })
}

/// By either of the twins; that a token never expires is said by neither being there.
fn expiry(exported: &Exported) -> Result<Option<Timestamp>, Error> {
    match (exported.expires_at_epoch, &exported.expires_at) {
        (None, Some(text)) => match parse_moment(text) {
            Some(moment) => Ok(Some(moment)),
            None => Err(usage::not_a_token("its expires_at is not a time")),
        },
        (epoch, _) => Ok(epoch),
    }
}

/// A refresh token goes to no other origin than the one that issued it, on this machine too.
fn check_issuer(
    exported: &Exported,
    provider: &Provider,
    endpoint: &Endpoint,
) -> Result<(), Error> {
    let issuer = exported.issuer.as_ref();
    let elsewhere =
        issuer.filter(|issuer| exported.refresh_token.is_some() && **issuer != endpoint.origin());
    let Some(issuer) = elsewhere else {
        return Ok(());
    };
    Err(usage::token_of_other_issuer(
        &provider.name,
        issuer,
        &endpoint.origin(),
    ))
}

fn exported(text: &str, provider: &Provider) -> Result<Exported, Error> {
    // The parser's words are dropped, for they may repeat what it read.
    let mut exported: Exported = serde_json::from_str(text)
        .map_err(|_| usage::not_a_token("it is not JSON of `token print --format json`"))?;
    if exported.schema != "seo-auth.token.v1" {
        return Err(usage::not_a_token("its schema is not seo-auth.token.v1"));
    }
    if exported.provider != provider.name {
        return Err(usage::token_of_other_provider(
            &exported.provider,
            &provider.name,
        ));
    }
    exported.access_token =
        AccessToken::parse(exported.access_token.expose()).map_err(wrong_token)?;
    let refresh = exported.refresh_token.as_ref().map(Secret::expose);
    exported.refresh_token = refresh
        .map(RefreshToken::parse)
        .transpose()
        .map_err(wrong_token)?;
    Ok(exported)
}

fn wrong_token(flaw: Flaw) -> Error {
    usage::not_a_token(&flaw.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::known;

    fn read_at_semrush(text: &str) -> Result<Credential, Error> {
        let now = Timestamp::from_epoch(1_000);
        read(text, &known("semrush"), false, now)
    }

    #[test]
    fn a_bare_token_is_all_that_is_known() {
        let credential = read_at_semrush("abc.def").unwrap();
        assert_eq!(credential.access_token.expose(), "abc.def");
        assert_eq!(credential.expires_at, None);
        assert_eq!(
            credential.token_endpoint,
            "https://oauth.semrush.com/dag/device/token"
        );
    }

    #[test]
    fn what_was_exported_comes_back() {
        let text = r#"{"schema":"seo-auth.token.v1","provider":"semrush","profile":"work","access_token":"at",
            "token_type":"Bearer","scope":["user.id"],"expires_at":"…","expires_at_epoch":2000,"source":"file",
            "refresh_token":"rt","issuer":"https://oauth.semrush.com","obtained_at_epoch":900}"#;
        let credential = read_at_semrush(text).unwrap();
        assert_eq!(credential.expires_at, Some(Timestamp::from_epoch(2_000)));
        assert_eq!(credential.obtained_at, Timestamp::from_epoch(900));
        assert_eq!(credential.usable_refresh_token().unwrap().expose(), "rt");
        assert_eq!(credential.scope, ["user.id"]);
        let by_date = text
            .replace("\"…\"", "\"1970-01-01T00:33:20Z\"")
            .replace("\"expires_at_epoch\":2000,", "");
        let expires_at = read_at_semrush(&by_date).unwrap().expires_at;
        assert_eq!(expires_at, Some(Timestamp::from_epoch(2_000)));
        let elsewhere = text.replace("oauth.semrush.com", "oauth.example");
        assert!(read_at_semrush(&elsewhere).is_err());
    }

    #[test]
    fn garbage_is_refused_and_not_repeated() {
        for garbage in [
            "",
            "<html>no such page</html>",
            "two words",
            "line\nbreak",
            "esc\u{1b}[0m",
            "{}",
            r#"{"schema":"seo-auth.token.v1","provider":"semrush"}"#,
            r#"{"schema":"seo-auth.error.v1","provider":"semrush","access_token":"planted"}"#,
            r#"{"schema":"seo-auth.token.v1","provider":"semrush","access_token":"planted","expires_at":"soon"}"#,
            r#"{"schema":"seo-auth.token.v1","provider":"semrush","access_token":"planted","token_type":"mac"}"#,
            r#"{"schema":"seo-auth.token.v1","provider":"ahrefs","access_token":"planted"}"#,
            r#"{"schema":"seo-auth.token.v1","provider":"semrush","access_token":"planted\nX: y"}"#,
        ] {
            let report = read_at_semrush(garbage).unwrap_err().report();
            assert_eq!(report.exit.code(), 2, "{garbage:?}");
            assert!(!report.message.contains("planted"), "{}", report.message);
        }
    }
}
