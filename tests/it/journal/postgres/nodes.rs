//! Several processes of the built program on one journal, killed, stopped and continued at random, by a seed
//! that is printed. Runs end all the same, and no effect and no record of a stale driver is accepted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drctl::journal::PostgresJournal;
use drctl::model::run::RunStatus;
use drctl::ports::{Journal as _, RunFilter, StreamName};
use rustix::process::{Pid, Signal, kill_process};

use super::super::sound;
use super::{Databases, open};

const SERVICES: usize = 4;

/// A runbook whose steps may all be asked or repeated, so that no doubt needs a person.
fn runbook(service: &str) -> String {
    let mut steps = String::new();
    for (at, step) in ["freeze", "fence", "promote", "scale", "enable", "check"].into_iter().enumerate() {
        let how = if at % 2 == 0 { "observes: true" } else { "idempotent: true" };
        let phase = if step == "check" { "validate" } else { step };
        let call = format!("uses: command.run, with: {{argv: [./step, {step}], {how}}}");
        writeln!(steps, "      - {{id: {step}, phase: {phase}, {call}}}").unwrap();
    }
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: {service}, title: {service}, owner: team}}\n\
         sites:\n  east: {{role: active, provider: on_premises}}\n  \
         west: {{role: standby, provider: on_premises}}\n\
         workflows:\n  failover:\n    steps:\n{steps}"
    )
}

/// A target that checks the token: it remembers the newest of each run, and refuses older ones.
const STEP: &str = r#"#!/bin/sh
for verb; do :; done
exec 9>>lock
flock 9
newest=$(cat "token.$DRCTL_RUN" 2>/dev/null || echo 0)
if [ "$verb" = observe ]; then
  state=not_applied
  grep -qs "^end $DRCTL_RUN $1 " effects && state=applied
  echo "{\"state\": \"$state\"}"
  exit
fi
if [ "$DRCTL_FENCING_TOKEN" -lt "$newest" ]; then
  echo "refused $DRCTL_RUN $1 $DRCTL_FENCING_TOKEN $newest" >>effects
  exit 1
fi
echo "$DRCTL_FENCING_TOKEN" >"token.$DRCTL_RUN"
echo "begin $DRCTL_RUN $1 $DRCTL_FENCING_TOKEN" >>effects
flock -u 9
sleep 0.1
flock 9
echo "end $DRCTL_RUN $1 $DRCTL_FENCING_TOKEN" >>effects
"#;

/// Numbers from a seed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

struct Nodes {
    folder: tempfile::TempDir,
    url: String,
    alive: Vec<(Child, bool)>,
    random: Random,
    struck: BTreeMap<&'static str, u32>,
}

