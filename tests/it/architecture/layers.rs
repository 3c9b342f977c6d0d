//! Who may import whom, and what pure modules never touch.

use std::collections::BTreeSet;

use super::source::{Source, sources};

/// The modules of `src/`, and which of the others each may name.
const LAYERS: [(&str, &[&str]); 23] = [
    ("model", &[]),
    ("compile", &["model"]),
    ("plan", &["model"]),
    ("policy", &["compile", "model", "plan"]),
    ("engine", &["model", "plan"]),
    ("evidence", &["model", "plan", "engine"]),
    ("webhook", &["model"]),
    ("oidc", &["model"]),
    ("forecast", &["model", "plan"]),
    ("ports", &["model", "plan", "engine"]),
    ("dial", &["model"]),
    ("journal", &["model", "plan", "engine", "ports", "dial"]),
    ("providers", &["model", "plan", "engine", "ports", "dial"]),
    ("runtime", &["model", "plan", "engine", "ports", "webhook"]),
    ("seal", &["model", "plan", "engine", "evidence", "ports", "journal"]),
    ("tail", &["model", "plan", "engine", "ports"]),
    ("notify", &["model", "plan", "engine", "evidence", "ports", "tail", "dial"]),
    ("config", &["model"]),
    ("telemetry", &["config", "model", "plan", "engine", "evidence", "ports", "tail"]),
    (
        "app",
        &[
            "compile",
            "config",
            "engine",
            "evidence",
            "forecast",
            "journal",
            "model",
            "notify",
            "plan",
            "policy",
            "ports",
            "providers",
            "runtime",
            "seal",
            "tail",
            "telemetry",
            "webhook",
        ],
    ),
    (
        "server",
        &[
            "app",
            "compile",
            "config",
            "engine",
            "evidence",
            "journal",
            "model",
            "notify",
            "oidc",
            "plan",
            "ports",
            "runtime",
            "tail",
            "telemetry",
            "webhook",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "compile",
            "config",
            "engine",
            "evidence",
            "forecast",
            "journal",
            "model",
            "notify",
            "plan",
            "policy",
            "ports",
            "providers",
            "runtime",
            "seal",
            "server",
            "tail",
            "telemetry",
            "webhook",
        ],
    ),
    ("main", &["cli"]),
];

/// Adapters of one folder that never name each other; what they share lies beside them.
const PROVIDERS: [&str; 6] = ["aws", "command", "http", "incident", "postgres", "simulated"];

/// Pure: the same answer to the same question, for ever.
const PURE: [&str; 10] =
    ["model", "compile", "plan", "policy", "engine", "forecast", "evidence", "seal", "webhook", "oidc"];
const IMPURE: [&str; 16] = [
    "tokio::",
    "async ",
    "async{",
    ".await",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "getrandom",
    "println!",
];

/// Crates that only their adapter knows.
const ADAPTED: [(&str, &[&str]); 18] = [
    ("aws_config", &["providers"]),
    ("aws_sdk_backup", &["providers"]),
    ("aws_sdk_rds", &["providers"]),
    ("aws_sdk_route53", &["providers"]),
    ("aws_sigv4", &["providers"]),
    ("rusqlite", &["journal"]),
    ("lettre", &["notify"]),
    ("prometheus_client", &["telemetry"]),
    ("reqwest", &["dial", "journal", "providers", "notify", "telemetry"]),
    ("tokio_postgres", &["dial", "journal", "providers"]),
    ("rustls", &["dial", "providers", "app", "server"]),
    ("rustls_pki_types", &["webhook", "server"]),
    ("webpki", &["webhook"]),
    ("clap", &["cli"]),
    ("axum", &["server"]),
    ("governor", &["server"]),
    ("jsonwebtoken", &["oidc"]),
    ("sd_notify", &["server"]),
];

/// The names that follow `crate::`, one for each import: `crate::{a, b::c}` gives `a` and `b`.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => members(list),
            None => vec![word(rest)],
        };
        found.extend(names.into_iter().filter(|name| !name.is_empty()).map(|name| (line, name)));
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// First words of the members of a list in braces.
fn members(list: &str) -> Vec<String> {
    let mut depth = 1;
    let mut names = Vec::new();
    let mut fresh = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            c if fresh && depth == 1 && !c.is_whitespace() => {
                names.push(word(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn allowed(module: &str) -> Option<&'static [&'static str]> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed)
}

fn place(source: &Source, line: usize) -> String {
    format!("src/{}:{line}", source.path)
}

#[test]
fn every_module_is_in_the_table() {
    let modules: BTreeSet<String> = sources()
        .iter()
        .map(|source| source.module().to_owned())
        .filter(|module| module != "lib" && allowed(module).is_none())
        .collect();
    assert!(modules.is_empty(), "say who may import these, and whom they may import: {modules:?}");
}

#[test]
fn nothing_is_imported_against_the_layers() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module() != "lib") {
        let module = source.module();
        let allowed = allowed(module).unwrap_or_default();
        for (line, name) in imports(&source.code) {
            let is_module = LAYERS.iter().any(|(known, _)| *known == name);
            if is_module && name != module && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{}: {module} must not know {name}", place(source, line)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn adapters_never_see_each_other() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module() == "providers") {
        let Some(own) = source.path.split('/').nth(1).filter(|own| PROVIDERS.contains(own)) else { continue };
        for other in PROVIDERS.iter().filter(|other| **other != own) {
            let named = format!("providers::{other}");
            if let Some(at) = source.code.find(&named) {
                let line = source.code[..at].matches('\n').count() + 1;
                wrong.push(format!("{}: {own} must not know {other}", place(source, line)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_with_their_adapter() {
    let mut wrong = Vec::new();
    for source in &sources() {
        for (name, homes) in ADAPTED {
            let at_home = homes.contains(&source.module());
            for (at, _) in source.code.match_indices(&format!("{name}::")) {
                let inside = source.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                if !at_home && !inside {
                    let line = source.code[..at].matches('\n').count() + 1;
                    wrong.push(format!("{}: {name} belongs to {}", place(source, line), homes.join(", ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_touch_nothing_outside() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.module())) {
        for (number, line) in source.code.lines().enumerate() {
            for impure in IMPURE.iter().filter(|impure| line.contains(**impure)) {
                wrong.push(format!(
                    "{}: `{}` in {}",
                    place(source, number + 1),
                    impure.trim(),
                    source.module()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_environment_has_one_reader() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module() != "config") {
        for read in ["env::var(", "env::var_os(", "env::vars("] {
            if let Some(at) = source.code.find(read) {
                let line = source.code[..at].matches('\n').count() + 1;
                wrong.push(format!("{}: config.rs reads the environment", place(source, line)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::model::{a, b};\nuse crate::{plan::x::{y, z}, engine, ports::{P, Q}};\nlet w = crate::config::f();\n\
                pub(in crate::compile) fn g() {}\nmy_crate::cli::h();";
    let names: Vec<_> = imports(code).into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(names, ["1 model", "2 plan", "2 engine", "2 ports", "3 config", "4 compile"]);
}
