//! Addresses on this machine.

use url::{Host, Url};

/// `127.0.0.0/8`, `[::1]` or `localhost` (which RFC 6761 §6.3 keeps on the machine).
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
