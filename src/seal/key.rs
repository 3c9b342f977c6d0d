//! Keys that sign bundles: Ed25519, in the files that other programs write and read too. Draws no key itself
//! and never shows a private one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::journal::record::{digest, hex};

/// What stands before the 32 bytes of a private key in PKCS #8 (RFC 8410, section 7).
const PRIVATE: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What stands before the 32 bytes of a public key (RFC 8410, section 4).
const PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Largest file of a key, in bytes.
const FILE: usize = 4_096;

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not in PEM, or not what was asked for.
    #[error("it is no {0} in PEM")]
    Pem(&'static str),
    /// It is of another kind.
    #[error("it is no Ed25519 key")]
    Kind,
}

/// A pair of keys.
pub struct Pair {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pair({})", self.public().fingerprint())
    }
}

impl Pair {
    /// Makes the pair of a seed that was drawn at random.
    ///
    /// # Errors
    /// When no key can be made of it.
    pub fn of_seed(seed: [u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Kind)?;
        Ok(Self { seed, pair })
    }

    /// Reads a private key as `openssl genpkey -algorithm ed25519` and drctl write it.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let der = unwrap(text, "PRIVATE KEY").ok_or(KeyError::Pem("private key"))?;
        let seed =
            der.strip_prefix(PRIVATE.as_slice()).and_then(|rest| rest.get(..32)).ok_or(KeyError::Kind)?;
        Self::of_seed(seed.try_into().map_err(|_| KeyError::Kind)?)
    }

    /// Writes the private key as PEM. Whoever reads it can sign.
    #[must_use]
    pub fn private_pem(&self) -> String {
        wrap(&[PRIVATE.as_slice(), &self.seed].concat(), "PRIVATE KEY")
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let bytes = self.pair.public_key().as_ref();
        PublicKey(bytes.try_into().unwrap_or([0; 32]))
    }

    /// Signs bytes.
    #[must_use]
    pub(super) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }
}

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a public key as PEM.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let der = unwrap(text, "PUBLIC KEY").ok_or(KeyError::Pem("public key"))?;
        let bytes = der.strip_prefix(PUBLIC.as_slice()).ok_or(KeyError::Kind)?;
        Ok(Self(bytes.try_into().map_err(|_| KeyError::Kind)?))
    }

    /// Writes it as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        wrap(&self.der(), "PUBLIC KEY")
    }

    /// SHA-256 of the key in DER, in hex: what people compare.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&digest(&self.der()))
    }

    /// Says whether a signature of these bytes is of this key.
    #[must_use]
    pub(super) fn has_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(bytes, signature).is_ok()
    }

    fn der(&self) -> Vec<u8> {
        [PUBLIC.as_slice(), &self.0].concat()
    }
}

fn wrap(der: &[u8], kind: &str) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
}

fn unwrap(text: &str, kind: &str) -> Option<Vec<u8>> {
    let text = text.get(..FILE.min(text.len()))?.trim();
    let inside = text.strip_prefix(&format!("-----BEGIN {kind}-----"))?;
    let inside = inside.strip_suffix(&format!("-----END {kind}-----"))?;
    let plain: String = inside.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    STANDARD.decode(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl genpkey -algorithm ed25519`, and `openssl pkey -pubout` of it.
    const PRIVATE_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    /// The key of RFC 8410, section 10.3 and 10.1.
    #[test]
    fn keys_are_those_that_other_programs_write() {
        let pair = Pair::parse(PRIVATE_PEM).unwrap();
        assert_eq!(pair.public().pem(), PUBLIC_PEM);
        assert_eq!(pair.private_pem(), PRIVATE_PEM);
        assert_eq!(PublicKey::parse(PUBLIC_PEM), Ok(pair.public()));
        assert!(!format!("{pair:?}").contains("1O5y2"), "{pair:?}");
    }

    #[test]
    fn a_signature_is_of_one_key_and_one_text() {
        let pair = Pair::of_seed([1; 32]).unwrap();
        let signature = pair.sign(b"text");
        assert!(pair.public().has_signed(b"text", &signature));
        assert!(!pair.public().has_signed(b"Text", &signature));
        assert!(!Pair::of_seed([2; 32]).unwrap().public().has_signed(b"text", &signature));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let rsa = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                   -----END PUBLIC KEY-----";
        assert_eq!(PublicKey::parse(rsa), Err(KeyError::Kind));
        assert_eq!(PublicKey::parse(PRIVATE_PEM), Err(KeyError::Pem("public key")));
        assert!(Pair::parse(PUBLIC_PEM).is_err() && Pair::parse("").is_err());
    }
}
