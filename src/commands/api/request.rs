//! From what was typed to the request that is sent. Everything that is wrong with the call is found here, before any token
//! is looked for.

use std::io::{self, Read as _};
use std::path::Path;

use super::params;
use crate::api::shape::has_pages;
use crate::api::target;
use crate::cli::Api;
use crate::commands::input::open;
use crate::error::Error;
use crate::error::usage::api as usage;
use crate::http::api::ApiRequest;
use crate::provider::Provider;

/// # Errors
/// The call is wrong, or a file that it names can't be read.
pub fn build(provider: &Provider, args: &Api) -> Result<ApiRequest, Error> {
    let base = provider
        .api
        .base
        .as_ref()
        .ok_or_else(|| usage::no_base(&provider.name))?;
    let mut url = target::resolve(base, &provider.api.origins, &args.path)
        .map_err(|error| usage::wrong_path(error, base))?;
    let method = method(args)?;
    let mut headers = params::headers(&args.header).map_err(usage::wrong_param)?;
    let fields =
        params::fields(&args.raw_field, &args.field, &mut read_text).map_err(usage::wrong_param)?;
    let mut body = args.input.as_deref().map(read_body).transpose()?;
    if matches!(method.as_str(), "GET" | "HEAD") {
        params::into_query(&fields, &mut url);
    } else if !fields.is_empty() {
        body = Some(
            params::into_body(&fields)
                .map_err(usage::wrong_param)?
                .to_string()
                .into_bytes(),
        );
    }
    let has_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
    if body.is_some() && !headers.iter().any(has_type) {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    if !target::fits(&url) {
        return Err(usage::too_long(target::MAX_URL));
    }
    if args.paginate {
        check_pages(provider, &method)?;
    }
    Ok(ApiRequest {
        method,
        url,
        headers,
        body,
    })
}

/// In capitals, as servers compare them.
fn method(args: &Api) -> Result<String, Error> {
    let Some(typed) = &args.method else {
        let by_input = if args.input.is_some() { "POST" } else { "GET" };
        return Ok(by_input.to_owned());
    };
    let method = typed.to_ascii_uppercase();
    let is_word = !method.is_empty() && method.chars().all(|c| c.is_ascii_uppercase() || c == '-');
    // TRACE would have the server send the token back, CONNECT is for proxies.
    if !is_word || matches!(method.as_str(), "TRACE" | "CONNECT") {
        return Err(usage::wrong_method(typed));
    }
    Ok(method)
}

/// Pages are followed where a provider documents how.
fn check_pages(provider: &Provider, method: &str) -> Result<(), Error> {
    if !has_pages(provider.api.shape) {
        return Err(usage::unknown_pages(&provider.title));
    }
    if method != "GET" {
        return Err(usage::pages_of_other_method());
    }
    Ok(())
}

fn read_text(name: &str) -> io::Result<String> {
    io::read_to_string(open(Path::new(name))?)
}

fn read_body(path: &Path) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let read = open(path).and_then(|mut file| file.read_to_end(&mut body));
    read.map_err(|source| usage::unreadable_input(path, &source))?;
    Ok(body)
}
