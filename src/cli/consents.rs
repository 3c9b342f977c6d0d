//! Flags that say what a person accepts before the point of no return. Each is given by name.

use clap::Args;

use crate::engine::input::Consents;
use crate::model::time::Duration;

/// What is accepted before the point of no return.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConsentFlags {
    /// Confirm the point of no return: `<service>:<to site>`.
    #[arg(long, value_name = "SERVICE:SITE")]
    pub confirm: Option<String>,
    /// Accept this data loss, such as 42s; or `unmeasured`.
    #[arg(long, value_name = "LOSS")]
    pub accept_loss: Option<AcceptedLoss>,
    /// Accept that the old primary may still accept writes.
    #[arg(long)]
    pub accept_unfenced: bool,
}

/// A data loss a person accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcceptedLoss {
    /// Up to this much.
    UpTo(Duration),
    /// One that nobody could measure.
    Unmeasured,
}

impl std::str::FromStr for AcceptedLoss {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unmeasured" {
            return Ok(Self::Unmeasured);
        }
        text.parse().map(Self::UpTo).map_err(|error: crate::model::time::InvalidDuration| error.to_string())
    }
}

impl ConsentFlags {
    /// The consents as the engine knows them.
    #[must_use]
    pub(crate) fn consents(&self) -> Consents {
        Consents {
            confirm: self.confirm.clone(),
            accept_loss: match self.accept_loss {
                Some(AcceptedLoss::UpTo(loss)) => Some(loss),
                Some(AcceptedLoss::Unmeasured) | None => None,
            },
            accept_unmeasured_loss: self.accept_loss == Some(AcceptedLoss::Unmeasured),
            accept_unfenced: self.accept_unfenced,
        }
    }
}
