//! Which programs a command line runs in the end, seen through shells and through programs that only run
//! others. Knows nothing of what any of them does.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::line;

/// Deepest nesting that is followed.
const DEPTH: usize = 8;
/// Most programs of one line.
pub(super) const MOST: usize = 200;

/// Variables of an environment.
pub type Variables = BTreeMap<String, String>;

/// A program with its arguments and what the line says of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name, as it was written, and its arguments.
    pub words: Vec<String>,
    /// Variables that are set for it.
    pub env: Variables,
}

impl Program {
    /// The name of the program, without the folder it lies in.
    #[must_use]
    pub fn name(&self) -> &str {
        self.words.first().map_or("", |word| base(word))
    }

    /// Its arguments.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// A program that runs another one, given behind its own options.
struct Wrapper {
    name: &'static str,
    /// Options that take a value: letters, then words, which may also be joined by `=`.
    letters: &'static str,
    words: &'static [&'static str],
    /// Words of its own before the other program.
    operands: usize,
}

const fn plain(name: &'static str) -> Wrapper {
    wrapper(name, "", &[], 0)
}

const fn wrapper(
    name: &'static str,
    letters: &'static str,
    words: &'static [&'static str],
    operands: usize,
) -> Wrapper {
    Wrapper { name, letters, words, operands }
}

/// Source: their manual pages.
const WRAPPERS: [Wrapper; 29] = [
    wrapper(
        "sudo",
        "ughpCrtTUDRa",
        &[
            "user",
            "group",
            "host",
            "prompt",
            "close-from",
            "role",
            "type",
            "command-timeout",
            "other-user",
            "chdir",
            "chroot",
        ],
        0,
    ),
    wrapper("doas", "uC", &[], 0),
    wrapper("env", "uC", &["unset", "chdir"], 0),
    wrapper("nice", "n", &["adjustment"], 0),
    wrapper("ionice", "cnpPu", &["class", "classdata"], 0),
    wrapper("chrt", "TPD", &[], 1),
    wrapper("taskset", "", &[], 1),
    wrapper("timeout", "sk", &["signal", "kill-after"], 1),
    wrapper("gtimeout", "sk", &["signal", "kill-after"], 1),
    wrapper("stdbuf", "ioe", &["input", "output", "error"], 0),
    wrapper("time", "fo", &["format", "output"], 0),
    wrapper("exec", "a", &[], 0),
    wrapper("flock", "wE", &["timeout", "wait", "conflict-exit-code"], 1),
    wrapper("xargs", "InPLdaEs", &["max-args", "max-procs", "delimiter", "arg-file"], 0),
    wrapper("watch", "n", &["interval"], 0),
    wrapper("systemd-run", "pupt", &["property", "unit", "slice", "description"], 0),
    wrapper("chroot", "", &[], 1),
    wrapper("gosu", "", &[], 1),
    wrapper("su-exec", "", &[], 1),
    plain("nohup"),
    plain("setsid"),
    plain("command"),
    plain("builtin"),
    plain("chronic"),
    plain("unbuffer"),
    plain("busybox"),
    plain("toybox"),
    plain("tini"),
    plain("dumb-init"),
];

