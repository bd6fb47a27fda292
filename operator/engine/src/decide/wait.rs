//! Why something does not go on, as data: for what it waits, and who can release it.

use std::fmt;

use drover_api::common::SiteRole;
use drover_api::{DecisionAction, RunPhase};
use jiff::Timestamp;
use serde::Serialize;

/// Something that does not go on now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// For what.
    pub reason: WaitReason,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

impl From<WaitReason> for Wait {
    fn from(reason: WaitReason) -> Self {
        Self {
            reason,
            since: None,
        }
    }
}

/// For what something waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "waitsFor"
)]
pub enum WaitReason {
    /// The group was not released yet.
    Release,
    /// Other machines take the places that the limits allow.
    Slot,
    /// The site does not answer; what happens there is not known (SA-1).
    Site {
        /// Which.
        site: SiteRole,
    },
    /// What was seen is too old to conclude anything final from; the site is looked at again.
    Look {
        /// Which.
        site: SiteRole,
    },
    /// The replicator does not answer.
    Replicator,
    /// Somebody acted at a higher epoch; whoever decides here looks again (SA-3).
    NewerEpoch {
        /// The epoch that was seen.
        seen: u64,
    },
    /// The guest shuts down.
    Shutdown,
    /// The stale copy at the source runs and is being stopped.
    StaleCopy,
    /// Data travels.
    Data {
        /// Bytes that are left, as far as is known.
        pending_bytes: u64,
    },
    /// A synchronisation is writing the disk.
    WholeDisk {
        /// At which site.
        site: SiteRole,
    },
    /// The machine starts.
    Healthy,
    /// A fence must be confirmed, or the risk accepted by name (SA-2).
    Fence,
    /// A retry after a recoverable error (PR-5).
    Retry {
        /// When.
        at: Timestamp,
        /// What went wrong the last time.
        error: String,
    },
    /// No recovery point matches the choice (FO-4).
    RecoveryPoint,
    /// The members of a consistency group have no recovery point of one instant yet (PR-7).
    CommonPoint,
    /// Prerequisites of a protection do not hold (PR-1).
    Prerequisites {
        /// Those that do not, in words.
        missing: Vec<String>,
    },
    /// The time of day of a first copy (PR-2).
    FirstCopy {
        /// When it begins.
        begins: Timestamp,
    },
    /// The resync window (PR-4).
    ResyncWindow {
        /// When it opens.
        opens: Timestamp,
    },
    /// A run has the machine in hand.
    Run,
    /// A person mends what failed for good (PR-5).
    Mending {
        /// What failed.
        error: String,
    },
    /// Initial replication is not complete (FO-2).
    InitialReplication {
        /// Machines that it is missing for.
        machines: usize,
    },
    /// More would be lost than allowed (FO-4, SA-8).
    DataLoss {
        /// Seconds that would be lost.
        seconds: u64,
        /// Seconds that are allowed.
        allowed: u64,
    },
    /// Machines of the phase in hand.
    Machines {
        /// How many are not done.
        pending: usize,
        /// The phase.
        phase: RunPhase,
    },
    /// An action runs.
    Action {
        /// Its group's position.
        group: usize,
        /// Its name.
        name: String,
    },
    /// A person approves a manual step.
    Approval {
        /// Its group's position.
        group: usize,
        /// Its name.
        name: String,
        /// Approvals that are missing.
        missing: u32,
    },
    /// People approve the run as a whole.
    Approvals {
        /// Approvals that are missing.
        missing: u32,
    },
    /// A person says that the synchronisation is complete (FB-3).
    CompleteSync,
    /// A person commits, cancels or chooses another point (FO-5).
    Commit,
    /// The soak time of an automatic commit.
    Soak {
        /// When it ends.
        until: Timestamp,
    },
    /// The run halted: a person resumes or cancels it.
    Resume,
    /// The declaration changed its mind after machines were started: a person commits or cancels
    /// (PL-8).
    ChangedMind,
}

/// Who can release what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Releaser {
    /// The work that goes on.
    Progress,
    /// Time.
    Time,
    /// Whoever can bring a site or a link back.
    Operations,
    /// A person, with one of these decisions.
    Person(&'static [DecisionAction]),
}

