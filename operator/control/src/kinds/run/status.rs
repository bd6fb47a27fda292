//! What the status of a run says: its record, its counts, what it reached, and why it waits.

use std::sync::Arc;
use std::time::Duration;

use drover_api::common::RunKind;
use drover_api::conditions::{APPROVAL_PENDING, COMMIT_PENDING};
use drover_api::value::Duration as ApiDuration;
use drover_api::{
    ActionKind, ActionState, DecisionOutcome, PhaseEntry, RecoveryRun, RecoveryRunSpec,
    RecoveryRunStatus, RunCounts, RunDecision, RunPhase, RunRecord,
};
use drover_engine::decide::{Releaser, Standing, Wait, WaitReason};
use jiff::Timestamp;

use super::state::RunState;
use super::status_of;
use crate::cache::ObjectKey;
use crate::conditions::{Conditions, Status};
use crate::context::Context;
use crate::events::Tone;
use crate::write::WriteError;

/// A run's counts are written at most so often between two barriers.
const COUNTS_EVERY: Duration = Duration::from_millis(500);

/// The run with a new record: written before anything is done about it.
pub(crate) fn with_record(
    run: &Arc<RecoveryRun>,
    state: &mut RunState,
    record: RunRecord,
    waits: &[Wait],
    now: Timestamp,
) -> RecoveryRun {
    let mut status = status_of(run);
    status.record = record;
    entered(&mut status, now);
    reached(run, state, &mut status, now);
    conditions(run, &mut status, waits, &[], now);
    state.counted = Some(tokio::time::Instant::now());
    let mut next = (**run).clone();
    next.status = Some(status);
    next
}

/// Writes what changed between two barriers, at most so often.
pub(crate) async fn count(
    context: &Arc<Context>,
    run: Arc<RecoveryRun>,
    state: &mut RunState,
    waits: &[Wait],
) -> Result<Arc<RecoveryRun>, WriteError> {
    if run.status.is_none()
        || state
            .counted
            .is_some_and(|counted| counted.elapsed() < COUNTS_EVERY)
    {
        return Ok(run);
    }
    let now = context.clock.now();
    let mut status = status_of(&run);
    reached(&run, state, &mut status, now);
    conditions(&run, &mut status, waits, &state.stuck, now);
    if run.status.as_ref() == Some(&status) {
        return Ok(run);
    }
    state.counted = Some(tokio::time::Instant::now());
    let mut next = (*run).clone();
    next.status = Some(status);
    context.replace_status(next).await
}

/// Notes when the phase was entered.
pub(crate) fn entered(status: &mut RecoveryRunStatus, now: Timestamp) {
    if status.history.is_empty() && status.record.phase != RunPhase::Pending {
        // The first step goes through `Pending` without being written there.
        status.history.push(PhaseEntry {
            phase: RunPhase::Pending,
            at: now,
        });
    }
    let last = status.history.last().map(|entry| entry.phase);
    if last != Some(status.record.phase) {
        status.history.push(PhaseEntry {
            phase: status.record.phase,
            at: now,
        });
        // The API takes 64; what matters of more is the newest.
        if status.history.len() > 64 {
            status.history.remove(1);
        }
    }
}

/// Counts, and what was reached of the objectives.
fn reached(
    run: &RecoveryRun,
    state: &mut RunState,
    status: &mut RecoveryRunStatus,
    now: Timestamp,
) {
    state.stand(&status.record);
    let (left, healthy, failed) = Standing::counts(&state.standings);
    status.machines = RunCounts {
        left,
        healthy,
        failed,
    };
    let up = matches!(
        status.record.phase,
        RunPhase::CommitPending | RunPhase::Standing
    );
    if !up {
        return;
    }
    if status.rto.is_none() {
        let begun = status.history.first().map_or(now, |entry| entry.at);
        let took = Duration::try_from(now.duration_since(begun)).unwrap_or_default();
        status.rto = Some(ApiDuration::from_std(took));
    }
    // Another recovery point means another loss (FO-4, FO-5).
    status.rpo = match run.spec.kind {
        RunKind::PlannedFailover => Some(ApiDuration::ZERO),
        _ => worst_loss(state).map(ApiDuration::from_std),
    };
}

fn worst_loss(state: &RunState) -> Option<Duration> {
    let journals = state
        .journals
        .iter()
        .filter_map(|machine| machine.status.as_ref());
    let points = journals.filter_map(|journal| journal.point.as_ref());
    let losses = points.filter_map(|point| point.loss.as_ref());
    losses.map(ApiDuration::as_std).max()
}