impl Nodes {
    fn new(url: String, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("runbooks")).unwrap();
        for n in 0..SERVICES {
            let name = format!("shop{n}");
            std::fs::write(folder.path().join(format!("runbooks/{name}.yaml")), runbook(&name)).unwrap();
        }
        let step = folder.path().join("step");
        std::fs::write(&step, STEP).unwrap();
        std::fs::set_permissions(&step, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, url, alive: Vec::new(), random: Random(seed), struck: BTreeMap::new() }
    }

    #[expect(clippy::disallowed_methods, reason = "the built program is what is tested")]
    fn start(&mut self, words: &[&str]) {
        let child = Command::new(env!("CARGO_BIN_EXE_drctl"))
            .arg("--local")
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("DRCTL_JOURNAL", &self.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.alive.push((child, false));
    }

    /// Kills, stops or continues one of the processes.
    fn strike(&mut self) {
        self.alive.retain_mut(|(child, _)| child.try_wait().unwrap().is_none());
        if self.alive.is_empty() {
            return;
        }
        let at = usize::try_from(self.random.below(self.alive.len() as u64)).unwrap();
        let (child, stopped) = &mut self.alive[at];
        let (signal, word) = match (self.random.below(3), *stopped) {
            (0, _) => (Signal::KILL, "killed"),
            (_, true) => (Signal::CONT, "continued"),
            (_, false) => (Signal::STOP, "stopped"),
        };
        *stopped = word == "stopped";
        kill_process(Pid::from_child(child), signal).unwrap();
        *self.struck.entry(word).or_default() += 1;
    }

    fn effects(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("effects")).unwrap_or_default()
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for (child, _) in &mut self.alive {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Tokens of accepted effects never fall, and each step was done.
fn check_effects(text: &str, runs: &[String]) {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        if words[0] != "begin" {
            continue;
        }
        let (run, token) = (words[1], words[3].parse().unwrap());
        let before = newest.insert(run, token).unwrap_or(0);
        assert!(token >= before, "`{line}` was accepted after token {before}\n{text}");
    }
    for run in runs {
        for step in ["freeze", "fence", "promote", "scale", "enable", "check"] {
            assert!(text.contains(&format!("end {run} {step} ")), "{step} of {run} was not done\n{text}");
        }
    }
}

async fn check_records(journal: &PostgresJournal, runs: &[String]) {
    for run in runs {
        let stream = StreamName::typed(format!("run/{run}"));
        let records = journal.read(&stream, 0, 10_000).await.unwrap();
        for pair in records.windows(2) {
            assert!(pair[0].token <= pair[1].token, "a stale driver of {run} has appended");
        }
    }
    sound(journal).await;
}

#[expect(clippy::print_stderr, reason = "what was struck, for whoever looks at a round")]
async fn round(databases: &Databases, seed: u64) {
    let url = databases.url(&format!("nodes{seed}")).await + "?lease_ttl=1s";
    let (mut nodes, journal) = (Nodes::new(url.clone(), seed), open(&url));
    for n in 0..SERVICES {
        let (name, to, key) = (format!("shop{n}"), format!("shop{n}:west"), format!("key{n}"));
        let more = ["--accept-loss", "unmeasured", "--reason", "test", "--idempotency-key", &key];
        nodes.start(&[&["failover", &name, "--yes", "--confirm", &to][..], &more].concat());
    }
    let (began, mut next, mut taken) = (Instant::now(), Instant::now(), BTreeMap::new());
    loop {
        let all = journal.runs(&RunFilter::default()).await.unwrap();
        let over = all.iter().filter(|run| run.status.is_terminal()).count();
        if over == SERVICES {
            let failed = all.iter().find(|run| run.status != RunStatus::Succeeded);
            assert_eq!(failed, None, "seed {seed}\n{}", nodes.effects());
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "seed {seed}: {all:?}\n{}", nodes.effects());
        // The first seconds are wild; then everything must come to its end.
        if began.elapsed() < Duration::from_secs(6) && Instant::now() >= next && all.len() == SERVICES {
            nodes.strike();
            next = Instant::now() + Duration::from_millis(60 + nodes.random.below(240));
        }
        for run in journal.undriven(10).await.unwrap() {
            let last: &mut Instant = taken.entry(run.run.clone()).or_insert(began);
            if last.elapsed() > Duration::from_millis(800) {
                *last = Instant::now();
                nodes.start(&["resume", run.run.as_str()]);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Those that were stopped meanwhile wake up, and can do no harm.
    for (child, stopped) in &mut nodes.alive {
        if *stopped && child.try_wait().unwrap().is_none() {
            kill_process(Pid::from_child(child), Signal::CONT).unwrap();
        }
    }
    let ends = Instant::now();
    while nodes.alive.iter_mut().any(|(child, _)| child.try_wait().unwrap().is_none()) {
        assert!(ends.elapsed() < Duration::from_secs(30), "seed {seed}: a driver that lost its run goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let runs: Vec<String> =
        journal.runs(&RunFilter::default()).await.unwrap().iter().map(|run| run.run.to_string()).collect();
    check_effects(&nodes.effects(), &runs);
    check_records(&journal, &runs).await;
    let refused = nodes.effects().lines().filter(|line| line.starts_with("refused")).count();
    eprintln!(
        "seed {seed}: {:?} in {:?}, {refused} effects refused by the target",
        nodes.struck,
        began.elapsed()
    );
    assert!(nodes.struck.values().sum::<u32>() >= 5, "nothing was struck");
}

/// `DRCTL_ROUNDS` asks for more of them, `DRCTL_SEED` for others.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test reads its own switches")]
async fn processes_that_are_killed_and_stopped_at_random_do_no_harm() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (rounds, first) = (number("DRCTL_ROUNDS", 3), number("DRCTL_SEED", 1));
    let databases = Databases::start();
    for seed in first..first + rounds {
        round(&databases, seed).await;
    }
}
