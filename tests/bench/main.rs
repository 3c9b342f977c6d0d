//! Whole-engine shapes, each beside the floor it cannot pass, measured in the same run: `cargo bench
//! --bench engine`.
//! Prints one JSON document; asserts nothing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a measurement that cannot go on stops, and its result is what it prints"
)]

mod coverage;
mod evacuation;
mod floor;
mod forecast;
mod kill;
mod serve;
mod shapes;

use serde_json::{Value, json};

/// That of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // `cargo test --benches` and nextest call with flags that ask for nothing to be measured.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    rustls::crypto::ring::default_provider().install_default().ok();
    // Many runs in one process are driven by several threads, one run by one, as the binary does it.
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let single = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
    let mut results = serde_json::Map::new();
    let mut keep = |name: &str, measure: &mut dyn FnMut() -> Value| {
        if runs(name) {
            results.insert(name.to_owned(), measure());
        }
    };
    keep("fleet", &mut || many.block_on(shapes::fleet(folder.path())));
    keep("chain", &mut || single.block_on(shapes::chain(folder.path())));
    keep("fan", &mut || single.block_on(shapes::fan(folder.path())));
    keep("commands", &mut || single.block_on(shapes::commands(folder.path())));
    keep("recovery", &mut || many.block_on(shapes::recovery(folder.path())));
    keep("evacuation", &mut || single.block_on(evacuation::evacuation(folder.path())));
    keep("coverage", &mut || single.block_on(coverage::covered(folder.path())));
    keep("deliveries", &mut || many.block_on(serve::deliveries(folder.path())));
    keep("viewers", &mut || many.block_on(serve::viewers(folder.path())));
    keep("starts", &mut || many.block_on(serve::starts(folder.path())));
    keep("kill", &mut kill::kill);
    keep("forecast", &mut forecast::forecast);
    keep("compile", &mut shapes::compile);
    keep("hostile", &mut shapes::hostile);
    println!("{}", serde_json::to_string_pretty(&json!(results)).unwrap());
}
