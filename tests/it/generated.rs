//! Reference pages that are made from the code and kept in the repository. `DRCTL_BLESS=1` writes them
//! afresh.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail, and is told what to do by a variable"
)]

use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory};
use drctl::cli::Cli;
use drctl::model::action::reference;
use drctl::model::component;

/// Compares a page with what the code says now.
fn fresh(path: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("DRCTL_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "{} is stale: run the tests once with DRCTL_BLESS=1", path.display());
}

#[test]
fn the_reference_of_actions_is_fresh() {
    fresh("docs/reference/actions.md", &reference::reference());
}

#[test]
fn the_document_of_the_api_is_fresh() {
    let document = serde_json::to_string_pretty(&drctl::server::openapi()).unwrap();
    fresh("schemas/openapi.json", &(document + "\n"));
}

#[test]
fn the_reference_of_components_is_fresh() {
    fresh("docs/reference/components.md", &component::reference::reference());
}

#[test]
fn the_reference_of_the_command_line_is_fresh() {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut page = String::from(
        "# Command line\n\nGenerated from the definition of the command line in `src/cli`; do not edit. `drctl COMMAND \
         --help` prints the same.\n",
    );
    let global = command.get_arguments().filter(|argument| argument.is_global_set()).map(ToString::to_string);
    let global: Vec<_> = global.collect();
    describe(&mut page, &mut command, &global);
    fresh("docs/reference/cli.md", &page);
}

fn describe(page: &mut String, command: &mut Command, global: &[String]) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = command.get_bin_name().unwrap_or("drctl").to_owned();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n## `{name}`\n\n{about}\n\n```text\n{}\n```\n", command.render_usage());
    let is_root = name == "drctl";
    let shown: Vec<_> = command
        .get_arguments()
        .filter(|argument| {
            !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
        })
        .filter(|argument| is_root || !global.contains(&argument.to_string()))
        .collect();
    if !shown.is_empty() {
        page.push_str("\n| argument | meaning |\n|---|---|\n");
    }
    for argument in shown {
        let short = argument.get_short().map(|short| format!(", `-{short}`")).unwrap_or_default();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let words: Vec<_> =
            argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        let words = if argument.get_action().takes_values() && !words.is_empty() {
            format!(". One of {}", words.join(", "))
        } else {
            String::new()
        };
        let default: Vec<_> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        let default = if argument.get_action().takes_values() && !default.is_empty() {
            format!(". Default: `{}`", default.join(" "))
        } else {
            String::new()
        };
        let _ = writeln!(page, "| `{argument}`{short} | {}{words}{default} |", help.replace('|', "\\|"));
    }
    if let Some(after) = command.get_after_help() {
        let _ = write!(page, "\n{after}\n");
    }
    for inner in command.get_subcommands_mut() {
        describe(page, inner, global);
    }
}
