//! Which certificates are trusted: those that the system trusts (or `SSL_CERT_FILE` and `SSL_CERT_DIR` name), and those in
//! files that the user names. A certificate that isn't trusted is told with its issuer and the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use super::certificate;
use crate::clock::Timestamp;
use crate::environment::var;
use crate::paths;
use crate::text::printable;

/// Why a server's certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Its time is over.
    #[error("it expired at {until}, and this machine's clock says {now}")]
    Expired { until: Timestamp, now: Timestamp },
    /// Its time has not come.
    #[error("it is valid from {from} on, and this machine's clock says {now}")]
    NotYetValid { from: Timestamp, now: Timestamp },
    /// It belongs to somebody else.
    #[error("{}", made_out_to(.names))]
    WrongName {
        /// The names that it is made out to.
        names: Vec<String>,
    },
    /// Nobody vouches for it whom this machine trusts.
    #[error("this machine does not trust its issuer")]
    UnknownIssuer,
    /// It is an authority's own (`CA:TRUE`), and no server's.
    #[error("it is made for an authority (CA:TRUE), and not for a server")]
    Authority,
    /// Anything else, in the verifier's words.
    #[error("{0}")]
    Other(String),
}

fn made_out_to(names: &[String]) -> String {
    match names {
        [] => "it names no server".to_owned(),
        names => format!("it is for {}", names.join(", ")),
    }
}

/// A certificate that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", .issuer.as_ref().map(|name| format!(" (issuer: {name})")).unwrap_or_default())]
pub struct Untrusted {
    /// Who issued it, by its own word.
    pub issuer: Option<String>,
    /// Why it is refused.
    pub reason: Reason,
}

/// Enough names to see whose certificate it is; a shared one has hundreds.
const SHOWN_NAMES: usize = 3;
/// The longest DNS name (RFC 1035 §2.3.4).
const SHOWN_NAME: usize = 255;

/// A system's whole bundle has 250 kB.
const MAX_PEM: u64 = 16 << 20;

/// What stands in the way of a TLS connection. Travels inside rustls' error to [`super::error`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    #[error("{0}")]
    Certificate(Untrusted),
    /// There is nobody to trust: no store of the system, a file that cannot be read.
    #[error("{0}")]
    NoRoots(String),
}

/// TLS 1.2 and 1.3 (rustls has nothing older), with the certificates named in the module's description; `extra` are PEM files,
/// or folders of them.
///
/// # Errors
/// No cipher suite for these versions: a mistake of ours.
pub fn tls_config(extra: &[PathBuf]) -> Result<ClientConfig, rustls::Error> {
    let verifier = Explaining::new(extra);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&verifier.provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Whether there is somebody to trust, with these files or folders besides the system's.
///
/// # Errors
/// Why there is nobody.
pub fn check(extra: &[PathBuf]) -> Result<(), Distrust> {
    Explaining::new(extra).load().map(drop)
}

/// The platform's verifier, which decides; what it refuses is put into words. The roots are read when first needed: plain
/// HTTP on loopback must work on a machine that has none.
#[derive(Debug)]
struct Explaining {
    provider: Arc<CryptoProvider>,
    extra: Vec<PathBuf>,
    verifier: OnceLock<Result<Verifier, Distrust>>,
}

impl Explaining {
    fn new(extra: &[PathBuf]) -> Self {
        Self {
            provider: Arc::new(ring::default_provider()),
            extra: extra.to_vec(),
            verifier: OnceLock::new(),
        }
    }

    fn load(&self) -> Result<Verifier, Distrust> {
        let mut extra = Vec::new();
        for path in &self.extra {
            let found = certificates(path)
                .map_err(|reason| Distrust::NoRoots(format!("{}: {reason}", path.display())))?;
            extra.extend(found);
        }
        Verifier::new_with_extra_roots(extra, Arc::clone(&self.provider)).map_err(|error| {
            Distrust::NoRoots(unusable_variable().unwrap_or_else(|| {
                format!("no certificate authority is known to this machine ({error})")
            }))
        })
    }
}

/// What is wrong with `SSL_CERT_FILE`, which takes the place of the system's.
fn unusable_variable() -> Option<String> {
    let file = var("SSL_CERT_FILE")?;
    // As Rust writes it: a line break at its end is seen.
    let shown = format!("{file:?}");
    let path = Path::new(&file);
    let reason = if path.is_dir() {
        "it is a folder; that is for SSL_CERT_DIR".to_owned()
    } else {
        certificates(path).err()?
    };
    Some(format!("SSL_CERT_FILE names {shown}: {reason}"))
}

/// Where the system keeps them. Named only where the verifier does not find it: a `SSL_CERT_FILE` that is empty counts as a
/// file without a name there.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub fn system_roots() -> Option<PathBuf> {
    let found = openssl_probe::probe();
    found
        .cert_file
        .or_else(|| found.cert_dir.into_iter().next())
}

