//! Faults happen, and end.

use drover_api::value::{MachineName, SiteName};
use drover_world::{Disk, LinkState, Power};

use super::machine::Image;
use super::{Cut, Reach, World, ordered};
use crate::Fault;

impl World {
    /// Something happens without Drover asking for it.
    pub fn inject(&mut self, fault: &Fault) {
        self.oracle.log(self.now, fault);
        match fault {
            Fault::LoseSite { site } => self.go_dark(site),
            Fault::ReturnSite { site } => self.power_returns(site),
            Fault::Partition { site } => self.cut_off(site, Reach::CutOff),
            Fault::BlackHole { site } => self.cut_off(site, Reach::Silent),
            Fault::Heal { site } => {
                let id = self.site(site);
                if self.powered(id) {
                    self.set_reach(id, Reach::Up);
                }
            }
            Fault::CutLink { one, other, silent } => {
                let cut = if *silent { Cut::Silent } else { Cut::Loud };
                self.set_cut(one, other, Some(cut));
            }
            Fault::HealLink { one, other } => self.set_cut(one, other, None),
            Fault::SlowCopies { site, factor } => self.at(site, |site| site.slow = *factor),
            Fault::ExpireCredentials { site } => self.at(site, |site| site.expired = true),
            Fault::RenewCredentials { site } => self.at(site, |site| site.expired = false),
            Fault::FillStorage { site } => self.at(site, |site| site.full = true),
            Fault::FreeStorage { site } => self.at(site, |site| site.full = false),
            Fault::BreakFencing { site } => self.at(site, |site| site.fencing_broken = true),
            Fault::MendFencing { site } => self.at(site, |site| site.fencing_broken = false),
            Fault::FailBoots { .. }
            | Fault::HangShutdown { .. }
            | Fault::ReleaseShutdown { .. }
            | Fault::SilenceAgent { .. }
            | Fault::WakeAgent { .. }
            | Fault::FailEffects { .. }
            | Fault::PowerOff { .. }
            | Fault::PowerOn { .. }
            | Fault::Reconfigure { .. }
            | Fault::Delete { .. } => self.inject_at_machine(fault),
            Fault::LoseTracking { site, machine } => {
                self.break_link(site, machine, LinkState::ResyncRequired);
            }
            Fault::FailReplication { site, machine } => {
                self.break_link(site, machine, LinkState::Failed);
            }
            Fault::MendReplication { site, machine } => self.mend_link(site, machine),
        }
        self.at_once();
    }

    fn inject_at_machine(&mut self, fault: &Fault) {
        match fault {
            Fault::FailBoots {
                site,
                machine,
                times,
            } => {
                let id = self.named(site, machine);
                self.machines[id].boots_to_fail = *times;
                self.changes.machines.insert(id);
            }
            Fault::FailEffects {
                site,
                machine,
                times,
                class,
            } => {
                let id = self.named(site, machine);
                self.machines[id].effects_to_fail = (*times > 0).then_some((*times, *class));
                self.changes.machines.insert(id);
            }
            Fault::HangShutdown { site, machine } => {
                let id = self.named(site, machine);
                self.machines[id].hangs = true;
                self.changes.machines.insert(id);
            }
            Fault::SilenceAgent { site, machine } => {
                let id = self.named(site, machine);
                let now = self.now;
                let silences = &mut self.machines[id].silences;
                if silences.last().is_none_or(|(_, until)| until.is_some()) {
                    silences.push((now, None));
                }
                self.changes.machines.insert(id);
            }
            Fault::WakeAgent { site, machine } => {
                let id = self.named(site, machine);
                let now = self.now;
                let open = self.machines[id].silences.last_mut();
                if let Some((_, until @ None)) = open {
                    *until = Some(now);
                }
                self.changes.machines.insert(id);
            }
            Fault::ReleaseShutdown { site, machine } => {
                let id = self.named(site, machine);
                self.machines[id].hangs = false;
                self.changes.machines.insert(id);
                if self.machines[id].power == Power::Stopping {
                    self.power_settles(id);
                }
            }
            Fault::PowerOff { site, machine } => {
                let id = self.named(site, machine);
                self.behind_the_back(id);
                if self.machines[id].may_run() {
                    self.cut_power(id);
                    self.machines[id].ran = false;
                }
            }
            Fault::PowerOn { site, machine } => {
                let id = self.named(site, machine);
                self.behind_the_back(id);
                let off = matches!(self.machines[id].power, Power::Off | Power::StartFailed);
                if off && self.powered(self.machines[id].site) && self.disk(id) == Disk::Whole {
                    self.machines[id].held = false;
                    self.switch_on(id);
                }
            }
            Fault::Delete { site, machine } => {
                let id = self.named(site, machine);
                self.behind_the_back(id);
                self.delete(id);
            }
            Fault::Reconfigure {
                site,
                machine,
                cpus,
                memory,
                disk,
                networks,
            } => {
                let id = self.named(site, machine);
                let traits = &mut self.machines[id].traits;
                traits.cpus = cpus.unwrap_or(traits.cpus);
                traits.memory = memory.unwrap_or(traits.memory);
                traits.uncopied.extend(*disk);
                if let Some(networks) = networks {
                    traits.networks.clone_from(networks);
                }
                self.stands_on_its_networks(id);
                self.touch(id);
            }
            _ => {}
        }
    }

