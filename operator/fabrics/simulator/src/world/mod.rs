//! The world: sites, machines, links, and what is due.
//!
//! It has no clock: whoever asks says what time it is, and everything that was due by then happens
//! first, in order. Everything in here is synchronous and under one lock.

mod copying;
mod ensure_link;
mod ensure_site;
mod history;
mod index;
mod link;
mod machine;
mod materialize;
pub(crate) mod oracle;
mod outage;
mod points;
mod power;
mod protect;
mod record;
mod refusal;
mod site;
mod survey;
mod time;

use std::collections::{BTreeMap, BTreeSet};

use drover_api::SimulatedMachine;
use drover_api::common::SiteRole;
use drover_api::value::{MachineName, NetworkName, SiteName};
use drover_fabric::InstanceKey;
use drover_world::{EpochEnforcement, Estimates, Power};
use jiff::Timestamp;

pub(crate) use ensure_link::Asker;
pub(crate) use link::Policy;
pub(crate) use record::{Change, Saved};
pub(crate) use refusal::Gate;
pub(crate) use site::Reach;

use crate::Options;
use crate::faults::Fault;
use crate::simulation::DnsRecord;
use history::History;
use index::Index;
use link::{LinkRecord, side};
use machine::{Image, Machine, Traits};
use oracle::Oracle;
use site::Site;
use time::Time;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Machine(usize),
    Making(usize),
    Job(usize),
    Point(usize),
    Processed(usize),
    Fault(usize),
}

/// Members that share their recovery points.
#[derive(Clone, Debug, Default)]
struct Set {
    members: BTreeSet<usize>,
    shared: Option<Timestamp>,
}

/// An ordered pair of sites that machines replicate between.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub sites: [usize; 2],
    pub links: BTreeMap<MachineName, usize>,
    pub index: Index,
    /// Copies that travel now.
    pub jobs: u64,
}

/// Whether data travels between two sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Cut {
    Loud,
    Silent,
}

/// A fault that comes at its time.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Planned {
    at: Timestamp,
    fault: Fault,
    happened: bool,
}

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    epochs: EpochEnforcement,
    obedient: bool,
    time: Time,
    pub now: Timestamp,
    version: u64,
    pub sites: Vec<Site>,
    pub pairs: Vec<Pair>,
    machines: Vec<Machine>,
    links: Vec<LinkRecord>,
    history: History,
    sets: BTreeMap<(usize, String), Set>,
    cuts: BTreeMap<(usize, usize), Cut>,
    planned: Vec<Planned>,
    pub zone: BTreeMap<String, DnsRecord>,
    pub answers: BTreeMap<(String, String, u16, String), u16>,
    pub oracle: Oracle,
    queue: BTreeSet<(Timestamp, u64, Due)>,
    queued: u64,
    changes: record::Changes,
}

impl World {
    pub fn new(options: &Options) -> Self {
        Self {
            seed: options.seed,
            epochs: options.epochs,
            obedient: options.obedient,
            time: Time::new(options.latency),
            now: options.clock.now(),
            version: 0,
            sites: Vec::new(),
            pairs: Vec::new(),
            machines: Vec::new(),
            links: Vec::new(),
            history: History::default(),
            sets: BTreeMap::new(),
            cuts: BTreeMap::new(),
            planned: Vec::new(),
            zone: BTreeMap::new(),
            answers: BTreeMap::new(),
            oracle: Oracle::new(options.log_limit),
            queue: BTreeSet::new(),
            queued: 0,
            changes: record::Changes::default(),
        }
    }

