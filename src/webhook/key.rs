//! A secret that a delivery is proved with. Compares in constant time; never shows itself.

use ring::hmac;

/// A secret shared with a sender.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    /// Takes the secret's text.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// Whether a signature in hex is the HMAC-SHA256 of a text with this secret.
    #[must_use]
    pub fn signed(&self, text: &[u8], signature: &str) -> bool {
        unhex(signature).is_some_and(|tag| hmac::verify(&self.0, text, &tag).is_ok())
    }

    /// Whether a text is the secret itself. The same words are signed with both, and the signatures compared.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        const WORDS: &[u8] = b"drctl webhook";
        hmac::verify(&self.0, WORDS, hmac::sign(&Self::new(text).0, WORDS).as_ref()).is_ok()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// Reads pairs of hex digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    #[test]
    fn a_signature_is_an_hmac_with_sha_256() {
        let key = Key::new("Jefe");
        let text = b"what do ya want for nothing?";
        let tag = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(key.signed(text, tag) && key.signed(text, &tag.to_uppercase()));
        for wrong in ["", "5b", "5", "zz", &tag[..62], &format!("{tag}00"), &tag.replace('5', "6"), "é"] {
            assert!(!key.signed(text, wrong), "{wrong}");
        }
        assert!(!key.signed(b"what do ya want for nothing", tag));
        assert!(key.is("Jefe") && !key.is("jefe") && !key.is("") && !key.is("Jefe "));
        assert_eq!(format!("{key:?}"), "Key");
    }
}
