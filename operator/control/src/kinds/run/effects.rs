//! What drivers and actions are asked for, and where their answers go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drover_api::RecoveryRun;
use drover_engine::decide::ActionId;
use drover_fabric::step_name;
use drover_world::{Effect, Stamp};
use tokio::time::Instant;

use super::state::{Answered, Asked, RunState};
use crate::actions;
use crate::cache::ObjectKey;
use crate::context::Context;
use crate::drivers::Shaped;
use crate::queue::Key;

/// After so long a request is made again that was answered and is not seen to be done: somebody may have
/// undone it, or it was lost on its way.
const AGAIN: Duration = Duration::from_secs(5);

impl Asked {
    fn now(effect: Effect, epoch: u64) -> Self {
        Self {
            effect,
            epoch,
            at: Instant::now(),
            open: true,
        }
    }

    /// Whether this was asked for a moment ago, or is being asked for.
    fn stands(&self, effect: Effect, epoch: u64) -> bool {
        let same = self.effect == effect && self.epoch == epoch;
        same && (self.open || self.at.elapsed() < AGAIN)
    }
}

/// Whether an effect is to be asked for now for a machine outside of runs; then it counts as asked.
pub(crate) fn asked_again(
    asked: &mut BTreeMap<ObjectKey, Asked>,
    machine: &ObjectKey,
    effect: Effect,
    epoch: u64,
) -> bool {
    if asked
        .get(machine)
        .is_some_and(|asked| asked.stands(effect, epoch))
    {
        return false;
    }
    asked.insert(machine.clone(), Asked::now(effect, epoch));
    true
}

/// Asks the drivers of one machine for an effect, unless that was done a moment ago.
pub(crate) fn ask(
    context: &Arc<Context>,
    key: &ObjectKey,
    run: &RecoveryRun,
    state: &mut RunState,
    position: usize,
    effect: Effect,
) {
    let Some(record) = run.status.as_ref().map(|status| &status.record) else {
        return;
    };
    let epoch = record.epoch;
    if state.asked[position]
        .as_ref()
        .is_some_and(|asked| asked.stands(effect, epoch))
    {
        return;
    }
    let Some(place) = state.places[position].clone() else {
        return;
    };
    state.asked[position] = Some(Asked::now(effect, epoch));
    let machine = &state.journals[position];
    let point = machine
        .status
        .as_ref()
        .and_then(|journal| journal.point.as_ref());
    let shaped = Shaped {
        point: point.map(|point| point.name.clone()),
        nics: machine.spec.nics.clone(),
        settings: machine.spec.target_settings.clone(),
        location: run.spec.location.clone(),
    };
    let stamp = Stamp {
        run: key.name.to_string(),
        step: step_name(effect),
        epoch,
    };
    let (context_of_task, key) = (Arc::clone(context), key.clone());
    context.spawn(async move {
        let context = context_of_task;
        let result = context
            .ensure(&place, &stamp, effect, shaped)
            .await
            .map(|_| ());
        let failed = result.is_err();
        context.runs().inbox(&key).answers.push(Answered {
            position,
            effect,
            epoch,
            result,
            at: context.clock.now(),
        });
        // What was reached is seen, and seeing wakes the run; a failure is not.
        if failed {
            context.queue.add(Key::Run(key));
        }
    });
}

/// Carries out the actions that are due, each attempt once in this process.
pub(crate) fn act(
    context: &Arc<Context>,
    key: &ObjectKey,
    run: &Arc<RecoveryRun>,
    state: &mut RunState,
    due: &[(ActionId, u32)],
) {
    for (id, attempt) in due {
        if !state.acting.insert((*id, *attempt)) {
            continue;
        }
        let Some(errand) = actions::Errand::of(context, run, state, *id, *attempt) else {
            continue;
        };
        let (context_of_task, key, id) = (Arc::clone(context), key.clone(), *id);
        context.spawn(async move {
            let context = context_of_task;
            let report = errand.run(&context).await;
            context.runs().inbox(&key).reports.push((id, report));
            context.queue.add(Key::Run(key));
        });
    }
}
