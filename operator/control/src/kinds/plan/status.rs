//! What the status of a plan says, and how many of its runs are kept.

use std::sync::Arc;

use drover_api::annotations::asked_now;
use drover_api::common::{RunKind, SiteRole};
use drover_api::conditions::{COMMIT_PENDING, FAILOVER_READY, PROTECTED};
use drover_api::{
    ActualSite, Consistency, ForecastSummary, RecoveryPlanStatus, RecoveryRun, RunPhase,
};
use drover_engine::decide::{Served, last_green_drill};
use drover_engine::lifecycle::RUN;
use kube::ResourceExt;

use super::drift::{say_drifted, tell};
use super::schedule::Scheduled;
use super::{Case, Next, approve, awaits_approval, forecast};
use crate::cache::ObjectKey;
use crate::conditions::{Conditions, Status};
use crate::context::Context;
use crate::kinds::machine::recoverable_together;
use crate::queue::Key;
use crate::write::WriteError;

/// When is looked again whether a consistency group has a common recovery point.
const TOGETHER: std::time::Duration = std::time::Duration::from_secs(2);

impl Case<'_> {
    /// Runs beyond the history go, oldest first, each kind for itself (PL-12).
    pub(super) async fn trim(&self, context: &Arc<Context>) -> Result<(), WriteError> {
        let keep = usize::try_from(self.plan.spec.run_history.keep).unwrap_or(usize::MAX);
        let kinds = [
            RunKind::PlannedFailover,
            RunKind::UnplannedFailover,
            RunKind::TestFailover,
            RunKind::Reprotect,
        ];
        for kind in kinds {
            let ended: Vec<&Arc<RecoveryRun>> = self
                .runs
                .iter()
                .filter(|run| run.spec.kind == kind && RUN.is_final(run.phase()))
                .collect();
            let surplus = ended.len().saturating_sub(keep);
            for run in ended.into_iter().take(surplus) {
                context
                    .delete::<RecoveryRun>(&ObjectKey::of(&**run))
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) async fn record(
        &self,
        context: &Arc<Context>,
        next: Next,
        scheduled: &Scheduled,
    ) -> Result<(), WriteError> {
        let mut status = self.plan.status.clone().unwrap_or_default();
        status.observed_generation = self.plan.metadata.generation;
        let answered = status.last_handled_reconcile.take();
        let asked = asked_now(self.plan.annotations(), answered.as_deref());
        status.last_handled_reconcile = asked.or(answered);
        status.active_site = Some(self.where_.actual);
        let current = next.run.as_ref().filter(|run| !RUN.is_final(run.phase()));
        let serving = next.run.as_ref();
        let served = serving.and_then(|run| Served::by(run));
        let served = served.or_else(|| self.served());
        let served = served.map(|served| served.intent);
        status.intent_served = served.or(next.baseline.clone());
        status.current_run = current.and_then(|run| run.name_any().parse().ok());
        status.last_runs = self
            .runs
            .iter()
            .rev()
            .filter(|run| RUN.is_final(run.phase()))
            .take(32)
            .filter_map(|run| run.name_any().parse().ok())
            .collect();
        // Runs go with the history; what was known of them stays.
        let green = last_green_drill(self.runs.iter().map(|run| &**run));
        status.last_green_drill = green.map(|green| green.at).max(status.last_green_drill);
        if current.is_none() {
            status.forecast = self.forecast();
        }
        status.drift = self.drift(&next);
        let before = std::mem::take(&mut status.differences);
        status.differences = self.differences(context, &next, current);
        self.say(context, &mut status, &next, current);
        self.record_schedule(context, &mut status, &next, scheduled);
        if let Some(until) = next.until {
            context
                .queue
                .add_at(Key::Plan(self.key.clone()), context.clock.instant_of(until));
        }
        if self.plan.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let mut plan = (**self.plan).clone();
        plan.status = Some(status);
        let written = context.replace_status(plan).await?;
        tell(context, &written, &before);
        Ok(())
    }

    /// What a run away from where the machines are would be.
    fn forecast(&self) -> Option<ForecastSummary> {
        let here = match self.where_.home {
            ActualSite::Secondary => SiteRole::Secondary,
            _ => SiteRole::Primary,
        };
        self.snapshot.plan(self.now, |planner| {
            let intent = planner.intent(&self.id, here.other()).ok()?;
            forecast(planner, &self.id, intent)
        })
    }

    fn drift(&self, next: &Next) -> Vec<String> {
        let mut drift: Vec<String> = next.held.iter().chain(&next.awaits).cloned().collect();
        if self.where_.split > 0 {
            drift.push(format!("{} machines run at both sites", self.where_.split));
        }
        drift.truncate(64);
        for entry in &mut drift {
            if entry.len() > 1000 {
                *entry = entry.chars().take(1000).collect();
            }
        }
        drift
    }

    fn say(
        &self,
        context: &Context,
        status: &mut RecoveryPlanStatus,
        next: &Next,
        current: Option<&Arc<RecoveryRun>>,
    ) {
        let drift = status.drift.join("; ");
        let differences = status.differences.clone();
        let waits = current.map(|run| ready_message(run)).unwrap_or_default();
        let (protected, total) = (self.where_.protected, self.where_.machines());
        let mut conditions = Conditions::of(
            &mut status.conditions,
            self.plan.metadata.generation,
            self.now,
        );
        let covered = format!("{protected} of {total} machines are protected");
        conditions.set(
            PROTECTED,
            Status::of(protected == total),
            "Machines",
            &covered,
        );
        let commit = current.is_some_and(|run| run.phase() == RunPhase::CommitPending);
        let reason = if commit {
            "CommitPending"
        } else {
            "NoCommitPending"
        };
        conditions.set(COMMIT_PENDING, Status::of(commit), reason, "");
        self.say_ready(context, &mut conditions);
        conditions.set_suspended(
            self.suspended(),
            "no run and no drill begins; a run that is under way goes on",
        );
        say_drifted(&mut conditions, &drift, &differences);
        match current {
            _ if !next.errors.is_empty() => conditions.stalled("Invalid", &next.errors.join("\n")),
            Some(run) => match run.phase() {
                RunPhase::CommitPending | RunPhase::AwaitingCompleteSync => {
                    conditions.ready(
                        &format!("{:?}", run.phase()),
                        &format!("run {}: {waits}", run.name_any()),
                    );
                }
                RunPhase::Halted => {
                    conditions.stalled("Halted", &format!("run {}: {waits}", run.name_any()));
                }
                _ if awaits_approval(run) => {
                    conditions.ready("AwaitingApproval", &approve(run));
                }
                phase => conditions.reconciling(
                    &format!("{phase:?}"),
                    &format!("run {}: {waits}", run.name_any()),
                ),
            },
            None if next.held.is_empty() && self.where_.split == 0 && !drift.is_empty() => {
                let reason = if self.suspended() {
                    "Suspended"
                } else {
                    "AwaitingReprotect"
                };
                conditions.ready(reason, &drift);
            }
            None if !drift.is_empty() => conditions.stalled("Drifted", &drift),
            None => conditions.ready("AsDeclared", "the machines are where they should be"),
        }
    }

    /// Whether a failover could be started now, as far as is known (RD-1).
    /// Its consistency groups that are protected and could not be recovered to one instant now (PR-7).
    fn apart(&self, context: &Context) -> Vec<String> {
        if self.where_.protected < self.where_.machines() {
            return Vec::new();
        }
        let groups = self.plan.spec.groups.iter();
        let names = groups.flat_map(|group| &group.protection_groups);
        let apart = names.filter(|name| {
            let key = ObjectKey::new(&self.key.namespace, name.as_str());
            let declared = context.cache().groups.get(&key).cloned();
            declared.is_some_and(|group| group.spec.consistency == Consistency::Group)
                && !recoverable_together(context, &key)
        });
        let apart: Vec<String> = apart.map(ToString::to_string).collect();
        if !apart.is_empty() {
            context.later(Key::Plan(self.key.clone()), TOGETHER);
        }
        apart
    }

    fn say_ready(&self, context: &Context, conditions: &mut Conditions<'_>) {
        let mut missing: Vec<String> = self.without_scripts(context).into_iter().collect();
        {
            let index = context.index();
            for role in [SiteRole::Primary, SiteRole::Secondary] {
                let site = self.plan.spec.sites.at(role);
                if index.answers_since(site).is_none() {
                    missing.push(format!("site {site} does not answer"));
                }
            }
        }
        let (protected, total) = (self.where_.protected, self.where_.machines());
        if protected < total || total == 0 {
            missing.push(format!("{protected} of {total} machines are protected"));
        }
        for group in self.apart(context) {
            missing.push(format!("group {group} has no common recovery point yet"));
        }
        if self.where_.late > 0 {
            missing.push(format!(
                "{} machines are behind their RPO threshold",
                self.where_.late
            ));
        }
        if missing.is_empty() {
            conditions.set(
                FAILOVER_READY,
                Status::True,
                "Ready",
                "sites answer, machines are protected",
            );
        } else {
            conditions.set(
                FAILOVER_READY,
                Status::False,
                "NotReady",
                &missing.join("; "),
            );
        }
    }
}

fn ready_message(run: &RecoveryRun) -> String {
    let conditions = run.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions.filter(|condition| condition.type_ == drover_api::conditions::READY);
    ready
        .next()
        .map(|condition| condition.message.clone())
        .unwrap_or_default()
}
