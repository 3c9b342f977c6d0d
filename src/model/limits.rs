//! Named limits. Every queue, size and depth in drctl has one; nothing grows without bound.

/// Largest runbook text, in bytes.
pub const RUNBOOK_BYTES: usize = 1024 * 1024;
/// Most YAML nodes in one document.
pub const DOCUMENT_NODES: usize = 250_000;
/// Deepest nesting of a YAML document. Eight nested groups with parameters need half of it; each level
/// costs up to 40 KiB of stack in a debug build, and test and worker threads have 2 MiB.
pub const DOCUMENT_DEPTH: usize = 32;
/// Most aliases in one document.
pub const DOCUMENT_ALIASES: usize = 1_000;
/// Most values that following aliases may add to a document.
pub const DOCUMENT_REPLAYED: usize = 50_000;
/// Most keys of one mapping.
pub const MAPPING_KEYS: usize = 10_000;
/// Most nodes of a plan, after fan-out.
pub const PLAN_NODES: usize = 50_000;
/// Most items of one `for_each`.
pub const FAN_OUT: usize = 10_000;
/// Most runs that lie inside each other, the outermost included.
pub const NESTED_RUNS: usize = 8;
/// Most attempts a retry policy may ask for.
pub const ATTEMPTS: u32 = 100;
/// Largest output kept inside an event, in bytes; larger ones go to a blob.
pub const INLINE_OUTPUT_BYTES: usize = 64 * 1024;
/// Largest output kept at all, in bytes; the rest is cut off with a note.
pub const OUTPUT_BYTES: usize = 4 * 1024 * 1024;
/// Longest message of a failure or progress line, in characters.
pub const MESSAGE_CHARS: usize = 2_000;
/// Longest reason a person gives, in characters.
pub const REASON_CHARS: usize = 1_000;
/// Fuel of one expression, in minijinja instructions.
pub const EXPRESSION_FUEL: u64 = 50_000;
/// Longest identifier.
pub const ID_CHARS: usize = 64;
/// Least number of events between two checkpoints of a run.
pub const CHECKPOINT_EVERY: u64 = 256;
/// Requests waiting for one run's driver.
pub const INBOX: usize = 1_000;
