//! The golden texts of every error, in `snapshots/`: the catalogue that a translator or a reviewer reads.
//! `INSTA_UPDATE=always cargo test error::` writes it anew; then read the difference.

use std::fmt::Write;
use std::io;
use std::time::Duration;

use super::api::{ApiError, ApiProblem};
use super::*;
use crate::api::shape::{Kind, Refusal};
use crate::clock::Timestamp;
use crate::credential;
use crate::flow::Step;
use crate::http::HttpError;
use crate::http::proxy::ProxyTrouble;
use crate::http::trust::{Reason, Untrusted};
use crate::http::wire::ErrorResponse;
use crate::store::kv2::fault::Fault;

fn account(text: &str) -> AccountKey {
    text.parse().unwrap()
}

fn io_error() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "Permission denied")
}

pub(super) fn catalogue(errors: impl IntoIterator<Item = Error>) -> String {
    let mut text = String::new();
    for error in errors {
        let Report {
            code,
            exit,
            message,
            hint,
        } = error.report();
        let hint = hint.unwrap_or_else(|| "-".to_owned());
        writeln!(
            text,
            "{code} (exit {})\n  error: {message}\n  hint:  {hint}\n",
            exit.code()
        )
        .unwrap();
    }
    text
}

fn flow(source: FlowError) -> Error {
    Error::Flow {
        account: account("semrush/default"),
        source,
    }
}

fn refused(step: Step, code: &str) -> Error {
    let error = ErrorResponse {
        error: code.to_owned(),
        error_description: Some("In the server's words.".to_owned()),
    };
    flow(FlowError::Refused { step, error })
}

fn store(source: StoreError) -> Error {
    Error::Store {
        store: StoreKind::Keyring,
        source,
    }
}

#[test]
fn of_the_call() {
    let errors = [
        Error::UnknownProvider {
            name: "semrsh".to_owned(),
            nearest: Some("semrush".to_owned()),
        },
        Error::UnknownProvider {
            name: "moz".to_owned(),
            nearest: None,
        },
        Error::NoClientId {
            provider: "ahrefs".parse().unwrap(),
            help: crate::config::known("ahrefs").client_id_help,
            redirect_uri: Some("http://127.0.0.1:8976/callback".to_owned()),
        },
        Error::NoClientId {
            provider: "my-idp".parse().unwrap(),
            help: None,
            redirect_uri: Some("http://127.0.0.1:0/callback".to_owned()),
        },
        Error::WhichLogin {
            accounts: vec![account("ahrefs/default"), account("semrush/work")],
        },
        Error::WhichLogin {
            accounts: Vec::new(),
        },
        Error::PortTaken {
            address: "127.0.0.1:8976".to_owned(),
            source: io::Error::new(io::ErrorKind::AddrInUse, "Address already in use"),
            holder: Some("used by `python3`, pid 123".to_owned()),
        },
        Error::System {
            what: "stdin can't be read".to_owned(),
            source: io_error(),
        },
        Error::Interrupted,
    ];
    insta::assert_snapshot!(catalogue(errors));
}

#[test]
fn of_the_account() {
    let at = Timestamp::from_epoch(1_795_303_485);
    let expired = |profile: &str, why| Error::Expired {
        account: account(profile),
        at: Some(at),
        why,
    };
    let too_short = |again| Error::TooShort {
        kind: credential::Kind::OAuth,
        account: account("semrush/default"),
        left: 90,
        wanted: 3_600,
        again,
    };
    let errors = [
        Error::NotLoggedIn {
            account: account("semrush/default"),
            profiles: Vec::new(),
            left_out: None,
        },
        Error::NotLoggedIn {
            account: account("semrush/default"),
            profiles: Vec::new(),
            left_out: Some(StoreKind::Keyring),
        },
        Error::OtherIssuer {
            account: account("semrush/work"),
            held: "https://oauth.semrush.com".into(),
            new: "https://idp.example".into(),
            is_sandbox: false,
        },
        Error::OtherIssuer {
            account: account("semrush/work"),
            held: "https://oauth.semrush.com".into(),
            new: "http://127.0.0.1:8888".into(),
            is_sandbox: true,
        },
        Error::NoneOnProfile {
            profile: "ci".parse().unwrap(),
            accounts: vec![account("ahrefs/default"), account("semrush/work")],
        },
        Error::NotLoggedIn {
            account: account("ahrefs/sandbox"),
            profiles: vec!["work".parse().unwrap()],
            left_out: None,
        },
        Error::NotLoggedIn {
            account: account("ahrefs/default"),
            profiles: vec!["eu".parse().unwrap(), "us".parse().unwrap()],
            left_out: None,
        },
        expired("ahrefs/work", CannotRenew::NoRefreshToken),
        expired("semrush/default", CannotRenew::Refused),
        expired(
            "semrush/default",
            CannotRenew::Interrupted(at.plus(-86_400)),
        ),
        expired(
            "semrush/default",
            CannotRenew::MovedAway {
                login: "https://oauth.semrush.com".to_owned(),
                configured: "https://other.example".to_owned(),
            },
        ),
        too_short(true),
        too_short(false),
    ];
    insta::assert_snapshot!(catalogue(errors));
}

