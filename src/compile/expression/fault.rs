//! What is wrong with a name, and the nearest one that exists. Knows no expression.

use crate::compile::diagnostic::Code;
use crate::compile::suggest;

/// What is wrong with a name.
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A name that is not among those there are.
    pub(super) fn unknown<'w>(
        what: &str,
        written: &str,
        words: impl Iterator<Item = &'w str>,
        otherwise: impl Into<String>,
    ) -> Self {
        let fault = Self::new(Code::UnknownName, format!("{what} `{written}`"));
        let words: Vec<&str> = words.collect();
        match suggest::nearest(written, words.iter().copied()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None if words.is_empty() => fault.help(otherwise),
            None => fault.help(format!("known here: {}", suggest::list(words))),
        }
    }
}
