//! How long coming back takes, and what is lost, before and after (PL-5, PL-11).

use std::cell::Cell;

use drover_api::common::{SiteRole, SourceStop};
use drover_api::value::Duration;
use drover_api::{Objectives, PlanGroup, RecoveryPlan, RecoveryPlanSpec};
use drover_world::PlanId;

use super::codes::{OBJECTIVE_CHANGED, OBJECTIVE_MET, OBJECTIVE_MISSED, RPO_CHANGED, RTO_CHANGED};
use super::meaning::Class;
use super::sheet::Sheet;
use super::sides::{Key, Sides, View, plan_id};
use super::words::{or, signed};
use crate::declared::{Declared, Entry};
use crate::plan::{Intent, Measured, Places, PlanReport, Planner};
use crate::problem::FieldPath;

/// Single changes whose cost is worked out, in one review: each is a plan that is laid out once more.
const MARGINALS: usize = 256;

/// What one change of a plan costs: the plan after the change, laid out with and without it.
pub(super) struct Marginal<'s, 'a> {
    sides: &'s Sides<'a>,
    key: Key<'a>,
    plan: Entry<'a, RecoveryPlan>,
    to: SiteRole,
    /// What the whole change makes of it, where both sides can be laid out.
    pub(super) whole: Option<(Duration, Duration)>,
    /// Whether a single change was found that explains all of that.
    explained: Cell<bool>,
}

/// RTO without a change, and with it.
pub(super) struct Cost {
    without: Duration,
    with: Duration,
}

impl<'s, 'a> Marginal<'s, 'a> {
    pub(super) fn new(
        sides: &'s Sides<'a>,
        key: Key<'a>,
        before: &Entry<'a, RecoveryPlan>,
        after: Entry<'a, RecoveryPlan>,
    ) -> Self {
        let to = reference(&before.object.spec, &after.object.spec);
        let whole = plan_id(key).and_then(|id| {
            let before = rto(sides, sides.before.declared, &sides.before, &id, to)?;
            Some((
                before,
                rto(sides, sides.after.declared, &sides.after, &id, to)?,
            ))
        });
        Self {
            sides,
            key,
            plan: after,
            to,
            whole,
            explained: Cell::new(false),
        }
    }

    /// The groups of the plan after the change.
    pub(super) fn groups(&self) -> &'a [PlanGroup] {
        &self.plan.object.spec.groups
    }

    /// What it costs not to undo one change; nothing where that cannot be said, and where it is nothing.
    pub(super) fn of(&self, undo: impl FnOnce(&mut RecoveryPlanSpec)) -> Option<Cost> {
        let (before, with) = self.whole.clone()?;
        let left = self.sides.marginals.get();
        self.sides.marginals.set(left.checked_sub(1)?);
        let id = plan_id(self.key)?;
        let mut plan = self.plan.object.clone();
        undo(&mut plan.spec);
        let mut declared: Declared<'_> = self.sides.after.declared.clone();
        let entry = Entry {
            index: self.plan.index,
            object: &plan,
        };
        declared.plans.insert(self.key, entry);
        let without = rto(self.sides, &declared, &self.sides.after, &id, self.to)?;
        if without == before && with != before {
            self.explained.set(true);
        }
        (without != with).then_some(Cost { without, with })
    }
}

impl Cost {
    /// How grave a change is that costs this.
    pub(super) fn class(&self) -> Class {
        if self.with > self.without {
            Class::WorsensObjectives
        } else {
            Class::Harmless
        }
    }

    pub(super) fn words(&self) -> String {
        let Cost { without, with } = self;
        format!("RTO {without} → {with} ({})", signed(without, with))
    }
}

/// How many single changes may be worked out.
pub(super) fn marginals() -> Cell<usize> {
    Cell::new(MARGINALS)
}

/// The side that runs are compared towards: where the plan goes, else the one where it is not.
fn reference(before: &RecoveryPlanSpec, after: &RecoveryPlanSpec) -> SiteRole {
    match (before.active_site, after.active_site) {
        (Some(before), Some(after)) if before != after => after,
        (_, Some(active)) => active.other(),
        (_, None) => SiteRole::Secondary,
    }
}

