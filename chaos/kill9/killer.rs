//! Starts drctl and kills it with SIGKILL after a random time; counts the kills that met it alive.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;
use std::time::Duration;

use super::random::Random;
use super::service::Service;

/// Number of SIGKILL.
const KILL: i32 = 9;

/// Kills, and counts.
pub(crate) struct Killer {
    pub(crate) random: Random,
    made: u32,
}

impl Killer {
    pub(crate) fn new(test: &str) -> Self {
        Self { random: Random::of(test), made: 0 }
    }

    /// Says how many were killed.
    #[expect(clippy::print_stdout, reason = "the number is what a test of this kind is asked for")]
    pub(crate) fn tell(&self) {
        println!("{} kills", self.made);
    }

    /// How many processes were alive when they were killed.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// Starts drctl and kills it before `limit` is over. Says whether it was still alive.
    pub(crate) fn strike(&mut self, service: &Service, words: &[&str], limit: Duration) -> bool {
        let child = service.start(words);
        std::thread::sleep(self.random.within(limit));
        self.kill(child)
    }

    /// Kills a process now. Says whether it was still alive.
    pub(crate) fn kill(&mut self, mut child: Child) -> bool {
        child.kill().unwrap();
        // A process that had ended by itself says so: the signal came too late and does not count.
        let killed = child.wait().unwrap().signal() == Some(KILL);
        self.made += u32::from(killed);
        killed
    }
}
