//! The life of a link between its copies: begun, committed, returned, let go.

use drover_api::InitialReplication;
use drover_api::common::SiteRole;
use drover_fabric::{Answer, Subject};
use drover_world::{LinkState, Outcome, Power, Stamp};

use super::World;
use super::ensure_link::Asker;
use super::link::{LinkRecord, side};
use super::machine::Image;
use super::points::Rhythm;
use super::refusal::{retryable, terminal};

impl World {
    /// The link of a machine, heard of now if never before; its policy is that of whoever asks.
    pub(super) fn link(&mut self, asker: Asker<'_>, machine: &Subject) -> usize {
        let chance = match &machine.consistency {
            Some(set) => self.chance(&[set]),
            None => self.chance(&[machine.primary.as_str()]),
        };
        let rhythm = Rhythm::of(asker.policy, chance);
        if let Some(id) = self.pairs[asker.pair].links.get(&machine.primary).copied() {
            if self.links[id].rhythm != rhythm || self.links[id].policy != *asker.policy {
                self.settle_points(id);
                self.links[id].rhythm = rhythm;
                self.links[id].policy = asker.policy.clone();
                self.touch_link(id);
            }
            self.join_set(id, machine.consistency.clone());
            return id;
        }
        let sites = self.pairs[asker.pair].sites;
        let sides = [
            self.known(sites[0], &machine.primary, false),
            self.known(sites[1], &machine.secondary, false),
        ];
        let id = self.links.len();
        self.links.push(LinkRecord {
            pair: asker.pair,
            primary: machine.primary.clone(),
            secondary: machine.secondary.clone(),
            sides,
            consistency: None,
            policy: asker.policy.clone(),
            rhythm,
            towards: SiteRole::Secondary,
            state: LinkState::None,
            finalized: false,
            epoch: 0,
            final_sync: None,
            complete_since: None,
            committed: None,
            origin: None,
            adopted: false,
            left: None,
            given_up: None,
            job: None,
            live: None,
            applied: None,
            points: Vec::new(),
            paused: None,
            next_point: None,
            leftover: None,
            split_brain_accepted: false,
            version: 0,
        });
        self.pairs[asker.pair]
            .links
            .insert(machine.primary.clone(), id);
        self.join_set(id, machine.consistency.clone());
        self.touch_link(id);
        id
    }

    fn join_set(&mut self, id: usize, set: Option<String>) {
        let link = &mut self.links[id];
        if link.consistency == set {
            return;
        }
        let pair = link.pair;
        let before = std::mem::replace(&mut link.consistency, set.clone());
        if let Some(left) = before.and_then(|set| self.sets.get_mut(&(pair, set))) {
            left.members.remove(&id);
        }
        if let Some(set) = set {
            self.sets.entry((pair, set)).or_default().members.insert(id);
        }
        self.touch_link(id);
    }

    /// The two sides know of each other.
    pub(super) fn relate(&mut self, id: usize, towards: SiteRole) -> Answer {
        let link = &self.links[id];
        let (source, target) = (link.sides[side(towards.other())], link.sides[side(towards)]);
        if link.state != LinkState::None {
            if link.towards == towards {
                return Ok(Outcome::Reached);
            }
            return Err(terminal(
                format!("{} replicates the other way", link.primary),
                "let go of it first, or reverse it",
            ));
        }
        let name = self.machines[source].name.clone();
        self.ensure_machine(self.machines[source].site, &name, None);
        if self.machines[source].power == Power::Absent {
            return Err(terminal(
                format!("there is no machine {name} to protect"),
                "look whether it was removed at its site",
            ));
        }
        for machine in [source, target] {
            let other = self.machines[machine].link.filter(|other| *other != id);
            if other.is_some_and(|other| self.links[other].state != LinkState::None) {
                return Err(terminal(
                    format!(
                        "{} replicates with another site already",
                        self.machines[machine].name
                    ),
                    "let go of it there first",
                ));
            }
        }
        self.links[id].origin.get_or_insert(towards.other());
        let adopts = self.links[id].policy.initial == InitialReplication::ExistingCopy;
        if adopts {
            self.links[id].adopted = true;
        }
        if self.is_stranger(id, target) {
            let name = &self.machines[target].name;
            self.unless_obedient(terminal(
                format!("a machine {name} is there already, and Drover did not make it"),
                "give the copy another name, or declare initialReplication: ExistingCopy",
            ))?;
        }
        for machine in [source, target] {
            self.machines[machine].link = Some(id);
            self.changes.machines.insert(machine);
        }
        let link = &mut self.links[id];
        link.towards = towards;
        link.given_up = link.given_up.filter(|side| *side == towards);
        link.state = LinkState::Paused;
        self.log_link(id, "related", None);
        self.touch_link(id);
        Ok(Outcome::Reached)
    }

