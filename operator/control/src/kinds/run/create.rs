//! From a compiled run to its objects: the run first, then one for each machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::{MachineRun, MachineRunSpec, RecoveryRun, RecoveryRunStatus, RunPhase, RunRecord};
use drover_engine::compile::Compiled;
use futures::{StreamExt, TryStreamExt};
use kube::ResourceExt;
use kube::api::ObjectMeta;
use tracing::{info, warn};

use super::status;
use crate::cache::ObjectKey;
use crate::context::Context;
use crate::kinds::plan;
use crate::queue::Key;
use crate::write::{WriteError, owned_by};

/// The name of a machine's part of a run: the position keeps the order of the run, and tells apart what
/// reads alike.
pub(crate) fn machine_key(run: &ObjectKey, position: usize, machine: &MachineRunSpec) -> ObjectKey {
    let readable: String = machine
        .machine
        .name
        .as_str()
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .take(63)
        .collect();
    let readable = readable.trim_matches('-');
    let name = if readable.is_empty() {
        format!("{}.{position:05}", run.name)
    } else {
        format!("{}.{position:05}.{readable}", run.name)
    };
    ObjectKey::new(&run.namespace, &name)
}

/// Makes the objects of a compiled run. Doing it twice makes them once.
pub(crate) async fn create(
    context: &Arc<Context>,
    namespace: &str,
    compiled: Compiled,
    annotations: BTreeMap<String, String>,
) -> Result<Arc<RecoveryRun>, WriteError> {
    let name = format!("{}-{}", compiled.run.plan_ref.name, compiled.run.number);
    let digest = compiled.run.digest.clone();
    let run = RecoveryRun {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(namespace.to_owned()),
            annotations: Some(annotations).filter(|some| !some.is_empty()),
            ..ObjectMeta::default()
        },
        spec: compiled.run,
        status: None,
    };
    let key = ObjectKey::of(&run);
    context.runs().creating.insert(key.clone());
    let made = make(context, run, &digest, compiled.machines).await;
    context.runs().creating.remove(&key);
    context.queue.add(Key::Run(key));
    made
}

async fn make(
    context: &Arc<Context>,
    run: RecoveryRun,
    digest: &str,
    parts: Vec<MachineRunSpec>,
) -> Result<Arc<RecoveryRun>, WriteError> {
    let run = context.create(run).await?;
    if run.spec.digest == digest {
        info!(run = %run.name_any(), kind = ?run.spec.kind, "compiled");
        machines(context, &run, parts).await?;
    }
    Ok(run)
}

async fn machines(
    context: &Arc<Context>,
    run: &Arc<RecoveryRun>,
    machines: Vec<MachineRunSpec>,
) -> Result<(), WriteError> {
    let key = ObjectKey::of(&**run);
    let missing = machines.into_iter().enumerate().map(|(position, spec)| {
        let key = machine_key(&key, position, &spec);
        (key, spec)
    });
    let missing: Vec<(ObjectKey, MachineRunSpec)> = {
        let cache = context.cache();
        missing
            .filter(|(key, _)| cache.machine_runs.get(key).is_none())
            .collect()
    };
    let owners = owned_by(&**run, true);
    futures::stream::iter(missing)
        .map(|(key, spec)| {
            let machine = MachineRun {
                metadata: ObjectMeta {
                    name: Some(key.name.to_string()),
                    namespace: Some(key.namespace.to_string()),
                    owner_references: Some(owners.clone()),
                    ..ObjectMeta::default()
                },
                spec,
                status: None,
            };
            let context = Arc::clone(context);
            let task = tokio::spawn(async move { context.create(machine).await.map(|_| ()) });
            async move { task.await.unwrap_or(Err(WriteError::NoAnswer)) }
        })
        .buffer_unordered(context.settings.writes)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

/// A run some of whose machines were not made yet: whoever compiled it was cut off. What is missing is
/// compiled again; where that gives another run by now, this one is over before it did anything.
pub(crate) async fn complete(
    context: &Arc<Context>,
    key: &ObjectKey,
    run: &Arc<RecoveryRun>,
) -> Result<(), WriteError> {
    match plan::compile_again(context, key, run) {
        Ok(compiled) if compiled.run.digest == run.spec.digest => {
            machines(context, run, compiled.machines).await
        }
        Ok(_) => give_up(context, run, "the declaration changed before the run began").await,
        Err(reason) => give_up(context, run, &reason).await,
    }
}

async fn give_up(
    context: &Arc<Context>,
    run: &Arc<RecoveryRun>,
    why: &str,
) -> Result<(), WriteError> {
    warn!(run = %run.name_any(), why, "given up before it began");
    let now = context.clock.now();
    let mut next = (**run).clone();
    let record = RunRecord {
        phase: RunPhase::Cancelled,
        since: Some(now),
        epoch: run.spec.epoch,
        movement_epoch: run.spec.epoch,
        ..RunRecord::default()
    };
    let mut status = RecoveryRunStatus {
        record,
        ..RecoveryRunStatus::default()
    };
    status::entered(&mut status, now);
    status::conditions(run, &mut status, &[], &[], now);
    status::say(&mut status, "GivenUp", why, now);
    next.status = Some(status);
    context.replace_status(next).await.map(|_| ())
}
