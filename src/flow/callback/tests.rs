use hyper::http::HeaderValue;
use proptest::prelude::*;

use super::*;

const STATE: &str = "the-state-of-this-login";

fn expected() -> Expected {
    Expected {
        redirect: Url::parse("http://127.0.0.1:8976/callback").unwrap(),
        state: State::new(STATE.into()),
        stateless: false,
        issuer: Issuer::At(vec![
            Url::parse("https://app.ahrefs.com/web/oauth/authorize").unwrap(),
            Url::parse("https://ahrefs.com/oauth/token").unwrap(),
        ]),
    }
}

/// A page of the provider's own, where the user copies the code.
fn own_page() -> Expected {
    Expected {
        redirect: Url::parse("https://oauth.semrush.com/oauth2/success").unwrap(),
        stateless: true,
        ..expected()
    }
}

fn judge(method: &str, target: &str, headers: &[(&'static str, &str)]) -> String {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    show(expected().judge(&method, &target.parse().unwrap(), &map))
}

fn show(judged: Result<Outcome, Rejection>) -> String {
    match judged {
        Ok(Outcome::Code(code)) => format!("code {}", code.expose()),
        Ok(Outcome::Error(error)) => format!("error {}", error.error),
        Ok(Outcome::ForeignIssuer(issuer)) => format!("issuer {issuer}"),
        Ok(Outcome::NoIssuer) => "no issuer".to_owned(),
        Ok(Outcome::Malformed(what)) => format!("malformed {what}"),
        Err(rejection) => format!("{rejection:?}"),
    }
}

fn get(query: &str) -> String {
    judge(
        "GET",
        &format!("/callback?{query}"),
        &[("host", "127.0.0.1:8976")],
    )
}

#[test]
fn the_checks_stand_in_their_order() {
    let right = format!("/callback?code=c&state={STATE}");
    let host = ("host", "127.0.0.1:8976");
    let evil = ("host", "evil.example:8976");
    for (method, target, headers, verdict) in [
        ("GET", right.as_str(), vec![host], "code c"),
        // Path before method: there is no method at all at another path.
        ("POST", "/other", vec![evil], "NotFound"),
        ("GET", "/callback/", vec![host], "NotFound"),
        ("GET", "/favicon.ico", vec![host], "NotFound"),
        ("POST", &right, vec![evil], "MethodNotAllowed"),
        ("HEAD", &right, vec![host], "MethodNotAllowed"),
        ("OPTIONS", &right, vec![host], "MethodNotAllowed"),
        (
            "POST",
            "/callback",
            vec![host, ("content-type", "application/x-www-form-urlencoded")],
            "FormPost",
        ),
        // Host before state.
        ("GET", "/callback?state=x", vec![evil], "WrongHost"),
        ("GET", &right, vec![], "WrongHost"),
        ("GET", &right, vec![host, host], "WrongHost"),
        ("GET", &right, vec![("host", "127.0.0.1")], "WrongHost"),
        ("GET", &right, vec![("host", "127.0.0.1:80")], "WrongHost"),
        ("GET", &right, vec![("host", "localhost:8976")], "WrongHost"),
        (
            "GET",
            &right,
            vec![("host", "127.0.0.1:8976.evil.example")],
            "WrongHost",
        ),
        (
            "GET",
            &right,
            vec![("host", "127.0.0.1:8976\u{fc}")],
            "WrongHost",
        ),
        (
            "GET",
            &format!("http://evil.example{right}"),
            vec![host],
            "WrongHost",
        ),
        (
            "GET",
            &format!("http://127.0.0.1:8976{right}"),
            vec![host],
            "code c",
        ),
        // A prefetch with everything right.
        (
            "GET",
            &right,
            vec![host, ("sec-purpose", "prefetch;prerender")],
            "Prefetch",
        ),
        (
            "GET",
            &right,
            vec![host, ("purpose", "prefetch")],
            "Prefetch",
        ),
        // A cookie of another port's, not in ASCII.
        (
            "GET",
            &right,
            vec![host, ("cookie", "name=J\u{fc}rgen")],
            "code c",
        ),
    ] {
        assert_eq!(
            judge(method, target, &headers),
            verdict,
            "{method} {target} {headers:?}"
        );
    }
}

#[test]
fn nothing_is_believed_before_the_state() {
    for (query, verdict) in [
        ("", "Empty"),
        ("code=c", "WrongState"),
        ("code=c&state=", "WrongState"),
        ("code=c&code=d", "Doubled"),
        ("code=c&state=another", "WrongState"),
        ("error=access_denied", "ErrorWithoutState"),
        ("error=access_denied&state=another", "WrongState"),
        ("iss=https://evil.example&state=another", "WrongState"),
        ("state=&code=c&state=another", "Doubled"),
    ] {
        assert_eq!(get(query), verdict, "{query}");
    }
}

#[test]
fn after_the_state_come_issuer_error_and_code() {
    for (query, verdict) in [
        ("", "malformed neither a code nor an error"),
        ("&code=", "malformed neither a code nor an error"),
        ("&code=c", "code c"),
        ("&code=a%2Fb+c", "code a/b c"),
        ("&code=a&code=b", "malformed a parameter that occurs twice"),
        ("&code=c&error=access_denied", "error access_denied"),
        (
            "&error=server_error&error_description=%1b%5b31m",
            "error server_error",
        ),
        ("&code=c&iss=https://app.ahrefs.com", "code c"),
        ("&code=c&iss=https://ahrefs.com/", "code c"),
        (
            "&code=c&iss=https://evil.example",
            "issuer https://evil.example",
        ),
        (
            "&error=access_denied&iss=http://ahrefs.com",
            "issuer http://ahrefs.com",
        ),
        ("&code=c&iss=", "issuer "),
        ("&code=c&session_state=x", "code c"),
    ] {
        assert_eq!(get(&format!("state={STATE}{query}")), verdict, "{query}");
    }
}

#[test]
fn port_80_may_be_left_out_and_no_other() {
    let at_80 = Expected {
        redirect: Url::parse("http://localhost:80/callback").unwrap(),
        ..expected()
    };
    for (host, ours) in [
        ("localhost", true),
        ("LocalHost:80", true),
        ("localhost:8080", false),
        ("localhost.", false),
    ] {
        assert_eq!(at_80.is_authority(host), ours, "{host}");
    }
    let six = Expected {
        redirect: Url::parse("http://[::1]:9/callback").unwrap(),
        ..expected()
    };
    assert!(six.is_authority("[::1]:9"));
    assert!(!six.is_authority("::1:9"));
}

#[test]
fn a_pasted_address_meets_the_same_checks() {
    for (line, verdict) in [
        ("http://127.0.0.1:8976/callback?code=c&state=S", "code c"),
        (
            "  \"http://127.0.0.1:8976/callback?code=c&state=S\"\r\n",
            "code c",
        ),
        ("<http://127.0.0.1:8976/callback?code=c&state=S>", "code c"),
        ("127.0.0.1:8976/callback?code=c&state=S", "code c"),
        ("/callback?code=c&state=S", "code c"),
        ("http://127.0.0.1:8976/callback?code=c&state=S#", "code c"),
        (
            "http://127.0.0.1:8976/callback?error=access_denied&state=S",
            "error access_denied",
        ),
        (
            "http://127.0.0.1:8976/callback?error=access_denied&state=x",
            "WrongState",
        ),
        ("http://127.0.0.1:8976/callback?code=c", "WrongState"),
        (
            "http://127.0.0.1:8976/callback?code=c&code=d&state=S",
            "malformed a parameter that occurs twice",
        ),
        (
            "http://127.0.0.1:8976/callback?error=access_denied",
            "error access_denied",
        ),
        ("http://127.0.0.1:8976/callback#code=c&state=S", "code c"),
        (
            "http://127.0.0.1:8976/callback#code=c&state=x",
            "WrongState",
        ),
        ("http://127.0.0.1:8976/callback?state=S", "NoCode"),
        ("http://127.0.0.1:8976/other?code=c&state=S", "OtherAddress"),
        ("http://127.0.0.1:1/callback?code=c&state=S", "OtherAddress"),
        (
            "http://localhost:8976/callback?code=c&state=S",
            "OtherAddress",
        ),
        (
            "https://127.0.0.1:8976/callback?code=c&state=S",
            "OtherAddress",
        ),
        (
            "https://app.ahrefs.com/web/oauth/authorize?state=S",
            "OtherAddress",
        ),
        ("c", "NotAnAddress"),
        ("file:///callback", "NotAnAddress"),
        ("", "NotAnAddress"),
    ] {
        let line = line.replace("state=S", &format!("state={STATE}"));
        assert_eq!(show(expected().judge_pasted(&line)), verdict, "{line}");
    }
}

#[test]
fn a_page_of_the_providers_own_may_show_the_code_alone() {
    for (line, verdict) in [
        ("https://oauth.semrush.com/oauth2/success?code=c", "code c"),
        ("oauth.semrush.com/oauth2/success?code=c", "code c"),
        ("/oauth2/success?code=c", "code c"),
        ("/oauth2/success?code=c&state=S", "code c"),
        ("/oauth2/success?code=c&state=another", "WrongState"),
        ("4a1b.c-d_e", "code 4a1b.c-d_e"),
        ("two words", "NotAnAddress"),
        ("https://evil.example/oauth2/success?code=c", "OtherAddress"),
    ] {
        let line = line.replace("state=S", &format!("state={STATE}"));
        assert_eq!(show(own_page().judge_pasted(&line)), verdict, "{line}");
    }
}

#[test]
fn an_apps_own_scheme_is_pasted_like_any_other() {
    let app = Expected {
        redirect: Url::parse("com.agency.app:/callback").unwrap(),
        ..expected()
    };
    for (line, verdict) in [
        ("com.agency.app:/callback?code=c&state=S", "code c"),
        ("com.agency.app:/callback?code=c", "WrongState"),
        ("com.agency.app:/other?code=c&state=S", "OtherAddress"),
        ("com.evil.app:/callback?code=c&state=S", "OtherAddress"),
        (
            "https://agency.example/callback?code=c&state=S",
            "OtherAddress",
        ),
    ] {
        let line = line.replace("state=S", &format!("state={STATE}"));
        assert_eq!(show(app.judge_pasted(&line)), verdict, "{line}");
    }
}

#[test]
fn what_an_error_says_is_clean() {
    let target = format!("state={STATE}&error=x%1b%5b2J&error_description=%e2%80%ae%07y");
    let error = match expected().judge_query(&target) {
        Ok(Outcome::Error(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error.error, "x[2J");
    assert_eq!(error.error_description.as_deref(), Some("y"));
}

proptest! {
    #[test]
    fn only_the_state_opens_the_door(query in "[a-z=&%0-9+]{0,80}") {
        // Nothing generated holds this login's state, so nothing may be believed.
        prop_assert!(expected().judge_query(&query).is_err());
    }

    #[test]
    fn no_pasted_line_panics(line in any::<String>()) {
        // A refusal needs no state when it is pasted; a code does.
        prop_assert!(!matches!(expected().judge_pasted(&line), Ok(Outcome::Code(_))));
        let _ = own_page().judge_pasted(&line);
    }

    #[test]
    fn no_host_but_ours_is_taken(host in "[ -~]{0,40}") {
        prop_assume!(host != "127.0.0.1:8976");
        prop_assert!(!expected().is_authority(&host));
    }
}

#[test]
fn a_named_issuer_is_compared_to_the_letter() {
    let named = |always| Expected {
        issuer: Issuer::Named {
            name: "https://as.example/tenant".to_owned(),
            always,
        },
        ..expected()
    };
    let judged = |always, query: &str| {
        let target = format!("/callback?code=c&state={STATE}{query}");
        let mut headers = HeaderMap::new();
        headers.append("host", HeaderValue::from_static("127.0.0.1:8976"));
        show(named(always).judge(&Method::GET, &target.parse().unwrap(), &headers))
    };
    let right = "&iss=https%3A%2F%2Fas.example%2Ftenant";
    assert_eq!(judged(false, right), "code c");
    assert_eq!(judged(true, right), "code c");
    assert_eq!(judged(false, ""), "code c");
    assert_eq!(judged(true, ""), "no issuer");
    for other in [
        "https://as.example/tenant/",
        "https://as.example",
        "https://AS.example/tenant",
    ] {
        assert_eq!(
            judged(false, &format!("&iss={other}")),
            format!("issuer {other}")
        );
    }
}
