//! Networks as companies have them: TLS that somebody reads, proxies that want a password, names that don't exist.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::api::{ApiServer, reply};
use crate::harness::certificates::{Authority, ISSUER};
use crate::harness::home::{Ended, Home, ended};
use crate::harness::servers::{DeadPort, Server, nginx, plain_nginx, tinyproxy};

/// Answers every request as a login server that refuses the client: proof that the request arrived.
const REFUSES: &str = r#"location / { return 400 '{"error":"invalid_client"}'; }"#;
/// What a login says then.
const ARRIVED: &str = "invalid_client";

/// A login at `origin`, with these lines at the top of the configuration and these variables.
fn login(origin: &str, config: &str, variables: &[(&str, &Path)]) -> Ended {
    let home = Home::new();
    home.configure(&format!(
        "{config}\n[providers.my-idp]\nclient_id = \"app\"\ndevice_authorization_endpoint = \"{origin}/device\"\ntoken_endpoint = \"{origin}/token\"\n"
    ));
    let mut command = home.command(&["login", "my-idp", "--store", "file", "--no-browser"]);
    command.envs(variables.iter().copied());
    let ended = ended(command, "");
    assert_eq!(ended.stdout, "");
    ended
}

/// The exit code, and what stderr says, the ports taken out.
fn told(ended: &Ended, servers: &[&Server]) -> (Option<i32>, String) {
    let mut text = ended.stderr.clone();
    for (index, server) in servers.iter().enumerate() {
        text = text.replace(&format!(":{}", server.port), &format!(":PORT{index}"));
    }
    (ended.code, text)
}

fn arrives(ended: &Ended) -> bool {
    ended.stderr.contains(ARRIVED)
}

#[test]
fn an_unknown_issuer_is_named() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("DNS:localhost,IP:127.0.0.1"), REFUSES);
    let origin = format!("https://127.0.0.1:{}", server.port);
    let (code, text) = told(&login(&origin, "", &[]), &[&server]);
    assert_eq!(
        text,
        format!(
            "error: 127.0.0.1:PORT0 showed a certificate that is not trusted: this machine does not trust its issuer (issuer: {ISSUER})\n\
             hint:  is a proxy reading this traffic? Then name its CA file in SSL_CERT_FILE, or as ca_file in config.toml; else do not continue\n"
        )
    );
    assert_eq!(code, Some(6));
}

#[test]
fn a_company_authority_is_trusted_where_the_user_says_so() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("DNS:localhost,IP:127.0.0.1"), REFUSES);
    let origin = format!("https://localhost:{}", server.port);
    let ca_file = format!("ca_file = \"{}\"", authority.pem().display());
    assert!(arrives(&login(&origin, &ca_file, &[])));
    assert!(arrives(&login(
        &origin,
        "",
        &[("SSL_CERT_FILE", &authority.pem())]
    )));
    assert!(!arrives(&login(&origin, "", &[])));
}

/// It would vouch for every other name too, whatever it is made out to.
#[test]
fn an_authority_s_own_certificate_is_no_server_s() {
    let own = Authority::of("DNS:localhost");
    let server = nginx(&own.certificate(), REFUSES);
    let origin = format!("https://localhost:{}", server.port);
    let (code, text) = told(
        &login(&origin, "", &[("SSL_CERT_FILE", &own.pem())]),
        &[&server],
    );
    assert!(
        text.contains("it is made for an authority (CA:TRUE)"),
        "{text}"
    );
    assert!(
        text.contains("a certificate of its own (CA:FALSE)"),
        "{text}"
    );
    assert_eq!(code, Some(6));
}

#[test]
fn a_certificate_for_somebody_else_is_refused() {
    let authority = Authority::new();
    let server = nginx(
        &authority.issue("DNS:portal.example,DNS:*.portal.example"),
        REFUSES,
    );
    let origin = format!("https://127.0.0.1:{}", server.port);
    let output = login(&origin, "", &[("SSL_CERT_FILE", &authority.pem())]);
    let (code, text) = told(&output, &[&server]);
    assert_eq!(
        text,
        format!(
            "error: 127.0.0.1:PORT0 showed a certificate that is not trusted: it is for portal.example, *.portal.example (issuer: {ISSUER})\n\
             hint:  if this network has a sign-in page, sign in there first; else check the address, and do not continue\n"
        )
    );
    assert_eq!(code, Some(6));
}

