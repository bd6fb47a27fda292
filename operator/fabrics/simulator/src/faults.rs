//! What can go wrong, and what ends it.

use drover_api::value::{MachineName, NetworkName, SiteName};
use drover_world::ErrorClass;
use serde::{Deserialize, Serialize};

/// Something that happens to the world without Drover asking for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Fault {
    /// The power goes: everything there stops at once, and the site does not answer.
    LoseSite {
        /// The site.
        site: SiteName,
    },
    /// The power is back; machines that ran and are not held start by themselves.
    ReturnSite {
        /// The site.
        site: SiteName,
    },
    /// The site is cut off from everybody, and runs on. Calls fail at once.
    Partition {
        /// The site.
        site: SiteName,
    },
    /// The site is cut off from everybody, and runs on. Calls never return.
    BlackHole {
        /// The site.
        site: SiteName,
    },
    /// A site that was cut off is reached again.
    Heal {
        /// The site.
        site: SiteName,
    },
    /// Nothing travels between two sites; both are still reached.
    CutLink {
        /// One of them.
        one: SiteName,
        /// The other.
        other: SiteName,
        /// Whether calls that need the link never return, instead of failing at once.
        silent: bool,
    },
    /// Data travels again.
    HealLink {
        /// One of them.
        one: SiteName,
        /// The other.
        other: SiteName,
    },
    /// Copies into the site that begin from now on take so many times as long; 1 is normal.
    SlowCopies {
        /// The site.
        site: SiteName,
        /// How many times as long.
        factor: u32,
    },
    /// The next boots of a machine fail.
    FailBoots {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
        /// How many.
        times: u32,
    },
    /// The guest does not shut down until it is released.
    HangShutdown {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
    /// The guest shuts down again when asked; one that was asked already is off now.
    ReleaseShutdown {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
    /// The agent in the guest says nothing: points are consistent as after a crash, until it answers again.
    SilenceAgent {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
    /// It answers again.
    WakeAgent {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
    /// The site refuses the credentials.
    ExpireCredentials {
        /// The site.
        site: SiteName,
    },
    /// The site accepts them again.
    RenewCredentials {
        /// The site.
        site: SiteName,
    },
    /// Nothing can be written at the site that is not there already.
    FillStorage {
        /// The site.
        site: SiteName,
    },
    /// There is room again.
    FreeStorage {
        /// The site.
        site: SiteName,
    },
    /// Change tracking of a machine cannot be trusted any more.
    LoseTracking {
        /// The site that it runs at.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
    /// Replication of a machine stops until it is mended.
    FailReplication {
        /// The site that it runs at.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
    /// Replication that failed can go on: both sides are compared first.
    MendReplication {
        /// The site that it runs at.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
    /// Fences of the site are not confirmed.
    BreakFencing {
        /// The site.
        site: SiteName,
    },
    /// They are again.
    MendFencing {
        /// The site.
        site: SiteName,
    },
    /// The next requests for a machine fail.
    FailEffects {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
        /// How many.
        times: u32,
        /// In which class.
        class: ErrorClass,
    },
    /// Somebody switches a machine off.
    PowerOff {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
    /// Somebody switches a machine on.
    PowerOn {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
    /// Somebody changes what a machine is made of. What is unset stays as it is.
    Reconfigure {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
        /// Virtual processors.
        cpus: Option<u32>,
        /// Memory in bytes.
        memory: Option<u64>,
        /// The size of one disk more, in bytes; nothing copies that.
        disk: Option<u64>,
        /// The networks of its interfaces.
        networks: Option<Vec<NetworkName>>,
    },
    /// Somebody deletes a machine and its disks.
    Delete {
        /// The site.
        site: SiteName,
        /// The machine's name there.
        machine: MachineName,
    },
}
