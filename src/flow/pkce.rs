//! Proof key for code exchange, RFC 7636, and the `state` of an authorization request: pure but for [`random`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::{CodeVerifier, Secret};

/// A verifier (RFC 7636 §4.1) or a `state` (RFC 6749 §10.12), of random bytes from the operating system's generator, stretched
/// by a cryptographic one.
pub fn random<K>() -> Secret<K> {
    text(&Zeroizing::new(rand::random()))
}

/// `BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))`, RFC 7636 §4.2: the only transformation that this program knows, under
/// whatever name the provider has for it.
pub fn challenge(verifier: &CodeVerifier) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}

/// 256 bits, as RFC 7636 §4.1 and §7.1 recommend; in base64url they make the 43 characters that a verifier has at least.
fn text<K>(entropy: &Zeroizing<[u8; 32]>) -> Secret<K> {
    Secret::new(URL_SAFE_NO_PAD.encode(entropy.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The octets of RFC 7636 appendix B.
    const OCTETS: [u8; 32] = [
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37,
        77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];

    #[test]
    fn the_vector_of_rfc_7636_appendix_b_holds() {
        let verifier: CodeVerifier = text(&Zeroizing::new(OCTETS));
        assert_eq!(
            verifier.expose(),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
        assert_eq!(
            challenge(&verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn each_login_gets_its_own_of_full_length() {
        let (one, other): (CodeVerifier, CodeVerifier) = (random(), random());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), 43);
    }
}