    /// Lets everything happen that is due by now.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((at, order, due)) = self.queue.first().copied() {
            if at > now {
                break;
            }
            self.queue.remove(&(at, order, due));
            self.now = self.now.max(at);
            self.happens(due, at);
        }
        self.now = self.now.max(now);
    }

    /// Lets happen what takes no time.
    fn at_once(&mut self) {
        self.advance(self.now);
    }

    /// When the next thing is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _, _)| *at)
    }

    fn queue(&mut self, at: Timestamp, due: Due) {
        self.queued += 1;
        self.queue.insert((at, self.queued, due));
    }

    /// Something is due, unless it was called off or put off since.
    fn happens(&mut self, due: Due, at: Timestamp) {
        match due {
            Due::Machine(id) if self.machines[id].due == Some(at) => self.power_settles(id),
            Due::Making(id) => {
                let making = self.machines[id].making.as_ref();
                if making.is_some_and(|making| making.until == at) {
                    self.made(id);
                }
            }
            Due::Job(id) => {
                let job = self.links[id].job.as_ref();
                if job.is_some_and(|job| job.ends == at) {
                    self.arrives(id);
                }
            }
            Due::Point(id) if self.links[id].next_point == Some(at) => self.point_due(id),
            Due::Processed(id) => self.processed(id),
            Due::Fault(position) if !self.planned[position].happened => {
                self.planned[position].happened = true;
                self.changes.planned = true;
                let fault = self.planned[position].fault.clone();
                self.inject(&fault);
            }
            _ => {}
        }
    }

    /// A number that follows from the seed and some words.
    fn chance(&self, words: &[&str]) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in words.iter().flat_map(|word| word.bytes().chain([0])) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash ^ (hash >> 29)
    }

    /// The site of this name, made on first use.
    pub fn site(&mut self, name: &SiteName) -> usize {
        if let Some(found) = self.sites.iter().position(|site| site.name == *name) {
            return found;
        }
        self.sites.push(Site::new(name.clone()));
        let id = self.sites.len() - 1;
        self.changes.sites.insert(id);
        id
    }

    /// The pair of these sites, made on first use.
    pub fn pair(&mut self, primary: usize, secondary: usize) -> usize {
        let sites = [primary, secondary];
        if let Some(found) = self.pairs.iter().position(|pair| pair.sites == sites) {
            return found;
        }
        self.pairs.push(Pair {
            sites,
            links: BTreeMap::new(),
            index: Index::default(),
            jobs: 0,
        });
        self.changes.pairs = true;
        self.pairs.len() - 1
    }

    fn find(&self, site: usize, name: &MachineName, drill: bool) -> Option<usize> {
        let key = InstanceKey {
            name: name.clone(),
            drill,
        };
        self.sites[site].machines.get(&key).copied()
    }

    /// What a site knows under a name; heard of now, if never before.
    fn known(&mut self, site: usize, name: &MachineName, drill: bool) -> usize {
        if let Some(found) = self.find(site, name, drill) {
            return found;
        }
        let chance = self.chance(&[self.sites[site].name.as_str(), name.as_str()]);
        let machine = Machine::absent(site, name.clone(), drill, Traits::of(None, chance));
        self.add(machine)
    }

    fn add(&mut self, machine: Machine) -> usize {
        let key = InstanceKey {
            name: machine.name.clone(),
            drill: machine.drill,
        };
        let id = self.machines.len();
        self.sites[machine.site].machines.insert(key, id);
        self.machines.push(machine);
        self.touch(id);
        id
    }

    /// A machine that was always there and runs; made if the site never heard of it.
    pub fn ensure_machine(
        &mut self,
        site: usize,
        name: &MachineName,
        declared: Option<&SimulatedMachine>,
    ) -> usize {
        let id = self.known(site, name, false);
        let machine = &self.machines[id];
        if machine.power != Power::Absent || machine.image != Image::None || machine.epoch > 0 {
            return id;
        }
        let chance = self.chance(&[self.sites[site].name.as_str(), name.as_str()]);
        let content = self.history.begin();
        self.changes.branches.insert(content.branch);
        let nics = declared.map_or(1, |machine| machine.networks.len().max(1));
        let addresses = (0..nics)
            .map(|nic| self.dynamic_address(site, name, nic))
            .collect();
        let machine = &mut self.machines[id];
        machine.traits = Traits::of(declared, chance);
        machine.image = Image::At(content);
        machine.own_branch = true;
        machine.addresses = addresses;
        machine.power = Power::Healthy;
        machine.writing = Some(self.now);
        self.stands_on_its_networks(id);
        self.touch(id);
        id
    }

    /// The networks of a machine of production are networks of production from now on.
    fn stands_on_its_networks(&mut self, id: usize) {
        let machine = &self.machines[id];
        let production = &mut self.sites[machine.site].production;
        for network in machine.traits.networks.iter().filter(|_| !machine.drill) {
            if production.insert(network.clone()) {
                self.changes.sites.insert(machine.site);
            }
        }
    }

    /// A machine changed: it is reported, counted, judged and kept.
    fn touch(&mut self, id: usize) {
        self.version += 1;
        let machine = &mut self.machines[id];
        let before = std::mem::replace(&mut machine.version, self.version);
        let takes = machine.takes();
        let counted = std::mem::replace(&mut machine.counted, takes);
        let site = &mut self.sites[machine.site];
        site.index.changed(id, before, self.version);
        site.used.memory = site.used.memory - counted.memory + takes.memory;
        site.used.cpus = site.used.cpus - counted.cpus + takes.cpus;
        site.used.storage = site.used.storage - counted.storage + takes.storage;
        self.changes.machines.insert(id);
        self.judge_single_active(id);
    }

    /// A link changed: it is reported and kept.
    fn touch_link(&mut self, id: usize) {
        self.version += 1;
        let link = &mut self.links[id];
        let before = std::mem::replace(&mut link.version, self.version);
        self.pairs[link.pair]
            .index
            .changed(id, before, self.version);
        self.changes.links.insert(id);
    }

    /// What a link is to a machine: its side, where the machine is one.
    fn role_of(&self, machine: usize) -> Option<(usize, SiteRole)> {
        let link = self.machines[machine].link?;
        let role = [SiteRole::Primary, SiteRole::Secondary]
            .into_iter()
            .find(|role| self.links[link].sides[side(*role)] == machine)?;
        Some((link, role))
    }

    /// Whether data can travel for a link now.
    fn path(&self, link: usize) -> bool {
        let sites = self.pairs[self.links[link].pair].sites;
        sites
            .iter()
            .all(|site| self.sites[*site].reach == Reach::Up)
            && !self.cuts.contains_key(&ordered(sites))
    }

    /// Plans a fault.
    pub fn plan(&mut self, at: Timestamp, fault: Fault) {
        self.planned.push(Planned {
            at,
            fault,
            happened: false,
        });
        self.changes.planned = true;
        self.queue(at, Due::Fault(self.planned.len() - 1));
        self.at_once();
    }

    /// How long the steps of a machine take from now on.
    pub fn set_times(&mut self, id: usize, times: Estimates) {
        let traits = &mut self.machines[id].traits;
        traits.boot = Some(times.start);
        traits.shutdown = Some(times.stop);
        traits.making = Some(times.materialize);
        traits.last_changes = Some(times.final_sync);
        self.changes.machines.insert(id);
    }

    /// Networks that there are at a site; unset means any.
    pub fn set_networks(&mut self, site: usize, networks: Option<BTreeSet<NetworkName>>) {
        self.sites[site].networks = networks;
        self.changes.sites.insert(site);
    }
}

/// Two sites, whichever is named first.
fn ordered(sites: [usize; 2]) -> (usize, usize) {
    (sites[0].min(sites[1]), sites[0].max(sites[1]))
}
