//! What is said between the operator and a mover, and between the movers of two sites.
//!
//! Each request is a POST of JSON. Whoever asks for a change says with which epoch.

use std::collections::BTreeMap;
use std::path::PathBuf;

use drover_api::common::{SitePair, SiteRole};
use drover_api::value::{MachineName, NetworkName};
use drover_api::{Capacity, InitialReplication, Right};
use drover_fabric::{InstanceKey, InstanceSeen, LinkGoal, Materialize, SiteGoal, Subject};
use drover_world::{Hardware, Link};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use variables::Variables;

mod variables;

/// Where each request goes.
pub mod path {
    /// What is there: [`Seen`](super::Seen).
    pub const OBSERVE: &str = "/v1/observe";
    /// Answers when there may be something newer, or after a while.
    pub const CHANGED: &str = "/v1/changed";
    /// Whether the site is ready.
    pub const PROBE: &str = "/v1/probe";
    /// The machines of the site.
    pub const INVENTORY: &str = "/v1/inventory";
    /// Makes it so for a machine.
    pub const ENSURE: &str = "/v1/ensure";
    /// Makes it so for the link of a machine.
    pub const LINK: &str = "/v1/link";
    /// Has a machine made.
    pub const MATERIALIZE: &str = "/v1/materialize";
    /// Whether a machine could be made.
    pub const ACCEPTS: &str = "/v1/accepts";
    /// What movers ask each other begins with this; all else is for the operator.
    pub const PEER: &str = "/v1/peer/";
    /// What a machine is, for the mover of the other site.
    pub const DESCRIBE: &str = "/v1/peer/describe";
    /// How a link is at this side.
    pub const HALF: &str = "/v1/peer/half";
    /// The other side takes up, turns or lets go of a link.
    pub const AGREE: &str = "/v1/peer/agree";
    /// Lends disks of one instant.
    pub const LEND: &str = "/v1/peer/lend";
    /// What was lent is not needed any more.
    pub const RETURN: &str = "/v1/peer/return";
    /// A disk that was lent, as a stream that speaks NBD: loan and disk follow.
    pub const STREAM: &str = "/v1/peer/stream";
}

/// Who asks for a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asker {
    /// The run.
    pub run: String,
    /// The epoch.
    pub epoch: u64,
}

/// Nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// Asks what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Since {
    /// What was seen last.
    pub version: u64,
}

/// All that is at a site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Grows with each change, also over a restart of the mover.
    pub version: u64,
    /// The machines.
    pub instances: Vec<(InstanceKey, InstanceSeen)>,
    /// The links, as this side knows them.
    pub halves: Vec<Half>,
    /// Machines that are fenced, with the epoch.
    pub fences: Vec<(MachineName, u64)>,
    /// Hosts of which not everything is known, as those that do not answer: what is not among the machines may
    /// be there.
    #[serde(default)]
    pub silent: Vec<String>,
}

/// A link as one side knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Half {
    /// Its sites.
    pub sites: SitePair,
    /// Its machine.
    pub subject: Subject,
    /// Which side this is.
    pub role: SiteRole,
    /// How often the direction was turned; the side that knows the higher count is right about it.
    pub turn: u64,
    /// How it is.
    pub link: Link,
    /// What the last changes were taken from, while nothing was written to it since: of the side that holds
    /// the copy what it saw, of the other side what is so now.
    pub seal: Option<String>,
}

/// What the policy asks of a link, and where the other side is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// The two sites.
    pub sites: SitePair,
    /// Where the movers of both reach each other.
    pub addresses: [String; 2],
    /// Between two copies of what changed, in milliseconds.
    pub interval: u64,
    /// How long points are kept, in milliseconds.
    pub retention: u64,
    /// How often applications are brought to rest for a point, in milliseconds; never for 0.
    pub app_every: u64,
    /// The most that one copy may use, in bytes per second.
    pub bandwidth: Option<u64>,
    /// Whether what travels is compressed.
    pub compression: bool,
    /// What the first copy begins from.
    #[serde(default)]
    pub initial: InitialReplication,
    /// Storage pool for the copies.
    pub pool: Option<String>,
}

/// Something should be so for a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ensure {
    /// Who asks.
    pub asker: Asker,
    /// Which machine.
    pub machine: MachineName,
    /// What should be so.
    pub goal: SiteGoal,
}

/// Something should be so for a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnsureLink {
    /// Who asks.
    pub asker: Asker,
    /// Which link.
    pub subject: Subject,
    /// Under which terms.
    pub terms: Terms,
    /// Which side is asked.
    pub role: SiteRole,
    /// What should be so.
    pub goal: LinkGoal,
}

/// A machine should stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Make {
    /// Who asks.
    pub asker: Asker,
    /// Which link.
    pub subject: Subject,
    /// Under which terms.
    pub terms: Terms,
    /// How it is made.
    pub with: Materialize,
}

