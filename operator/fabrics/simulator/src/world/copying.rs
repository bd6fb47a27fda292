//! Copies that travel, and the disks that they are written into.

use drover_api::common::SiteRole;
use drover_world::{Disk, LinkState, Power};

use super::history::{Position, Slot};
use super::link::{Job, LinkRecord, Travel, side};
use super::machine::{Image, WRITE_BYTES, later};
use super::time::Copying;
use super::{Due, World};

/// Members of a set that are told of a shared instant at once; more learn of it with their next point.
const TOLD_AT_ONCE: usize = 64;

/// A copy takes so long, however little there is.
const LEAST: std::time::Duration = std::time::Duration::from_secs(1);

impl World {
    /// The state of a machine's disks, from what they hold.
    pub(super) fn disk(&self, id: usize) -> Disk {
        if self.copied_into(id).is_some() || self.machines[id].making.is_some() {
            return Disk::HalfWritten;
        }
        match self.machines[id].image {
            Image::None => Disk::None,
            _ if self.whole(id) => Disk::Whole,
            _ => Disk::HalfWritten,
        }
    }

    /// The link whose copy is being written into a machine's disks.
    pub(super) fn copied_into(&self, id: usize) -> Option<usize> {
        let link = self.machines[id].link?;
        let record = &self.links[link];
        (record.job.is_some() && record.target() == id).then_some(link)
    }

    /// The instant that a machine's disks are of: a copy that changes are sent to is as new as the last of
    /// them.
    pub(super) fn holds(&self, id: usize) -> Option<Position> {
        let machine = &self.machines[id];
        match machine.link.filter(|link| {
            let link = &self.links[*link];
            link.live.is_some() && link.target() == id
        }) {
            Some(link) => self.applied(link),
            None => machine.position_at(self.now),
        }
    }

    /// What the disks hold, block by block.
    pub(super) fn blocks(&self, id: usize) -> Vec<Slot> {
        let machine = &self.machines[id];
        let slots = machine.traits.slots();
        let base = match (self.holds(id), &machine.image) {
            (_, Image::Mixed(blocks)) => blocks.clone(),
            (Some(place), _) => self.history.content(place, slots),
            (None, _) => vec![None; usize::try_from(slots).unwrap_or_default()],
        };
        let Some(link) = self.copied_into(id) else {
            return base;
        };
        let Some(job) = &self.links[link].job else {
            return base;
        };
        let done = slots * self.permille(job) / 1_000;
        let mut blocks = self.history.content(job.over, slots);
        blocks.truncate(usize::try_from(done).unwrap_or_default());
        blocks.extend(base.into_iter().skip(blocks.len()));
        blocks
    }

    /// Whether the disks hold one instant.
    pub(super) fn whole(&self, id: usize) -> bool {
        match self.machines[id].image {
            Image::None => false,
            Image::At(_) if self.copied_into(id).is_none() => true,
            _ => self.history.place_of(&self.blocks(id)).is_some(),
        }
    }

    /// How much of a copy has arrived.
    pub(super) fn permille(&self, job: &Job) -> u64 {
        let all = super::machine::millis_between(job.began, job.ends);
        let passed = super::machine::millis_between(job.began, self.now);
        (passed * 1_000)
            .checked_div(all)
            .unwrap_or(1_000)
            .min(1_000)
    }

    /// Begins to copy what the source holds now towards a side.
    pub(super) fn travel(&mut self, id: usize, travel: Travel, towards: SiteRole, epoch: u64) {
        self.judge_travel(id, travel, towards);
        if self.links[id].towards != towards {
            self.turn(id, towards);
        }
        let source = self.links[id].source();
        self.settle(source);
        self.receiving_side(id);
        let target = self.links[id].target();
        let Some(over) = self.machines[source].position_at(self.now) else {
            return;
        };
        let copying = self.copying(id, travel, over);
        let ends = later(self.now, self.time.copy(&copying));
        self.machines[target].own_branch = false;
        let link = &mut self.links[id];
        link.live = None;
        link.next_point = None;
        link.state = match travel {
            Travel::Final => LinkState::Paused,
            Travel::Seed => LinkState::Seeding,
            Travel::Resync | Travel::Back | Travel::Reverse => LinkState::Resynchronizing,
        };
        self.pairs[link.pair].jobs += 1;
        link.job = Some(Job {
            travel,
            epoch,
            began: self.now,
            ends,
            over,
            bytes: copying.bytes,
        });
        self.queue(ends, Due::Job(id));
        self.log_link(id, &format!("{travel:?} begins"), Some(epoch));
        self.touch(target);
        self.touch_link(id);
    }

