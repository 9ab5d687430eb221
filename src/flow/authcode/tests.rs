use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::mpsc::{self, UnboundedSender};

use url::Url;

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::config::known;
use crate::flow::callback::{Expected, Issuer};
use crate::flow::pkce;
use crate::flow::testing::{TokenEndpoint, Told, parameter, status, visit};
use crate::flow::token::Client;
use crate::http::Http;
use crate::provider::{Code, Provider};
use crate::provider::{Endpoint, Login as Way, RedirectUri};
use crate::secret::{ClientSecret, CodeVerifier};

const TOKEN: &str = r#"{"access_token":"at","token_type":"Bearer","expires_in":60}"#;
/// Ends a login that never ends by itself; no test reaches it.
const PATIENCE: Duration = Duration::from_secs(120);

fn at(provider: Provider, origin: &Url) -> Provider {
    provider.at_sandbox(&Endpoint::parse(origin.as_str()).unwrap())
}

/// Ahrefs at an address where only the token endpoint answers.
fn ahrefs_at(endpoint: &TokenEndpoint) -> Provider {
    at(known("ahrefs"), &endpoint.origin)
}

fn code_of(provider: &mut Provider) -> &mut Code {
    match &mut provider.login {
        Way::Code(code) => code,
        _ => panic!("not a login by code"),
    }
}

/// Ahrefs with another redirect URI.
fn redirected_to(uri: &str, mut provider: Provider) -> Provider {
    code_of(&mut provider).redirect_uri = RedirectUri::parse(uri).unwrap();
    provider
}

fn client() -> Client {
    Client {
        id: Some("client".into()),
        secret: None,
    }
}

fn any_port() -> Listener {
    Listener::bind(&Url::parse("http://127.0.0.1:0/callback").unwrap()).unwrap()
}

struct Case {
    provider: Provider,
    client: Client,
    listener: Option<Listener>,
    pasted: Option<UnboundedReceiver<String>>,
}

impl Case {
    fn new(provider: Provider) -> Self {
        Self {
            provider,
            client: client(),
            listener: Some(any_port()),
            pasted: None,
        }
    }

    fn run(self, interaction: &Told) -> Result<Approved, FlowError> {
        self.run_within(PATIENCE, interaction)
    }

    fn run_within(self, timeout: Duration, interaction: &Told) -> Result<Approved, FlowError> {
        let http = Http::new(None);
        let scope = self.provider.scope.clone();
        let login = Login {
            http: &http,
            provider: &self.provider,
            code: self.provider.code().unwrap(),
            client: &self.client,
            scope: &scope,
            timeout,
            listener: self.listener,
            pasted: self.pasted,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(login.run(interaction))
    }
}

/// Where the authorization server would send the browser, with these parameters and the request's own state.
fn landing(authorization: &Url, parameters: &str) -> Url {
    let mut url = Url::parse(&parameter(authorization, "redirect_uri").unwrap()).unwrap();
    let state = parameter(authorization, "state").unwrap();
    url.set_query(Some(&format!("{parameters}&state={state}")));
    url
}

type Seen = Arc<Mutex<Option<String>>>;

/// A browser that lands with these parameters; what it saw is there when its thread ends.
fn browser(parameters: &'static str) -> (Told, std::sync::mpsc::Receiver<String>) {
    let (seen, page) = std::sync::mpsc::channel();
    let told = Told::to(move |url| {
        let _ = seen.send(visit(&landing(&url, parameters)));
    });
    (told, page)
}

fn field(form: &[(String, String)], name: &str) -> Option<String> {
    let mut fields = form.iter();
    fields
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
}

#[test]
fn ahrefs_gets_what_its_documentation_asks_for() {
    let endpoint = TokenEndpoint::answering("200 OK", TOKEN);
    let (told, page) = browser("code=c0de");
    let approved = Case::new(ahrefs_at(&endpoint)).run(&told).unwrap();
    assert_eq!(approved.credential.access_token.expose(), "at");
    assert_eq!(approved.credential.scope, ["apiv3-integration-apps"]);
    approved.browser.succeed();
    let page = page.recv().unwrap();
    assert_eq!(status(&page), "200");
    assert!(page.contains("Signed in to Ahrefs"), "{page}");

    let url = told.url();
    assert_eq!(url.path(), "/web/oauth/authorize");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "client"),
        ("scope", "apiv3-integration-apps"),
        ("code_challenge_method", "s256"),
    ] {
        assert_eq!(parameter(&url, name).as_deref(), Some(value), "{name}");
    }
    let form = endpoint.form();
    for (name, value) in [
        ("grant_type", Some("authorization_code")),
        ("code", Some("c0de")),
        ("client_id", Some("client")),
        ("client_secret", None),
    ] {
        assert_eq!(field(&form, name).as_deref(), value, "{name}");
    }
    assert_eq!(
        field(&form, "redirect_uri"),
        parameter(&url, "redirect_uri"),
        "exactly the same"
    );
    let verifier = CodeVerifier::new(field(&form, "code_verifier").unwrap());
    assert_eq!(
        Some(pkce::challenge(&verifier)),
        parameter(&url, "code_challenge")
    );
}

