//! From what the cache and the index hold to what the engine is shown.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use drover_api::annotations::{DRILL, DRILL_UID};
use drover_api::common::{RetrySchedule, RunKind, SiteRole};
use drover_api::{DrillPhase, RecoveryRun, RunDecisionSpec, RunRecord};
use drover_engine::decide::{self, Failure, Room, RunView, Sight};
use drover_fabric::step_name;
use drover_world::ErrorClass;
use jiff::Timestamp;
use kube::ResourceExt;

use super::state::{Answered, Inbox, RunState};
use crate::cache::ObjectKey;
use crate::context::Context;
use crate::drivers::Place;

static FRESH_RECORD: LazyLock<RunRecord> = LazyLock::new(RunRecord::default);

/// Takes in what reached the run.
pub(crate) fn refresh(
    context: &Context,
    key: &ObjectKey,
    run: &RecoveryRun,
    state: &mut RunState,
    inbox: Inbox,
) {
    for answered in inbox.answers {
        note_answer(context, state, answered);
    }
    for (id, report) in inbox.reports {
        state.acting.remove(&(id, report.attempt));
        state.reports.insert(id, report);
    }
    journals(context, key, state, inbox.all, &inbox.journals);
    let late = state.place_late(context, key);
    let target = run.spec.direction.target();
    let index = context.index();
    let positions: Vec<usize> = if inbox.all {
        (0..state.sights.len()).collect()
    } else {
        inbox.sights.into_iter().chain(late).collect()
    };
    for position in positions {
        let Some(place) = state.places.get(position).and_then(Option::as_ref) else {
            continue;
        };
        state.sights[position] = sight(&index, place, target);
        state.stirred.insert(position);
    }
}

fn journals(
    context: &Context,
    key: &ObjectKey,
    state: &mut RunState,
    all: bool,
    changed: &BTreeSet<ObjectKey>,
) {
    let cache = context.cache();
    if all {
        for machine in cache.machine_runs_of(key) {
            if let Some(position) = state.positions.get(&ObjectKey::of(&*machine)) {
                state.stirred.insert(*position);
                state.journals[*position] = machine;
            }
        }
        return;
    }
    for name in changed {
        let position = state.positions.get(name);
        if let (Some(position), Some(machine)) = (position, cache.machine_runs.get(name)) {
            state.stirred.insert(*position);
            state.journals[*position] = std::sync::Arc::clone(machine);
        }
    }
}

fn sight(index: &crate::index::Index, place: &Place, target: SiteRole) -> Sight {
    let source = target.other();
    let at =
        |role: SiteRole, drill| index.instance(place.sites.at(role), &place.instance(role, drill));
    Sight {
        source: at(source, false),
        target: at(target, false),
        drill: at(target, true),
        link: index.link(&place.pair, &place.subject.primary),
        fenced: index.fence(place.sites.at(source), place.subject.at(source)),
    }
}

/// What a driver answered: a failure is remembered with the instant of its retry (PR-5).
fn note_answer(context: &Context, state: &mut RunState, answered: Answered) {
    let position = answered.position;
    if let Some(asked) = &mut state.asked[position]
        && asked.effect == answered.effect
        && asked.epoch == answered.epoch
    {
        asked.open = false;
    }
    let former = state.failures.remove(&position);
    let Err(error) = answered.result else {
        if let Some(other) = former.filter(|former| former.effect != answered.effect) {
            state.failures.insert(position, other);
        }
        return;
    };
    if error.epoch_seen.is_some_and(|seen| seen > answered.epoch) {
        // Whoever acted at the newer epoch will be seen; that is no failure of the machine.
        return;
    }
    let same =
        former.filter(|former| former.effect == answered.effect && former.epoch == answered.epoch);
    let attempts = same.map_or(0, |former| former.attempts).saturating_add(1);
    let pair = state.places[position]
        .as_ref()
        .map(|place| place.pair.clone());
    if error.class == ErrorClass::Retryable {
        context.metrics.retried(step_name(answered.effect));
    }
    // A retry asks again.
    state.asked[position] = None;
    let retry = retries(context, pair.as_ref());
    let failed = (answered.effect, answered.epoch, error);
    let failure = Failure::of(failed, attempts, answered.at, &retry);
    state.failures.insert(position, failure);
}

