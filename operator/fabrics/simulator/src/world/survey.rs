//! What can be seen of the world from outside.

use std::sync::Arc;

use drover_api::value::{MachineName, Quantity};
use drover_api::{Capacity, FencingMethod, Right};
use drover_fabric::{Cursor, Extent, InstanceKey, InstanceSeen, Probe, Sightings};
use drover_world::{Disk, Estimates, Inventory, InventoryMachine, Link, Power};

use super::World;
use super::machine::{Image, Machine};

/// Rights that the simulator tries.
const RIGHTS: [&str; 4] = [
    "observe",
    "startMachine",
    "createMachine",
    "reverseReplication",
];

impl World {
    /// The machines of a site, or those that changed since a cursor.
    pub fn observe_site(
        &self,
        site: usize,
        since: Option<Cursor>,
    ) -> Sightings<InstanceKey, InstanceSeen> {
        let here = &self.sites[site];
        let since = since.filter(|cursor| cursor.0 <= self.version);
        let ids: Vec<usize> = match since {
            None => here.machines.values().copied().collect(),
            Some(cursor) => here.index.since(cursor.0).collect(),
        };
        let known = |machine: &Machine| {
            machine.power != Power::Absent || machine.epoch > 0 || machine.image != Image::None
        };
        let (there, gone): (Vec<usize>, Vec<usize>) =
            ids.into_iter().partition(|id| known(&self.machines[*id]));
        // Among all that there is nobody is missed; among changes they are named.
        let gone = gone.into_iter().filter(|_| since.is_some());
        Sightings {
            cursor: Cursor(self.version),
            extent: Extent::since(since),
            seen: there
                .into_iter()
                .map(|id| (self.key(id), self.seen(id)))
                .collect(),
            gone: gone.map(|id| self.key(id)).collect(),
        }
    }

    fn key(&self, id: usize) -> InstanceKey {
        InstanceKey {
            name: self.machines[id].name.clone(),
            drill: self.machines[id].drill,
        }
    }

    /// What is reported of one machine.
    pub fn seen(&self, id: usize) -> InstanceSeen {
        let machine = &self.machines[id];
        let disk = match (machine.power, self.disk(id)) {
            // While it is made, the disks of what will stand there are not whole.
            (_, disk) if machine.making.is_some() => disk.max(Disk::HalfWritten),
            (_, disk) => disk,
        };
        InstanceSeen {
            instance: machine.instance(disk),
            addresses: machine.addresses.clone(),
        }
    }

    /// The links of a pair, or those that changed since a cursor.
    pub fn observe_pair(&self, pair: usize, since: Option<Cursor>) -> Sightings<MachineName, Link> {
        let pair = &self.pairs[pair];
        let since = since.filter(|cursor| cursor.0 <= self.version);
        let ids: Vec<usize> = match since {
            None => pair.links.values().copied().collect(),
            Some(cursor) => pair.index.since(cursor.0).collect(),
        };
        let seen = ids
            .into_iter()
            .map(|id| (self.links[id].primary.clone(), self.link_seen(id)))
            .collect();
        Sightings {
            cursor: Cursor(self.version),
            extent: Extent::since(since),
            seen,
            gone: Vec::new(),
        }
    }

    /// What is reported of one link.
    pub fn link_seen(&self, id: usize) -> Link {
        let link = &self.links[id];
        Link {
            towards: link.towards,
            state: link.state,
            finalized: link.finalized,
            pending_bytes: self.pending(id),
            final_sync: link.final_sync,
            committed: link.committed,
            epoch: link.epoch,
            points: self.points_seen(id),
            trouble: None,
        }
    }

    /// Confirmed fences of a site.
    pub fn fences(&self, site: usize) -> Vec<(MachineName, u64)> {
        let ids = self.sites[site].machines.values();
        ids.filter_map(|id| {
            let machine = &self.machines[*id];
            Some((machine.name.clone(), machine.fence?))
        })
        .collect()
    }

