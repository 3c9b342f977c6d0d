//! What people can be told about while they do not look: the words of notifications. Says nothing about how
//! they are sent.

use super::run::words;

words! {
    /// What a notice is about.
    NoticeKind {
        /// A run waits for a person to start it.
        Staged = "staged",
        /// A run has begun.
        Started = "started",
        /// A part of the recovery time objective is used up.
        RtoBurn = "rto_burn",
        /// The recovery time objective will be missed, or will be met after all.
        Forecast = "forecast",
        /// The recovery point objective is missed, or nobody can tell.
        Rpo = "rpo",
        /// The gate, an approval, a manual step or an attestation waits for a person.
        Approval = "approval",
        /// The run stands still because something went wrong.
        Stuck = "stuck",
        /// The run goes on after it stood still.
        Resumed = "resumed",
        /// A drill that was due was not begun.
        DrillRefused = "drill_refused",
        /// A service could not fail over as well as it could before, or can again.
        Readiness = "readiness",
        /// The run is over.
        Ended = "ended",
        /// Somebody tries a target out.
        Test = "test",
    }
}

words! {
    /// Where notices go.
    TargetKind {
        /// PagerDuty, Events API v2: alerts.
        Pagerduty = "pagerduty",
        /// Notes on the PagerDuty incident that a run came from.
        PagerdutyNotes = "pagerduty_notes",
        /// An incoming webhook of Slack.
        Slack = "slack",
        /// Any address that takes JSON.
        Webhook = "webhook",
        /// Mail.
        Smtp = "smtp",
    }
}

words! {
    /// How much a notice matters.
    Severity {
        /// Good to know.
        Info = "info",
        /// Somebody should look.
        Warning = "warning",
        /// Somebody must act.
        Critical = "critical",
    }
}
