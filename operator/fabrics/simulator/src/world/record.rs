//! The form in which the world is kept on disk: whole, or what changed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::history::Position;
use super::index::Index;
use super::link::LinkRecord;
use super::machine::Machine;
use super::site::Site;
use super::{Cut, Due, Pair, Planned, World};
use crate::simulation::DnsRecord;
use crate::world::oracle::Violation;
use drover_fabric::InstanceKey;

/// What changed since it was last written down.
#[allow(clippy::struct_excessive_bools)] // Parts of the world, each changed or not.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub sites: BTreeSet<usize>,
    pub machines: BTreeSet<usize>,
    pub links: BTreeSet<usize>,
    pub branches: BTreeSet<usize>,
    pub pairs: bool,
    pub cuts: bool,
    pub planned: bool,
    pub zone: bool,
    pub violations: usize,
}

/// One entry of the journal; the first one of a file holds the whole world.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Change {
    now: Option<Timestamp>,
    sites: Vec<(usize, Site)>,
    pairs: Option<Vec<[usize; 2]>>,
    machines: Vec<(usize, Machine)>,
    links: Vec<(usize, LinkRecord)>,
    branches: Vec<(usize, Option<Position>)>,
    sets: Option<Vec<(usize, String, Option<Timestamp>)>>,
    cuts: Option<Vec<([usize; 2], Cut)>>,
    planned: Option<Vec<Planned>>,
    zone: Option<Vec<(String, DnsRecord)>>,
    violations: Vec<Violation>,
}

/// What was read back, entry by entry.
pub(crate) type Saved = Vec<Change>;

impl World {
    /// What changed since this was last asked; nothing where nothing did.
    pub fn take_changes(&mut self) -> Option<Change> {
        let new_violations = self.oracle.violations.len() > self.changes.violations;
        let seen = self.oracle.violations.len();
        let changes = std::mem::replace(
            &mut self.changes,
            Changes {
                violations: seen,
                ..Changes::default()
            },
        );
        let nothing = changes.sites.is_empty()
            && changes.machines.is_empty()
            && changes.links.is_empty()
            && changes.branches.is_empty()
            && !(changes.pairs || changes.cuts || changes.planned || changes.zone)
            && !new_violations;
        (!nothing).then(|| self.describe(&changes))
    }

    /// Forgets what changed: nobody keeps it.
    pub fn forget_changes(&mut self) {
        self.changes = Changes::default();
    }

    /// Everything.
    pub fn whole_world(&mut self) -> Change {
        let all = Changes {
            sites: (0..self.sites.len()).collect(),
            machines: (0..self.machines.len()).collect(),
            links: (0..self.links.len()).collect(),
            branches: (0..self.history.parted().len()).collect(),
            pairs: true,
            cuts: true,
            planned: true,
            zone: true,
            violations: 0,
        };
        self.changes = Changes {
            violations: self.oracle.violations.len(),
            ..Changes::default()
        };
        self.describe(&all)
    }

    fn describe(&self, changes: &Changes) -> Change {
        let some = |wanted: bool| wanted.then_some(());
        let sets = self
            .sets
            .iter()
            .map(|((pair, name), set)| (*pair, name.clone(), set.shared));
        let set_changed = changes
            .links
            .iter()
            .any(|id| self.links[*id].consistency.is_some());
        let cuts = self
            .cuts
            .iter()
            .map(|((one, other), cut)| ([*one, *other], *cut));
        let zone = self
            .zone
            .iter()
            .map(|(name, record)| (name.clone(), record.clone()));
        Change {
            now: Some(self.now),
            sites: pick(&changes.sites, &self.sites),
            pairs: some(changes.pairs).map(|()| self.pairs.iter().map(|pair| pair.sites).collect()),
            machines: pick(&changes.machines, &self.machines),
            links: pick(&changes.links, &self.links),
            branches: pick(&changes.branches, self.history.parted()),
            sets: some(set_changed).map(|()| sets.collect()),
            cuts: some(changes.cuts).map(|()| cuts.collect()),
            planned: some(changes.planned).map(|()| self.planned.clone()),
            zone: some(changes.zone).map(|()| zone.collect()),
            violations: self.oracle.violations[changes.violations..].to_vec(),
        }
    }

