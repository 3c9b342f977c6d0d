//! A queue that one task at a time works off: whoever comes while it works is gathered for its next round.
//! Must never hold anybody back to gather more.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Those who wait, and whether somebody works for them.
#[derive(Debug)]
pub(super) struct Queue<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    waiting: Vec<T>,
    is_worked_off: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Mutex::new(State { waiting: Vec::new(), is_worked_off: false }))
    }
}

impl<T> Queue<T> {
    /// Joins the queue. True: nobody works it off, so that the caller must see to that.
    pub(super) fn join(&self, one: T) -> bool {
        let mut state = self.state();
        state.waiting.push(one);
        !std::mem::replace(&mut state.is_worked_off, true)
    }

    /// Takes those who are chosen by their place, in order; the others stay, in order.
    pub(super) fn take(&self, choose: impl FnOnce(&mut Vec<T>) -> Vec<usize>) -> Vec<T> {
        let mut state = self.state();
        let chosen = choose(&mut state.waiting);
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for (at, one) in std::mem::take(&mut state.waiting).into_iter().enumerate() {
            if chosen.contains(&at) { taken.push(one) } else { left.push(one) }
        }
        state.waiting = left;
        taken
    }

    /// Puts some back, before all others.
    pub(super) fn put_back(&self, mut some: Vec<T>) {
        let mut state = self.state();
        some.append(&mut state.waiting);
        state.waiting = some;
    }

    /// Whether somebody waits. Nobody: the work is over, and whoever joins next must see to it.
    pub(super) fn goes_on(&self) -> bool {
        let mut state = self.state();
        state.is_worked_off = !state.waiting.is_empty();
        state.is_worked_off
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_has_to_see_to_the_work_until_it_is_over() {
        let queue = Queue::default();
        assert!(queue.join(1));
        assert!(!queue.join(2));
        assert!(!queue.join(3));
        assert_eq!(queue.take(|waiting| (1..waiting.len()).collect()), [2, 3]);
        queue.put_back(vec![2, 3]);
        assert!(queue.goes_on());
        assert_eq!(queue.take(|waiting| (0..waiting.len()).collect()), [2, 3, 1]);
        assert!(!queue.join(4));
        assert_eq!(queue.take(|waiting| (0..waiting.len()).collect()), [4]);
        assert!(!queue.goes_on());
        assert!(queue.join(5));
    }
}
