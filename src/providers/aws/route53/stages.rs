//! Weights at each stage of a move, in whole numbers from 0 to 255. Pure. Must never leave nobody with a
//! weight: where all are 0, Route 53 answers with every one of them.

use std::collections::BTreeMap;

/// Weight by set identifier.
pub(super) type Weights = BTreeMap<String, u32>;

/// Largest weight.
const LARGEST: u32 = 255;

/// Weights at one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stage {
    /// How far it is, in percent.
    pub(super) percent: u8,
    pub(super) weights: Weights,
}

/// Stages that take a site's weight away; the others share it in proportion of their own.
///
/// # Errors
/// A sentence that says what is wrong with the stages or the weights.
pub(super) fn draining(before: &Weights, site: &str, percents: &[u8]) -> Result<Vec<Stage>, String> {
    let percents = checked(percents)?;
    let Some(own) = before.get(site).copied() else {
        return Err(format!("there is no weighted record `{site}` (there are {})", named(before)));
    };
    let others: u32 = before.iter().filter(|(set, _)| *set != site).map(|(_, weight)| weight).sum();
    if others == 0 {
        return Err(format!("no record but `{site}` has a weight: nobody would take its traffic"));
    }
    // Larger weights last until the site is empty.
    let factor = factor(before.values(), &percents, |percent| is_whole(own, 0, percent));
    let stages = percents.into_iter().map(|percent| {
        let factor = if percent == 100 { 1 } else { factor };
        let weight = |(set, weight): (&String, &u32)| {
            let left = if set == site { between(own * factor, 0, percent) } else { weight * factor };
            (set.clone(), left)
        };
        Stage { percent, weights: before.iter().map(weight).collect() }
    });
    Ok(distinct(before, stages))
}

/// Stages that move some weights to given values.
///
/// # Errors
/// A sentence that says what is wrong with the stages or the weights.
pub(super) fn moving(before: &Weights, targets: &Weights, percents: &[u8]) -> Result<Vec<Stage>, String> {
    let percents = checked(percents)?;
    if percents.last() != Some(&100) {
        return Err("the last stage must be 100".to_owned());
    }
    if let Some(missing) = targets.keys().find(|set| !before.contains_key(*set)) {
        return Err(format!("there is no weighted record `{missing}` (there are {})", named(before)));
    }
    if let Some((set, weight)) = targets.iter().find(|(_, weight)| **weight > LARGEST) {
        return Err(format!("weight {weight} of `{set}` is more than {LARGEST}"));
    }
    let target = |set: &String, weight: u32| targets.get(set).copied().unwrap_or(weight);
    let factor = factor(before.values().chain(targets.values()), &percents, |percent| {
        before.iter().all(|(set, weight)| is_whole(*weight, target(set, *weight), percent))
    });
    let stages = percents.into_iter().map(|percent| {
        let factor = if percent == 100 { 1 } else { factor };
        let weight = |(set, weight): (&String, &u32)| {
            (set.clone(), between(*weight * factor, target(set, *weight) * factor, percent))
        };
        Stage { percent, weights: before.iter().map(weight).collect() }
    });
    let stages = distinct(before, stages);
    match stages.iter().find(|stage| stage.weights.values().all(|weight| *weight == 0)) {
        Some(_) => Err("no record would have a weight left, which sends traffic to all of them".to_owned()),
        None => Ok(stages),
    }
}

/// The last stage whose weights are these.
pub(super) fn reached(stages: &[Stage], now: &Weights) -> Option<usize> {
    stages.iter().rposition(|stage| stage.weights == *now)
}

fn checked(percents: &[u8]) -> Result<Vec<u8>, String> {
    if percents.is_empty() {
        return Ok(vec![100]);
    }
    let rises = percents.windows(2).all(|pair| matches!(pair, [one, other] if one < other));
    let is_percent = percents.iter().all(|percent| (1..=100).contains(percent));
    if rises && is_percent {
        Ok(percents.to_vec())
    } else {
        Err("stages must rise, from 1 to 100".to_owned())
    }
}

/// Leaves out stages at which nothing would change.
fn distinct(before: &Weights, stages: impl Iterator<Item = Stage>) -> Vec<Stage> {
    let mut kept: Vec<Stage> = Vec::new();
    for stage in stages {
        match kept.last_mut() {
            Some(last) if last.weights == stage.weights => last.percent = stage.percent,
            None if stage.weights == *before => {}
            Some(_) | None => kept.push(stage),
        }
    }
    kept
}

