//! Recovery plans: what would start, what they are made of, how they go.

use drover_api::{Drills, RecoveryPlan, RecoveryPlanSpec, Schedule};

use super::codes::{
    ACTIVE_SITE_CHANGED, CANNOT_BE_CHANGED, CONCURRENCY_CHANGED, DRILL_SCHEDULE_CHANGED,
    FAILBACK_CHANGED, PLAN_ADDED, PLAN_REMOVED, PLAN_RENAMED, RESUMED, RUN_HISTORY_CHANGED,
    SUSPENDED,
};
use super::forecasts::{self, Cost, Marginal};
use super::meaning::{Class, Meaning};
use super::runs::{self, Ahead, Away};
use super::sheet::Sheet;
use super::sides::{Key, Pair, Sides, pairs, plan_id};
use super::words::{count, is_suspended, or, side};
use super::{order, rules};
use crate::declared::Entry;
use crate::plan::Places;
use crate::problem::FieldPath;

const KIND: &str = "RecoveryPlan";

pub(super) fn review(sides: &Sides<'_>, out: &mut Vec<Meaning>) {
    let all = pairs(&sides.before.declared.plans, &sides.after.declared.plans);
    let away = Away::of(&sides.before);
    let renamed = renamed(&all);
    for (key, pair) in &all {
        let mut sheet = Sheet::new(out, pair.subject(KIND, *key));
        match pair {
            Pair::Added(new) => {
                let was = renamed.iter().find(|(_, name)| name == key);
                if let Some((old, _)) = was {
                    rename(&mut sheet, *old, *key);
                } else {
                    added(&mut sheet, sides, *key, new.object);
                }
                runs::of_plan(&mut sheet, sides, &away, *key, None, new.object);
            }
            Pair::Removed(old) => {
                if !renamed.iter().any(|(name, _)| name == key) {
                    removed(&mut sheet, sides, *key, &old.object.spec);
                }
            }
            Pair::Both(old, new) => both(&mut sheet, sides, &away, *key, (*old, *new)),
        }
    }
}

/// Plans that go while one with the same content comes.
fn renamed<'a>(all: &[(Key<'a>, Pair<'a, RecoveryPlan>)]) -> Vec<(Key<'a>, Key<'a>)> {
    let gone = all.iter().filter_map(|(key, pair)| match pair {
        Pair::Removed(old) => Some((*key, &old.object.spec)),
        _ => None,
    });
    let come: Vec<(Key<'a>, &RecoveryPlanSpec)> = all
        .iter()
        .filter_map(|(key, pair)| match pair {
            Pair::Added(new) => Some((*key, &new.object.spec)),
            _ => None,
        })
        .collect();
    gone.filter_map(|(old, spec)| {
        let new = come
            .iter()
            .find(|(key, new)| key.0 == old.0 && *new == spec)?;
        Some((old, new.0))
    })
    .collect()
}

fn rename(sheet: &mut Sheet<'_>, old: Key<'_>, new: Key<'_>) {
    let message = format!("is called {} and was called {}", new.1, old.1);
    sheet
        .say(PLAN_RENAMED, Class::WeakensSafety, FieldPath::name(), message)
        .values(Some(old.1), Some(new.1))
        .effect("runs and drills stay recorded under the old name: what was served is not known any more");
}

