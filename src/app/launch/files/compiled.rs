//! Runbooks that were compiled before: the same text, judged in the same way, always compiles to the same. A
//! server compiles the runbooks of its folders again and again.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::compile::{self, Diagnostic, Options};
use crate::journal::record::{Hash, digest};
use crate::model::runbook::Runbook;

/// Bytes of texts whose runbooks are kept; with more, it begins anew.
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// What a text compiles to, and what was found in it.
type Compiled = (Option<Runbook>, Vec<Diagnostic>);

#[derive(Default)]
struct Kept {
    by_text: HashMap<Hash, (Options, Compiled)>,
    bytes: usize,
}

/// Compiles a text, where that was not done before.
pub(crate) fn compiled(text: &str, options: &Options) -> Compiled {
    static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);
    let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let name = digest(text.as_bytes());
    let known = kept().by_text.get(&name).filter(|(how, _)| how == options).map(|(_, known)| known.clone());
    if let Some(known) = known {
        return known;
    }
    let new = compile::compile_with(text, options);
    let mut kept = kept();
    if kept.bytes > KEPT_BYTES {
        *kept = Kept::default();
    }
    if kept.by_text.insert(name, (options.clone(), new.clone())).is_none() {
        kept.bytes += text.len();
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Code;

    #[test]
    fn the_same_is_compiled_once_and_judged_anew_where_it_is_judged_in_another_way() {
        let text = include_str!("../../../../tests/fixtures/compile/accepted.yaml");
        let on = |day: &str| Options::new(day.parse().unwrap());
        let codes = |found: &[Diagnostic]| found.iter().map(|it| it.code).collect::<Vec<Code>>();
        for day in ["2026-11-20", "2026-11-20", "2099-01-01", "2026-11-20"] {
            let (ours, theirs) = (compiled(text, &on(day)), compile::compile_with(text, &on(day)));
            assert_eq!((ours.0.is_some(), codes(&ours.1)), (theirs.0.is_some(), codes(&theirs.1)), "{day}");
        }
        let judged = |day: &str| codes(&compiled(text, &on(day)).1);
        assert_ne!(judged("2026-11-20"), judged("2099-01-01"), "acceptances end on a day");
    }
}
