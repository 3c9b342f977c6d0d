//! Rounds of three nodes with runs in flight, struck by a seed that is printed. Every run ends, the target
//! accepts nothing stale and does nothing twice, what is recorded is whole, and the lost are taken over from
//! in time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::estate::{Node, nodes, service};
use super::machine::Machine;
use super::strikes::Strikes;
use super::target::{Asked, Target};
use super::witness::Witness;
use crate::support::postgres::{PostgresAlone, PostgresServer};
use crate::support::switch;

const NODES: usize = 3;
/// Leases of the nodes.
const LEASE: Duration = Duration::from_millis(1_500);
/// How long after a lease has passed its run is driven by somebody else, in seconds, both by the clock of the
/// database. To it is added what the machine let its programs wait meanwhile, by its own count; however much
/// that is, it never takes longer than the second.
const TAKEN_OVER_WITHIN: f64 = 1.0;
const AT_THE_LATEST: f64 = 3.0;
/// How long runs may take once all nodes are well.
const ENDS_WITHIN: Duration = Duration::from_secs(90);

/// What came of rounds.
#[derive(Debug, Default)]
struct Told {
    rounds: u32,
    runs: usize,
    struck: u32,
    effects: usize,
    refused: usize,
    takeovers: usize,
    /// Those whose time was judged: a node was well all the while.
    judged: usize,
    /// Seconds from the end of a lease to the next grant, where a node was well.
    slowest: f64,
    /// The same without what the machine let its programs wait meanwhile.
    slowest_of_its_own: f64,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rounds, runs, struck, effects, refused, takeovers, judged, slowest, slowest_of_its_own } =
            self;
        write!(
            f,
            "{rounds} rounds: {runs} runs ended, {struck} strikes, {takeovers} take-overs, the slowest of {judged} \
             that were judged {slowest:.2} s after a lease had passed \
             ({slowest_of_its_own:.2} s without what the machine was busy with); {effects} effects, {refused} of them refused as stale"
        )
    }
}

/// What a round is made of.
#[derive(Debug, Clone, Copy)]
struct Round {
    seed: u64,
    runs: usize,
    steps: usize,
    /// How long each effect takes.
    takes: Duration,
    struck_for: Duration,
    /// Before all else a node is killed, and nothing else happens until its runs must have been taken over.
    calm: bool,
}

async fn round(server: &PostgresServer, made_of: Round, told: &mut Told) {
    let Round { seed, runs, steps, takes, struck_for, calm } = made_of;
    let began = Instant::now();
    let database = format!("round{seed}");
    server.run(&format!("create database {database}")).await;
    let options = format!("lease_ttl={}ms", LEASE.as_millis());
    let witness = Witness::begin(&format!("{}?{options}", server.url(&database))).await;
    let target = Target::open(takes, LEASE * 5 / 2, seed);
    let mut nodes = nodes(NODES, &[server], &format!("{database}?{options}"), "schedules_every = \"1h\"");
    let services: Vec<_> = (0..runs).map(|n| format!("shop{n}")).collect();
    for node in &mut nodes {
        for name in &services {
            node.folder.write(&format!("runbooks/{name}.yaml"), &service(name, target.url(), steps));
        }
        node.start();
    }
    let started = begin(&nodes, &services).await;
    let ready = began.elapsed();
    let in_flight = witness.open().await.len();
    assert!(in_flight * 10 >= runs * 9, "seed {seed}: only {in_flight} of {runs} runs are in flight");
    let mut strikes = Strikes::new(seed, LEASE);
    let machine = Machine::watch();
    if calm {
        strikes.kill_in_calm(&mut nodes, LEASE + Duration::from_secs_f64(AT_THE_LATEST)).await;
    }
    strikes.rage(&mut nodes, struck_for).await;
    witness.until_all_ended(&format!("seed {seed}"), ENDS_WITHIN).await;
    let ended = began.elapsed();
    let effects = target.asked();
    for name in &services {
        for step in 0..steps {
            assert_eq!(target.done(name, &format!("s{step}")), 1, "seed {seed}: {name} s{step}");
        }
    }
    check_tokens(&effects);
    witness.check(&effects, &started).await;
    told.rounds += 1;
    told.runs += runs;
    told.struck += strikes.done.values().sum::<u32>();
    told.effects += effects.len();
    let refused = effects.iter().filter(|effect| !effect.accepted).count();
    told.refused += refused;
    let passed = witness.passed().await;
    told.takeovers += passed.len();
    let well = |from: f64| strikes.one_was_well(NODES, from, from + AT_THE_LATEST);
    let after = passed.iter().filter(|run| well(run.expired)).map(|run| {
        let took = run.granted - run.expired;
        (took, took - machine.stalled(run.expired, run.granted))
    });
    let after: Vec<(f64, f64)> = after.collect();
    let most = |which: fn(&(f64, f64)) -> f64| after.iter().map(which).fold(0.0, f64::max);
    let (slowest, own) = (most(|it| it.0), most(|it| it.1));
    told.judged += after.len();
    told.slowest = told.slowest.max(slowest);
    told.slowest_of_its_own = told.slowest_of_its_own.max(own);
    let times =
        format!("begun after {ready:.1?}, ended after {ended:.1?}, checked after {:.1?}", began.elapsed());
    say(&format!("seed {seed}: {in_flight} of {runs} runs in flight, {times}; {:?}", strikes.done));
    say(&format!(
        "  {} takeovers, the slowest {slowest:.2} s after a lease had passed, {own:.2} s of them its own; {refused} of {} \
         effects refused",
        passed.len(),
        effects.len(),
    ));
    assert!(
        own <= TAKEN_OVER_WITHIN && slowest <= AT_THE_LATEST,
        "seed {seed}: taken over too late (in all, and without what the machine was busy with): {after:?}"
    );
}