#[test]
fn of_the_provider() {
    let overloaded = |status, retry_after| {
        flow(FlowError::Overloaded {
            host: "oauth.semrush.com".to_owned(),
            status,
            retry_after,
        })
    };
    let unreadable = |content| {
        flow(FlowError::Unreadable {
            host: "oauth.semrush.com".to_owned(),
            status: 200,
            content,
        })
    };
    let errors = [
        overloaded(503, None),
        overloaded(503, Some(Duration::from_secs(120))),
        overloaded(407, None),
        overloaded(408, None),
        overloaded(511, None),
        unreadable("a web page"),
        unreadable("an empty body"),
        flow(FlowError::Denied),
        flow(FlowError::CodeExpired),
        flow(FlowError::NobodyApproved { seconds: 300 }),
        flow(FlowError::TokenType("DPoP".to_owned())),
        flow(FlowError::Unreadable {
            host: "oauth.semrush.com".to_owned(),
            status: 404,
            content: "a web page",
        }),
        flow(FlowError::Redirected {
            step: Step::CodeExchange,
            host: "oauth.semrush.com".to_owned(),
            to: "https://login.example/token".to_owned(),
        }),
        flow(FlowError::UnsafeAddress {
            address: "http://semrush.example/device".to_owned(),
        }),
        flow(FlowError::BadCallback("neither a code nor an error")),
        flow(FlowError::IssuerMismatch {
            expected: "https://as.example".to_owned(),
            got: "https://evil.example".to_owned(),
        }),
        flow(FlowError::ListenerDied {
            address: "127.0.0.1:8976".to_owned(),
            reason: "Too many open files".to_owned(),
        }),
        flow(FlowError::NothingPasted { trouble: None }),
        flow(FlowError::NotConfigured("token_endpoint")),
        refused(Step::DevicePoll, "expired_token"),
        refused(Step::Authorization, "access_denied"),
        refused(Step::Authorization, "temporarily_unavailable"),
        refused(Step::CodeExchange, "invalid_grant"),
        refused(Step::DevicePoll, "invalid_grant"),
        refused(Step::CodeExchange, "invalid_client"),
        refused(Step::DeviceAuthorization, "invalid_scope"),
        refused(Step::DeviceAuthorization, "invalid_request"),
        refused(Step::Refresh, "invalid_grant"),
    ];
    insta::assert_snapshot!(catalogue(errors));
}

