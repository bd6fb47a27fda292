//! What follows for the replication of machines that moved.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::common::{FailoverType, RunKind};
use drover_api::{DecisionAction, DecisionOutcome, RecoveryRun, RunPhase};
use drover_engine::compile::What;
use drover_engine::decide::{self, NewestRun, Reprotect, ReprotectHeld, ReprotectView};
use drover_engine::plan::{Intent, reprotects_by_itself, resolve};
use kube::ResourceExt;

use super::{Case, Next, approve, awaits_approval, goes_on, moves};
use crate::cache::ObjectKey;
use crate::context::Context;
use crate::write::WriteError;

impl Case<'_> {
    /// What follows for the replication of machines that moved.
    fn reprotect_due(&self, context: &Context) -> Reprotect {
        let mut runs = self.runs.iter().rev();
        let newest = runs.find(|run| run.spec.kind != RunKind::TestFailover);
        let name = newest.map(|run| run.name_any()).unwrap_or_default();
        let newest = newest.map(|run| {
            let committed = moves(run) && run.phase() == RunPhase::Committed;
            NewestRun {
                name: &name,
                kind: run.spec.kind,
                direction: run.spec.direction,
                phase: run.phase(),
                asked: self.decided(context, run, DecisionAction::Reprotect),
                by_itself: committed && self.by_itself(run),
                refused: self.decided(context, run, DecisionAction::Cancel),
            }
        });
        let guards = self.plan.spec.guards.as_ref();
        decide::reprotect(&ReprotectView {
            declared: self.plan.spec.active_site,
            newest,
            all_at: self.where_.side(),
            unprotected: self.where_.unprotected,
            uncommitted: self.where_.uncommitted,
            approvals: guards.and_then(|guards| guards.approvals),
            suspended: self.suspended(),
        })
    }

    /// After a commit: by itself where the pair and the policy have it so, else when a person said it.
    pub(super) async fn reprotect(
        &self,
        context: &Arc<Context>,
        next: &mut Next,
    ) -> Result<Option<Arc<RecoveryRun>>, WriteError> {
        let what = match self.reprotect_due(context) {
            Reprotect::Nothing => return Ok(None),
            Reprotect::Awaits { run } => {
                next.awaits.push(awaits_reprotect(&run));
                return Ok(None);
            }
            Reprotect::Held(held) => {
                next.hold(held == ReprotectHeld::Suspended, held.to_string());
                return Ok(None);
            }
            Reprotect::Begin {
                towards,
                approvals,
                commits,
            } => What::Reprotect {
                towards,
                approvals,
                commits,
            },
        };
        let compiled = match self.compile(&what) {
            Ok(compiled) => compiled,
            Err(why) => {
                next.held.push(why);
                return Ok(None);
            }
        };
        self.begin(context, compiled, BTreeMap::new(), next).await
    }

    fn by_itself(&self, newest: &RecoveryRun) -> bool {
        let direction = newest.spec.direction;
        let failover = match newest.spec.kind {
            RunKind::PlannedFailover => FailoverType::Planned,
            _ => FailoverType::Unplanned,
        };
        self.snapshot.plan(self.now, |planner| {
            let intent = Intent::planned(direction.target());
            resolve(planner, &self.id, intent)
                .is_ok_and(|resolved| reprotects_by_itself(&resolved, failover, direction))
        })
    }

    /// Whether a person's decision of this kind on the run was accepted.
    fn decided(&self, context: &Context, run: &RecoveryRun, action: DecisionAction) -> bool {
        let Some(status) = &run.status else {
            return false;
        };
        let cache = context.cache();
        let accepted = status.record.decisions.iter();
        accepted
            .filter(|entry| entry.outcome == DecisionOutcome::Accepted)
            .filter_map(|entry| {
                cache
                    .decisions
                    .get(&ObjectKey::new(&self.key.namespace, &entry.name))
            })
            .any(|decision| decision.spec.action == action)
    }
}

fn awaits_reprotect(run: &str) -> String {
    format!("failed over: nothing replicates until a person decides Reprotect on run {run}")
}

/// Whose word the machines of a plan wait for, that failed over and that nothing replicates.
pub(crate) fn awaited_reprotect(context: &Context, key: &ObjectKey) -> Option<String> {
    let plan = context.cache().plans.get(key).cloned()?;
    let case = Case::of(context, key, &plan)?;
    let going_on = case.runs.iter().rev().find(|run| goes_on(run));
    match going_on {
        Some(run) => awaits_approval(run).then(|| approve(run)),
        None => match case.reprotect_due(context) {
            Reprotect::Awaits { run } => Some(awaits_reprotect(&run)),
            _ => None,
        },
    }
}
