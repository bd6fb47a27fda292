//! A drill: a test failover for as long as the object is there (FO-1).

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::annotations::{DRILL, DRILL_UID};
use drover_api::{DrillPhase, RecoveryDrill, RecoveryDrillStatus, RecoveryRun, RunPhase};
use drover_engine::decide::drill_result;
use drover_engine::lifecycle::RUN;
use kube::ResourceExt;

use super::plan;
use crate::cache::ObjectKey;
use crate::conditions::Conditions;
use crate::context::Context;
use crate::declaration::Object;
use crate::queue::Key;
use crate::write::WriteError;

/// Keeps a deleted drill until nothing that it made is left.
const FINALIZER: &str = "drover.dev/drill";

/// How often a drill that waits looks again.
const WAITING: std::time::Duration = std::time::Duration::from_secs(5);

pub(crate) async fn reconcile(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let found = context.cache().drills.get(key).cloned();
    let Some(drill) = found else { return Ok(()) };
    let run = run_of(context, key, &drill);
    if drill.metadata.deletion_timestamp.is_some() {
        return let_go(context, &drill, run.as_ref()).await;
    }
    if !drill
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == FINALIZER)
    {
        let mut next = (*drill).clone();
        next.finalizers_mut().push(FINALIZER.to_owned());
        context.replace(next).await?;
        return Ok(());
    }
    let mut status = drill.status.clone().unwrap_or_default();
    status.observed_generation = drill.metadata.generation;
    if status.phase == DrillPhase::CleanedUp {
        return Ok(());
    }
    match run {
        Some(run) => follow(context, key, &drill, &run, &mut status),
        None => begin(context, key, &drill, &mut status).await?,
    }
    if drill.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let mut next = (*drill).clone();
    next.status = Some(status);
    context.replace_status(next).await.map(|_| ())
}

/// The run that carries out this very drill; one of the same name made earlier had another.
fn run_of(context: &Context, key: &ObjectKey, drill: &RecoveryDrill) -> Option<Arc<RecoveryRun>> {
    let uid = drill.metadata.uid.as_ref()?;
    let cache = context.cache();
    let mut runs = cache.runs.in_namespace(&key.namespace);
    let ours = runs.find(|(_, run)| run.annotations().get(DRILL_UID) == Some(uid));
    ours.map(|(_, run)| Arc::clone(run))
}

async fn begin(
    context: &Arc<Context>,
    key: &ObjectKey,
    drill: &Arc<RecoveryDrill>,
    status: &mut RecoveryDrillStatus,
) -> Result<(), WriteError> {
    let now = context.clock.now();
    let errors = context.snapshot().errors(&Object::Drill(key.clone()));
    if !errors.is_empty() {
        let mut conditions = Conditions::of(&mut status.conditions, drill.metadata.generation, now);
        conditions.stalled("Invalid", &errors.join("\n"));
        return Ok(());
    }
    let plan_key = ObjectKey::new(&key.namespace, drill.spec.plan_ref.name.as_str());
    let annotations = BTreeMap::from([
        (DRILL.to_owned(), key.name.to_string()),
        (
            DRILL_UID.to_owned(),
            drill.metadata.uid.clone().unwrap_or_default(),
        ),
    ]);
    let spec = &drill.spec;
    let what = |away| {
        let to = spec
            .direction
            .map_or(away, drover_api::common::Direction::target);
        (to, spec.recovery_point.clone(), spec.groups.clone())
    };
    match plan::begin_drill(context, &plan_key, what, annotations).await? {
        Ok(run) => {
            status.phase = DrillPhase::Starting;
            status.run = run.name_any().parse().ok();
            status.expires = now.checked_add(drill.spec.ttl.as_std()).ok();
            let mut conditions =
                Conditions::of(&mut status.conditions, drill.metadata.generation, now);
            conditions.reconciling("Starting", &format!("run {}", run.name_any()));
        }
        Err(why) => {
            context.later(Key::Drill(key.clone()), WAITING);
            let mut conditions =
                Conditions::of(&mut status.conditions, drill.metadata.generation, now);
            conditions.reconciling("Waiting", &why);
        }
    }
    Ok(())
}

/// Tells what its run reached, and has it cleaned up when it is due.
fn follow(
    context: &Context,
    key: &ObjectKey,
    drill: &RecoveryDrill,
    run: &RecoveryRun,
    status: &mut RecoveryDrillStatus,
) {
    let now = context.clock.now();
    let run_status = run.status.clone().unwrap_or_default();
    let phase = run_status.record.phase;
    status.run = run.name_any().parse().ok();
    if status.expires.is_none() {
        status.expires = now.checked_add(drill.spec.ttl.as_std()).ok();
    }
    let plan_key = ObjectKey::new(&key.namespace, drill.spec.plan_ref.name.as_str());
    let due =
        status.expires.is_some_and(|expires| expires <= now) || plan::emergency(context, &plan_key);
    status.phase = match phase {
        RunPhase::CleanedUp => DrillPhase::CleanedUp,
        RunPhase::CleaningUp => DrillPhase::CleaningUp,
        _ if due || status.phase == DrillPhase::CleaningUp => DrillPhase::CleaningUp,
        RunPhase::Standing => DrillPhase::Standing,
        _ => DrillPhase::Starting,
    };
    if status.result.is_none() {
        status.result = drill_result(run);
        status.rto.clone_from(&run_status.rto);
    }
    if let Some(expires) = status.expires
        && expires > now
    {
        context
            .queue
            .add_at(Key::Drill(key.clone()), context.clock.instant_of(expires));
    }
    let result = status
        .result
        .map(|result| format!("{result:?}"))
        .unwrap_or_default();
    let reason = format!("{:?}", status.phase);
    let words = run_status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready");
    let words = words
        .map(|condition| condition.message.clone())
        .unwrap_or_default();
    let mut conditions = Conditions::of(&mut status.conditions, drill.metadata.generation, now);
    match status.phase {
        DrillPhase::Standing | DrillPhase::CleanedUp => conditions.ready(&reason, &result),
        _ => conditions.reconciling(&reason, &words),
    }
}

/// The drill is deleted: it goes when nothing that it made is left.
async fn let_go(
    context: &Arc<Context>,
    drill: &Arc<RecoveryDrill>,
    run: Option<&Arc<RecoveryRun>>,
) -> Result<(), WriteError> {
    if let Some(run) = run
        && !RUN.is_final(run.phase())
    {
        context.queue.add(Key::Run(ObjectKey::of(&**run)));
        return Ok(());
    }
    let mut next = (**drill).clone();
    next.finalizers_mut()
        .retain(|finalizer| finalizer != FINALIZER);
    context.replace(next).await.map(|_| ())
}