/// Conditions as kstatus reads them: waiting for a person is no reconciling (KU-1).
pub(crate) fn conditions(
    run: &RecoveryRun,
    status: &mut RecoveryRunStatus,
    waits: &[Wait],
    stuck: &[(Wait, usize)],
    now: Timestamp,
) {
    let phase = status.record.phase;
    let halt = status.record.halt.clone();
    let mut words: Vec<String> = waits.iter().map(|wait| in_words(run, wait)).collect();
    words.dedup();
    let machines = stuck
        .iter()
        .map(|(wait, count)| format!("{count} machines: {}", in_words(run, wait)));
    words.extend(machines);
    let message = words.join("; ");
    let reason = format!("{phase:?}");
    let approval = waits
        .iter()
        .any(|wait| matches!(wait.reason, WaitReason::Approvals { .. }));
    let mut conditions = Conditions::of(&mut status.conditions, run.metadata.generation, now);
    match phase {
        RunPhase::Halted => {
            let why = halt.map(|halt| halt.reason).unwrap_or_default();
            conditions.stalled(
                "Halted",
                &format!("{why}; a person decides Resume or Cancel"),
            );
        }
        RunPhase::Pending if approval => conditions.ready("AwaitingApproval", &message),
        RunPhase::CommitPending => {
            conditions.ready(&reason, &format!("machines run at the target; {message}"));
        }
        RunPhase::AwaitingCompleteSync => {
            conditions.ready(&reason, "synchronised; a person says CompleteSync");
        }
        RunPhase::Committed => conditions.ready(&reason, "committed"),
        RunPhase::Cancelled => conditions.ready(&reason, "cancelled; machines are at the source"),
        RunPhase::Protected => conditions.ready(&reason, "machines are protected"),
        RunPhase::Standing => conditions.ready(&reason, "the drill stands"),
        RunPhase::CleanedUp => conditions.ready(&reason, "nothing is left of the drill"),
        _ => conditions.reconciling(&reason, &message),
    }
    let commit = (phase == RunPhase::CommitPending)
        .then(|| "other recovery points are kept until the commit".to_owned());
    awaited(run, status, COMMIT_PENDING, commit, now);
    let approvals: Vec<String> = waits
        .iter()
        .filter(|wait| needs_approval(wait))
        .map(|wait| in_words(run, wait))
        .collect();
    let approvals = (!approvals.is_empty()).then(|| approvals.join("; "));
    awaited(run, status, APPROVAL_PENDING, approvals, now);
}

fn needs_approval(wait: &Wait) -> bool {
    matches!(
        wait.reason,
        WaitReason::Approvals { .. } | WaitReason::Approval { .. }
    )
}

/// Whether a person's word is awaited, as a condition: one that never was is not told.
fn awaited(
    run: &RecoveryRun,
    status: &mut RecoveryRunStatus,
    kind: &'static str,
    words: Option<String>,
    now: Timestamp,
) {
    let told = status.conditions.iter().any(|known| known.type_ == kind);
    let reason = format!("{:?}", status.record.phase);
    let mut conditions = Conditions::of(&mut status.conditions, run.metadata.generation, now);
    match words {
        Some(words) => conditions.set(kind, Status::True, kind, &words),
        None if told => conditions.set(kind, Status::False, &reason, ""),
        None => {}
    }
}

/// For what it waits, and who can release it.
fn in_words(run: &RecoveryRun, wait: &Wait) -> String {
    let who = match wait.reason.releaser() {
        Releaser::Progress | Releaser::Time => String::new(),
        Releaser::Operations => "; whoever can bring it back".to_owned(),
        Releaser::Person(actions) => {
            let actions: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
            format!("; a person decides {}", actions.join(" or "))
        }
    };
    let group = match &wait.reason {
        WaitReason::Action { group, .. } | WaitReason::Approval { group, .. } => {
            let named = run
                .spec
                .groups
                .get(*group)
                .map(|group| group.name.to_string());
            named
                .map(|name| format!(" (group {name})"))
                .unwrap_or_default()
        }
        _ => String::new(),
    };
    format!("{}{group}{who}", wait.reason)
}

/// Tells of a new phase, on the run and on its plan.
pub(crate) fn tell(context: &Arc<Context>, run: &Arc<RecoveryRun>) {
    context.trace(run);
    let status = status_of(run);
    let phase = status.record.phase;
    let tone = if phase == RunPhase::Halted {
        Tone::Warning
    } else {
        Tone::Normal
    };
    if matches!(
        phase,
        RunPhase::CommitPending | RunPhase::Standing | RunPhase::Protected
    ) && let Some((first, last)) = status.history.first().zip(status.history.last())
    {
        let took = Duration::try_from(last.at.duration_since(first.at)).unwrap_or_default();
        let kind = format!("{:?}", run.spec.kind);
        context.metrics.run_reached(&kind, reason_of(phase), took);
    }
    let reason = reason_of(phase);
    let counts = status.machines;
    let mut note = format!(
        "{:?} {:?}: {} left, {} healthy, {} failed of {}",
        run.spec.kind,
        run.spec.direction,
        counts.left,
        counts.healthy,
        counts.failed,
        run.spec.machines
    );
    if let Some(halt) = &status.record.halt {
        note.clone_from(&halt.reason);
    }
    context.tell(&**run, tone, reason, &note);
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    let plan = ObjectKey::new(namespace, run.spec.plan_ref.name.as_str());
    let found = context.cache().plans.get(&plan).cloned();
    if let Some(plan) = found {
        let name = run.metadata.name.as_deref().unwrap_or_default();
        context.tell(&*plan, tone, reason, &format!("{name}: {note}"));
    }
}

