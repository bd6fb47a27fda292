//! The judge: it looks at what took effect, and knows nothing of why it was asked.
//!
//! It derives what it needs from the disks and from what runs, never from what refused or allowed it. The
//! names are those of the engine's invariants.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use drover_api::RunNic;
use drover_api::common::SiteRole;
use drover_api::value::{MachineName, SiteName};
use drover_fabric::LinkGoal;
use drover_world::Power;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::World;
use super::link::{Travel, side};
use super::machine::MadeFrom;
use super::points::{Listed, PointKind};
use crate::Fault;

/// Something happened that must never happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The name of the invariant that is broken.
    pub invariant: String,
    /// Where it was seen.
    pub site: SiteName,
    /// The machine's name there.
    pub machine: MachineName,
    /// What happened.
    pub message: String,
    /// When.
    pub at: Timestamp,
    /// Whether the risk was accepted by name.
    pub accepted: bool,
}

/// Something that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When.
    pub at: Timestamp,
    /// Where; nothing for what happened to the whole world.
    pub site: Option<SiteName>,
    /// The machine's name there, or at the primary site for what happened to its link.
    pub machine: Option<MachineName>,
    /// What.
    pub what: String,
    /// The epoch of the request; nothing for what nobody asked for.
    pub epoch: Option<u64>,
}

/// What was seen so far.
#[derive(Debug)]
pub(crate) struct Oracle {
    pub violations: Vec<Violation>,
    pub log: VecDeque<LogEntry>,
    limit: usize,
    /// The epoch at which something last took effect on a machine.
    effects: BTreeMap<(usize, &'static str), u64>,
    /// Machines whose two copies are known to serve now: reported once.
    both: BTreeSet<usize>,
    pub calls: BTreeMap<&'static str, u64>,
}

impl Oracle {
    pub fn new(limit: usize) -> Self {
        Self {
            violations: Vec::new(),
            log: VecDeque::new(),
            limit,
            effects: BTreeMap::new(),
            both: BTreeSet::new(),
            calls: BTreeMap::new(),
        }
    }

    fn entry(&mut self, entry: LogEntry) {
        if self.log.len() >= self.limit {
            self.log.pop_front();
        }
        if self.limit > 0 {
            self.log.push_back(entry);
        }
    }

    /// A fault happened.
    pub fn log(&mut self, at: Timestamp, fault: &Fault) {
        self.entry(LogEntry {
            at,
            site: None,
            machine: None,
            what: format!("fault: {fault:?}"),
            epoch: None,
        });
    }
}

impl World {
    /// Something took effect on a machine.
    pub(super) fn effect(&mut self, id: usize, what: &str, epoch: u64) {
        let machine = &self.machines[id];
        self.oracle.entry(LogEntry {
            at: self.now,
            site: Some(self.sites[machine.site].name.clone()),
            machine: Some(machine.name.clone()),
            what: what.to_owned(),
            epoch: Some(epoch),
        });
    }

    /// Something took effect on a link.
    pub(super) fn log_link(&mut self, id: usize, what: &str, epoch: Option<u64>) {
        let link = &self.links[id];
        let to = self.machines[link.target()].site;
        self.oracle.entry(LogEntry {
            at: self.now,
            site: Some(self.sites[to].name.clone()),
            machine: Some(link.primary.clone()),
            what: what.to_owned(),
            epoch,
        });
    }

    fn violated(&mut self, id: usize, invariant: &str, message: String) {
        let machine = &self.machines[id];
        let link = machine.link.map(|link| &self.links[link]);
        let accepted =
            invariant == "single_active" && link.is_some_and(|link| link.split_brain_accepted);
        self.oracle.violations.push(Violation {
            invariant: invariant.to_owned(),
            site: self.sites[machine.site].name.clone(),
            machine: machine.name.clone(),
            message,
            at: self.now,
            accepted,
        });
    }

    /// Somebody changed a machine by hand: what Drover did before says nothing about what it does next.
    pub(super) fn behind_the_back(&mut self, id: usize) {
        for what in ["start", "materialize"] {
            self.oracle.effects.remove(&(id, what));
        }
    }

