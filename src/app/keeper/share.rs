//! Which free runs a node takes. Pure: every node decides by the same list of nodes, and nobody coordinates
//! them; what two of them want, the lease gives to one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::model::id::RunId;
use crate::ports::{Node, RunSummary};

/// How long a run that others should take is left to them.
const LEFT_TO_OTHERS: Duration = Duration::from_millis(150);

/// What a node drives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drives {
    /// Runs it drives, or is about to.
    pub(super) mine: usize,
    /// Most that it drives at once.
    pub(super) most: usize,
}

/// The free runs that this node takes now: up to its fair share, and beyond that those that others have left
/// lying; never more than it has room for. `order` differs between nodes, so that they begin at different
/// ends. `waits`: for how long a run was left to others.
pub(super) fn mine(
    mut free: Vec<RunSummary>,
    nodes: &[Node],
    drives: Drives,
    order: &str,
    waits: impl Fn(&RunId) -> Duration,
) -> Vec<RunSummary> {
    let up = nodes.iter().filter(|node| node.up);
    let under_way: u64 = up.clone().map(|node| node.driving).sum();
    let all = usize::try_from(under_way).unwrap_or(usize::MAX).max(drives.mine).saturating_add(free.len());
    let fair = all.div_ceil(up.count().max(1)).saturating_sub(drives.mine);
    let room = drives.most.saturating_sub(drives.mine);
    free.sort_by_key(|summary| number(order, &summary.run));
    let mut taken = Vec::new();
    for summary in free {
        if taken.len() >= room {
            break;
        }
        if taken.len() < fair || waits(&summary.run) >= LEFT_TO_OTHERS {
            taken.push(summary);
        }
    }
    taken
}

fn number(order: &str, run: &RunId) -> u64 {
    let mut hasher = DefaultHasher::new();
    (order, run.as_str()).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::time::Timestamp;

    fn free(count: usize) -> Vec<RunSummary> {
        let line = |n: usize| {
            serde_json::json!({
                "run": format!("pay-{n}"), "service": "pay", "operation": "failover", "intent": "real",
                "status": "running", "from": null, "to": null, "created_at": "2026-01-01T00:00:00Z",
                "ended_at": null, "idempotency_key": null, "locks_service": true, "parent": null,
                "verdict": null,
            })
        };
        (0..count).map(|n| serde_json::from_value(line(n)).unwrap()).collect()
    }

    fn node(name: &str, driving: u64, up: bool) -> Node {
        let (since, seen) = (Timestamp::from_millis(0), Timestamp::from_millis(0));
        let text = || name.to_owned();
        let (id, name, address, version, host) = (text(), text(), text(), text(), text());
        Node { id, name, address, version, host, pid: 1, since, seen, up, driving, takeovers: 0 }
    }

    fn count(free_runs: usize, nodes: &[Node], mine_now: usize, most: usize) -> usize {
        let drives = Drives { mine: mine_now, most };
        mine(free(free_runs), nodes, drives, "a", |_| Duration::ZERO).len()
    }

    #[test]
    fn a_node_takes_its_share_and_no_more_than_it_has_room_for() {
        let nodes = [node("a", 10, true), node("b", 40, true), node("c", 100, false)];
        // 50 driven and 30 free are 40 each.
        assert_eq!(count(30, &nodes, 10, 500), 30);
        assert_eq!(count(30, &nodes, 40, 500), 0);
        assert_eq!(count(30, &nodes, 35, 500), 5);
        assert_eq!(count(30, &nodes, 10, 12), 2);
        assert_eq!(count(30, &nodes, 20, 12), 0);
    }

    #[test]
    fn a_node_that_knows_no_other_takes_all() {
        assert_eq!(count(30, &[], 0, 500), 30);
        assert_eq!(count(30, &[node("c", 100, false)], 7, 500), 30);
    }

    #[test]
    fn what_others_leave_lying_is_taken_all_the_same() {
        let nodes = [node("a", 40, true), node("b", 0, true)];
        let drives = Drives { mine: 40, most: 45 };
        assert_eq!(mine(free(30), &nodes, drives, "a", |_| Duration::ZERO).len(), 0);
        assert_eq!(mine(free(30), &nodes, drives, "a", |_| LEFT_TO_OTHERS).len(), 5);
    }

    #[test]
    fn nodes_begin_at_different_ends() {
        let nodes = [node("a", 0, true), node("b", 0, true)];
        let takes = |order: &str| -> BTreeSet<String> {
            let taken = mine(free(100), &nodes, Drives { mine: 0, most: 500 }, order, |_| Duration::ZERO);
            taken.iter().map(|summary| summary.run.to_string()).collect()
        };
        let (a, b) = (takes("a"), takes("b"));
        assert_eq!((a.len(), b.len()), (50, 50));
        assert!(a.intersection(&b).count() < 45, "both want the same");
    }
}
