//! What is asked of a link for one machine.

use drover_api::common::SiteRole;
use drover_fabric::{Answer, LinkGoal, Subject};
use drover_world::{DirectionRules, FabricError, LinkState, Outcome, PairRules, Stamp, WayBack};

use super::World;
use super::ensure_site::reached_or_begun;
use super::link::{Policy, Travel};
use super::refusal::{retryable, terminal, unsupported};

/// Who asks, under which rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub pair: usize,
    pub policy: &'a Policy,
    pub rules: &'static PairRules,
}

impl World {
    /// Makes it so for the link of one machine.
    pub fn ensure_link(
        &mut self,
        asker: Asker<'_>,
        stamp: &Stamp,
        machine: &Subject,
        goal: LinkGoal,
    ) -> Answer {
        let id = self.link(asker, machine);
        self.check_epoch(self.links[id].epoch, stamp)?;
        self.injected_failure(self.links[id].source())?;
        self.record_link_epoch(id, stamp.epoch);
        let before = self.points(id);
        let answer = match goal {
            LinkGoal::Related { towards } => self.relate(id, towards),
            LinkGoal::Seeded { towards } => self.seed(id, towards, stamp),
            LinkGoal::Finalized { towards } => self.finalize(id, towards),
            LinkGoal::Resynchronized { towards } => self.resynchronize(id, towards, stamp),
            LinkGoal::Unrelated { remove_replica } => {
                self.unrelate(id, remove_replica, stamp);
                Ok(Outcome::Reached)
            }
            LinkGoal::FinalSync { towards } => self.final_sync(id, towards, stamp, asker.rules),
            LinkGoal::SyncedBack { towards } => {
                way_back(towards, asker.rules, WayBack::WithinFailback)?;
                self.copy_back(id, towards, stamp, Travel::Back)
            }
            LinkGoal::Reversed { towards } => {
                way_back(towards, asker.rules, WayBack::OnReprotect)?;
                self.copy_back(id, towards, stamp, Travel::Reverse)
            }
            LinkGoal::Committed { left } => self.commit(id, left, stamp),
        };
        self.at_once();
        self.judge_points(id, &before, Some(goal));
        // What takes no time is reached in the same breath.
        match answer {
            Ok(Outcome::Started) if self.links[id].job.is_none() => Ok(self.after(id, goal)),
            answer => answer,
        }
    }

    fn after(&self, id: usize, goal: LinkGoal) -> Outcome {
        let link = &self.links[id];
        let reached = match goal {
            LinkGoal::FinalSync { .. } => link.final_sync.is_some(),
            LinkGoal::Seeded { .. }
            | LinkGoal::Resynchronized { .. }
            | LinkGoal::SyncedBack { .. }
            | LinkGoal::Reversed { .. } => link.state == LinkState::Replicating,
            _ => true,
        };
        reached_or_begun(reached)
    }

    fn record_link_epoch(&mut self, id: usize, epoch: u64) {
        if self.links[id].epoch < epoch {
            self.links[id].epoch = epoch;
            self.touch_link(id);
        }
    }

    fn going(&self, id: usize) -> Outcome {
        let job = self.links[id].job.as_ref();
        let percent = job.and_then(|job| u8::try_from(self.permille(job) / 10).ok());
        Outcome::InProgress { percent }
    }

    fn seed(&mut self, id: usize, towards: SiteRole, stamp: &Stamp) -> Answer {
        let link = &self.links[id];
        match link.state {
            LinkState::None => return Err(not_related(&link.primary)),
            _ if link.towards != towards => return Err(other_way(&link.primary)),
            LinkState::Replicating => return Ok(Outcome::Reached),
            LinkState::Seeding | LinkState::Resynchronizing => return Ok(self.going(id)),
            LinkState::Failed => return Err(failed(&link.primary)),
            _ => {}
        }
        self.may_copy(id, towards, Travel::Seed)?;
        self.travel(id, Travel::Seed, towards, stamp.epoch);
        Ok(Outcome::Started)
    }

    fn finalize(&mut self, id: usize, towards: SiteRole) -> Answer {
        let link = &mut self.links[id];
        if link.state == LinkState::None {
            return Err(not_related(&link.primary));
        }
        if link.towards == towards && !link.finalized {
            link.finalized = true;
            self.log_link(id, "finalized", None);
            self.touch_link(id);
        }
        Ok(Outcome::Reached)
    }

    fn resynchronize(&mut self, id: usize, towards: SiteRole, stamp: &Stamp) -> Answer {
        let link = &self.links[id];
        match link.state {
            LinkState::None => return Err(not_related(&link.primary)),
            _ if link.towards != towards => return Err(other_way(&link.primary)),
            LinkState::Replicating => return Ok(Outcome::Reached),
            LinkState::Seeding | LinkState::Resynchronizing => return Ok(self.going(id)),
            LinkState::Failed => return Err(failed(&link.primary)),
            _ => {}
        }
        self.may_copy(id, towards, Travel::Resync)?;
        self.travel(id, Travel::Resync, towards, stamp.epoch);
        Ok(Outcome::Started)
    }

