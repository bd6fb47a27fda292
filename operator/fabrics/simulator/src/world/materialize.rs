//! Machines are made from copies.

use std::net::{IpAddr, Ipv4Addr};

use drover_api::common::SiteRole;
use drover_api::value::{Address, MachineName, Quantity};
use drover_api::{AddressRule, LocationType, RunNic};
use drover_fabric::{Answer, Materialize, Subject};
use drover_world::{Disk, FabricError, LinkState, Outcome, Power, Stamp};

use super::ensure_link::{Asker, direction};
use super::history::Position;
use super::link::side;
use super::machine::{Image, MadeFrom, Making, Traits, later};
use super::refusal::{retryable, terminal, unsupported};
use super::{Due, World};

impl World {
    /// A machine stands at a site, off.
    pub fn materialize(
        &mut self,
        asker: Asker<'_>,
        stamp: &Stamp,
        machine: &Subject,
        with: &Materialize,
    ) -> Answer {
        let rules = direction(asker.rules, with.site);
        if rules.is_none_or(|rules| with.drill && !rules.test) {
            return Err(unsupported(
                format!("{} does not do that in this direction", asker.rules.name),
                "look at the table of pairs",
            ));
        }
        let link = self.link(asker, machine);
        let site = self.pairs[asker.pair].sites[side(with.site)];
        let id = self.known(site, machine.at(with.site), with.drill);
        self.check_epoch(self.machines[id].epoch, stamp)?;
        if !with.drill {
            self.check_epoch(self.links[link].epoch, stamp)?;
        }
        self.injected_failure(id)?;
        self.record_epoch(id, stamp.epoch);
        if self.links[link].towards != with.site {
            return Err(terminal(
                format!("the copies of {} are at the other site", machine.primary),
                "look which way its data flows",
            ));
        }
        let answer = if with.drill {
            self.make_for_drill(link, id, stamp, with)
        } else {
            if self.links[link].epoch < stamp.epoch {
                self.links[link].epoch = stamp.epoch;
                self.touch_link(link);
            }
            self.make_for_production(link, id, stamp, with)
        };
        self.at_once();
        match answer {
            Ok(Outcome::Started) if self.machines[id].made_at == Some(stamp.epoch) => {
                Ok(Outcome::Reached)
            }
            answer => answer,
        }
    }

    fn make_for_production(
        &mut self,
        link: usize,
        id: usize,
        stamp: &Stamp,
        with: &Materialize,
    ) -> Answer {
        if let Some(so) = self.already_made(id, stamp) {
            return Ok(so);
        }
        self.place_is_free(link, id, with)?;
        let (content, from) = match &with.point {
            None => (self.finally_synced(link, with.site)?, MadeFrom::FinalSync),
            Some(name) => (self.content_of_point(link, id, name)?, MadeFrom::Point),
        };
        self.judge_effect_once(id, "materialize", stamp.epoch);
        self.settle(self.links[link].source());
        let behind = with.site.other();
        let now = self.now;
        let record = &mut self.links[link];
        record.state = LinkState::Paused;
        record.live = None;
        record.next_point = None;
        record.paused = record.paused.or(Some(now));
        record.left = Some(behind);
        self.touch_link(link);
        let source = record_source(self, link, behind);
        self.machines[id].traits = self.made_as(id, source, with);
        self.machines[id].held = true;
        self.begin_making(id, stamp, with, content, from);
        Ok(Outcome::Started)
    }

    fn make_for_drill(
        &mut self,
        link: usize,
        id: usize,
        stamp: &Stamp,
        with: &Materialize,
    ) -> Answer {
        if let Some(so) = self.already_made(id, stamp) {
            return Ok(so);
        }
        if self.machines[id].may_run() {
            return Err(retryable(
                format!("a drill of {} still stands", self.machines[id].name),
                "end that drill first",
            ));
        }
        self.room_for(id, &with.nics)?;
        let (content, from) = match &with.point {
            None => (self.finally_synced(link, with.site)?, MadeFrom::FinalSync),
            Some(name) => match self.point_named(link, name) {
                Some(content) => (content, MadeFrom::Point),
                None => return Err(no_such_point(name)),
            },
        };
        self.judge_effect_once(id, "materialize", stamp.epoch);
        self.judge_drill_networks(id, &with.nics);
        let copy = self.links[link].sides[side(with.site)];
        self.machines[id].traits = self.made_as(id, copy, with);
        self.begin_making(id, stamp, with, content, from);
        Ok(Outcome::Started)
    }