impl WaitReason {
    /// Who can release it.
    pub fn releaser(&self) -> Releaser {
        use DecisionAction as A;
        match self {
            Self::Release
            | Self::Slot
            | Self::Shutdown
            | Self::StaleCopy
            | Self::Data { .. }
            | Self::WholeDisk { .. }
            | Self::Healthy
            | Self::CommonPoint
            | Self::InitialReplication { .. }
            | Self::Run
            | Self::Look { .. }
            | Self::Machines { .. }
            | Self::Action { .. }
            | Self::NewerEpoch { .. } => Releaser::Progress,
            Self::Retry { .. }
            | Self::Soak { .. }
            | Self::FirstCopy { .. }
            | Self::ResyncWindow { .. } => Releaser::Time,
            Self::Site { .. }
            | Self::Replicator
            | Self::Prerequisites { .. }
            | Self::Mending { .. } => Releaser::Operations,
            Self::Fence => Releaser::Person(&[A::AcceptSplitBrain, A::Cancel]),
            Self::RecoveryPoint => Releaser::Person(&[A::Cancel]),
            Self::DataLoss { .. } => Releaser::Person(&[A::AcceptDataLoss, A::Cancel]),
            Self::Approval { .. } | Self::Approvals { .. } => {
                Releaser::Person(&[A::Approve, A::Cancel])
            }
            Self::CompleteSync => Releaser::Person(&[A::CompleteSync, A::Cancel]),
            Self::Commit => Releaser::Person(&[A::Commit, A::Cancel, A::ChangePoint]),
            Self::Resume => Releaser::Person(&[A::Resume, A::Cancel]),
            Self::ChangedMind => Releaser::Person(&[A::Commit, A::Cancel]),
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release => f.write_str("its group was not released yet"),
            Self::Slot => f.write_str("other machines take the places that the limits allow"),
            Self::Site { site } => write!(f, "the {} site does not answer", site.as_str()),
            Self::Look { site } => {
                write!(f, "the {} site is looked at once more", site.as_str())
            }
            Self::Replicator => f.write_str("the replicator does not answer"),
            Self::NewerEpoch { seen } => write!(f, "somebody acted at the newer epoch {seen}"),
            Self::Shutdown => f.write_str("the guest shuts down"),
            Self::StaleCopy => f.write_str("the stale copy at the source is being stopped"),
            Self::Data { pending_bytes } => write!(f, "{pending_bytes} bytes still travel"),
            Self::WholeDisk { site } => {
                write!(
                    f,
                    "a synchronisation is writing the disk at the {} site",
                    site.as_str()
                )
            }
            Self::Healthy => f.write_str("the machine starts"),
            Self::Fence => f.write_str("no fence of the source is confirmed"),
            Self::Retry { at, error } => write!(f, "{error}; it is tried again at {at}"),
            Self::RecoveryPoint => f.write_str("no recovery point matches the choice"),
            Self::CommonPoint => {
                f.write_str("its consistency group has no common recovery point yet")
            }
            Self::Prerequisites { missing } => {
                write!(f, "prerequisites do not hold: {}", missing.join("; "))
            }
            Self::FirstCopy { begins } => write!(f, "the first copy begins at {begins}"),
            Self::ResyncWindow { opens } => write!(f, "the resync window opens at {opens}"),
            Self::Run => f.write_str("a run has the machine in hand"),
            Self::Mending { error } => write!(f, "a person must mend: {error}"),
            Self::InitialReplication { machines } => {
                write!(
                    f,
                    "initial replication of {machines} machines is not complete"
                )
            }
            Self::DataLoss { seconds, allowed } => {
                write!(f, "{seconds} s would be lost, {allowed} s are allowed")
            }
            Self::Machines { pending, phase } => {
                write!(f, "{pending} machines are not done with {phase:?}")
            }
            Self::Action { name, .. } => write!(f, "action {name} runs"),
            Self::Approval { name, missing, .. } => {
                write!(f, "step {name} needs {missing} more approvals")
            }
            Self::Approvals { missing } => {
                write!(f, "{missing} more people must approve the run")
            }
            Self::CompleteSync => f.write_str("a person says that the synchronisation is complete"),
            Self::Commit => f.write_str("a person commits, cancels or chooses another point"),
            Self::Soak { until } => write!(f, "it commits by itself at {until}"),
            Self::Resume => f.write_str("a person resumes or cancels"),
            Self::ChangedMind => {
                f.write_str("the declaration changed after machines were started: commit or cancel")
            }
        }
    }
}
