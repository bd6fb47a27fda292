//! A plan: where its machines are, whether a run is due, and what would happen if.

mod drift;
mod drills;
mod reprotect;
mod schedule;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::annotations::{DRILL, is_suspended};
use drover_api::common::{RunKind, SiteRole};
use drover_api::value::{Duration, MachineName};
use drover_api::{
    ActualSite, ForecastSummary, IntentServed, MachineRunSpec, RecoveryPlan, RecoveryRun,
    RunForecast, RunPhase,
};
use drover_engine::compile::{self, Compiled, Order, What};
use drover_engine::decide::{self, GuardFacts, Held, Served, Start};
use drover_engine::lifecycle::RUN;
use drover_engine::outside::without_scripts;
use drover_engine::plan::{Failover, Intent, Planner, Verdict};
use drover_engine::verify::{self, Surroundings};
use drover_fabric::{Materialize, within};
use drover_world::PlanId;
use futures::StreamExt;
use jiff::Timestamp;
use kube::ResourceExt;
use tracing::{error, info};

use crate::cache::{ObjectKey, name_at};
use crate::conditions::Conditions;
use crate::context::{Context, Scripts};
use crate::declaration::{Object, Snapshot};
use crate::drivers::Shaped;
use crate::kinds::run;
use crate::kinds::whereabouts::{Whereabouts, whereabouts};
use crate::queue::Key;
use crate::write::WriteError;

pub(crate) use drills::{begin_drill, compile_again, emergency};
pub(crate) use reprotect::awaited_reprotect;

/// Keeps a plan until the run that is going on has ended (PL-12).
const FINALIZER: &str = "drover.dev/run";

pub(crate) async fn reconcile(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let found = context.cache().plans.get(key).cloned();
    let Some(plan) = found else { return Ok(()) };
    if plan.metadata.deletion_timestamp.is_some() {
        let runs = context.cache().runs_of(key);
        return let_go(context, key, &plan, &runs).await;
    }
    if !plan
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == FINALIZER)
    {
        let mut next = (*plan).clone();
        next.finalizers_mut().push(FINALIZER.to_owned());
        context.replace(next).await?;
        return Ok(());
    }
    let Some(case) = Case::of(context, key, &plan) else {
        return Ok(());
    };
    let next = case.next(context).await?;
    let scheduled = case.schedule(context, &next).await?;
    case.trim(context).await?;
    case.record(context, next, &scheduled).await
}

fn plan_id(key: &ObjectKey) -> Option<PlanId> {
    Some(PlanId {
        namespace: key.namespace.parse().ok()?,
        name: key.name.parse().ok()?,
    })
}

/// Everything about one plan.
struct Case<'a> {
    key: &'a ObjectKey,
    plan: &'a Arc<RecoveryPlan>,
    id: PlanId,
    snapshot: Arc<Snapshot>,
    where_: Whereabouts,
    runs: Vec<Arc<RecoveryRun>>,
    now: Timestamp,
}

/// What comes next for a plan.
#[derive(Debug, Default)]
struct Next {
    /// The run that is going on or was begun just now.
    run: Option<Arc<RecoveryRun>>,
    /// Why nothing begins although something is to be done.
    held: Vec<String>,
    /// What a person may decide, and nothing is wrong until then.
    awaits: Vec<String>,
    /// When time releases it.
    until: Option<Timestamp>,
    /// The intent counts as served, though nothing was run for it.
    baseline: Option<IntentServed>,
    /// What makes the plan unusable.
    errors: Vec<String>,
}

impl Next {
    /// Nothing begins: a person wanted it so, or something keeps it from beginning.
    fn hold(&mut self, wanted: bool, why: String) {
        let reasons = if wanted {
            &mut self.awaits
        } else {
            &mut self.held
        };
        reasons.push(why);
    }
}

fn moves(run: &RecoveryRun) -> bool {
    matches!(
        run.spec.kind,
        RunKind::PlannedFailover | RunKind::UnplannedFailover
    )
}

impl<'a> Case<'a> {
    /// Nothing where the plan's name cannot be one.
    fn of(context: &Context, key: &'a ObjectKey, plan: &'a Arc<RecoveryPlan>) -> Option<Self> {
        Some(Self {
            key,
            plan,
            id: plan_id(key)?,
            snapshot: context.snapshot(),
            where_: whereabouts(context, key, plan),
            runs: context.cache().runs_of(key),
            now: context.clock.now(),
        })
    }
}

