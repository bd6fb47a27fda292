//! What happens without Drover: guests start, stop and write, data arrives, sites are lost and return,
//! people decide.

use std::sync::Arc;

use drover_api::RunPhase;
use drover_api::common::SiteRole;
use drover_world::{Disk, LinkState, Power};

use crate::explore::{Action, Scenario, State};
use crate::scenario::Replicator;
use crate::world::{self, Machine, side};

impl Scenario {
    /// What happens without Drover.
    pub(crate) fn happens(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        let now = Arc::make_mut(&mut next.now);
        match action {
            Action::Power(index, role) => {
                let seen = &mut now.machines[index].at[side(role)].seen;
                seen.power = match seen.power {
                    Power::Starting => Power::Healthy,
                    Power::Stopping => Power::Off,
                    _ => return None,
                };
            }
            Action::FailStart(index, role) => {
                let seen = &mut now.machines[index].at[side(role)].seen;
                if seen.power != Power::Starting {
                    return None;
                }
                next.left.failed_starts = next.left.failed_starts.checked_sub(1)?;
                seen.power = Power::StartFailed;
            }
            Action::Arrive(index) => {
                let hangs = self.faults.replicator == Replicator::Hangs;
                if now.machines[index].travel.is_none() || now.up != [true, true] || hangs {
                    return None;
                }
                let lies = self.faults.replicator == Replicator::Lies;
                world::arrive(&mut now.machines[index], lies);
            }
            Action::Replicate(index) => replicate(&mut now.machines[index], now.up)?,
            Action::Write(index, role) => {
                let machine = &mut now.machines[index];
                if machine.at[side(role)].seen.power != Power::Healthy {
                    return None;
                }
                next.left.writes = next.left.writes.checked_sub(1)?;
                machine.acknowledged += 1;
                machine.at[side(role)].version = machine.acknowledged;
                // What is written after the final synchronisation voids it.
                if role != machine.towards {
                    machine.final_sync = None;
                }
            }
            Action::Cut(role) => {
                next.left.partitions = next.left.partitions.checked_sub(1)?;
                go_down(&mut now.up, role)?;
            }
            Action::LosePower(role) => {
                next.left.power_losses = next.left.power_losses.checked_sub(1)?;
                go_down(&mut now.up, role)?;
                next.left.powerless = Some(role);
                for machine in &mut now.machines {
                    let copy = &mut machine.at[side(role)];
                    if copy.seen.power != Power::Absent {
                        copy.seen.power = Power::Off;
                    }
                    machine.travel = None;
                }
            }
            Action::Return(role) => {
                if now.up[side(role)] {
                    return None;
                }
                now.up[side(role)] = true;
                if next.left.powerless == Some(role) {
                    next.left.powerless = None;
                    for machine in &mut now.machines {
                        machine.boots_with_its_site(role);
                    }
                }
            }
            Action::Decide(position) => {
                let bit = 1 << position;
                if next.left.decided & bit != 0 || now.store.record.phase == RunPhase::Pending {
                    return None;
                }
                next.left.decided |= bit;
                now.store.decisions.push(self.faults.decisions[position]);
            }
            Action::ChangeMind => {
                if next.left.changed_mind {
                    return None;
                }
                next.left.changed_mind = true;
                now.store.intent_withdrawn = true;
            }
            Action::Run(_) | Action::Machine(..) | Action::Look | Action::NextRun => return None,
        }
        Some(next)
    }
}

fn go_down(up: &mut [bool; 2], role: SiteRole) -> Option<()> {
    up[side(role)].then(|| up[side(role)] = false)
}

/// Changes are sent as they happen.
fn replicate(machine: &mut Machine, up: [bool; 2]) -> Option<()> {
    let from = machine.at[side(machine.towards.other())];
    let into = &mut machine.at[side(machine.towards)];
    let replicates = machine.link == LinkState::Replicating
        && machine.travel.is_none()
        && up == [true, true]
        && from.seen.power == Power::Healthy
        && !into.seen.may_serve()
        && into.seen.disk == Disk::Whole
        && into.version != from.version;
    replicates.then(|| into.version = from.version)
}
