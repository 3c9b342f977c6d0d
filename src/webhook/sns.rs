//! The envelope of Amazon SNS: what it says, and whether SNS signed it. The certificate is fetched by
//! somebody else, and only from SNS itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use serde_json::{Map, Value};

use super::Error;
use super::bounded::{cut, object, time};
use crate::model::run::words;
use crate::model::time::Timestamp;

/// Largest certificate that is read, in bytes.
const CERTIFICATE: usize = 64 * 1024;
/// Longest address.
const ADDRESS: usize = 2_048;

words! {
    /// What SNS sends.
    SnsKind {
        /// A message of the topic.
        Notification = "Notification",
        /// SNS asks whether this address wants messages.
        SubscriptionConfirmation = "SubscriptionConfirmation",
        /// SNS tells that it no longer sends any.
        UnsubscribeConfirmation = "UnsubscribeConfirmation",
    }
}

/// What SNS wraps a message in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What it is.
    pub kind: SnsKind,
    /// Id of the message: the same when it is sent again.
    pub id: String,
    /// The topic.
    pub topic: String,
    /// The message: a text, as it was signed.
    pub message: String,
    /// When SNS took it.
    pub at: Timestamp,
    /// Where the certificate lies: an address of SNS.
    pub certificate: String,
    /// Where a subscription is confirmed: an address of SNS.
    pub confirm: Option<String>,
    /// The text that was signed.
    signed: String,
    signature: Vec<u8>,
    /// With SHA-1, as the first version of signatures; else with SHA-256.
    legacy: bool,
}

impl Envelope {
    /// Reads an envelope.
    ///
    /// # Errors
    /// When it is none, or its addresses are not those of SNS.
    pub fn read(body: &[u8]) -> Result<Self, Error> {
        let document = object(body)?;
        let field = |key: &str| {
            let value = document.get(key).and_then(Value::as_str);
            value.ok_or_else(|| Error::malformed(format!("the envelope has no `{key}`")))
        };
        let kind: SnsKind =
            field("Type")?.parse().map_err(|_| Error::malformed("`Type` is nothing that SNS sends"))?;
        let legacy = match field("SignatureVersion")? {
            "1" => true,
            "2" => false,
            _ => return Err(Error::malformed("`SignatureVersion` is neither 1 nor 2")),
        };
        let signature = STANDARD.decode(field("Signature")?);
        let certificate = field("SigningCertURL")?;
        if !path_of_sns(certificate).is_some_and(is_certificate) {
            return Err(Error::Unproved("the certificate does not lie at an address of SNS"));
        }
        let confirm = match kind {
            SnsKind::SubscriptionConfirmation => Some(field("SubscribeURL")?),
            SnsKind::Notification | SnsKind::UnsubscribeConfirmation => None,
        };
        let confirms = |path: &str| path.starts_with("?Action=ConfirmSubscription&");
        if confirm.is_some_and(|address| !path_of_sns(address).is_some_and(confirms)) {
            return Err(Error::Unproved("the subscription is not confirmed at an address of SNS"));
        }
        Ok(Self {
            kind,
            id: cut(field("MessageId")?),
            topic: field("TopicArn")?.to_owned(),
            message: field("Message")?.to_owned(),
            at: time(document.get("Timestamp")).ok_or_else(|| Error::malformed("`Timestamp` is no time"))?,
            certificate: certificate.to_owned(),
            confirm: confirm.map(str::to_owned),
            signed: signed(kind, &document),
            signature: signature.map_err(|_| Error::malformed("`Signature` is no base64"))?,
            legacy,
        })
    }

