//! What a mover keeps of each machine, in a file beside the machine's copies.

use std::collections::BTreeMap;
use std::path::PathBuf;

use drover_api::common::SiteRole;
use drover_fabric::Subject;
use drover_libvirt::protocol::{Described, Taken, Terms};
use drover_world::{Link, LinkState, Point};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is kept of one machine, by its name at this site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on each other"
)]
pub struct Record {
    /// The highest epoch that was asked with (SA-3).
    pub epoch: u64,
    /// Whether it was stopped, and nothing but a later request starts it.
    pub held: bool,
    /// The epoch of its fence.
    pub fenced: Option<u64>,
    /// The seal of its disks when it was stopped or fenced, until it starts again: what was written later was
    /// written by somebody else.
    pub stopped: Option<String>,
    /// The last start that was asked for.
    pub start: Option<Start>,
    /// Whether it ran when it was last seen; what ran starts again with its host, unless it is held.
    pub ran: bool,
    /// The host where it was last seen.
    pub host: Option<String>,
    /// Whether libvirt was to start it with its host, before Drover took that over.
    pub autostart: bool,
    /// What Drover made of it.
    pub made: Option<Made>,
    /// What a drill made of it, and the epoch of drills.
    pub drill: Option<Made>,
    /// The highest epoch that a drill was asked with.
    pub drill_epoch: u64,
    /// Its link, as this side knows it.
    pub half: Option<Half>,
    /// The number that its next file gets.
    pub next: u64,
    /// Whether its file systems were frozen, and nobody said that they are not any more.
    pub frozen: bool,
    /// Whether its processors were held, and nobody said that they are not any more.
    pub paused: bool,
}

impl Record {
    /// Whether it starts when its site does, unless it is held.
    pub fn starts_with_site(&self) -> bool {
        self.autostart || self.made.is_some()
    }

    /// Whether its guest was brought to rest, and may still be.
    pub fn is_at_rest(&self) -> bool {
        self.frozen || self.paused
    }
}

/// A start that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// With which epoch.
    pub epoch: u64,
    /// Why it failed.
    pub failed: Option<String>,
    /// Whether its guest was healthy since.
    pub healthy: bool,
}

/// A machine that Drover made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// With which epoch.
    pub epoch: u64,
    /// How libvirt calls it.
    pub domain: String,
    /// What it writes to, by disk.
    pub files: BTreeMap<String, PathBuf>,
    /// What that is based on, by disk.
    pub on: BTreeMap<String, PathBuf>,
    /// The files that those are made of, which must stay for as long as it stands.
    #[serde(default)]
    pub below: Vec<PathBuf>,
    /// The seal of the disks that it was made from, where that was everything they held.
    pub seal: Option<String>,
    /// The checkpoint at the other side whose instant those disks hold at least.
    pub agreed: Option<String>,
    /// The checkpoint that was made before its guest ran first: what changed since is known.
    pub checkpoint: Option<String>,
    /// Whether its guest was let run: until then it is held still by this mover, and by nobody else.
    #[serde(default = "yes")]
    pub released: bool,
    /// Whether it stands: until then making it may be begun again.
    pub stands: bool,
}

/// Of a machine that a former version made.
fn yes() -> bool {
    true
}

/// A link, as one side knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Half {
    /// Its machine.
    pub subject: Subject,
    /// Which side this is.
    pub role: SiteRole,
    /// How often the direction was turned.
    pub turn: u64,
    /// The side that data flows to.
    pub towards: SiteRole,
    /// How it is.
    pub state: LinkState,
    /// The highest epoch that was asked with.
    pub epoch: u64,
    /// What the policy asks.
    pub terms: Terms,
    /// Whether target settings are applied.
    pub finalized: bool,
    /// The epoch of the last commit.
    pub committed: Option<u64>,
    /// The side that a failover left which is not committed.
    pub left: Option<SiteRole>,
    /// Whether a run is on: retention pauses.
    pub in_run: bool,
    /// The last changes.
    pub last: Option<Last>,
    /// What the machine is at the other side.
    pub described: Option<Described>,
    /// The seal, there, of what its firmware remembered when that was copied last.
    #[serde(default)]
    pub variables: Option<String>,
    /// The files of the copy, disk by disk, the oldest first: each holds what differs from the one before.
    pub layers: BTreeMap<String, Vec<PathBuf>>,
    /// The recovery points.
    pub points: Vec<PointKept>,
    /// The checkpoint at the source whose instant the newest layer is.
    pub agreed: Option<String>,
    /// The seal of the source's disks when the newest layer was taken from them, where the machine was off.
    #[serde(default)]
    pub taken_from: Option<String>,
    /// The checkpoint at this side since which what the copy is based on was written to, too: until that was
    /// made good, what its bitmaps remember travels as well.
    pub own: Option<String>,
    /// What the copy is based on where a machine stood before: if that is written to, the files above it are
    /// of no use.
    #[serde(default)]
    pub base: Option<Base>,
    /// Files that nothing needs any more.
    pub litter: Vec<PathBuf>,
    /// When applications were last brought to rest for a point.
    pub quiesced_at: Option<Timestamp>,
    /// The side where the machine was when it was first protected.
    pub origin: SiteRole,
    /// Whether the copy began with a machine that stood here: it may be defined anew.
    #[serde(default)]
    pub adopted: bool,
}