    /// A name of the zone changed.
    pub fn zone_changed(&mut self) {
        self.changes.zone = true;
    }

    /// Puts the world back as it was written down.
    pub fn restore(&mut self, saved: Saved) {
        let mut sets = Vec::new();
        for change in saved {
            self.now = change.now.unwrap_or(self.now);
            place(&mut self.sites, change.sites);
            place(&mut self.machines, change.machines);
            place(&mut self.links, change.links);
            for (branch, from) in change.branches {
                self.history.restore(branch, from);
            }
            if let Some(pairs) = change.pairs {
                self.pairs = pairs.into_iter().map(empty_pair).collect();
            }
            sets = change.sets.unwrap_or(sets);
            if let Some(cuts) = change.cuts {
                let key = |(between, cut): ([usize; 2], Cut)| ((between[0], between[1]), cut);
                self.cuts = cuts.into_iter().map(key).collect();
            }
            self.planned = change.planned.unwrap_or(std::mem::take(&mut self.planned));
            if let Some(zone) = change.zone {
                self.zone = zone.into_iter().collect();
            }
            self.oracle.violations.extend(change.violations);
        }
        self.changes = Changes {
            violations: self.oracle.violations.len(),
            ..Changes::default()
        };
        self.index_again(sets);
    }

    /// What follows from the rest is made anew.
    fn index_again(&mut self, sets: Vec<(usize, String, Option<Timestamp>)>) {
        for (pair, name, shared) in sets {
            self.sets.entry((pair, name)).or_default().shared = shared;
        }
        for id in 0..self.machines.len() {
            let machine = &self.machines[id];
            let key = InstanceKey {
                name: machine.name.clone(),
                drill: machine.drill,
            };
            let due = machine.due.map(|at| (at, Due::Machine(id)));
            let making = machine
                .making
                .as_ref()
                .map(|making| (making.until, Due::Making(id)));
            self.sites[machine.site].machines.insert(key, id);
            for (at, what) in due.into_iter().chain(making) {
                self.queue(at, what);
            }
            self.touch(id);
        }
        for id in 0..self.links.len() {
            let link = &self.links[id];
            let (pair, name, set) = (link.pair, link.primary.clone(), link.consistency.clone());
            let due = [
                link.job.as_ref().map(|job| (job.ends, Due::Job(id))),
                link.next_point.map(|at| (at, Due::Point(id))),
            ];
            self.pairs[pair].jobs += u64::from(link.job.is_some());
            self.pairs[pair].links.insert(name, id);
            if let Some(set) = set {
                self.sets.entry((pair, set)).or_default().members.insert(id);
            }
            for (at, what) in due.into_iter().flatten() {
                self.queue(at, what);
            }
            self.expect_processed(id);
            self.touch_link(id);
        }
        for position in 0..self.planned.len() {
            self.queue(self.planned[position].at, Due::Fault(position));
        }
        self.changes.machines.clear();
        self.changes.links.clear();
    }
}

fn empty_pair(sites: [usize; 2]) -> Pair {
    Pair {
        sites,
        links: std::collections::BTreeMap::new(),
        index: Index::default(),
        jobs: 0,
    }
}

fn pick<T: Clone>(ids: &BTreeSet<usize>, from: &[T]) -> Vec<(usize, T)> {
    ids.iter().map(|id| (*id, from[*id].clone())).collect()
}

/// Things come in the order of their numbers, so a new one goes to the end.
fn place<T>(into: &mut Vec<T>, things: Vec<(usize, T)>) {
    for (id, thing) in things {
        if id < into.len() {
            into[id] = thing;
        } else {
            into.push(thing);
        }
    }
}
