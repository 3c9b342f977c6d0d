//! What a server that keeps the journal for somebody else says when it does not do what was asked. Never
//! holds a token or an address with one.

use std::fmt;

/// A server said no, or could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind it is.
    pub kind: RefusalKind,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// A stable word for programs.
    pub reason: Option<String>,
    /// Every single thing that is wrong, with what to do about it.
    pub details: Box<[(String, Option<String>)]>,
    /// What was said before, such as what does not compile and where.
    pub notes: Box<[String]>,
}

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The server knows the exit code that the command line would end with.
    Said(u8),
    /// Who asks is not known, or may not.
    Denied,
    /// What was asked for makes no sense to it.
    Wrong,
    /// It cannot be reached, does not answer in time, has no time now, or answers what nobody understands.
    Unreachable,
}

impl Refusal {
    /// Makes one of a kind.
    #[must_use]
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        let (message, details, notes) = (message.into(), Box::default(), Box::default());
        Self { kind, message, help: None, reason: None, details, notes }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a word for programs.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