#[test]
fn an_expired_certificate_and_a_wrong_clock_look_alike_and_both_are_named() {
    let authority = Authority::new();
    let server = nginx(&authority.issue_expired("IP:127.0.0.1"), REFUSES);
    let origin = format!("https://127.0.0.1:{}", server.port);
    let output = login(&origin, "", &[("SSL_CERT_FILE", &authority.pem())]);
    let (code, text) = told(&output, &[&server]);
    // The day and hour depend on the time zone and on how long openssl took.
    for part in [
        "it expired at 2020-01-0",
        "Z, and this machine's clock says 20",
        "if this machine's clock is wrong, set it",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(code, Some(6));
}

#[test]
fn a_ca_file_that_holds_nothing_is_a_mistake_in_the_configuration() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("IP:127.0.0.1"), REFUSES);
    let origin = format!("https://127.0.0.1:{}", server.port);
    for (file, reason) in [
        ("/dev/null", "it contains no certificate in PEM format"),
        ("/nonexistent.pem", "No such file or directory"),
    ] {
        let output = login(&origin, &format!("ca_file = \"{file}\""), &[]);
        let (code, text) = told(&output, &[]);
        assert!(text.contains(&format!("{file}: {reason}")), "{text}");
        assert_eq!(code, Some(2));
    }
}

/// One authority whose certificate is cut short, after a good one.
fn half_damaged(good: &Authority) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.pem");
    let pem = fs::read_to_string(good.pem()).unwrap();
    let mut lines: Vec<&str> = pem.lines().collect();
    lines.drain(3..6);
    fs::write(&file, format!("{pem}{}\n", lines.join("\n"))).unwrap();
    (folder, file)
}

#[test]
fn one_damaged_certificate_among_others_is_named() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = nginx(&authority.issue("IP:127.0.0.1"), REFUSES);
    let origin = format!("https://127.0.0.1:{}", server.port);
    let (_folder, file) = half_damaged(&authority);
    let output = login(&origin, &format!("ca_file = \"{}\"", file.display()), &[]);
    let (code, text) = told(&output, &[]);
    let named = format!("{}: certificate 2 in it can't be read", file.display());
    assert!(text.contains(&named), "{text}");
    assert_eq!(code, Some(2));
    // In the place of the system's, the others of a file count.
    assert!(arrives(&login(&origin, "", &[("SSL_CERT_FILE", &file)])));
    let (_folder, file) = half_damaged(&stranger);
    let (code, text) = told(&login(&origin, "", &[("SSL_CERT_FILE", &file)]), &[]);
    let named = format!("SSL_CERT_FILE names {file:?}: certificate 2 in it can't be read");
    assert!(
        text.contains("certificate that is not trusted") && text.contains(&named),
        "{text}"
    );
    assert_eq!(code, Some(6));
}

#[test]
fn a_ca_file_without_end_is_refused() {
    let (code, text) = told(
        &login("https://127.0.0.1:9", "ca_file = \"/dev/zero\"", &[]),
        &[],
    );
    // The port is asked first, and nothing is read for it.
    assert!(text.contains("refused the connection"), "{text}");
    assert_eq!(code, Some(6));
    let authority = Authority::new();
    let server = nginx(&authority.issue("IP:127.0.0.1"), REFUSES);
    let origin = format!("https://127.0.0.1:{}", server.port);
    let (code, text) = told(&login(&origin, "ca_file = \"/dev/zero\"", &[]), &[]);
    assert!(text.contains("/dev/zero: file too large"), "{text}");
    assert_eq!(code, Some(2));
}

#[test]
fn a_server_without_tls_is_told_from_a_bad_certificate() {
    let plain = plain_nginx(REFUSES);
    let origin = format!("https://127.0.0.1:{}", plain.port);
    let (code, text) = told(&login(&origin, "", &[]), &[&plain]);
    assert!(
        text.starts_with("error: the TLS connection to 127.0.0.1:PORT0 failed: "),
        "{text}"
    );
    assert_eq!(code, Some(6));
}

