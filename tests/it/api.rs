//! `api`: what is sent, what is told, and where the token never goes.

use std::io::Read;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::api::{ApiServer, Asked, Reply, bytes, gzip, json, packed, reply};
use crate::harness::home::{Ended, Home, ended};

const TOKEN: &str = "planted-access-token";

/// A home whose two providers have their APIs at `server`.
fn home(server: &ApiServer) -> Home {
    let home = Home::new();
    home.configure(&format!(
        "[providers.semrush]\napi_base = \"{0}/apis/v4/\"\n[providers.ahrefs]\napi_base = \"{0}/v3\"\n",
        server.origin()
    ));
    home
}

fn command(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command(&["api"]);
    command
        .args(args)
        .env("SEO_AUTH_SEMRUSH_TOKEN", TOKEN)
        .env("SEO_AUTH_AHREFS_TOKEN", TOKEN);
    command
}

/// `seo-auth api` with a token in the environment. Nothing that it writes holds that token.
fn api(home: &Home, args: &[&str]) -> Ended {
    let ended = ended(command(home, args), "");
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains(TOKEN), "{ended:?}");
    }
    ended
}

#[test]
fn a_trace_tells_of_the_answer_and_shows_no_token() {
    for (content_type, shown) in [
        ("application/json", "application/json"),
        ("text/planted-access-token", "text/[access_token]"),
    ] {
        let answer = move |_: &Asked| reply(200, &[("Content-Type", content_type)], "{}");
        let server = ApiServer::start(answer);
        let told = api(&home(&server), &["ahrefs", "units", "-vv"]).expect(0);
        let line = format!("< {shown}, 2 bytes");
        assert!(told.stderr.contains(&line), "{told:?}");
        let less = api(&home(&server), &["ahrefs", "units", "-v"]).expect(0);
        assert!(!less.stderr.contains(" bytes"), "{less:?}");
    }
}

/// One shape of an answer, and what `api` makes of it.
struct Shape {
    name: &'static str,
    provider: &'static str,
    answer: fn() -> Reply,
    stdout: &'static str,
    /// The code of the error on stderr; empty where nothing is told.
    told: &'static str,
    /// Words of the message.
    words: &'static str,
    /// The exit code, but for `--no-fail`.
    fail: i32,
}

const OK: &str =
    r#"{"meta":{"success":true,"status_code":200,"request_id":"r1"},"data":[{"id":1.50}]}"#;

