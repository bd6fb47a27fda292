//! Machines start, run and stop.

use drover_world::Power;

use super::machine::{Image, later};
use super::{Due, Reach, World};

impl World {
    /// Writes down what a guest wrote and what was copied of it until now. Whatever changes what a guest
    /// does, or what its disks hold, comes after it.
    pub(super) fn settle(&mut self, id: usize) {
        if let Some(link) = self.machines[id].link {
            self.settle_points(link);
            self.changes.links.insert(link);
        }
        self.machines[id].collapse(self.now);
        self.changes.machines.insert(id);
    }

    /// The one way in which power changes.
    fn set_power(&mut self, id: usize, power: Power) {
        self.settle(id);
        let now = self.now;
        let machine = &mut self.machines[id];
        machine.power = power;
        let writes = power == Power::Healthy && machine.fence.is_none();
        machine.writing = writes.then_some(now);
        let takes = match power {
            Power::Starting => Some(self.time.start(&self.machines[id].traits)),
            Power::Stopping if self.machines[id].hangs => None,
            Power::Stopping => Some(self.time.stop(&self.machines[id].traits)),
            _ => None,
        };
        let due = takes.map(|takes| later(now, takes));
        self.machines[id].due = due;
        if let Some(due) = due {
            self.queue(due, Due::Machine(id));
        }
        self.touch(id);
        if let Some(link) = self.machines[id].link {
            self.touch_link(link);
        }
    }

    /// Starts or stops have ended.
    pub(super) fn power_settles(&mut self, id: usize) {
        match self.machines[id].power {
            Power::Starting if self.machines[id].boots_to_fail > 0 => {
                self.machines[id].boots_to_fail -= 1;
                self.set_power(id, Power::StartFailed);
            }
            Power::Starting => self.set_power(id, Power::Healthy),
            Power::Stopping => {
                self.set_power(id, Power::Off);
                if std::mem::take(&mut self.machines[id].start_when_off) {
                    self.switch_on(id);
                }
            }
            _ => {}
        }
    }

    /// Power on. Nobody looks at the disks here but the judge.
    pub(super) fn switch_on(&mut self, id: usize) {
        self.judge_start(id);
        self.settle(id);
        if let Image::At(at) = self.machines[id].image
            && !self.machines[id].own_branch
        {
            let own = self.history.part(at);
            self.changes.branches.insert(own.branch);
            self.machines[id].image = Image::At(own);
            self.machines[id].own_branch = true;
        }
        self.source_may_write(id);
        self.copy_is_used(id);
        self.set_power(id, Power::Starting);
    }

    /// The guest is asked to shut down.
    pub(super) fn switch_off(&mut self, id: usize) {
        self.set_power(id, Power::Stopping);
    }

    /// The plug is pulled.
    pub(super) fn cut_power(&mut self, id: usize) {
        self.machines[id].ran = self.machines[id].power != Power::Off;
        self.set_power(id, Power::Off);
    }

    /// A source that may write again takes the proof back that nothing is missing.
    fn source_may_write(&mut self, id: usize) {
        if let Some(link) = self.machines[id].link
            && self.links[link].source() == id
        {
            let link = &mut self.links[link];
            link.final_sync = None;
            link.complete_since = None;
        }
    }

    /// Somebody started the copy itself: nothing more is written into it, and it has to be compared.
    fn copy_is_used(&mut self, id: usize) {
        let Some(link) = self.machines[id].link else {
            return;
        };
        let record = &mut self.links[link];
        if record.target() == id && record.state == drover_world::LinkState::Replicating {
            record.state = drover_world::LinkState::ResyncRequired;
            record.live = None;
            record.next_point = None;
            self.touch_link(link);
        }
    }

    /// It starts by itself with its site: it ran, and nobody holds it.
    pub(super) fn boots_with_its_site(&mut self, id: usize) {
        let machine = &self.machines[id];
        let starts = machine.power == Power::Off && machine.ran && !machine.held;
        let whole = self.whole(id);
        self.machines[id].ran = false;
        self.changes.machines.insert(id);
        if starts && whole {
            self.switch_on(id);
        }
    }

    /// Whether a site has power.
    pub(super) fn powered(&self, site: usize) -> bool {
        self.sites[site].reach != Reach::Dark
    }

    /// Writes of a guest, at once and acknowledged.
    pub fn write(&mut self, id: usize, count: u64) -> bool {
        self.settle(id);
        let machine = &mut self.machines[id];
        if machine.writing.is_none() {
            return false;
        }
        if let Image::At(at) = &mut machine.image {
            at.number += count;
        }
        self.touch(id);
        true
    }
}