/// The last changes of a machine that was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Last {
    /// With which epoch they were asked for.
    pub epoch: u64,
    /// The seal of what they were taken from.
    pub seal: String,
}

/// Disks that a machine ran from, and that are the base of a copy now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// Disk by disk.
    pub files: BTreeMap<String, PathBuf>,
    /// Their seal.
    pub seal: String,
    /// Whether retention writes to one of them just now: then their seal says nothing.
    #[serde(default)]
    pub merging: bool,
}

/// A recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointKept {
    /// Its name.
    pub name: String,
    /// The instant that it holds.
    #[serde(flatten)]
    pub taken: Taken,
    /// Whether applications were at rest.
    pub quiesced: bool,
    /// Its files.
    pub files: BTreeMap<String, PathBuf>,
}

impl Base {
    /// Disks with their seal.
    pub fn new(files: BTreeMap<String, PathBuf>, seal: String) -> Self {
        Self {
            files,
            seal,
            merging: false,
        }
    }
}

impl Half {
    /// A link that was heard of just now.
    pub fn new(subject: Subject, role: SiteRole, towards: SiteRole, terms: Terms) -> Self {
        Self {
            subject,
            role,
            turn: 0,
            towards,
            state: LinkState::None,
            epoch: 0,
            terms,
            finalized: false,
            committed: None,
            left: None,
            in_run: false,
            last: None,
            described: None,
            variables: None,
            layers: BTreeMap::new(),
            points: Vec::new(),
            agreed: None,
            taken_from: None,
            own: None,
            base: None,
            litter: Vec::new(),
            quiesced_at: None,
            origin: towards.other(),
            adopted: false,
        }
    }

    /// With what an earlier link left that was let go of.
    #[must_use]
    pub fn after(self, former: Self) -> Self {
        let origin = if former.role == self.role {
            former.origin
        } else {
            self.origin
        };
        Self {
            origin,
            committed: former.committed,
            layers: former.layers,
            litter: former.litter,
            ..self
        }
    }

    /// A copy that is not under way is asked for again, or a person learns why it cannot be.
    pub fn pause(&mut self) {
        if matches!(
            self.state,
            LinkState::Seeding | LinkState::Resynchronizing | LinkState::Replicating
        ) {
            self.state = LinkState::Paused;
        }
    }

    /// Whether this side holds the copy.
    pub fn holds(&self) -> bool {
        self.towards == self.role
    }

    /// Whether nothing was done with the copy since it was as `before`, so that what was begun then may go on.
    pub fn is_as(&self, before: &Self) -> bool {
        (self.turn, self.towards, self.state) == (before.turn, before.towards, before.state)
            && self.layers == before.layers
            && self.agreed == before.agreed
    }

    /// The base was written to: all that is above it goes, and both sides are compared.
    pub fn begin_at_base(&mut self, base: Base) {
        for (disk, file) in &base.files {
            let Some(files) = self.layers.get_mut(disk) else {
                continue;
            };
            if let Some(at) = files.iter().position(|known| known == file) {
                self.litter.extend(files.split_off(at + 1));
            }
        }
        self.points.clear();
        self.forget_agreement();
        self.last = None;
        self.base = Some(base);
    }

    /// What both sides agreed on is not known any more: they are compared.
    pub fn forget_agreement(&mut self) {
        self.agreed = None;
        self.taken_from = None;
        self.own = None;
    }

    /// The files below these, disk by disk.
    pub fn below(&self, files: &BTreeMap<String, PathBuf>) -> Vec<PathBuf> {
        let below = files.iter().flat_map(|(disk, file)| {
            let all = self.layers.get(disk).map_or(&[][..], Vec::as_slice);
            let at = all.iter().position(|known| known == file);
            all[..at.unwrap_or(0)].iter().cloned()
        });
        below.collect()
    }

    /// Whether a disk is one of the machine's, and not excluded.
    pub fn is_wanted(&self, disk: &str) -> bool {
        let excluded = &self.subject.excluded_disks;
        let described = self.described.as_ref();
        described.is_none_or(|described| wants(described, excluded, disk))
    }

    /// The newest file of each disk that the machine has.
    pub fn top(&self) -> BTreeMap<String, PathBuf> {
        let layers = self.layers.iter().filter(|(disk, _)| self.is_wanted(disk));
        layers
            .filter_map(|(disk, files)| Some((disk.clone(), files.last()?.clone())))
            .collect()
    }

    /// As the contract tells it, with so much that is not over yet, and why nothing arrived.
    pub fn link(&self, pending_bytes: u64, trouble: Option<String>) -> Link {
        Link {
            towards: self.towards,
            state: self.state,
            finalized: self.finalized,
            pending_bytes,
            final_sync: self.last.as_ref().map(|last| last.epoch),
            committed: self.committed,
            epoch: self.epoch,
            points: self
                .points
                .iter()
                .map(|point| Point {
                    at: point.taken.at,
                    name: point.name.clone(),
                    app_consistent: point.quiesced,
                    processed: true,
                })
                .collect(),
            trouble,
        }
    }
}

/// Whether a machine has a disk, and nobody excluded it.
pub fn wants(described: &Described, excluded: &[String], disk: &str) -> bool {
    let known = described.disks.iter().any(|known| known.target == disk);
    known && !excluded.iter().any(|other| other == disk)
}
