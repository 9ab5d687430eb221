//! Where a request to an API goes: PATH joined to the provider's `api_base`, and never off its origin.

use url::Url;

use crate::provider::Endpoint;

/// Why a PATH is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A tab or a line break, which URL parsers drop silently.
    #[error("PATH contains a control character")]
    Control,
    /// URL parsers take `\` for `/`.
    #[error("PATH contains a backslash; write %5C instead")]
    Backslash,
    /// `//host` names another host.
    #[error("PATH starts with //, which would name another host")]
    OtherHost,
    /// `user@host`, or what looks like it.
    #[error("PATH contains a user name (`…@…`); write %40 instead of @")]
    User,
    /// `..`
    #[error("PATH contains `.` or `..` as a part; write the path without them")]
    Dots,
    /// `#…` is never sent.
    #[error("PATH contains a #, and text after a # is never sent; write %23 instead")]
    Fragment,
    /// `name:…`
    #[error("PATH looks like a URL (`…:`); start it with / if it is a path")]
    Scheme,
    /// An absolute URL elsewhere.
    #[error(
        "seo-auth sends the credential only to the origins of the provider's api_base and api_origins"
    )]
    Origin,
    #[error("PATH can't be part of a URL")]
    NotAUrl,
}

/// What the `http` crate takes; servers take less, 8,000 characters mostly.
pub const MAX_URL: usize = u16::MAX as usize - 1;

pub fn fits(url: &Url) -> bool {
    url.as_str().len() <= MAX_URL
}

/// The address that `path` means: joined to `base` with one slash, its query as it stands; or an absolute URL on the same
/// origin, or on one of `origins`.
///
/// # Errors
/// It could be read as leading anywhere else.
pub fn resolve(base: &Endpoint, origins: &[Endpoint], path: &str) -> Result<Url, TargetError> {
    if path.chars().any(char::is_control) {
        return Err(TargetError::Control);
    }
    if path.contains('\\') {
        return Err(TargetError::Backslash);
    }
    if path.contains('#') {
        return Err(TargetError::Fragment);
    }
    let before_query = path.split('?').next().unwrap_or_default();
    if has_dot_parts(before_query) {
        return Err(TargetError::Dots);
    }
    // `backlinks/https://example.com` is a path with an address in it.
    let is_absolute = before_query
        .split_once("://")
        .is_some_and(|(scheme, _)| !scheme.contains('/'));
    let url = if is_absolute {
        parsed(path)?
    } else {
        joined(base, path, before_query)?
    };
    // Whatever was typed, this is what is promised.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::User);
    }
    let mut allowed = std::iter::once(base).chain(origins);
    match allowed.any(|origin| origin.same_origin(&url)) {
        true => Ok(url),
        false => Err(TargetError::Origin),
    }
}

fn parsed(text: &str) -> Result<Url, TargetError> {
    Url::parse(text).map_err(|_| TargetError::NotAUrl)
}

fn joined(base: &Endpoint, path: &str, before_query: &str) -> Result<Url, TargetError> {
    if path.starts_with("//") {
        return Err(TargetError::OtherHost);
    }
    let first_part = before_query.split('/').next().unwrap_or_default();
    if first_part.contains(':') {
        return Err(TargetError::Scheme);
    }
    let named = before_query.trim_start_matches('/').split('/').next();
    if named.is_some_and(|part| part.contains('@')) {
        return Err(TargetError::User);
    }
    // A query alone belongs to the base itself.
    let slash = if path.starts_with('?') { "" } else { "/" };
    parsed(&format!(
        "{}{}{slash}{}",
        base.origin(),
        base.url().path().trim_end_matches('/'),
        path.strip_prefix('/').unwrap_or(path)
    ))
}

