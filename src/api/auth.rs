//! How a request carries a credential.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::credential::KeyField;
use crate::http::api::Proof;
use crate::provider::Auth;
use crate::secret::{AccessToken, Secret};

/// A key has no field of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has no field `{0}`")]
pub struct NoField(pub String);

/// What is added to a request. `fields` are those of a key; `token` is its first secret one, or what a server issued.
///
/// # Errors
/// A field that the request carries isn't there.
pub fn carry(auth: &Auth, token: &AccessToken, fields: &[KeyField]) -> Result<Proof, NoField> {
    let mut proof = Proof {
        secrets: vec![token.clone()],
        ..Proof::default()
    };
    let secret = fields.iter().filter(|field| !field.is_public);
    proof
        .secrets
        .extend(secret.map(|field| field.value.clone()));
    match auth {
        Auth::Scheme(scheme) => proof.authorize(scheme, token.expose()),
        Auth::Header(name) => proof.header = Some((name.clone(), token.clone())),
        Auth::Query(name) => proof.query = Some((name.clone(), token.clone())),
        Auth::Basic { user, password } => {
            let value = |name: &String| {
                let field = fields.iter().find(|field| field.name == *name);
                let field = field.ok_or_else(|| NoField(name.clone()))?;
                Ok(field.value.expose())
            };
            // RFC 7617 §2.
            let pair = zeroize::Zeroizing::new(format!("{}:{}", value(user)?, value(password)?));
            let encoded = AccessToken::new(STANDARD.encode(pair.as_bytes()));
            proof.authorize("Basic", encoded.expose());
            proof.secrets.push(encoded);
        }
    }
    Ok(proof)
}

impl Proof {
    fn authorize(&mut self, scheme: &str, value: &str) {
        let value = Secret::new(format!("{scheme} {value}"));
        self.header = Some(("Authorization".to_owned(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> KeyField {
        KeyField {
            name: name.to_owned(),
            value: AccessToken::new(value.to_owned()),
            is_public: false,
        }
    }

    fn carried(auth: &Auth) -> Proof {
        let token = AccessToken::new("p4ss".to_owned());
        carry(
            auth,
            &token,
            &[field("login", "me@x.example"), field("password", "p4ss")],
        )
        .unwrap()
    }

    #[test]
    fn each_way_has_its_place() {
        let text = |secret: &AccessToken| secret.expose().to_owned();
        let header = |auth| {
            carried(&auth)
                .header
                .map(|(name, value)| (name, text(&value)))
        };
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(
            header(Auth::default()),
            pair("Authorization", "Bearer p4ss")
        );
        let token = Auth::Scheme("Token".to_owned());
        assert_eq!(header(token), pair("Authorization", "Token p4ss"));
        let own = Auth::Header("x-token".to_owned());
        assert_eq!(header(own), pair("x-token", "p4ss"));
        let query = carried(&Auth::Query("key".to_owned()));
        assert!(query.header.is_none());
        assert_eq!(
            query.query.map(|(name, value)| (name, text(&value))),
            pair("key", "p4ss")
        );
    }

    #[test]
    fn basic_takes_two_fields() {
        let basic = |user: &str| Auth::Basic {
            user: user.to_owned(),
            password: "password".to_owned(),
        };
        let proof = carried(&basic("login"));
        let (_, value) = proof.header.unwrap();
        assert_eq!(value.expose(), "Basic bWVAeC5leGFtcGxlOnA0c3M=");
        assert!(
            proof
                .secrets
                .iter()
                .any(|secret| secret.expose() == "bWVAeC5leGFtcGxlOnA0c3M=")
        );
        let token = AccessToken::new("p4ss".to_owned());
        let missing = carry(&basic("user"), &token, &[field("password", "p4ss")]);
        assert_eq!(missing.unwrap_err(), NoField("user".to_owned()));
    }
}
