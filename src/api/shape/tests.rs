use std::sync::LazyLock;

use proptest::prelude::*;

use serde_json::Value;

use super::meaning::TEXT_LIMIT;
use super::*;
use crate::secret::AccessToken;

static PROOF: LazyLock<Proof> = LazyLock::new(|| Proof {
    secrets: vec![AccessToken::new("planted-token".to_owned())],
    ..Proof::default()
});

fn answer<'a>(status: u16, content_type: &'a str, body: &'a str) -> Answer<'a> {
    Answer {
        status,
        content_type,
        challenge: "",
        body: body.as_bytes(),
        proof: &PROOF,
    }
}

fn json(envelope: Shape, status: u16, body: &str) -> Meaning<'_> {
    read(envelope, answer(status, "application/json", body))
}

fn refused(envelope: Shape, status: u16, body: &str) -> Refusal {
    match json(envelope, status, body) {
        Meaning::Refused(refusal) => refusal,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn semrush_data_is_unwrapped_to_the_byte() {
    let body = r#"{"meta":{"success":true,"status_code":200},"data":[ {"lat": 34.889669399999995, "id":12345678901234567890} ]}"#;
    assert_eq!(
        json(Shape::Semrush, 200, body),
        Meaning::Json(r#"[ {"lat": 34.889669399999995, "id":12345678901234567890} ]"#)
    );
    for as_it_came in [r#"[1,2]"#, r#"{"result":true}"#, "null", "7"] {
        assert_eq!(
            json(Shape::Semrush, 200, as_it_came),
            Meaning::Json(as_it_came)
        );
    }
    for null in [
        r#"{"meta":{"success":true},"data":null}"#,
        r#"{"data":null}"#,
    ] {
        assert_eq!(json(Shape::Semrush, 200, null), Meaning::Json("null"));
    }
    let nothing = r#"{"meta":{"success":true,"status_code":200}}"#;
    assert_eq!(json(Shape::Semrush, 200, nothing), Meaning::Empty);
}

#[test]
fn semrush_errors_come_in_four_shapes() {
    let wrapped = refused(
        Shape::Semrush,
        400,
        r#"{"meta":{"success":false,"status_code":400,"request_id":"IAD-1"},"error":{"code":120200,"message":"This was bad","description":"Very","details":[{"field":"user_id"}]}}"#,
    );
    assert_eq!(
        (wrapped.status, wrapped.code.as_deref()),
        (400, Some("120200"))
    );
    assert_eq!(
        wrapped.message,
        r#"This was bad: Very: [{"field":"user_id"}]"#
    );
    assert_eq!(wrapped.request_id.as_deref(), Some("IAD-1"));
    let inside_200 = refused(
        Shape::Semrush,
        200,
        r#"{"meta":{"success":false,"status_code":553},"error":{"code":553,"message":"Overload"}}"#,
    );
    assert_eq!(
        (inside_200.status, inside_200.kind, inside_200.code),
        (553, Kind::Failing, None)
    );
    for (status, flat) in [
        (400, r#"{"code":511,"message":"Unknown error"}"#),
        (200, r#"{"code":511,"message":"Unknown error"}"#),
    ] {
        let flat = refused(Shape::Semrush, status, flat);
        assert_eq!(
            (flat.code.as_deref(), flat.message.as_str()),
            (Some("511"), "Unknown error")
        );
    }
    let deprecated = refused(
        Shape::Semrush,
        404,
        r#"{"error":{"code":"RESOURCE_NOT_FOUND","message":"Resource not found."},"requestId":"flb-2"}"#,
    );
    assert_eq!(deprecated.code.as_deref(), Some("RESOURCE_NOT_FOUND"));
    assert_eq!(deprecated.request_id.as_deref(), Some("flb-2"));
}

#[test]
fn ahrefs_errors_come_in_two_shapes_under_any_status() {
    for status in [200, 403] {
        let text = refused(Shape::Ahrefs, status, r#"{"error":"bad where"}"#);
        assert_eq!((text.status, text.message.as_str()), (status, "bad where"));
        let list = refused(Shape::Ahrefs, status, r#"["Error","Forbidden"]"#);
        assert_eq!((list.status, list.message.as_str()), (status, "Forbidden"));
    }
    for data in [r#"{"metrics":{"error":1}}"#, r#"["Errors"]"#] {
        assert_eq!(json(Shape::Ahrefs, 200, data), Meaning::Json(data));
    }
}

#[test]
fn an_error_is_known_by_its_status_and_its_words() {
    for (status, message, kind) in [
        (401, "whatever", Kind::TokenRejected),
        (403, "Missing scope projects.info", Kind::ScopeMissing),
        (403, "API units limit reached", Kind::UnitsUsedUp),
        (400, "API UNITS BALANCE IS ZERO", Kind::UnitsUsedUp),
        (403, "no", Kind::Forbidden),
        (429, "slow down", Kind::TooManyRequests),
        (503, "down", Kind::Failing),
        (550, "down", Kind::Failing),
        (554, "late", Kind::Failing),
        (404, "no unit test found", Kind::Other),
    ] {
        let body = serde_json::json!({ "error": message }).to_string();
        assert_eq!(
            refused(Shape::Ahrefs, status, &body).kind,
            kind,
            "{status} {message}"
        );
    }
}

#[test]
fn the_challenge_names_the_missing_scope() {
    let challenge = r#"Bearer realm="x", error="insufficient_scope", scope="user.id domains.info""#;
    let answer = Answer {
        challenge,
        ..answer(403, "", "")
    };
    let Meaning::Refused(refusal) = read(Shape::Plain, answer) else {
        panic!("a 403 is a refusal")
    };
    assert_eq!(refusal.kind, Kind::ScopeMissing);
    assert_eq!(refusal.scope, ["user.id", "domains.info"]);
    assert!(needed_scope(r#"Bearer scope="a""#, &PROOF).is_empty());
    let repeated = r#"Bearer error="insufficient_scope", scope="a planted-token""#;
    assert_eq!(needed_scope(repeated, &PROOF), ["a", "[access_token]"]);
}

#[test]
fn what_is_not_the_apis_is_named() {
    let html = "<html><body>Sign in to the airport's network</body></html>";
    for (content_type, body, what) in [
        ("text/html; charset=utf-8", html, "a web page"),
        ("application/json", html, "a web page"),
        ("", html, "a web page"),
        (
            "application/json",
            r#"{"meta":{"success":tr"#,
            "JSON that is cut short or malformed",
        ),
        (
            "text/plain",
            r#"{"meta":{"#,
            "JSON that is cut short or malformed",
        ),
        ("text/plain", "hello", "something that is not JSON"),
    ] {
        assert_eq!(
            read(Shape::Semrush, answer(200, content_type, body)),
            Meaning::Foreign(what),
            "{body}"
        );
    }
    assert_eq!(
        read(Shape::Plain, answer(302, "", "")),
        Meaning::Foreign("a redirect")
    );
    assert_eq!(
        read(Shape::Ahrefs, answer(200, "text/csv", "a,b\n")),
        Meaning::Other(b"a,b\n")
    );
    assert_eq!(read(Shape::Plain, answer(204, "", "")), Meaning::Empty);
    assert_eq!(
        read(Shape::Plain, answer(200, "text/plain", "{}")),
        Meaning::Json("{}")
    );
}

#[test]
fn a_refusal_without_words_says_what_came() {
    for (content_type, body, message) in [
        ("text/html", "<html>502</html>", "the answer is a web page"),
        ("", "", "the answer is an empty body"),
    ] {
        let Meaning::Refused(refusal) = read(Shape::Semrush, answer(502, content_type, body))
        else {
            panic!("a 502 is a refusal")
        };
        assert_eq!(
            (refusal.kind, refusal.message.as_str()),
            (Kind::Failing, message)
        );
    }
}

#[test]
fn texts_from_outside_cannot_move_the_cursor() {
    let body = r#"{"error":"\u001b[2Jgone"}"#;
    assert_eq!(refused(Shape::Ahrefs, 400, body).message, "[2Jgone");
}

#[test]
fn a_server_that_repeats_the_token_is_not_quoted_on_it() {
    let long = "x".repeat(TEXT_LIMIT - 4);
    for message in ["no: planted-token", &format!("{long}planted-token")] {
        let body = serde_json::json!({ "error": message, "details": [message] }).to_string();
        let told = refused(Shape::Ahrefs, 400, &body).message;
        assert!(!told.contains("plan"), "{told}");
    }
}

#[test]
fn semrush_pages_lead_on_until_the_last() {
    let page = |body: &str| {
        let page = semrush::page(body)?;
        Some((page.entries.len(), page.next))
    };
    for (body, expected) in [
        (
            r#"{"meta":{},"data":{"content":[1,2],"last":false,"number":0}}"#,
            Some((2, Some(("page", 1)))),
        ),
        (
            r#"{"meta":{},"data":{"content":[3],"last":true,"number":1}}"#,
            Some((1, None)),
        ),
        (
            r#"{"meta":{},"data":{"content":[],"last":false,"number":9}}"#,
            Some((0, None)),
        ),
        (
            r#"{"meta":{"limit":2,"offset":2,"total_count":5},"data":[1,2]}"#,
            Some((2, Some(("offset", 4)))),
        ),
        (
            r#"{"meta":{"limit":2,"offset":4,"total_count":5},"data":[1]}"#,
            Some((1, None)),
        ),
        (r#"{"meta":{},"data":[1]}"#, None),
        (r#"{"meta":{},"data":{}}"#, None),
        ("[1]", None),
    ] {
        assert_eq!(page(body), expected, "{body}");
    }
}

fn body() -> impl Strategy<Value = String> {
    let member = prop_oneof![
        r#""(meta|data|error|code|message|details|request_id)":"#,
        r#""(success|status_code|limit|offset|total_count|content|last|number)":"#,
    ];
    let value = prop_oneof![
        Just("null"),
        Just("true"),
        Just("553"),
        Just("-1e99"),
        Just(r#""\u001b[2J""#),
        Just(r#"["Error","no"]"#),
        Just(r#"{"success":false}"#),
        Just("[1,2]"),
    ];
    let object = proptest::collection::vec((member, value), 0..5).prop_map(|members| {
        let members = members
            .iter()
            .map(|(member, value)| format!("{member}{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    });
    prop_oneof![3 => object, 1 => "\\PC{0,40}"]
}

proptest! {
    #[test]
    fn an_answer_of_any_kind_is_told_truly_and_harmlessly(
        envelope in prop_oneof![Just(Shape::Semrush), Just(Shape::Ahrefs), Just(Shape::Plain)],
        status in prop_oneof![Just(200u16), Just(204), Just(301), Just(304), Just(401), Just(403), Just(553)],
        content_type in prop_oneof![Just(""), Just("application/json"), Just("text/html"), Just("text/csv")],
        body in body(),
    ) {
        match read(envelope, answer(status, content_type, &body)) {
            Meaning::Json(json) => {
                prop_assert!(status < 400 && body.contains(json));
                prop_assert!(serde_json::from_str::<Value>(json).is_ok(), "{json}");
            }
            Meaning::Refused(refusal) => {
                let told = [Some(refusal.message), refusal.code, refusal.request_id];
                let told: String = told.into_iter().flatten().collect();
                prop_assert!(!told.chars().any(char::is_control), "{told:?}");
            }
            Meaning::Other(_) | Meaning::Empty | Meaning::Foreign(_) => prop_assert!(status < 400),
        }
        // A list comes to an end, however long a server says that it is.
        if let Some(page) = semrush::page(&body) {
            prop_assert!(page.next.is_none() || !page.entries.is_empty());
        }
    }
}
