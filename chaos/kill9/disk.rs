//! Disks that take no more, seen through the command line: the run stops with a clear error, nothing that is
//! not in the journal was begun, and with room again `drctl resume` ends it.
//!
//! A limit on the size of files stands for the full disk: it needs no privilege and no mount, and refuses a
//! write in the same place. A mode without write bits stands for the file system that is read-only: drctl
//! heeds it for the superuser as well.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::effects;
use super::history::History;
use super::moves::FAILOVER;
use super::service::{Ended, Service};
use crate::case::block_on;

/// Exit code: the journal cannot be used.
const UNREACHABLE: Option<i32> = Some(10);

fn assert_clear(service: &Service, ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, UNREACHABLE, "{}", ended.said);
    let journal = service.journal().display().to_string();
    for word in words.iter().copied().chain([journal.as_str(), "help:"]) {
        assert!(ended.said.contains(word), "`{word}` is not in: {}", ended.said);
    }
}

/// A folder whose journal is there, its log written out, and no run in it.
fn prepared() -> Service {
    let service = Service::new(include_str!("pay.yaml"));
    let words = ["service", "set", "pay", "east", "--reason", "as it is"];
    let ended = service.run(&words);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    service
}

fn count(effects: &str, word: &str) -> usize {
    effects.lines().filter(|line| line.starts_with(word)).count()
}

fn ends(effects: &str) -> usize {
    count(effects, "end") + count(effects, "failed")
}

/// Runs into the limit, checks what was begun by then, makes room and resumes. Returns the number
/// of steps that had begun.
fn stopped_at(blocks: u64) -> Option<usize> {
    let service = prepared();
    let ended = service.run_limited(blocks, &FAILOVER.start("full"));
    if ended.code == Some(0) {
        return None;
    }
    assert_clear(&service, &ended, &["the disk is full", "nothing was written"]);
    let listed = service.run(&["runs", "list"]);
    assert_eq!(listed.code, Some(0), "{}", listed.said);
    // Programs under way when the disk was full go on by themselves.
    service.wait_until("all programs have ended", |effects| count(effects, "begin") == ends(effects));
    let begun = count(&service.effects(), "begin");
    if let Some(run) = block_on(service.run_of("full")) {
        assert_clear(&service, &ended, &[&format!("`drctl resume {run}` goes on")]);
        let history = block_on(History::of(&service, &run));
        effects::check(&history, &service.effects())
            .unwrap_or_else(|error| panic!("{blocks} blocks: {error}\n{}", service.account()));
    } else {
        assert_eq!(service.effects(), "", "a step was begun before the run was recorded");
    }
    FAILOVER.finish(&service, "full");
    Some(begun)
}

#[test]
fn a_run_that_meets_a_full_disk_stops_and_goes_on_when_there_is_room() {
    // Eight blocks are a page of the journal, and what is recorded at once takes a few pages.
    let stops: Vec<_> = (8..800).step_by(24).map_while(stopped_at).collect();
    let begun: std::collections::BTreeSet<_> = stops.iter().copied().collect();
    assert!(stops.len() >= 10 && begun.len() >= 6, "the limit is not met all over the run: {stops:?}");
}

#[test]
fn a_journal_that_finds_no_room_at_all_begins_nothing() {
    let service = Service::new(include_str!("pay.yaml"));
    let ended = service.run_limited(16, &FAILOVER.start("full"));
    assert_clear(&service, &ended, &["the disk is full", "nothing was written"]);
    assert_eq!(service.effects(), "");
    FAILOVER.finish(&service, "full");
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_read_only_journal_begins_nothing_and_can_still_be_read() {
    let service = prepared();
    let folder = service.path(".drctl");
    set_mode(&service.journal(), 0o400);
    set_mode(&folder, 0o500);
    let start = service.run(&FAILOVER.start("closed"));
    let resume = service.run(&["resume", "latest"]);
    let read = ["runs list", "service show pay", "journal verify"]
        .map(|line| service.run(&line.split(' ').collect::<Vec<_>>()));
    set_mode(&folder, 0o700);
    for ended in [start, resume] {
        assert_clear(&service, &ended, &["cannot be written", "nothing was written", "make the file"]);
    }
    for ended in read {
        assert_eq!(ended.code, Some(0), "{}", ended.said);
    }
    assert_eq!(service.effects(), "");
    set_mode(&service.journal(), 0o600);
    FAILOVER.finish(&service, "closed");
}
