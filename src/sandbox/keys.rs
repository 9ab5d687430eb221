//! Providers of API keys, as far as a key can be proven on them: each carries and answers its key as the vendor does. A key
//! that begins with `good` is good, so that scripts can try both.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::message::{Asked, Reply};

/// One vendor's free request.
struct Played {
    method: &'static str,
    path: &'static str,
    /// What the request carries.
    key: fn(&Asked) -> Option<String>,
    /// What a good key is answered with.
    good: fn(&str) -> Value,
    /// What any other is answered with; several vendors call that a success.
    bad: (u16, fn() -> Value),
}

const PLAYED: &[Played] = &[
    // DataForSEO: HTTP Basic.
    Played {
        method: "GET",
        path: "/v3/appendix/user_data",
        key: password,
        good: |_| json!({"status_code": 20_000, "status_message": "Ok.", "tasks": [{"result": [{"money": {"balance": 12.5}}]}]}),
        bad: (
            200,
            || json!({"status_code": 40_100, "status_message": "You are not authorized."}),
        ),
    },
    // Moz: a header, by JSON-RPC.
    Played {
        method: "POST",
        path: "/jsonrpc",
        key: |asked| asked.header("x-moz-token").map(str::to_owned),
        good: |_| json!({"jsonrpc": "2.0", "result": {"quota": {"allotted": 3_000, "used": 500, "period_reset": next_month()}}}),
        bad: (
            200,
            || json!({"jsonrpc": "2.0", "error": {"code": -32_655, "message": "unauthorized"}}),
        ),
    },
    // SerpApi: the query. Its answer repeats the key.
    Played {
        method: "GET",
        path: "/account.json",
        key: |asked| asked.query.get("api_key").map(str::to_owned),
        good: |key| json!({"api_key": key, "total_searches_left": 90, "searches_per_month": 100, "this_month_usage": 10}),
        bad: (
            401,
            || json!({"error": "Invalid API key. Your API key should be here: https://serpapi.com/manage-api-key"}),
        ),
    },
    // SE Ranking: `Authorization: Token`.
    Played {
        method: "GET",
        path: "/v1/account/subscription",
        key: |asked| asked.authorization("Token").map(str::to_owned),
        good: |_| json!({"subscription_info": {"status": "active", "units_left": 400, "units_limit": 1_000}}),
        bad: (
            401,
            || json!({"error": {"code": 401, "message": "Unauthorized"}}),
        ),
    },
];

/// Whether a key is one of the sandbox's good ones.
pub(super) fn is_good(key: &str) -> bool {
    key.starts_with("good")
}

/// The answer of the vendor whose request this is, if it is one's.
pub(super) fn answer(asked: &Asked) -> Option<Reply> {
    let mut played = PLAYED.iter();
    let played = played.find(|one| one.path == asked.path && one.method == asked.method)?;
    let key = (played.key)(asked).unwrap_or_default();
    Some(match is_good(&key) {
        true => Reply::json(200, &(played.good)(&key)),
        false => Reply::json(played.bad.0, &(played.bad.1)()),
    })
}

fn password(asked: &Asked) -> Option<String> {
    let pair = STANDARD.decode(asked.authorization("Basic")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    pair.split_once(':')
        .map(|(_, password)| password.to_owned())
}

/// When the periods of the vendors begin.
pub(super) fn next_month() -> String {
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let reset = today.last_of_month().tomorrow().unwrap_or(today);
    format!("{reset}T00:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::message::Params;

    #[test]
    fn each_key_is_looked_for_where_its_vendor_does() {
        let basic = format!("Basic {}", STANDARD.encode("me:good-key"));
        for (method, path, header, query) in [
            (
                "GET",
                "/v3/appendix/user_data",
                ("Authorization", basic.as_str()),
                "",
            ),
            ("POST", "/jsonrpc", ("x-moz-token", "good-key"), ""),
            ("GET", "/account.json", ("x", ""), "api_key=good-key"),
            (
                "GET",
                "/v1/account/subscription",
                ("Authorization", "Token good-key"),
                "",
            ),
        ] {
            let asked = |query: &str, header: (&str, &str)| Asked {
                method: method.to_owned(),
                path: path.to_owned(),
                query: Params::parse(query.as_bytes()),
                headers: vec![(header.0.to_owned(), header.1.to_owned())],
                ..Asked::default()
            };
            let good = answer(&asked(query, header)).unwrap();
            let bad = answer(&asked("api_key=bad", ("Authorization", "Bearer good-key"))).unwrap();
            assert_eq!(good.status, 200, "{path}");
            assert_ne!(good.body, bad.body, "{path}");
        }
        assert!(answer(&Asked::default()).is_none());
    }
}