/// Starts a run of every service, each node its share, at once.
async fn begin(nodes: &[Node], services: &[String]) -> BTreeMap<String, String> {
    let each = |at: usize| {
        let (node, mine) = (&nodes[at], services.iter().skip(at).step_by(NODES));
        async move {
            let mut list = Vec::new();
            for name in mine {
                list.push((name.clone(), node.begin(name).await));
            }
            list
        }
    };
    let (one, two, three) = tokio::join!(each(0), each(1), each(2));
    one.into_iter().chain(two).chain(three).collect()
}

/// Accepted tokens never fall: the target would be wrong.
fn check_tokens(effects: &[Asked]) {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for effect in effects.iter().filter(|effect| effect.accepted) {
        let before = newest.insert(&effect.service, effect.token).unwrap_or(0);
        assert!(effect.token >= before, "{effect:?} was accepted after token {before}");
    }
}

#[expect(clippy::print_stderr, reason = "what was struck, for whoever looks at a round")]
fn say(line: &str) {
    eprintln!("{line}");
}

async fn short_rounds(seeds: std::ops::RangeInclusive<u64>) {
    let server = PostgresAlone::start();
    let mut told = Told::default();
    for seed in seeds {
        let (takes, struck_for) = (Duration::from_millis(400), LEASE * 2);
        round(&server.server, Round { seed, runs: 15, steps: 4, takes, struck_for, calm: false }, &mut told)
            .await;
    }
    say(&format!("{told:?}"));
    assert!(told.struck >= told.rounds * 2 && told.takeovers > 0, "{told:?}");
}

#[tokio::test]
async fn rounds_1_to_5_end_well() {
    short_rounds(1..=5).await;
}

#[tokio::test]
async fn rounds_6_to_10_end_well() {
    short_rounds(6..=10).await;
}

#[tokio::test]
async fn rounds_11_to_15_end_well() {
    short_rounds(11..=15).await;
}

#[tokio::test]
async fn rounds_16_to_19_end_well() {
    short_rounds(16..=19).await;
}

#[tokio::test]
async fn round_20_with_200_runs_ends_well() {
    let server = PostgresAlone::start();
    let mut told = Told::default();
    // Long enough that the first is not over when the last begins.
    let (takes, struck_for) = (Duration::from_secs(5), LEASE * 4);
    let made_of = Round { seed: 20, runs: 200, steps: 4, takes, struck_for, calm: true };
    round(&server.server, made_of, &mut told).await;
    assert!(told.judged >= 60, "{told:?}");
}

/// `DRCTL_SEED`, `DRCTL_MINUTES`, `DRCTL_RUNS`: docs/contributing.md.
#[tokio::test]
#[ignore = "takes as long as it is told to"]
async fn soak() {
    let number = |name: &str, usual: u64| switch(name).map_or(usual, |text| text.parse().unwrap());
    let (mut seed, runs) = (number("DRCTL_SEED", 1_000), number("DRCTL_RUNS", 60));
    let began = Instant::now();
    let end = began + Duration::from_mins(number("DRCTL_MINUTES", 5));
    let server = PostgresAlone::start();
    let mut told = Told::default();
    while Instant::now() < end {
        let (takes, struck_for) = (Duration::from_millis(1_500), LEASE * 6);
        let runs = usize::try_from(runs).unwrap();
        round(&server.server, Round { seed, runs, steps: 6, takes, struck_for, calm: true }, &mut told).await;
        seed += 1;
    }
    say(&format!("soak of {:.0?}: {told}", began.elapsed()));
}