impl Case<'_> {
    async fn next(&self, context: &Arc<Context>) -> Result<Next, WriteError> {
        let mut next = Next {
            errors: self.snapshot.errors(&Object::Plan(self.key.clone())),
            ..Next::default()
        };
        let going_on = self.runs.iter().rev().find(|run| goes_on(run));
        if let Some(run) = going_on {
            next.run = Some(Arc::clone(run));
            next.baseline = self.found(run);
            return Ok(next);
        }
        // A run that cannot be read may be under way.
        let unread = context.unread().belonging_to("RecoveryRun", self.key);
        next.errors.extend(unread);
        if !next.errors.is_empty() {
            return Ok(next);
        }
        if let Some(run) = self.reprotect(context, &mut next).await? {
            next.baseline = self.found(&run);
            next.run = Some(run);
            return Ok(next);
        }
        let served = self.served();
        match self.due(served.as_ref()) {
            Start::Nothing => next.baseline = self.baseline(served.as_ref()),
            Start::Held(held) => {
                if matches!(held, Held::Adopted { .. }) {
                    next.baseline = self.baseline(served.as_ref());
                }
                next.hold(matches!(held, Held::Suspended { .. }), held.to_string());
            }
            Start::Due { to, .. } => self.start(context, to, &mut next).await?,
        }
        Ok(next)
    }

    /// Whether a run is due.
    fn due(&self, served: Option<&Served>) -> Start {
        let touched = self.where_.highest_epoch > 0;
        let balance = &self.where_.balance;
        decide::start(&self.plan.spec, balance, served, touched, self.now)
            .unless_suspended(self.suspended(), balance)
    }

    fn suspended(&self) -> bool {
        is_suspended(self.plan.annotations())
    }

    /// The intent that was served last: that of the newest run that moved machines, else the one that
    /// was adopted.
    fn served(&self) -> Option<Served> {
        let newest = self.runs.iter().rev().find_map(|run| Served::by(run));
        newest.or_else(|| {
            let recorded = self.plan.status.as_ref()?.intent_served.clone();
            let more = false;
            recorded.map(|intent| Served { intent, more })
        })
    }

    /// Where machines were found that a run reprotects there, though none on record brought them: that
    /// counts as served, so that a change of the declaration after it starts a run.
    fn found(&self, run: &RecoveryRun) -> Option<IntentServed> {
        let there = run.spec.direction.source();
        let adopted = run.spec.kind == RunKind::Reprotect && self.served().is_none();
        let request = self.plan.spec.request.as_ref();
        adopted.then(|| IntentServed {
            active_site: there,
            overrides: self.plan.spec.overrides.clone(),
            request_id: request.map(|request| request.id.clone()),
            run: None,
        })
    }

    /// A plan that is seen for the first time begins with what is declared, without a run (SA-11).
    fn baseline(&self, served: Option<&Served>) -> Option<IntentServed> {
        let declared = self.plan.spec.active_site?;
        let known = self.where_.actual != ActualSite::Unknown;
        let request = self.plan.spec.request.as_ref();
        (served.is_none() && known).then(|| IntentServed {
            active_site: declared,
            overrides: self.plan.spec.overrides.clone(),
            request_id: request.map(|request| request.id.clone()),
            run: None,
        })
    }

    /// A run is due: guards, then compile, then verify, then record it.
    async fn start(
        &self,
        context: &Arc<Context>,
        to: SiteRole,
        next: &mut Next,
    ) -> Result<(), WriteError> {
        let places = self.where_.places();
        let outlook = self.snapshot.plan_from(self.now, &places, |planner| {
            planner.outlook(&self.id, Some(to.other()))
        });
        let outlook = match outlook {
            Ok(outlook) => outlook,
            Err(error) => {
                next.errors.push(error.to_string());
                return Ok(());
            }
        };
        let Verdict::Run { intent, waits, .. } = outlook.verdict else {
            next.held.extend(outlook.why_not());
            return Ok(());
        };
        if let Some(why) = self.drill_in_the_way(intent) {
            next.held.push(why);
            return Ok(());
        }
        let what = What::Failover {
            intent,
            request: self.plan.spec.request.as_ref(),
        };
        let compiled = match self.compile(&what) {
            Ok(compiled) => compiled,
            Err(why) => {
                next.held.push(why);
                return Ok(());
            }
        };
        let facts = self.facts(context, to, &compiled);
        // What keeps the machines from being protected does not keep them from moving.
        let mut held = Vec::new();
        for wait in &waits {
            if let Some(guarded) = decide::guarded(wait, &facts) {
                held.push(guarded.why);
                next.until = [next.until, guarded.until].into_iter().flatten().min();
            }
        }
        held.extend(self.not_ready(context, intent));
        if held.is_empty() {
            held = self.not_taken(context, intent.to, &compiled).await;
        }
        if !held.is_empty() {
            next.held.extend(held);
            return Ok(());
        }
        next.run = self.begin(context, compiled, BTreeMap::new(), next).await?;
        Ok(())
    }

    /// Verifies what was compiled with code of its own, then records it.
    async fn begin(
        &self,
        context: &Arc<Context>,
        compiled: Compiled,
        annotations: BTreeMap<String, String>,
        next: &mut Next,
    ) -> Result<Option<Arc<RecoveryRun>>, WriteError> {
        let surroundings = Surroundings {
            highest_epoch: self.where_.highest_epoch,
            ..Surroundings::default()
        };
        let findings = verify::verify(&compiled.run, &compiled.machines, &surroundings);
        if let Some(finding) = findings.first() {
            error!(plan = %self.key, finding = ?finding, "a compiled run would break an invariant");
            next.errors
                .push(format!("{}: {}", finding.invariant.name(), finding.message));
            return Ok(None);
        }
        info!(plan = %self.key, kind = ?compiled.run.kind, direction = ?compiled.run.direction, "a run begins");
        run::create(context, &self.key.namespace, compiled, annotations)
            .await
            .map(Some)
    }

    fn compile(&self, what: &What<'_>) -> Result<Compiled, String> {
        let number = self
            .runs
            .iter()
            .map(|run| run.spec.number)
            .max()
            .unwrap_or(0)
            + 1;
        let epochs = self.runs.iter().map(|run| {
            let recorded = run.status.as_ref().map_or(0, |status| status.record.epoch);
            recorded.max(run.spec.epoch)
        });
        let highest_epoch = epochs.max().unwrap_or(0).max(self.where_.highest_epoch);
        let places = self.where_.places();
        self.snapshot.plan_from(self.now, &places, |planner| {
            let forecast = match what {
                What::Failover { intent, .. } => forecast(planner, &self.id, *intent),
                What::Drill { .. } | What::Reprotect { .. } => None,
            };
            let order = Order {
                plan: &self.id,
                what: what.clone(),
                number,
                highest_epoch,
                forecast: forecast.map(|summary| RunForecast {
                    rto: summary.rto,
                    rpo: summary.rpo,
                    source: summary.source,
                }),
            };
            compile::compile(planner, &order).map_err(|error| words(&error))
        })
    }

    fn facts<'a>(&self, context: &Context, to: SiteRole, compiled: &'a Compiled) -> GuardFacts<'a> {
        let zone = |role| {
            let site = self.snapshot.site(self.plan.spec.sites.at(role));
            site.map_or(jiff::tz::TimeZone::UTC, |site| {
                site.spec.time_zone.to_jiff()
            })
        };
        GuardFacts {
            target_answers_since: context.index().answers_since(self.plan.spec.sites.at(to)),
            last_green_drill: self
                .plan
                .status
                .as_ref()
                .and_then(|status| status.last_green_drill),
            source_zone: zone(to.other()),
            target_zone: zone(to),
            digest: Some(&compiled.run.digest),
            now: self.now,
        }
    }

    /// A planned failover waits for a drill; an unplanned one has it cleaned up first (FO-1).
    fn drill_in_the_way(&self, intent: Intent) -> Option<String> {
        let drill = self
            .runs
            .iter()
            .find(|run| run.spec.kind == RunKind::TestFailover && !RUN.is_final(run.phase()))?;
        let name = drill.annotations().get(DRILL).cloned().unwrap_or_default();
        Some(match intent.failover {
            Failover::Planned => format!("drill {name} stands: it waits until that is cleaned up"),
            Failover::Unplanned { .. } => format!("drill {name} is cleaned up first"),
        })
    }

    /// What must be so before machines are stopped (SA-9, RD-1).
    fn not_ready(&self, context: &Context, intent: Intent) -> Vec<String> {
        let index = context.index();
        let mut reasons = Vec::new();
        if intent.failover == Failover::Planned {
            // In an emergency it is better to be moved without them.
            reasons.extend(self.without_scripts(context));
        }
        let target = self.plan.spec.sites.at(intent.to);
        if index.answers_since(target).is_none() {
            reasons.push(format!("site {target} does not answer"));
        }
        if intent.failover == Failover::Planned {
            let source = self.plan.spec.sites.at(intent.from());
            if index.answers_since(source).is_none() {
                reasons.push(format!(
                    "site {source} does not answer; a request of type Unplanned works without it"
                ));
            }
        }
        reasons
    }

    fn without_scripts(&self, context: &Context) -> Option<String> {
        let none = context.settings.scripts == Scripts::Off;
        none.then(|| without_scripts(&self.plan.spec)).flatten()
    }

    /// What the target would not take, before anything is stopped (SA-9).
    async fn not_taken(
        &self,
        context: &Arc<Context>,
        to: SiteRole,
        compiled: &Compiled,
    ) -> Vec<String> {
        let Some(fabric) = context.fabric(self.plan.spec.sites.at(to)) else {
            return vec!["the target site's driver is not open yet".into()];
        };
        let limit = context.settings.driver_limit;
        let questions = self.questions(context, to, compiled);
        let answers = futures::stream::iter(questions)
            .map(|(name, with)| {
                let fabric = Arc::clone(&fabric);
                async move {
                    let answer = within(limit, fabric.accepts(&name, &with)).await;
                    answer
                        .err()
                        .map(|error| format!("the target does not take {name}: {error}"))
                }
            })
            .buffered(context.settings.writes);
        // Three say what is the matter; a thousand do not say more.
        answers
            .filter_map(std::future::ready)
            .take(3)
            .collect()
            .await
    }

    /// What the target is asked of each machine: its name there, and what it becomes.
    fn questions(
        &self,
        context: &Context,
        to: SiteRole,
        compiled: &Compiled,
    ) -> Vec<(MachineName, Materialize)> {
        let cache = context.cache();
        let question = |machine: &MachineRunSpec| {
            let group = ObjectKey::new(
                &self.key.namespace,
                machine.machine.protection_group.as_str(),
            );
            let protected = cache.member(&group, machine.machine.name.as_str())?;
            let shaped = Shaped {
                point: None,
                nics: machine.nics.clone(),
                settings: machine.target_settings.clone(),
                location: compiled.run.location.clone(),
            };
            Some((name_at(&protected.spec, to), shaped.at(to, false)))
        };
        compiled.machines.iter().filter_map(question).collect()
    }
}