    /// Nothing to do, where it stands already or is being made.
    fn already_made(&self, id: usize, stamp: &Stamp) -> Option<Outcome> {
        let machine = &self.machines[id];
        let made = machine.made_at.is_some_and(|made| made >= stamp.epoch);
        if made && machine.power != Power::Absent {
            return Some(Outcome::Reached);
        }
        let making = machine.making.as_ref()?;
        if making.epoch < stamp.epoch {
            return None;
        }
        let all = super::machine::millis_between(making.began, making.until);
        let passed = super::machine::millis_between(making.began, self.now);
        let percent = (passed * 100).checked_div(all);
        Some(Outcome::InProgress {
            percent: percent.and_then(|percent| u8::try_from(percent).ok()),
        })
    }

    /// Whether a machine may be made in this place (SA-7, SA-9).
    fn place_is_free(&self, link: usize, id: usize, with: &Materialize) -> Result<(), FabricError> {
        let machine = &self.machines[id];
        if machine.may_run() {
            self.unless_obedient(terminal(
                format!("{} runs there; what runs is not overwritten", machine.name),
                "look who started it, and stop it first",
            ))?;
        }
        if self.is_stranger(link, id) {
            self.unless_obedient(terminal(
                format!(
                    "Drover did not make the machine {} that is there",
                    machine.name
                ),
                "give the machine another name at this site, or remove the other one",
            ))?;
        }
        self.may_be_made(id, with)?;
        self.room_for(id, &with.nics)
    }

    /// At another location only what is there already, unless it is declared to be made (FB-4).
    fn may_be_made(&self, id: usize, with: &Materialize) -> Result<(), FabricError> {
        let machine = &self.machines[id];
        let elsewhere = with.location.kind == LocationType::Alternate;
        if elsewhere && machine.power == Power::Absent && !with.location.create_if_missing {
            return Err(terminal(
                format!("there is no machine {} at the other location", machine.name),
                "declare createIfMissing",
            ));
        }
        Ok(())
    }

    /// Whether the site has room and networks for a machine.
    fn room_for(&self, id: usize, nics: &[RunNic]) -> Result<(), FabricError> {
        let machine = &self.machines[id];
        let site = &self.sites[machine.site];
        let stands = machine.image != Image::None;
        let free = site.free();
        let traits = self.becomes(id);
        let storage: u64 = traits.disks.iter().sum();
        if site.full || (!stands && free.storage < storage) {
            return Err(retryable(
                format!("out of disk at {}", site.name),
                "make room at the target",
            ));
        }
        if free.memory < traits.memory || free.cpus < traits.cpus {
            return Err(retryable(
                format!("out of memory or processors at {}", site.name),
                "make room at the target",
            ));
        }
        for nic in nics {
            let there = |networks: &std::collections::BTreeSet<_>| networks.contains(&nic.network);
            if !site.networks.as_ref().is_none_or(there) {
                return Err(terminal(
                    format!("there is no network {} at {}", nic.network, site.name),
                    "make the network, or map another one",
                ));
            }
        }
        Ok(())
    }

    /// What a machine will be here: as it is at the other side.
    fn becomes(&self, id: usize) -> &Traits {
        let link = self.role_of(id);
        let other = link.map(|(link, role)| self.links[link].sides[side(role.other())]);
        &self.machines[other.unwrap_or(id)].traits
    }

    /// What a machine is made as: like the one that its data comes from, but for what is declared of it here,
    /// and for what it was here before. Disks that nothing copied are not made.
    fn made_as(&self, id: usize, from: usize, with: &Materialize) -> Traits {
        let before = &self.machines[id];
        let stood = before.power != Power::Absent;
        let sizes = if stood { id } else { from };
        let sizes = &self.machines[sizes].traits;
        let settings = with.settings.as_ref();
        let cpus = settings.and_then(|settings| settings.cpus);
        let memory = settings.and_then(|settings| settings.memory.as_ref());
        Traits {
            cpus: cpus.unwrap_or(sizes.cpus),
            memory: memory.map_or(sizes.memory, Quantity::bytes),
            uncopied: Vec::new(),
            ..self.machines[from].traits.clone()
        }
    }

