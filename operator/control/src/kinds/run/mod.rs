//! A run with all its machines.
//!
//! One reconcile makes passes until nothing changes: take in what came, ask the engine what the run does,
//! write that, ask what each machine does, write outcomes, ask drivers. Requests to drivers are never
//! awaited here; what comes of them is seen.

mod create;
mod effects;
mod looks;
mod pace;
mod state;
mod status;

use std::sync::Arc;
use std::time::Duration;

use drover_api::common::RunKind;
use drover_api::{RecoveryRun, RecoveryRunStatus, RunDecision, RunDecisionSpec, RunPhase};
use drover_engine::decide::{self, MachineStep, Room, RunStep, RunView, Wait, WaitReason, rests};
use drover_engine::lifecycle::RUN;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::cache::ObjectKey;
use crate::context::Context;
use crate::queue::Key;
use crate::write::WriteError;

pub(crate) use create::create;
pub(crate) use effects::asked_again;
pub(crate) use looks::retries;
pub(crate) use state::{Asked, Inbox, RunState};

/// Passes in one reconcile; whatever is left comes with the next, after other keys.
const PASSES: usize = 8;

/// How often a run that is under way is looked at when nothing woke it.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// How often one is that waits for a person.
const WAITING: Duration = Duration::from_secs(30);

pub(crate) async fn reconcile(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let run = context.cache().runs.get(key).cloned();
    let Some(run) = run else {
        forget(context, key);
        return Ok(());
    };
    if RUN.is_final(run.phase()) {
        finish(context, key, &run).await?;
        return Ok(());
    }
    let unread = context.unread().belonging_to("MachineRun", key);
    if let Some(why) = unread {
        // Whatever is on record there is not known, so nothing is decided that may contradict it.
        return status::stall(context, &run, "Unreadable", &why).await;
    }
    let Some(mut state) = take_state(context, key, &run).await? else {
        return Ok(());
    };
    let outcome = passes(context, key, run, &mut state).await;
    let done = matches!(&outcome, Ok(true));
    if done {
        forget(context, key);
    } else {
        context.runs().states.insert(key.clone(), state);
    }
    outcome.map(|_| ())
}

/// What is derived of the run, from the last reconcile or anew.
async fn take_state(
    context: &Arc<Context>,
    key: &ObjectKey,
    run: &Arc<RecoveryRun>,
) -> Result<Option<RunState>, WriteError> {
    let uid = run.metadata.uid.clone().unwrap_or_default();
    let kept = context.runs().states.remove(key);
    if let Some(state) = kept
        && state.uid == uid
    {
        return Ok(Some(state));
    }
    if context.runs().creating.contains(key) {
        return Ok(None);
    }
    let machines = context.cache().machine_runs_of(key);
    if machines.len() < usize::try_from(run.spec.machines).unwrap_or(usize::MAX) {
        return create::complete(context, key, run).await.map(|()| None);
    }
    let specs: Vec<_> = machines
        .iter()
        .map(|machine| machine.spec.clone())
        .collect();
    if drover_engine::compile::digest(&run.spec, &specs) != run.spec.digest {
        // Somebody changed what was reviewed: nothing of it is done (SA-4).
        status::stall(
            context,
            run,
            "NotAsReviewed",
            "the run is not what its digest says",
        )
        .await?;
        return Ok(None);
    }
    Ok(Some(RunState::of(context, key, run, machines)))
}

/// A run that came to its end is not in anybody's hand any more.
fn forget(context: &Arc<Context>, key: &ObjectKey) {
    let mut runs = context.runs();
    runs.states.remove(key);
    runs.inboxes.remove(key);
    let released = runs.release(key);
    drop(runs);
    context.slots().leave(context, &Key::Run(key.clone()));
    for machine in released {
        context.queue.add(Key::Machine(machine));
    }
}

/// The last words on a run: decisions that came too late are answered.
async fn finish(
    context: &Arc<Context>,
    key: &ObjectKey,
    run: &Arc<RecoveryRun>,
) -> Result<(), WriteError> {
    let decisions = decisions(context, key);
    if decisions.iter().any(|decision| unanswered(decision)) {
        // The engine refuses them, or takes the word that a committed run still knows: reprotect.
        let Some(mut state) = take_state(context, key, run).await? else {
            return Ok(());
        };
        passes(context, key, Arc::clone(run), &mut state).await?;
    }
    forget(context, key);
    Ok(())
}

