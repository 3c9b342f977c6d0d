//! Several `drctl serve` on one PostgreSQL, as whole processes: what one of them does, none of the others
//! does as well, and what one of them leaves, another one takes up.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail; the exceptions for tests do not reach functions beside them"
)]

mod estate;
mod listed;
mod machine;
mod once;
mod promoted;
mod rounds;
mod strikes;
mod target;
mod witness;

use std::fmt::Write as _;

/// A token that may do everything; its digest is in [`configuration`].
const TOKEN: &str = "drctl_does-everything";

/// The configuration of a node.
fn configuration(name: &str, more: &str) -> String {
    let sha256 = drctl::journal::record::hex(&drctl::journal::record::digest(TOKEN.as_bytes()));
    let mut text =
        format!("[server]\nnode = \"{name}\"\nrequests_per_second = 10000\nmax_runs = 300\n{more}\n");
    write!(text, "[[auth.tokens]]\nname = \"ann\"\nroles = [\"admin\"]\nsha256 = \"{sha256}\"\n").unwrap();
    text
}
