//! The `drctl` binary: everything is in the library.

use std::process::ExitCode;

/// Compiling a big runbook is mostly small allocations; the system's allocator takes a third longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // First of all: a supervisor must start fast and needs nothing of drctl.
    if let Some(code) = drctl::providers::command::supervise::from_arguments(std::env::args_os()) {
        return code;
    }
    drctl::cli::main()
}
