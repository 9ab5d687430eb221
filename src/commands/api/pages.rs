//! `--paginate`: all pages of a list, as one JSON array.

use std::time::{Duration, Instant};

use url::Url;

use super::session::Session;
use crate::api::shape::page;
use crate::error::Error;
use crate::error::api::ApiProblem;
use crate::http::api::ApiRequest;

/// 10,000 entries at 10 a page; a server that never says `last` is not followed for ever.
const MAX_PAGES: usize = 1_000;

/// Fetches page after page, no faster than the provider allows, and writes all entries when the last one is there: a list
/// that breaks off in its middle would look like a short one.
///
/// # Errors
/// A page could not be fetched, or the answer says nothing of pages.
pub fn fetch_all(session: &mut Session<'_>, mut request: ApiRequest) -> Result<(), Error> {
    let pause = pause(session.call.provider.api.requests_per_minute);
    let mut list = String::from("[");
    for _ in 0..MAX_PAGES {
        let asked_at = Instant::now();
        let received = session.ask(&request)?;
        // Errors in their usual words first.
        session.call.data_of(&request.method, &received)?;
        let page = std::str::from_utf8(&received.body)
            .ok()
            .and_then(|json| page(session.call.provider.api.shape, json))
            .ok_or_else(|| session.call.problem(ApiProblem::NoPages))?;
        for entry in &page.entries {
            if list.len() > 1 {
                list.push(',');
            }
            list.push_str(entry.get());
        }
        let Some((key, value)) = page.next else {
            list.push_str("]\n");
            return Ok(session.context.ui.data(&list)?);
        };
        set_parameter(&mut request.url, key, value);
        std::thread::sleep(pause.saturating_sub(asked_at.elapsed()));
    }
    Err(session
        .call
        .problem(ApiProblem::EndlessPages { pages: MAX_PAGES }))
}

/// What lies between two requests at the provider's documented limit.
fn pause(requests_per_minute: Option<u32>) -> Duration {
    Duration::from_secs(60)
        .checked_div(requests_per_minute.unwrap_or(0))
        .unwrap_or_default()
}

/// Sets one parameter of the query and leaves the others as they stand.
fn set_parameter(url: &mut Url, key: &str, value: u64) {
    let query = url.query().unwrap_or_default();
    let is_other = |pair: &&str| pair.split('=').next() != Some(key);
    let mut pairs: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(is_other)
        .collect();
    let own = format!("{key}={value}");
    pairs.push(&own);
    let query = pairs.join("&");
    url.set_query(Some(&query));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_parameter_is_set_and_the_others_stand() {
        let mut url = Url::parse("https://api.example/x?size=2&page=0&q=a%2Fb|c").unwrap();
        set_parameter(&mut url, "page", 1);
        assert_eq!(url.query(), Some("size=2&q=a%2Fb|c&page=1"));
        let mut url = Url::parse("https://api.example/x").unwrap();
        set_parameter(&mut url, "offset", 20);
        assert_eq!(url.query(), Some("offset=20"));
    }

    #[test]
    fn the_pace_is_the_documented_limit() {
        assert_eq!(pause(Some(600)), Duration::from_millis(100));
        assert_eq!(pause(Some(60)), Duration::from_secs(1));
        assert_eq!(pause(None), Duration::ZERO);
    }
}
