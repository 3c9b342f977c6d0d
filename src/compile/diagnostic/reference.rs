//! The reference page of all codes, generated from the catalogue. Never says anything the catalogue does not.

use std::fmt::Write as _;

use super::Code;

const HEAD: &str = "# Diagnostics\n\nGenerated from the catalogue in `src/compile/diagnostic`; do not edit. \
The same text is printed by `drctl explain CODE`.\n";

/// Writes docs/reference/diagnostics.md: a table of all codes and their entries.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(HEAD);
    page.push_str("\n| code | severity | what is wrong |\n|---|---|---|\n");
    for code in Code::ALL {
        let entry = code.entry();
        let _ = writeln!(page, "| [{code}](#{}) | {} | {} |", anchor(*code), entry.severity, entry.title);
    }
    for code in Code::ALL {
        let explanation = code.explanation();
        let (_, body) = explanation.split_once("\n\n").unwrap_or_default();
        let _ =
            write!(page, "\n## {code}\n\n**{}** ({})\n\n{body}", code.entry().title, code.entry().severity);
    }
    page
}

fn anchor(code: Code) -> String {
    code.as_str().to_ascii_lowercase()
}
