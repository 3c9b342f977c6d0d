//! The public keys of an issuer. Takes those it can use and passes over the rest; a shared secret is never
//! one of them.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::Error;

/// Largest document with keys, in bytes.
const LARGEST: usize = 256 * 1024;
/// Most keys of an issuer.
const MOST: usize = 100;

/// The keys of an issuer.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads a key set (RFC 7517).
    ///
    /// # Errors
    /// When it is none, is too large, or holds no key that can be used.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > LARGEST {
            return Err(Error::Keys("the document is larger than 256 KiB"));
        }
        let set: Set =
            serde_json::from_slice(bytes).map_err(|_| Error::Keys("the document is no set of keys"))?;
        if set.keys.len() > MOST {
            return Err(Error::Keys("there are more than 100"));
        }
        let keys: Vec<Key> = set.keys.into_iter().filter_map(usable).collect();
        if keys.is_empty() {
            return Err(Error::Keys("none is for signatures with RS256, ES256 or EdDSA"));
        }
        Ok(Self(keys))
    }

    /// The key of an id. A token without one is only believed where no other key could be meant.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let fits = |key: &&Key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id);
        let mut found = self.0.iter().filter(fits);
        let first = found.next()?;
        (id.is_some() || found.next().is_none()).then_some(&first.decoding)
    }
}

fn usable(value: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(it) if it.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    // A key that says what it is for is for nothing else.
    if jwk.common.key_algorithm.is_some_and(|says| says != named) {
        return None;
    }
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id, algorithm, decoding })
}