    /// Whether the owner of a certificate signed it. Whether it is that of SNS follows from where it was
    /// fetched.
    ///
    /// # Errors
    /// When it did not, or the certificate cannot be read.
    pub fn prove(&self, certificate: &[u8]) -> Result<(), Error> {
        let unreadable = Error::Unproved("the certificate of SNS cannot be read");
        if certificate.len() > CERTIFICATE {
            return Err(unreadable);
        }
        let der = CertificateDer::from_pem_slice(certificate).map_err(|_| unreadable.clone())?;
        let owner = webpki::EndEntityCert::try_from(&der).map_err(|_| unreadable)?;
        let algorithm: &dyn SignatureVerificationAlgorithm =
            if self.legacy { &RsaSha1 } else { webpki::ring::RSA_PKCS1_2048_8192_SHA256 };
        owner
            .verify_signature(algorithm, self.signed.as_bytes(), &self.signature)
            .map_err(|_| Error::Unproved("SNS did not sign this"))
    }
}

/// The text that SNS signs: names and values of some fields, each on a line of its own.
fn signed(kind: SnsKind, document: &Map<String, Value>) -> String {
    let fields: &'static [&'static str] = match kind {
        SnsKind::Notification => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        SnsKind::SubscriptionConfirmation | SnsKind::UnsubscribeConfirmation => {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        }
    };
    let mut text = String::new();
    for key in fields {
        if let Some(value) = document.get(*key).and_then(Value::as_str) {
            text.extend([*key, "\n", value, "\n"]);
        }
    }
    text
}

/// What follows in an address of SNS, `https://sns.<region>.amazonaws.com/`, after the slash. A text
/// comparison on purpose: what needs more to be understood is not one.
fn path_of_sns(address: &str) -> Option<&str> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~/?=&%:+".contains(&c);
    if address.len() > ADDRESS || !address.bytes().all(plain) {
        return None;
    }
    let (host, path) = address.strip_prefix("https://")?.split_once('/')?;
    let rest = host.strip_prefix("sns.")?;
    let region = rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))?;
    let in_region = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (!region.is_empty() && region.bytes().all(in_region)).then_some(path)
}

/// Whether a path is that of a certificate. Any other answer of SNS may hold what an attacker has put there.
fn is_certificate(path: &str) -> bool {
    let name = path.strip_prefix("SimpleNotificationService-").and_then(|rest| rest.strip_suffix(".pem"));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-'))
}

/// RSA with SHA-1, which only the first version of SNS signatures uses.
#[derive(Debug)]
struct RsaSha1;

impl SignatureVerificationAlgorithm for RsaSha1 {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        // sha1WithRSAEncryption, 1.2.840.113549.1.1.5, and no parameters.
        AlgorithmIdentifier::from_slice(&[6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 5, 5, 0])
    }

    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let algorithm: &dyn VerificationAlgorithm = &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY;
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).map_err(|_| InvalidSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::{is_certificate, path_of_sns};

    #[test]
    fn only_certificates_of_sns_are_fetched() {
        let fetched = |address: &str| path_of_sns(address).is_some_and(is_certificate);
        let name = "SimpleNotificationService-0a1b2c.pem";
        assert!(fetched(&format!("https://sns.us-east-1.amazonaws.com/{name}")));
        assert!(fetched(&format!("https://sns.cn-north-1.amazonaws.com.cn/{name}")));
        for base in [
            "http://sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com.evil.example/",
            "https://evil.example/sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com@evil.example/",
            "https://sns.us-east-1.amazonaws.com:8443/",
            "https://sns..amazonaws.com/",
            "https://sns.evil.example#.amazonaws.com/",
            "https://sns.a/b.amazonaws.com/",
            "https://sns.US.amazonaws.com/",
            "https://s3.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com\\@evil.example/",
            // SNS answers this with what the owner of the endpoint has written there.
            "https://sns.us-east-1.amazonaws.com/?Action=GetEndpointAttributes&x=",
            "https://sns.us-east-1.amazonaws.com/deeper/",
            "",
        ] {
            assert!(!fetched(&format!("{base}{name}")), "{base}");
        }
        assert!(!fetched("https://sns.us-east-1.amazonaws.com"));
        assert!(!fetched("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-.pem"));
        assert!(!fetched(&format!("https://sns.us-east-1.amazonaws.com/{name}?x=.pem")));
    }
}
