//! Who is asking: client authentication of RFC 6749 §2.3, as far as a server can have it that knows no client beforehand.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::message::{Asked, Params, Reply};

/// The clients that have shown a secret, with it: whoever comes first with a name owns it.
#[derive(Default)]
pub(super) struct Clients(HashMap<String, String>);

impl Clients {
    /// The client of a request, by HTTP Basic or by the form; both at once are refused (RFC 6749 §2.3), and so
    /// is a secret other than the one that came first.
    pub(super) fn identify(&mut self, asked: &Asked, form: &Params) -> Result<String, Reply> {
        let malformed = || refuse("the Basic credentials are malformed");
        let basic = asked.authorization("Basic");
        let basic = basic.map(|text| self::basic(text).ok_or_else(malformed));
        let basic = basic.transpose()?;
        let (id, secret) = match (basic, form.get("client_secret")) {
            (Some(_), Some(_)) => {
                let why = "the client authenticates in two ways at once";
                return Err(Reply::error(400, "invalid_request", why));
            }
            (Some((id, secret)), None) => (id, Some(secret)),
            (None, secret) => {
                let id = form.require("client_id")?.to_owned();
                (id, secret.map(str::to_owned))
            }
        };
        if form.get("client_id").is_some_and(|other| other != id) {
            return Err(refuse("client_id is not the one of the Basic credentials"));
        }
        if !well_formed(&id) {
            return Err(refuse("client_id holds more than printable ASCII"));
        }
        if let Some(secret) = secret {
            let first = self.0.entry(id.clone()).or_insert_with(|| secret.clone());
            if *first != secret {
                return Err(refuse("this client has come with another secret before"));
            }
        }
        Ok(id)
    }
}

/// RFC 6749 appendix A.1: printable ASCII. It is shown on a terminal, where anything else could move the cursor.
pub(super) fn well_formed(client_id: &str) -> bool {
    client_id.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// RFC 6749 §5.2: 401, and the scheme that would be taken.
fn refuse(why: &str) -> Reply {
    Reply::error(401, "invalid_client", why).with("WWW-Authenticate", "Basic realm=\"sandbox\"")
}

/// Whether a request brings a client secret.
pub(super) fn has_secret(asked: &Asked, form: &Params) -> bool {
    asked.authorization("Basic").is_some() || form.get("client_secret").is_some()
}

/// Name and secret out of Basic credentials, each form-decoded (RFC 6749 §2.3.1).
pub(super) fn basic(credentials: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let unescape = |text: &str| {
        // As the one name of a form, so that `+` and `%XX` are read as RFC 6749 appendix B wants it.
        let pair = url::form_urlencoded::parse(text.as_bytes()).next();
        pair.map(|(name, _)| name.into_owned())
    };
    Some((unescape(id)?, unescape(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identify(clients: &mut Clients, form: &str) -> Result<String, u16> {
        clients
            .identify(&Asked::default(), &Params::parse(form.as_bytes()))
            .map_err(|reply| reply.status)
    }

    #[test]
    fn the_first_secret_of_a_client_is_its_secret() {
        let mut clients = Clients::default();
        let first = identify(&mut clients, "client_id=a&client_secret=one");
        assert_eq!(first.as_deref(), Ok("a"));
        assert_eq!(
            identify(&mut clients, "client_id=a&client_secret=two"),
            Err(401)
        );
        assert!(identify(&mut clients, "client_id=b&client_secret=two").is_ok());
        assert!(identify(&mut clients, "client_id=c").is_ok());
        assert_eq!(identify(&mut clients, "client_secret=one"), Err(400));
        assert_eq!(identify(&mut clients, "client_id=a%1b[2J"), Err(401));
    }

    #[test]
    fn basic_credentials_are_form_decoded() {
        let encoded = STANDARD.encode("my%3Aapp:p%26ss+word");
        let expected = ("my:app".to_owned(), "p&ss word".to_owned());
        assert_eq!(basic(&encoded), Some(expected));
        assert_eq!(basic("!"), None);
    }
}
