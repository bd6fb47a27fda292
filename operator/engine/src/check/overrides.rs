//! Single machines that should be active elsewhere than their plan (PL-6).

use std::collections::BTreeMap;

use drover_api::{Consistency, Override};

use super::actions::several;
use super::codes::{
    AMBIGUOUS_MACHINE, OVERRIDE_IN_CONSISTENCY_GROUP, OVERRIDE_TWICE, OVERRIDE_WITHOUT_EFFECT,
    UNKNOWN_MACHINE,
};
use super::context::{Context, Plan};
use super::finder::{Finder, Found, Meaning};
use crate::problem::{FieldPath, Problem};

/// The overrides of one plan, by the machine that each means.
pub(super) type Resolved = BTreeMap<Found, usize>;

/// The path of an override.
pub(super) fn path(position: usize) -> FieldPath {
    FieldPath::spec("overrides").index(position)
}

/// The overrides of all plans, and what is wrong with them.
pub(super) fn resolve(context: &Context<'_>, problems: &mut Vec<Problem>) -> Vec<Resolved> {
    let plans = context.plans.iter();
    plans.map(|plan| of_plan(context, plan, problems)).collect()
}

fn of_plan(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) -> Resolved {
    let mut resolved = Resolved::new();
    let overrides = &plan.spec.overrides;
    if overrides.is_empty() {
        return resolved;
    }
    let finder = Finder::new(context, plan, overrides.iter().map(|one| &one.machine));
    for (position, one) in overrides.iter().enumerate() {
        match finder.find(&one.machine, one.protection_group.as_ref()) {
            Meaning::One(found) => {
                if let Some(first) = resolved.get(&found) {
                    problems.push(twice(plan, position, *first, one));
                    continue;
                }
                resolved.insert(found, position);
                problems.extend(of_machine(context, plan, position, one, found));
            }
            meaning => problems.extend(unresolved(context, plan, &finder, position, &meaning)),
        }
    }
    resolved
}

fn of_machine(
    context: &Context<'_>,
    plan: &Plan<'_>,
    position: usize,
    one: &Override,
    found: Found,
) -> Option<Problem> {
    let group = &context.groups[found.0];
    if group.spec.consistency == Consistency::Group {
        let message = format!(
            "`{}` belongs to consistency group `{}` and cannot be active elsewhere than the others",
            one.machine, group.name
        );
        let at = path(position);
        let problem = Problem::error(OVERRIDE_IN_CONSISTENCY_GROUP, plan.object, at, message)
            .hint("remove the override, or move the whole plan with `activeSite`")
            .related(
                group.object,
                FieldPath::spec("consistency"),
                "shared recovery points",
            );
        return Some(problem);
    }
    if Some(one.active_site) != plan.spec.active_site {
        return None;
    }
    let site = one.active_site.as_str();
    let message = format!("`{}` is at `{site}` anyway, as the plan says", one.machine);
    let at = path(position).field("activeSite");
    let problem = Problem::warning(OVERRIDE_WITHOUT_EFFECT, plan.object, at, message);
    Some(problem.hint("remove the override"))
}

fn twice(plan: &Plan<'_>, position: usize, first: usize, one: &Override) -> Problem {
    let message = format!("there is already an override for `{}`", one.machine);
    Problem::error(OVERRIDE_TWICE, plan.object, path(position), message)
        .hint("remove one of the two")
        .related(plan.object, path(first), "the first one")
}