#[test]
fn of_the_network() {
    let host = || "oauth.semrush.com".to_owned();
    let certificate = |reason| HttpError::Certificate {
        host: "oauth.semrush.com".to_owned(),
        why: Box::new(Untrusted {
            issuer: Some("Corporate CA".to_owned()),
            reason,
        }),
    };
    let proxy = |trouble| HttpError::Proxy {
        proxy: "proxy.corp:3128".to_owned(),
        host: host(),
        trouble,
    };
    let errors = [
        HttpError::Dns { host: host() },
        HttpError::Refused { host: host() },
        HttpError::TimedOut { host: host() },
        HttpError::Tls {
            host: host(),
            reason: "received corrupt message".to_owned(),
            too_old: false,
        },
        HttpError::Tls {
            host: host(),
            reason: "it offers neither TLS 1.2 nor 1.3".to_owned(),
            too_old: true,
        },
        certificate(Reason::Authority),
        certificate(Reason::UnknownIssuer),
        certificate(Reason::WrongName {
            names: vec!["portal.example".to_owned()],
        }),
        proxy(ProxyTrouble::WantsPassword),
        proxy(ProxyTrouble::Refuses),
        proxy(ProxyTrouble::Unknown),
        proxy(ProxyTrouble::OpensNoTunnel),
        proxy(ProxyTrouble::WantsOther),
        proxy(ProxyTrouble::Answers(302)),
        proxy(ProxyTrouble::Answers(401)),
        proxy(ProxyTrouble::Answers(403)),
        proxy(ProxyTrouble::Answers(502)),
        proxy(ProxyTrouble::Breaks),
        proxy(ProxyTrouble::SpeaksNoTls),
        HttpError::BodyTooLarge {
            host: host(),
            cap: 1 << 20,
        },
        HttpError::Broken {
            host: host(),
            reason: "connection reset by peer".to_owned(),
        },
        HttpError::Unsendable {
            host: host(),
            reason: "it has too many headers".to_owned(),
        },
        HttpError::Setup {
            reason: "SSL_CERT_FILE holds no certificate".to_owned(),
        },
    ];
    insta::assert_snapshot!(catalogue(errors.map(|error| flow(error.into()))));
}

fn api(problem: ApiProblem) -> Error {
    Error::Api(Box::new(ApiError {
        kind: credential::Kind::OAuth,
        account: account("semrush/work"),
        title: "Semrush".to_owned(),
        problem,
        token_variable: None,
        granted: vec!["user.id".to_owned()],
        known_scopes: vec!["user.id".to_owned(), "projects.info".to_owned()],
    }))
}

#[test]
fn of_an_api() {
    let refused = |status: u16, kind: Kind, message: &str| {
        api(ApiProblem::Refused(Refusal {
            kind,
            message: message.to_owned(),
            ..Refusal::by_status(status)
        }))
    };
    let of_variable = {
        let Error::Api(mut error) = refused(401, Kind::TokenRejected, "Unauthorized") else {
            unreachable!()
        };
        error.token_variable = Some("SEO_AUTH_SEMRUSH_TOKEN".to_owned());
        Error::Api(error)
    };
    let errors = [
        refused(401, Kind::TokenRejected, "Unauthorized"),
        of_variable,
        refused(403, Kind::ScopeMissing, "projects.info is missing"),
        refused(403, Kind::ScopeMissing, "a scope is missing"),
        refused(403, Kind::UnitsUsedUp, "API units limit reached"),
        refused(403, Kind::Forbidden, "Forbidden"),
        refused(429, Kind::TooManyRequests, ""),
        refused(553, Kind::Failing, "the answer is a web page"),
        refused(407, Kind::Failing, "the answer is a web page"),
        api(ApiProblem::Refused(Refusal {
            code: Some("120200".to_owned()),
            message: "This was bad".to_owned(),
            request_id: Some("IAD-123".to_owned()),
            ..Refusal::by_status(200)
        })),
        api(ApiProblem::Foreign {
            status: 200,
            content: "a web page",
        }),
        api(ApiProblem::Elsewhere {
            status: 302,
            to: "https://www.semrush.com".to_owned(),
        }),
        api(ApiProblem::EndlessRedirects { redirects: 5 }),
        api(ApiProblem::TooLarge { cap: 64 << 20 }),
        api(ApiProblem::NoPages),
        api(ApiProblem::EndlessPages { pages: 1_000 }),
    ];
    insta::assert_snapshot!(catalogue(errors));
}

#[test]
fn of_a_refresh() {
    let overloaded = || FlowError::Overloaded {
        host: "oauth.semrush.com".to_owned(),
        status: 503,
        retry_after: None,
    };
    let errors = [
        Error::StrangeToken {
            account: account("semrush/default"),
        },
        Error::SameToken {
            account: account("ahrefs/work"),
        },
        Error::Refresh {
            account: account("semrush/default"),
            source: overloaded(),
        },
        Error::Busy {
            account: account("semrush/default"),
            seconds: 30,
        },
        Error::NotSaved {
            account: account("semrush/default"),
            source: Box::new(store(StoreError::TimedOut(3))),
        },
        Error::EnvRejected {
            variable: "SEO_AUTH_SEMRUSH_TOKEN".to_owned(),
        },
    ];
    insta::assert_snapshot!(catalogue(errors));
}

