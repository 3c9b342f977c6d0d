//! What may go into one batch of changes, and who is to blame for one that was refused. Pure. Must never
//! put two changes of one record into a batch, nor a later one before an earlier one.

use std::collections::BTreeSet;
use std::fmt;

use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{Change as SdkChange, ChangeAction};

use super::names;
use super::record::{Key, Record};

/// Records a batch may have; one that may replace another counts twice.
pub(super) const RECORDS: usize = 1_000;
/// Characters the values of a batch may have, counted the same way.
pub(super) const CHARACTERS: usize = 32_000;

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Upsert,
    Create,
    Delete,
}

/// One change of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) verb: Verb,
    pub(super) record: Record,
}

impl Change {
    /// The SDK's form of it.
    pub(super) fn to_sdk(&self) -> Result<SdkChange, BuildError> {
        let action = match self.verb {
            Verb::Upsert => ChangeAction::Upsert,
            Verb::Create => ChangeAction::Create,
            Verb::Delete => ChangeAction::Delete,
        };
        SdkChange::builder().action(action).resource_record_set(self.record.to_sdk()?).build()
    }
}

/// How much of a batch something takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    records: usize,
    characters: usize,
}

impl Size {
    pub(super) fn of(changes: &[Change]) -> Self {
        changes.iter().fold(Self::default(), |size, change| {
            let times = if change.verb == Verb::Upsert { 2 } else { 1 };
            let characters: usize = change.record.values.iter().map(|value| value.chars().count()).sum();
            // An alias has no values and counts all the same.
            let records = change.record.values.len().max(1);
            Self { records: size.records + times * records, characters: size.characters + times * characters }
        })
    }

    pub(super) fn fits(self) -> bool {
        self.records <= RECORDS && self.characters <= CHARACTERS
    }

    fn with(self, other: Self) -> Self {
        Self { records: self.records + other.records, characters: self.characters + other.characters }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records and {} characters", self.records, self.characters)
    }
}

/// Which of those that wait go into the next batch: as many as fit, none before an earlier one that changes
/// the same record.
pub(super) fn next(waiting: &[&[Change]]) -> Vec<usize> {
    let (mut chosen, mut size, mut taken) = (Vec::new(), Size::default(), BTreeSet::<Key>::new());
    for (at, changes) in waiting.iter().enumerate() {
        let grown = size.with(Size::of(changes));
        let keys: BTreeSet<Key> = changes.iter().map(|change| change.record.key()).collect();
        // One that is too big for any batch goes alone: Route 53 says so itself.
        let room = grown.fits() || chosen.is_empty();
        if room && keys.is_disjoint(&taken) {
            chosen.push(at);
            size = grown;
        }
        // Those left behind keep their place before later ones of the same record.
        taken.extend(keys);
    }
    chosen
}

/// Parts a refused batch is sent again in: those its message names each alone and the rest together; halves
/// where it names nobody, or everybody.
pub(super) fn parts(batch: &[&[Change]], message: &str) -> Vec<Vec<usize>> {
    let message = quoted_names(message);
    let is_named =
        |changes: &&[Change]| changes.iter().any(|change| message.contains(&change.record.key().name));
    let (named, others): (Vec<usize>, Vec<usize>) =
        (0..batch.len()).partition(|at| batch.get(*at).is_some_and(&is_named));
    if named.is_empty() || others.is_empty() {
        let all: Vec<usize> = (0..batch.len()).collect();
        let (first, second) = all.split_at(batch.len() / 2);
        return [first, second].map(<[usize]>::to_vec).into_iter().filter(|part| !part.is_empty()).collect();
    }
    std::iter::once(others).chain(named.into_iter().map(|one| vec![one])).collect()
}

/// Whatever looks like the name of a record in what Route 53 says: `name='www.example.com.'` and the like.
fn quoted_names(message: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_alphanumeric() || ".-_*\\".contains(c);
    let words = message.split(|c: char| !is_part(c)).filter(|word| word.contains('.'));
    words.map(names::normal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(verb: Verb, name: &str, values: usize, length: usize) -> Change {
        let values = (0..values).map(|_| "x".repeat(length)).collect();
        Change { verb, record: Record { name: name.into(), kind: "A".into(), values, ..Record::default() } }
    }

    fn chosen(waiting: &[Vec<Change>]) -> Vec<usize> {
        next(&waiting.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn a_batch_is_filled_up_to_the_limits_and_an_upsert_counts_twice() {
        let upserts: Vec<_> =
            (0..600).map(|n| vec![change(Verb::Upsert, &format!("r{n}.example"), 1, 9)]).collect();
        assert_eq!(chosen(&upserts).len(), 500);
        let creates: Vec<_> =
            (0..1_200).map(|n| vec![change(Verb::Create, &format!("r{n}.example"), 1, 9)]).collect();
        assert_eq!(chosen(&creates).len(), 1_000);
        let long: Vec<_> =
            (0..9).map(|n| vec![change(Verb::Delete, &format!("r{n}.example"), 2, 4_000)]).collect();
        assert_eq!(chosen(&long), [0, 1, 2, 3]);
        let alias = [change(Verb::Upsert, "a.example", 0, 0)];
        assert_eq!(Size::of(&alias), Size { records: 2, characters: 0 });
    }

    #[test]
    fn small_ones_fill_what_a_big_one_leaves_but_never_overtake_their_own_record() {
        let big = |name: &str| vec![change(Verb::Upsert, name, 400, 1)];
        let one = |name: &str| vec![change(Verb::Upsert, name, 1, 1)];
        assert_eq!(chosen(&[big("a.x"), big("b.x"), one("b.x"), one("c.x"), one("A.x.")]), [0, 3]);
        assert_eq!(chosen(&[vec![change(Verb::Upsert, "a.x", 900, 1)], one("b.x")]), [0]);
    }

    #[test]
    fn those_a_refusal_names_are_set_apart() {
        let batch: Vec<_> =
            ["a.x", "b.x", "c.x", "d.x"].map(|name| vec![change(Verb::Create, name, 1, 1)]).into();
        let batch: Vec<&[Change]> = batch.iter().map(Vec::as_slice).collect();
        let named = "[Tried to create resource record set [name='B.x.', type='A'] but it already exists]";
        assert_eq!(parts(&batch, named), [vec![0, 2, 3], vec![1]]);
        assert_eq!(parts(&batch, "something is wrong"), [vec![0, 1], vec![2, 3]]);
        assert_eq!(parts(&batch, "a.x b.x c.x d.x"), [vec![0, 1], vec![2, 3]]);
        assert_eq!(parts(&batch[..1], "a.x"), [vec![0]]);
    }
}