fn added(sheet: &mut Sheet<'_>, sides: &Sides<'_>, key: Key<'_>, plan: &RecoveryPlan) {
    let (machines, open) = {
        let view = &sides.after;
        let spec = view
            .declared
            .plans
            .get(&key)
            .map(|entry| &entry.object.spec);
        let Some(spec) = spec else { return };
        let (machines, open) = view.machines_of(key.0, spec);
        (machines.len(), open)
    };
    let more = if open { " or more" } else { "" };
    let groups = count(plan.spec.groups.len(), "group");
    let machines = count(machines, "machine");
    let message = format!("is new: {machines}{more} in {groups}");
    let active = plan.spec.active_site.map_or_else(
        || "it only drills and forecasts: activeSite is not set".to_owned(),
        |role| format!("activeSite: {}", side(&plan.spec.sites, role)),
    );
    let rto = plan_id(key).and_then(|id| {
        let places = Places::NONE;
        let planner = sides.after.planner(sides.now, &places);
        let to = plan.spec.active_site.map_or(
            drover_api::common::SiteRole::Secondary,
            drover_api::common::SiteRole::other,
        );
        let intent = planner.standing(&id, to).ok()?;
        let rto = planner.plan(&id, intent).ok()?.forecast.rto;
        let misses = if rto.expected.misses() {
            ", which misses what is aimed at"
        } else {
            ""
        };
        Some(format!("RTO about {}{misses}", rto.expected.value))
    });
    let effects = [Some(active), rto].into_iter().flatten();
    sheet
        .say(PLAN_ADDED, Class::Harmless, FieldPath::name(), message)
        .effects(effects);
}

fn removed<'a>(sheet: &mut Sheet<'_>, sides: &Sides<'a>, key: Key<'a>, spec: &'a RecoveryPlanSpec) {
    let (machines, _) = sides.before.machines_of(key.0, spec);
    let machines: Vec<_> = machines.into_iter().map(|(machine, _)| machine).collect();
    let others = order::plans_of(sides, key, &machines);
    let message = format!(
        "is deleted: it recovered {}",
        count(machines.len(), "machine")
    );
    let (class, effect) = if others.is_empty() {
        (
            Class::LosesProtection,
            "no other plan recovers them".to_owned(),
        )
    } else {
        let others: Vec<&str> = others.into_iter().collect();
        let names = super::words::names(&others);
        (
            Class::Harmless,
            format!("plan {names} has them, or some of them"),
        )
    };
    sheet
        .say(PLAN_REMOVED, class, FieldPath::name(), message)
        .effects([effect, "its runs stay, as evidence".to_owned()]);
}

fn both<'a>(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'a>,
    away: &Away<'a>,
    key: Key<'a>,
    (old, new): (Entry<'a, RecoveryPlan>, Entry<'a, RecoveryPlan>),
) {
    let (before, after) = (&old.object.spec, &new.object.spec);
    suspension(sheet, old.object, new.object);
    let resumes = is_suspended(old.object.metadata.annotations.as_ref())
        && !is_suspended(new.object.metadata.annotations.as_ref());
    if !resumes && !touched(sides, key, before, after) {
        return;
    }
    let RecoveryPlanSpec {
        sites,
        // Said with the run that they start, or by `rules`.
        active_site: _,
        overrides: _,
        request: _,
        failover: _,
        commit: _,
        guards: _,
        // Said by `forecasts` and `order`.
        objectives: _,
        groups: _,
        failback_policy_ref,
        concurrency,
        drills,
        run_history,
    } = before;
    if *sites != after.sites {
        sheet.say(
            CANNOT_BE_CHANGED,
            Class::Refused,
            FieldPath::spec("sites"),
            "the sites of a plan cannot be changed: make a new plan",
        );
        return;
    }
    let ahead = runs::of_plan(sheet, sides, away, key, Some(old.object), new.object);
    if matches!(ahead, Ahead::Nothing) {
        active_site(sheet, before, after);
    }
    rules::compare(sheet, before, after, &ahead);
    let marginal = Marginal::new(sides, key, &old, new);
    order::compare(sheet, sides, key, (before, after), &marginal);
    if failback_policy_ref != &after.failback_policy_ref {
        let name = |plan: &RecoveryPlanSpec| {
            or(
                plan.failback_policy_ref
                    .as_ref()
                    .map(|reference| &reference.name),
                "fixed values",
            )
        };
        let (old, new) = (name(before), name(after));
        let message = format!("machines come home by {new} instead of {old}");
        sheet
            .say(
                FAILBACK_CHANGED,
                Class::Harmless,
                FieldPath::spec("failbackPolicyRef"),
                message,
            )
            .values(Some(old), Some(new));
    }
    if *concurrency != after.concurrency {
        places(sheet, &marginal, *concurrency, after.concurrency);
    }
    self::drills(sheet, drills.as_ref(), after.drills.as_ref());
    let (keep, now) = (run_history.keep, after.run_history.keep);
    if keep != now {
        let class = if now < keep {
            Class::WeakensSafety
        } else {
            Class::Harmless
        };
        let message = format!("the newest {now} runs of each kind are kept instead of {keep}");
        sheet
            .say(
                RUN_HISTORY_CHANGED,
                class,
                FieldPath::spec("runHistory"),
                message,
            )
            .values(Some(keep), Some(now));
    }
    forecasts::compare(sheet, &marginal, before, after);
}