#[test]
fn a_server_whose_tls_is_too_old_is_refused_and_told_as_such() {
    let authority = Authority::new();
    let certificate = authority.issue("IP:127.0.0.1");
    let old = "ssl_protocols TLSv1 TLSv1.1; ssl_ciphers DEFAULT@SECLEVEL=0;";
    let server = nginx(&certificate, &format!("{old} {REFUSES}"));
    let origin = format!("https://127.0.0.1:{}", server.port);
    let output = login(&origin, "", &[("SSL_CERT_FILE", &authority.pem())]);
    let (code, text) = told(&output, &[&server]);
    assert_eq!(
        text,
        "error: the TLS connection to 127.0.0.1:PORT0 failed: it offers neither TLS 1.2 nor 1.3\n\
         hint:  older TLS versions are not secure; the administrator of the server or the proxy must enable a newer one\n"
    );
    assert_eq!(code, Some(6));
}

#[test]
fn authorities_are_named_in_either_case() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("IP:127.0.0.1"), REFUSES);
    let origin = format!("https://127.0.0.1:{}", server.port);
    let pem = authority.pem();
    let with_newline = format!("{}\r\n", pem.display());
    for (variable, named) in [
        ("ssl_cert_file", pem.as_path()),
        ("ssl_cert_file", Path::new(&with_newline)),
        ("ssl_cert_dir", pem.parent().unwrap()),
    ] {
        assert!(
            arrives(&login(&origin, "", &[(variable, named)])),
            "{variable}"
        );
    }
}

/// The certificate is refused by those that the system trusts, and not for want of any.
#[test]
fn an_empty_variable_names_no_authority() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("IP:127.0.0.1"), REFUSES);
    let origin = format!("https://127.0.0.1:{}", server.port);
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let (code, text) = told(&login(&origin, "", &[(variable, Path::new(""))]), &[]);
        assert!(text.contains("does not trust its issuer"), "{text}");
        assert_eq!(code, Some(6));
    }
}

#[test]
fn a_variable_that_names_no_proxy_is_not_passed_over() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("IP:0.0.0.0"), REFUSES);
    let origin = format!("https://{THIS_MACHINE}:{}", server.port);
    let trusted = authority.pem();
    for (variable, value) in [
        ("HTTPS_PROXY", "::::"),
        ("https_proxy", "garbage::"),
        ("ALL_PROXY", "ftp://someone:planted@proxy.example"),
    ] {
        let mut variables = vec![
            (variable, Path::new(value)),
            ("SSL_CERT_FILE", trusted.as_path()),
        ];
        let (code, text) = told(&login(&origin, "", &variables), &[]);
        assert!(
            text.contains(&format!("{variable} does not contain a proxy address")),
            "{text}"
        );
        assert!(!text.contains(value) && !text.contains("planted"), "{text}");
        assert_eq!(code, Some(2));
        variables.push(("NO_PROXY", Path::new(THIS_MACHINE)));
        assert!(arrives(&login(&origin, "", &variables)), "{variable}");
    }
}

#[test]
fn a_password_that_cuts_the_address_of_its_proxy_is_refused() {
    for (value, words) in [
        ("http://someone:pl@nted@127.0.0.1:1", "percent-encode it"),
        ("http://someone:pl/nted@127.0.0.1:1", "percent-encode it"),
        ("http://127.0.0.1:99999", "ports go from 1 to 65535"),
    ] {
        let variable = ("HTTPS_PROXY", Path::new(value));
        let (code, text) = told(&login("https://idp.example", "", &[variable]), &[]);
        assert!(text.contains(words) && !text.contains("nted"), "{text}");
        assert_eq!(code, Some(2));
    }
}

#[test]
fn a_proxy_that_speaks_no_tls_is_named() {
    let proxy = plain_nginx(REFUSES);
    assert_blamed(
        &format!("https://127.0.0.1:{}", proxy.port),
        "does not speak TLS, so idp.example was not reached",
    );
}

