//! Addresses, and which of them secrets may be sent to.

use std::fmt;

use url::Url;

use crate::address::is_loopback;

/// An address that secrets may be sent to: `https`, or `http` on loopback; no user info, no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is no [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute URL with a host.
    #[error("it is not an absolute URL")]
    NotAUrl,
    /// `http` to another machine, or another scheme.
    #[error(
        "it is neither https nor http on loopback (127.0.0.0/8, [::1], localhost), so secrets would be sent unencrypted"
    )]
    Insecure,
    #[error("it contains a user name or a password")]
    UserInfo,
    /// `#…`, which RFC 6749 §3.1 and §3.2 forbid.
    #[error("it has a fragment (#…), which RFC 6749 forbids")]
    Fragment,
}

impl Endpoint {
    /// # Errors
    /// Why the text is none.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text).map_err(|_| EndpointError::NotAUrl)?;
        if url.host().is_none() {
            return Err(EndpointError::NotAUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(EndpointError::Fragment);
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            _ => Err(EndpointError::Insecure),
        }
    }

    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Scheme, host and port: `https://oauth.semrush.com`.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Whether secrets sent to one may be sent to the other.
    pub fn same_origin(&self, other: &Url) -> bool {
        self.0.origin() == other.origin()
    }

    /// The same path and query at the origin of `other`.
    #[must_use]
    pub fn at_origin(&self, other: &Self) -> Self {
        let mut url = other.0.clone();
        url.set_path(self.0.path());
        url.set_query(self.0.query());
        Self(url)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Where the authorization server sends the browser with the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectUri {
    /// `http` on loopback: we listen there (RFC 8252 §7.3). Port 0: any free port.
    Loopback {
        url: Url,
        /// The same to the letter as it was registered: a URL's own text has a slash more, or a `:80` less.
        text: String,
    },
    /// Anywhere else: the user pastes the address that the browser ended on. Kept to the letter, as it was registered.
    Elsewhere(String),
}

/// Why a text is no [`RedirectUri`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    #[error("it is empty")]
    Empty,
    /// Neither of the two forms.
    #[error(
        "it is neither an address (http://127.0.0.1:8976/callback) nor a path of the provider's own (/oauth2/success)"
    )]
    NotAUri,
    /// `#…`, which RFC 6749 §3.1.2 forbids.
    #[error("it has a fragment (#…), which RFC 6749 forbids")]
    Fragment,
    /// `127.1`, `0x7f000001`: a browser asks for the full form, and then the address is another one.
    #[error("its host is written in a form that browsers change; write 127.0.0.1")]
    OtherHostForm,
}

/// The page of an authorization server that shows the code: what native apps registered before RFC 8252.
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// Where the browser is sent where nobody says: any free port of this machine.
impl Default for RedirectUri {
    fn default() -> Self {
        const TEXT: &str = "http://127.0.0.1:0/callback";
        Self::parse(TEXT).unwrap_or_else(|_| Self::Elsewhere(TEXT.to_owned()))
    }
}

impl RedirectUri {
    /// Reads one: an address, or a path at the authorization server, as Semrush has it. Else, whatever is registered at the
    /// provider is right.
    ///
    /// # Errors
    /// Why no provider can have registered it.
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        if text.is_empty() {
            return Err(RedirectUriError::Empty);
        }
        if text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        let is_path = text.starts_with('/') && !text.starts_with("//");
        match Url::parse(text) {
            Ok(url) if url.scheme() == "http" && is_loopback(&url) => {
                let host = url.host_str().unwrap_or_default();
                if !text.to_ascii_lowercase().contains(&format!("//{host}")) {
                    return Err(RedirectUriError::OtherHostForm);
                }
                let text = text.to_owned();
                Ok(Self::Loopback { url, text })
            }
            Err(_) if !is_path => Err(RedirectUriError::NotAUri),
            _ => Ok(Self::Elsewhere(text.to_owned())),
        }
    }

    /// Whether it is the authorization server's out-of-band page, of which nothing is known but that it shows a code.
    pub fn is_out_of_band(&self) -> bool {
        matches!(self, Self::Elsewhere(text) if text.starts_with(OUT_OF_BAND))
    }

    /// Whether the browser ends on a page of the authorization server's own, which shows the code, and no state with it.
    pub fn shows_code(&self) -> bool {
        self.is_out_of_band() || matches!(self, Self::Elsewhere(text) if text.starts_with('/'))
    }

    /// Whether we can listen there.
    pub fn is_loopback(&self) -> bool {
        matches!(self, Self::Loopback { .. })
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback { text, .. } | Self::Elsewhere(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_https_or_loopback() {
        for good in [
            "https://as.example/token",
            "http://127.0.0.1:8080/token",
            "http://127.3.2.1/token",
            "http://[::1]:9/token",
            "http://localhost/token",
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://as.example/token", EndpointError::Insecure),
            ("http://127.0.0.1.evil.example/", EndpointError::Insecure),
            ("http://0.0.0.0/", EndpointError::Insecure),
            ("ftp://as.example/", EndpointError::Insecure),
            ("https://user@as.example/", EndpointError::UserInfo),
            ("https://as.example/#x", EndpointError::Fragment),
            ("as.example/token", EndpointError::NotAUrl),
            ("/token", EndpointError::NotAUrl),
            ("", EndpointError::NotAUrl),
        ] {
            assert_eq!(Endpoint::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_redirect_uri_is_kept_to_the_letter() {
        for text in [
            "http://127.0.0.1:8976",
            "http://LOCALHOST:80/cb",
            "/oauth2/success",
        ] {
            assert_eq!(RedirectUri::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_nobody_can_have_registered_is_refused() {
        for (bad, why) in [
            ("", RedirectUriError::Empty),
            ("foo", RedirectUriError::NotAUri),
            ("127.0.0.1:8976/callback", RedirectUriError::NotAUri),
            ("//agency.example/cb", RedirectUriError::NotAUri),
            ("http://", RedirectUriError::NotAUri),
            ("http://127.0.0.1:0/cb#top", RedirectUriError::Fragment),
            ("https://agency.example/cb#", RedirectUriError::Fragment),
            ("/oauth2/success#", RedirectUriError::Fragment),
            ("http://127.1:8976/cb", RedirectUriError::OtherHostForm),
            ("http://2130706433/cb", RedirectUriError::OtherHostForm),
            ("http://0x7f.0.0.1/cb", RedirectUriError::OtherHostForm),
        ] {
            assert_eq!(RedirectUri::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_page_of_the_servers_own_shows_the_code() {
        for (text, shows) in [
            ("/oauth2/success", true),
            ("urn:ietf:wg:oauth:2.0:oob", true),
            ("urn:ietf:wg:oauth:2.0:oob:auto", true),
            ("com.example.app:/callback", false),
            ("https://agency.example/cb", false),
            ("http://127.0.0.1:8976/callback", false),
        ] {
            assert_eq!(
                RedirectUri::parse(text).unwrap().shows_code(),
                shows,
                "{text}"
            );
        }
    }

    #[test]
    fn only_http_on_loopback_is_listened_on() {
        let listens = |text: &str| RedirectUri::parse(text).unwrap().is_loopback();
        assert!(listens("http://127.0.0.1:8976/callback"));
        assert!(listens("http://localhost:0/"));
        for elsewhere in [
            "https://agency.example/cb",
            "/oauth2/success",
            "http://example.com/",
            "https://127.0.0.1/",
        ] {
            assert!(!listens(elsewhere), "{elsewhere}");
        }
    }
}
