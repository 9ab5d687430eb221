//! The way back to this machine over SSH, for the browser on the one before which the user sits.

use std::net::IpAddr;

use url::{Host, Url};

/// What `ssh` is told there unless it is the default.
const SSH_PORT: u16 = 22;

/// How the user's SSH reached this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshRoute {
    destination: String,
    port: u16,
}

impl SshRoute {
    /// By `SSH_CONNECTION` (the client's address and port, the server's address and port) and the user's name here.
    pub fn parse(connection: &str, user: Option<&str>) -> Option<Self> {
        let mut words = connection.split_whitespace().skip(2);
        // A link-local address has its interface behind a `%`, which means nothing on the other machine.
        let address = words.next()?.split('%').next()?;
        let address: IpAddr = address.parse().ok()?;
        let port = words.next()?.parse().ok()?;
        // The line is to be copied into a shell.
        let plain = |name: &&str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            !name.is_empty() && !name.starts_with('-') && name.chars().all(allowed)
        };
        let destination = match user.filter(plain) {
            Some(user) => format!("{user}@{address}"),
            None => address.to_string(),
        };
        Some(Self { destination, port })
    }

    /// The line that carries the redirect URI's port from the browser's machine to this one. `None` where the URI isn't on
    /// loopback, and so needs none.
    pub fn forward(&self, redirect_uri: &str) -> Option<String> {
        let uri = Url::parse(redirect_uri)
            .ok()
            .filter(crate::address::is_loopback)?;
        let port = uri.port_or_known_default()?;
        let forward = match uri.host()? {
            Host::Ipv4(address) => format!("{port}:{address}:{port}"),
            // Here the browser's end must be named too: by itself, ssh may listen on 127.0.0.1 alone. A shell may take
            // brackets for a pattern.
            Host::Ipv6(address) => format!("'[{address}]:{port}:[{address}]:{port}'"),
            Host::Domain(name) => format!("{port}:{name}:{port}"),
        };
        let other_port = match self.port {
            SSH_PORT => String::new(),
            port => format!("-p {port} "),
        };
        Some(format!("ssh {other_port}-L {forward} {}", self.destination))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_carries_the_redirect_uris_port() {
        let forward = |connection, user, uri| {
            SshRoute::parse(connection, user).and_then(|route| route.forward(uri))
        };
        let from = "192.0.2.7 51234 198.51.100.4 22";
        for (connection, user, uri, line) in [
            (
                from,
                Some("eve"),
                "http://127.0.0.1:8976/callback",
                Some("ssh -L 8976:127.0.0.1:8976 eve@198.51.100.4"),
            ),
            (
                from,
                Some("eve"),
                "http://[::1]:8976/callback",
                Some("ssh -L '[::1]:8976:[::1]:8976' eve@198.51.100.4"),
            ),
            (
                "fe80::2%eth0 5 fe80::1%eth0 2222",
                None,
                "http://localhost:1/",
                Some("ssh -p 2222 -L 1:localhost:1 fe80::1"),
            ),
            (
                from,
                Some("$(id)"),
                "http://127.0.0.1/",
                Some("ssh -L 80:127.0.0.1:80 198.51.100.4"),
            ),
            (from, Some("eve"), "https://agency.example/callback", None),
            ("", Some("eve"), "http://127.0.0.1:1/", None),
            ("a 1 b 22", Some("eve"), "http://127.0.0.1:1/", None),
        ] {
            assert_eq!(forward(connection, user, uri).as_deref(), line, "{uri}");
        }
    }
}
