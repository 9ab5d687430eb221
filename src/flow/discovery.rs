//! What an issuer tells of itself: RFC 8414, else OpenID Connect Discovery 1.0.

use serde::Deserialize;
use url::Url;

use super::error::{DiscoveryError, FlowError};
use crate::http::{Http, Reply};
use crate::provider::{Endpoint, Metadata};
use crate::text::printable;

/// What is shown of a name from outside; real ones have some 60 characters.
const SHOWN: usize = 200;

/// RFC 8414 §2, as far as a login needs it.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// # Errors
/// It can't be reached, or what it answers can't be used.
pub async fn discover(http: &Http, issuer: &Endpoint, name: &str) -> Result<Metadata, FlowError> {
    let (mut status, mut last) = (404, String::new());
    for address in addresses(issuer.url()) {
        let reply = http.get(&address).await?;
        match reply.status {
            200 => return Ok(read(name, &reply)?),
            429 | 500.. => {
                return Err(FlowError::Overloaded {
                    host: address.host_str().unwrap_or_default().to_owned(),
                    status: reply.status,
                    retry_after: reply.retry_after,
                });
            }
            other => (status, last) = (other, address.to_string()),
        }
    }
    let issuer = name.to_owned();
    Err(DiscoveryError::NotFound {
        issuer,
        status,
        last,
    }
    .into())
}

/// RFC 8414 §3.1 puts its part between host and path, OpenID Connect Discovery §4 behind the path.
fn addresses(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("{path}/.well-known/openid-configuration")),
    ]
}

fn read(issuer: &str, reply: &Reply) -> Result<Metadata, DiscoveryError> {
    let unreadable = || DiscoveryError::Unreadable {
        issuer: issuer.to_owned(),
    };
    let document: Document = serde_json::from_slice(&reply.body).map_err(|_| unreadable())?;
    if document.issuer != issuer {
        return Err(DiscoveryError::OtherIssuer {
            issuer: issuer.to_owned(),
            got: printable(&document.issuer, SHOWN),
        });
    }
    let endpoint = |name: &'static str, text: Option<String>| {
        let parsed = text.map(|text| Endpoint::parse(&text));
        parsed
            .transpose()
            .map_err(|why| DiscoveryError::BadEndpoint {
                issuer: issuer.to_owned(),
                name,
                why: why.to_string(),
            })
    };
    let methods = document.code_challenge_methods_supported;
    Ok(Metadata {
        authorization_endpoint: endpoint(
            "authorization_endpoint",
            document.authorization_endpoint,
        )?,
        device_authorization_endpoint: endpoint(
            "device_authorization_endpoint",
            document.device_authorization_endpoint,
        )?,
        token_endpoint: endpoint("token_endpoint", document.token_endpoint)?,
        revocation_endpoint: endpoint("revocation_endpoint", document.revocation_endpoint)?,
        lacks_s256: methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")),
        iss_in_callback: document.authorization_response_iss_parameter_supported,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_documents_lie_where_the_rfcs_have_them() {
        for (issuer, first, second) in [
            (
                "https://as.example",
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ),
            (
                "https://as.example/tenant/",
                "https://as.example/.well-known/oauth-authorization-server/tenant",
                "https://as.example/tenant/.well-known/openid-configuration",
            ),
        ] {
            let found = addresses(&Url::parse(issuer).unwrap());
            assert_eq!(found.map(|url| url.to_string()), [first, second]);
        }
    }

    fn read(text: &str) -> Result<Metadata, DiscoveryError> {
        let reply = Reply {
            status: 200,
            body: text.as_bytes().to_vec().into(),
            content_type: String::new(),
            date: None,
            retry_after: None,
            redirect: None,
        };
        super::read("https://as.example", &reply)
    }

    #[test]
    fn the_issuer_is_the_same_to_the_letter() {
        let named = |issuer: &str| read(&format!(r#"{{"issuer":"{issuer}"}}"#));
        assert!(named("https://as.example").is_ok());
        for other in [
            "https://as.example/",
            "https://AS.example",
            "https://evil.example",
        ] {
            assert!(
                matches!(named(other), Err(DiscoveryError::OtherIssuer { .. })),
                "{other}"
            );
        }
        assert!(matches!(
            read("<html>"),
            Err(DiscoveryError::Unreadable { .. })
        ));
    }

    #[test]
    fn what_it_tells_is_taken() {
        let text = |more: &str| format!(r#"{{"issuer":"https://as.example"{more}}}"#);
        let plain = read(&text("")).unwrap();
        assert!(!plain.lacks_s256 && !plain.iss_in_callback && plain.token_endpoint.is_none());
        let more = r#","token_endpoint":"https://as.example/t","code_challenge_methods_supported":["plain"],"authorization_response_iss_parameter_supported":true"#;
        let told = read(&text(more)).unwrap();
        assert!(told.lacks_s256 && told.iss_in_callback && told.token_endpoint.is_some());
        let open = r#","token_endpoint":"http://as.example/t""#;
        assert!(matches!(
            read(&text(open)),
            Err(DiscoveryError::BadEndpoint {
                name: "token_endpoint",
                ..
            })
        ));
    }
}