    pub(super) fn judge_single_active(&mut self, id: usize) {
        let Some((link, _)) = self.role_of(id) else {
            return;
        };
        let [primary, secondary] = self.links[link].sides;
        let both = self.machines[primary].may_serve() && self.machines[secondary].may_serve();
        if !both {
            self.oracle.both.remove(&link);
        } else if self.oracle.both.insert(link) {
            self.violated(id, "single_active", "it may serve at both sites".into());
        }
    }

    /// Looks at the disks that a machine is switched on with.
    pub(super) fn judge_start(&mut self, id: usize) {
        let blocks = self.blocks(id);
        if self.copied_into(id).is_some() {
            let message = "it was started while a copy is written into its disks".into();
            self.violated(id, "whole_disk", message);
        } else if self.history.place_of(&blocks).is_none() {
            let message = "its disks hold no one instant".into();
            self.violated(id, "whole_disk", message);
        }
        if self.machines[id].made_from != Some(MadeFrom::FinalSync) {
            return;
        }
        let Some((link, role)) = self.role_of(id) else {
            return;
        };
        let source = self.links[link].sides[side(role.other())];
        let acknowledged = self.machines[source].position_at(self.now);
        let (Some(newest), Some(held)) = (acknowledged, self.history.place_of(&blocks)) else {
            return;
        };
        // Once it wrote by itself, the other side is what was left behind.
        if !self.machines[id].own_branch && !self.history.holds(held, newest) {
            let missing = self.history.apart(held, newest).unwrap_or_default();
            let message = format!("{missing} acknowledged writes are missing");
            self.violated(id, "zero_loss", message);
        }
    }

    /// The same step takes effect once for one epoch.
    pub(super) fn judge_effect_once(&mut self, id: usize, what: &'static str, epoch: u64) {
        if self.oracle.effects.insert((id, what), epoch) == Some(epoch) {
            let message = format!("{what} took effect twice at epoch {epoch}");
            self.violated(id, "effect_once", message);
        }
    }

    /// Nothing travels towards a side that a failover left before its commit, nor into what runs.
    pub(super) fn judge_travel(&mut self, link: usize, travel: Travel, towards: SiteRole) {
        let into = self.links[link].sides[side(towards)];
        if self.links[link].left == Some(towards) {
            let message = format!("{travel:?} towards it before the commit");
            self.violated(into, "nothing_backwards", message);
        }
        if self.machines[into].may_run() {
            let message = format!("{travel:?} writes into its disks while it runs");
            self.violated(into, "whole_disk", message);
        }
    }

    /// Points go by retention, by a commit, or with the copy.
    pub(super) fn judge_points(&mut self, link: usize, before: &Listed, goal: Option<LinkGoal>) {
        let allowed = match goal {
            Some(LinkGoal::Committed { left }) => {
                // A commit of a failover; an obedient fabric also does it without one.
                self.machines[self.links[link].sides[side(left.other())]].power != Power::Absent
            }
            Some(LinkGoal::Unrelated { remove_replica }) => remove_replica,
            _ => false,
        };
        if allowed {
            return;
        }
        let after = self.points(link);
        let record = &self.links[link];
        // Where retention goes on again after a pause, what it would have dropped goes now.
        let kept = |at, kind| record.paused.is_some() || record.rhythm.keeps_of(at, kind, self.now);
        let gone = before
            .iter()
            .filter(|(at, (_, kind))| *kind != PointKind::Delta && kept(**at, *kind))
            .filter(|(at, _)| !after.contains_key(*at));
        let gone = gone.count();
        if gone > 0 {
            let machine = self.links[link].sides[0];
            let message = format!("{gone} recovery points went without retention or commit");
            self.violated(machine, "points_kept", message);
        }
    }

    /// A drill's machine stands on no network of production.
    pub(super) fn judge_drill_networks(&mut self, id: usize, nics: &[RunNic]) {
        let site = self.machines[id].site;
        let production = &self.sites[site].production;
        let shared = nics.iter().find(|nic| production.contains(&nic.network));
        if let Some(nic) = shared {
            let message = format!(
                "its drill stands on {}, a network of production",
                nic.network
            );
            self.violated(id, "drill_apart", message);
        }
    }
}