#[test]
fn of_the_stores() {
    let path = || "/home/me/.local/state/seo-auth/credentials.sealed".into();
    let errors = [
        store(StoreError::Absent("no session bus".to_owned())),
        store(StoreError::Locked(
            "the keyring is locked, and was not unlocked when it asked for its password".to_owned(),
        )),
        store(StoreError::StaysLocked("its dialog was closed".to_owned())),
        store(StoreError::TimedOut(3)),
        store(StoreError::Conflict),
        store(StoreError::TooLarge {
            size: 9_000,
            limit: 2_560,
        }),
        store(StoreError::Failed("it said no".to_owned())),
        Error::Store {
            store: StoreKind::File,
            source: StoreError::Corrupt {
                what: "credentials.sealed".to_owned(),
                reason: "it was sealed with another key, or changed".to_owned(),
            },
        },
        Error::Store {
            store: StoreKind::File,
            source: StoreError::Io {
                path: path(),
                source: io_error(),
            },
        },
        Error::Store {
            store: StoreKind::File,
            source: StoreError::BadKey {
                from: "SEO_AUTH_KEY".to_owned(),
                reason: "it has 12 bytes, not 32".to_owned(),
            },
        },
        Error::Files(StoreError::Io {
            path: path(),
            source: io_error(),
        }),
        Error::Files(StoreError::Newer(
            "/home/me/.local/state/seo-auth/accounts.json".into(),
        )),
        Error::NotDeleted {
            account: account("semrush/work"),
            store: StoreKind::Keyring,
            source: StoreError::TimedOut(3),
        },
    ];
    insta::assert_snapshot!(catalogue(errors));
}

#[test]
fn of_a_shared_store() {
    let faults = [
        Fault::NotConfigured("address (VAULT_ADDR)"),
        Fault::Unreachable {
            address: "https://vault.example:8200".to_owned(),
            reason: "vault.example refused the connection".to_owned(),
        },
        Fault::Slow {
            address: "https://vault.example:8200".to_owned(),
            seconds: 7,
        },
        Fault::Sealed,
        Fault::NotInitialised,
        Fault::Standby(503),
        Fault::NotReady,
        Fault::WrongMount("secret".to_owned()),
        Fault::BadToken,
        Fault::LoginRefused {
            path: "auth/approle/login".to_owned(),
            reason: "invalid secret id".to_owned(),
        },
        Fault::NoRight {
            path: "secret/data/seo-auth/semrush/default/grant".to_owned(),
            capability: "read",
        },
        Fault::RolledBack { found: 3, seen: 5 },
        Fault::NobodyRefreshed(30),
        Fault::Uncertain("it answered 503".to_owned()),
        Fault::Foreign,
        Fault::Strange {
            status: 418,
            reason: "a teapot".to_owned(),
        },
    ];
    insta::assert_snapshot!(catalogue(faults.map(|fault| store(fault.into()))));
}

/// Each kind of trouble with a file of ours has a way out of its own.
#[cfg(target_os = "linux")]
#[test]
fn of_files_by_kind() {
    let state = "/home/me/.local/state/seo-auth/credentials.sealed";
    let codes = [
        (state, 13),                                   // EACCES
        (state, 28),                                   // ENOSPC
        (state, 122),                                  // EDQUOT
        (state, 30),                                   // EROFS
        (state, 24),                                   // EMFILE
        (state, 95), // EOPNOTSUPP: flock on some network file systems
        (state, 5),  // EIO
        ("/dev/null/seo-auth/credentials.sealed", 20), // ENOTDIR: there is no home
    ];
    let errors = codes.map(|(path, code)| {
        Error::Files(StoreError::Io {
            path: path.into(),
            source: io::Error::from_raw_os_error(code),
        })
    });
    insta::assert_snapshot!(catalogue(errors));
}

