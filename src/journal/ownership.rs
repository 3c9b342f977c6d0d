//! Checks from what was recorded that each run had one owner at a time. Pure: it is fed, in order of
//! position, and only tells.

use std::collections::BTreeMap;

/// A grant of the lease of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The run.
    pub run: String,
    /// Fencing token.
    pub token: u64,
    /// To whom.
    pub holder: String,
    /// All that had been appended to the journal by then lies at or before this position.
    pub position: u64,
}

/// A record of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written<'a> {
    /// The run.
    pub run: &'a str,
    /// Position in the whole journal.
    pub position: u64,
    /// Number in the run, from 1.
    pub sequence: u64,
    /// Fencing token it was written with.
    pub token: u64,
    /// By whom; absent: not known.
    pub by: Option<&'a str>,
}

/// A check under way. At most one holder for each token, tokens that only rise, records by the holder of the
/// time alone, and no gap or double among them.
#[derive(Debug, Default)]
pub struct Ownership {
    runs: BTreeMap<String, Line>,
}

/// What is known of a run.
#[derive(Debug, Default)]
struct Line {
    /// In order of position.
    grants: Vec<Grant>,
    /// Sequence, position and token of the last record.
    last: Option<(u64, u64, u64)>,
}

impl Ownership {
    /// Takes the next grant of a run, before any record. Returns what is wrong with it.
    pub fn grant(&mut self, grant: Grant) -> Option<String> {
        let Grant { run, token, holder, position } = &grant;
        let line = self.runs.entry(run.clone()).or_default();
        let wrong = line.grants.last().and_then(|last| {
            if last.token == *token && last.holder != *holder {
                Some(format!("run/{run}: token {token} was granted to {} and to {holder}", last.holder))
            } else if last.token >= *token {
                Some(format!("run/{run}: token {token} was granted after token {}", last.token))
            } else if last.position > *position {
                Some(format!(
                    "run/{run}: token {token} was granted before token {}, and is higher",
                    last.token
                ))
            } else {
                None
            }
        });
        line.grants.push(grant);
        wrong
    }

    /// Takes the next record, in order of position. Returns all that is wrong with it.
    pub fn written(&mut self, record: Written<'_>) -> Vec<String> {
        let Written { run, position, sequence, .. } = record;
        let mut wrong = Vec::new();
        if let Some((last, at, _)) = self.runs.get(run).and_then(|line| line.last) {
            if sequence != last + 1 {
                wrong.push(format!("run/{run}: record {sequence} follows record {last}"));
            }
            if position <= at {
                wrong.push(format!(
                    "run/{run}: record {sequence} at position {position} follows position {at}"
                ));
            }
        }
        wrong.extend(self.owned(record));
        wrong
    }

    /// As [`Ownership::written`], where somebody else looks for gaps.
    pub(super) fn owned(&mut self, record: Written<'_>) -> Vec<String> {
        let Written { run, position, sequence, token, by } = record;
        let line = self.runs.entry(run.to_owned()).or_default();
        let mut wrong = Vec::new();
        let before = line.last.replace((sequence, position, token)).map_or(0, |(.., token)| token);
        if token < before {
            wrong.push(format!(
                "run/{run}: record {sequence} was written with token {token} after token {before}"
            ));
        }
        // Before the first grant that is known, who owned the run is not known either.
        let Some(owner) = line.grants.iter().rev().find(|grant| grant.position < position) else {
            return wrong;
        };
        if owner.token != token {
            wrong.push(format!(
                "run/{run}: record {sequence} was written with token {token} while {} held token {}",
                owner.holder, owner.token
            ));
        } else if let Some(by) = by.filter(|by| *by != owner.holder) {
            wrong.push(format!(
                "run/{run}: record {sequence} was written by {by} with token {token} of {}",
                owner.holder
            ));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(token, holder, position)` of grants, `(position, sequence, token, by)` of records.
    type Grants<'a> = &'a [(u64, &'a str, u64)];
    type Records<'a> = &'a [(u64, u64, u64, &'a str)];

    fn check(grants: Grants<'_>, records: Records<'_>) -> Vec<String> {
        let mut ownership = Ownership::default();
        let granted = |(token, holder, position): &(u64, &str, u64)| Grant {
            run: "pay-1".to_owned(),
            token: *token,
            holder: (*holder).to_owned(),
            position: *position,
        };
        let mut wrong: Vec<_> = grants.iter().filter_map(|grant| ownership.grant(granted(grant))).collect();
        for (position, sequence, token, by) in records {
            let (position, sequence, token) = (*position, *sequence, *token);
            wrong.extend(ownership.written(Written {
                run: "pay-1",
                position,
                sequence,
                token,
                by: Some(by),
            }));
        }
        wrong
    }

    const GRANTS: Grants<'_> = &[(1, "a", 0), (2, "b", 12), (1_002, "a", 20)];

    #[test]
    fn a_run_that_passes_from_node_to_node_is_sound() {
        let records = [(3, 1, 1, "a"), (12, 2, 1, "a"), (13, 3, 2, "b"), (21, 4, 1_002, "a")];
        assert_eq!(check(GRANTS, &records), Vec::<String>::new());
        // The beginning of its history may not be known.
        assert_eq!(check(&GRANTS[1..], &records), Vec::<String>::new());
        assert_eq!(check(&[], &records), Vec::<String>::new());
    }

    #[test]
    fn every_planted_violation_is_found() {
        let found = |grants: Grants<'_>, records: Records<'_>| check(grants, records).join("\n");
        for (grants, records, says) in [
            (&[(1, "a", 0), (1, "b", 5)][..], &[][..], "token 1 was granted to a and to b"),
            (&[(2, "a", 0), (1, "b", 5)], &[], "token 1 was granted after token 2"),
            (&[(1, "a", 5), (2, "b", 0)], &[], "token 2 was granted before token 1, and is higher"),
            (
                GRANTS,
                &[(3, 1, 1, "a"), (13, 2, 1, "a")],
                "record 2 was written with token 1 while b held token 2",
            ),
            (GRANTS, &[(3, 1, 2, "b")], "record 1 was written with token 2 while a held token 1"),
            (GRANTS, &[(3, 1, 1, "b")], "record 1 was written by b with token 1 of a"),
            (GRANTS, &[(13, 1, 2, "b"), (14, 2, 1, "a")], "record 2 was written with token 1 after token 2"),
            (GRANTS, &[(3, 1, 1, "a"), (4, 3, 1, "a")], "record 3 follows record 1"),
            (GRANTS, &[(3, 1, 1, "a"), (4, 1, 1, "a")], "record 1 follows record 1"),
            (GRANTS, &[(4, 1, 1, "a"), (3, 2, 1, "a")], "at position 3 follows position 4"),
        ] {
            assert!(found(grants, records).contains(says), "{says}: {}", found(grants, records));
        }
    }
}