/// URL parsers take `%2e` for a dot here.
fn has_dot_parts(path: &str) -> bool {
    path.split('/').any(|part| {
        let plain = part.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Endpoint {
        Endpoint::parse("https://api.semrush.com/apis/v4/").unwrap()
    }

    #[test]
    fn one_slash_stands_between_base_and_path() {
        for (base, path) in [
            ("https://api.semrush.com/apis/v4/", "a/b?size=1"),
            ("https://api.semrush.com/apis/v4/", "/a/b?size=1"),
            ("https://api.semrush.com/apis/v4", "a/b?size=1"),
            ("https://api.semrush.com/apis/v4", "/a/b?size=1"),
        ] {
            let base = Endpoint::parse(base).unwrap();
            let url = resolve(&base, &[], path).unwrap();
            assert_eq!(url.as_str(), "https://api.semrush.com/apis/v4/a/b?size=1");
        }
        let query = resolve(&base(), &[], "?cmd=x").unwrap();
        assert_eq!(query.as_str(), "https://api.semrush.com/apis/v4?cmd=x");
        let with_address = resolve(&base(), &[], "backlinks/https://example.com/x").unwrap();
        assert_eq!(
            with_address.as_str(),
            "https://api.semrush.com/apis/v4/backlinks/https://example.com/x"
        );
        assert_eq!(
            resolve(&Endpoint::parse("https://api.example").unwrap(), &[], "me")
                .unwrap()
                .as_str(),
            "https://api.example/me"
        );
    }

    #[test]
    fn the_query_stays_as_it_stands() {
        let url = resolve(&base(), &[], "a?q=x%2Fy&r=a+b|c&u=https://x.example/../@").unwrap();
        assert_eq!(
            url.query(),
            Some("q=x%2Fy&r=a+b|c&u=https://x.example/../@")
        );
    }

    #[test]
    fn an_absolute_url_is_taken_on_the_same_origin_only() {
        for good in [
            "https://api.semrush.com/apis/v4/a",
            "https://API.semrush.com:443/elsewhere",
        ] {
            assert!(resolve(&base(), &[], good).is_ok(), "{good}");
        }
        let other = [Endpoint::parse("https://www.semrush.com").unwrap()];
        let elsewhere = "https://www.semrush.com/users/count?x=1";
        assert!(resolve(&base(), &other, elsewhere).is_ok());
        assert_eq!(resolve(&base(), &[], elsewhere), Err(TargetError::Origin));
        for (bad, why) in [
            ("http://api.semrush.com/apis/v4/a", TargetError::Origin),
            ("https://api.semrush.com:8443/", TargetError::Origin),
            ("https://evil.example/apis/v4/a", TargetError::Origin),
            ("https://api.semrush.com.evil.example/", TargetError::Origin),
            ("https://user@api.semrush.com/", TargetError::User),
            ("https://api.semrush.com@evil.example/", TargetError::User),
            ("https://:p@api.semrush.com/", TargetError::User),
            ("file:///etc/passwd", TargetError::Origin),
            ("https://", TargetError::NotAUrl),
        ] {
            assert_eq!(resolve(&base(), &[], bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for (bad, why) in [
            ("//evil.example/x", TargetError::OtherHost),
            ("///evil.example/x", TargetError::OtherHost),
            ("/\\evil.example", TargetError::Backslash),
            ("\\\\evil.example", TargetError::Backslash),
            ("a\\..\\b", TargetError::Backslash),
            ("@evil.example/x", TargetError::User),
            ("/@evil.example/x", TargetError::User),
            ("user@evil.example/x", TargetError::User),
            ("user:p@evil.example/x", TargetError::Scheme),
            ("../../oauth", TargetError::Dots),
            ("a/../../b", TargetError::Dots),
            ("a/%2e%2E/b", TargetError::Dots),
            ("a/.%2e", TargetError::Dots),
            ("./a", TargetError::Dots),
            ("https:evil.example", TargetError::Scheme),
            ("https:/evil.example", TargetError::Scheme),
            ("javascript:x", TargetError::Scheme),
            (":8443/x", TargetError::Scheme),
            ("ht\ntps://evil.example", TargetError::Control),
            ("/\t/evil.example", TargetError::Control),
            ("a#b", TargetError::Fragment),
        ] {
            assert_eq!(resolve(&base(), &[], bad), Err(why), "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_typed_leaves_the_origin(path in "[a-z/\\\\:@?#%.2eE5cC\t ]{0,24}|\\PC{0,24}") {
            if let Ok(url) = resolve(&base(), &[], &path) {
                proptest::prop_assert!(base().same_origin(&url));
                proptest::prop_assert!(url.username().is_empty() && url.password().is_none());
                if !path.contains("://") {
                    proptest::prop_assert!(url.path().starts_with("/apis/v4"));
                }
            }
        }
    }
}