    /// Whether a machine stands there that Drover neither made, nor protected first, nor was told to
    /// adopt (SA-7).
    pub(super) fn is_stranger(&self, id: usize, machine: usize) -> bool {
        let link = &self.links[id];
        let own = &self.machines[machine];
        let original = link
            .origin
            .is_some_and(|origin| link.sides[side(origin)] == machine);
        own.power != Power::Absent && own.made_at.is_none() && !original && !link.adopted
    }

    /// A run does its first thing to a machine: retention is paused until it is committed or cancelled.
    pub(super) fn run_begins(&mut self, machine: usize) {
        let Some((id, role)) = self.role_of(machine) else {
            return;
        };
        let link = &self.links[id];
        if link.towards == role || link.state == LinkState::None || link.paused.is_some() {
            return;
        }
        self.settle(machine);
        self.links[id].paused = Some(self.now);
        self.touch_link(id);
    }

    /// A machine is started at the side that a failover left: the failover is over.
    pub(super) fn returned(&mut self, machine: usize) {
        let Some((id, role)) = self.role_of(machine) else {
            return;
        };
        let link = &mut self.links[id];
        if link.left == Some(role) {
            link.left = None;
            link.given_up = Some(role.other());
            link.paused = None;
            self.log_link(id, "returned", None);
            self.touch_link(id);
        } else if link.left.is_none() && link.towards != role && link.paused.is_some() {
            link.paused = None;
            self.touch_link(id);
        }
    }

    /// The failover stands: other points go, and what stayed behind is dealt with (FB-6).
    pub(super) fn commit(&mut self, id: usize, left: SiteRole, stamp: &Stamp) -> Answer {
        let link = &self.links[id];
        if link.committed.is_some_and(|epoch| epoch >= stamp.epoch) {
            return Ok(Outcome::Reached);
        }
        let stands = self.machines[link.sides[side(left.other())]].power != Power::Absent;
        if link.left != Some(left) || !stands {
            self.unless_obedient(terminal(
                format!("there is no failover of {} to commit", link.primary),
                "look where the machine runs",
            ))?;
        }
        if self.links[id].job.is_some() {
            return Err(retryable(
                format!("data of {} still travels", self.links[id].primary),
                "wait until it has arrived",
            ));
        }
        let link = &mut self.links[id];
        link.committed = Some(stamp.epoch);
        link.left = None;
        link.given_up = Some(left);
        link.points.clear();
        link.paused = None;
        link.complete_since = None;
        link.final_sync = None;
        // At home the machine itself stays, off, as the seed of the way back.
        link.leftover = (left == SiteRole::Secondary).then_some(left);
        self.log_link(id, "commit", Some(stamp.epoch));
        self.touch_link(id);
        self.remove_leftover(id);
        Ok(Outcome::Reached)
    }

    /// What a committed failover made at the side that was left is removed, now or as soon as its site is
    /// reached. Nothing live is ever cleaned up (SA-4); its disks stay as the base of the next copy.
    pub(super) fn remove_leftover(&mut self, id: usize) {
        let Some(left) = self.links[id].leftover else {
            return;
        };
        let behind = self.links[id].sides[side(left)];
        let machine = &self.machines[behind];
        if self.sites[machine.site].reach != super::Reach::Up {
            return;
        }
        self.links[id].leftover = None;
        let off = matches!(machine.power, Power::Off | Power::StartFailed);
        if machine.made_at.is_none() || !off {
            return;
        }
        let epoch = machine.epoch;
        let machine = &mut self.machines[behind];
        machine.power = Power::Absent;
        machine.made_at = None;
        machine.made_from = None;
        machine.addresses.clear();
        self.effect(behind, "remove", epoch);
        self.touch(behind);
    }

    /// Nothing replicates any more.
    pub(super) fn unrelate(&mut self, id: usize, remove_replica: bool, stamp: &Stamp) {
        if self.links[id].state == LinkState::None && !remove_replica {
            return;
        }
        self.settle(self.links[id].source());
        self.interrupt(id);
        let target = self.links[id].target();
        let link = &mut self.links[id];
        link.state = LinkState::None;
        link.live = None;
        link.next_point = None;
        link.finalized = false;
        link.paused = None;
        link.final_sync = None;
        link.complete_since = None;
        if remove_replica {
            link.points.clear();
            link.applied = None;
            let machine = &mut self.machines[target];
            // Only what nobody ever started is a copy; a machine is not removed by letting go.
            if machine.power == Power::Absent {
                machine.image = Image::None;
            }
            self.touch(target);
        }
        self.log_link(id, "let go", Some(stamp.epoch));
        self.touch_link(id);
    }
}
