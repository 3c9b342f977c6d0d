//! Entries about reading the text and the shape of its values.

use super::{Entry, error};

pub(crate) const UNREADABLE: Entry = error(
    "the text is not YAML",
    "The file cannot be read as YAML, so nothing else in it could be checked. Most often a quote or \
     bracket is not closed, a line is indented with a tab, or a value with `: ` in it is not quoted.",
    "title: Payments: the core",
    "title: \"Payments: the core\"",
);

pub(crate) const DUPLICATE_KEY: Entry = error(
    "a key appears twice",
    "A mapping holds the same key twice. Many YAML readers keep the last one silently; on the bad day \
     nobody would know which of the two values counts.",
    "timeout: 30s\nretry: {attempts: 3}\ntimeout: 5m",
    "timeout: 5m\nretry: {attempts: 3}",
);

pub(crate) const TOO_LARGE: Entry = error(
    "the document is beyond a limit",
    "A runbook has limits: 1 MiB of text, 32 levels of nesting, 10,000 keys in one mapping, 1,000 aliases, \
     50,000 values that following them adds, and 250,000 values in all. They keep a hostile or generated \
     file from costing time or memory. A real service stays far below them; split a larger one.",
    "[[[[[[[[…",
    "steps:\n  - {id: one, uses: manual.task, with: {instructions: Call the team}}",
);

pub(crate) const FORBIDDEN_CHARACTER: Entry = error(
    "a control character",
    "NUL and other control characters, and marks that reverse the direction of writing, can make a text \
     look different from what it says. A runbook that people read at 03:00 must not hold any, whether \
     written directly or as an escape.",
    "name: \"pay\\0ments\"",
    "name: payments",
);

pub(crate) const MANY_DOCUMENTS: Entry = error(
    "more than one document",
    "One file holds one runbook. A second document after `---` would be ignored by a careless reader, so \
     it is refused.",
    "kind: Runbook\n---\nkind: Runbook",
    "kind: Runbook   # the other one goes into its own file",
);

pub(crate) const AMBIGUOUS_NUMBER: Entry = error(
    "a number that is not what it looks like",
    "Without quotes `0777` is read as 777, a whole number of more than 19 digits loses digits, and `.inf` \
     or `1e999` is no number at all. Account numbers, file modes and ids are text: quote them.",
    "account: 012345678901",
    "account: \"012345678901\"",
);

pub(crate) const UNSUPPORTED_TAG: Entry = error(
    "a YAML tag that means nothing here",
    "Tags such as `!env` or `!!python/object` mean something to other tools only. They are refused rather \
     than ignored.",
    "url: !env PAY_URL",
    "url: \"{{ params.pay_url }}\"",
);

pub(crate) const BROKEN_ALIAS: Entry = error(
    "an alias or merge that leads nowhere",
    "An alias (`*name`) needs an anchor (`&name`) before it and may not hold itself; a merge (`<<`) needs \
     a mapping.",
    "retry: *standard",
    "first: {retry: &standard {attempts: 3}}\nsecond: {retry: *standard}",
);

pub(crate) const UNKNOWN_KEY: Entry = error(
    "an unknown key",
    "The key is not part of the language at this place. A misspelled key that was ignored could switch \
     off a safety net without anyone noticing.",
    "- id: promote\n  on_fail: abort",
    "- id: promote\n  on_failure: abort",
);

pub(crate) const MISSING_KEY: Entry = error(
    "a required key is missing",
    "The mapping lacks a key it cannot do without.",
    "- uses: manual.task\n  with: {instructions: Call the team}",
    "- id: call\n  uses: manual.task\n  with: {instructions: Call the team}",
);

pub(crate) const WRONG_TYPE: Entry = error(
    "a value of the wrong type",
    "The value is, say, a number where a text is expected, or it is empty. An empty value (`needs:`) is \
     refused because it could mean the default as well as nothing.",
    "needs: fence",
    "needs: [fence]",
);

pub(crate) const UNKNOWN_WORD: Entry = error(
    "not one of the words allowed",
    "The value must be one of a closed list of words.",
    "phase: promotion",
    "phase: promote",
);

pub(crate) const OUT_OF_RANGE: Entry = error(
    "a value beyond its range",
    "A number is too small or too large, a text too long, or a list has too few entries.",
    "retry: {attempts: 0}",
    "retry: {attempts: 1}",
);

pub(crate) const MALFORMED: Entry = error(
    "a text that cannot be read as what it should be",
    "Durations are written like 30s, 5m, 1h 30m or 250ms; names use a-z, 0-9 and `-`; percentages look \
     like \"80%\"; times like 2026-11-21T03:04:05Z.",
    "timeout: 5 minutes",
    "timeout: 5m",
);

pub(crate) const UNKNOWN_ACTION: Entry = error(
    "an unknown action",
    "There is no action of that name. `drctl actions` lists them all.",
    "uses: postgres.promot",
    "uses: postgres.promote",
);

pub(crate) const KEY_WITHOUT_MEANING: Entry = error(
    "a key that has no effect here",
    "The key is part of the language, but not for this kind of step: a step has either `uses` or \
     `parallel`, a group performs no action of its own, and only groups and `for_each` steps have \
     members.",
    "- id: one\n  uses: manual.task\n  min_success: 80%",
    "- id: many\n  min_success: 80%\n  parallel: [{id: one, uses: manual.task}]",
);