fn report(
    sides: &Sides<'_>,
    declared: &Declared<'_>,
    view: &View<'_>,
    id: &PlanId,
    intent: impl FnOnce(&Planner<'_>) -> Option<Intent>,
) -> Option<PlanReport> {
    let places = &Places::NONE;
    let planner = Planner {
        declared,
        ..view.planner(sides.now, places)
    };
    planner.plan(id, intent(&planner)?).ok()
}

fn rto(
    sides: &Sides<'_>,
    declared: &Declared<'_>,
    view: &View<'_>,
    id: &PlanId,
    to: SiteRole,
) -> Option<Duration> {
    let standing = |planner: &Planner<'_>| planner.standing(id, to).ok();
    let report = report(sides, declared, view, id, standing)?;
    Some(report.forecast.rto.expected.value)
}

/// Says what becomes of the figures of a plan that is on both sides.
pub(super) fn compare(
    sheet: &mut Sheet<'_>,
    marginal: &Marginal<'_, '_>,
    before: &RecoveryPlanSpec,
    after: &RecoveryPlanSpec,
) {
    objectives(sheet, before.objectives.as_ref(), after.objectives.as_ref());
    let aims = |plan: &RecoveryPlanSpec| plan.objectives.clone().unwrap_or(NO_OBJECTIVES);
    let (old, new) = (aims(before), aims(after));
    if let Some((before, after)) = &marginal.whole {
        let rto = Figure {
            name: "RTO",
            field: "rto",
            what: "coming back is expected to take",
            code: RTO_CHANGED,
            silent: marginal.explained.get(),
        };
        rto.compare(sheet, (before, old.rto.as_ref()), (after, new.rto.as_ref()));
    }
    let sides = marginal.sides;
    let loss = |view: &View<'_>| {
        let id = plan_id(marginal.key)?;
        let intent = Intent::unplanned(marginal.to, SourceStop::Attempt);
        let report = report(sides, view.declared, view, &id, |_| Some(intent))?;
        Some(report.forecast.rpo.expected?.value)
    };
    if let Some((before, after)) = loss(&sides.before).zip(loss(&sides.after)) {
        let rpo = Figure {
            name: "RPO",
            field: "rpo",
            what: "an unplanned failover is expected to lose",
            code: RPO_CHANGED,
            silent: false,
        };
        rpo.compare(
            sheet,
            (&before, old.rpo.as_ref()),
            (&after, new.rpo.as_ref()),
        );
    }
}

const NO_OBJECTIVES: Objectives = Objectives {
    rto: None,
    rpo: None,
};

/// A figure that something is aimed at.
struct Figure {
    name: &'static str,
    field: &'static str,
    what: &'static str,
    code: &'static str,
    /// Whether that it changes was said already.
    silent: bool,
}

impl Figure {
    fn compare(
        &self,
        sheet: &mut Sheet<'_>,
        (before, old_aim): (&Duration, Option<&Duration>),
        (after, new_aim): (&Duration, Option<&Duration>),
    ) {
        let misses = |value: &Duration, aim| Measured::new(value.clone(), aim).misses();
        let (missed, now_missed) = (misses(before, old_aim), misses(after, new_aim));
        let path = || FieldPath::spec("objectives").field(self.field);
        if missed != now_missed {
            let aim = or(new_aim.or(old_aim), "nothing");
            let (code, class, kept) = if now_missed {
                (
                    OBJECTIVE_MISSED,
                    Class::WorsensObjectives,
                    "is no longer kept",
                )
            } else {
                (OBJECTIVE_MET, Class::Harmless, "is kept")
            };
            let message = format!("the {} objective of {aim} {kept}", self.name);
            sheet
                .say(code, class, path(), message)
                .values(Some(before), Some(after))
                .effect(format!("{} {after}, and it was {before}", self.what));
            return;
        }
        if before != after && !self.silent {
            let class = if after > before {
                Class::WorsensObjectives
            } else {
                Class::Harmless
            };
            let by = signed(before, after);
            let message = format!("{} {after} instead of {before} ({by})", self.what);
            sheet
                .say(self.code, class, FieldPath::spec("groups"), message)
                .values(Some(before), Some(after));
        }
    }
}

fn objectives(sheet: &mut Sheet<'_>, before: Option<&Objectives>, after: Option<&Objectives>) {
    let none = NO_OBJECTIVES;
    let Objectives { rto, rpo } = before.unwrap_or(&none);
    let new = after.unwrap_or(&none);
    for (name, field, old, new) in [("RTO", "rto", rto, &new.rto), ("RPO", "rpo", rpo, &new.rpo)] {
        if old == new {
            continue;
        }
        let looser = match (old, new) {
            (Some(old), Some(new)) => new > old,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let class = if looser {
            Class::WorsensObjectives
        } else {
            Class::Harmless
        };
        let message = match (old, new) {
            (Some(old), Some(new)) => format!("an {name} of {new} is aimed at instead of {old}"),
            (None, new) => format!("an {name} of {} is aimed at", or(new.as_ref(), "nothing")),
            (old, None) => format!(
                "an {name} of {} is no longer aimed at",
                or(old.as_ref(), "nothing")
            ),
        };
        let path = FieldPath::spec("objectives").field(field);
        sheet
            .say(OBJECTIVE_CHANGED, class, path, message)
            .values(old.as_ref(), new.as_ref());
    }
}