#[test]
fn a_variable_that_names_no_certificates_is_named() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("IP:127.0.0.1"), REFUSES);
    let origin = format!("https://127.0.0.1:{}", server.port);
    let with_newline = format!("{}\n", authority.pem().display());
    for (file, reason) in [
        ("/dev/null", "it contains no certificate in PEM format"),
        ("/nonexistent.pem", "No such file or directory"),
        ("/tmp", "it is a folder"),
        (with_newline.as_str(), "\\n\": No such file or directory"),
    ] {
        let variable = ("SSL_CERT_FILE", Path::new(file));
        let (code, text) = told(&login(&origin, "", &[variable]), &[]);
        assert!(
            text.contains("SSL_CERT_FILE names ") && text.contains(reason),
            "{text}"
        );
        assert_eq!(code, Some(2));
    }
}

/// An address that is no loopback address to us, so that a proxy is used, and yet leads to this machine.
const THIS_MACHINE: &str = "0.0.0.0";

#[test]
fn a_proxy_that_wants_a_password_says_so_and_takes_it() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("IP:0.0.0.0"), REFUSES);
    let proxy = tinyproxy(server.port, "BasicAuth someone planted1");
    let origin = format!("https://{THIS_MACHINE}:{}", server.port);
    let through = |user: &str, variable: &str| {
        let address = format!("http://{user}127.0.0.1:{}", proxy.port);
        let trusted = authority.pem();
        login(
            &origin,
            "",
            &[(variable, Path::new(&address)), ("SSL_CERT_FILE", &trusted)],
        )
    };
    let (code, text) = told(&through("", "HTTPS_PROXY"), &[&server, &proxy]);
    assert_eq!(
        text,
        "error: the proxy 127.0.0.1:PORT1 wants a user name and a password (407), so 0.0.0.0:PORT0 was not reached\n\
         hint:  set the user name and password in the proxy variable: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT\n"
    );
    assert_eq!(code, Some(6));
    let (code, text) = told(&through("someone:planted2@", "HTTPS_PROXY"), &[]);
    assert!(text.contains("check the user name and password"), "{text}");
    assert!(!text.contains("planted2"), "{text}");
    assert_eq!(code, Some(6));
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        assert!(
            arrives(&through("someone:planted1@", variable)),
            "{variable}"
        );
    }
}

#[test]
fn a_proxy_that_forbids_the_host_is_named() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("IP:0.0.0.0"), REFUSES);
    let proxy = tinyproxy(1, "");
    let origin = format!("https://{THIS_MACHINE}:{}", server.port);
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let trusted = authority.pem();
    let mut variables = vec![
        ("HTTPS_PROXY", Path::new(&address)),
        ("SSL_CERT_FILE", &trusted),
    ];
    let (code, text) = told(&login(&origin, "", &variables), &[&server, &proxy]);
    assert_eq!(
        text,
        "error: the proxy 127.0.0.1:PORT1 answered 403, so 0.0.0.0:PORT0 was not reached\n\
         hint:  ask the proxy's administrator to allow this host, or add the host to NO_PROXY\n"
    );
    assert_eq!(code, Some(6));
    variables.push(("NO_PROXY", Path::new(THIS_MACHINE)));
    assert!(arrives(&login(&origin, "", &variables)));
}

