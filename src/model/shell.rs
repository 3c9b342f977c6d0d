//! Words and commands as a POSIX shell reads them: what is printed does the same when it is pasted. Never
//! runs anything.

use std::fmt::Write;

/// Programs that a shell would not look for: its own commands and words do something else.
const OWN: &str = "! . : [ [[ alias bg bind break builtin caller case cd command compgen complete continue \
    coproc declare dirs disown do done echo elif else enable esac eval exec exit export false \
    fc fg fi for function getopts hash help history if in jobs kill let local logout mapfile \
    popd printf pushd pwd read readarray readonly return select set shift shopt source suspend \
    test then time times trap true type typeset ulimit umask unalias unset until wait while { \
    }";

/// One word, quoted where a shell would make something else of it. Control characters but line breaks are
/// never written as they are: a terminal must not obey them.
#[must_use]
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+./:,@%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('=') {
        return text.to_owned();
    }
    quoted(text)
}

fn quoted(text: &str) -> String {
    let is_told = |c: char| c.is_control() && c != '\n';
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.find(is_told).unwrap_or(rest.len());
        let (before, after) = rest.split_at(plain);
        if !before.is_empty() {
            let _ = write!(out, "'{}'", before.replace('\'', r"'\''"));
        }
        let told = after.find(|c| !is_told(c)).unwrap_or(after.len());
        let (told, after) = after.split_at(told);
        if !told.is_empty() {
            out.push_str("\"$(printf '");
            for byte in told.bytes() {
                let _ = write!(out, "\\{byte:03o}");
            }
            out.push_str("')\"");
        }
        rest = after;
    }
    if out.is_empty() { "''".to_owned() } else { out }
}

/// A program with its arguments, and what is added to its environment. Nothing for no program.
#[must_use]
pub fn command<T: AsRef<str>>(words: &[T], environment: &[(&str, &str)]) -> String {
    let Some((program, arguments)) = words.split_first() else { return String::new() };
    let program = program.as_ref();
    let mut parts: Vec<String> =
        environment.iter().map(|(name, value)| word(&format!("{name}={value}"))).collect();
    let is_own = OWN.split(' ').any(|own| own == program);
    if !parts.is_empty() || is_own {
        parts.insert(0, "env".to_owned());
    }
    if program.contains('=') && !parts.is_empty() {
        // After `env` it would be taken for a variable.
        parts.extend(["sh", "-c", "'exec \"$@\"'", "sh"].map(str::to_owned));
    }
    parts.push(if program.contains('=') { quoted(program) } else { word(program) });
    parts.extend(arguments.iter().map(|argument| word(argument.as_ref())));
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{command, word};

    #[test]
    fn words_are_quoted_where_they_must_be() {
        for (text, expected) in [
            ("", "''"),
            ("pg_ctl", "pg_ctl"),
            ("--size=3", "--size=3"),
            ("=ls", "'=ls'"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("scale[web]", "'scale[web]'"),
            ("~", "'~'"),
            ("a\nb", "'a\nb'"),
            ("a\tb", r#"'a'"$(printf '\011')"'b'"#),
        ] {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn programs_are_those_that_would_be_started() {
        for (words, environment, expected) in [
            (&["echo", "-n"][..], &[][..], "env echo -n"),
            (&["a", "b"], &[("X", "1 2"), ("Y", "z")], "env 'X=1 2' Y=z a b"),
            (&["a=b", "c"], &[], "'a=b' c"),
            (&["a=b", "c"], &[("X", "1")], r#"env X=1 sh -c 'exec "$@"' sh 'a=b' c"#),
            (&[], &[("X", "1")], ""),
        ] {
            assert_eq!(command(words, environment), expected);
        }
    }
}
