//! Checks a bundle: archive, manifest, signature, chains, and that its records tell the report inside. Needs
//! nothing but the bundle; says where it fails.

use std::collections::BTreeMap;

use serde::Serialize;

use super::archive::{Files, unpack};
use super::chain::{self, Chain};
use super::key::PublicKey;
use super::pack::{About, json, readme};
use super::retell::{Retold, retell, told};
use super::{FORMAT, names, sums};
use crate::engine::event::Event;
use crate::evidence::{RENDERING, Report};
use crate::journal::export::{self, Line};
use crate::journal::record::{Hash, digest, hex};
use crate::model::id::RunId;
use crate::ports::{Record, StreamName};

/// What is known of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// Good, and of a key that the caller trusts.
    Trusted,
    /// Good, and of a key that the caller does not know: anybody may have made it.
    UnknownKey,
    /// Not a signature of this manifest by the key inside.
    Bad,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub check: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was found, or what is wrong, one line each.
    pub found: Vec<String>,
}

/// What was found out about a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The run it says it is about.
    pub run: Option<String>,
    /// Whether nothing was changed since it was signed, and its records tell its report.
    pub sound: bool,
    /// What is known of the signature.
    pub signature: Signature,
    /// SHA-256 of the key inside, in hex.
    pub key: Option<String>,
    /// Last position of the journal that was chained.
    pub position: Option<u64>,
    /// The journal's head there, in hex.
    pub head: Option<String>,
    /// Everything that was checked, in order.
    pub checks: Vec<Check>,
}

impl Verified {
    fn add(&mut self, check: &'static str, found: Result<String, Vec<String>>) -> bool {
        let holds = found.is_ok();
        let found = found.map_or_else(|wrong| wrong, |told| vec![told]);
        self.checks.push(Check { check, holds, found });
        holds
    }
}

/// Checks a bundle. `trusted`: keys the caller knows; `noted`: a head of the journal that was kept elsewhere,
/// which must lie on the chain.
#[must_use]
pub fn verify(bytes: &[u8], trusted: &[PublicKey], noted: Option<&Hash>) -> Verified {
    let mut verified = Verified {
        run: None,
        sound: false,
        signature: Signature::Bad,
        key: None,
        position: None,
        head: None,
        checks: Vec::new(),
    };
    let (folder, files) = match unpack(bytes) {
        Ok(unpacked) => unpacked,
        Err(stop) => {
            verified.add("archive", Err(vec![stop.to_string()]));
            return verified;
        }
    };
    verified.add("archive", Ok(format!("{} files, written as drctl writes them", files.len())));
    signature(&mut verified, &files, trusted);
    let wrong = sums::compare(&text(&files, names::SUMS), &files);
    let listed = format!("{} files have the SHA-256 it names", files.len() - 2);
    verified.add("manifest", if wrong.is_empty() { Ok(listed) } else { Err(wrong) });
    match inside(&mut verified, &folder, &files, noted) {
        Ok(()) => {}
        Err(missing) => {
            verified.add("contents", Err(vec![missing]));
        }
    }
    verified.sound = verified.signature != Signature::Bad && verified.checks.iter().all(|check| check.holds);
    verified
}

/// The run inside of a bundle, for looking at it. Nothing is proved about it.
///
/// # Errors
/// When there is none that can be read; in words.
pub fn open(bytes: &[u8]) -> Result<Retold, String> {
    let (_, files) = unpack(bytes).map_err(|stop| stop.to_string())?;
    let records = records(&files)?;
    let runs: Vec<&Record> =
        records.iter().filter(|record| record.stream.as_str().starts_with("run/")).collect();
    retell(&runs, files.get(names::PLAN).map_or(&[], Vec::as_slice))
}

