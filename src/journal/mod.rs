//! Adapters of the `Journal` port: in memory, in SQLite, in PostgreSQL, at a server. Never imports another
//! adapter or the runtime.
//!
//! All that store records keep the same promises, and one conformance suite (`tests/it/journal.rs`) runs on
//! each:
//! - an append is all or nothing, over every stream it names, and durable when it is answered (memory: as
//!   long as the process lives);
//! - every record carries a SHA-256 over its envelope and the hash before it in its stream ([`record`]);
//!   every record is also folded into one chain over the whole journal, so that a deleted tail, stream or
//!   row shows;
//! - positions are contiguous and appear in order, so that a reader who has seen position 7 never misses 6;
//! - the fencing token of a run rises with every grant, and an append with any other token is refused.

mod audit;
mod changes;
mod copying;
pub mod export;
mod looking;
mod memory;
pub mod ownership;
#[cfg(feature = "postgres")]
mod postgres;
pub mod record;
pub mod remote;
mod retention;
mod rules;
mod sqlite;

pub use memory::MemoryJournal;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresJournal, PostgresUrl};
pub use remote::RemoteJournal;
pub use sqlite::{HolderFacts, OpenMode, SqliteJournal};

/// Said of a place without a journal, by whoever opens it for reading only.
pub const MISSING: &str = "there is no journal here";
/// Said of a journal of an older format, by whoever opens it for reading only.
pub const OLDER: &str = "its format is older; any command that writes brings it up to date";
/// Version of the journal's format that this build writes.
pub const FORMAT: u32 = 1;
