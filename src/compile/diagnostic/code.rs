//! The closed list of codes. A code, once published, never changes its meaning.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::Severity;
use super::catalogue::{
    blocks, design, drill, exposure, expressions, fleet, graph, objectives, order, policy, safety, schedule,
    strategy, survival, syntax, trigger,
};

/// What the catalogue says about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Short name of the rule.
    pub title: &'static str,
    /// Severity unless the place says otherwise.
    pub severity: Severity,
    /// Whether `accept` may take it.
    pub acceptable: bool,
    /// What it means and why it matters.
    pub text: &'static str,
    /// A wrong example.
    pub wrong: &'static str,
    /// The same, put right.
    pub right: &'static str,
}

macro_rules! codes {
    ($($variant:ident = $text:literal, $($path:ident)::+;)+) => {
        /// Code of a finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code { $(#[doc = concat!("`", $text, "`")] #[serde(rename = $text)] $variant),+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as people write it, such as `DR0110`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// What the catalogue says about it.
            #[must_use]
            pub const fn entry(self) -> &'static Entry {
                match self { $(Self::$variant => &$($path)::+),+ }
            }
        }
    };
}

codes! {
    Unreadable = "DR0101", syntax::UNREADABLE;
    DuplicateKey = "DR0102", syntax::DUPLICATE_KEY;
    TooLarge = "DR0103", syntax::TOO_LARGE;
    ForbiddenCharacter = "DR0104", syntax::FORBIDDEN_CHARACTER;
    ManyDocuments = "DR0105", syntax::MANY_DOCUMENTS;
    AmbiguousNumber = "DR0106", syntax::AMBIGUOUS_NUMBER;
    UnsupportedTag = "DR0107", syntax::UNSUPPORTED_TAG;
    BrokenAlias = "DR0108", syntax::BROKEN_ALIAS;
    UnknownKey = "DR0110", syntax::UNKNOWN_KEY;
    MissingKey = "DR0111", syntax::MISSING_KEY;
    WrongType = "DR0112", syntax::WRONG_TYPE;
    UnknownWord = "DR0113", syntax::UNKNOWN_WORD;
    OutOfRange = "DR0114", syntax::OUT_OF_RANGE;
    Malformed = "DR0115", syntax::MALFORMED;
    UnknownAction = "DR0116", syntax::UNKNOWN_ACTION;
    KeyWithoutMeaning = "DR0117", syntax::KEY_WITHOUT_MEANING;
    BrokenExpression = "DR0120", expressions::BROKEN_EXPRESSION;
    UnknownName = "DR0121", expressions::UNKNOWN_NAME;
    NameNotHere = "DR0122", expressions::NAME_NOT_HERE;
    UnguardedOutput = "DR0123", expressions::UNGUARDED_OUTPUT;
    UncheckableName = "DR0124", expressions::UNCHECKABLE_NAME;
    DeadTemplate = "DR0125", expressions::DEAD_TEMPLATE;
    BrokenParameter = "DR0130", blocks::BROKEN_PARAMETER;
    BrokenSecret = "DR0131", blocks::BROKEN_SECRET;
    BrokenSites = "DR0132", blocks::BROKEN_SITES;
    BrokenObjectives = "DR0133", blocks::BROKEN_OBJECTIVES;
    BrokenTimes = "DR0134", blocks::BROKEN_TIMES;
    BrokenAcceptance = "DR0135", blocks::BROKEN_ACCEPTANCE;
    ExpiredAcceptance = "DR0136", blocks::EXPIRED_ACCEPTANCE;
    IdleAcceptance = "DR0137", blocks::IDLE_ACCEPTANCE;
    BrokenApproval = "DR0138", blocks::BROKEN_APPROVAL;
    BrokenComponent = "DR0139", blocks::BROKEN_COMPONENT;
    Placeholder = "DR0140", blocks::PLACEHOLDER;
    BrokenAddress = "DR0141", blocks::BROKEN_ADDRESS;
    FleetNotHere = "DR0191", blocks::FLEET_NOT_HERE;
    DuplicateId = "DR0201", graph::DUPLICATE_ID;
    UnknownNeed = "DR0202", graph::UNKNOWN_NEED;
    Cycle = "DR0203", graph::CYCLE;
    NotBefore = "DR0204", graph::NOT_BEFORE;
    TooDeep = "DR0205", graph::TOO_DEEP;
    NothingToDo = "DR0206", graph::NOTHING_TO_DO;
    RepeatedNeed = "DR0207", graph::REPEATED_NEED;
    Unplannable = "DR0208", graph::UNPLANNABLE;
    UnclearMember = "DR0210", fleet::UNCLEAR_MEMBER;
    UnknownMember = "DR0211", fleet::UNKNOWN_MEMBER;
    EmptySelection = "DR0212", fleet::EMPTY_SELECTION;
    DuplicateMember = "DR0213", fleet::DUPLICATE_MEMBER;
    RunsItself = "DR0214", fleet::RUNS_ITSELF;
    MisplacedMember = "DR0215", fleet::MISPLACED_MEMBER;
    BrokenMember = "DR0216", fleet::BROKEN_MEMBER;
    SensitiveMember = "DR0217", fleet::SENSITIVE_MEMBER;
    AmbiguousMember = "DR0218", fleet::AMBIGUOUS_MEMBER;
    PromoteBeforeFence = "DR0301", order::PROMOTE_BEFORE_FENCE;
    ShiftBeforePromote = "DR0302", order::SHIFT_BEFORE_PROMOTE;
    ShiftBeforeVerify = "DR0303", order::SHIFT_BEFORE_VERIFY;
    EnableBeforePromote = "DR0304", order::ENABLE_BEFORE_PROMOTE;
    ValidateBeforeShift = "DR0305", order::VALIDATE_BEFORE_SHIFT;
    IrreversibleBeforeFence = "DR0306", order::IRREVERSIBLE_BEFORE_FENCE;
    ChangeInReadingPhase = "DR0307", order::CHANGE_IN_READING_PHASE;
    MissingPhase = "DR0308", order::MISSING_PHASE;
    NoValidation = "DR0309", order::NO_VALIDATION;
    FenceBeforeDrain = "DR0310", order::FENCE_BEFORE_DRAIN;
    FixedBackup = "DR0311", strategy::FIXED_BACKUP;
    NoRecoveryPoint = "DR0312", strategy::NO_RECOVERY_POINT;
    NothingAssessed = "DR0313", strategy::NOTHING_ASSESSED;
    NoHeadroom = "DR0314", strategy::NO_HEADROOM;
    NoDrain = "DR0315", strategy::NO_DRAIN;
    NothingStarted = "DR0316", strategy::NOTHING_STARTED;
    NotVerified = "DR0317", strategy::NOT_VERIFIED;
    ReturnNotRebuilt = "DR0318", strategy::RETURN_NOT_REBUILT;
    ShiftBeforeScale = "DR0319", strategy::SHIFT_BEFORE_SCALE;
    NothingRunsThere = "DR0320", design::NOTHING_RUNS_THERE;
    SameAddress = "DR0321", design::SAME_ADDRESS;
    NoWayBack = "DR0322", design::NO_WAY_BACK;
    EqualTargets = "DR0323", design::EQUAL_TARGETS;
    NoTraffic = "DR0324", design::NO_TRAFFIC;
    WrongSiteFenced = "DR0325", order::WRONG_SITE_FENCED;
    OldSiteStarted = "DR0326", order::OLD_SITE_STARTED;
    LeftOut = "DR0327", order::LEFT_OUT;
    UsersSentBack = "DR0328", order::USERS_SENT_BACK;
    SameThing = "DR0329", design::SAME_THING;
    StandbyLeftBehind = "DR0330", design::STANDBY_LEFT_BEHIND;
    LostRegion = "DR0401", survival::LOST_REGION;
    LostControlPlane = "DR0402", survival::LOST_CONTROL_PLANE;
    SharedFailureDomain = "DR0403", survival::SHARED_FAILURE_DOMAIN;
    LostDependency = "DR0404", survival::LOST_DEPENDENCY;
    LostAddress = "DR0405", survival::LOST_ADDRESS;
    LostResource = "DR0406", survival::LOST_RESOURCE;
    LostKey = "DR0407", survival::LOST_KEY;
    LostSecret = "DR0408", survival::LOST_SECRET;
    LostJournal = "DR0409", survival::LOST_JOURNAL;
    CopyFromLostSite = "DR0410", survival::COPY_FROM_LOST_SITE;
    LostEndpoints = "DR0411", survival::LOST_ENDPOINTS;
    UnknownPlace = "DR0412", survival::UNKNOWN_PLACE;
    ProceedBeforeIrreversible = "DR0501", safety::PROCEED_BEFORE_IRREVERSIBLE;
    DoubtNeedsPerson = "DR0502", safety::DOUBT_NEEDS_PERSON;
    MissingUndo = "DR0503", safety::MISSING_UNDO;
    CheckChanges = "DR0504", safety::CHECK_CHANGES;
    NoAutomaticUndo = "DR0505", safety::NO_AUTOMATIC_UNDO;
    WeakerReversibility = "DR0506", safety::WEAKER_REVERSIBILITY;
    NotAReading = "DR0507", safety::NOT_A_READING;
    FailureIgnored = "DR0508", safety::FAILURE_IGNORED;
    UndoIrreversible = "DR0509", safety::UNDO_IRREVERSIBLE;
    UnwindBeyondReturn = "DR0510", safety::UNWIND_BEYOND_RETURN;
    StopWithoutUndo = "DR0511", safety::STOP_WITHOUT_UNDO;
    AdvisoryFence = "DR0512", safety::ADVISORY_FENCE;
    ConnectionsOutlive = "DR0513", safety::CONNECTIONS_OUTLIVE;
    NoBackupsAfterwards = "DR0514", safety::NO_BACKUPS_AFTERWARDS;
    DrillUndeclared = "DR0601", drill::DRILL_UNDECLARED;
    DrillTouchesUsers = "DR0602", drill::DRILL_TOUCHES_USERS;
    BrokenDrill = "DR0603", drill::BROKEN_DRILL;
    DrillUnbounded = "DR0604", drill::DRILL_UNBOUNDED;
    DrillLeavesBehind = "DR0605", drill::DRILL_LEAVES_BEHIND;
    BrokenCron = "DR0620", schedule::BROKEN_CRON;
    BothDays = "DR0621", schedule::BOTH_DAYS;
    UnknownZone = "DR0622", schedule::UNKNOWN_ZONE;
    BrokenBlackout = "DR0623", schedule::BROKEN_BLACKOUT;
    NeverFires = "DR0624", schedule::NEVER_FIRES;
    AlwaysBlackout = "DR0625", schedule::ALWAYS_BLACKOUT;
    JitterTooLong = "DR0626", schedule::JITTER_TOO_LONG;
    BrokenTrigger = "DR0630", trigger::BROKEN_TRIGGER;
    BrokenQuorum = "DR0631", trigger::BROKEN_QUORUM;
    BrokenStart = "DR0632", trigger::BROKEN_START;
    StartWithoutBounds = "DR0633", trigger::START_WITHOUT_BOUNDS;
    OneSourceDecides = "DR0634", trigger::ONE_SOURCE_DECIDES;
    SameSource = "DR0635", trigger::SAME_SOURCE;
    AnyEventStarts = "DR0636", trigger::ANY_EVENT_STARTS;
    BeyondRto = "DR0701", objectives::BEYOND_RTO;
    TtlBeyondRto = "DR0702", objectives::TTL_BEYOND_RTO;
    RpoUnmeasured = "DR0703", objectives::RPO_UNMEASURED;
    ReadingAsksLostSite = "DR0704", objectives::READING_ASKS_LOST_SITE;
    BackupsBeyondRpo = "DR0705", objectives::BACKUPS_BEYOND_RPO;
    ReadingElsewhere = "DR0706", objectives::READING_ELSEWHERE;
    OutsideResidency = "DR0801", safety::OUTSIDE_RESIDENCY;
    ActiveOutsideResidency = "DR0802", exposure::ACTIVE_OUTSIDE_RESIDENCY;
    CopyOutsideResidency = "DR0803", exposure::COPY_OUTSIDE_RESIDENCY;
    TooFewAgree = "DR0810", policy::TOO_FEW_AGREE;
    OutsideWindow = "DR0811", policy::OUTSIDE_WINDOW;
    RequiredLint = "DR0812", policy::REQUIRED_LINT;
    DrillStale = "DR0813", policy::DRILL_STALE;
    DeniedByPolicy = "DR0814", policy::DENIED;
    BrokenPolicy = "DR0815", policy::BROKEN_POLICY;
    PolicyUndecided = "DR0816", policy::POLICY_UNDECIDED;
    SecretInText = "DR0901", safety::SECRET_IN_TEXT;
    CredentialInText = "DR0902", exposure::CREDENTIAL_IN_TEXT;
    NotSensitive = "DR0903", exposure::NOT_SENSITIVE;
    SecretShown = "DR0904", exposure::SECRET_SHOWN;
}

impl Code {
    /// Says whether the code is about what a recovery needs while a site is lost.
    #[must_use]
    pub fn is_survivability(self) -> bool {
        (Self::LostRegion..=Self::UnknownPlace).contains(&self)
    }

    /// The whole entry as Markdown, as `drctl explain` prints it.
    #[must_use]
    pub fn explanation(self) -> String {
        let entry = self.entry();
        let accept = if entry.acceptable {
            "It can be accepted with `accept`, a reason and a last day."
        } else {
            "It cannot be accepted."
        };
        format!(
            "{self}: {title} ({severity})\n\n{text} {accept}\n\nWrong:\n\n```yaml\n{wrong}\n```\n\nRight:\n\n\
             ```yaml\n{right}\n```\n",
            title = entry.title,
            severity = entry.severity,
            text = entry.text,
            wrong = entry.wrong,
            right = entry.right,
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Code {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            format!(
                "there is no code `{text}`; the codes run from DR0101 to {last}",
                last = Self::SecretShown
            )
        })
    }
}