/// Whether a machine could be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepts {
    /// Its name there.
    pub machine: MachineName,
    /// How it would be made.
    pub with: Materialize,
}

/// What a site says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// Rights and all else that work needs.
    pub rights: Vec<Right>,
    /// What is free.
    pub capacity: Option<Capacity>,
    /// The hosts, by the names that the mover was started with.
    pub hosts: Vec<String>,
    /// What the mover's clock says.
    #[serde(default)]
    pub now: Option<Timestamp>,
}

/// A machine of the inventory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its name.
    pub name: MachineName,
    /// Networks of its interfaces.
    pub networks: Vec<NetworkName>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// What it is made of; movers before this one do not tell.
    #[serde(default)]
    pub hardware: Option<Hardware>,
}

/// One machine is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// Its name at the site that is asked.
    pub machine: MachineName,
}

/// What a machine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// libvirt's description of it.
    pub xml: String,
    /// Whether its guest has an agent that answers.
    pub agent: bool,
    /// The disks that can be copied.
    pub disks: Vec<DiskDescribed>,
    /// The file with what its firmware remembers, where it has one that can be copied.
    #[serde(default)]
    pub variables: Option<PathBuf>,
}

/// A disk of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskDescribed {
    /// Its name in the machine: `vda`.
    pub target: String,
    /// Its file.
    pub path: PathBuf,
    /// Its format.
    pub format: String,
    /// Its size.
    pub size: u64,
}

/// The other side changes the link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agree {
    /// Who asks.
    pub asker: Asker,
    /// Which link.
    pub subject: Subject,
    /// Under which terms.
    pub terms: Terms,
    /// Which side is asked.
    pub role: SiteRole,
    /// To what.
    pub to: Agreement,
}

/// What the sides agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "agreement"
)]
pub enum Agreement {
    /// Data flows to that side.
    Flows {
        /// The side.
        towards: SiteRole,
        /// The count of turns that this is.
        turn: u64,
    },
    /// There is no link any more.
    Over,
}

/// What the other side says to an agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agreed {
    /// How the machine that was made there parted from what it was made of, where that is known.
    pub parting: Option<Parting>,
}

/// How a machine that was made of a copy parted from the one that the copy was of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parting {
    /// The checkpoint that was made before it ran first: what it wrote since is known.
    pub checkpoint: String,
    /// The seal of the disks at the other side, where it was made of everything that they held.
    pub seal: Option<String>,
    /// The checkpoint at the other side whose instant it was made of.
    pub agreed: Option<String>,
}

/// Disks are borrowed, of several machines at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lend {
    /// What for.
    pub machines: Vec<LendOne>,
    /// Whether applications are brought to rest.
    pub quiesce: bool,
    /// Whether the machine must be stopped, and stay so.
    pub last: Option<u64>,
}

/// Disks of one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LendOne {
    /// Its name at the site that is asked.
    pub machine: MachineName,
    /// Its disks.
    pub disks: Vec<String>,
    /// The checkpoint since which changes are wanted; unset for everything.
    pub from: Option<String>,
    /// The checkpoint that this instant becomes.
    pub checkpoint: String,
    /// The seal of what its firmware remembered when that was copied last.
    #[serde(default)]
    pub variables: Option<String>,
}

/// What was lent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lent {
    /// The instant.
    #[serde(flatten)]
    pub taken: Taken,
    /// Machine by machine, in the order of the request.
    pub machines: Vec<LentOne>,
}

/// The instant that disks were taken at, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// Not before this: what was durable by then is there.
    pub at: Timestamp,
    /// Not after this: what was written later is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Timestamp>,
}

/// Disks of one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LentOne {
    /// Its name.
    pub loan: String,
    /// Whether applications were brought to rest.
    pub quiesced: bool,
    /// The checkpoint that this instant is; unset where none could be made, because the machine is off.
    pub checkpoint: Option<String>,
    /// The seal of the disks, where the machine is off.
    pub seal: Option<String>,
    /// Disk by disk.
    pub disks: Vec<LentDisk>,
    /// The machine's description at that instant.
    pub described: Described,
    /// What its firmware remembers, where that is not what the asker has.
    #[serde(default)]
    pub variables: Option<Variables>,
}

/// A disk that was lent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LentDisk {
    /// Its name in the machine.
    pub target: String,
    /// Its size.
    pub size: u64,
    /// The name of the export.
    pub export: String,
    /// What says what changed since the checkpoint, together: streams, and the context of each; none where
    /// that is not known.
    pub changed: Vec<(String, String)>,
    /// Whether the machine did not have it at that checkpoint.
    #[serde(default)]
    pub came_since: bool,
}

/// What was lent is not needed any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Return {
    /// The loan.
    pub loan: String,
    /// The machine.
    pub machine: MachineName,
    /// The checkpoint that the copy is of now, when it is complete: older ones are dropped.
    pub reached: Option<String>,
}
