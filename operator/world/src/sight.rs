//! What is seen of one machine: an instance at a site, and the link between its two sites.

use drover_api::common::SiteRole;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What one site reports of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Whether it is there, and whether it runs.
    pub power: Power,
    /// The state of its disks.
    pub disk: Disk,
    /// Whether a fence of it is confirmed: whatever its power is, it cannot serve.
    pub fenced: bool,
    /// The highest epoch that the fabric has recorded for this machine here (SA-3). A machine that is
    /// not there can still have one: that of the request which made sure that it is not.
    pub epoch: u64,
    /// The epoch of the request that made this instance from a recovery point; nothing where Drover
    /// did not make it, and then nothing of Drover's may overwrite it (SA-7).
    pub made_at: Option<u64>,
}

impl Instance {
    /// What a site reports that never heard of the machine.
    pub const ABSENT: Self = Self {
        power: Power::Absent,
        disk: Disk::None,
        fenced: false,
        epoch: 0,
        made_at: None,
    };

    /// Whether it may be serving now.
    pub fn may_serve(&self) -> bool {
        !self.fenced && !matches!(self.power, Power::Absent | Power::Off | Power::StartFailed)
    }
}

/// Whether a machine is there, and whether it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Power {
    /// There is no such machine.
    Absent,
    /// It is there and off.
    Off,
    /// It was asked to start, or starts, and is not healthy yet.
    Starting,
    /// It runs and its checks pass.
    Healthy,
    /// It was asked to stop and still runs.
    Stopping,
    /// It was asked to start and will not; it does not run.
    StartFailed,
}

/// The state of a machine's disks at one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Disk {
    /// There are none.
    None,
    /// They hold one instant, completely.
    Whole,
    /// A synchronisation is writing them, or was cut off while it did. They are never started from
    /// (FB-5).
    HalfWritten,
}

/// What the replicator reports of one machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The side that data flows to.
    pub towards: SiteRole,
    /// How it is.
    pub state: LinkState,
    /// Whether network and target settings are applied to the copy.
    pub finalized: bool,
    /// Bytes that are not at the other side yet.
    pub pending_bytes: u64,
    /// The epoch of the last final synchronisation that is complete: the source was stopped before it,
    /// and nothing is missing since.
    pub final_sync: Option<u64>,
    /// The epoch of the last commit: other recovery points are gone.
    pub committed: Option<u64>,
    /// The highest epoch that the replicator has recorded for the machine.
    pub epoch: u64,
    /// Recovery points, oldest first.
    pub points: Vec<Point>,
    /// Why nothing arrived when it was tried last; nothing while it arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl Link {
    /// One that nothing was done with yet.
    pub const fn new(towards: SiteRole, state: LinkState) -> Self {
        Self {
            towards,
            state,
            finalized: false,
            pending_bytes: 0,
            final_sync: None,
            committed: None,
            epoch: 0,
            points: Vec::new(),
            trouble: None,
        }
    }
}

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LinkState {
    /// There is none.
    None,
    /// A full copy travels.
    Seeding,
    /// Changes are sent as they happen.
    Replicating,
    /// Change tracking cannot be trusted.
    ResyncRequired,
    /// Both sides are compared and differences travel.
    Resynchronizing,
    /// It is there and sends nothing: not seeded yet, or held by a run.
    Paused,
    /// It stopped for good; a person must mend it.
    Failed,
}

/// A state of a machine's disks that it can be started from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// The instant that it holds.
    pub at: Timestamp,
    /// Its name at the replicator.
    pub name: String,
    /// Whether applications were brought to rest for it.
    pub app_consistent: bool,
    /// Whether it is ready; others must be processed first (FO-4, `Latest`).
    pub processed: bool,
}