#[test]
fn semrush_auth_has_no_pkce_and_its_page_shows_the_code_alone() {
    let endpoint = TokenEndpoint::answering("200 OK", TOKEN);
    let (paste, pasted) = mpsc::unbounded_channel();
    let told = Told::to(move |_| paste.send("c0de".into()).unwrap());
    let case = Case {
        client: Client {
            secret: Some(ClientSecret::new("hush".into())),
            ..client()
        },
        listener: None,
        pasted: Some(pasted),
        ..Case::new(Provider {
            scope: vec!["user.id".into(), "url.info".into()],
            ..at(known("semrush"), &endpoint.origin)
        })
    };
    let approved = case.run(&told).unwrap();
    assert!(
        approved
            .credential
            .token_endpoint
            .ends_with("/oauth2/access_token")
    );
    approved.browser.succeed();
    assert!(told.prompts.lock().unwrap()[0].paste_only);
    let url = told.url();
    let query = url.query().unwrap();
    assert!(
        query.contains("redirect_uri=%2Foauth2%2Fsuccess"),
        "{query}"
    );
    assert!(query.contains("scope=user.id%2Curl.info"), "{query}");
    assert!(!query.contains("code_challenge"), "{query}");
    let form = endpoint.form();
    assert_eq!(field(&form, "redirect_uri").unwrap(), "/oauth2/success");
    assert_eq!(field(&form, "client_secret").unwrap(), "hush");
    assert_eq!(field(&form, "code_verifier"), None);
}

#[test]
fn a_registered_redirect_uri_is_sent_to_the_letter() {
    for (registered, at) in [
        ("http://127.0.0.1:PORT", "http://127.0.0.1:PORT"),
        // No slash more, and nothing but the port is another.
        ("http://127.0.0.1:0", "http://127.0.0.1:PORT"),
        ("http://[::1]:0?at=0:0", "http://[::1]:PORT?at=0:0"),
    ] {
        sent_to_the_letter(registered, at);
    }
}

fn sent_to_the_letter(registered: &str, sent: &str) {
    let any = registered.replace("PORT", "0");
    let listener = Listener::bind(&Url::parse(&any).unwrap()).unwrap();
    let port = listener.redirect_uri().port().unwrap().to_string();
    let nobody = at(known("ahrefs"), &Url::parse("http://127.0.0.1:1").unwrap());
    let provider = redirected_to(&registered.replace("PORT", &port), nobody);
    let case = Case {
        listener: Some(listener),
        ..Case::new(provider)
    };
    let told = Told::default();
    let ended = case.run_within(Duration::ZERO, &told);
    assert!(matches!(ended, Err(FlowError::NobodyApproved { .. })));
    let sent = sent.replace("PORT", &port);
    assert_eq!(parameter(&told.url(), "redirect_uri"), Some(sent));
}