const SHELLS: [&str; 9] = ["sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "fish"];
/// Programs that run what stands behind `--`.
const BEHIND_DASHES: [&str; 7] = ["aws-vault", "chamber", "op", "doppler", "kubectl", "oc", "runuser"];
/// Options of `ssh` that take a value.
const SSH: &str = "bcDEeFIiJLlmOopQRSWw";

/// The programs that a call of `command.run` runs.
#[must_use]
pub fn of_call(with: &Map<String, Value>) -> Vec<Program> {
    let shell = with.get("shell") == Some(&Value::Bool(true));
    let env = with.get("env").and_then(Value::as_object).into_iter().flatten();
    let env = env.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    of_argv(with.get("argv").unwrap_or(&Value::Null), shell, env.collect())
}

/// The programs that a program with its arguments runs; `shell`: its words are one line for a shell.
#[must_use]
pub fn of_argv(argv: &Value, shell: bool, env: Variables) -> Vec<Program> {
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        // What is not known before the run still has its place among the others.
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let words: Vec<String> = argv.as_array().into_iter().flatten().map(word).collect();
    let mut found = Vec::new();
    match words.as_slice() {
        [line] => of_line(line, &env, DEPTH, &mut found),
        words if shell => of_line(&words.join(" "), &env, DEPTH, &mut found),
        words => unwrap(words.to_vec(), env, DEPTH, &mut found),
    }
    found
}

/// The programs of a line that a shell reads, in order.
fn of_line(line: &str, env: &Variables, depth: usize, found: &mut Vec<Program>) {
    let mut env = env.clone();
    for words in line::commands(line) {
        if depth == 0 || found.len() >= MOST {
            return;
        }
        let mut own = env.clone();
        let words = assigned(words, &mut own);
        match words.first().map(String::as_str) {
            None => env = own,
            Some("export" | "declare" | "typeset" | "readonly") => {
                let rest = words.into_iter().skip(1).filter(|word| !word.starts_with('-'));
                assigned(rest.collect(), &mut env);
            }
            Some("eval") => of_line(&words.get(1..).unwrap_or_default().join(" "), &own, depth - 1, found),
            Some(_) => unwrap(words, own, depth - 1, found),
        }
    }
}

/// Follows one command to the program that it runs in the end.
fn unwrap(mut words: Vec<String>, mut env: Variables, depth: usize, found: &mut Vec<Program>) {
    for _ in 0..DEPTH {
        let Some(name) = words.first().map(|word| base(word).to_owned()) else { return };
        if SHELLS.contains(&name.as_str()) {
            match shell_line(&words) {
                Some(line) if depth > 0 => return of_line(&line, &env, depth - 1, found),
                _ => break,
            }
        }
        let rest = match name.as_str() {
            "ssh" => {
                let behind = behind_options(&words, SSH, &[]);
                let line = behind.get(1..).unwrap_or_default().join(" ");
                // Without a command it is a way there and nothing else.
                if line.is_empty() || depth == 0 {
                    break;
                }
                return of_line(&line, &env, depth - 1, found);
            }
            "su" | "runuser" | "flock" if option_line(&words).is_some() && depth > 0 => {
                let line = option_line(&words).unwrap_or_default();
                return of_line(&line, &env, depth - 1, found);
            }
            "env" if split_line(&words).is_some() => split_line(&words).unwrap_or_default(),
            name if BEHIND_DASHES.contains(&name) => match words.iter().position(|word| word == "--") {
                Some(at) => words.get(at + 1..).unwrap_or_default().to_vec(),
                None => break,
            },
            name => match WRAPPERS.iter().find(|wrapper| wrapper.name == name) {
                Some(wrapper) => {
                    let behind = behind_options(&words, wrapper.letters, wrapper.words);
                    behind.into_iter().skip(wrapper.operands).collect()
                }
                None => break,
            },
        };
        let rest = assigned(rest, &mut env);
        if rest.is_empty() {
            break;
        }
        words = rest;
    }
    let known = |word: String| variable(&word).and_then(|name| env.get(name).cloned()).unwrap_or(word);
    let words = words.into_iter().map(known).collect();
    found.push(Program { words, env });
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Takes the assignments before a program; gives the rest.
fn assigned(words: Vec<String>, env: &mut Variables) -> Vec<String> {
    let mut rest = words.into_iter().peekable();
    while let Some((name, value)) = rest.peek().and_then(|word| assignment(word)) {
        env.insert(name.to_owned(), value.to_owned());
        rest.next();
    }
    rest.collect()
}

fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value))
}

/// The variable that a word is, whole.
fn variable(word: &str) -> Option<&str> {
    let name = word.strip_prefix('$')?;
    Some(name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name))
}

/// What stands behind the options of a program.
fn behind_options(words: &[String], letters: &str, long: &[&str]) -> Vec<String> {
    let mut rest = words.iter().skip(1);
    let mut behind = rest.clone();
    while let Some(word) = rest.next() {
        if word == "--" {
            return rest.cloned().collect();
        }
        let valued = match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(name), _) => long.contains(&name),
            (None, Some(cluster)) if !cluster.is_empty() => {
                // A letter with a value takes the rest of its word, or the next one.
                cluster.chars().position(|c| letters.contains(c)).is_some_and(|at| at + 1 == cluster.len())
            }
            (None, _) => break,
        };
        if valued {
            rest.next();
        }
        behind = rest.clone();
    }
    behind.cloned().collect()
}

/// The line that a shell is given by `-c`, also as the last of several letters.
fn shell_line(words: &[String]) -> Option<String> {
    let mut given = false;
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        if let Some(name) = word.strip_prefix("--") {
            match name {
                "" => break,
                "command" => given = true,
                "rcfile" | "init-file" => {
                    rest.next();
                }
                _ => {}
            }
        } else if let Some(letters) = word.strip_prefix(['-', '+']).filter(|letters| !letters.is_empty()) {
            given |= word.starts_with('-') && letters.contains('c');
            if letters.contains(['o', 'O']) {
                rest.next();
            }
        } else {
            return given.then(|| word.clone());
        }
    }
    rest.next().filter(|_| given).cloned()
}

/// The line that a program hands to a shell, given by `-c`.
fn option_line(words: &[String]) -> Option<String> {
    let at = words.iter().position(|word| word == "-c" || word == "--command")?;
    words.get(at + 1).cloned()
}

