//! Programs that do nothing anywhere, whatever happens: stand-ins that never became the real thing. When in
//! doubt, a program does something.

use serde_json::{Map, Value};

use super::unwrap::{MOST, Program, Variables, of_argv, of_call};
use crate::model::expression;

/// Programs that change nothing but what is printed.
const IDLE: [&str; 5] = ["true", ":", "exit", "echo", "printf"];

/// Whether a call of `command.run` does nothing, also through shells and programs that only run others.
#[must_use]
pub fn does_nothing(with: &Map<String, Value>) -> bool {
    let argv = with.get("argv").unwrap_or(&Value::Null);
    let programs = of_call(with);
    is_known(argv) && (are_idle(&programs) || is_blank(argv, &programs))
}

/// The same of a program with its arguments.
#[must_use]
pub fn line_does_nothing(argv: &Value) -> bool {
    let programs = of_argv(argv, false, Variables::new());
    is_known(argv) && (are_idle(&programs) || is_blank(argv, &programs))
}

/// Whether everything a line could do stands in its programs: a redirection writes a file, and a template may
/// become anything.
fn is_known(argv: &Value) -> bool {
    let plain = |word: &Value| {
        word.as_str().is_some_and(|word| !word.contains('>') && !expression::is_template(word))
    };
    argv.as_array().is_some_and(|words| words.iter().all(plain))
}

fn are_idle(programs: &[Program]) -> bool {
    !programs.is_empty() && programs.len() < MOST && programs.iter().all(|it| IDLE.contains(&it.name()))
}

/// Whether a shell is given nothing but blanks and comments. That no program was found is not enough: of a
/// line that is too long or too deep none is.
fn is_blank(argv: &Value, programs: &[Program]) -> bool {
    let line = argv.as_array().and_then(|words| words.last()).and_then(Value::as_str);
    let says_nothing =
        |line: &str| line.lines().map(str::trim_start).all(|line| line.is_empty() || line.starts_with('#'));
    programs.is_empty() && line.is_some_and(says_nothing)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_surely_does_nothing_does_nothing() {
        for (argv, expected) in [
            (json!(["true"]), true),
            (json!(["/usr/bin/true"]), true),
            (json!([":"]), true),
            (json!(["sh", "-c", "true"]), true),
            (json!(["/bin/sh", "-c", ": nothing to stop; exit 0"]), true),
            (json!(["sudo", "-n", "timeout", "5", "true"]), true),
            (json!(["ssh", "db.east", "true"]), true),
            (json!(["echo", "fenced"]), true),
            (json!(["sh", "-c", "# stop the database here"]), true),
            (json!(["sh", "-c", "\n  # stop it\n\n# here\n"]), true),
            (json!(["bash", "-c", ""]), true),
            (json!(["ssh", "db.east", "# systemctl stop db"]), true),
            (json!(["sh", "-c", "# stop it\nsystemctl stop db"]), false),
            (json!(["sh", "-c", "systemctl stop db # here"]), false),
            (json!(["sh", "-c", "eval eval eval eval eval eval eval eval eval stop"]), false),
            (json!(["./stop.sh", "# here"]), false),
            (json!(["sh", "-c", "systemctl stop db || true"]), false),
            (json!(["sh", "-c", "true $(systemctl stop db)"]), false),
            (json!(["sh", "-c", "if true; then systemctl stop db; fi"]), false),
            (json!(["sh", "-c", "echo b > /proc/sysrq-trigger"]), false),
            (json!(["sh", "-c", ": > /run/fenced"]), false),
            (json!(["sh", "-c", "echo stop | nc db 9"]), false),
            (json!(["sh", "-c", "{{ params.stop }}"]), false),
            (json!(["{{ from.values.db.stop }}"]), false),
            (json!("{{ from.values.db.stop }}"), false),
            (json!(["./stop.sh"]), false),
            (json!(["trueish"]), false),
            (json!([null]), false),
            (json!([]), false),
            (json!(null), false),
        ] {
            assert_eq!(line_does_nothing(&argv), expected, "{argv}");
            let with = json!({"argv": argv});
            assert_eq!(does_nothing(with.as_object().unwrap()), expected, "{with}");
        }
    }

    #[test]
    fn what_a_shell_reads_counts() {
        for (with, expected) in [
            (json!({"argv": ["true", "&&", "stop"]}), true),
            (json!({"argv": ["true", "&&", "stop"], "shell": true}), false),
            (json!({"argv": ["true"], "shell": true, "idempotent": true}), true),
        ] {
            assert_eq!(does_nothing(with.as_object().unwrap()), expected, "{with}");
        }
    }
}