#[test]
fn the_endpoints_query_stays_and_extra_parameters_replace_none_of_ours() {
    let mut provider = known("ahrefs");
    let code = code_of(&mut provider);
    code.authorization_endpoint = Endpoint::parse("https://as.example/authorize?tenant=7").unwrap();
    code.authorization_params = [("prompt", "consent"), ("state", "fixed")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let told = Told::default();
    let ended = Case::new(provider).run_within(Duration::ZERO, &told);
    assert!(matches!(
        ended,
        Err(FlowError::NobodyApproved { seconds: 0 })
    ));
    let url = told.url();
    assert_eq!(parameter(&url, "tenant").as_deref(), Some("7"));
    assert_eq!(parameter(&url, "prompt").as_deref(), Some("consent"));
    let states: Vec<_> = url
        .query_pairs()
        .filter(|(key, _)| key == "state")
        .collect();
    assert_eq!(states.len(), 1);
    assert_ne!(states[0].1, "fixed");
}

#[test]
fn a_denial_is_told_to_both() {
    let endpoint = Url::parse("http://127.0.0.1:1").unwrap();
    let (told, page) = browser("error=access_denied");
    let ended = Case::new(at(known("ahrefs"), &endpoint)).run(&told);
    assert!(matches!(ended, Err(FlowError::Denied)), "{ended:?}");
    let page = page.recv().unwrap();
    assert_eq!(status(&page), "403");
    assert!(page.contains("Access was denied"), "{page}");
}

#[test]
fn an_answer_outside_the_protocol_ends_the_wait() {
    for parameters in ["", "code=", "code=c0de&code=c0de"] {
        let endpoint = Url::parse("http://127.0.0.1:1").unwrap();
        let (told, page) = browser(parameters);
        let ended = Case::new(at(known("ahrefs"), &endpoint)).run(&told);
        assert!(matches!(ended, Err(FlowError::BadCallback(_))), "{ended:?}");
        assert_eq!(status(&page.recv().unwrap()), "400");
    }
}

#[test]
fn a_refusal_without_state_is_told_once_and_ends_nothing() {
    let endpoint = TokenEndpoint::answering("200 OK", TOKEN);
    let (seen, pages) = std::sync::mpsc::channel();
    let told = Told::to(move |url| {
        let mut bare = landing(&url, "");
        bare.set_query(Some("error=access_denied"));
        for _ in 0..2 {
            seen.send(visit(&bare)).unwrap();
        }
        bare.set_query(None);
        seen.send(visit(&bare)).unwrap();
        visit(&landing(&url, "code=c0de"));
    });
    let approved = Case::new(ahrefs_at(&endpoint)).run(&told).unwrap();
    approved.browser.succeed();
    let pages: Vec<_> = pages.iter().collect();
    assert!(
        pages[0].contains("may belong to another login"),
        "{}",
        pages[0]
    );
    assert!(pages[2].contains("location.hash"), "{}", pages[2]);
    let warnings = told.warnings.lock().unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("Ctrl-C"), "{warnings:?}");
    assert!(warnings[1].contains("--paste"), "{warnings:?}");
}