/// Whether a run is under way that is no drill.
fn goes_on(run: &RecoveryRun) -> bool {
    run.spec.kind != RunKind::TestFailover && !RUN.is_final(run.phase())
}

/// Whether a run waits for people before it does anything.
fn awaits_approval(run: &RecoveryRun) -> bool {
    let needed = run.spec.approvals.unwrap_or(0);
    let record = run.status.as_ref().map(|status| &status.record);
    let given = record.map_or(0, |record| record.approved_by.len());
    run.phase() == RunPhase::Pending && given < usize::try_from(needed).unwrap_or(usize::MAX)
}

fn approve(run: &RecoveryRun) -> String {
    format!("a person approves run {}, or cancels it", run.name_any())
}

fn forecast(planner: &Planner<'_>, id: &PlanId, intent: Intent) -> Option<ForecastSummary> {
    let report = planner.plan(id, intent).ok()?;
    Some(ForecastSummary {
        waves: u32::try_from(report.waves.len()).unwrap_or(u32::MAX),
        rto: report.forecast.rto.expected.value.clone(),
        rpo: report
            .forecast
            .rpo
            .expected
            .map_or(Duration::ZERO, |measured| measured.value),
        source: report.forecast.rto.source?,
    })
}

fn words(error: &dyn std::error::Error) -> String {
    crate::feed::Chain(error).to_string()
}

/// A deleted plan waits for the run that is going on; runs stay as evidence (PL-12).
async fn let_go(
    context: &Arc<Context>,
    key: &ObjectKey,
    plan: &Arc<RecoveryPlan>,
    runs: &[Arc<RecoveryRun>],
) -> Result<(), WriteError> {
    if let Some(run) = runs.iter().find(|run| !RUN.is_final(run.phase())) {
        let mut status = plan.status.clone().unwrap_or_default();
        let words = format!(
            "run {} is going on; the plan goes when it has ended",
            run.name_any()
        );
        let now = context.clock.now();
        Conditions::of(&mut status.conditions, plan.metadata.generation, now)
            .reconciling("Deleting", &words);
        context.later(Key::Plan(key.clone()), std::time::Duration::from_secs(5));
        if plan.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let mut next = (**plan).clone();
        next.status = Some(status);
        return context.replace_status(next).await.map(|_| ());
    }
    let mut next = (**plan).clone();
    next.finalizers_mut()
        .retain(|finalizer| finalizer != FINALIZER);
    context.replace(next).await.map(|_| ())
}
