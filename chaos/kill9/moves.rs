//! Moves of a service, killed at random moments: failover, switchover, failback, and a failover that takes
//! itself back.

use std::time::{Duration, Instant};

use drctl::model::run::{NodeStatus, RunStatus};
use drctl::runtime::service_record;

use super::effects;
use super::history::History;
use super::killer::Killer;
use super::service::Service;
use crate::case::block_on;
use crate::checker;
use crate::crash::essence;

/// A way of moving the service, and the exit code an undisturbed one has.
pub(crate) struct Move {
    pub(crate) words: &'static [&'static str],
    pub(crate) code: i32,
}

/// What must be the same whoever was killed.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    nodes: Vec<String>,
    active: Option<String>,
    quarantined: Vec<String>,
}

impl Outcome {
    /// What a person has decided is marked, and the run says that it was not clean.
    fn had_nobody_been_asked(mut self) -> Self {
        assert!(self.nodes.iter().any(|line| line == "run succeeded_with_warnings"), "{self:?}");
        for line in &mut self.nodes {
            *line = line.replace("marked_done", "succeeded").replace("succeeded_with_warnings", "succeeded");
        }
        self
    }
}

/// Most kills of one move.
const KILLS: u64 = 9;

impl Move {
    /// The command that starts it.
    pub(crate) fn start<'a>(&self, key: &'a str) -> Vec<&'a str> {
        let more = ["--reason", "drill", "--accept-loss", "unmeasured", "--idempotency-key", key];
        self.words.iter().copied().chain(more).collect()
    }

    /// Makes the move without a disturbance. Returns what came of it and how long it took.
    pub(crate) fn calmly(&self, service: &Service, key: &str) -> (Outcome, Duration) {
        let begun = Instant::now();
        let ended = service.run(&self.start(key));
        let took = begun.elapsed();
        assert_eq!(ended.code, Some(self.code), "{}", ended.said);
        (self.verify(service, key), took)
    }

    /// Makes the move while drctl is killed, then lets it come to its end.
    pub(crate) fn under(
        &self,
        killer: &mut Killer,
        service: &Service,
        key: &str,
        length: Duration,
    ) -> Outcome {
        for _ in 0..killer.random.up_to(KILLS) {
            killer.strike(service, &self.next(service, key), length);
        }
        self.finish(service, key)
    }

    /// Lets the move come to its end, and checks it.
    pub(crate) fn finish(&self, service: &Service, key: &str) -> Outcome {
        let mut ended = service.run(&self.next(service, key));
        let mut asked = false;
        while let Some(words) = answer_of_a_person(service, key) {
            asked = true;
            ended = service.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        }
        assert_eq!(ended.code, Some(self.code), "{}{}", ended.said, service.account());
        let outcome = self.verify(service, key);
        if asked { outcome.had_nobody_been_asked() } else { outcome }
    }

    /// What an operator does next: start it, or go on with it.
    fn next<'a>(&self, service: &Service, key: &'a str) -> Vec<&'a str> {
        match block_on(service.run_of(key)) {
            Some(_) => vec!["resume", "latest"],
            None => self.start(key),
        }
    }

    /// Checks journal and effects of the move, and returns what came of it.
    fn verify(&self, service: &Service, key: &str) -> Outcome {
        let verified = service.run(&["runs", "verify", "latest"]);
        assert_eq!(verified.code, Some(0), "{}", verified.said);
        block_on(async {
            let run = service.run_of(key).await.unwrap();
            let history = History::of(service, &run).await;
            let checked = checker::check(&history.plan, &history.facts, &history.state)
                .and_then(|()| effects::check(&history, &service.effects()));
            checked.unwrap_or_else(|error| panic!("{:?}: {error}\n{}", self.words, service.account()));
            let record =
                service_record(&service.look().unwrap(), &history.state.created.service).await.unwrap();
            Outcome {
                nodes: essence(&history.plan, &history.state),
                active: record.active.map(|site| site.to_string()),
                quarantined: record.quarantined.keys().map(ToString::to_string).collect(),
            }
        })
    }
}

/// What a person answers where only a person can tell: what `effects` says.
fn answer_of_a_person(service: &Service, key: &str) -> Option<Vec<String>> {
    let history = block_on(async {
        let run = service.run_of(key).await?;
        Some(History::of(service, &run).await)
    })?;
    if history.state.status != RunStatus::Stuck {
        return None;
    }
    let stuck = history.state.nodes.iter().position(|node| node.status == NodeStatus::InDoubt).unwrap();
    let node = history.address(u32::try_from(stuck).unwrap());
    let done = service.effects().contains(&format!("end {} {node} {node} ", history.run));
    let verb = if done { "done" } else { "retry" };
    Some([verb, "latest", node, "--reason", "I looked"].map(str::to_owned).to_vec())
}

/// Repeats a row of moves until its share of kills was made.
fn repeat(test: &str, runbook: &str, moves: &[Move], share: u32) {
    let service = Service::new(runbook);
    let keys: Vec<_> = (0..moves.len()).map(|number| format!("move-{number}")).collect();
    let calm: Vec<_> = moves.iter().zip(&keys).map(|(one, key)| one.calmly(&service, key)).collect();
    let mut killer = Killer::new(test);
    while killer.made() < share {
        let service = Service::new(runbook);
        for ((one, key), (outcome, length)) in moves.iter().zip(&keys).zip(&calm) {
            let made = killer.made();
            let found = one.under(&mut killer, &service, key, *length);
            assert_eq!(found, *outcome, "after {} kills\n{}", killer.made() - made, service.account());
        }
        let verified = service.run(&["journal", "verify"]);
        assert_eq!(verified.code, Some(0), "{}", verified.said);
    }
    killer.tell();
}

/// The move of a service from the site it lost.
pub(crate) const FAILOVER: Move = Move { words: &["failover", "pay", "--confirm", "pay:west"], code: 0 };
const SWITCHOVER: Move = Move { words: &["switchover", "pay", "--confirm", "pay:west"], code: 0 };
const FAILBACK: Move = Move { words: &["failback", "pay", "--confirm", "pay:east"], code: 0 };
const UNWOUND: Move = Move { code: 5, ..FAILOVER };

#[test]
fn a_failover_survives_its_driver() {
    repeat("failover", include_str!("pay.yaml"), &[FAILOVER], 55);
}

#[test]
fn a_switchover_and_the_way_back_survive_their_drivers() {
    repeat("switchover", include_str!("pay.yaml"), &[SWITCHOVER, FAILBACK], 55);
}

#[test]
fn taking_everything_back_survives_its_driver() {
    repeat("unwind", include_str!("unwind.yaml"), &[UNWOUND], 55);
}