fn text(files: &Files, name: &str) -> String {
    files.get(name).map_or_else(String::new, |bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn signature(verified: &mut Verified, files: &Files, trusted: &[PublicKey]) {
    let pem = text(files, names::KEY);
    let key = match PublicKey::parse(&pem) {
        Ok(key) if key.pem() == pem => key,
        Ok(_) => {
            let what = format!("{}: it is not written as drctl writes keys", names::KEY);
            verified.add("signature", Err(vec![what]));
            return;
        }
        Err(error) => {
            verified.add("signature", Err(vec![format!("{}: {error}", names::KEY)]));
            return;
        }
    };
    let fingerprint = key.fingerprint();
    verified.key = Some(fingerprint.clone());
    let (Some(manifest), Some(signed)) = (files.get(names::SUMS), files.get(names::SIGNATURE)) else {
        verified.add("signature", Err(vec!["the manifest or its signature is missing".to_owned()]));
        return;
    };
    if !key.has_signed(manifest, signed) {
        let what = format!("{}: it is no signature of the manifest by the key inside", names::SIGNATURE);
        verified.add("signature", Err(vec![what]));
        return;
    }
    let known = trusted.contains(&key);
    verified.signature = if known { Signature::Trusted } else { Signature::UnknownKey };
    let who = if known { "a trusted key" } else { "a key that is not known here" };
    verified.add("signature", Ok(format!("good, by {who}: {fingerprint}")));
}

fn records(files: &Files) -> Result<Vec<Record>, String> {
    let bytes = files.get(names::RECORDS).ok_or_else(|| format!("{} is missing", names::RECORDS))?;
    let lines = std::str::from_utf8(bytes).map_err(|error| format!("{}: {error}", names::RECORDS))?;
    let read = |(number, line): (u64, &str)| match export::parse(line) {
        Ok(Line::Record(record)) => Ok(*record),
        Ok(Line::Blob(..)) => Err(format!("{} line {number}: a blob lies among the records", names::RECORDS)),
        Err(error) => Err(format!("{} line {number}: {error}", names::RECORDS)),
    };
    (1..).zip(lines.lines()).map(read).collect()
}

/// Checks what the files say; fails where too little is there to go on.
fn inside(verified: &mut Verified, folder: &str, files: &Files, noted: Option<&Hash>) -> Result<(), String> {
    let about = files.get(names::ABOUT).ok_or_else(|| format!("{} is missing", names::ABOUT))?;
    let told_about: About =
        serde_json::from_slice(about).map_err(|error| format!("{}: {error}", names::ABOUT))?;
    verified.run = Some(told_about.run.clone());
    if told_about.bundle > FORMAT {
        return Err(format!("it has format {}, use a newer drctl", told_about.bundle));
    }
    let run = RunId::new(told_about.run.clone()).map_err(|error| format!("{}: {error}", names::ABOUT))?;
    let records = records(files)?;
    let of =
        |stream: &StreamName| records.iter().filter(|record| record.stream == *stream).collect::<Vec<_>>();
    let (own, beside) = (of(&StreamName::run(&run)), of(&StreamName::evidence(&run)));
    streams(verified, &records, &own, &beside);
    journal(verified, files, &records, &told_about, noted);
    let plan = files.get(names::PLAN).map_or(&[][..], Vec::as_slice);
    let retold = retell(&own, plan)?;
    blobs(verified, files, &records, &retold);
    let report = retold.report(&told(&beside)?);
    reports(verified, files, &told_about, &report);
    let mut wrong = Vec::new();
    if folder != format!("evidence-{run}") {
        wrong.push(format!("the folder is {folder}, the run is {run}"));
    }
    if told_about.as_of != report.as_of {
        wrong.push(format!("{}: the last record is of {}", names::ABOUT, report.as_of));
    }
    if verified.key.as_ref() != Some(&told_about.key) {
        wrong.push(format!("{}: it names another key", names::ABOUT));
    }
    if json(&told_about) != *about {
        wrong.push(format!("{}: it is not written as drctl writes it", names::ABOUT));
    }
    if told_about.rendering == RENDERING && text(files, names::README) != readme(&told_about) {
        wrong.push(format!("{}: it is not the one of this bundle", names::README));
    }
    verified.add("about", if wrong.is_empty() { Ok(format!("run {run}")) } else { Err(wrong) });
    Ok(())
}

fn streams(verified: &mut Verified, all: &[Record], own: &[&Record], beside: &[&Record]) {
    let mut wrong = chain::check(own);
    wrong.extend(chain::check(beside));
    if own.len() + beside.len() != all.len() {
        wrong.push(format!("{}: records of other streams are among them", names::RECORDS));
    }
    if all.is_sorted_by(|one, next| one.position < next.position) {
        let told =
            format!("{} of the run, {} beside it, each follows from the one before", own.len(), beside.len());
        verified.add("records", if wrong.is_empty() { Ok(told) } else { Err(wrong) });
    } else {
        wrong.push(format!("{}: the records are not in the order of the journal", names::RECORDS));
        verified.add("records", Err(wrong));
    }
}

fn journal(verified: &mut Verified, files: &Files, records: &[Record], about: &About, noted: Option<&Hash>) {
    let chain = match Chain::parse(&text(files, names::CHAIN)) {
        Ok(chain) if chain.write() == text(files, names::CHAIN) => chain,
        Ok(_) => {
            let what = format!("{}: it is not written as drctl writes it", names::CHAIN);
            verified.add("journal", Err(vec![what]));
            return;
        }
        Err(error) => {
            verified.add("journal", Err(vec![format!("{}: {error}", names::CHAIN)]));
            return;
        }
    };
    let mut wrong = Vec::new();
    for record in records.iter().filter(|record| chain.at(record.position) != Some(&record.hash)) {
        let place = format!("{} record {}", record.stream, record.sequence);
        wrong.push(format!("{place}: the journal has something else at position {}", record.position));
    }
    let (position, head) = chain.head();
    verified.position = Some(position);
    verified.head = Some(hex(&head));
    if (position, hex(&head)) != (about.position, about.head.clone()) {
        wrong.push(format!("{}: the chain ends with another head", names::ABOUT));
    }
    let mut told = format!("chained up to its head at position {position}");
    if let Some(noted) = noted {
        match chain.heads().find(|(_, head)| head == noted) {
            Some((at, _)) => told = format!("{told}; the head that was noted is the one at position {at}"),
            None => wrong.push("the head that was noted is not on the chain".to_owned()),
        }
    }
    verified.add("journal", if wrong.is_empty() { Ok(told) } else { Err(wrong) });
}

fn blobs(verified: &mut Verified, files: &Files, records: &[Record], retold: &Retold) {
    let mut wrong = Vec::new();
    let mut there: BTreeMap<&str, &Vec<u8>> = BTreeMap::new();
    for (name, bytes) in files {
        let Some(blob) = name.strip_prefix(names::BLOBS) else { continue };
        if hex(&digest(bytes)) != blob {
            wrong.push(format!("{name}: its content has another SHA-256"));
        }
        there.insert(blob, bytes);
    }
    let created = retold.entries.first().map(|entry| &entry.event);
    let (mut plan, mut runbook) = ("", "");
    if let Some(Event::RunCreated(created)) = created {
        (plan, runbook) = (&created.plan, &created.runbook);
    }
    let found = files.get(names::RUNBOOK).map(|bytes| hex(&digest(bytes)));
    if found.as_deref() != Some(runbook) {
        wrong.push(format!("{}: it is not the one that the run was created with", names::RUNBOOK));
    }
    for name in records.iter().flat_map(|record| export::blobs(&record.body)) {
        if name != plan && name != runbook && there.remove(name.as_str()).is_none() {
            let known = files.contains_key(&format!("{}{name}", names::BLOBS));
            if !known {
                wrong.push(format!("{}{name}: it is missing", names::BLOBS));
            }
        }
    }
    wrong.extend(there.keys().map(|name| format!("{}{name}: no record names it", names::BLOBS)));
    verified.add(
        "plan",
        if wrong.is_empty() {
            Ok("plan, runbook and outputs are those of the records".to_owned())
        } else {
            Err(wrong)
        },
    );
}

fn reports(verified: &mut Verified, files: &Files, about: &About, report: &Report) {
    if about.rendering != RENDERING {
        // Words may have changed since; the facts may not.
        let told = format!(
            "worded by another drctl ({}): the signature covers it, its facts were compared",
            about.drctl
        );
        let wrong = facts(&text(files, names::JSON), report, about.rendering);
        verified.add("report", if wrong.is_empty() { Ok(told) } else { Err(wrong) });
        return;
    }
    let forms =
        [(names::JSON, report.json()), (names::MARKDOWN, report.markdown()), (names::HTML, report.html())];
    let differs =
        |(name, form): &(&str, String)| files.get(*name).map(Vec::as_slice) != Some(form.as_bytes());
    let wrong: Vec<String> = (forms.iter().filter(|form| differs(form)))
        .map(|(name, _)| format!("{name}: the records tell something else"))
        .collect();
    verified.add(
        "report",
        if wrong.is_empty() {
            Ok("the records tell the report that is inside".to_owned())
        } else {
            Err(wrong)
        },
    );
}

/// Reports before this one called a run clean whose fence could not be confirmed, or whose members had
/// warnings.
const WARNED_IS_NOT_CLEAN: u32 = 5;

/// Reports before this one told of a recovery time of runs that were taken back, and how it compared.
const TAKEN_BACK_IS_NO_RECOVERY: u32 = 5;

/// Compares the facts that every version of a report holds.
fn facts(inside: &str, report: &Report, rendering: u32) -> Vec<String> {
    const FACTS: [&str; 14] = [
        "/run/id",
        "/run/status",
        "/run/clean",
        "/run/operation",
        "/run/intent",
        "/run/from",
        "/run/to",
        "/run/plan_digest",
        "/run/runbook_digest",
        "/run/clock",
        "/run/rto/recovery_time_ms",
        "/run/rpo/data_loss_ms",
        "/run/objective_verdict",
        "/record/last_hash",
    ];
    let Ok(inside) = serde_json::from_str::<serde_json::Value>(inside) else {
        return vec![format!("{}: it is no JSON", names::JSON)];
    };
    let ours = serde_json::to_value(report).unwrap_or_default();
    let once_clean = rendering < WARNED_IS_NOT_CLEAN && report.only_warned;
    let recovered = report.once_recovered.filter(|_| rendering < TAKEN_BACK_IS_NO_RECOVERY);
    let time = inside.pointer("/run/rto/recovery_time_ms").and_then(serde_json::Value::as_u64);
    let once_recovered = recovered.is_some() && time == recovered;
    let excused = |fact: &str| match fact {
        "/run/clean" => once_clean && inside.pointer(fact) == Some(&serde_json::Value::Bool(true)),
        "/run/rto/recovery_time_ms" | "/run/objective_verdict" => once_recovered,
        _ => false,
    };
    let differs = FACTS.iter().filter(|fact| !excused(fact) && inside.pointer(fact) != ours.pointer(fact));
    differs.map(|fact| format!("{} {fact}: the records tell something else", names::JSON)).collect()
}
