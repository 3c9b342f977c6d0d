//! An identity provider on this machine: discovery, keys, and the keys to sign tokens with.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

/// A key to sign tokens with.
pub(crate) struct Signer {
    id: String,
    pair: Pair,
}

enum Pair {
    Es(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rs(Box<RsaKeyPair>),
}

impl Signer {
    pub(crate) fn es(id: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), pair: Pair::Es(pair) }
    }

    pub(crate) fn ed(id: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id: id.to_owned(), pair: Pair::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap()) }
    }

    /// With a key that is kept for tests, as ring makes none.
    pub(crate) fn rs(id: &str) -> Self {
        let pair = RsaKeyPair::from_der(include_bytes!("../../fixtures/oidc/rsa.der")).unwrap();
        Self { id: id.to_owned(), pair: Pair::Rs(Box::new(pair)) }
    }

    /// Its public key, as an issuer publishes it.
    pub(crate) fn public(&self) -> Value {
        match &self.pair {
            Pair::Es(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": base64(x), "y": base64(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "alg": "EdDSA", "x": base64(pair.public_key())})
            }
            Pair::Rs(pair) => {
                let parts: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "kid": self.id, "alg": "RS256", "n": base64(&parts.n), "e": base64(&parts.e)})
            }
        }
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
            Pair::Rs(_) => "RS256",
        }
    }

    /// A token that says this.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm(), "typ": "JWT", "kid": self.id}), claims)
    }

    /// A token with another header.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        joined(header, claims, |message| match &self.pair {
            Pair::Es(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rs(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        })
    }
}

/// A token of its parts.
pub(crate) fn joined(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
    let signature = base64(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An identity provider that answers.
pub(crate) struct Issuer {
    /// Its name, which is its address.
    pub(crate) name: String,
    published: Arc<Published>,
    task: tokio::task::JoinHandle<()>,
}

struct Published {
    name: String,
    keys: Mutex<String>,
    asked: Mutex<usize>,
}

impl Issuer {
    /// Starts it.
    pub(crate) async fn start(signers: &[&Signer]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = format!("http://{}", listener.local_addr().unwrap());
        let published =
            Arc::new(Published { name: name.clone(), keys: Mutex::default(), asked: Mutex::default() });
        let router = axum::Router::new()
            .route("/.well-known/openid-configuration", get(discover))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&published));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let issuer = Self { name, published, task };
        issuer.publish(signers);
        issuer
    }

    /// Publishes these keys alone from now on.
    pub(crate) fn publish(&self, signers: &[&Signer]) {
        let keys: Vec<Value> = signers.iter().map(|signer| signer.public()).collect();
        self.publish_text(json!({"keys": keys}).to_string());
    }

    /// Publishes anything instead of keys.
    pub(crate) fn publish_text(&self, text: String) {
        *self.published.keys.lock().unwrap() = text;
    }

    /// How often its keys were asked for.
    pub(crate) fn asked(&self) -> usize {
        *self.published.asked.lock().unwrap()
    }

    /// Is there no more.
    pub(crate) async fn stop(self) -> String {
        self.task.abort();
        let _ = self.task.await;
        self.name
    }
}

async fn discover(State(published): State<Arc<Published>>) -> Response {
    let document = json!({"issuer": published.name, "jwks_uri": format!("{}/keys", published.name)});
    axum::Json(document).into_response()
}

async fn keys(State(published): State<Arc<Published>>) -> Response {
    *published.asked.lock().unwrap() += 1;
    let text = published.keys.lock().unwrap().clone();
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