    /// Data flows to the other side from now on.
    fn turn(&mut self, id: usize, towards: SiteRole) {
        let before = self.points(id);
        let link = &mut self.links[id];
        link.towards = towards;
        link.final_sync = None;
        link.complete_since = None;
        link.finalized = false;
        link.live = None;
        link.applied = None;
        // They are points of the other direction; a commit has removed them.
        link.points.clear();
        self.judge_points(id, &before, None);
    }

    /// The receiving side is known and has the shape of the source.
    fn receiving_side(&mut self, id: usize) {
        let (source, target) = (self.links[id].source(), self.links[id].target());
        let traits = self.machines[source].traits.clone();
        if self.machines[target].image == Image::None {
            self.machines[target].traits = traits;
        }
    }

    fn copying(&self, id: usize, travel: Travel, over: Position) -> Copying {
        let link = &self.links[id];
        let target = &self.machines[link.target()];
        let used = self.machines[link.source()].traits.used();
        let apart = self
            .holds(link.target())
            .and_then(|at| self.history.apart(at, over));
        let differing = apart.map_or(used, |writes| (writes * WRITE_BYTES).min(used));
        let tracked = travel == Travel::Final && link.job.is_none() && apart.is_some();
        Copying {
            bytes: differing,
            compared: if tracked || apart.is_none() { 0 } else { used },
            bandwidth: link.policy.bandwidth,
            shared_by: self.pairs[link.pair].jobs + 1,
            slow: self.sites[target.site].slow,
            least: match travel {
                Travel::Final => self.time.last_changes(&self.machines[link.source()].traits),
                _ => LEAST,
            },
        }
    }

    /// A copy is complete.
    pub(super) fn arrives(&mut self, id: usize) {
        let Some(job) = self.links[id].job.take() else {
            return;
        };
        self.pairs[self.links[id].pair].jobs -= 1;
        let target = self.links[id].target();
        self.machines[target].image = Image::At(job.over);
        self.touch(target);
        self.log_link(
            id,
            &format!("{:?} is complete", job.travel),
            Some(job.epoch),
        );
        match job.travel {
            Travel::Final => {
                self.add_point(id, job.over);
                let link = &mut self.links[id];
                link.state = LinkState::Paused;
                link.final_sync = Some(job.epoch);
                link.complete_since = Some(self.now);
                self.touch_link(id);
            }
            Travel::Seed | Travel::Resync | Travel::Back | Travel::Reverse => {
                self.go_live(id, job.over);
            }
        }
    }

    /// From now on changes are sent as they happen.
    fn go_live(&mut self, id: usize, over: Position) {
        let source = self.links[id].source();
        self.settle(source);
        let link = &mut self.links[id];
        link.state = LinkState::Replicating;
        link.live = Some(self.now);
        link.paused = None;
        link.given_up = None;
        self.add_point(id, over);
        self.schedule_point(id);
        self.touch_link(id);
    }

    /// Data begins to travel again, or ceases to, as the path allows.
    pub(super) fn path_changed(&mut self, id: usize) {
        let open = self.path(id);
        self.remove_leftover(id);
        let link = &self.links[id];
        match (open, link.state) {
            (false, _) if link.job.is_some() => self.interrupt(id),
            (false, LinkState::Replicating) => {
                self.settle_points(id);
                let link = &mut self.links[id];
                link.live = None;
                link.next_point = None;
            }
            (true, LinkState::Replicating) if link.live.is_none() => {
                let source = link.source();
                self.settle(source);
                self.links[id].live = Some(self.now);
                self.schedule_point(id);
            }
            // What was interrupted goes on by itself.
            (true, LinkState::Seeding | LinkState::Resynchronizing) if link.job.is_none() => {
                let (towards, epoch) = (link.towards, link.epoch);
                let first = link.state == LinkState::Seeding;
                let travel = if first { Travel::Seed } else { Travel::Resync };
                self.travel(id, travel, towards, epoch);
            }
            _ => {}
        }
        self.touch_link(id);
    }

