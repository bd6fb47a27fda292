//! What is asked of a site for one machine.

use drover_api::FencingMethod;
use drover_api::value::MachineName;
use drover_fabric::{Answer, SiteGoal};
use drover_world::{Disk, Outcome, Power, Stamp};

use super::World;
use super::machine::Image;
use super::refusal::{retryable, terminal, unsupported};

impl World {
    /// Makes it so for one machine of a site.
    pub fn ensure_at_site(
        &mut self,
        site: usize,
        stamp: &Stamp,
        name: &MachineName,
        goal: SiteGoal,
    ) -> Answer {
        let drill = matches!(goal, SiteGoal::DrillStarted | SiteGoal::DrillRemoved);
        let id = self.known(site, name, drill);
        self.check_epoch(self.machines[id].epoch, stamp)?;
        self.injected_failure(id)?;
        let answer = match goal {
            SiteGoal::Stopped => Ok(self.stop(id, stamp)),
            SiteGoal::Fenced => self.fence(id, stamp),
            SiteGoal::Started | SiteGoal::DrillStarted => self.start(id, stamp),
            SiteGoal::DrillRemoved => Ok(self.remove_drill(id, stamp)),
        };
        self.at_once();
        answer
    }

    /// The epoch of whoever asked is on record from now on.
    pub(super) fn record_epoch(&mut self, id: usize, epoch: u64) {
        if self.machines[id].epoch < epoch {
            self.machines[id].epoch = epoch;
            self.touch(id);
        }
    }

    fn stop(&mut self, id: usize, stamp: &Stamp) -> Outcome {
        self.record_epoch(id, stamp.epoch);
        self.run_begins(id);
        if !self.machines[id].held || self.machines[id].start_when_off {
            self.machines[id].held = true;
            self.machines[id].start_when_off = false;
            self.touch(id);
        }
        match self.machines[id].power {
            Power::Absent | Power::Off | Power::StartFailed => Outcome::Reached,
            Power::Stopping => self.progress(id),
            Power::Starting | Power::Healthy => {
                self.effect(id, "stop", stamp.epoch);
                self.switch_off(id);
                self.at_once();
                reached_or_begun(self.machines[id].power == Power::Off)
            }
        }
    }

    fn fence(&mut self, id: usize, stamp: &Stamp) -> Answer {
        let site = &self.sites[self.machines[id].site];
        let method = site.fencing;
        if method == FencingMethod::None {
            return Err(unsupported(
                format!("{} has no means of fencing", site.name),
                "declare a fencing method for the site, or accept the risk by name",
            ));
        }
        if site.fencing_broken {
            return Err(retryable(
                format!("the fence of {} was not confirmed", self.machines[id].name),
                "look at the site's means of fencing",
            ));
        }
        self.record_epoch(id, stamp.epoch);
        self.run_begins(id);
        if self.machines[id]
            .fence
            .is_some_and(|fence| fence >= stamp.epoch)
        {
            return Ok(Outcome::Reached);
        }
        self.settle(id);
        self.effect(id, "fence", stamp.epoch);
        self.machines[id].fence = Some(stamp.epoch);
        self.machines[id].writing = None;
        if method == FencingMethod::Power {
            self.machines[id].held = true;
            if self.machines[id].may_run() {
                self.cut_power(id);
            }
        }
        self.touch(id);
        Ok(Outcome::Reached)
    }

    fn start(&mut self, id: usize, stamp: &Stamp) -> Answer {
        self.record_epoch(id, stamp.epoch);
        if self.machines[id].power == Power::Absent {
            return Err(terminal(
                format!(
                    "there is no machine {} here to start",
                    self.machines[id].name
                ),
                "make it first",
            ));
        }
        self.may_boot(id)?;
        self.released(id);
        self.returned(id);
        match self.machines[id].power {
            Power::Healthy => Ok(Outcome::Reached),
            Power::Starting => Ok(self.progress(id)),
            Power::Stopping => {
                self.machines[id].start_when_off = true;
                self.changes.machines.insert(id);
                Ok(self.progress(id))
            }
            Power::StartFailed if self.machines[id].started_at == Some(stamp.epoch) => {
                Err(terminal(
                    format!("{} did not become healthy", self.machines[id].name),
                    "look at the guest, then resume",
                ))
            }
            Power::Off | Power::StartFailed | Power::Absent => {
                self.judge_effect_once(id, "start", stamp.epoch);
                self.effect(id, "start", stamp.epoch);
                self.machines[id].started_at = Some(stamp.epoch);
                self.switch_on(id);
                self.at_once();
                Ok(reached_or_begun(self.machines[id].power == Power::Healthy))
            }
        }
    }

    /// A disk that is being written, or was cut off while it was, is not started from (FB-5).
    fn may_boot(&self, id: usize) -> Result<(), drover_world::FabricError> {
        let name = &self.machines[id].name;
        match self.disk(id) {
            Disk::Whole => Ok(()),
            Disk::None => Err(terminal(format!("{name} has no disks"), "make it anew")),
            Disk::HalfWritten if self.copied_into(id).is_some() => self.unless_obedient(retryable(
                format!("a copy is being written into the disks of {name}"),
                "wait until it is complete",
            )),
            Disk::HalfWritten => self.unless_obedient(terminal(
                format!("a copy into the disks of {name} was cut off"),
                "synchronise again before it is started",
            )),
        }
    }

    /// Nobody holds it any more, and no fence keeps it from serving.
    fn released(&mut self, id: usize) {
        let fenced = self.machines[id].fence.is_some();
        if !self.machines[id].held && !fenced {
            return;
        }
        self.settle(id);
        let now = self.now;
        let machine = &mut self.machines[id];
        machine.held = false;
        machine.fence = None;
        if machine.power == Power::Healthy && fenced {
            machine.writing = Some(now);
        }
        self.touch(id);
    }

    fn remove_drill(&mut self, id: usize, stamp: &Stamp) -> Outcome {
        self.record_epoch(id, stamp.epoch);
        let making = self.machines[id].making.take().is_some();
        if self.machines[id].power == Power::Absent && !making {
            return Outcome::Reached;
        }
        self.effect(id, "remove drill", stamp.epoch);
        let machine = &mut self.machines[id];
        machine.power = Power::Absent;
        machine.due = None;
        machine.writing = None;
        machine.image = Image::None;
        machine.made_at = None;
        machine.made_from = None;
        machine.addresses.clear();
        self.touch(id);
        Outcome::Reached
    }

    /// How far a start or a stop is; unknown where it hangs.
    fn progress(&self, id: usize) -> Outcome {
        let machine = &self.machines[id];
        let takes = match machine.power {
            Power::Starting => self.time.start(&machine.traits),
            _ => self.time.stop(&machine.traits),
        };
        let all = u64::try_from(takes.as_millis()).unwrap_or(u64::MAX);
        let percent = machine.due.and_then(|due| {
            let left = super::machine::millis_between(self.now, due).min(all);
            u8::try_from(((all - left) * 100).checked_div(all)?).ok()
        });
        Outcome::InProgress { percent }
    }
}

/// Reached in the same breath, or begun.
pub(super) fn reached_or_begun(reached: bool) -> Outcome {
    if reached {
        Outcome::Reached
    } else {
        Outcome::Started
    }
}
