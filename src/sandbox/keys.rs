//! Providers of API keys, as far as a key can be proven on them: each carries and answers its key as the vendor does. A key
//! that begins with `good` is good, so that scripts can try both.

use serde_json::json;

use super::client::basic;
use super::message::{Asked, Reply};

/// Whether a key is one of the sandbox's good ones.
pub(super) fn is_good(key: &str) -> bool {
    key.starts_with("good")
}

/// The answer of the vendor whose request this is, if it is one's; several vendors call a bad key a success.
pub(super) fn answer(asked: &Asked) -> Option<Reply> {
    let (key, good, bad) = match (asked.method.as_str(), asked.path.as_str()) {
        // DataForSEO: HTTP Basic.
        ("GET", "/v3/appendix/user_data") => (
            asked
                .authorization("Basic")
                .and_then(basic)
                .map(|(_, password)| password),
            json!({"status_code": 20_000, "status_message": "Ok.", "tasks": [{"result": [{"money": {"balance": 12.5}}]}]}),
            (
                200,
                json!({"status_code": 40_100, "status_message": "You are not authorized."}),
            ),
        ),
        // Moz: a header, by JSON-RPC.
        ("POST", "/jsonrpc") => (
            asked.header("x-moz-token").map(str::to_owned),
            json!({"jsonrpc": "2.0", "result": {"quota": {"allotted": 3_000, "used": 500, "period_reset": next_month()}}}),
            (
                200,
                json!({"jsonrpc": "2.0", "error": {"code": -32_655, "message": "unauthorized"}}),
            ),
        ),
        // SerpApi: the query. Its answer repeats the key.
        ("GET", "/account.json") => (
            asked.query.get("api_key").map(str::to_owned),
            json!({"api_key": asked.query.get("api_key"), "total_searches_left": 90, "searches_per_month": 100, "this_month_usage": 10}),
            (
                401,
                json!({"error": "Invalid API key. Your API key should be here: https://serpapi.com/manage-api-key"}),
            ),
        ),
        // SE Ranking: `Authorization: Token`.
        ("GET", "/v1/account/subscription") => (
            asked.authorization("Token").map(str::to_owned),
            json!({"subscription_info": {"status": "active", "units_left": 400, "units_limit": 1_000}}),
            (
                401,
                json!({"error": {"code": 401, "message": "Unauthorized"}}),
            ),
        ),
        _ => return None,
    };
    let (status, body) = if key.as_deref().is_some_and(is_good) {
        (200, good)
    } else {
        bad
    };
    Some(Reply::json(status, &body))
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
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

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
