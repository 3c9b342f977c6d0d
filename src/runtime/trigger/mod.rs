//! Looks at what webhooks have delivered: lets the state machine decide, records, and has runs staged,
//! started and withdrawn. Does nothing that was not recorded first, and nothing twice.

mod act;
mod deliveries;
mod look;
mod processor;

pub use act::{Act, withdraw};
pub use look::trigger_record;
pub use processor::{HookUse, Looked, Processor};

use super::Error;

/// Why a look ended early.
type Looking<T> = Result<T, Error>;
