//! Programs that outlive drctl, and can be neither observed nor repeated: the next driver waits for them.

use std::time::Duration;

use drctl::engine::event::Event;

use super::history::History;
use super::killer::Killer;
use super::moves::FAILOVER;
use super::service::Service;
use crate::case::block_on;

/// Kills this test must make.
const SHARE: u32 = 45;
/// The slow programs take 300 ms and 250 ms.
const SLOW: Duration = Duration::from_millis(300);

/// Kills the first driver while the programs run, and some that have adopted them; some meet their end.
fn outlive(killer: &mut Killer) {
    let service = Service::new(include_str!("slow.yaml"));
    let child = service.start(&FAILOVER.start("slow"));
    // Both are under way for at least 250 ms then.
    let both = |effects: &str| effects.lines().filter(|line| line.starts_with("begin")).count() == 2;
    service.wait_until("both slow programs run", both);
    assert!(killer.kill(child), "drctl ended before its programs did");
    for _ in 0..killer.random.up_to(4) {
        std::thread::sleep(killer.random.within(SLOW / 10));
        killer.strike(&service, &["resume", "latest"], SLOW / 3);
    }
    FAILOVER.finish(&service, "slow");
    let lines = service.effects();
    for name in ["storage", "network"] {
        for word in ["begin", "end"] {
            let mine = |line: &&str| line.starts_with(word) && line.contains(&format!(" {name} "));
            assert_eq!(lines.lines().filter(mine).count(), 1, "{word} {name}\n{}", service.account());
        }
    }
    assert_eq!(attempts_of_the_slow(&service), 2, "{}", service.account());
}

/// An adopted program is followed under the attempt that started it.
fn attempts_of_the_slow(service: &Service) -> usize {
    let history = block_on(async {
        let run = service.run_of("slow").await.unwrap();
        History::of(service, &run).await
    });
    let slow = |event: &Event| match event {
        Event::AttemptStarted(started) => {
            ["storage", "network"].contains(&history.address(started.attempt.node))
        }
        _ => false,
    };
    history.facts.iter().filter(|fact| slow(&fact.event)).count()
}

#[test]
fn programs_that_outlive_their_driver_are_adopted() {
    let mut killer = Killer::new("adopted");
    while killer.made() < SHARE {
        outlive(&mut killer);
    }
    killer.tell();
}
