//! Which proxy a request goes through: the variables, read as curl reads them. What is not clear is refused, since a request
//! would else go past the proxy, or a part of a password to the name server.

use std::fmt::Write as _;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::HeaderValue;
use url::Url;

use crate::address::is_loopback;
use crate::environment::text_var;

/// A variable that can't be followed. Its value may hold a password, and is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    #[error("does not contain a proxy address like http://HOST:PORT")]
    NoAddress,
    #[error("has a port that does not exist: ports go from 1 to 65535")]
    Port,
    #[error(
        "has @, /, ? or # in its user name or password: percent-encode it (@ is %40, / is %2F, ? is %3F, # is %23)"
    )]
    NotEncoded,
}

/// What a proxy did instead of passing a request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyTrouble {
    #[error("wants a user name and a password (407)")]
    WantsPassword,
    #[error("refused the connection")]
    Refuses,
    /// Its name has no address.
    #[error("could not be found (DNS)")]
    Unknown,
    /// A sign-in that is no user name and password: NTLM, Negotiate (RFC 4559), Digest.
    #[error("wants a sign-in that is not supported: NTLM, Negotiate or Digest (407)")]
    WantsOther,
    /// Another status than 200 to CONNECT: it may not, or cannot, reach the host.
    #[error("answered {0}")]
    Answers(u16),
    /// The same, of a proxy that can't be asked for the status.
    #[error("opened no tunnel")]
    OpensNoTunnel,
    #[error("broke the connection")]
    Breaks,
    /// It is named with `https://`, and answers in plain text.
    #[error("does not speak TLS")]
    SpeaksNoTls,
}

/// What the matcher knows, and takes for others than HTTP to be SOCKS.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// The value of a variable, as an address that has one meaning: blanks around it are gone, user name and password encoded.
///
/// # Errors
/// It is no address, or has more than one meaning.
pub fn address(value: &str) -> Result<String, Unclear> {
    let value = value.trim();
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let scheme = scheme.to_ascii_lowercase();
    if !SCHEMES.contains(&scheme.as_str()) {
        return Err(Unclear::NoAddress);
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if path.contains('@') || authority.matches('@').count() > 1 {
        return Err(Unclear::NotEncoded);
    }
    let (user, host) = match authority.split_once('@') {
        Some((user, host)) => (encoded(user) + "@", host),
        None => (String::new(), authority),
    };
    // The colons inside of [::1] are the address's own.
    let after_host = host.rfind(']').map_or(0, |end| end + 1);
    if let Some((_, port)) = host[after_host..].split_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return Err(Unclear::Port);
    }
    let address = format!("{scheme}://{user}{host}");
    if goes_through(&Matcher::builder().all(&*address).build(), "https://host") {
        Ok(address)
    } else {
        Err(Unclear::NoAddress)
    }
}

/// User name and password as they may stand in an address: `DOMAIN\user` and letters beyond ASCII get their `%XX`. What is
/// encoded already stays.
fn encoded(user: &str) -> String {
    let mut text = String::new();
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The names of NO_PROXY, without the blanks around them and the dot at their end.
fn excepted(value: &str) -> String {
    let names = value.split([',', ' ', '\t', '\n']);
    let names: Vec<&str> = names
        .map(|name| name.trim_end_matches('.'))
        .filter(|name| !name.is_empty())
        .collect();
    names.join(",")
}

/// The proxy that the environment names for this address, and the names that go past it.
pub struct Named {
    pub address: String,
    pub except: String,
}

/// `None` where no variable names one: then the settings of macOS and Windows count.
///
/// # Errors
/// The variable, and why it can't be followed.
pub fn named_for(url: &Url) -> Result<Option<Named>, (&'static str, Unclear)> {
    let names: [&str; 4] = match url.scheme() {
        "https" => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    let Some((name, value)) = names.into_iter().find_map(set) else {
        return Ok(None);
    };
    let except = ["NO_PROXY", "no_proxy"].into_iter().find_map(set);
    let except = except.map_or_else(String::new, |(_, names)| excepted(&names));
    let any = Matcher::builder().all("http://proxy").no(&*except).build();
    match address(&value) {
        Ok(address) => Ok(Some(Named { address, except })),
        Err(_) if !goes_through(&any, url.as_str()) => Ok(None),
        Err(why) => Err((name, why)),
    }
}

/// A proxy on the way to an address.
pub struct Way {
    pub scheme: String,
    /// With its port, as `proxy.example:3128`; without user name and password.
    pub host: String,
    /// The value of `Proxy-Authorization` for the user name and password that were given.
    pub proof: Option<HeaderValue>,
}

/// The proxy of a request to `url`; `None` where it goes there straight.
pub fn way(url: &Url) -> Option<Way> {
    if is_loopback(url) {
        return None;
    }
    let matcher = match named_for(url).ok()? {
        Some(named) => Matcher::builder()
            .all(named.address)
            .no(named.except)
            .build(),
        None => Matcher::from_system(),
    };
    let proxy = matcher.intercept(&url.as_str().parse().ok()?)?;
    let uri = proxy.uri();
    let (scheme, host) = (uri.scheme_str()?, uri.host()?);
    let port = uri.port_u16().unwrap_or(match scheme {
        "https" => 443,
        scheme if scheme.starts_with("socks") => 1080,
        _ => 80,
    });
    Some(Way {
        scheme: scheme.to_owned(),
        host: format!("{host}:{port}"),
        proof: proxy.basic_auth().cloned(),
    })
}

fn set(name: &'static str) -> Option<(&'static str, String)> {
    let value = text_var(name)?;
    Some((name, value)).filter(|(_, value)| !value.trim().is_empty())
}

fn goes_through(proxies: &Matcher, url: &str) -> bool {
    url.parse()
        .is_ok_and(|url| proxies.intercept(&url).is_some())
}

#[cfg(test)]
mod tests {
    use super::{Unclear, address, excepted};

    #[test]
    fn an_address_has_one_meaning_or_none() {
        for (value, meant) in [
            ("proxy.example:3128", "http://proxy.example:3128"),
            (
                " http://proxy.example:3128/ \n",
                "http://proxy.example:3128",
            ),
            ("SOCKS5://[::1]:1080", "socks5://[::1]:1080"),
            ("http://CORP\\me:p:w@proxy", "http://CORP%5Cme:p:w@proxy"),
            ("http://u:grün%40@proxy", "http://u:gr%C3%BCn%40@proxy"),
        ] {
            assert_eq!(address(value).as_deref(), Ok(meant), "{value}");
        }
        for (value, why) in [
            ("http://u:p@ss@proxy:3128", Unclear::NotEncoded),
            ("http://u@dom:pw@proxy", Unclear::NotEncoded),
            ("http://u:pass/word@proxy", Unclear::NotEncoded),
            ("http://u:pass?word@proxy", Unclear::NotEncoded),
            ("http://u:pass#word@proxy", Unclear::NotEncoded),
            ("http://proxy:99999", Unclear::Port),
            ("http://proxy:0", Unclear::Port),
            ("ftp://proxy", Unclear::NoAddress),
            ("::::", Unclear::NoAddress),
            ("http://", Unclear::NoAddress),
        ] {
            assert_eq!(address(value), Err(why), "{value}");
        }
    }

    #[test]
    fn names_that_are_excepted_may_end_in_blanks_and_dots() {
        assert_eq!(
            excepted(" a.example. , .b.example\tc "),
            "a.example,.b.example,c"
        );
    }
}
