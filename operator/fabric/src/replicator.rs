//! One ordered pair of sites: what moves the data, and keeps recovery points.

use async_trait::async_trait;
use drover_api::common::SiteRole;
use drover_api::value::MachineName;
use drover_api::{FailbackLocation, RunNic, TargetSettings};
use drover_world::{EpochEnforcement, FabricError, Link, PairRules, Stamp};
use serde::{Deserialize, Serialize};

use crate::Answer;
use crate::sightings::{Cursor, Sightings};

/// What moves data between two sites.
///
/// # What every driver promises
///
/// What [`Fabric`](crate::Fabric) promises, and:
///
/// - A copy is never written into a running disk; a disk that is being written, or was cut off while it
///   was, is reported as half-written until it is whole again.
/// - `final_sync` is reported for as long as nothing was written at the source since, and no longer: it
///   is taken back as soon as the source may write again.
/// - Nothing travels towards the old source before a commit.
/// - Recovery points go by retention or by a commit, by nothing else; retention pauses while it is told
///   to.
#[async_trait]
pub trait Replicator: Send + Sync + std::fmt::Debug {
    /// What this pair can do, as data.
    fn capabilities(&self) -> PairCapabilities;

    /// How the links are, by the machine's name at the primary site: all, or those that changed since a
    /// cursor of this driver.
    ///
    /// # Errors
    /// When the replicator does not answer.
    async fn observe(
        &self,
        since: Option<Cursor>,
    ) -> Result<Sightings<MachineName, Link>, FabricError>;

    /// Returns when there may be something newer than this cursor.
    async fn changed(&self, since: Cursor);

    /// Makes it so for the link of one machine, and says how far it is.
    ///
    /// # Errors
    /// As it fails; with `epoch_seen` where the stamp is too old.
    async fn ensure(&self, stamp: &Stamp, machine: &Subject, goal: LinkGoal) -> Answer;

    /// A machine stands at a site, off, made from the final synchronisation or from a recovery point. It
    /// overwrites nothing that Drover did not make (SA-7).
    ///
    /// # Errors
    /// As [`ensure`](Self::ensure).
    async fn materialize(&self, stamp: &Stamp, machine: &Subject, with: &Materialize) -> Answer;
}

/// What a pair can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairCapabilities {
    /// By direction.
    pub rules: PairRules,
    /// What it does about a request with an older epoch (SA-3).
    pub epochs: EpochEnforcement,
}

/// A machine as a replicator knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Its name at the primary site.
    pub primary: MachineName,
    /// Its name at the secondary site.
    pub secondary: MachineName,
    /// What it shares its recovery points with (PR-7): the same text, the same points.
    pub consistency: Option<String>,
    /// Disks that are not replicated.
    pub excluded_disks: Vec<String>,
}

impl Subject {
    /// Its name at the site in this role.
    pub fn at(&self, role: SiteRole) -> &MachineName {
        match role {
            SiteRole::Primary => &self.primary,
            SiteRole::Secondary => &self.secondary,
        }
    }
}

/// What should be so for the link of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "goal"
)]
pub enum LinkGoal {
    /// The two sides know of each other; nothing travels yet (PR-1).
    Related {
        /// The side that data will flow to.
        towards: SiteRole,
    },
    /// The first full copy is complete and changes are sent as they happen (PR-2).
    Seeded {
        /// The side that data flows to.
        towards: SiteRole,
    },
    /// Network and target settings are applied to the copy (PR-1).
    Finalized {
        /// The side that holds the copy.
        towards: SiteRole,
    },
    /// Both sides were compared and are equal but for the newest changes (PR-4).
    Resynchronized {
        /// The side that data flows to.
        towards: SiteRole,
    },
    /// Nothing replicates any more.
    Unrelated {
        /// Whether the copy is removed too (PR-12).
        remove_replica: bool,
    },
    /// Everything that the stopped source acknowledged is at the other side.
    FinalSync {
        /// The side that data flows to.
        towards: SiteRole,
    },
    /// The old disk at this side holds what the running machine has, but for the last changes (FB-3).
    SyncedBack {
        /// The side that data flows to.
        towards: SiteRole,
    },
    /// The other recovery points are gone; what stayed behind at this site is as the pair wants it
    /// (FB-6).
    Committed {
        /// The site that the machine left.
        left: SiteRole,
    },
    /// Data flows to this side.
    Reversed {
        /// The side that data flows to.
        towards: SiteRole,
    },
}

/// How a machine is made at a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Materialize {
    /// The site.
    pub site: SiteRole,
    /// Whether it is made for a drill, isolated.
    pub drill: bool,
    /// The recovery point; unset means the final synchronisation.
    pub point: Option<String>,
    /// Its interfaces there.
    pub nics: Vec<RunNic>,
    /// What it becomes there.
    pub settings: Option<TargetSettings>,
    /// Where it is made; only a failback has another than the original.
    pub location: FailbackLocation,
}