#[rustfmt::skip]
const SHAPES: &[Shape] = &[
    Shape { name: "success", provider: "semrush", answer: || json(200, OK), stdout: "[{\"id\":1.50}]\n", told: "", words: "", fail: 0 },
    Shape { name: "success as it comes", provider: "ahrefs", answer: || json(200, "{\"a\": [1, 2]}\n"), stdout: "{\"a\": [1, 2]}\n", told: "", words: "", fail: 0 },
    Shape { name: "no data", provider: "semrush", answer: || json(200, r#"{"meta":{"success":true},"data":null}"#), stdout: "null\n", told: "", words: "", fail: 0 },
    Shape { name: "null", provider: "ahrefs", answer: || json(200, "null"), stdout: "null\n", told: "", words: "", fail: 0 },
    Shape { name: "another type without a line's end", provider: "ahrefs", answer: || reply(200, &[("Content-Type", "text/csv")], "a,b\n1,2"), stdout: "a,b\n1,2", told: "", words: "", fail: 0 },
    Shape { name: "another type", provider: "ahrefs", answer: || reply(200, &[("Content-Type", "text/csv")], "a,b\n1,2\n"), stdout: "a,b\n1,2\n", told: "", words: "", fail: 0 },
    Shape { name: "no content", provider: "ahrefs", answer: || reply(204, &[], ""), stdout: "", told: "", words: "", fail: 0 },
    Shape { name: "error object", provider: "semrush", answer: || json(400, r#"{"meta":{"success":false,"status_code":400,"request_id":"IAD-7"},"error":{"code":120200,"message":"This was bad"}}"#), stdout: "", told: "api_error", words: "400: This was bad (code 120200, request IAD-7)", fail: 1 },
    Shape { name: "error inside a 200", provider: "semrush", answer: || json(200, r#"{"meta":{"success":false,"status_code":400},"error":{"code":400,"message":"Invalid request."}}"#), stdout: "", told: "api_error", words: "400: Invalid request", fail: 1 },
    Shape { name: "flat error", provider: "semrush", answer: || json(400, r#"{"code":511,"message":"Unknown error"}"#), stdout: "", told: "api_error", words: "Unknown error (code 511)", fail: 1 },
    Shape { name: "scope missing", provider: "semrush", answer: || json(403, r#"{"meta":{"success":false,"status_code":403},"error":{"code":403,"message":"Scope projects.info is required"}}"#), stdout: "", told: "api_scope_missing", words: "Scope projects.info is required", fail: 1 },
    Shape { name: "token refused", provider: "semrush", answer: || json(401, r#"{"meta":{"success":false,"status_code":401},"error":{"code":401,"message":"Unauthorized"}}"#), stdout: "", told: "api_unauthorized", words: "401: Unauthorized", fail: 4 },
    Shape { name: "too many", provider: "semrush", answer: || json(429, r#"{"code":429,"message":"Slow down"}"#), stdout: "", told: "api_rate_limited", words: "429: Slow down", fail: 6 },
    Shape { name: "550", provider: "semrush", answer: || json(550, r#"{"error":{"code":550,"message":"Internal"}}"#), stdout: "", told: "api_failing", words: "550: Internal", fail: 6 },
    Shape { name: "554 from a gateway", provider: "semrush", answer: || reply(554, &[("Content-Type", "text/html")], "<html>late</html>"), stdout: "", told: "api_failing", words: "554: the answer is a web page", fail: 6 },
    Shape { name: "502 from a gateway", provider: "ahrefs", answer: || reply(502, &[("Content-Type", "text/html")], "<html>bad gateway</html>"), stdout: "", told: "api_failing", words: "502: the answer is a web page", fail: 6 },
    Shape { name: "407 from a proxy", provider: "ahrefs", answer: || reply(407, &[("Content-Type", "text/html")], "<html>who are you?</html>"), stdout: "", told: "proxy", words: "407: the answer is a web page", fail: 6 },
    Shape { name: "408 from a proxy", provider: "ahrefs", answer: || reply(408, &[], ""), stdout: "", told: "api_failing", words: "408: the answer is an empty body", fail: 6 },
    Shape { name: "HTML with a 200", provider: "semrush", answer: || reply(200, &[("Content-Type", "text/html")], "<!DOCTYPE html><p>Welcome to the hotel"), stdout: "", told: "not_the_api", words: "200 with a web page", fail: 8 },
    Shape { name: "empty", provider: "semrush", answer: || json(200, ""), stdout: "", told: "not_the_api", words: "200 with an empty body", fail: 8 },
    Shape { name: "malformed", provider: "semrush", answer: || json(200, r#"{"meta":{"success":tr"#), stdout: "", told: "not_the_api", words: "JSON that is cut short or malformed", fail: 8 },
    Shape { name: "Ahrefs' text", provider: "ahrefs", answer: || json(400, r#"{"error":"bad column"}"#), stdout: "", told: "api_error", words: "400: bad column", fail: 1 },
    Shape { name: "Ahrefs' list", provider: "ahrefs", answer: || json(403, r#"["Error","Forbidden"]"#), stdout: "", told: "api_forbidden", words: "403: Forbidden", fail: 1 },
    Shape { name: "Ahrefs' list inside a 200", provider: "ahrefs", answer: || json(200, r#"["Error","Forbidden"]"#), stdout: "", told: "api_error", words: "200 with an error: Forbidden", fail: 1 },
    Shape { name: "units used up", provider: "ahrefs", answer: || json(403, r#"{"error":"API units limit reached"}"#), stdout: "", told: "api_units_used_up", words: "API units limit reached", fail: 1 },
    Shape { name: "a server that repeats the token", provider: "ahrefs", answer: || json(400, r#"{"error":"planted-access-token is no good"}"#), stdout: "", told: "api_error", words: "[access_token] is no good", fail: 1 },
    Shape { name: "a server that draws on the terminal", provider: "ahrefs", answer: || json(400, "{\"error\":\"\\u001b[2J\\u202egone\"}"), stdout: "", told: "api_error", words: "400: [2Jgone", fail: 1 },
];

#[test]
fn each_shape_of_an_answer_is_understood() {
    for shape in SHAPES {
        let answer = shape.answer;
        let server = ApiServer::start(move |_| answer());
        let home = home(&server);
        let name = shape.name;
        let plain = api(&home, &[shape.provider, "x", "--json", "--no-fail"]).expect(0);
        assert_eq!(plain.stdout, shape.stdout, "{name}");
        let failing = api(&home, &[shape.provider, "x", "--json"]).expect(shape.fail);
        assert_eq!(failing.stdout, shape.stdout, "{name}");
        if shape.told.is_empty() {
            assert_eq!(
                (plain.stderr.as_str(), failing.stderr.as_str()),
                ("", ""),
                "{name}"
            );
            continue;
        }
        for (told, code) in [(&plain.stderr, 0), (&failing.stderr, shape.fail)] {
            let error: serde_json::Value = serde_json::from_str(told).unwrap();
            assert_eq!(error["schema"], "seo-auth.error.v1", "{name}");
            assert_eq!(error["code"], shape.told, "{name}");
            assert_eq!(error["exit_code"], code, "{name}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(shape.words), "{name}: {message}");
        }
    }
}

#[test]
fn raw_gives_the_bytes_of_any_answer() {
    for (status, body, code) in [
        (200, OK, 0),
        (404, "<html>no", 1),
        (503, "", 6),
        (200, "<html>hotel", 8),
    ] {
        let server =
            ApiServer::start(move |_| reply(status, &[("Content-Type", "text/html")], body));
        let home = home(&server);
        let raw = api(&home, &["semrush", "x", "--raw", "--no-fail"]).expect(0);
        assert_eq!((raw.stdout.as_str(), raw.stderr.as_str()), (body, ""));
        let raw = api(&home, &["semrush", "x", "--raw", "--fail"]).expect(code);
        assert_eq!(raw.stdout, body);
        let with_head = api(&home, &["semrush", "x", "--raw", "-i", "--no-fail"])
            .expect(0)
            .stdout;
        assert!(
            with_head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{with_head}"
        );
        assert!(with_head.ends_with(&format!("\n\n{body}")), "{with_head}");
    }
}

#[test]
fn what_is_no_text_comes_to_the_byte() {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\xff";
    let server = ApiServer::start(|_| bytes(200, &[("Content-Type", "image/png")], PNG));
    let home = home(&server);
    for args in [
        &["ahrefs", "x"][..],
        &["semrush", "x"],
        &["ahrefs", "x", "--raw"],
    ] {
        let output = command(&home, args).output().unwrap();
        assert_eq!(output.stdout, PNG, "{args:?}: {output:?}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn compressed_answers_are_asked_for_and_unpacked() {
    const REFUSAL: &str = r#"{"error":"This was bad"}"#;
    let server = ApiServer::start(|asked| {
        let json = [("Content-Type", "application/json")];
        match (asked.header("accept-encoding"), asked.target.as_str()) {
            (Some("gzip"), "/v3/bad") => gzip(400, &json, REFUSAL.as_bytes()),
            (Some("gzip"), "/v3/empty") => bytes(204, &[("Content-Encoding", "gzip")], b""),
            (Some("gzip"), _) => gzip(200, &json, OK.as_bytes()),
            _ => reply(200, &json, "[]"),
        }
    });
    let home = home(&server);
    let plain = api(&home, &["semrush", "x"]).expect(0);
    assert_eq!(plain.stdout, "[{\"id\":1.50}]\n");
    let raw = api(&home, &["semrush", "x", "--raw", "-i"])
        .expect(0)
        .stdout;
    assert!(raw.ends_with(OK), "{raw}");
    assert!(!raw.contains("content-encoding"), "{raw}");
    let bad = api(&home, &["ahrefs", "bad"]).expect(1);
    assert!(bad.stderr.contains("400: This was bad"), "{bad:?}");
    assert_eq!(api(&home, &["ahrefs", "empty"]).expect(0).stdout, "");
    // A part of what is packed can't be unpacked, and whoever wants it otherwise says so.
    let part = ["ahrefs", "x", "-H", "Range: bytes=0-1"];
    assert_eq!(api(&home, &part).expect(0).stdout, "[]\n");
    let own = ["ahrefs", "x", "-H", "Accept-Encoding: identity"];
    assert_eq!(api(&home, &own).expect(0).stdout, "[]\n");
}

/// RFC 9110 §8.4.1, RFC 1952 §2.2: a report in several members is one report.
#[test]
fn whatever_gzip_is_called_and_however_it_is_cut_it_is_unpacked_whole() {
    for (coding, body, told) in [
        ("x-gzip", packed(b"a,b\n"), Ok("a,b\n")),
        ("GZIP", packed(b"a,b\n"), Ok("a,b\n")),
        (
            "gzip",
            [packed(b"a,"), packed(b"b\n")].concat(),
            Ok("a,b\n"),
        ),
        ("gzip", packed(b""), Ok("")),
        ("identity", b"a,b\n".to_vec(), Ok("a,b\n")),
        ("gzip", packed(b"a,b\n")[..15].to_vec(), Err("unpacked")),
        ("gzip", b"a,b\n".to_vec(), Err("unpacked")),
    ] {
        let headers = [("Content-Type", "text/csv"), ("Content-Encoding", coding)];
        let server = ApiServer::start(move |_| bytes(201, &headers, &body));
        let home = home(&server);
        for args in [&["ahrefs", "x"][..], &["ahrefs", "x", "--raw"]] {
            let ended = api(&home, args);
            match told {
                Ok(text) => assert_eq!(ended.expect(0).stdout, text, "{coding}"),
                Err(why) => assert!(ended.expect(6).stderr.contains(why)),
            }
        }
    }
}

/// 65 MiB in 65 kB: what is held has a bound, and it is that of what was unpacked.
#[test]
fn a_small_answer_that_unpacks_into_a_large_one_is_refused() {
    let server = ApiServer::start(|_| gzip(200, &[], &vec![b' '; 65 << 20]));
    let ended = api(&home(&server), &["ahrefs", "x", "--json"]).expect(1);
    assert!(ended.stderr.contains("too_large"), "{ended:?}");
    assert_eq!(ended.stdout, "");
}

/// Such an address can't be sent, and nothing was.
#[test]
fn an_address_that_is_too_long_is_a_mistake_in_the_call() {
    let server = ApiServer::start(|_| json(200, "{}"));
    let home = home(&server);
    let long = "a".repeat(100_000);
    let parameter = format!("q={long}");
    for args in [&["ahrefs", &long][..], &["ahrefs", "x", "-f", &parameter]] {
        let ended = api(&home, args).expect(2);
        assert!(ended.stderr.contains("longer than 65534 characters"));
    }
    assert!(server.asked().is_empty());
    api(&home, &["ahrefs", "x", "-X", "POST", "-f", &parameter]).expect(0);
    // What a server redirects to is its own mistake.
    let server = ApiServer::start(move |_| reply(302, &[("Location", &long)], ""));
    api(&self::home(&server), &["ahrefs", "x"]).expect(8);
}

#[test]
fn an_answer_that_breaks_off_is_no_answer() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"meta\"";
    for whole in [&cut[..], &cut[..20], b""] {
        let server = ApiServer::start(move |_| Reply::Raw(whole.to_vec()));
        let ended = api(&home(&server), &["semrush", "x"]).expect(6);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains("broke"), "{ended:?}");
    }
}

#[test]
fn parameters_go_into_the_query_or_the_body() {
    let server = ApiServer::start(|_| json(200, "{}"));
    let home = home(&server);
    api(
        &home,
        &["ahrefs", "/a/b?q=x%2Fy", "-f", "name=a b", "-F", "n=1"],
    )
    .expect(0);
    api(
        &home,
        &[
            "ahrefs",
            "a",
            "-X",
            "post",
            "-f",
            "name=1",
            "-F",
            "n=1",
            "-f",
            "l[]=x",
            "-H",
            "X-Mine: yes",
        ],
    )
    .expect(0);
    let input = ended(
        command(
            &home,
            &[
                "semrush",
                "a",
                "--input",
                "-",
                "-H",
                "content-type: text/plain",
            ],
        ),
        "as it is",
    );
    assert_eq!(input.code, Some(0), "{input:?}");
    let url = format!("{}/elsewhere?x=1", server.origin());
    api(&home, &["semrush", &url]).expect(0);
    let asked = server.asked();
    let seen: Vec<_> = asked
        .iter()
        .map(|asked| {
            (
                asked.method.as_str(),
                asked.target.as_str(),
                asked.body.as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("GET", "/v3/a/b?q=x%2Fy&name=a+b&n=1", ""),
            ("POST", "/v3/a", r#"{"name":"1","l":["x"],"n":1}"#),
            ("POST", "/apis/v4/a", "as it is"),
            ("GET", "/elsewhere?x=1", ""),
        ]
    );
    assert_eq!(asked[1].header("x-mine"), Some("yes"));
    assert_eq!(asked[1].header("content-type"), Some("application/json"));
    assert_eq!(asked[2].header("content-type"), Some("text/plain"));
    assert!(asked.iter().all(|asked| asked.bearer() == Some(TOKEN)));
}

#[test]
fn no_real_token_goes_to_a_sandbox() {
    let server = ApiServer::start(|_| json(200, "{}"));
    let home = Home::new();
    let login = home.command(&["login", "semrush", "--with-token", "--store", "file"]);
    ended(login, TOKEN).expect(0);
    let mut call = home.command(&["api", "semrush", "x", "--profile", "default"]);
    call.env("SEO_AUTH_SANDBOX", server.origin());
    let refused = ended(call, "").expect(2);
    assert!(refused.stderr.contains("is a real one"), "{refused:?}");
    assert!(server.asked().is_empty());
}

#[test]
fn a_call_that_could_lead_elsewhere_is_not_sent() {
    let server = ApiServer::start(|_| json(200, "{}"));
    let other = ApiServer::start(|_| json(200, "{}"));
    let home = home(&server);
    let elsewhere = other.origin();
    let with_user = server.origin().replace("http://", "http://user@");
    let as_user = format!(
        "http://127.0.0.1@{}",
        other.origin().trim_start_matches("http://")
    );
    let other_scheme = server.origin().replace("http://", "https://");
    let other_name = server.origin().replace("127.0.0.1", "localhost");
    for path in [
        elsewhere.as_str(),
        &with_user,
        &as_user,
        &other_scheme,
        &other_name,
        "//127.0.0.1/x",
        "/\\x",
        "\\x",
        "user@x/y",
        "../x",
        "a/%2e%2e/x",
        "https:x",
        "a#b",
        "a\nb",
    ] {
        let ended = api(&home, &["semrush", path]).expect(2);
        assert_eq!(ended.stdout, "", "{path}");
    }
    for args in [
        &["-H", "Authorization: Bearer mine"][..],
        &["-H", "Host: evil.example"],
        &["-H", "X: a\r\nAuthorization: b"],
        &["-H", "no colon"],
        &["-f", "no-value"],
        &["-F", "a=@/no/such/file"],
        &["--input", "/no/such/file"],
        &["-X", "TRACE"],
        &["-X", "GET /"],
    ] {
        let ended = api(&home, &[&["semrush", "x"][..], args].concat()).expect(2);
        assert_eq!(ended.stdout, "", "{args:?}");
    }
    assert!(server.asked().is_empty() && other.asked().is_empty());
}

#[test]
fn a_redirect_never_takes_the_token_to_another_origin() {
    let other = ApiServer::start(|_| json(200, r#"{"stolen":true}"#));
    let other_port = other.origin();
    for status in [301, 302, 303, 307, 308] {
        for to in [
            format!("{other_port}/x"),
            other_port.replace("127.0.0.1", "localhost"),
            other_port.replace("127.0.0.1", "127.0.0.2"),
            other_port.replace("http://", "https://"),
            other_port.replace("http:", ""),
        ] {
            let location = to.clone();
            let server = ApiServer::start(move |_| reply(status, &[("Location", &location)], ""));
            for method in ["GET", "POST"] {
                let ended =
                    api(&home(&server), &["semrush", "x", "-X", method, "--fail"]).expect(8);
                assert_eq!(ended.stdout, "");
                assert!(
                    ended.stderr.contains("a redirect to http"),
                    "{to}: {ended:?}"
                );
            }
        }
    }
    // The same host and port by another scheme or name is another origin, too.
    let server = ApiServer::start(|asked| {
        let host = asked.header("host").unwrap();
        let to = match asked.target.as_str() {
            "/apis/v4/scheme" => format!("https://{host}/y"),
            "/apis/v4/name" => format!("http://{}/y", host.replace("127.0.0.1", "localhost")),
            _ => format!("http://user@{host}/y"),
        };
        reply(302, &[("Location", &to)], "")
    });
    for path in ["scheme", "name", "user"] {
        api(&home(&server), &["semrush", path, "--fail"]).expect(8);
    }
    assert_eq!(server.asked().len(), 3, "{:?}", server.asked());
    assert!(other.asked().is_empty(), "{:?}", other.asked());
}

#[test]
fn a_redirect_on_the_origin_is_followed_a_few_times() {
    let server = ApiServer::start(|asked| match asked.target.as_str() {
        "/v3/moved" => reply(301, &[("Location", "/v3/there?x=1")], ""),
        "/v3/kept" => reply(307, &[("Location", "there")], ""),
        "/v3/see" => reply(303, &[("Location", "there")], ""),
        "/v3/round" => reply(302, &[("Location", "round")], ""),
        _ => json(200, "{}"),
    });
    let home = home(&server);
    api(&home, &["ahrefs", "moved"]).expect(0);
    api(&home, &["ahrefs", "kept", "-X", "POST", "-f", "a=b"]).expect(0);
    api(&home, &["ahrefs", "see", "-X", "POST", "-f", "a=b"]).expect(0);
    let seen: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|asked| asked.target.contains("there"))
        .map(|asked| (asked.method, asked.target, asked.body))
        .collect();
    let own = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        seen,
        [
            own("GET", "/v3/there?x=1", ""),
            own("POST", "/v3/there", r#"{"a":"b"}"#),
            own("GET", "/v3/there", "")
        ]
    );
    let round = api(&home, &["ahrefs", "round", "--json"]).expect(8);
    assert_eq!(round.stdout, "");
    assert!(round.stderr.contains("endless_redirects"), "{round:?}");
    let rounds = server
        .asked()
        .iter()
        .filter(|asked| asked.target == "/v3/round")
        .count();
    assert_eq!(rounds, 6, "the request and five redirects");
}

#[test]
fn a_server_that_asks_to_wait_is_waited_for_once_it_may_be_asked_again() {
    let count = AtomicUsize::new(0);
    let server = ApiServer::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => reply(429, &[("Retry-After", "1")], ""),
        1 => reply(503, &[("Retry-After", "0")], ""),
        _ => json(200, "{}"),
    });
    let ended = api(&home(&server), &["ahrefs", "x", "--fail"]).expect(0);
    assert!(
        ended.stderr.contains("429") && ended.stderr.contains("503"),
        "{ended:?}"
    );
    assert_eq!(server.asked().len(), 3);
    // Longer than there is time: the answer stands.
    let server = ApiServer::start(|_| reply(503, &[("Retry-After", "3600")], ""));
    api(&home(&server), &["ahrefs", "x", "--fail"]).expect(6);
    // What a 503 has done is unknown, so a POST is not sent again.
    let server = ApiServer::start(|_| reply(503, &[("Retry-After", "1")], ""));
    api(&home(&server), &["ahrefs", "x", "-X", "POST", "--fail"]).expect(6);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn no_answer_in_time_is_told() {
    let server = ApiServer::start(|_| Reply::Hang);
    let ended = api(&home(&server), &["ahrefs", "x", "--timeout", "1s"]).expect(6);
    assert!(ended.stderr.contains("did not answer in time"), "{ended:?}");
}

/// A provider of which everything is at `server`; signs in there.
fn signed_in(server: &ApiServer) -> Home {
    let home = Home::new();
    home.configure(&format!(
        "[providers.my-idp]\nclient_id = \"app\"\ndevice_authorization_endpoint = \"{0}/device\"\ntoken_endpoint = \"{0}/token\"\napi_base = \"{0}/api/\"\ncheck_path = \"me\"\n",
        server.origin()
    ));
    home.run(&["login", "my-idp", "--store", "file", "--no-browser"])
        .expect(0);
    home
}

/// A login server that issues `at-1`, `at-2`, … and an API that takes those which `takes` likes.
fn issuer(takes: fn(&str) -> bool) -> ApiServer {
    let issued = AtomicUsize::new(0);
    ApiServer::start(move |asked: &Asked| match asked.target.as_str() {
        "/device" => json(
            200,
            r#"{"device_code":"dc","user_code":"AB-CD","verification_uri":"http://127.0.0.1/v","expires_in":60,"interval":1}"#,
        ),
        "/token" => {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            json(
                200,
                &format!(
                    r#"{{"access_token":"at-{number}","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-{number}","scope":"read"}}"#
                ),
            )
        }
        _ if asked.bearer().is_some_and(takes) => json(200, r#"{"ok":true}"#),
        _ => reply(
            401,
            &[("WWW-Authenticate", "Bearer error=\"invalid_token\"")],
            "",
        ),
    })
}

#[test]
fn a_refused_token_is_renewed_once_and_the_request_sent_again() {
    let server = issuer(|token| token == "at-2");
    let home = signed_in(&server);
    let ended = home
        .run(&["api", "my-idp", "x", "-X", "POST", "-f", "a=b", "--fail"])
        .expect(0);
    assert_eq!(ended.stdout, "{\"ok\":true}\n");
    let calls: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|asked| asked.target == "/api/x")
        .collect();
    let tokens: Vec<_> = calls.iter().map(Asked::bearer).collect();
    assert_eq!(tokens, [Some("at-1"), Some("at-2")]);
    assert!(calls.iter().all(|call| call.body == r#"{"a":"b"}"#));
    // From now on the new one is used.
    home.run(&["api", "my-idp", "x", "--raw"]).expect(0);
    assert_eq!(server.asked().last().unwrap().bearer(), Some("at-2"));
}

#[test]
fn a_401_that_a_refresh_does_not_cure_asks_for_a_login() {
    let server = issuer(|_| false);
    let home = signed_in(&server);
    for args in [&["--fail"][..], &["--raw", "--fail"]] {
        let ended = home
            .run(&[&["api", "my-idp", "x"], args].concat())
            .expect(4);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains("seo-auth login my-idp"), "{ended:?}");
    }
    home.run(&["api", "my-idp", "x", "--no-fail"]).expect(0);
    let refreshes = server
        .asked()
        .iter()
        .filter(|asked| asked.body.contains("refresh_token"))
        .count();
    assert_eq!(refreshes, 3, "one for each command");
}

#[test]
fn pages_are_followed_to_the_last() {
    let server = ApiServer::start(|asked| {
        let page: usize = match asked.target.split("page=").nth(1) {
            Some(number) => number.parse().unwrap(),
            None => 0,
        };
        json(
            200,
            &format!(
                r#"{{"meta":{{"success":true}},"data":{{"content":[{{"n":{}}},{{"n":{}.50}}],"last":{},"number":{page}}}}}"#,
                2 * page,
                2 * page + 1,
                page == 2
            ),
        )
    });
    let ended = api(
        &home(&server),
        &["semrush", "campaigns", "-f", "size=2", "--paginate"],
    )
    .expect(0);
    assert_eq!(
        ended.stdout,
        "[{\"n\":0},{\"n\":1.50},{\"n\":2},{\"n\":3.50},{\"n\":4},{\"n\":5.50}]\n"
    );
    let targets: Vec<_> = server
        .asked()
        .into_iter()
        .map(|asked| asked.target)
        .collect();
    assert_eq!(
        targets,
        [
            "/apis/v4/campaigns?size=2",
            "/apis/v4/campaigns?size=2&page=1",
            "/apis/v4/campaigns?size=2&page=2"
        ]
    );
}

#[test]
fn all_pages_come_over_one_connection() {
    let server = ApiServer::start(|asked| {
        let last = asked.target.contains("page=4");
        let number = asked.target.split("page=").nth(1).unwrap_or("0");
        let body = format!(
            r#"{{"meta":{{}},"data":{{"content":[{number}],"last":{last},"number":{number}}}}}"#
        );
        Reply::Kept(
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    });
    let ended = api(&home(&server), &["semrush", "x", "--paginate"]).expect(0);
    assert_eq!(ended.stdout, "[0,1,2,3,4]\n");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_list_that_breaks_off_leaves_stdout_empty() {
    let server = ApiServer::start(|asked| match asked.target.contains("page=1") {
        false => json(
            200,
            r#"{"meta":{},"data":{"content":[1],"last":false,"number":0}}"#,
        ),
        true => json(400, r#"{"code":1,"message":"no more"}"#),
    });
    let home = home(&server);
    let ended = api(&home, &["semrush", "x", "--paginate", "--fail"]).expect(1);
    assert_eq!(ended.stdout, "");
    // Without pages in the answer, and for a provider that documents none, nothing is guessed.
    let plain = ApiServer::start(|_| json(200, OK));
    api(&self::home(&plain), &["semrush", "x", "--paginate"]).expect(2);
    api(&home, &["ahrefs", "x", "--paginate"]).expect(2);
}

#[test]
fn a_closed_stdout_is_no_error() {
    let server = ApiServer::start(|_| Reply::Zeros(1 << 30));
    let home = home(&server);
    let mut child = command(&home, &["semrush", "x", "--raw", "--fail"])
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 100]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
}

/// What Linux says of the memory that a process has had at most, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_gigabyte_streams_through_bounded_memory() {
    const LENGTH: u64 = 1 << 30;
    let server = ApiServer::start(|asked| match asked.target.as_str() {
        "/apis/v4/small" => json(200, OK),
        _ => Reply::Zeros(LENGTH),
    });
    let home = home(&server);
    let mut child = command(&home, &["semrush", "big", "--raw", "--fail"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // The last MiB is more than a pipe holds: the program is still there, waiting for it to be read.
    let mut seen = std::io::copy(
        &mut stdout.by_ref().take(LENGTH - (1 << 20)),
        &mut std::io::sink(),
    )
    .unwrap();
    let peak = peak_memory(child.id());
    seen += std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!((seen, child.wait().unwrap().code()), (LENGTH, Some(0)));
    assert!(peak < 64 << 10, "{peak} KiB for a body of {LENGTH} bytes");
    // Where it would have to be held, it is refused.
    let ended = api(&home, &["semrush", "big"]).expect(1);
    assert!(
        ended.stdout.is_empty() && ended.stderr.contains("--raw"),
        "{ended:?}"
    );
}
