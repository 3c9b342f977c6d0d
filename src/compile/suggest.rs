//! "Did you mean": the nearest of a list of words. Knows nothing about runbooks.

/// Longest word that is compared, in characters.
const LONGEST: usize = 64;
/// Most words that are compared letter by letter.
const COMPARED: usize = 200;

/// The word nearest to what was written, when it is near enough to be meant.
#[must_use]
pub fn nearest<'w>(written: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let written: Vec<char> = written.chars().take(LONGEST + 1).map(|c| c.to_ascii_lowercase()).collect();
    if written.len() > LONGEST || written.is_empty() {
        return None;
    }
    // A name of one or two letters is near to every other such name.
    let allowed = if written.len() < 3 { 0 } else { (written.len() / 3).max(1) };
    let start: String = written.iter().collect();
    let continues = |word: &str| {
        written.len() > 3 && word.len() > 3 && (word.starts_with(&start) || start.starts_with(word))
    };
    // Byte lengths serve as a first sieve: the words compared are ASCII names.
    let alike =
        words.into_iter().filter(|word| word.len().abs_diff(start.len()) <= allowed || continues(word));
    let near = alike.take(COMPARED).filter_map(|word| {
        if continues(word) {
            return Some((allowed, word));
        }
        let distance = distance(&written, word);
        (distance <= allowed).then_some((distance, word))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// How many letters must be added, removed, exchanged or swapped with their neighbour.
fn distance(written: &[char], word: &str) -> usize {
    let word: Vec<char> = word.chars().take(LONGEST + 1).map(|c| c.to_ascii_lowercase()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=word.len()).collect();
    for (i, a) in written.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in word.iter().enumerate() {
            let mut best = (above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == word[j - 1] && written[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        (before, above) = (above, row);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

/// Words in backticks, for a sentence; only the first few of many.
pub(super) fn list<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    const SHOWN: usize = 40;
    let words: Vec<_> = words.into_iter().collect();
    let mut text = words.iter().take(SHOWN).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    if words.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_slips_are_found_and_other_words_are_not() {
        let words = ["phase", "uses", "parallel", "postgres.promote"];
        for (written, meant) in [
            ("phaze", Some("phase")),
            ("para", Some("parallel")),
            ("uess", Some("uses")),
            ("Parallel", Some("parallel")),
            ("postgres.promot", Some("postgres.promote")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, words), meant, "{written}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), words), None);
    }
}