#[test]
fn another_servers_answer_is_refused() {
    let endpoint = Url::parse("http://127.0.0.1:1").unwrap();
    let (told, page) = browser("code=c&iss=https://evil.example");
    let ended = Case::new(at(known("ahrefs"), &endpoint)).run(&told);
    match ended {
        Err(FlowError::IssuerMismatch { expected, got }) => {
            assert_eq!(expected, "http://127.0.0.1:1");
            assert_eq!(got, "https://evil.example");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(status(&page.recv().unwrap()), "400");
}

#[test]
fn a_refused_code_is_no_success_in_the_browser() {
    let refusal = r#"{"error":"invalid_grant","error_description":"<b>used</b>"}"#;
    let endpoint = TokenEndpoint::answering("400 Bad Request", refusal);
    let (told, page) = browser("code=c0de");
    let ended = Case::new(ahrefs_at(&endpoint)).run(&told);
    match ended {
        Err(FlowError::Refused { step, error }) => {
            assert_eq!(step, Step::CodeExchange);
            assert_eq!(error.error, "invalid_grant");
        }
        other => panic!("{other:?}"),
    }
    let page = page.recv().unwrap();
    assert_eq!(status(&page), "502");
    assert!(
        page.contains("Reason: invalid_grant (&lt;b&gt;used&lt;/b&gt;)."),
        "{page}"
    );
    assert!(!page.contains("c0de"), "{page}");
}

#[test]
fn a_credential_that_was_not_stored_is_no_success_in_the_browser() {
    for (tell, reason) in [
        (true, "The keyring is locked."),
        (false, "seo-auth ended before the credential was stored."),
    ] {
        let endpoint = TokenEndpoint::answering("200 OK", TOKEN);
        let (told, page) = browser("code=c0de");
        let approved = Case::new(ahrefs_at(&endpoint)).run(&told).unwrap();
        if tell {
            approved.browser.fail(reason);
        } else {
            drop(approved);
        }
        let page = page.recv().unwrap();
        assert_eq!(status(&page), "500");
        assert!(page.contains(reason), "{page}");
    }
}

/// A user who pastes what `lines` makes of the authorization URL.
fn pasting(
    lines: impl FnOnce(&Url, &UnboundedSender<String>) + Send + 'static,
) -> (Told, UnboundedReceiver<String>) {
    let (paste, pasted) = mpsc::unbounded_channel();
    (Told::to(move |url| lines(&url, &paste)), pasted)
}

#[test]
fn an_out_of_band_page_shows_a_code_that_the_verifier_binds() {
    let endpoint = TokenEndpoint::answering("200 OK", TOKEN);
    let (told, pasted) = pasting(|_, paste| paste.send("c0de".into()).unwrap());
    let case = Case {
        listener: None,
        pasted: Some(pasted),
        ..Case::new(redirected_to(
            "urn:ietf:wg:oauth:2.0:oob",
            ahrefs_at(&endpoint),
        ))
    };
    let approved = case.run(&told).unwrap();
    approved.browser.succeed();
    assert!(told.prompts.lock().unwrap()[0].stateless);
    let form = endpoint.form();
    assert_eq!(field(&form, "code").unwrap(), "c0de");
    assert!(field(&form, "code_verifier").is_some());
}

#[test]
fn the_paste_wins_while_the_listener_hears_garbage() {
    let endpoint = TokenEndpoint::answering("200 OK", TOKEN);
    let seen = Seen::default();
    let answer = Arc::clone(&seen);
    let (told, pasted) = pasting(move |url, paste| {
        let mut stray = landing(url, "code=stolen");
        stray.set_query(Some("code=stolen&state=guess"));
        *answer.lock().unwrap() = Some(visit(&stray));
        paste.send(landing(url, "code=pasted").to_string()).unwrap();
    });
    let case = Case {
        pasted: Some(pasted),
        ..Case::new(ahrefs_at(&endpoint))
    };
    case.run(&told).unwrap().browser.succeed();
    assert_eq!(field(&endpoint.form(), "code").unwrap(), "pasted");
    assert_eq!(status(seen.lock().unwrap().as_deref().unwrap()), "400");
    assert!(told.warnings.lock().unwrap().is_empty());
}

#[test]
fn the_callback_wins_after_a_wrong_paste() {
    let endpoint = TokenEndpoint::answering("200 OK", TOKEN);
    let (paste, pasted) = mpsc::unbounded_channel();
    let (warned, warning) = std::sync::mpsc::channel::<std::sync::mpsc::Receiver<()>>();
    let told = Told::to(move |url| {
        let warning = warning.recv().unwrap();
        for line in ["", "c0de-alone", "http://127.0.0.1:1/callback?code=c0de"] {
            paste.send(line.into()).unwrap();
        }
        // Both lines that said something were judged; then the browser comes.
        warning.recv().unwrap();
        warning.recv().unwrap();
        visit(&landing(&url, "code=true"));
        drop(paste);
    });
    warned.send(told.notify()).unwrap();
    let case = Case {
        pasted: Some(pasted),
        ..Case::new(ahrefs_at(&endpoint))
    };
    case.run(&told).unwrap().browser.succeed();
    assert_eq!(field(&endpoint.form(), "code").unwrap(), "true");
    let warnings = told.warnings.lock().unwrap().join("\n");
    assert!(warnings.contains("paste the whole address"), "{warnings}");
    assert!(!warnings.contains("c0de"), "a code was shown: {warnings}");
}

#[test]
fn an_input_that_ends_after_a_wrong_paste_ends_the_login() {
    let endpoint = TokenEndpoint::answering("200 OK", TOKEN);
    let (told, pasted) = pasting(|_, paste| paste.send("c0de".to_owned()).unwrap());
    let case = Case {
        pasted: Some(pasted),
        ..Case::new(ahrefs_at(&endpoint))
    };
    let error = case.run(&told).unwrap_err();
    assert!(
        matches!(error, FlowError::NothingPasted { trouble: Some(_) }),
        "{error:?}"
    );
}

#[test]
fn an_input_that_ends_with_nothing_usable_ends_the_login() {
    let agency = Provider {
        client_id: Some("client".into()),
        ..redirected_to("https://agency.example/cb", known("ahrefs"))
    };
    for (line, words) in [
        (None, "the input ended"),
        (Some("https://agency.example/cb?code=c0de"), "another login"),
        (Some("c0de"), "https://agency.example/cb"),
    ] {
        let (told, pasted) = pasting(move |_, paste| {
            if let Some(line) = line {
                paste.send(line.to_owned()).unwrap();
            }
        });
        let case = Case {
            listener: None,
            pasted: Some(pasted),
            ..Case::new(agency.clone())
        };
        let error = case.run(&told).unwrap_err();
        assert!(
            matches!(error, FlowError::NothingPasted { .. }),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(text.contains(words) && !text.contains("c0de"), "{text}");
    }
}

/// A listener that dies at once.
fn dying(http: &Http, pasted: Option<UnboundedReceiver<String>>) -> Ways<'_> {
    let expected = Expected {
        redirect: Url::parse("http://127.0.0.1:8976/callback").unwrap(),
        state: crate::secret::State::new("s".into()),
        stateless: false,
        issuer: Issuer::At(Vec::new()),
    };
    Ways {
        http,
        told: Vec::new(),
        expected,
        address: "127.0.0.1:8976".into(),
        serving: Some(Serving::dying("Too many open files")),
        pasted,
        trouble: None,
    }
}

#[tokio::test]
async fn when_the_listener_dies_the_paste_carries_on() {
    let (paste, pasted) = mpsc::unbounded_channel();
    let http = Http::new(None);
    let (told, mut ways) = (Told::default(), dying(&http, Some(pasted)));
    let warning = told.notify();
    thread::spawn(move || {
        warning.recv().unwrap();
        let _ = paste.send("http://127.0.0.1:8976/callback?code=c&state=s".into());
    });
    let answer = ways.wait(Instant::now() + PATIENCE, &told).await;
    assert!(matches!(answer, Ok(Some((Outcome::Code(_), None)))));
    let warnings = told.warnings.lock().unwrap().join("\n");
    assert!(
        warnings.contains("127.0.0.1:8976 ended (Too many open files)"),
        "{warnings}"
    );
}

#[tokio::test]
async fn when_the_listener_dies_and_nothing_can_be_pasted_the_login_ends() {
    let http = Http::new(None);
    let answer = dying(&http, None)
        .wait(Instant::now() + PATIENCE, &Told::default())
        .await;
    assert!(matches!(answer, Err(FlowError::ListenerDied { .. })));
}