/// Stable words: people and tools filter by them.
fn reason_of(phase: RunPhase) -> &'static str {
    match phase {
        RunPhase::Pending => "Pending",
        RunPhase::Synchronizing => "Synchronizing",
        RunPhase::AwaitingCompleteSync => "AwaitingCompleteSync",
        RunPhase::Leaving => "Leaving",
        RunPhase::Entering => "Entering",
        RunPhase::CommitPending => "CommitPending",
        RunPhase::Committing => "Committing",
        RunPhase::Committed => "Committed",
        RunPhase::Halted => "Halted",
        RunPhase::Rebuilding => "Rebuilding",
        RunPhase::Withdrawing => "Withdrawing",
        RunPhase::Returning => "Returning",
        RunPhase::Cancelled => "Cancelled",
        RunPhase::Reprotecting => "Reprotecting",
        RunPhase::Protected => "Protected",
        RunPhase::Standing => "Standing",
        RunPhase::CleaningUp => "CleaningUp",
        RunPhase::CleanedUp => "CleanedUp",
    }
}

/// Says something on the run that is not the engine's word.
pub(crate) fn say(status: &mut RecoveryRunStatus, reason: &str, message: &str, now: Timestamp) {
    Conditions::of(&mut status.conditions, None, now).ready(reason, message);
}

/// A run that cannot go on, whoever decides what.
pub(crate) async fn stall(
    context: &Arc<Context>,
    run: &Arc<RecoveryRun>,
    reason: &str,
    message: &str,
) -> Result<(), WriteError> {
    let mut next = (**run).clone();
    let mut status = status_of(run);
    let now = context.clock.now();
    Conditions::of(&mut status.conditions, run.metadata.generation, now).stalled(reason, message);
    if run.status.as_ref() == Some(&status) {
        return Ok(());
    }
    next.status = Some(status);
    context.replace_status(next).await.map(|_| ())
}

/// A decision with what became of it; nothing while the run has not answered it.
pub(crate) fn answered(
    context: &Context,
    run: &RecoveryRun,
    decision: &RunDecision,
) -> Option<RunDecision> {
    let name = decision.metadata.name.as_deref().unwrap_or_default();
    let ours = run.metadata.uid.as_deref() == Some(decision.spec.run_ref.uid.as_str());
    let now = context.clock.now();
    let (outcome, reason, at) = if ours {
        let record = &run.status.as_ref()?.record;
        let entry = record.decisions.iter().find(|entry| entry.name == name)?;
        (entry.outcome, entry.reason.clone(), entry.at)
    } else {
        let why = "it was taken on an earlier run of this name: look again";
        (DecisionOutcome::Refused, Some(why.to_owned()), now)
    };
    let mut next = decision.clone();
    let mut status = next.status.take().unwrap_or_default();
    status.outcome = Some(outcome);
    status.reason = reason;
    status.at = Some(at);
    status.unauthenticated = context.settings.unauthenticated;
    let message = status.reason.clone().unwrap_or_default();
    let mut conditions = Conditions::of(&mut status.conditions, decision.metadata.generation, now);
    match outcome {
        DecisionOutcome::Accepted => conditions.ready("Accepted", &message),
        DecisionOutcome::Refused => conditions.stalled("Refused", &message),
    }
    next.status = Some(status);
    Some(next)
}

/// The instants at which running actions end by time: waits, and attempts that take too long.
pub(crate) fn action_deadlines(
    spec: &RecoveryRunSpec,
    status: &RecoveryRunStatus,
) -> Vec<Timestamp> {
    let mut deadlines = Vec::new();
    for (group, record) in spec.groups.iter().zip(&status.record.groups) {
        let pairs = group
            .before
            .iter()
            .zip(&record.before)
            .chain(group.after.iter().zip(&record.after));
        for (action, state) in pairs {
            let (ActionState::Running, Some(since)) = (state.state, state.since) else {
                continue;
            };
            if let Ok(ActionKind::Wait(wait)) = action.kind() {
                deadlines.extend(since.checked_add(wait.duration.as_std()).ok());
            }
            if let Some(timeout) = &action.timeout {
                deadlines.extend(since.checked_add(timeout.as_std()).ok());
            }
        }
    }
    deadlines
}
