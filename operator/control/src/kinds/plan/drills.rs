//! Runs that are compiled for others than the plan itself: for drills, and again after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::annotations::{DRILL, SUSPEND};
use drover_api::common::{RunKind, SiteRole};
use drover_api::{ActualSite, RecoveryRun, RunIntent};
use drover_engine::compile::{self, Compiled, Order, What};
use drover_engine::decide::Start;
use drover_engine::lifecycle::RUN;
use drover_engine::plan::{Failover, Intent, Scope};
use kube::ResourceExt;

use super::{Case, Next, plan_id, words};
use crate::cache::ObjectKey;
use crate::context::Context;
use crate::kinds::whereabouts::whereabouts;
use crate::write::WriteError;

/// Compiles a run again that is on record, to make what is missing of it.
pub(crate) fn compile_again(
    context: &Arc<Context>,
    key: &ObjectKey,
    run: &Arc<RecoveryRun>,
) -> Result<Compiled, String> {
    let plan_key = ObjectKey::new(&key.namespace, run.spec.plan_ref.name.as_str());
    let id = plan_id(&plan_key).ok_or("the plan has no name")?;
    let plan = context
        .cache()
        .plans
        .get(&plan_key)
        .cloned()
        .ok_or("the plan is gone")?;
    let to = run.spec.direction.target();
    let single = |intent: &RunIntent| intent.active_site != to;
    let scope = if run.spec.intent.as_ref().is_some_and(single) {
        Scope::Overrides
    } else {
        Scope::Plan
    };
    let drill = run.annotations().get(DRILL).and_then(|name| {
        context
            .cache()
            .drills
            .get(&ObjectKey::new(&key.namespace, name))
            .cloned()
    });
    let groups = drill
        .map(|drill| drill.spec.groups.clone())
        .unwrap_or_default();
    let request = plan.spec.request.as_ref();
    let request = request.filter(|request| run.spec.request_id.as_deref() == Some(&request.id));
    let what = match run.spec.kind {
        RunKind::TestFailover => What::Drill {
            to,
            recovery_point: &run.spec.recovery_point,
            groups: &groups,
        },
        RunKind::Reprotect => What::Reprotect {
            towards: to,
            approvals: run.spec.approvals,
            commits: run.spec.commits,
        },
        RunKind::PlannedFailover => What::Failover {
            intent: Intent {
                scope,
                ..Intent::planned(to)
            },
            request,
        },
        RunKind::UnplannedFailover => What::Failover {
            intent: Intent {
                scope,
                failover: Failover::Unplanned {
                    source_stop: run.spec.source.stop,
                    recovery_point: run.spec.recovery_point.kind,
                },
                ..Intent::planned(to)
            },
            request,
        },
    };
    let order = Order {
        plan: &id,
        what,
        number: run.spec.number,
        highest_epoch: run.spec.epoch.saturating_sub(1),
        forecast: None,
    };
    let snapshot = context.snapshot();
    let places = whereabouts(context, &plan_key, &plan).places();
    snapshot.plan_from(context.clock.now(), &places, |planner| {
        compile::compile(planner, &order).map_err(|error| words(&error))
    })
}

/// What a drill compiles, and the run that comes of it.
pub(crate) async fn begin_drill(
    context: &Arc<Context>,
    key: &ObjectKey,
    what: impl FnOnce(
        SiteRole,
    ) -> (
        SiteRole,
        drover_api::common::RecoveryPointChoice,
        Vec<drover_api::value::StepName>,
    ),
    annotations: BTreeMap<String, String>,
) -> Result<Result<Arc<RecoveryRun>, String>, WriteError> {
    let found = context.cache().plans.get(key).cloned();
    let case = found.as_ref().and_then(|plan| Case::of(context, key, plan));
    let Some(case) = case else {
        return Ok(Err("its plan is not declared".into()));
    };
    if case.suspended() {
        return Ok(Err(format!(
            "its plan is suspended: it begins when the annotation {SUSPEND} is taken away"
        )));
    }
    let here = match case.where_.home {
        ActualSite::Primary => SiteRole::Primary,
        ActualSite::Secondary => SiteRole::Secondary,
        ActualSite::Mixed | ActualSite::Unknown => {
            return Ok(Err(
                "it is not known at which one site the plan's machines are".into(),
            ));
        }
    };
    if case.runs.iter().any(|run| !RUN.is_final(run.phase())) {
        return Ok(Err(
            "a run of the plan is going on: the drill waits for its end".into(),
        ));
    }
    let (to, recovery_point, groups) = what(here.other());
    let drill = What::Drill {
        to,
        recovery_point: &recovery_point,
        groups: &groups,
    };
    let compiled = match case.compile(&drill) {
        Ok(compiled) => compiled,
        Err(why) => return Ok(Err(why)),
    };
    let mut next = Next::default();
    let run = case
        .begin(context, compiled, annotations, &mut next)
        .await?;
    Ok(run.ok_or_else(|| next.errors.join("; ")))
}

/// Whether an unplanned failover of the plan is due and a drill is in its way.
pub(crate) fn emergency(context: &Context, key: &ObjectKey) -> bool {
    let found = context.cache().plans.get(key).cloned();
    let case = found.as_ref().and_then(|plan| Case::of(context, key, plan));
    let Some(case) = case else { return false };
    let Start::Due { to, .. } = case.due(case.served().as_ref()) else {
        return false;
    };
    let intent = case
        .snapshot
        .plan(case.now, |planner| planner.intent(&case.id, to));
    intent.is_ok_and(|intent| matches!(intent.failover, Failover::Unplanned { .. }))
}
