//! Runs the built binary in a folder of its own and turns what it printed into a transcript that is the
//! same every time.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Says whether fixtures that are missing are to be written: `DRCTL_BLESS=1`.
pub(crate) fn blesses() -> bool {
    std::env::var_os("DRCTL_BLESS").is_some()
}

/// A folder with runbooks, a journal below `.drctl`, and no environment but what is set here.
pub(crate) struct Drctl {
    folder: tempfile::TempDir,
    /// Below the folder; where commands run.
    inside: PathBuf,
}

/// What one command printed.
pub(crate) struct Output {
    /// Exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Drctl {
    /// Makes an empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), inside: PathBuf::new() }
    }

    /// Makes a folder with files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let drctl = Self::new();
        for (name, text) in files {
            drctl.write(name, text);
        }
        drctl
    }

    /// Goes into a folder below.
    pub(crate) fn within(mut self, inside: &str) -> Self {
        self.inside = inside.into();
        self
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join(&self.inside)
    }

    /// The path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place().join(name)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes a file that can be run into the folder.
    pub(crate) fn write_program(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write(name, text);
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a command whose words hold no spaces, with the journal in the folder.
    pub(crate) fn run(&self, line: &str) -> Output {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs a command, with the journal in the folder.
    pub(crate) fn run_words(&self, words: &[&str]) -> Output {
        run_in(&self.place(), words, &[])
    }

    /// Runs a command as in a terminal of this many columns.
    pub(crate) fn run_narrow(&self, columns: usize, line: &str) -> Output {
        self.run_with(&[("COLUMNS", &columns.to_string())], line)
    }

    /// Runs a command with more in its environment.
    pub(crate) fn run_with(&self, environment: &[(&str, &str)], line: &str) -> Output {
        run_in(&self.place(), &line.split_whitespace().collect::<Vec<_>>(), environment)
    }

    /// Runs a command that is not told to keep its journal in the folder.
    pub(crate) fn run_plain(&self, environment: &[(&str, &str)], line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drctl"));
        command.args(line.split_whitespace()).current_dir(self.place()).env_clear().env("TZ", "UTC");
        command.env("HOME", self.place()).envs(environment.iter().copied()).stdin(Stdio::null());
        output_of(&mut command)
    }

    /// Begins a command whose output is read, with more in its environment.
    pub(crate) fn spawn_with(&self, environment: &[(&str, &str)], line: &str) -> Child {
        let words: Vec<_> = line.split_whitespace().collect();
        let mut command = command_in(&self.place(), &words, environment);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Begins a command whose output nobody reads.
    pub(crate) fn spawn(&self, line: &str) -> Child {
        let words: Vec<_> = line.split_whitespace().collect();
        let mut command = command_in(&self.place(), &words, &[]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Begins a command whose standard error is read, with more in its environment.
    pub(crate) fn spawn_talking(&self, environment: &[(&str, &str)], line: &str) -> Child {
        let words: Vec<_> = line.split_whitespace().collect();
        let mut command = command_in(&self.place(), &words, environment);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Begins a command at a terminal of its own, with more in its environment: what is written to its input
    /// is typed there, and what it shows is its output. Needs `script` (Debian: bsdutils, always there).
    pub(crate) fn spawn_at_terminal(&self, environment: &[(&str, &str)], line: &str) -> Child {
        let mut command = Command::new("/usr/bin/script");
        command.args(["-qefc", &format!("{} --local {line}", env!("CARGO_BIN_EXE_drctl")), "/dev/null"]);
        command.current_dir(self.place()).env_clear().env("TZ", "UTC").env("USER", "alice");
        command.env("HOME", self.place()).env("SHELL", "/bin/sh").envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Runs a command and draws it as a person would see it: the command, what it printed, its code.
    pub(crate) fn transcript(&self, words: &[&str]) -> String {
        let output = self.run_words(words);
        let shown: Vec<_> = words
            .iter()
            .map(|word| if word.contains(' ') { format!("{word:?}") } else { (*word).to_owned() })
            .collect();
        let mut text = format!("$ drctl {}\n{}", shown.join(" "), output.stdout);
        for line in output.stderr.lines() {
            text = text + "! " + line + "\n";
        }
        text = text + "= " + &output.code.to_string() + "\n";
        steady(&text, &self.place())
    }
}

fn command_in(folder: &Path, words: &[&str], more: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drctl"));
    command
        .arg("--local")
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("TZ", "UTC")
        .env("USER", "alice")
        .env("HOME", folder)
        .envs(more.iter().copied())
        .stdin(Stdio::null());
    command
}

fn run_in(folder: &Path, words: &[&str], more: &[(&str, &str)]) -> Output {
    output_of(&mut command_in(folder, words, more))
}

fn output_of(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Replaces what differs from run to run: the folder, times, random ids, hashes, process ids, the host.
/// What stood in a
/// column is replaced by something as wide.
pub(crate) fn steady(text: &str, folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap();
    let text = text.replace(&folder.display().to_string(), "<folder>");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = text.replace(&format!("@{host}"), "@<host>").replace(&format!(", {host})"), ", <host>)");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(letter) = rest.chars().next() {
        let found = [timestamp, local_time, hash, digest, estate, run_id, pid, elapsed]
            .iter()
            .find_map(|find| find(&out, rest));
        let (length, replacement) = found.unwrap_or((letter.len_utf8(), ""));
        out.push_str(if found.is_some() { replacement } else { &rest[..length] });
        rest = &rest[length..];
    }
    out
}

/// Matches a text against a pattern: `9` is a digit, `x` a hexadecimal digit, `a` one of a-z and 2-7.
fn fits(text: &str, pattern: &str) -> bool {
    let mut letters = text.chars();
    pattern.chars().all(|expected| {
        let Some(letter) = letters.next() else { return false };
        match expected {
            '9' => letter.is_ascii_digit(),
            'x' => letter.is_ascii_digit() || ('a'..='f').contains(&letter),
            'a' => letter.is_ascii_lowercase() || ('2'..='7').contains(&letter),
            other => other == letter,
        }
    })
}

fn timestamp(_: &str, text: &str) -> Option<(usize, &'static str)> {
    fits(text, "9999-99-99T99:99:99.999Z").then_some((24, "<------- time -------->"))
}

fn local_time(_: &str, text: &str) -> Option<(usize, &'static str)> {
    fits(text, "9999-99-99 99:99:99 UTC").then_some((23, "<------ local ------->"))
}

fn hash(_: &str, text: &str) -> Option<(usize, &'static str)> {
    fits(text, &"x".repeat(64)).then_some((64, "<hash>"))
}

/// The beginning of a digest of what may hold times and ids.
fn digest(before: &str, text: &str) -> Option<(usize, &'static str)> {
    (before.ends_with('`') && fits(text, "xxxxxxxxxxxx`")).then_some((12, "<digest>"))
}

fn run_id(before: &str, text: &str) -> Option<(usize, &'static str)> {
    (before.ends_with("pay-") && fits(text, "aaaaaaaa")).then_some((8, "<random>"))
}

fn estate(before: &str, text: &str) -> Option<(usize, &'static str)> {
    (before.ends_with("pay-") && fits(text, "9999999999999")).then_some((13, "<millis>"))
}

/// How long a run that is not driven by a virtual clock has been open.
fn elapsed(before: &str, text: &str) -> Option<(usize, &'static str)> {
    let (time, _) = text.split_once(" elapsed)").filter(|_| before.ends_with('('))?;
    (time.len() < 20).then_some((time.len(), "<some time>"))
}

fn pid(_: &str, text: &str) -> Option<(usize, &'static str)> {
    let digits = text.strip_prefix("pid ")?.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then_some((4 + digits, "pid <pid>"))
}