/// When requests are made again, by the policy of a machine.
pub(crate) fn retries(context: &Context, pair: Option<&crate::index::PairKey>) -> RetrySchedule {
    let cache = context.cache();
    let policy = pair.and_then(|pair| cache.policies.get(&pair.policy));
    policy
        .map(|policy| policy.spec.retry.clone())
        .unwrap_or_default()
}

fn record(run: &RecoveryRun) -> &RunRecord {
    let status = run.status.as_ref();
    status.map_or(&FRESH_RECORD, |status| &status.record)
}

/// Shows the engine what is known of the run. How many others act at its sites is added where it matters:
/// see [`super::admitted`].
pub(crate) fn view<T>(
    context: &Context,
    run: &RecoveryRun,
    state: &mut RunState,
    decisions: &[(&str, &RunDecisionSpec)],
    look: impl FnOnce(&RunView<'_>) -> T,
) -> T {
    let record = record(run);
    state.stand(record);
    let machines = state.machines();
    look(&RunView {
        shape: &state.shape,
        record,
        machines: &machines,
        standings: &state.standings,
        room: Room::any(state.shape.source()),
        decisions,
        unauthenticated: context.settings.unauthenticated,
        actions: &state.reports,
        intent_withdrawn: withdrawn(context, run, state),
        now: context.clock.now(),
    })
}

/// Whether the declaration no longer wants what the run does (PL-8, FO-1).
fn withdrawn(context: &Context, run: &RecoveryRun, state: &RunState) -> bool {
    let namespace = run.namespace().unwrap_or_default();
    match run.spec.kind {
        RunKind::PlannedFailover | RunKind::UnplannedFailover => {
            let plan = ObjectKey::new(&namespace, run.spec.plan_ref.name.as_str());
            let cache = context.cache();
            // A plan that is gone says nothing: the run goes on as it was reviewed.
            let Some(plan) = cache.plans.get(&plan) else {
                return false;
            };
            let machines = state.journals.iter().map(|machine| &machine.spec.machine);
            decide::withdrawn(&plan.spec, run.spec.direction.target(), machines)
        }
        RunKind::TestFailover => drill_ends(context, run),
        RunKind::Reprotect => {
            let plan = ObjectKey::new(&namespace, run.spec.plan_ref.name.as_str());
            let cache = context.cache();
            let plan = cache.plans.get(&plan);
            let declared = plan.and_then(|plan| plan.spec.active_site);
            declared.is_some_and(|declared| declared != run.spec.direction.source())
        }
    }
}

/// Whether what a drill made is to go: it was deleted, it expired, or it is in the way.
fn drill_ends(context: &Context, run: &RecoveryRun) -> bool {
    let Some(drill) = drill(context, run) else {
        // One that cannot be read is there all the same.
        let name = run.annotations().get(DRILL).map_or("", String::as_str);
        let key = ObjectKey::new(run.namespace().as_deref().unwrap_or_default(), name);
        return !context.unread().has("RecoveryDrill", &key);
    };
    let expired = drill
        .status
        .as_ref()
        .and_then(|status| status.expires)
        .is_some_and(|expires| expires <= context.clock.now());
    let in_the_way = drill.status.as_ref().is_some_and(|status| {
        matches!(status.phase, DrillPhase::CleaningUp | DrillPhase::CleanedUp)
    });
    drill.metadata.deletion_timestamp.is_some() || expired || in_the_way
}

fn drill(
    context: &Context,
    run: &RecoveryRun,
) -> Option<std::sync::Arc<drover_api::RecoveryDrill>> {
    let name = run.annotations().get(DRILL)?;
    let uid = run.annotations().get(DRILL_UID)?;
    let key = ObjectKey::new(run.namespace().as_deref().unwrap_or_default(), name);
    let found = context.cache().drills.get(&key).cloned();
    found.filter(|drill| drill.metadata.uid.as_ref() == Some(uid))
}

/// When the drill of a run expires.
pub(crate) fn drill_expires(context: &Context, key: &ObjectKey) -> Option<Timestamp> {
    let run = context.cache().runs.get(key).cloned()?;
    drill(context, &run)?.status.as_ref()?.expires
}
