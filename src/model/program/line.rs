//! The simple commands of a line of shell, as words without quotes. Understands as much of the language as it
//! takes to find them, and never runs anything.

/// Longest line that is read, in bytes, and deepest nesting of substitutions.
const LONGEST: usize = 65_536;
const DEPTH: usize = 8;

/// Words that stand before a command and are none.
const LEADS: [&str; 10] = ["if", "then", "elif", "else", "do", "while", "until", "!", "{", "coproc"];
/// Words that begin something else than a command.
const OTHERS: [&str; 8] = ["for", "case", "select", "function", "fi", "done", "esac", "}"];

/// The commands of a line, those of substitutions first.
pub(super) fn commands(line: &str) -> Vec<Vec<String>> {
    let mut reader = Reader { commands: Vec::new(), words: Vec::new(), word: None, redirected: false };
    if line.len() <= LONGEST {
        reader.line(line, DEPTH);
    }
    reader.commands
}

struct Reader {
    commands: Vec<Vec<String>>,
    words: Vec<String>,
    /// The word that is being read.
    word: Option<String>,
    /// Whether the next word is a file.
    redirected: bool,
}

impl Reader {
    fn line(&mut self, line: &str, depth: usize) {
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\\' => match rest.next() {
                    Some('\n') | None => {}
                    Some(next) => self.push(next),
                },
                '\'' => {
                    self.word.get_or_insert_default();
                    rest.by_ref().take_while(|c| *c != '\'').for_each(|c| self.push(c));
                }
                '"' => self.quoted(&mut rest, depth),
                '`' => {
                    let inner: String = rest.by_ref().take_while(|c| *c != '`').collect();
                    self.inside(&inner, depth);
                }
                '$' if rest.peek() == Some(&'(') => self.substituted(&mut rest, depth),
                '#' if self.word.is_none() => {
                    let _ = rest.by_ref().find(|c| *c == '\n');
                    self.end_command();
                }
                '<' | '>' => {
                    // A number before it is that of a file, not a word.
                    if self.word.as_ref().is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit())) {
                        self.word = None;
                    }
                    self.end_word();
                    while rest.next_if(|c| matches!(*c, '<' | '>' | '&' | '|')).is_some() {}
                    self.redirected = true;
                }
                '\n' | ';' | '&' | '|' | '(' | ')' => self.end_command(),
                c if c.is_whitespace() => self.end_word(),
                c => self.push(c),
            }
        }
        self.end_command();
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    /// A text in double quotes, in which substitutions still happen.
    fn quoted(&mut self, rest: &mut std::iter::Peekable<std::str::Chars<'_>>, depth: usize) {
        self.word.get_or_insert_default();
        while let Some(c) = rest.next() {
            match c {
                '"' => return,
                '\\' => match rest.next() {
                    Some('\n') | None => {}
                    Some(next @ ('"' | '\\' | '$' | '`')) => self.push(next),
                    Some(next) => {
                        self.push('\\');
                        self.push(next);
                    }
                },
                '$' if rest.peek() == Some(&'(') => self.substituted(rest, depth),
                '`' => {
                    let inner: String = rest.by_ref().take_while(|c| *c != '`').collect();
                    self.inside(&inner, depth);
                }
                c => self.push(c),
            }
        }
    }

    /// What stands in `$(…)`, brackets inside it included.
    fn substituted(&mut self, rest: &mut std::iter::Peekable<std::str::Chars<'_>>, depth: usize) {
        rest.next();
        let (mut open, mut inner) = (1_u32, String::new());
        for c in rest.by_ref() {
            match c {
                '(' => open += 1,
                ')' => open -= 1,
                _ => {}
            }
            if open == 0 {
                break;
            }
            inner.push(c);
        }
        self.inside(&inner, depth);
    }

    /// Commands whose output becomes a part of the word: what that is, nobody knows.
    fn inside(&mut self, line: &str, depth: usize) {
        self.word.get_or_insert_default();
        if depth > 0 {
            let mut inner = Self { commands: Vec::new(), words: Vec::new(), word: None, redirected: false };
            inner.line(line, depth - 1);
            self.commands.append(&mut inner.commands);
        }
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        if self.redirected {
            self.redirected = false;
        } else if !(self.words.is_empty() && LEADS.contains(&word.as_str())) {
            self.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.redirected = false;
        let words = std::mem::take(&mut self.words);
        if words.first().is_some_and(|first| !OTHERS.contains(&first.as_str())) {
            self.commands.push(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        commands(line).into_iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn a_line_is_read_as_a_shell_reads_it() {
        for (line, expected) in [
            ("a b; c&&d||e|f", vec!["a b", "c", "d", "e", "f"]),
            ("a 'b c' \"d $e\" f\\ g", vec!["a b c d $e f g"]),
            ("a 2>&1 >/dev/null <in b", vec!["a b"]),
            ("x=$(a \"$(b)\" c) d", vec!["b", "a  c", "x= d"]),
            ("`a b` c", vec!["a b", " c"]),
            ("if a; then b; else c; fi", vec!["a", "b", "c"]),
            ("for x in 1 2; do a $x; done", vec!["a $x"]),
            ("(a; { b; }) & # c", vec!["a", "b"]),
            ("a # b\nc#d", vec!["a", "c#d"]),
            ("! a", vec!["a"]),
            ("", vec![]),
        ] {
            assert_eq!(found(line), expected, "{line}");
        }
    }

    #[test]
    fn hostile_lines_cost_little() {
        assert_eq!(found(&"a ".repeat(50_000)), Vec::<String>::new());
        assert!(found(&"$(".repeat(10_000)).len() <= DEPTH + 1);
        assert!(found("'\"`$(\\").len() <= 1);
    }
}