/// A certificate that is its own authority, as `openssl req -x509` makes one for a test server. webpki takes none of them for a
/// server's, and has no public name for that.
fn is_own_authority(why: &CertificateError) -> bool {
    matches!(why, CertificateError::Other(inner) if inner.to_string() == "CaUsedAsEndEntity")
}

/// The certificates of a PEM file, or of every file in a folder.
///
/// # Errors
/// Why there are none, in a clause.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = if path.is_dir() {
        let files = fs::read_dir(path).map_err(|error| error.to_string())?;
        // A folder of certificates holds other things as well: links by hash, a README.
        files
            .flatten()
            .filter_map(|file| pem_file(&file.path()).ok())
            .flatten()
            .collect()
    } else {
        pem_file(path)?
    };
    if found.is_empty() {
        return Err("it contains no certificate in PEM format".to_owned());
    }
    Ok(found)
}

fn pem_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = paths::read_bounded(file, MAX_PEM).map_err(|error| error.to_string())?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found: Vec<CertificateDer<'static>> = found.map_err(|_| "its PEM is damaged".to_owned())?;
    let mut tried = RootCertStore::empty();
    for (before, certificate) in found.iter().enumerate() {
        let taken = tried.add(certificate.clone());
        taken.map_err(|_| format!("certificate {} in it can't be read", before + 1))?;
    }
    Ok(found)
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifier = self.verifier.get_or_init(|| self.load());
        let verifier = verifier
            .as_ref()
            .map_err(|distrust| rustls::Error::Other(OtherError(Arc::new(distrust.clone()))))?;
        verifier
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| explain(error, end_entity))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The same refusal, with issuer and reason inside.
fn explain(error: rustls::Error, end_entity: &CertificateDer<'_>) -> rustls::Error {
    let rustls::Error::InvalidCertificate(why) = error else {
        return error;
    };
    let reason = match reason(&why) {
        // The verifier takes the others of a damaged file in silence.
        reason @ (Reason::UnknownIssuer | Reason::Other(_)) => match unusable_variable() {
            Some(variable) => Reason::Other(format!("{reason}; {variable}")),
            None => reason,
        },
        reason => reason,
    };
    let distrust = Distrust::Certificate(Untrusted {
        issuer: certificate::issuer(end_entity),
        reason,
    });
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrust))))
}

fn reason(why: &CertificateError) -> Reason {
    // Neither the verifier's clock nor a certificate's year comes near the end of this type.
    let moment = |time: &UnixTime| Timestamp::from_epoch(time.as_secs().cast_signed());
    match why {
        CertificateError::ExpiredContext { time, not_after } => Reason::Expired {
            until: moment(not_after),
            now: moment(time),
        },
        CertificateError::Expired => Reason::Other("it has expired".to_owned()),
        CertificateError::NotValidYetContext { time, not_before } => Reason::NotYetValid {
            from: moment(not_before),
            now: moment(time),
        },
        CertificateError::NotValidForNameContext { presented, .. } => Reason::WrongName {
            names: presented
                .iter()
                .take(SHOWN_NAMES)
                .map(|name| bare_name(name))
                .collect(),
        },
        CertificateError::NotValidForName => Reason::WrongName { names: Vec::new() },
        CertificateError::UnknownIssuer => Reason::UnknownIssuer,
        why if is_own_authority(why) => Reason::Authority,
        CertificateError::BadSignature => {
            Reason::Other("the signature of its issuer is wrong".to_owned())
        }
        CertificateError::Revoked => Reason::Other("it was revoked".to_owned()),
        other => Reason::Other(other.to_string()),
    }
}

/// webpki tells a name as it is written in Rust, `DnsName("as.example")`.
fn bare_name(name: &str) -> String {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or(name);
    printable(inner.trim_matches('"'), SHOWN_NAME)
}

#[cfg(test)]
mod tests {
    use super::bare_name;

    #[test]
    fn names_are_shown_bare() {
        assert_eq!(bare_name("DnsName(\"as.example\")"), "as.example");
        assert_eq!(bare_name("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(bare_name("DirectoryName"), "DirectoryName");
    }
}
