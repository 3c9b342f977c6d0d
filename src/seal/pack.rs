//! Puts a bundle together: what was recorded, what follows from it, a manifest, a signature. The same records
//! and the same key give the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::archive::{self, Files};
use super::chain::Chain;
use super::key::Pair;
use super::retell::{retell, told};
use super::{BYTES, FILES, FORMAT, names, sums};
use crate::evidence::RENDERING;
use crate::journal::export;
use crate::journal::record::hex;
use crate::model::id::RunId;
use crate::model::time::Timestamp;
use crate::ports::{Record, StreamName};

/// What a bundle is made of.
#[derive(Debug)]
pub struct Contents<'a> {
    /// The run.
    pub run: RunId,
    /// Its records, and those beside it.
    pub records: &'a [Record],
    /// The hashes of the journal around them.
    pub chain: Chain,
    /// The plan, as it is stored.
    pub plan: Vec<u8>,
    /// The text of the runbook.
    pub runbook: Vec<u8>,
    /// Large outputs, by their SHA-256 in hex.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Version of drctl.
    pub drctl: &'a str,
}

/// What a bundle says about itself: `about.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Version of the layout.
    pub bundle: u32,
    /// Version of what the reports look like.
    pub rendering: u32,
    /// The run.
    pub run: String,
    /// The time of the last record in it.
    pub as_of: Timestamp,
    /// Last position of the journal that was chained.
    pub position: u64,
    /// The journal's head there, in hex.
    pub head: String,
    /// SHA-256 of the key that signs, in hex.
    pub key: String,
    /// Version of drctl that made it.
    pub drctl: String,
}

/// Why no bundle could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The records do not tell a run.
    #[error("the run cannot be told from its records: {0}")]
    Records(String),
    /// There is too much of it.
    #[error("the bundle would be larger than {} MiB", BYTES / 1024 / 1024)]
    TooLarge,
    /// The archive could not be written.
    #[error("the archive cannot be written: {0}")]
    Archive(String),
}

/// Makes a signed bundle.
///
/// # Errors
/// When the records do not tell a run, or there is too much of it.
pub fn pack(contents: &Contents<'_>, pair: &Pair) -> Result<Vec<u8>, PackError> {
    let of = |stream: StreamName| {
        let records = contents.records.iter().filter(move |record| record.stream == stream);
        records.collect::<Vec<_>>()
    };
    let run = retell(&of(StreamName::run(&contents.run)), &contents.plan).map_err(PackError::Records)?;
    let beside = told(&of(StreamName::evidence(&contents.run))).map_err(PackError::Records)?;
    let report = run.report(&beside);
    let (position, head) = contents.chain.head();
    if contents.records.iter().any(|record| record.position > position) {
        return Err(PackError::TooLarge);
    }
    let about = About {
        bundle: FORMAT,
        rendering: RENDERING,
        run: contents.run.to_string(),
        as_of: report.as_of,
        position,
        head: hex(&head),
        key: pair.public().fingerprint(),
        drctl: contents.drctl.to_owned(),
    };
    let mut files = Files::new();
    let mut add = |name: &str, bytes: Vec<u8>| files.insert(name.to_owned(), bytes);
    add(names::README, readme(&about).into_bytes());
    add(names::ABOUT, json(&about));
    add(names::KEY, pair.public().pem().into_bytes());
    add(names::RECORDS, lines(contents.records).into_bytes());
    add(names::CHAIN, contents.chain.write().into_bytes());
    add(names::PLAN, contents.plan.clone());
    add(names::RUNBOOK, contents.runbook.clone());
    add(names::MARKDOWN, report.markdown().into_bytes());
    add(names::HTML, report.html().into_bytes());
    add(names::JSON, report.json().into_bytes());
    for (name, bytes) in &contents.blobs {
        add(&format!("{}{name}", names::BLOBS), bytes.clone());
    }
    let time = u64::try_from(about.as_of.as_millis() / 1_000).unwrap_or(0);
    sign(&format!("evidence-{}", about.run), files, time, pair)
}

/// Adds manifest and signature to files and packs them below a folder, with one time for all of them in
/// seconds since 1970. Says nothing about what the files hold.
///
/// # Errors
/// When there is too much of it, or a name does not fit into an archive.
pub fn sign(folder: &str, mut files: Files, time: u64, pair: &Pair) -> Result<Vec<u8>, PackError> {
    let manifest = sums::write(&files);
    files.insert(names::SIGNATURE.to_owned(), pair.sign(manifest.as_bytes()));
    files.insert(names::SUMS.to_owned(), manifest.into_bytes());
    let bytes =
        archive::write(folder, &files, time).map_err(|error| PackError::Archive(error.to_string()))?;
    if bytes.len() > BYTES || files.len() > FILES { Err(PackError::TooLarge) } else { Ok(bytes) }
}

/// The form in which `about.json` is written; verifying compares bytes.
pub(super) fn json(about: &About) -> Vec<u8> {
    // It has only plain fields.
    let mut text = serde_json::to_vec_pretty(about).unwrap_or_default();
    text.push(b'\n');
    text
}

fn lines(records: &[Record]) -> String {
    records.iter().fold(String::new(), |text, record| text + &export::line(record) + "\n")
}

/// What stands in `README.txt`.
pub(super) fn readme(about: &About) -> String {
    let (run, as_of, key) = (&about.run, about.as_of, &about.key);
    format!(
        "Evidence of run {run}, as of {as_of}. Start with report.html.\n\n\
         report.html, .md, .json  what happened, what was measured, who did what\n\
         journal/records.jsonl    every record of the run, each chained to the one before\n\
         journal/chain.txt        the hashes of the whole journal around them, up to its head\n\
         plan.json, runbook.yaml  what was executed; their SHA-256 stand in the first record\n\
         blobs/                   outputs too large for a record, named by their SHA-256\n\
         about.json               format, journal head, key\n\
         SHA256SUMS               the manifest: the SHA-256 of every other file\n\
         SHA256SUMS.sig           Ed25519 signature of the manifest\n\
         key.pub.pem              the public key; SHA-256 of its DER: {key}\n\n\
         To check everything, without a network:\n\n\
         \x20 drctl evidence verify THIS-FILE.tar --trust KEY-YOU-WERE-GIVEN.pem\n\n\
         To check files and signature with other programs, in this folder:\n\n\
         \x20 sha256sum -c SHA256SUMS\n\
         \x20 openssl pkeyutl -verify -pubin -inkey KEY-YOU-WERE-GIVEN.pem \\\n\
         \x20   -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig\n\n\
         The key in this folder proves nothing by itself: anybody can make one. Compare it with the one\n\
         that the people who run drctl gave you by another way.\n"
    )
}
