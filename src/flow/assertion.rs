//! Tokens without a person: by an assertion that a service account signs (RFC 7523 §2.1), or by the client's own credentials
//! (RFC 6749 §4.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::error::{FlowError, KeyFileError, Step};
use super::token::{Client, check_type, request};
use crate::clock::Timestamp;
use crate::credential::{Mint, ServiceAccount};
use crate::http::wire::TokenResponse;
use crate::http::{Http, Reply};
use crate::provider::{Endpoint, Provider};
use crate::secret::{ClientSecret, PrivateKey};

/// RFC 7523 §2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest that Google takes, and enough for any exchange.
const LIFETIME_SECONDS: i64 = 3_600;
/// Clocks of servers differ by a few seconds, and none takes an assertion from the future.
const BACKDATED_SECONDS: i64 = 10;

/// The file that the provider gives out (Google's JSON).
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type", default)]
    kind: String,
    client_email: Option<String>,
    private_key: Option<PrivateKey>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

/// The service account of a key file, for tokens from `endpoint`; `subject` is the user to act for.
///
/// # Errors
/// It is none of this provider's, or its key can't sign.
pub fn read_key_file(
    text: &str,
    endpoint: &Endpoint,
    subject: Option<String>,
) -> Result<ServiceAccount, KeyFileError> {
    // The parser's words are dropped, for they may repeat what it read.
    let file: KeyFile = serde_json::from_str(text).map_err(|_| KeyFileError::NotJson)?;
    if file.kind.is_empty() {
        return Err(KeyFileError::Lacks(
            "`type`; it may be an OAuth client, which is for --client-file",
        ));
    }
    if file.kind != "service_account" {
        return Err(KeyFileError::OtherType(crate::text::printable(
            &file.kind, 40,
        )));
    }
    let account = ServiceAccount {
        client_email: file
            .client_email
            .ok_or(KeyFileError::Lacks("client_email"))?,
        private_key: file.private_key.ok_or(KeyFileError::Lacks("private_key"))?,
        private_key_id: file.private_key_id,
        token_uri: file.token_uri.ok_or(KeyFileError::Lacks("token_uri"))?,
        subject,
    };
    let named = Endpoint::parse(&account.token_uri).map(|uri| uri.origin());
    let named = named.unwrap_or_default();
    if named != endpoint.origin() {
        return Err(KeyFileError::OtherServer {
            named: crate::text::printable(&account.token_uri, 200),
            configured: endpoint.origin(),
        });
    }
    key_pair(&account)?;
    Ok(account)
}

fn key_pair(account: &ServiceAccount) -> Result<RsaKeyPair, KeyFileError> {
    let pem = account.private_key.expose().as_bytes();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyFileError::BadKey)?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| KeyFileError::BadKey)
}

/// One request for a token.
pub struct Minting<'a> {
    pub http: &'a Http,
    pub provider: &'a Provider,
    pub endpoint: &'a Endpoint,
    pub client: &'a Client,
    pub mint: &'a Mint,
    pub scope: &'a [String],
    /// How far the server's clock is ahead of ours, as far as it is known, in seconds.
    pub clock_skew: i64,
}

impl Minting<'_> {
    /// Asks for a token.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn run(&self) -> Result<(TokenResponse, Reply), FlowError> {
        let scope = self.scope.join(&self.provider.scope_separator);
        let assertion;
        let (mut fields, client) = match self.mint {
            Mint::ServiceAccount(account) => {
                assertion = self.assertion(account, &scope)?;
                let fields = vec![
                    ("grant_type", JWT_BEARER),
                    ("assertion", assertion.as_str()),
                ];
                (fields, &Client::default())
            }
            Mint::ClientCredentials => {
                let mut fields = vec![("grant_type", "client_credentials")];
                fields.extend(Some(("scope", scope.as_str())).filter(|_| !scope.is_empty()));
                (fields, self.client)
            }
        };
        let auth = self.provider.client_auth;
        fields.retain(|(_, value)| !value.is_empty());
        let (token, reply): (TokenResponse, _) = request(
            self.http,
            self.endpoint,
            auth,
            client,
            Step::Minting,
            &fields,
        )
        .await?;
        check_type(&token)?;
        Ok((token, reply))
    }

    /// RFC 7523 §3, signed by RS256 (RFC 7518 §3.3).
    fn assertion(
        &self,
        account: &ServiceAccount,
        scope: &str,
    ) -> Result<Zeroizing<String>, KeyFileError> {
        let issued_at = Timestamp::now().plus(self.clock_skew - BACKDATED_SECONDS);
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(id) = &account.private_key_id {
            header["kid"] = json!(id);
        }
        let mut claims = json!({
            "iss": account.client_email,
            "aud": account.token_uri,
            "iat": issued_at.epoch(),
            "exp": issued_at.plus(LIFETIME_SECONDS).epoch(),
        });
        if !scope.is_empty() {
            claims["scope"] = json!(scope);
        }
        if let Some(subject) = &account.subject {
            claims["sub"] = json!(subject);
        }
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text.as_bytes());
        let signed = format!(
            "{}.{}",
            encode(&header.to_string()),
            encode(&claims.to_string())
        );
        let pair = key_pair(account)?;
        let mut signature = vec![0; pair.public().modulus_len()];
        let random = SystemRandom::new();
        pair.sign(
            &RSA_PKCS1_SHA256,
            &random,
            signed.as_bytes(),
            &mut signature,
        )
        .map_err(|_| KeyFileError::BadKey)?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(Zeroizing::new(format!("{signed}.{signature}")))
    }
}

/// The OAuth client in the file that a provider's console gives out (Google's `client_secret_….json`): its id and its secret.
///
/// # Errors
/// What the file is instead.
pub fn read_client_file(text: &str) -> Result<(String, Option<ClientSecret>), KeyFileError> {
    #[derive(Deserialize)]
    struct ClientFile {
        installed: Option<FileClient>,
        web: Option<FileClient>,
        #[serde(rename = "type")]
        kind: Option<String>,
    }
    #[derive(Deserialize)]
    struct FileClient {
        client_id: Option<String>,
        client_secret: Option<ClientSecret>,
    }
    let file: ClientFile = serde_json::from_str(text).map_err(|_| KeyFileError::NotJson)?;
    let client = match (file.installed.or(file.web), file.kind) {
        (Some(client), _) => client,
        (None, Some(kind)) if kind == "service_account" => {
            return Err(KeyFileError::ServiceAccount);
        }
        (None, _) => return Err(KeyFileError::Lacks("`installed` or `web`")),
    };
    let id = client.client_id.ok_or(KeyFileError::Lacks("client_id"))?;
    Ok((id, client.client_secret))
}