    /// A copy is cut off where it is.
    pub(super) fn interrupt(&mut self, id: usize) {
        let Some(travel) = self.links[id].job.as_ref().map(|job| job.travel) else {
            return;
        };
        let target = self.links[id].target();
        let blocks = self.blocks(target);
        self.links[id].job = None;
        self.pairs[self.links[id].pair].jobs -= 1;
        let nothing = blocks.iter().all(Option::is_none);
        self.machines[target].image = match self.history.place_of(&blocks) {
            _ if nothing => Image::None,
            Some(place) => Image::At(place),
            None => Image::Mixed(blocks),
        };
        if matches!(travel, Travel::Back | Travel::Reverse | Travel::Final) {
            self.links[id].state = LinkState::Paused;
        }
        self.log_link(id, &format!("{travel:?} is cut off"), None);
        self.touch(target);
        self.touch_link(id);
    }

    fn schedule_point(&mut self, id: usize) {
        let next = self.links[id].rhythm.next_point(self.now);
        self.links[id].next_point = Some(next);
        self.queue(next, Due::Point(id));
    }

    /// A point was made: that is reported. What it holds needs no record.
    pub(super) fn point_due(&mut self, id: usize) {
        self.schedule_point(id);
        self.report_link(id);
    }

    /// What a copy brought was processed: that is reported, or nobody would hear of it before the next
    /// point in its turn, minutes later.
    pub(super) fn processed(&mut self, id: usize) {
        self.report_link(id);
        for member in self.told_at_once(id) {
            self.report_link(member);
        }
    }

    /// A link looks different by now. What follows from the time needs no record.
    fn report_link(&mut self, id: usize) {
        let kept = self.changes.links.contains(&id);
        self.touch_link(id);
        if !kept {
            self.changes.links.remove(&id);
        }
    }

    /// Bytes that are not at the other side.
    pub(super) fn pending(&self, id: usize) -> u64 {
        let link = &self.links[id];
        if link.state == LinkState::None {
            return 0;
        }
        if let Some(job) = &link.job {
            return job.bytes / 1_000 * (1_000 - self.permille(job));
        }
        let source = &self.machines[link.source()];
        let used = source.traits.used();
        let Some(at) = source.position_at(self.now) else {
            return 0;
        };
        let apart = self
            .applied(id)
            .and_then(|held| self.history.apart(held, at));
        apart.map_or(used, |writes| writes.saturating_mul(WRITE_BYTES).min(used))
    }

    /// The newest instant that all members of a link's set have a point of, beside those in turn.
    pub(super) fn shared_instant(&self, link: &LinkRecord) -> Option<jiff::Timestamp> {
        let set = link.consistency.clone()?;
        self.sets.get(&(link.pair, set))?.shared
    }

    /// All members of a set get a point of now.
    pub(super) fn share_instant(&mut self, id: usize) {
        let Some(set) = self.links[id].consistency.clone() else {
            return;
        };
        let now = self.now;
        let Some(set) = self.sets.get_mut(&(self.links[id].pair, set)) else {
            return;
        };
        set.shared = Some(now);
        for member in self.told_at_once(id) {
            self.touch_link(member);
        }
    }

    /// The members of a link's set that are told at once.
    fn told_at_once(&self, id: usize) -> Vec<usize> {
        let link = &self.links[id];
        let set = link.consistency.clone();
        let set = set.and_then(|set| self.sets.get(&(link.pair, set)));
        let members = set.into_iter().flat_map(|set| &set.members);
        members.copied().take(TOLD_AT_ONCE).collect()
    }

    /// Whether a copy may be written into the machine at a side: nobody runs there.
    pub(super) fn runs(&self, link: usize, role: SiteRole) -> bool {
        let machine = &self.machines[self.links[link].sides[side(role)]];
        !matches!(
            machine.power,
            Power::Absent | Power::Off | Power::StartFailed
        )
    }
}
