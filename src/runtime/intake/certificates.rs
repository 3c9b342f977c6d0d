//! The certificates with which SNS signs. Kept in the journal once they have proved something: the region
//! that serves them may be the one that is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::Answer;
use crate::ports::{Append, Journal, JournalError, NewRecord, Signers, StreamName};

/// Most certificates that are kept; SNS changes its own about once a year.
const MOST: usize = 50;
const KIND: &str = "sns_certificate";

#[derive(Serialize, Deserialize)]
struct Kept {
    address: String,
    pem: String,
}

/// Certificates by their address.
pub(super) struct Certificates {
    journal: Arc<dyn Journal>,
    signers: Arc<dyn Signers>,
    kept: Mutex<Option<BTreeMap<String, Vec<u8>>>>,
}

impl Certificates {
    pub(super) fn new(journal: Arc<dyn Journal>, signers: Arc<dyn Signers>) -> Self {
        Self { journal, signers, kept: Mutex::new(None) }
    }

    /// The certificate of an address: the kept one, else it is fetched.
    pub(super) async fn get(&self, address: &str) -> Result<Vec<u8>, Answer> {
        {
            let mut kept = self.kept.lock().await;
            if kept.is_none() {
                let read = read(self.journal.as_ref()).await;
                *kept = Some(read.map_err(|_| Answer::unavailable("the journal cannot be reached"))?);
            }
            if let Some(certificate) = kept.as_ref().and_then(|kept| kept.get(address)) {
                return Ok(certificate.clone());
            }
        }
        self.signers.certificate(address).await.map_err(|error| {
            tracing::warn!(%error, "the certificate of SNS cannot be fetched");
            Answer::unavailable("the certificate of SNS cannot be fetched")
        })
    }

    /// Keeps a certificate that has proved something. Where that fails it is fetched again next time.
    pub(super) async fn keep(&self, address: &str, certificate: Vec<u8>) {
        let mut kept = self.kept.lock().await;
        let Some(known) = kept.as_mut() else { return };
        if known.contains_key(address) || known.len() >= MOST {
            return;
        }
        let pem = String::from_utf8_lossy(&certificate).into_owned();
        let Ok(body) = serde_json::to_string(&Kept { address: address.to_owned(), pem }) else { return };
        let records = vec![NewRecord { kind: KIND, version: 1, body }];
        let append = Append { stream: Some(stream()), records, ..Append::default() };
        if let Err(error) = self.journal.append(vec![append]).await {
            tracing::warn!(%error, "the certificate of SNS is not kept");
        }
        known.insert(address.to_owned(), certificate);
    }

    pub(super) async fn confirm(&self, address: &str) -> Result<(), Answer> {
        self.signers.confirm(address).await.map_err(|error| {
            tracing::warn!(%error, "the subscription cannot be confirmed");
            Answer::unavailable("the subscription cannot be confirmed")
        })
    }
}

async fn read(journal: &dyn Journal) -> Result<BTreeMap<String, Vec<u8>>, JournalError> {
    let mut kept = BTreeMap::new();
    for record in journal.read(&stream(), 0, 4 * MOST).await? {
        if let Ok(Kept { address, pem }) = serde_json::from_str(&record.body) {
            kept.insert(address, pem.into_bytes());
        }
    }
    Ok(kept)
}

fn stream() -> StreamName {
    StreamName::typed("sns-certificates")
}