/// The words of `env -S`.
fn split_line(words: &[String]) -> Option<Vec<String>> {
    let own = words.iter().skip(1).take_while(|word| word.starts_with('-') || assignment(word).is_some());
    let is_split = |word: &String| word.starts_with("-S") || word.starts_with("--split-string");
    let at = own.take_while(|word| *word != "--").position(is_split)? + 1;
    let own = words.get(at)?;
    let joined = own.strip_prefix("--split-string=").or_else(|| own.strip_prefix("-S"));
    let (line, next) = match joined.filter(|line| !line.is_empty()) {
        Some(line) => (line, at + 1),
        None => (words.get(at + 1)?.as_str(), at + 2),
    };
    let split = line.split_whitespace().map(str::to_owned);
    Some(split.chain(words.get(next..).unwrap_or_default().iter().cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(argv: &Value) -> Vec<String> {
        let found = of_argv(argv, false, Variables::new());
        found.into_iter().map(|program| program.words.join(" ")).collect()
    }

    #[test]
    fn programs_are_found_through_whatever_runs_them() {
        let own = ["aws rds x"];
        for argv in [
            json!(["aws", "rds", "x"]),
            json!(["aws rds x"]),
            json!(["sh", "-c", "aws rds x"]),
            json!(["/bin/bash", "-lc", "aws rds x"]),
            json!(["bash", "-euo", "pipefail", "-c", "aws rds 'x'", "name"]),
            json!(["bash", "-o", "pipefail", "--norc", "-c", "aws rds \\\n x"]),
            json!(["sudo", "-n", "-u", "root", "aws", "rds", "x"]),
            json!(["sudo", "-Eu", "root", "--", "A=b", "aws", "rds", "x"]),
            json!(["sudo", "--user=root", "--group", "dba", "aws", "rds", "x"]),
            json!(["env", "-i", "-u", "HOME", "A=b", "aws", "rds", "x"]),
            json!(["env", "-S", "A=b aws rds", "x"]),
            json!(["/usr/bin/env", "bash", "-c", "exec aws rds x"]),
            json!(["nice", "-n", "5", "aws", "rds", "x"]),
            json!(["nice", "-5", "aws", "rds", "x"]),
            json!(["timeout", "5", "aws", "rds", "x"]),
            json!(["timeout", "-k", "5", "--signal=KILL", "1m", "aws", "rds", "x"]),
            json!(["timeout", "5", "sudo", "env", "A=b", "sh", "-c", "nice aws rds x"]),
            json!(["flock", "-n", "/tmp/lock", "-c", "aws rds x"]),
            json!(["aws-vault", "exec", "dr", "--", "aws", "rds", "x"]),
            json!(["ssh", "-o", "BatchMode=yes", "-i", "key", "bastion", "aws", "rds", "x"]),
            json!(["sh", "-c", "if true; then eval 'aws rds x'; fi >/dev/null 2>&1"]),
            json!(["stdbuf", "-oL", "time", "-p", "nohup", "aws", "rds", "x"]),
        ] {
            let found = lines(&argv);
            assert!(found.iter().any(|line| line == own[0]), "{argv}: {found:?}");
        }
    }

    #[test]
    fn every_program_of_a_line_counts_with_its_environment() {
        let line = json!(["sh", "-c", "cd /srv && export R=us-east-1; A=b aws --region $R rds x | tee log"]);
        let found = of_argv(&line, false, Variables::new());
        assert_eq!(lines(&line), ["cd /srv", "aws --region us-east-1 rds x", "tee log"]);
        let aws = found.iter().find(|program| program.name() == "aws").unwrap();
        assert_eq!((aws.env["A"].as_str(), aws.env["R"].as_str()), ("b", "us-east-1"));
        assert_eq!(aws.arguments().len(), 4);
        let with = json!({"argv": ["aws", "rds"], "shell": true, "env": {"AWS_REGION": "us-east-1"}});
        let found = of_call(with.as_object().unwrap());
        assert_eq!(found[0].env["AWS_REGION"], "us-east-1");
    }

    #[test]
    fn what_only_looks_like_a_wrapper_is_left_alone() {
        assert_eq!(lines(&json!(["./sudo-like", "aws"])), ["./sudo-like aws"]);
        assert_eq!(lines(&json!(["bash", "deploy.sh", "-c", "x"])), ["bash deploy.sh -c x"]);
        assert_eq!(lines(&json!(["echo", "sh", "-c", "aws"])), ["echo sh -c aws"]);
        assert_eq!(lines(&json!(["timeout", "5"])), ["timeout 5"]);
        assert_eq!(lines(&json!([])), Vec::<String>::new());
        let deep = format!("{}aws", "sh -c ".repeat(200));
        assert!(lines(&json!([deep])).len() <= 1);
    }
}
