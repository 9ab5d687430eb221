//! Whether an address that a server names belongs to the provider.

use url::Url;

use crate::provider::Provider;

/// Whether an address that a server named is one of the provider's: `https` (or loopback, where the provider itself is
/// there), on the domain of one of its endpoints.
pub(super) fn belongs_to(provider: &Provider, uri: &str) -> bool {
    let Ok(uri) = Url::parse(uri) else {
        return false;
    };
    let endpoints = [
        &provider.device_authorization_endpoint,
        &provider.authorization_endpoint,
    ];
    let mut known = endpoints
        .into_iter()
        .flatten()
        .chain([&provider.token_endpoint])
        .map(|endpoint| endpoint.url());
    match uri.scheme() {
        "https" => known.any(|known| same_site(known, &uri)),
        "http" => known.any(|known| known.origin() == uri.origin()),
        _ => false,
    }
}

/// Whether two hosts share their registrable domain. Two labels make one, or three under a country's second level
/// (`co.uk`, `com.br`): the full public suffix list is not worth its size for a warning.
fn same_site(a: &Url, b: &Url) -> bool {
    match (a.domain(), b.domain()) {
        (Some(a), Some(b)) => site(a) == site(b),
        _ => a.host() == b.host(),
    }
}

fn site(domain: &str) -> Vec<&str> {
    let labels: Vec<&str> = domain.trim_end_matches('.').rsplit('.').collect();
    let second_level = labels.len() > 2 && labels[0].len() == 2 && labels[1].len() <= 3;
    labels
        .into_iter()
        .take(if second_level { 3 } else { 2 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::semrush;

    #[test]
    fn only_the_providers_own_addresses_are_opened() {
        let semrush = semrush::definition().unwrap();
        for own in [
            "https://oauth.semrush.com/dag/auth/verify_code?code=A",
            "https://www.semrush.com/device",
        ] {
            assert!(belongs_to(&semrush, own), "{own}");
        }
        for foreign in [
            "http://oauth.semrush.com/dag",
            "https://semrush.com.evil.example/",
            "https://evilsemrush.com/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "http://127.0.0.1/",
            "",
        ] {
            assert!(!belongs_to(&semrush, foreign), "{foreign}");
        }
    }

    #[test]
    fn a_countrys_second_level_is_no_site() {
        assert_eq!(site("a.example.co.uk"), site("b.example.co.uk"));
        assert_ne!(site("one.co.uk"), site("two.co.uk"));
    }
}