/// Whether anything changes that the plan, its runs or its figures are made of.
fn touched(
    sides: &Sides<'_>,
    key: Key<'_>,
    before: &RecoveryPlanSpec,
    after: &RecoveryPlanSpec,
) -> bool {
    if before != after {
        return true;
    }
    let (old, new) = (sides.before.declared, sides.after.declared);
    let site = |name: &str| {
        let (old, new) = (old.sites.get(name), new.sites.get(name));
        old.map(|site| &site.object.spec) != new.map(|site| &site.object.spec)
    };
    let policy = |name: &str| {
        let key = (key.0, name);
        let (old, new) = (old.policies.get(&key), new.policies.get(&key));
        old.map(|policy| &policy.object.spec) != new.map(|policy| &policy.object.spec)
    };
    let failback = after.failback_policy_ref.as_ref().is_some_and(|reference| {
        let key = (key.0, reference.name.as_str());
        let (old, new) = (
            old.failback_policies.get(&key),
            new.failback_policies.get(&key),
        );
        let way_back = new.and_then(|entry| entry.object.spec.replication_policy_ref.as_ref());
        old.map(|entry| &entry.object.spec) != new.map(|entry| &entry.object.spec)
            || way_back.is_some_and(|reference| policy(reference.name.as_str()))
    });
    if failback || site(after.sites.primary.as_str()) || site(after.sites.secondary.as_str()) {
        return true;
    }
    let names = after.groups.iter().flat_map(|group| {
        let single = group
            .machines
            .iter()
            .map(|machine| &machine.protection_group);
        group.protection_groups.iter().chain(single)
    });
    let mut changed = names.filter(|name| {
        let key = (key.0, name.as_str());
        let (old, new) = (old.groups.get(&key), new.groups.get(&key));
        let spec = new.map(|group| &group.object.spec);
        old.map(|group| &group.object.spec) != spec
            || spec.is_some_and(|spec| {
                policy(spec.policy_ref.name.as_str())
                    || site(spec.sites.primary.as_str())
                    || site(spec.sites.secondary.as_str())
            })
    });
    changed.next().is_some()
}

fn suspension(sheet: &mut Sheet<'_>, before: &RecoveryPlan, after: &RecoveryPlan) {
    let path = FieldPath::name();
    match (
        is_suspended(before.metadata.annotations.as_ref()),
        is_suspended(after.metadata.annotations.as_ref()),
    ) {
        (false, true) => {
            sheet.say(
                SUSPENDED,
                Class::WeakensSafety,
                path,
                "is suspended: no run and no drill begins",
            );
        }
        (true, false) => {
            sheet
                .say(RESUMED, Class::WouldRun, path, "is no longer suspended")
                .effect("a run or a drill that was held begins");
        }
        _ => {}
    }
}

