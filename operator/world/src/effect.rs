//! What can be asked of a fabric or a replicator, and how it answers.
//!
//! Every effect is idempotent: it says what should be, not what to do. It can be repeated after a crash
//! and by a second process, and it carries a [`Stamp`] by which a fabric refuses whoever acts on an
//! older epoch.

use drover_api::common::SiteRole;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Who asks: the run, the step and the epoch (SA-3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stamp {
    /// Name of the run.
    pub run: String,
    /// Name of the step, for the fabric's own log.
    pub step: &'static str,
    /// Epoch. A fabric that has recorded a higher one for the machine refuses.
    pub epoch: u64,
}

/// Something that should be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "effect"
)]
pub enum Effect {
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
    /// The machine does not run at this site and no older epoch can start it there. A machine that is
    /// not there is such a machine too: the epoch is recorded all the same.
    Stopped {
        /// The site.
        site: SiteRole,
    },
    /// The machine at this site cannot serve, whatever its power is.
    Fenced {
        /// The site.
        site: SiteRole,
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
    /// A machine stands at this site, off, with its networks, made from the final synchronisation or
    /// from the recovery point that its journal names.
    Materialized {
        /// The site.
        site: SiteRole,
    },
    /// That machine runs and is healthy.
    Started {
        /// The site.
        site: SiteRole,
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
    /// A machine stands at this site on the isolated network, made for a drill.
    DrillMaterialized {
        /// The site.
        site: SiteRole,
    },
    /// That machine runs and is healthy.
    DrillStarted {
        /// The site.
        site: SiteRole,
    },
    /// Nothing that the drill made is left at this site.
    DrillRemoved {
        /// The site.
        site: SiteRole,
    },
}

/// How a fabric answers at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// It was begun.
    Started,
    /// It goes on; from 0 to 100 percent where that is known.
    InProgress {
        /// How far it is.
        percent: Option<u8>,
    },
    /// It is so.
    Reached,
}

/// What kind of failure it is, which decides what is done about it (PR-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ErrorClass {
    /// Network, target out of disk or memory: it is tried again.
    Retryable,
    /// Authentication, authorisation, an invalid state: a person must do something first.
    Terminal,
    /// The fabric cannot do this at all.
    Unsupported,
}

/// A failure of a fabric or a replicator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct FabricError {
    /// What kind it is.
    pub class: ErrorClass,
    /// What went wrong, without secrets (BI-3).
    pub message: String,
    /// What a person can do.
    pub hint: Option<String>,
    /// The epoch that the fabric has recorded, where the request came with an older one.
    pub epoch_seen: Option<u64>,
}
