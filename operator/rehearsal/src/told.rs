//! What came of one life.

use std::time::Duration;

use drover_api::RunCounts;
use drover_api::value::{MachineName, StepName};
use serde::Serialize;

/// What came of one life.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsal {
    /// The seed by which it is lived again.
    pub seed: u64,
    /// How the run ended.
    pub ended: Ended,
    /// Whether it ended waiting for a fence of the source.
    pub lacks_a_fence: bool,
    /// From the start of the run until its machines were up, where they came to be.
    pub rto: Option<Duration>,
    /// What was lost, by the machine that lost most; nothing where no machine was started.
    pub rpo: Option<Duration>,
    /// How its machines ended.
    pub machines: RunCounts,
    /// What was done, in the order in which it began.
    pub steps: Vec<Step>,
    /// Positions of the steps that decided how long it took, in order.
    pub decisive: Vec<usize>,
    /// What happened that must never happen.
    pub violations: Vec<String>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "ended"
)]
pub enum Ended {
    /// Its machines are up, all of them.
    Up,
    /// It went on to its end, and some machines failed.
    Partly,
    /// It halted.
    Halted {
        /// Why.
        why: String,
    },
    /// It waits for somebody or something that does not come by itself.
    Waits {
        /// For what.
        why: String,
    },
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The group.
    pub group: StepName,
    /// What it was.
    pub kind: Kind,
    /// Since the start of the run.
    #[serde(serialize_with = "seconds")]
    pub begin: Duration,
    /// The same.
    #[serde(serialize_with = "seconds")]
    pub end: Duration,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a step is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "step"
)]
pub enum Kind {
    /// A machine leaves the source: it stops, and its last changes are sent.
    Leave {
        /// The machine.
        machine: MachineName,
    },
    /// A machine is made at the target, and starts.
    Enter {
        /// The machine.
        machine: MachineName,
    },
    /// One attempt of an action.
    Action {
        /// Its name.
        action: StepName,
        /// Whether a person was waited for.
        person: bool,
    },
}

pub(crate) fn seconds<S: serde::Serializer>(
    length: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(length.as_secs_f64())
}
