//! The `drctl` binary: everything is in the library.

fn main() {}
