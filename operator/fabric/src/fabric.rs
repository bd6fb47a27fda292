//! One site: what runs there.

use async_trait::async_trait;
use drover_api::value::{Address, MachineName};
use drover_api::{Capacity, Right};
use drover_world::{EpochEnforcement, FabricError, Instance, Inventory, Stamp};
use serde::{Deserialize, Serialize};

use crate::sightings::{Cursor, Sightings};
use crate::{Answer, Materialize};

/// One site.
///
/// # What every driver promises
///
/// - Each method returns soon; none waits for an effect to end. Dropping its future at any time neither
///   loses nor splits what was asked.
/// - [`ensure`](Self::ensure) can be repeated, by this process or another, before and after a crash: the
///   effect happens once.
/// - The highest epoch that was asked for is kept for each machine name in the fabric itself, also while
///   the machine is absent. With [`EpochEnforcement::Enforced`] an older request is refused, with the
///   epoch that is on record; with [`EpochEnforcement::Advisory`] it is recorded and reported.
/// - What is reported is what is there now, not what was asked for.
#[async_trait]
pub trait Fabric: Send + Sync + std::fmt::Debug {
    /// What this fabric can do, as data.
    fn capabilities(&self) -> Capabilities;

    /// Whether the site answers, which rights there are, and what is free.
    ///
    /// # Errors
    /// When the site does not answer, and when the credentials are refused.
    async fn probe(&self) -> Result<Probe, FabricError>;

    /// The machines of the site, whoever made them.
    ///
    /// # Errors
    /// When the site does not answer.
    async fn inventory(&self) -> Result<Inventory, FabricError>;

    /// What is there: everything, or what changed since a cursor of this driver.
    ///
    /// # Errors
    /// When the site does not answer: then nothing is known about now.
    async fn observe(
        &self,
        since: Option<Cursor>,
    ) -> Result<Sightings<InstanceKey, InstanceSeen>, FabricError>;

    /// Returns when there may be something newer than this cursor. A driver that is told nothing by its
    /// fabric sleeps for as long as looking again is cheap.
    async fn changed(&self, since: Cursor);

    /// Confirmed fences, by machine: the epoch of each. They are confirmed on a way of their own, so
    /// this may answer while [`observe`](Self::observe) does not.
    ///
    /// # Errors
    /// When the means of fencing does not answer.
    async fn fences(&self) -> Result<Vec<(MachineName, u64)>, FabricError>;

    /// Makes it so for one machine, and says how far it is.
    ///
    /// # Errors
    /// As it fails; with `epoch_seen` where the stamp is too old.
    async fn ensure(&self, stamp: &Stamp, machine: &MachineName, goal: SiteGoal) -> Answer;

    /// Whether the site could take a machine with these settings: enough is free, its names and networks
    /// are there (PR-1, SA-9).
    ///
    /// # Errors
    /// Terminal with what is missing; recoverable where the site does not answer.
    async fn accepts(&self, machine: &MachineName, with: &Materialize) -> Result<(), FabricError>;

    /// Who answers the actions of plans in place of a real network; nothing where there is one.
    fn action_targets(&self) -> Option<&dyn ActionTargets> {
        None
    }
}

/// What should be so for one machine at one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SiteGoal {
    /// It does not run, does not start by itself, and no older epoch can start it. A machine that is not
    /// there is such a machine; its epoch is recorded all the same.
    Stopped,
    /// It cannot serve, whatever its power is.
    Fenced,
    /// It runs and is healthy. A disk that a synchronisation writes, or was cut off from, is never
    /// started (FB-5); the fence is lifted.
    Started,
    /// What a drill made of it runs and is healthy.
    DrillStarted,
    /// Nothing that a drill made of it is left.
    DrillRemoved,
}

/// An instance at a site: of production, or made by a drill.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceKey {
    /// The machine's name at this site.
    pub name: MachineName,
    /// Whether a drill made it.
    pub drill: bool,
}

/// What a site reports of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSeen {
    /// Whether it is there, runs, and at which epoch it was last asked for.
    pub instance: Instance,
    /// The addresses that its guest has, interface by interface.
    pub addresses: Vec<Address>,
}

/// What a fabric can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What it does about a request with an older epoch (SA-3).
    pub epochs: EpochEnforcement,
    /// Whether it has a means of fencing that is confirmed (SA-2).
    pub fencing: bool,
    /// Whether drills can be isolated here.
    pub drills: bool,
    /// Whether a machine that nobody listed here is made when it is protected: a simulated world does
    /// that, so that manifests can be tried without listing every machine twice.
    pub provisions: bool,
}

/// What a site says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Rights that were tried, those that a reprotect will need included (RD-1).
    pub rights: Vec<Right>,
    /// What is free, where that is known.
    pub capacity: Option<Capacity>,
}

/// Answers actions in place of a real network.
#[async_trait]
pub trait ActionTargets: Send + Sync {
    /// Calls a machine of the site and returns the status of the answer.
    ///
    /// # Errors
    /// When nothing answers, in words.
    async fn http(&self, call: &HttpCall) -> Result<u16, String>;

    /// Sets a record of the site's zone. Doing it twice is doing it once.
    ///
    /// # Errors
    /// When the zone refuses, in words.
    async fn dns(&self, change: &DnsChange) -> Result<(), String>;
}

/// An HTTP call to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCall {
    /// The machine's name at this site.
    pub machine: MachineName,
    /// Whether what a drill made of it is meant.
    pub drill: bool,
    /// The port.
    pub port: u16,
    /// The path.
    pub path: String,
}

/// A change of a DNS record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsChange {
    /// The record's full name.
    pub record: String,
    /// Seconds that resolvers may keep it.
    pub ttl: u32,
    /// All its addresses.
    pub addresses: Vec<Address>,
}
