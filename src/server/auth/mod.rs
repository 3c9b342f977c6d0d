//! Who asks, and what they may do. Tokens of drctl are known by their digest only; those of identity
//! providers are proved with the provider's keys.

mod gatekeeper;
mod issuer;
mod kept;
mod who;

pub(super) use self::gatekeeper::Gatekeeper;
pub(super) use self::who::{Grant, Who};

/// How a token begins, so that scanners for leaked secrets know it.
pub(crate) const PREFIX: &str = "drctl_";

/// What a request needs its caller to be allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// To look.
    View,
    /// To start and to steer runs.
    Operate,
    /// To agree to what waits for approval.
    Approve,
    /// To correct records, and to stop everything.
    Administer,
}

impl Right {
    /// The role that gives it.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            Self::View => "viewer",
            Self::Operate => "operator",
            Self::Approve => "approver",
            Self::Administer => "admin",
        }
    }
}

/// What an endpoint needs before it looks at a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// The right.
    pub right: Right,
    /// Whether the right for one service is enough so far: the endpoint itself demands it for the service it
    /// is asked about.
    pub somewhere: bool,
}