/// `activeSite` that moves nothing: it was unset, or becomes so.
fn active_site(sheet: &mut Sheet<'_>, before: &RecoveryPlanSpec, after: &RecoveryPlanSpec) {
    let (old, new) = (before.active_site, after.active_site);
    if old == new {
        return;
    }
    let path = FieldPath::spec("activeSite");
    let (class, message) = match new {
        Some(new) => (
            Class::Harmless,
            format!("owns its machines, at the {} site", side(&after.sites, new)),
        ),
        None => (
            Class::LosesProtection,
            "only drills and forecasts: a failover can no longer be declared".to_owned(),
        ),
    };
    sheet.say(ACTIVE_SITE_CHANGED, class, path, message).values(
        old.map(drover_api::common::SiteRole::as_str),
        new.map(drover_api::common::SiteRole::as_str),
    );
}

fn places(
    sheet: &mut Sheet<'_>,
    marginal: &Marginal<'_, '_>,
    before: Option<u32>,
    after: Option<u32>,
) {
    let cost = marginal.of(|plan| plan.concurrency = before);
    let class = cost.as_ref().map_or(Class::Harmless, Cost::class);
    let words = |limit: Option<u32>| or(limit.as_ref(), "as many as the sites allow");
    let (old, new) = (words(before), words(after));
    let message = format!("machines that stop or start at once: {new} instead of {old}");
    sheet
        .say(
            CONCURRENCY_CHANGED,
            class,
            FieldPath::spec("concurrency"),
            message,
        )
        .values(Some(old), Some(new))
        .effects(cost.as_ref().map(Cost::words));
}

fn drills(sheet: &mut Sheet<'_>, before: Option<&Drills>, after: Option<&Drills>) {
    let path = FieldPath::spec("drills");
    let when = |drills: &Drills| {
        let Schedule { cron, time_zone } = &drills.schedule;
        format!("{cron} ({time_zone})")
    };
    match (before, after) {
        (None, Some(after)) => {
            let message = format!("drills run on a schedule, {}", when(after));
            sheet.say(DRILL_SCHEDULE_CHANGED, Class::Harmless, path, message);
        }
        (Some(before), None) => {
            let message = format!(
                "drills no longer run on a schedule; it was {}",
                when(before)
            );
            sheet.say(DRILL_SCHEDULE_CHANGED, Class::WeakensSafety, path, message);
        }
        (Some(before), Some(after)) => drill_settings(sheet, before, after, when),
        (None, None) => {}
    }
}

fn drill_settings(
    sheet: &mut Sheet<'_>,
    before: &Drills,
    after: &Drills,
    when: impl Fn(&Drills) -> String,
) {
    let Drills {
        schedule,
        ttl,
        starting_deadline,
        suspend,
    } = before;
    let path = |field: &'static str| FieldPath::spec("drills").field(field);
    if *schedule != after.schedule {
        let (old, new) = (when(before), when(after));
        let message = format!("drills run at {new} instead of {old}");
        sheet
            .say(
                DRILL_SCHEDULE_CHANGED,
                Class::Harmless,
                path("schedule"),
                message,
            )
            .values(Some(old), Some(new));
    }
    let lengths = [
        ("ttl", "machines of a drill stand for", ttl, &after.ttl),
        (
            "startingDeadline",
            "a drill may begin late by",
            starting_deadline,
            &after.starting_deadline,
        ),
    ];
    for (field, what, old, new) in lengths {
        if old != new {
            let message = format!("{what} {new} instead of {old}");
            sheet
                .say(
                    DRILL_SCHEDULE_CHANGED,
                    Class::Harmless,
                    path(field),
                    message,
                )
                .values(Some(old), Some(new));
        }
    }
    match (suspend, after.suspend) {
        (false, true) => {
            sheet.say(
                DRILL_SCHEDULE_CHANGED,
                Class::WeakensSafety,
                path("suspend"),
                "the schedule of drills rests",
            );
        }
        (true, false) => {
            sheet.say(
                DRILL_SCHEDULE_CHANGED,
                Class::Harmless,
                path("suspend"),
                "the schedule of drills no longer rests",
            );
        }
        _ => {}
    }
}