/// By how much all weights are multiplied: shares that whole numbers cannot express need larger ones.
fn factor<'w>(weights: impl Iterator<Item = &'w u32>, percents: &[u8], is_whole: impl Fn(u8) -> bool) -> u32 {
    let largest = weights.copied().max().unwrap_or(1).max(1);
    if percents.iter().all(|percent| is_whole(*percent)) { 1 } else { (LARGEST / largest).max(1) }
}

fn is_whole(from: u32, to: u32, percent: u8) -> bool {
    let percent = u32::from(percent);
    (from * (100 - percent) + to * percent).is_multiple_of(100)
}

/// So many percent of the way from one weight to another.
fn between(from: u32, to: u32, percent: u8) -> u32 {
    let percent = u32::from(percent);
    (from * (100 - percent) + to * percent + 50) / 100
}

fn named(weights: &Weights) -> String {
    let names: Vec<&str> = weights.keys().map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(of: &[(&str, u32)]) -> Weights {
        of.iter().map(|(set, weight)| ((*set).to_owned(), *weight)).collect()
    }

    fn seen(stages: &[Stage]) -> Vec<(u8, Vec<u32>)> {
        stages.iter().map(|stage| (stage.percent, stage.weights.values().copied().collect())).collect()
    }

    #[test]
    fn a_drain_leaves_the_others_in_proportion() {
        let before = weights(&[("a", 100), ("b", 60), ("c", 40)]);
        let stages = draining(&before, "a", &[5, 25, 50, 100]).unwrap();
        let expected = [(5, [95, 60, 40]), (25, [75, 60, 40]), (50, [50, 60, 40]), (100, [0, 60, 40])];
        assert_eq!(seen(&stages), expected.map(|(percent, weights)| (percent, weights.to_vec())));
        assert_eq!(seen(&draining(&before, "b", &[]).unwrap()), [(100, vec![100, 0, 40])]);
    }

    #[test]
    fn small_weights_are_enlarged_until_the_site_is_empty() {
        let stages = draining(&weights(&[("a", 1), ("b", 2)]), "a", &[25, 100]).unwrap();
        assert_eq!(seen(&stages), [(25, vec![95, 254]), (100, vec![0, 2])]);
    }

    #[test]
    fn a_move_ends_exactly_at_its_targets() {
        let before = weights(&[("a", 0), ("b", 101), ("c", 7)]);
        let stages = moving(&before, &weights(&[("a", 99), ("b", 2)]), &[10, 50, 100]).unwrap();
        assert_eq!(seen(&stages), [(10, vec![20, 182, 14]), (50, vec![99, 103, 14]), (100, vec![99, 2, 7])]);
        assert_eq!(reached(&stages, &weights(&[("a", 99), ("b", 103), ("c", 14)])), Some(1));
        assert_eq!(reached(&stages, &before), None);
    }

    #[test]
    fn stages_that_change_nothing_are_left_out() {
        let before = weights(&[("a", 1), ("b", 0)]);
        assert!(moving(&before, &before, &[50, 100]).unwrap().is_empty());
        let large = weights(&[("a", 255), ("b", 250)]);
        let stages = moving(&large, &weights(&[("b", 251)]), &[10, 20, 60, 100]).unwrap();
        assert_eq!(seen(&stages), [(100, vec![255, 251])]);
    }

    /// Rounded, a weight of 1 would be given back whole at the first stage.
    #[test]
    fn small_weights_are_given_back_in_stages_too() {
        let stages =
            moving(&weights(&[("a", 0), ("b", 1)]), &weights(&[("a", 1)]), &[5, 25, 50, 100]).unwrap();
        let expected = [(5, [13, 255]), (25, [64, 255]), (50, [128, 255]), (100, [1, 1])];
        assert_eq!(seen(&stages), expected.map(|(percent, weights)| (percent, weights.to_vec())));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let before = weights(&[("a", 10), ("b", 0)]);
        for (result, said) in [
            (draining(&before, "a", &[]), "nobody would take"),
            (draining(&before, "x", &[]), "there are a, b"),
            (draining(&before, "b", &[50, 20]), "must rise"),
            (draining(&before, "b", &[0]), "must rise"),
            (moving(&before, &weights(&[("a", 0)]), &[]), "all of them"),
            (moving(&before, &weights(&[("x", 1)]), &[]), "no weighted record `x`"),
            (moving(&before, &weights(&[("a", 256)]), &[]), "more than 255"),
            (moving(&before, &weights(&[("a", 1)]), &[50]), "must be 100"),
        ] {
            let error = result.unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