/// Makes passes; whether the run is at its end.
async fn passes(
    context: &Arc<Context>,
    key: &ObjectKey,
    mut run: Arc<RecoveryRun>,
    state: &mut RunState,
) -> Result<bool, WriteError> {
    for _ in 0..PASSES {
        state.pace.rest().await;
        let begun = Instant::now();
        let inbox = context.runs().take_inbox(key);
        looks::refresh(context, key, &run, state, inbox);
        let decisions = decisions(context, key);
        let (step, machines) = decide(context, key, &run, state, &decisions);
        state.pace.passed(begun);
        if let Some(record) = step.record {
            let before = run.phase();
            let next = status::with_record(&run, state, record, &step.waits, context.clock.now());
            run = context.replace_status(next).await?;
            if run.phase() != before {
                status::tell(context, &run);
                tell_machines(context, key, run.phase());
            }
            answer(context, &run, &decisions).await?;
            continue;
        }
        answer(context, &run, &decisions).await?;
        effects::act(context, key, &run, state, &step.actions);
        if RUN.is_final(run.phase()) {
            return Ok(true);
        }
        let written = carry_out(context, key, &run, state, machines).await?;
        if !written {
            run = status::count(context, run, state, &step.waits).await?;
            wake_later(context, key, &run, state, &step.waits);
            return Ok(false);
        }
    }
    context.queue.add(Key::Run(key.clone()));
    Ok(false)
}

/// Each machine says where its run stands, in the phases that a person waits in or that turn its data around.
fn tell_machines(context: &Context, key: &ObjectKey, phase: RunPhase) {
    let told = matches!(
        phase,
        RunPhase::Synchronizing
            | RunPhase::AwaitingCompleteSync
            | RunPhase::CommitPending
            | RunPhase::Withdrawing
            | RunPhase::Returning
            | RunPhase::Reprotecting
    );
    if !told {
        return;
    }
    let machines = context.runs().held_by(key);
    for machine in machines {
        context.queue.add(Key::Machine(machine));
    }
}

/// Whether a decision waits for its answer.
fn unanswered(decision: &RunDecision) -> bool {
    decision
        .status
        .as_ref()
        .is_none_or(|status| status.outcome.is_none())
}

/// The decisions about a run, oldest first.
fn decisions(context: &Context, key: &ObjectKey) -> Vec<Arc<RunDecision>> {
    let cache = context.cache();
    let mut found: Vec<Arc<RunDecision>> = cache
        .decisions
        .in_namespace(&key.namespace)
        .filter(|(_, decision)| decision.spec.run_ref.name.as_str() == &*key.name)
        .map(|(_, decision)| Arc::clone(decision))
        .collect();
    found.sort_by_key(|decision| {
        let created = decision
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0);
        (created, decision.metadata.name.clone())
    });
    found
}

fn bound<'a>(
    run: &RecoveryRun,
    decisions: &'a [Arc<RunDecision>],
) -> Vec<(&'a str, &'a RunDecisionSpec)> {
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    decisions
        .iter()
        .filter(|decision| decision.spec.run_ref.uid == uid)
        .map(|decision| {
            (
                decision.metadata.name.as_deref().unwrap_or_default(),
                &decision.spec,
            )
        })
        .collect()
}

/// What the run does, and what its machines do unless its record is to be written first.
fn decide(
    context: &Context,
    key: &ObjectKey,
    run: &RecoveryRun,
    state: &mut RunState,
    decisions: &[Arc<RunDecision>],
) -> (RunStep, Vec<(usize, MachineStep)>) {
    let bound = bound(run, decisions);
    looks::view(context, run, state, &bound, |view| {
        let step = decide::run(view);
        let machines = match step.record {
            Some(_) => Vec::new(),
            None => machine_steps(view, &admitted(context, key, view)),
        };
        (step, machines)
    })
}

/// Says on each decision what became of it; the record of the run is the truth.
async fn answer(
    context: &Context,
    run: &RecoveryRun,
    decisions: &[Arc<RunDecision>],
) -> Result<(), WriteError> {
    for decision in decisions.iter().filter(|decision| unanswered(decision)) {
        if let Some(answered) = status::answered(context, run, decision) {
            context.replace_status(answered).await?;
        }
    }
    Ok(())
}

