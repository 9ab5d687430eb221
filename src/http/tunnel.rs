//! What a proxy answers to CONNECT (RFC 9110 §9.3.6) in the place of a tunnel. The client's own tunnels tell neither number
//! nor challenge, so the question is put once more, by hand.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::proxy::{self, ProxyTrouble, Way};

/// It has just answered the same question.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of an answer's head; what the client's own tunnels read at most.
const HEAD: usize = 8192;

/// Why there is no tunnel to the host of `url`; `None` where the proxy can't be asked in plain text, or says nothing.
pub async fn refusal(url: &Url) -> Option<ProxyTrouble> {
    let way = proxy::way(url).filter(|way| way.scheme == "http")?;
    let answer = tokio::time::timeout(PATIENCE, ask(&way, url)).await;
    understood(&answer.ok()?.ok()?)
}

async fn ask(way: &Way, url: &Url) -> io::Result<String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(proof) = &way.proof {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(proof.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let mut line = TcpStream::connect(&way.host).await?;
    line.write_all(&request).await?;
    let mut answer = Vec::new();
    while answer.len() < HEAD && !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        if line.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The head of an answer; a challenge (RFC 9110 §11.7.1) counts by the name of its scheme.
fn understood(head: &str) -> Option<ProxyTrouble> {
    let mut lines = head.lines();
    let status: u16 = lines.next()?.split_whitespace().nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let challenges: Vec<String> = headers
        .filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authenticate"))
        .map(|(_, value)| value.trim().to_ascii_lowercase())
        .collect();
    let takes_password =
        challenges.is_empty() || challenges.iter().any(|one| one.contains("basic"));
    match status {
        200 => None,
        407 if takes_password => Some(ProxyTrouble::WantsPassword),
        407 => Some(ProxyTrouble::WantsOther),
        status => Some(ProxyTrouble::Answers(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::understood;
    use crate::http::proxy::ProxyTrouble;

    #[test]
    fn a_challenge_counts_by_its_scheme() {
        for (head, trouble) in [
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("", None),
            ("220 smtp.example ESMTP\r\n", None),
            (
                "HTTP/1.0 403 Forbidden\r\n",
                Some(ProxyTrouble::Answers(403)),
            ),
            ("HTTP/1.1 407 Proxy\r\n", Some(ProxyTrouble::WantsPassword)),
            (
                "HTTP/1.1 407 P\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n",
                Some(ProxyTrouble::WantsOther),
            ),
            (
                "HTTP/1.1 407 P\r\nproxy-authenticate: NTLM\r\nproxy-authenticate: Basic realm=\"x\"\r\n",
                Some(ProxyTrouble::WantsPassword),
            ),
        ] {
            assert_eq!(understood(head), trouble, "{head}");
        }
    }
}
