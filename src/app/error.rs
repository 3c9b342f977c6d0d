//! Errors at the edge: each has an exit code and says what to do.

use super::exit;
use crate::app::CopyError;
use crate::plan::Problem;
use crate::ports::{JournalError, Refusal, RefusalKind};
use crate::{config, runtime};

/// An error a person reads, with the exit code it ends in.
#[derive(Debug)]
pub struct Error {
    /// Exit code.
    pub code: u8,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// A stable word for programs, such as `already_active`.
    pub reason: Option<&'static str>,
    /// Every single thing that is wrong, where there may be several.
    pub details: Vec<Problem>,
}

impl Error {
    /// Makes an error with a code.
    #[must_use]
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, reason: None, details: Vec::new() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a word for programs.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// What went wrong on one line: every single thing, where there are several.
    #[must_use]
    pub fn in_one_line(self) -> String {
        let details: Vec<_> = self.details.into_iter().map(|problem| problem.what).collect();
        if details.is_empty() { self.message } else { details.join("; ") }
    }

    /// Adds every single thing that is wrong.
    #[must_use]
    pub fn details(mut self, details: Vec<Problem>) -> Self {
        self.details = details;
        self
    }
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        let message = error.to_string();
        match error {
            JournalError::Held { run, .. } => Self::new(exit::HELD, message)
                .help(format!(
                    "watch it with `drctl runs watch {run}`; pause, approve, skip and abort work from here"
                ))
                .reason("run_held"),
            JournalError::ServiceLocked { run, .. } => Self::new(exit::HELD, message)
                .help(format!(
                    "a service has one real run at a time; `drctl runs show {run}` says where it stands: `drctl \
                     resume {run}` goes on with it (`drctl start {run}`, where it is staged), `drctl abort \
                     {run} --reason …` ends it"
                ))
                .reason("service_locked"),
            JournalError::DuplicateStart { run } => Self::new(exit::HELD, message)
                .help(format!("see `drctl runs show {run}`"))
                .reason("duplicate_start"),
            JournalError::Fenced { .. } => Self::new(exit::HELD, message)
                .help("another process has taken the run over; this one has stopped")
                .reason("fenced"),
            JournalError::Lapsed { .. } => Self::new(exit::HELD, message)
                .help("`drctl resume` takes the run up again; what was under way is looked at first")
                .reason("lease_lapsed"),
            JournalError::Conflict { stream, .. } if stream.as_str().starts_with("service/") => {
                Self::new(exit::HELD, "the service was moved while this run was planned; nothing was started")
                    .help("run the command again: it is planned by where the service is now")
                    .reason("service_changed")
            }
            JournalError::Conflict { .. } => Self::new(exit::HELD, message)
                .help("another process wrote at the same moment: run the command again")
                .reason("conflict"),
            JournalError::UnknownRun(_) => {
                Self::new(exit::USAGE, message).help("`drctl runs list` shows the runs").reason("unknown_run")
            }
            JournalError::InboxFull(run) => {
                let help = format!("`drctl resume {run}` drives it, and answers what was asked of it before");
                Self::new(exit::REFUSED, message).help(help).reason("inbox_full")
            }
            JournalError::Damaged(_) => Self::new(exit::DAMAGED, message)
                .help("keep the file as it is, copy it away, and see `drctl journal verify`")
                .reason("journal_damaged"),
            JournalError::TooNew { .. } => Self::new(exit::UNREACHABLE, message)
                .help("use the drctl that wrote it, or a newer one; nothing was changed")
                .reason("journal_too_new"),
            JournalError::Unavailable(_) => Self::new(exit::UNREACHABLE, message)
                .help("`--journal PATH` uses another one; `--break-glass` starts a run on a fresh one")
                .reason("journal_unavailable"),
            JournalError::Afar(refusal) => (*refusal).into(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.kind {
            RefusalKind::Said(code) => code,
            RefusalKind::Denied => exit::REFUSED,
            RefusalKind::Wrong => exit::USAGE,
            RefusalKind::Unreachable => exit::UNREACHABLE,
        };
        let problem = |(what, help): (String, Option<String>)| Problem { what, help };
        Self {
            code,
            message: refusal.message,
            help: refusal.help,
            // One short word that a server says, at most a few times in the life of a command.
            reason: refusal.reason.map(|reason| &*reason.leak()),
            details: refusal.details.into_iter().map(problem).collect(),
        }
    }
}

impl From<CopyError> for Error {
    fn from(error: CopyError) -> Self {
        let message = error.to_string();
        let (code, help) = match error {
            CopyError::Source(error) | CopyError::Target(error) => return Self { message, ..error.into() },
            CopyError::Unfinished(error) => return Self { message, ..(*error).into() },
            CopyError::NotEmpty => (exit::REFUSED, "name a new file, or a database without a schema `drctl`"),
            CopyError::Occupied(_) => (exit::REFUSED, "name a new file, or move this one away"),
            CopyError::Unsound(_) => {
                (exit::DAMAGED, "use the old journal; see what `drctl journal verify` says of it")
            }
        };
        Self::new(code, message).help(help)
    }
}

impl From<runtime::Error> for Error {
    fn from(error: runtime::Error) -> Self {
        let message = error.to_string();
        match error {
            runtime::Error::Journal(error) => error.into(),
            runtime::Error::Secret(_) | runtime::Error::NotReady(_) => Self::new(exit::REFUSED, message)
                .help("put this right, then run the command again; `drctl check RUNBOOK` says whether it is right")
                .reason("not_ready"),
            runtime::Error::Unusable { .. } => Self::new(exit::DAMAGED, message),
            runtime::Error::Pruned { run, .. } => Self::new(exit::USAGE, message)
                .help(format!(
                    "`drctl runs list --limit 0` shows what is left of it, `drctl runs verify {run}` checks its hashes"
                ))
                .reason("run_pruned"),
            runtime::Error::ParameterMissing(_) | runtime::Error::ParameterChanged(_) => {
                Self::new(exit::USAGE, message)
            }
            runtime::Error::Plan(_) => Self::new(exit::INVALID, message),
        }
    }
}

impl From<config::Error> for Error {
    fn from(error: config::Error) -> Self {
        let help = match error {
            config::Error::Invalid { .. } => {
                "correct it; `drctl schema config` lists every key, `--config FILE` uses another file for now"
            }
            config::Error::Unreadable { .. } => {
                "name a file that can be read with --config or DRCTL_CONFIG, or neither: drctl needs none"
            }
            config::Error::Journal(_) | config::Error::NoHome | config::Error::Server(_) => {
                return Self::new(exit::USAGE, error.to_string());
            }
        };
        Self::new(exit::USAGE, error.to_string()).help(help)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(exit::UNREACHABLE, error.to_string())
    }
}