    /// What the final synchronisation left at a side.
    fn finally_synced(&self, link: usize, site: SiteRole) -> Result<Position, FabricError> {
        let record = &self.links[link];
        let copy = record.sides[side(site)];
        let complete = record.towards == site && record.final_sync.is_some();
        let held = record.applied.map(|(_, position)| position);
        match held.filter(|_| complete && self.disk(copy) == Disk::Whole) {
            Some(position) => Ok(position),
            None => Err(retryable(
                format!("the last changes of {} are not here", record.primary),
                "stop the source and synchronise finally, or name a recovery point",
            )),
        }
    }

    /// What a recovery point holds. A copy that still travels there ends: it would write into the machine.
    fn content_of_point(
        &mut self,
        link: usize,
        id: usize,
        name: &str,
    ) -> Result<Position, FabricError> {
        let Some(content) = self.point_named(link, name) else {
            return Err(no_such_point(name));
        };
        if self.copied_into(id) == Some(link) {
            self.interrupt(link);
        }
        Ok(content)
    }

    fn begin_making(
        &mut self,
        id: usize,
        stamp: &Stamp,
        with: &Materialize,
        content: Position,
        from: MadeFrom,
    ) {
        let site = self.machines[id].site;
        let name = self.machines[id].name.clone();
        let addresses = self.addresses_of(site, &name, &with.nics);
        let length = self
            .time
            .materialize(&self.machines[id].traits, self.sites[site].slow);
        let until = later(self.now, length);
        self.effect(id, "materialize", stamp.epoch);
        self.machines[id].making = Some(Making {
            began: self.now,
            until,
            epoch: stamp.epoch,
            from,
            content,
            addresses,
            networks: with.nics.iter().map(|nic| nic.network.clone()).collect(),
        });
        self.queue(until, Due::Making(id));
        self.touch(id);
    }

    /// A machine stands.
    pub(super) fn made(&mut self, id: usize) {
        let Some(making) = self.machines[id].making.take() else {
            return;
        };
        let machine = &mut self.machines[id];
        machine.power = Power::Off;
        machine.due = None;
        machine.writing = None;
        machine.image = Image::At(making.content);
        machine.own_branch = false;
        machine.made_at = Some(making.epoch);
        machine.made_from = Some(making.from);
        machine.started_at = None;
        machine.addresses = making.addresses;
        machine.traits.networks = making.networks;
        self.stands_on_its_networks(id);
        self.touch(id);
    }

    fn addresses_of(&self, site: usize, name: &MachineName, nics: &[RunNic]) -> Vec<Address> {
        let mut addresses = Vec::new();
        for (position, nic) in nics.iter().enumerate() {
            match nic.addresses {
                AddressRule::Keep | AddressRule::Assign if !nic.assigned.is_empty() => {
                    addresses.extend(nic.assigned.iter().copied());
                }
                _ => addresses.push(self.dynamic_address(site, name, position)),
            }
        }
        addresses
    }

    /// As DHCP would choose: always the same for an interface of a machine at a site.
    pub(super) fn dynamic_address(&self, site: usize, name: &MachineName, nic: usize) -> Address {
        let position = nic.to_string();
        let site = self.sites[site].name.as_str();
        let [.., a, b, c] = self
            .chance(&["dhcp", site, name.as_str(), &position])
            .to_be_bytes();
        Address::from(IpAddr::V4(Ipv4Addr::new(10, a, b, c)))
    }

    /// Whether a site could take a machine.
    pub fn accepts(
        &mut self,
        site: usize,
        name: &MachineName,
        with: &Materialize,
    ) -> Result<(), FabricError> {
        let id = self.known(site, name, with.drill);
        let stranger = match self.role_of(id) {
            Some((link, _)) => self.is_stranger(link, id),
            None => self.machines[id].power != Power::Absent && self.machines[id].made_at.is_none(),
        };
        if stranger && !with.drill {
            return Err(terminal(
                format!("Drover did not make the machine {name} that is there"),
                "give the machine another name at this site, or remove the other one",
            ));
        }
        self.may_be_made(id, with)?;
        self.room_for(id, &with.nics)
    }
}

fn record_source(world: &World, link: usize, behind: SiteRole) -> usize {
    world.links[link].sides[side(behind)]
}

fn no_such_point(name: &str) -> FabricError {
    terminal(
        format!("there is no recovery point {name}"),
        "choose one that is listed",
    )
}
