//! Drills by the schedule of a plan: the engine says which is due, here it is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::common::{RunKind, SiteRole};
use drover_api::conditions::DRILL_SCHEDULED;
use drover_api::value::DrillName;
use drover_api::{DrillPhase, RecoveryDrill, RecoveryDrillSpec, RecoveryPlanStatus};
use drover_engine::decide::{self, DrillDue, DrillsView};
use drover_engine::lifecycle::RUN;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use tracing::info;

use super::{Case, Next};
use crate::conditions::{Conditions, Status};
use crate::context::Context;
use crate::events::Tone;
use crate::queue::Key;
use crate::write::{WriteError, owned_by};

/// The instant of the schedule that a drill was made for.
const SCHEDULED_FOR: &str = "drover.dev/scheduled-for";

/// What came of the schedule.
pub(super) struct Scheduled {
    /// As the engine sees it; nothing while the plan cannot be used.
    due: Option<DrillDue>,
    last: Option<Timestamp>,
}

impl Case<'_> {
    /// Makes the drill that is due. It is made before that is recorded: a crash between the two makes it
    /// again under the same name, which is once.
    pub(super) async fn schedule(
        &self,
        context: &Arc<Context>,
        next: &Next,
    ) -> Result<Scheduled, WriteError> {
        let drills = self.drills(context);
        let recorded = self.plan.status.as_ref();
        let recorded = recorded.and_then(|status| status.last_scheduled_drill);
        let last = drills.iter().filter_map(|drill| scheduled_for(drill)).max();
        let last = last.max(recorded);
        if !next.errors.is_empty() {
            return Ok(Scheduled { due: None, last });
        }
        let due = self.look(&drills, next, last);
        let DrillDue::Due { at, name, spec } = due else {
            return Ok(Scheduled {
                due: Some(due),
                last,
            });
        };
        info!(plan = %self.key, drill = %name, "a scheduled drill is made");
        context.create(self.drill(at, &name, spec)).await?;
        context.tell(
            &**self.plan,
            Tone::Normal,
            "DrillScheduled",
            &format!("drill {name} is made"),
        );
        let last = Some(at);
        let due = self.look(&drills, next, last);
        Ok(Scheduled {
            due: Some(due),
            last,
        })
    }

    fn look(
        &self,
        drills: &[Arc<RecoveryDrill>],
        next: &Next,
        last: Option<Timestamp>,
    ) -> DrillDue {
        self.with_view(drills, next, last, decide::drill_due)
    }

    fn with_view<T>(
        &self,
        drills: &[Arc<RecoveryDrill>],
        next: &Next,
        last: Option<Timestamp>,
        look: impl FnOnce(&DrillsView<'_>) -> T,
    ) -> T {
        let spec = &self.plan.spec;
        let status = self.plan.status.as_ref();
        let site = |role| {
            let name = spec.sites.at(role);
            (name, self.snapshot.site(name).map(|site| &site.spec))
        };
        // A drill in the middle of its clean-up has lost its object's phase before its run's.
        let drilling = self.runs.iter().filter(|run| !RUN.is_final(run.phase()));
        let mut drilling = drilling.filter(|run| run.spec.kind == RunKind::TestFailover);
        let standing = drills.iter().find(|drill| stands(drill));
        let run = next.run.as_ref().filter(|run| !RUN.is_final(run.phase()));
        let run = run.or_else(|| drilling.next()).map(|run| run.name_any());
        let drill = standing.map(|drill| drill.name_any());
        look(&DrillsView {
            plan: &self.id.name,
            drills: spec.drills.as_ref(),
            followed: status.and_then(|status| status.drill_schedule.as_ref()),
            created: self.created().filter(|_| status.is_none()),
            last,
            sites: [site(SiteRole::Primary), site(SiteRole::Secondary)],
            actual: self.where_.actual,
            protected: (self.where_.protected, self.where_.machines()),
            run: run.as_deref(),
            drill: drill.as_deref(),
            suspended: self.suspended(),
            now: self.now,
        })
    }

    fn created(&self) -> Option<Timestamp> {
        let created = self.plan.metadata.creation_timestamp.as_ref();
        created.map(|created| created.0)
    }

    /// The drills of the plan.
    pub(super) fn drills(&self, context: &Context) -> Vec<Arc<RecoveryDrill>> {
        let cache = context.cache();
        let drills = cache.drills.in_namespace(&self.key.namespace);
        drills
            .filter(|(_, drill)| drill.spec.plan_ref.name.as_str() == &*self.key.name)
            .map(|(_, drill)| Arc::clone(drill))
            .collect()
    }

    fn drill(&self, at: Timestamp, name: &DrillName, spec: RecoveryDrillSpec) -> RecoveryDrill {
        let annotations = BTreeMap::from([(SCHEDULED_FOR.to_owned(), at.to_string())]);
        RecoveryDrill {
            metadata: ObjectMeta {
                name: Some(name.to_string()),
                namespace: Some(self.key.namespace.to_string()),
                annotations: Some(annotations),
                owner_references: Some(owned_by(&**self.plan, false)),
                ..ObjectMeta::default()
            },
            spec,
            status: None,
        }
    }

    /// Records what came of the schedule, says it, and wakes the plan when it changes.
    pub(super) fn record_schedule(
        &self,
        context: &Arc<Context>,
        status: &mut RecoveryPlanStatus,
        next: &Next,
        scheduled: &Scheduled,
    ) {
        status.drill_schedule = self.with_view(&[], next, None, decide::followed_schedule);
        status.last_scheduled_drill = scheduled.last;
        let Some(due) = &scheduled.due else { return };
        if let Some(wakes) = due.wakes() {
            let at = context.clock.instant_of(wakes);
            context.queue.add_at(Key::Plan(self.key.clone()), at);
        }
        let generation = self.plan.metadata.generation;
        let before = reason(status).map(str::to_owned);
        let mut conditions = Conditions::of(&mut status.conditions, generation, self.now);
        let (holds, reason) = match due {
            DrillDue::None => return conditions.clear(DRILL_SCHEDULED),
            DrillDue::NextAt { missed: None, .. } | DrillDue::Due { .. } => (true, "Scheduled"),
            DrillDue::NextAt { .. } => (true, "Missed"),
            DrillDue::Held { .. } => (false, "Held"),
            DrillDue::Suspended => (false, "Suspended"),
        };
        let words = due.to_string();
        conditions.set(DRILL_SCHEDULED, Status::of(holds), reason, &words);
        if reason == "Missed" && before.as_deref() != Some(reason) {
            context.tell(&**self.plan, Tone::Warning, "DrillMissed", &words);
        }
    }
}

fn reason(status: &RecoveryPlanStatus) -> Option<&str> {
    let mut conditions = status.conditions.iter();
    let found = conditions.find(|condition| condition.type_ == DRILL_SCHEDULED)?;
    Some(&found.reason)
}

fn scheduled_for(drill: &RecoveryDrill) -> Option<Timestamp> {
    drill.annotations().get(SCHEDULED_FOR)?.parse().ok()
}

/// Whether a drill has, or will have, machines.
fn stands(drill: &RecoveryDrill) -> bool {
    let phase = drill.status.as_ref().map(|status| status.phase);
    phase != Some(DrillPhase::CleanedUp)
}
