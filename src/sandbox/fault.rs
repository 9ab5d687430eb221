//! Scripted faults: what a client must survive, on the endpoint that was named.

use std::str::FromStr;

/// What an endpoint does instead of its work, for as long as the sandbox runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A device poll is told `slow_down` (RFC 8628 §3.5); anything else 429 with `Retry-After: 1`.
    SlowDown,
    /// What is presented has expired: `expired_token`, `invalid_grant` or 401. What is handed out has expired already.
    Expired,
    /// The user, or the server, said no: `access_denied`, `unauthorized_client` or 403.
    Denied,
    /// 503 with `Retry-After: 1`.
    ServerError,
    /// 200 with an HTML page, as gateways and captive portals answer.
    Garbage,
    /// The request is taken and never answered.
    Hang,
}

/// The kinds of endpoint that a fault can be put on, whichever provider's path they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    DeviceAuthorization,
    Token,
    /// RFC 6749 §3.1, and the page where a user code is approved.
    Authorize,
    Revoke,
    Api,
    /// Any page that no fault is put on.
    Other,
}

/// One scripted fault. Reads `KIND` (on the token endpoint) or `KIND@ENDPOINT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    pub endpoint: Endpoint,
}

const KINDS: [(&str, FaultKind); 6] = [
    ("slow_down", FaultKind::SlowDown),
    ("expired", FaultKind::Expired),
    ("denied", FaultKind::Denied),
    ("server_error", FaultKind::ServerError),
    ("garbage", FaultKind::Garbage),
    ("hang", FaultKind::Hang),
];

const ENDPOINTS: [(&str, Endpoint); 5] = [
    ("device_authorization", Endpoint::DeviceAuthorization),
    ("token", Endpoint::Token),
    ("authorize", Endpoint::Authorize),
    ("revoke", Endpoint::Revoke),
    ("api", Endpoint::Api),
];

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let (kind, endpoint) = text.split_once('@').unwrap_or((text, "token"));
        Ok(Fault {
            kind: word("fault", kind, &KINDS)?,
            endpoint: word("endpoint", endpoint, &ENDPOINTS)?,
        })
    }
}

/// Finds `given` in `known`; `what` names the kind of word for the error, which lists them.
fn word<T: Copy>(what: &str, given: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == given);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        format!("unknown {what} `{given}`: use {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_on_the_token_endpoint_unless_it_says_otherwise() {
        let plain: Fault = "slow_down".parse().unwrap();
        assert_eq!(plain.endpoint, Endpoint::Token);
        assert_eq!(plain.kind, FaultKind::SlowDown);
        let named: Fault = "hang@device_authorization".parse().unwrap();
        assert_eq!(named.endpoint, Endpoint::DeviceAuthorization);
        assert_eq!(named.kind, FaultKind::Hang);
    }

    #[test]
    fn an_unknown_word_is_told_with_the_known_ones() {
        let kind = "explode@token".parse::<Fault>().unwrap_err();
        assert!(
            kind.contains("`explode`") && kind.contains("server_error"),
            "{kind}"
        );
        let endpoint = "hang@moon".parse::<Fault>().unwrap_err();
        assert!(
            endpoint.contains("`moon`") && endpoint.contains("revoke"),
            "{endpoint}"
        );
    }
}