    /// What a site says of itself.
    pub fn probe(&self, site: usize) -> Probe {
        let site = &self.sites[site];
        let free = site.free();
        let mut names = RIGHTS.to_vec();
        if site.fencing != FencingMethod::None {
            names.push("fence");
        }
        let rights = names.into_iter().map(|name| Right {
            name: name.to_owned(),
            granted: true,
            hint: None,
        });
        Probe {
            rights: rights.collect(),
            capacity: Some(Capacity {
                memory_free: Quantity::from_bytes(free.memory),
                storage_free: Quantity::from_bytes(if site.full { 0 } else { free.storage }),
                cpus_free: free.cpus,
            }),
        }
    }

    /// The machines that stand at a site.
    pub fn inventory(&self, site: usize) -> Inventory {
        let ids = self.sites[site].machines.values();
        ids.map(|id| &self.machines[*id])
            .filter(|machine| machine.power != Power::Absent && !machine.drill)
            .map(|machine| {
                let found = InventoryMachine {
                    labels: machine.traits.labels.clone(),
                    networks: machine.traits.networks.clone(),
                    estimates: self.estimates(machine),
                    hardware: Some(Arc::new(machine.traits.hardware())),
                };
                (machine.name.clone(), found)
            })
            .collect()
    }

    fn estimates(&self, machine: &Machine) -> Option<Estimates> {
        let own = &machine.traits;
        (own.boot.is_some() || own.shutdown.is_some()).then(|| self.time.estimates(own))
    }

    /// The newest change at a site.
    pub fn newest_at_site(&self, site: usize) -> u64 {
        self.sites[site].index.newest()
    }

    /// The newest change of a pair.
    pub fn newest_of_pair(&self, pair: usize) -> u64 {
        self.pairs[pair].index.newest()
    }

    /// How often the sites of a pair became reachable or ceased to be.
    pub fn reach_changes(&self, sites: &[usize]) -> u64 {
        sites
            .iter()
            .map(|site| self.sites[*site].reach_changes)
            .sum()
    }

    /// Whether a machine would answer its users.
    pub fn answers(&self, site: usize, name: &MachineName, drill: bool) -> bool {
        let found = self.find(site, name, drill).map(|id| &self.machines[id]);
        self.powered(site)
            && found
                .is_some_and(|machine| machine.power == Power::Healthy && machine.fence.is_none())
    }

    /// A machine by its name, if its site ever heard of it.
    pub fn machine_named(&self, site: usize, name: &MachineName, drill: bool) -> Option<usize> {
        self.find(site, name, drill)
    }

    /// What the disks of a machine hold, told apart from whatever else they could.
    pub fn fingerprint(&self, id: usize) -> Option<String> {
        if self.machines[id].image == Image::None && self.copied_into(id).is_none() {
            return None;
        }
        let blocks = self.blocks(id);
        let text: Vec<String> = blocks
            .iter()
            .map(|block| {
                block.map_or_else(String::new, |at| format!("{}.{}", at.branch, at.number))
            })
            .collect();
        Some(text.join(" "))
    }

    /// A link by its machine.
    pub fn link_of(&self, machine: usize) -> Option<usize> {
        self.machines[machine].link
    }

    /// Two copies of this machine may serve: somebody accepted that by name.
    pub fn accept_split_brain(&mut self, link: usize) {
        self.links[link].split_brain_accepted = true;
        self.changes.links.insert(link);
    }

    /// What is declared of a site.
    pub fn declare(&mut self, site: usize, spec: &drover_api::SiteSpec) {
        let drover_api::Fabric::Simulator(fabric) = &spec.fabric else {
            return;
        };
        let here = &mut self.sites[site];
        if here.fencing != spec.fencing.method || here.time_zone != spec.time_zone {
            here.fencing = spec.fencing.method;
            here.time_zone = spec.time_zone.clone();
            self.changes.sites.insert(site);
        }
        for machine in &fabric.machines {
            self.ensure_machine(site, &machine.name, Some(machine));
        }
    }

    /// Sets what is free in an empty site.
    pub fn set_capacity(&mut self, site: usize, memory: u64, storage: u64, cpus: u32) {
        self.sites[site].capacity = super::machine::Use {
            memory,
            cpus,
            storage,
        };
        self.changes.sites.insert(site);
    }
}
