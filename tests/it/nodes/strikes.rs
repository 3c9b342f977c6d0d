//! What befalls nodes, by a seed: they are killed and started again, stopped and continued, and cut off from
//! the database in three ways. One node is always well, so that runs can be taken over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use drctl::ports::Clock as _;
use rustix::process::Signal;

use super::estate::Node;
use crate::support::faulty::Weather;

/// How long after its trouble a node is not yet expected to be quick.
const GRACE: f64 = 1.0;

/// Numbers from a seed (`SplitMix64`).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let span = u64::try_from(to.saturating_sub(from).as_millis()).unwrap();
        from + Duration::from_millis(self.below(span.max(1)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Killed,
    Stopped,
    Cut,
}

/// Strikes nodes, and puts them right again.
pub(super) struct Strikes {
    random: Random,
    lease: Duration,
    /// What a node suffers from, and until when.
    now: BTreeMap<usize, (Trouble, Instant, f64)>,
    /// When which node was not well, in seconds since 1970.
    past: Vec<(usize, f64, f64)>,
    /// How often what was done.
    pub(super) done: BTreeMap<&'static str, u32>,
}

impl Strikes {
    pub(super) fn new(seed: u64, lease: Duration) -> Self {
        Self { random: Random(seed), lease, now: BTreeMap::new(), past: Vec::new(), done: BTreeMap::new() }
    }

    /// Strikes at random for so long; at the end all nodes are put right.
    pub(super) async fn rage(&mut self, nodes: &mut [Node], lasting: Duration) {
        let end = Instant::now() + lasting;
        let mut next = Instant::now();
        while Instant::now() < end {
            if Instant::now() >= next {
                self.strike(nodes);
                next += self.random.between(self.lease / 4, self.lease / 2);
            }
            self.heal(nodes, false);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while !self.now.is_empty() {
            self.heal(nodes, true);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills a node while the others are well, and starts it again after so long.
    pub(super) async fn kill_in_calm(&mut self, nodes: &mut [Node], lasting: Duration) {
        let at = usize::try_from(self.random.below(nodes.len() as u64)).unwrap();
        let since = clock();
        nodes[at].served().signal(Signal::KILL);
        *self.done.entry("killed").or_default() += 1;
        tokio::time::sleep(lasting).await;
        nodes[at].start();
        self.past.push((at, since, clock() + GRACE));
    }

    fn strike(&mut self, nodes: &[Node]) {
        let at = usize::try_from(self.random.below(nodes.len() as u64)).unwrap();
        let (lease, kind) = (self.lease, self.random.below(8));
        let briefly = self.random.between(lease / 4, lease);
        let beyond = self.random.between(lease / 2, lease * 2);
        if self.now.contains_key(&at) || self.now.len() + 1 >= nodes.len() {
            return;
        }
        let served = nodes[at].served();
        let (word, trouble, lasts) = match kind {
            0 | 1 => {
                served.signal(Signal::KILL);
                ("killed", Trouble::Killed, briefly)
            }
            2 | 3 => {
                served.signal(Signal::STOP);
                ("stopped", Trouble::Stopped, beyond)
            }
            4 | 5 => {
                nodes[at].turn(Weather::Silent);
                ("cut off in silence", Trouble::Cut, beyond)
            }
            6 => {
                nodes[at].turn(Weather::Resets);
                ("cut off with resets", Trouble::Cut, beyond)
            }
            _ => {
                nodes[at].turn(Weather::Slow(Duration::from_millis(10 + self.random.below(150))));
                ("slowed down", Trouble::Cut, beyond)
            }
        };
        *self.done.entry(word).or_default() += 1;
        self.now.insert(at, (trouble, Instant::now() + lasts, clock()));
    }

    fn heal(&mut self, nodes: &mut [Node], all: bool) {
        let due: Vec<_> = self
            .now
            .iter()
            .filter(|(_, (_, until, _))| all || *until <= Instant::now())
            .map(|(at, _)| *at)
            .collect();
        for at in due {
            let Some((trouble, _, since)) = self.now.remove(&at) else { continue };
            match trouble {
                // Blocks until it listens; the others wait so long.
                Trouble::Killed => nodes[at].start(),
                Trouble::Stopped => nodes[at].served().signal(Signal::CONT),
                Trouble::Cut => nodes[at].turn(Weather::Fair),
            }
            self.past.push((at, since, clock() + GRACE));
        }
    }

    /// Says whether one of so many nodes was well all the time between two times.
    pub(super) fn one_was_well(&self, nodes: usize, from: f64, to: f64) -> bool {
        let ill =
            |at| self.past.iter().any(|(node, since, until)| *node == at && *since < to && *until > from);
        (0..nodes).any(|at| !ill(at))
    }
}

/// Seconds since 1970.
pub(super) fn clock() -> f64 {
    let now = drctl::runtime::SystemClock::real().now().as_millis();
    Duration::from_millis(u64::try_from(now).unwrap()).as_secs_f64()
}