/// Does what the machines do now; whether an outcome was written.
async fn carry_out(
    context: &Arc<Context>,
    key: &ObjectKey,
    run: &Arc<RecoveryRun>,
    state: &mut RunState,
    steps: Vec<(usize, MachineStep)>,
) -> Result<bool, WriteError> {
    let mut outcomes = Vec::new();
    state.stuck.clear();
    for (position, step) in steps {
        match step {
            MachineStep::Record(journal) => {
                let mut machine = (*state.journals[position]).clone();
                machine.status = Some(*journal);
                outcomes.push((position, machine));
            }
            MachineStep::Ensure(effect) => effects::ask(context, key, run, state, position, effect),
            MachineStep::Wait(wait) => state.stick(&wait),
            MachineStep::Rest => {}
        }
    }
    let written = !outcomes.is_empty();
    write_outcomes(context, state, outcomes).await?;
    Ok(written)
}

/// Who may act: the places at the sites are looked up and taken in one go, so that no two runs take the same.
fn admitted(context: &Context, key: &ObjectKey, view: &RunView<'_>) -> Vec<usize> {
    let holder = Key::Run(key.clone());
    let sites = &view.shape.spec.sites;
    let mut slots = context.slots();
    let room = Room {
        from: view.shape.source(),
        source: slots.room(context, sites.at(view.shape.source()), &holder),
        target: slots.room(context, sites.at(view.shape.target()), &holder),
    };
    let admitted = decide::admitted(&RunView { room, ..*view });
    match admitted.holds {
        Some((site, site_use, places)) => {
            let places = (places, admitted.short);
            slots.hold(context, &holder, sites.at(site), site_use, places);
        }
        None => slots.leave(context, &holder),
    }
    admitted.machines
}

fn machine_steps(view: &RunView<'_>, admitted: &[usize]) -> Vec<(usize, MachineStep)> {
    admitted
        .iter()
        .map(|position| (*position, decide::machine(view, *position)))
        .filter(|(_, step)| !matches!(step, MachineStep::Rest))
        .collect()
}

/// Outcomes of one pass that one task writes; several share the cores.
const SHARE: usize = 16;

async fn write_outcomes(
    context: &Arc<Context>,
    state: &mut RunState,
    outcomes: Vec<(usize, drover_api::MachineRun)>,
) -> Result<(), WriteError> {
    let mut shares = Vec::new();
    let mut rest = outcomes.into_iter().peekable();
    while rest.peek().is_some() {
        shares.push(rest.by_ref().take(SHARE).collect::<Vec<_>>());
    }
    let limit = (context.settings.writes / SHARE).max(1);
    let write = |share: Vec<(usize, drover_api::MachineRun)>| {
        let context = Arc::clone(context);
        async move {
            let writes = share.into_iter().map(|(position, machine)| {
                let context = &context;
                async move {
                    context
                        .replace_status(machine)
                        .await
                        .map(|written| (position, written))
                }
            });
            futures::future::try_join_all(writes).await
        }
    };
    let written: Vec<Vec<_>> = futures::stream::iter(shares)
        .map(|share| {
            let task = tokio::spawn(write(share));
            async move { task.await.unwrap_or(Err(WriteError::NoAnswer)) }
        })
        .buffer_unordered(limit)
        .try_collect()
        .await?;
    for (position, machine) in written.into_iter().flatten() {
        state.stirred.insert(position);
        state.journals[position] = machine;
    }
    Ok(())
}

/// Looks again when time alone will have changed something.
fn wake_later(
    context: &Context,
    key: &ObjectKey,
    run: &RecoveryRun,
    state: &RunState,
    waits: &[Wait],
) {
    let now = context.clock.now();
    let every = if rests(run.phase()) {
        WAITING
    } else {
        UNDER_WAY
    };
    let mut at = context.clock.now().checked_add(every).unwrap_or(now);
    let mut sooner = |instant: Timestamp| at = at.min(instant.max(now));
    for wait in waits {
        match &wait.reason {
            WaitReason::Retry { at, .. } => sooner(*at),
            WaitReason::Soak { until } => sooner(*until),
            _ => {}
        }
    }
    for failure in state.failures.values() {
        if failure.retry_at > now {
            sooner(failure.retry_at);
        }
    }
    if let Some(status) = &run.status {
        for instant in status::action_deadlines(&run.spec, status) {
            if instant > now {
                sooner(instant);
            }
        }
    }
    if run.spec.kind == RunKind::TestFailover
        && let Some(expires) = looks::drill_expires(context, key)
        && expires > now
    {
        sooner(expires);
    }
    context
        .queue
        .add_at(Key::Run(key.clone()), context.clock.instant_of(at));
}

/// The status of a run, where it has one yet.
pub(crate) fn status_of(run: &RecoveryRun) -> RecoveryRunStatus {
    run.status.clone().unwrap_or_default()
}
