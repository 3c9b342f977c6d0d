//! Sealed bundles: the evidence of a run that anybody can check without the journal and without a network.
//! Pure; reads no file and draws no key, and trusts nothing it is given.

mod archive;
mod chain;
mod family;
mod key;
mod pack;
mod retell;
mod sums;
mod verify;

pub use archive::{Files, Stop, unpack};
pub use chain::Chain;
pub use family::{Family, Member};
pub use key::{KeyError, Pair, PublicKey};
pub use pack::{About, Contents, PackError, pack, sign};
pub use retell::{Entry, Retold, retell, told};
pub use verify::{Check, Signature, Verified, open, verify};

/// Version of the layout of a bundle that this build writes.
pub const FORMAT: u32 = 1;

/// Largest bundle, in bytes.
pub const BYTES: usize = 256 * 1024 * 1024;
/// Most files of a bundle.
pub const FILES: usize = 20_000;
/// Most records of the whole journal that a bundle chains.
pub const CHAIN: u64 = 2_000_000;

/// Names of the files of a bundle.
pub(crate) mod names {
    pub(crate) const README: &str = "README.txt";
    pub(crate) const SUMS: &str = "SHA256SUMS";
    pub(crate) const SIGNATURE: &str = "SHA256SUMS.sig";
    pub(crate) const ABOUT: &str = "about.json";
    pub(crate) const KEY: &str = "key.pub.pem";
    pub(crate) const RECORDS: &str = "journal/records.jsonl";
    pub(crate) const CHAIN: &str = "journal/chain.txt";
    pub(crate) const PLAN: &str = "plan.json";
    pub(crate) const RUNBOOK: &str = "runbook.yaml";
    pub(crate) const MARKDOWN: &str = "report.md";
    pub(crate) const HTML: &str = "report.html";
    pub(crate) const JSON: &str = "report.json";
    pub(crate) const BLOBS: &str = "blobs/";
}
