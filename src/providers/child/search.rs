//! Looks through the processes of this host for a program that drctl started and had no time to note. Must
//! not say that there is none while one may be on its way.

use std::path::{Path, PathBuf};

use super::environment::KEY_VARIABLE;
use super::identity::{ProcessRecord, stat};

/// What a look through the processes has found.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::providers) enum Search {
    /// It lives.
    Found(ProcessRecord),
    /// It does not.
    Nobody,
    /// A process may become it: one that is being loaded, or a drctl between making a process and loading the
    /// program into it.
    Unsure,
}

/// Looks for a live process that carries an idempotency key in its environment; the leader of a group is
/// preferred, because what a program starts inherits its environment.
pub(in crate::providers) fn find_by_key(key: &str) -> Search {
    let wanted = format!("{KEY_VARIABLE}={key}");
    let executable = Path::new("/proc/self/exe").read_link().ok();
    let (mut found, mut unsure) = (None, false);
    let Ok(processes) = std::fs::read_dir("/proc") else { return Search::Unsure };
    for entry in processes.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        match look(&entry.path(), wanted.as_bytes(), executable.as_ref()) {
            Look::Another => {}
            Look::Unsure => unsure = true,
            Look::Wanted => match stat(pid) {
                Some(stat) if stat.ended => {}
                Some(stat) if stat.group == pid => return Search::Found(ProcessRecord::of(pid)),
                Some(_) => found = Some(ProcessRecord::of(pid)),
                None => {}
            },
        }
    }
    match found {
        Some(process) => Search::Found(process),
        None if unsure => Search::Unsure,
        None => Search::Nobody,
    }
}

/// What one process is.
enum Look {
    Wanted,
    Another,
    Unsure,
}

fn look(process: &Path, wanted: &[u8], own: Option<&PathBuf>) -> Look {
    // Before its environment: what is being loaded by then shows the new one, or none yet.
    let executable = process.join("exe").read_link();
    // What cannot be read belongs to the kernel, or to somebody whose programs drctl does not start.
    let Ok(environment) = std::fs::read(process.join("environ")) else { return Look::Another };
    let carries = environment.split(|byte| *byte == 0).any(|variable| variable == wanted);
    match executable {
        _ if carries => Look::Wanted,
        _ if environment.is_empty() => Look::Unsure,
        Ok(executable) if own.is_none_or(|own| executable == *own) => Look::Unsure,
        _ => Look::Another,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test starts programs")]
    fn a_program_is_found_by_its_key_and_only_while_it_lives() {
        let key = format!("a-key-of-{}", std::process::id());
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .env(KEY_VARIABLE, &key)
            .process_group(0)
            .spawn()
            .unwrap();
        let of_child = Search::Found(ProcessRecord::of(child.id()));
        // For a moment the kernel still loads it.
        let mut found = find_by_key(&key);
        for _ in 0..1_000 {
            if found == Search::Unsure {
                std::thread::sleep(std::time::Duration::from_millis(5));
                found = find_by_key(&key);
            }
        }
        assert_eq!(found, of_child);
        assert_ne!(find_by_key(&key[1..]), of_child, "the whole key");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_ne!(find_by_key(&key), of_child);
    }

    #[test]
    fn what_is_being_loaded_may_become_anything() {
        let folder = tempfile::tempdir().unwrap();
        let process = folder.path();
        let own = PathBuf::from("/usr/bin/drctl");
        let is = |environment: Option<&str>, executable: &str| {
            let _ = std::fs::remove_file(process.join("exe"));
            let _ = std::fs::remove_file(process.join("environ"));
            std::os::unix::fs::symlink(executable, process.join("exe")).unwrap();
            if let Some(text) = environment {
                std::fs::write(process.join("environ"), text).unwrap();
            }
            match look(process, b"KEY=7", Some(&own)) {
                Look::Wanted => "wanted",
                Look::Another => "another",
                Look::Unsure => "unsure",
            }
        };
        assert_eq!(is(Some("A=1\0KEY=7\0B=2"), "/bin/sh"), "wanted");
        assert_eq!(is(Some("A=1\0KEY=77\0"), "/bin/sh"), "another");
        assert_eq!(is(Some(""), "/bin/sh"), "unsure", "its environment is not there yet");
        assert_eq!(is(Some("A=1"), "/usr/bin/drctl"), "unsure", "made, and not loaded yet");
        assert_eq!(is(None, "/bin/sh"), "another", "of the kernel, or of somebody else");
    }
}
