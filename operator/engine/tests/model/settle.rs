//! That everything comes to an end once faults do, or names who must act.
//!
//! A property of the form *eventually* would miss cycles, so this is a walk: from every state that is
//! found, without further faults, until nothing changes any more.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use drover_api::RunPhase;
use drover_engine::decide::{MachineStep, Releaser, WaitReason};
use drover_world::Effect;
use stateright::Model;

use crate::explore::{Action, Budget, ROLES, Scenario, State, Who, late};
use crate::world::side;

impl Scenario {
    /// Without further faults everything comes to an end, or names who must act; and then nothing
    /// changes any more.
    pub(crate) fn settles(&self, state: &State) -> bool {
        let mut path = Vec::new();
        let mut state = state.clone();
        state.stale = None;
        state.left = Budget {
            powerless: None,
            ..NO_BUDGET
        };
        let now = Arc::make_mut(&mut state.now);
        for role in ROLES {
            if !now.up[side(role)] {
                now.up[side(role)] = true;
            }
        }
        for _ in 0..200 {
            let key = fingerprint(&state);
            if self.settled.lock().expect("no panic before").contains(&key) {
                break;
            }
            path.push(key);
            let Some(next) = self.fair_step(&state) else {
                if !self.is_rest(&state) {
                    return false;
                }
                break;
            };
            state = next;
        }
        let ended = path.len() < 200;
        if ended {
            self.settled.lock().expect("no panic before").extend(path);
        }
        ended
    }

    fn fair_step(&self, state: &State) -> Option<State> {
        let mut actions = Vec::new();
        for index in 0..self.layout.groups.len() {
            actions.push(Action::Arrive(index));
            actions.extend(ROLES.map(|role| Action::Power(index, role)));
            actions.push(Action::Machine(Who::Fresh, index, false));
            // A stop that hangs for good meets its deadline in the end.
            actions.push(Action::Machine(Who::Fresh, index, true));
        }
        actions.push(Action::Run(Who::Fresh));
        actions
            .into_iter()
            .find_map(|action| self.next_state(state, action).filter(|next| next != state))
    }

    /// Final, or waiting for somebody who is named.
    fn is_rest(&self, state: &State) -> bool {
        let phase = state.now.store.record.phase;
        let ends = [
            RunPhase::Committed,
            RunPhase::Cancelled,
            RunPhase::Protected,
        ];
        if ends.contains(&phase) {
            return true;
        }
        let named = |reason: &WaitReason| {
            matches!(
                reason.releaser(),
                Releaser::Person(_) | Releaser::Operations
            )
        };
        let run_waits = self.decide_run(&state.now).waits;
        run_waits.iter().any(|wait| named(&wait.reason))
            || (0..self.layout.groups.len()).any(|index| {
                match self.decide_machine(&state.now, index, late()) {
                    MachineStep::Wait(wait) => named(&wait.reason),
                    // A fence that cannot be confirmed is asked for for ever; its refusal names who.
                    MachineStep::Ensure(Effect::Fenced { .. }) => !self.faults.fences,
                    // A replicator that never knew the machine.
                    _ => false,
                }
            })
    }
}

const NO_BUDGET: Budget = Budget {
    writes: 0,
    failed_starts: 0,
    partitions: 0,
    power_losses: 0,
    stale_snapshots: 0,
    decided: u16::MAX,
    changed_mind: true,
    powerless: None,
};

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}