/// E2BIG: Linux takes 128 kB a variable.
#[cfg(target_os = "linux")]
#[test]
fn a_token_too_long_for_a_variable_leads_to_the_token_file() {
    let report = Error::CommandNotRun {
        command: "./report.sh".to_owned(),
        source: io::Error::from_raw_os_error(7),
    }
    .report();
    assert_eq!(report.exit, Exit::CannotRun);
    assert!(report.hint.unwrap().contains("--token-file"));
}

#[test]
fn of_refresh_and_exec() {
    let semrush = || account("semrush/default");
    let refresh = |source| Error::Refresh {
        account: semrush(),
        source,
    };
    let not_run = |kind, text| Error::CommandNotRun {
        command: "./report.sh".to_owned(),
        source: io::Error::new(kind, text),
    };
    let refused = |code: &str| {
        refresh(FlowError::Refused {
            step: Step::Refresh,
            error: ErrorResponse {
                error: code.to_owned(),
                error_description: None,
            },
        })
    };
    let errors = [
        refresh(FlowError::Unreadable {
            host: "oauth.semrush.com".to_owned(),
            status: 200,
            content: "a web page",
        }),
        refresh(FlowError::Overloaded {
            host: "oauth.semrush.com".to_owned(),
            status: 503,
            retry_after: Some(Duration::from_secs(120)),
        }),
        refused("invalid_client"),
        refused("unauthorized_client"),
        refused("unsupported_grant_type"),
        Error::Busy {
            account: semrush(),
            seconds: 25,
        },
        Error::NotSaved {
            account: semrush(),
            source: Box::new(store(StoreError::Locked(
                "the keyring is locked, and was not unlocked when it asked for its password"
                    .to_owned(),
            ))),
        },
        Error::StrangeToken { account: semrush() },
        Error::EnvRejected {
            variable: "SEO_AUTH_SEMRUSH_TOKEN".to_owned(),
        },
        not_run(io::ErrorKind::NotFound, "No such file or directory"),
        not_run(io::ErrorKind::PermissionDenied, "Permission denied"),
    ];
    insta::assert_snapshot!(catalogue(errors));
}

#[test]
fn of_keys() {
    let dataforseo = || account("dataforseo/default");
    let fields = || vec!["login".to_owned(), "password".to_owned()];
    let other_world = |is_sandbox| KeyError::OtherWorld {
        account: account("semrush/work"),
        login: "http://127.0.0.1:8888".to_owned(),
        here: "https://oauth.semrush.com".to_owned(),
        is_sandbox,
    };
    let refused = |docs: Option<&str>| KeyError::Refused {
        title: "Moz".to_owned(),
        docs: docs.map(str::to_owned),
    };
    let errors = [
        refused(Some("https://moz.com/api/dashboard")),
        refused(None),
        KeyError::NotTried(Box::new(
            flow(
                HttpError::Setup {
                    reason: "no roots".to_owned(),
                }
                .into(),
            )
            .report(),
        )),
        KeyError::SeveralFields {
            account: dataforseo(),
            fields: fields(),
        },
        KeyError::FieldsToName {
            account: dataforseo(),
            fields: fields(),
        },
        KeyError::NoSuchField {
            account: dataforseo(),
            field: "key".to_owned(),
            fields: fields(),
        },
        KeyError::NoSuchField {
            account: account("semrush/default"),
            field: "key".to_owned(),
            fields: Vec::new(),
        },
        KeyError::NoField {
            account: dataforseo(),
            field: "login".to_owned(),
            variable: Some("SEO_AUTH_DATAFORSEO_TOKEN".to_owned()),
        },
        KeyError::NoField {
            account: dataforseo(),
            field: "login".to_owned(),
            variable: None,
        },
        KeyError::InQuery {
            provider: "serpapi".parse().unwrap(),
        },
        other_world(true),
        other_world(false),
    ];
    let expired = Error::Expired {
        account: account("ahrefs/default"),
        at: None,
        why: CannotRenew::Key,
    };
    let errors = errors.into_iter().map(Error::Key).chain([expired]);
    insta::assert_snapshot!(catalogue(errors));
}
