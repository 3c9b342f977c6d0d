//! Checks the bundles of a run and of all runs that it began together: each by itself, that none is missing,
//! and that all are of one journal. Pure; holds one bundle at a time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::key::PublicKey;
use super::verify::{Signature, Verified, open, verify};
use crate::engine::begun;
use crate::journal::record::Hash;
use crate::model::id::RunId;

/// A bundle of a folder, and what was found out about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Name of its file.
    pub file: String,
    /// What was found out.
    #[serde(flatten)]
    pub verified: Verified,
}

/// What was found out about bundles that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Family {
    /// Whether each is sound, none is missing, and all are of one journal.
    pub sound: bool,
    /// The bundles, in the order they were given.
    pub bundles: Vec<Member>,
    /// What is wrong with them as a whole.
    pub wrong: Vec<String>,
    /// Runs that bundles say they began, with who began them.
    #[serde(skip)]
    begun: BTreeMap<RunId, String>,
}

impl Family {
    /// Checks one more; as [`verify`].
    pub fn add(&mut self, file: &str, bytes: &[u8], trusted: &[PublicKey], noted: Option<&Hash>) {
        let verified = verify(bytes, trusted, noted);
        if let (true, Ok(run)) = (verified.sound, open(bytes)) {
            let by = verified.run.clone().unwrap_or_default();
            let begun = begun(&run.plan, &run.end());
            self.begun.extend(begun.into_iter().map(|child| (child, by.clone())));
        }
        self.bundles.push(Member { file: file.to_owned(), verified });
    }

    /// Checks them as a whole, once all were added.
    pub fn finish(&mut self) {
        let mut runs: BTreeMap<&str, &str> = BTreeMap::new();
        let mut heads: BTreeMap<_, &str> = BTreeMap::new();
        for Member { file, verified } in &self.bundles {
            let Some(run) = verified.run.as_deref() else { continue };
            if let Some(other) = runs.insert(run, file) {
                self.wrong.push(format!("{other} and {file} are both about {run}"));
            }
            if verified.sound {
                heads.entry((verified.position, verified.head.as_deref())).or_insert(file);
            }
        }
        if heads.len() > 1 {
            let files: Vec<_> = heads.values().take(5).copied().collect();
            self.wrong.push(format!(
                "{} end at different heads of a journal: they were not made together, or are of several",
                files.join(", ")
            ));
        }
        for (child, by) in &self.begun {
            if !runs.contains_key(child.as_str()) {
                self.wrong.push(format!("{child}, which {by} began, has no bundle here"));
            }
        }
        let whole = self.wrong.is_empty() && !self.bundles.is_empty();
        self.sound = whole && self.bundles.iter().all(|member| member.verified.sound);
    }

    /// What is known of all their signatures: the worst of them.
    #[must_use]
    pub fn signature(&self) -> Signature {
        let all = |wanted: Signature| self.bundles.iter().all(|member| member.verified.signature == wanted);
        if all(Signature::Trusted) {
            Signature::Trusted
        } else if self.bundles.iter().any(|member| member.verified.signature == Signature::Bad) {
            Signature::Bad
        } else {
            Signature::UnknownKey
        }
    }
}