fn unresolved(
    context: &Context<'_>,
    plan: &Plan<'_>,
    finder: &Finder<'_, '_>,
    position: usize,
    meaning: &Meaning,
) -> Option<Problem> {
    let one = &plan.spec.overrides[position];
    let name = &one.machine;
    let at = path(position);
    match meaning {
        Meaning::One(_) | Meaning::Unknown => None,
        Meaning::Several(groups) => {
            let message = format!("several machines of this plan are called `{name}`");
            let at = at.field("machine");
            let problem = Problem::error(AMBIGUOUS_MACHINE, plan.object, at, message);
            Some(problem.hint(several(context, groups)))
        }
        Meaning::NoSuchGroup => {
            let group = one.protection_group.as_ref();
            let group = group.map(ToString::to_string).unwrap_or_default();
            let message = format!("this plan has nothing of ProtectionGroup `{group}`");
            let at = at.field("protectionGroup");
            let problem = Problem::error(UNKNOWN_MACHINE, plan.object, at, message);
            Some(problem.hint("name a protection group of the plan"))
        }
        Meaning::Nobody => {
            let message = format!("`{name}` is not a machine of this plan");
            let at = at.field("machine");
            let problem = Problem::error(UNKNOWN_MACHINE, plan.object, at, message);
            Some(
                problem.hint(match context.meant(name.as_str(), finder.names()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "name a machine of the plan, or remove the override".to_owned(),
                }),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::testing::World;

    const PLAN: &str = "RecoveryPlan/shop";

    /// The example with three listed web servers and these overrides.
    fn overrides(overrides: Value) -> World {
        let web = json!([{ "name": "web-1" }, { "name": "web-2" }, { "name": "web-3" }]);
        World::example()
            .remove("ProtectionGroup/shop-web", "/spec/selector")
            .remove("ProtectionGroup/shop-web", "/spec/memberSettings")
            .set("ProtectionGroup/shop-web", "/spec/machines", web)
            .set(PLAN, "/spec/overrides", overrides)
    }

    #[test]
    fn a_single_machine_may_be_elsewhere() {
        // SPEC: PL-6
        let world = overrides(json!([{ "machine": "web-2", "activeSite": "secondary" }]));
        assert_eq!(world.found(), Vec::<String>::new());
    }

    #[test]
    fn a_member_of_a_consistency_group_may_not() {
        // SPEC: PL-6
        let world = overrides(json!([{ "machine": "db-1", "activeSite": "secondary" }]));
        assert_eq!(
            world.found(),
            [format!(
                "error override-in-consistency-group {PLAN} spec.overrides[0]"
            )]
        );
    }

    #[test]
    fn an_override_says_something_once_about_a_machine_of_the_plan() {
        let world = overrides(json!([
            { "machine": "web-1", "activeSite": "secondary" },
            { "machine": "web-1", "activeSite": "secondary" },
            { "machine": "web-2", "activeSite": "primary" },
            { "machine": "wbe-3", "activeSite": "secondary" },
            { "machine": "web-3", "protectionGroup": "shop", "activeSite": "secondary" },
        ]));
        assert_eq!(
            world.told(),
            [
                format!(
                    "error override-twice {PLAN} spec.overrides[1]: there is already an override \
                     for `web-1` (remove one of the two)"
                ),
                format!(
                    "warning override-without-effect {PLAN} spec.overrides[2].activeSite: `web-2` \
                     is at `primary` anyway, as the plan says (remove the override)"
                ),
                format!(
                    "error unknown-machine {PLAN} spec.overrides[3].machine: `wbe-3` is not a \
                     machine of this plan (did you mean `web-3`?)"
                ),
                format!(
                    "error unknown-machine {PLAN} spec.overrides[4].protectionGroup: this plan has \
                     nothing of ProtectionGroup `shop` (name a protection group of the plan)"
                ),
            ]
        );
    }

    #[test]
    fn a_name_that_two_machines_have_needs_their_group() {
        let world = overrides(json!([{ "machine": "db-1", "activeSite": "secondary" }])).set(
            "ProtectionGroup/shop-web",
            "/spec/machines/0/name",
            json!("db-1"),
        );
        assert_eq!(
            world.found_of("ambiguous-machine").last().unwrap(),
            &format!("error ambiguous-machine {PLAN} spec.overrides[0].machine")
        );
    }
}
