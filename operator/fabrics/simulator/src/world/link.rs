//! What moves one machine's data between two sites, as the world keeps it.

use drover_api::common::SiteRole;
use drover_api::value::MachineName;
use drover_api::{InitialReplication, ReplicationPolicySpec};
use drover_world::LinkState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::history::Position;
use super::points::{Rhythm, StoredPoint};

/// What a policy asks of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// In milliseconds, as all of these.
    pub interval: u64,
    pub retention: u64,
    /// 0 makes no application-consistent points.
    pub app_every: u64,
    /// In bytes per second.
    pub bandwidth: Option<u64>,
    pub initial: InitialReplication,
}

/// How often changes are sent where a policy does not say.
const INTERVAL: u64 = 30_000;

impl Policy {
    pub fn of(spec: &ReplicationPolicySpec) -> Self {
        let interval = spec
            .interval
            .as_ref()
            .map_or(INTERVAL, drover_api::value::Duration::as_millis);
        Self {
            interval: interval.max(1_000),
            retention: spec.recovery_points.retention.as_millis(),
            app_every: spec.recovery_points.app_consistent_every.as_millis(),
            bandwidth: spec
                .bandwidth
                .as_ref()
                .map(drover_api::value::Bandwidth::bytes_per_second),
            initial: spec.initial_replication,
        }
    }
}

/// Why data travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Travel {
    Seed,
    Resync,
    Final,
    Back,
    Reverse,
}

/// A copy that travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub travel: Travel,
    pub epoch: u64,
    pub began: Timestamp,
    pub ends: Timestamp,
    /// What the other side will hold.
    pub over: Position,
    pub bytes: u64,
}

/// One machine's link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkRecord {
    pub pair: usize,
    pub primary: MachineName,
    pub secondary: MachineName,
    /// Its machine at each side: primary, secondary.
    pub sides: [usize; 2],
    pub consistency: Option<String>,
    pub policy: Policy,
    pub rhythm: Rhythm,
    pub towards: SiteRole,
    pub state: LinkState,
    pub finalized: bool,
    pub epoch: u64,
    pub final_sync: Option<u64>,
    /// Since when the copy holds everything of a stopped source.
    pub complete_since: Option<Timestamp>,
    pub committed: Option<u64>,
    /// The side where the machine was when it was first protected.
    pub origin: Option<SiteRole>,
    /// Whether a machine that stood at the target was to be taken over.
    pub adopted: bool,
    /// The side that a failover left which is not committed.
    pub left: Option<SiteRole>,
    /// The side whose newer writes were given up by a commit or a return (SA-5).
    pub given_up: Option<SiteRole>,
    pub job: Option<Job>,
    /// Since when changes are sent as they happen, or since the last change of what the guest does.
    pub live: Option<Timestamp>,
    /// What the copy holds, and the instant that this is of.
    pub applied: Option<(Timestamp, Position)>,
    pub points: Vec<StoredPoint>,
    /// Since when retention is paused.
    pub paused: Option<Timestamp>,
    /// When the next point is reported.
    pub next_point: Option<Timestamp>,
    /// The side where something stays to be removed after a commit.
    pub leftover: Option<SiteRole>,
    /// Whether the risk that two copies serve was accepted for it.
    pub split_brain_accepted: bool,
    #[serde(skip)]
    pub version: u64,
}

/// The position of a side in an array.
pub(crate) const fn side(role: SiteRole) -> usize {
    match role {
        SiteRole::Primary => 0,
        SiteRole::Secondary => 1,
    }
}

impl LinkRecord {
    /// The machine at the side that data flows from.
    pub fn source(&self) -> usize {
        self.sides[side(self.towards.other())]
    }

    /// The machine at the side that data flows to.
    pub fn target(&self) -> usize {
        self.sides[side(self.towards)]
    }
}