    fn final_sync(
        &mut self,
        id: usize,
        towards: SiteRole,
        stamp: &Stamp,
        rules: &PairRules,
    ) -> Answer {
        if direction(rules, towards).is_none() {
            return Err(no_way_back());
        }
        let link = &self.links[id];
        if link.origin.is_none() {
            return Err(not_related(&link.primary));
        }
        if link.towards == towards && link.final_sync == Some(stamp.epoch) {
            return Ok(Outcome::Reached);
        }
        if link.state == LinkState::Failed {
            return Err(failed(&link.primary));
        }
        if let Some(job) = &mut self.links[id].job
            && job.travel == Travel::Final
        {
            job.epoch = stamp.epoch;
            return Ok(self.going(id));
        }
        let name = self.links[id].primary.clone();
        if self.runs(id, towards.other()) {
            return Err(retryable(
                format!("{name} still runs; its last changes are not known"),
                "stop it first",
            ));
        }
        self.may_copy(id, towards, Travel::Final)?;
        self.interrupt(id);
        self.run_begins(self.links[id].source());
        self.travel(id, Travel::Final, towards, stamp.epoch);
        Ok(Outcome::Started)
    }

    /// A copy towards the side that the machine left.
    fn copy_back(&mut self, id: usize, towards: SiteRole, stamp: &Stamp, travel: Travel) -> Answer {
        let link = &self.links[id];
        if link.origin.is_none() {
            return Err(not_related(&link.primary));
        }
        if link.towards == towards && link.state == LinkState::Replicating {
            return Ok(Outcome::Reached);
        }
        if link.towards == towards && link.job.is_some() {
            return Ok(self.going(id));
        }
        if link.state == LinkState::Failed {
            return Err(failed(&link.primary));
        }
        self.may_copy(id, towards, travel)?;
        self.interrupt(id);
        self.travel(id, travel, towards, stamp.epoch);
        Ok(Outcome::Started)
    }

    /// Whether a copy may be written towards a side at all.
    fn may_copy(&self, id: usize, towards: SiteRole, travel: Travel) -> Result<(), FabricError> {
        let link = &self.links[id];
        let name = &link.primary;
        let target = link.sides[super::link::side(towards)];
        let source = link.sides[super::link::side(towards.other())];
        // Only the last changes may still follow a failover that is not committed, and not backwards.
        let last_changes = travel == Travel::Final && link.left != Some(towards);
        if link.left.is_some() && !last_changes {
            self.unless_obedient(terminal(
                format!("the failover of {name} is not committed; nothing else travels before it"),
                "commit or cancel the failover first",
            ))?;
        }
        // Only a commit turns the direction, and only a commit or a return gives up what a side holds.
        if link.given_up.unwrap_or(link.towards) != towards {
            self.unless_obedient(other_way(name))?;
        }
        if self.runs(id, towards) {
            self.unless_obedient(retryable(
                format!("{name} runs where the copy would be written"),
                "stop it there first",
            ))?;
        }
        if self.machines[source].position_at(self.now).is_none() || !self.whole(source) {
            return Err(terminal(
                format!("there is nothing of {name} to copy from"),
                "look at the disks of the machine at the other site",
            ));
        }
        if self.sites[self.machines[target].site].full {
            return Err(retryable(
                format!(
                    "out of disk at {}",
                    self.sites[self.machines[target].site].name
                ),
                "make room at the target",
            ));
        }
        self.not_into_newer(id, source, target, towards)
    }

    /// No synchronisation into what its source does not hold, unless a commit or a return gave that up
    /// (SA-5).
    fn not_into_newer(
        &self,
        id: usize,
        source: usize,
        target: usize,
        towards: SiteRole,
    ) -> Result<(), FabricError> {
        let Some(from) = self.machines[source].position_at(self.now) else {
            return Ok(());
        };
        let Some(into) = self.holds(target) else {
            return Ok(());
        };
        let link = &self.links[id];
        let given_up = link.given_up == Some(towards) || link.adopted;
        if self.history.holds(from, into) || given_up {
            return Ok(());
        }
        self.unless_obedient(terminal(
            format!(
                "the copy of {} holds what its source does not; {} writes lie between them",
                link.primary,
                self.history.apart(into, from).unwrap_or_default()
            ),
            "look which side is the right one, and remove the other copy",
        ))
    }
}

/// Whether a pair begins its way back in this way.
fn way_back(towards: SiteRole, rules: &PairRules, way: WayBack) -> Result<(), FabricError> {
    // What is declared of the failover that led to the other side.
    let Some(came) = direction(rules, towards.other()) else {
        return Err(no_way_back());
    };
    if direction(rules, towards).is_none() {
        return Err(no_way_back());
    }
    let reverses = |ways: &[WayBack]| {
        ways.contains(&WayBack::AfterCommit) || ways.contains(&WayBack::OnReprotect)
    };
    let can = match way {
        WayBack::WithinFailback => came.ways_back.contains(&way),
        WayBack::AfterCommit | WayBack::OnReprotect => reverses(came.ways_back),
    };
    if can {
        return Ok(());
    }
    Err(unsupported(
        format!("{} does not begin its way back so", rules.name),
        "ask for the way back that the pair declares",
    ))
}

/// The rules of failovers to a side.
pub(super) fn direction(rules: &PairRules, to: SiteRole) -> Option<&DirectionRules> {
    match to {
        SiteRole::Secondary => Some(&rules.to_secondary),
        SiteRole::Primary => rules.to_primary.as_ref().ok(),
    }
}

fn no_way_back() -> FabricError {
    unsupported(
        "this pair has no way back",
        "protect the machine with a pair that returns",
    )
}

fn not_related(name: &drover_api::value::MachineName) -> FabricError {
    terminal(
        format!("the sites do not know of each other's {name}"),
        "relate them first",
    )
}

fn other_way(name: &drover_api::value::MachineName) -> FabricError {
    terminal(
        format!("data of {name} flows the other way"),
        "fail over and commit first, then reverse it",
    )
}

fn failed(name: &drover_api::value::MachineName) -> FabricError {
    terminal(
        format!("replication of {name} has failed"),
        "mend the replication, then it is compared and goes on",
    )
}
