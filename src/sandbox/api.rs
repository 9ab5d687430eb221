//! The providers' APIs, as far as a token can be proven on them, each with its own shape of success and error.

use std::time::Instant;

use serde_json::{Value, json};

use super::desk::Desk;
use super::fault::{Endpoint, FaultKind};
use super::keys::{is_good, next_month};
use super::message::{Asked, Reply};
use super::tokens::{Persona, fake_secret};

/// How many campaigns the sandbox's Semrush account has: more than one page of a small `size`.
const CAMPAIGNS: usize = 7;

/// What a page holds where nothing is said, and the most that it may hold.
const PAGE_SIZE: usize = 10;
const PAGE_SIZE_LIMIT: usize = 100;

/// Answers a request to one of the APIs.
pub(super) fn answer(
    desk: &mut Desk,
    persona: Persona,
    asked: &Asked,
    now: Instant,
) -> Result<Reply, Reply> {
    let fault = desk.fault(Endpoint::Api);
    if fault == Some(FaultKind::Denied) {
        return Err(error(persona, 403, "Forbidden", "scripted fault"));
    }
    let token = asked.authorization("Bearer");
    let key = match persona {
        Persona::Semrush => asked.authorization("Apikey"),
        Persona::Ahrefs => token,
        Persona::Google | Persona::Generic => None,
    };
    let is_key = key.is_some_and(is_good);
    let admitted = is_key || token.is_some_and(|token| desk.tokens.admits(persona, token, now));
    if !admitted || fault == Some(FaultKind::Expired) {
        // RFC 6750 §3: no error code for a request that brought no token.
        let challenge = match token {
            Some(_) => "Bearer realm=\"sandbox\", error=\"invalid_token\"",
            None => "Bearer realm=\"sandbox\"",
        };
        let why = "The access token is missing, unknown, expired or revoked";
        let refusal = error(persona, 401, "Unauthorized", why);
        return Err(refusal.with("WWW-Authenticate", challenge));
    }
    Ok(match (persona, asked.path.as_str()) {
        (Persona::Semrush, "/apis/v4/map-rank-tracker/v0/campaigns") => campaigns(asked),
        (Persona::Ahrefs, "/v3/subscription-info/limits-and-usage") => limits_and_usage(),
        // No property is shared with the account, which is no fault of the token.
        (Persona::Google, "/webmasters/v3/sites") => Reply::json(200, &json!({})),
        (Persona::Generic, "/generic/api/userinfo") => {
            Reply::json(200, &json!({ "sub": "sandbox" }))
        }
        _ => error(persona, 404, "Not found", "The sandbox has no such path"),
    })
}

/// An error in the provider's own shape.
fn error(persona: Persona, status: u16, message: &str, description: &str) -> Reply {
    let body = match persona {
        Persona::Semrush => json!({
            "meta": meta(status),
            "error": { "code": status, "message": message, "description": description },
        }),
        _ => json!({ "error": format!("{message}: {description}") }),
    };
    Reply::json(status, &body)
}

fn meta(status: u16) -> Value {
    json!({
        "success": status < 400,
        "status_code": status,
        "request_id": fake_secret("request"),
    })
}

/// As Semrush documents "GetCampaigns": `page` counts from 0, `size` says how many a page holds; a page after the last is
/// empty.
fn campaigns(asked: &Asked) -> Reply {
    let number = |name: &str, default: usize| {
        let given = asked.query.get(name);
        given.map_or(Some(default), |text| text.parse().ok())
    };
    let (Some(page), Some(size @ 1..=PAGE_SIZE_LIMIT)) =
        (number("page", 0), number("size", PAGE_SIZE))
    else {
        let why = format!("page must be a number from 0, size one from 1 to {PAGE_SIZE_LIMIT}");
        return error(Persona::Semrush, 400, "Bad request", &why);
    };
    let content: Vec<Value> = (1..=CAMPAIGNS)
        .skip(page.saturating_mul(size))
        .take(size)
        .map(|number| json!({ "id": format!("sandbox-campaign-{number}"), "name": format!("Sandbox {number}") }))
        .collect();
    let pages = CAMPAIGNS.div_ceil(size);
    let data = json!({
        "numberOfElements": content.len(),
        "content": content,
        "first": page == 0,
        "last": page.saturating_add(1) >= pages,
        "number": page,
        "size": size,
        "totalElements": CAMPAIGNS,
        "totalPages": pages,
    });
    Reply::json(200, &json!({ "meta": meta(200), "data": data }))
}

/// A plausible account, 3 % used, renewed at the first of the next month.
fn limits_and_usage() -> Reply {
    Reply::json(
        200,
        &json!({ "limits_and_usage": {
            "subscription": "Sandbox",
            "usage_reset_date": next_month(),
            "units_limit_workspace": 500_000,
            "units_usage_workspace": 15_250,
            "units_limit_api_key": 100_000,
            "units_usage_api_key": 2_875,
            "api_key_expiration_date": Value::Null,
        }}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::message::Params;

    fn page(query: &str) -> (u16, Option<usize>) {
        let asked = Asked {
            query: Params::parse(query.as_bytes()),
            ..Asked::default()
        };
        let reply = campaigns(&asked);
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        (
            reply.status,
            body["data"]["content"].as_array().map(Vec::len),
        )
    }

    #[test]
    fn campaigns_come_in_pages() {
        assert_eq!(page(""), (200, Some(CAMPAIGNS)));
        assert_eq!(page("size=1"), (200, Some(1)));
        assert_eq!(page("size=3&page=2"), (200, Some(1)));
        assert_eq!(page("size=3&page=3"), (200, Some(0)));
        for wrong in ["size=0", "size=101", "page=-1", "page=x"] {
            assert_eq!(page(wrong), (400, None), "{wrong}");
        }
    }
}