#[test]
fn a_proxy_s_answer_is_told_with_its_number() {
    type Headers = &'static [(&'static str, &'static str)];
    const NTLM: Headers = &[
        ("Proxy-Authenticate", "Negotiate"),
        ("Proxy-Authenticate", "NTLM"),
    ];
    const BASIC: Headers = &[
        ("Proxy-Authenticate", "NTLM"),
        ("Proxy-Authenticate", "Basic realm=\"x\""),
    ];
    const SIGN_IN: Headers = &[("Location", "http://portal.example/")];
    for (status, headers, words, hint) in [
        (403, &[] as Headers, "answered 403", "allow this host"),
        (502, &[], "answered 502", "try again"),
        (302, SIGN_IN, "answered 302", "sign-in page"),
        (
            407,
            NTLM,
            "not supported: NTLM, Negotiate or Digest (407)",
            "px or cntlm",
        ),
        (
            407,
            BASIC,
            "wants a user name and a password (407)",
            "HTTPS_PROXY=http://USER",
        ),
        (
            407,
            &[],
            "wants a user name and a password (407)",
            "HTTPS_PROXY=http://USER",
        ),
    ] {
        let proxy = ApiServer::start(move |_| reply(status, headers, ""));
        let address = proxy
            .origin()
            .replace("http://", "http://someone:planted1@");
        let variable = ("HTTPS_PROXY", Path::new(&address));
        let (code, text) = told(&login("https://idp.example", "", &[variable]), &[]);
        assert!(
            text.contains(words) && text.contains(hint),
            "{status}: {text}"
        );
        assert!(
            text.contains("idp.example was not reached") && !text.contains("planted1"),
            "{text}"
        );
        assert_eq!(code, Some(6));
        // The second question is the first one's twin.
        let asked = proxy.asked();
        assert!(asked.len() > 1, "{asked:?}");
        for question in asked {
            assert_eq!(
                (question.method.as_str(), question.target.as_str()),
                ("CONNECT", "idp.example:443")
            );
            assert!(
                question.header("proxy-authorization").is_some(),
                "{question:?}"
            );
        }
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let dead = DeadPort::new();
    assert_blamed(
        &format!("http://127.0.0.1:{}", dead.port),
        "refused the connection, so idp.example was not reached",
    );
}

/// A login through this proxy ends with these words. Its name is the proxy's to resolve, so nobody here asks for it.
fn assert_blamed(proxy: &str, words: &str) {
    let variable = ("HTTPS_PROXY", Path::new(proxy));
    let (code, text) = told(&login("https://idp.example", "", &[variable]), &[]);
    assert!(text.contains(words), "{text}");
    assert_eq!(code, Some(6));
}

#[test]
fn loopback_goes_through_no_proxy() {
    let authority = Authority::new();
    let server = nginx(&authority.issue("IP:127.0.0.1"), REFUSES);
    let dead = DeadPort::new();
    let address = format!("http://127.0.0.1:{}", dead.port);
    let trusted = authority.pem();
    let variables = [
        ("ALL_PROXY", Path::new(&address)),
        ("SSL_CERT_FILE", trusted.as_path()),
    ];
    assert!(arrives(&login(
        &format!("https://127.0.0.1:{}", server.port),
        "",
        &variables
    )));
}

#[test]
fn a_name_without_an_address_is_a_matter_of_dns() {
    // A label of 64 letters is no name in DNS (RFC 1035 §2.3.4), so the resolver asks nobody.
    let host = format!("{}.example", "x".repeat(64));
    let (code, text) = told(&login(&format!("https://{host}"), "", &[]), &[]);
    assert_eq!(
        text,
        format!(
            "error: the name {host} could not be resolved (DNS)\n\
             hint:  check the network and the name; behind a proxy, set HTTPS_PROXY\n"
        )
    );
    assert_eq!(code, Some(6));
}

#[test]
fn a_proxy_without_an_address_is_named() {
    assert_blamed(
        &format!("http://{}.example:3128", "x".repeat(64)),
        ".example:3128 could not be found (DNS), so idp.example was not reached",
    );
}

#[test]
fn a_port_without_a_server_refuses() {
    let dead = DeadPort::new();
    let origin = format!("https://127.0.0.1:{}", dead.port);
    let (code, text) = told(&login(&origin, "", &[]), &[]);
    assert!(text.contains("refused the connection"), "{text}");
    assert_eq!(code, Some(6));
}

#[test]
fn a_sign_in_page_of_the_network_is_recognised() {
    let authority = Authority::new();
    let trusted = authority.pem();
    for locations in [
        "location / { default_type text/html; return 200 '<html>Welcome to the airport</html>'; }",
        "location / { return 302 http://portal.example/; }",
        "location / { default_type text/html; return 511 '<html>sign in</html>'; }",
    ] {
        let server = nginx(&authority.issue("IP:127.0.0.1"), locations);
        let origin = format!("https://127.0.0.1:{}", server.port);
        let output = login(&origin, "", &[("SSL_CERT_FILE", &trusted)]);
        let (code, text) = told(&output, &[&server]);
        assert!(text.contains("sign-in page"), "{locations}: {text}");
        assert!([Some(6), Some(8)].contains(&code), "{code:?}");
    }
}