    fn named(&mut self, site: &SiteName, machine: &MachineName) -> usize {
        let site = self.site(site);
        self.known(site, machine, false)
    }

    fn at(&mut self, site: &SiteName, change: impl FnOnce(&mut super::site::Site)) {
        let id = self.site(site);
        change(&mut self.sites[id]);
        self.changes.sites.insert(id);
    }

    fn delete(&mut self, id: usize) {
        if self.machines[id].may_run() {
            self.cut_power(id);
        }
        self.settle(id);
        if let Some(link) = self.copied_into(id) {
            self.interrupt(link);
        }
        // What a commit gave up is nobody's source any more.
        if let Some((link, role)) = self.role_of(id)
            && self.links[link].source() == id
            && self.links[link].given_up != Some(role)
        {
            self.break_link_of(link, LinkState::Failed);
        }
        let machine = &mut self.machines[id];
        machine.power = Power::Absent;
        machine.due = None;
        machine.making = None;
        machine.image = Image::None;
        machine.made_at = None;
        machine.made_from = None;
        machine.addresses.clear();
        self.touch(id);
    }

    fn machines_at(&self, site: usize) -> Vec<usize> {
        self.sites[site].machines.values().copied().collect()
    }

    fn go_dark(&mut self, site: &SiteName) {
        let site = self.site(site);
        if !self.powered(site) {
            return;
        }
        for id in self.machines_at(site) {
            self.machines[id].making = None;
            self.machines[id].start_when_off = false;
            self.machines[id].ran = false;
            if self.machines[id].may_run() {
                self.behind_the_back(id);
                self.cut_power(id);
            } else {
                self.touch(id);
            }
        }
        self.set_reach(site, Reach::Dark);
    }

    fn power_returns(&mut self, site: &SiteName) {
        let site = self.site(site);
        if self.powered(site) {
            return;
        }
        self.set_reach(site, Reach::Up);
        for id in self.machines_at(site) {
            self.boots_with_its_site(id);
        }
    }

    fn cut_off(&mut self, site: &SiteName, reach: Reach) {
        let site = self.site(site);
        if self.powered(site) {
            self.set_reach(site, reach);
        }
    }

    fn set_reach(&mut self, site: usize, reach: Reach) {
        self.sites[site].reach = reach;
        self.sites[site].reach_changes += 1;
        self.changes.sites.insert(site);
        self.paths_changed(|sites| sites.contains(&site));
    }

    fn set_cut(&mut self, one: &SiteName, other: &SiteName, cut: Option<Cut>) {
        let between = ordered([self.site(one), self.site(other)]);
        match cut {
            Some(cut) => self.cuts.insert(between, cut),
            None => self.cuts.remove(&between),
        };
        self.changes.cuts = true;
        self.paths_changed(|sites| ordered(sites) == between);
    }

    fn paths_changed(&mut self, of: impl Fn([usize; 2]) -> bool) {
        let links: Vec<usize> = self
            .pairs
            .iter()
            .filter(|pair| of(pair.sites))
            .flat_map(|pair| pair.links.values().copied())
            .collect();
        for link in links {
            self.path_changed(link);
        }
    }

    fn break_link(&mut self, site: &SiteName, machine: &MachineName, state: LinkState) {
        let id = self.named(site, machine);
        if let Some(link) = self.machines[id].link {
            self.break_link_of(link, state);
        }
    }

    fn break_link_of(&mut self, link: usize, state: LinkState) {
        if self.links[link].state == LinkState::None {
            return;
        }
        self.settle(self.links[link].source());
        self.interrupt(link);
        let record = &mut self.links[link];
        record.state = state;
        record.live = None;
        record.next_point = None;
        self.touch_link(link);
    }

    fn mend_link(&mut self, site: &SiteName, machine: &MachineName) {
        let id = self.named(site, machine);
        if let Some(link) = self.machines[id].link
            && self.links[link].state == LinkState::Failed
        {
            self.links[link].state = LinkState::ResyncRequired;
            self.touch_link(link);
        }
    }
}
