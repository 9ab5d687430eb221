//! From what was typed to the request that is sent. Everything that is wrong with the call is found here, before any token
//! is looked for.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::params::{self, ParamError};
use crate::api::shape::has_pages;
use crate::api::target;
use crate::cli::Api;
use crate::error::Error;
use crate::http::api::ApiRequest;
use crate::provider::Provider;
use crate::text::printable;

/// # Errors
/// The call is wrong, or a file that it names can't be read.
pub fn build(provider: &Provider, args: &Api) -> Result<ApiRequest, Error> {
    let base = provider.api.base.as_ref().ok_or_else(|| {
        Error::usage(
            format!("{} has no api_base", provider.name),
            format!(
                "set api_base under [providers.{}] in config.toml",
                provider.name
            ),
        )
    })?;
    let mut url = target::resolve(base, &provider.api.origins, &args.path)
        .map_err(|error| Error::usage(error.to_string(), format!("PATH is appended to {base}")))?;
    let method = method(args)?;
    let mut headers = params::headers(&args.header).map_err(wrong)?;
    let fields = params::fields(&args.raw_field, &args.field, &mut read_text).map_err(wrong)?;
    let mut body = args.input.as_deref().map(read_body).transpose()?;
    if matches!(method.as_str(), "GET" | "HEAD") {
        params::into_query(&fields, &mut url);
    } else if !fields.is_empty() {
        body = Some(
            params::into_body(&fields)
                .map_err(wrong)?
                .to_string()
                .into_bytes(),
        );
    }
    let has_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
    if body.is_some() && !headers.iter().any(has_type) {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    if !target::fits(&url) {
        return Err(Error::usage(
            format!(
                "PATH and parameters are longer than {} characters",
                target::MAX_URL
            ),
            "send long values in a body: use -X POST with -f KEY=VALUE, or --input FILE",
        ));
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
        return Err(Error::usage(
            format!("`{}` is not a supported method", printable(typed, 32)),
            "use GET, POST, PUT, PATCH, DELETE or HEAD",
        ));
    }
    Ok(method)
}

/// Pages are followed where a provider documents how.
fn check_pages(provider: &Provider, method: &str) -> Result<(), Error> {
    if !has_pages(provider.api.shape) {
        return Err(Error::usage(
            format!(
                "--paginate: seo-auth does not know how {} splits lists into pages",
                provider.title
            ),
            "use the endpoint's own parameters, such as -f limit=1000",
        ));
    }
    if method != "GET" {
        return Err(Error::usage(
            "--paginate works only with GET",
            "leave out -X",
        ));
    }
    Ok(())
}

fn wrong(error: ParamError) -> Error {
    Error::Usage {
        message: error.to_string(),
        hint: Some("see `seo-auth api --help`".to_owned()),
    }
}

fn read_text(name: &str) -> io::Result<String> {
    io::read_to_string(open(Path::new(name))?)
}

fn read_body(path: &Path) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let read = open(path).and_then(|mut file| file.read_to_end(&mut body));
    read.map_err(|source| {
        Error::usage(
            format!(
                "--input: {} can't be read: {source}",
                printable(&path.to_string_lossy(), 256)
            ),
            "name a file, or - for stdin",
        )
    })?;
    Ok(body)
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path)?))
}
