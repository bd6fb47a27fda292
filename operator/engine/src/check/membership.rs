//! Who is in a plan: every machine once, consistency groups whole, no group without machines.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::Consistency;

use super::codes::{
    EMPTY_PLAN, EMPTY_PLAN_GROUP, EMPTY_PROTECTION_GROUP, MACHINE_IN_TWO_GROUPS,
    SPLIT_CONSISTENCY_GROUP,
};
use super::context::{Context, Group, Plan, Single, in_plan};
use super::words::{SHOWN, quoted, some_of};
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for group in &context.groups {
        // A group that says nothing of its members is told already.
        if group.spec.selector.is_some() && group.members.known.is_empty() && !group.members.open {
            let site = &group.spec.sites.primary;
            let message = format!("no machine at site `{site}` has these labels");
            let path = FieldPath::spec("selector");
            problems.push(
                Problem::warning(EMPTY_PROTECTION_GROUP, group.object, path, message)
                    .hint("correct the selector, or label the machines; a new match is protected by itself"),
            );
        }
    }
    for plan in &context.plans {
        twice(context, plan, problems);
        empty(context, plan, problems);
        if plan.spec.active_site.is_some() {
            consistency(context, plan, problems);
        }
    }
}

/// A machine is in a plan once, by its group or by its name (PL-1).
fn twice(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    let group_name = |at: usize| plan.spec.groups[at].name.as_str();
    let mut wholes = BTreeMap::new();
    for whole in &plan.whole {
        let Some(first) = wholes.insert(whole.group, *whole) else {
            continue;
        };
        wholes.insert(whole.group, first);
        let message = format!(
            "ProtectionGroup `{}` is already in group `{}`",
            context.groups[whole.group].name,
            group_name(first.at)
        );
        problems.push(once(plan, whole.path(), message).related(
            plan.object,
            first.path(),
            "the first place",
        ));
    }
    let mut singles: BTreeMap<(usize, &str), Single> = BTreeMap::new();
    for single in &plan.single {
        let name = single.name(plan).as_str();
        let (first, by) = if let Some(whole) = wholes.get(&single.group) {
            let group = context.groups[single.group].name;
            (
                Some((whole.at, whole.path())),
                format!(" with ProtectionGroup `{group}`"),
            )
        } else {
            let first = singles.get(&(single.group, name));
            (first.map(|first| (first.at, first.path())), String::new())
        };
        let Some((at, path)) = first else {
            singles.insert((single.group, name), *single);
            continue;
        };
        let message = format!(
            "machine `{name}` is already in group `{}`{by}",
            group_name(at)
        );
        let problem = once(plan, single.path(), message);
        problems.push(problem.related(plan.object, path, "the first place"));
    }
}

fn once(plan: &Plan<'_>, path: FieldPath, message: String) -> Problem {
    Problem::error(MACHINE_IN_TWO_GROUPS, plan.object, path, message)
        .hint("a machine is in one group of a plan: remove one of the two")
}

/// Whether machines that are known, or may come, are in each group of the plan.
fn empty(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    if plan.spec.groups.is_empty() {
        let path = FieldPath::spec("groups");
        let message = "this plan has no groups, so it would move nothing";
        let problem = Problem::error(EMPTY_PLAN, plan.object, path, message);
        problems.push(problem.hint("add a group that names `protectionGroups` or `machines`"));
        return;
    }
    let mut resolved = vec![0; plan.spec.groups.len()];
    let mut inhabited = vec![false; plan.spec.groups.len()];
    for whole in &plan.whole {
        let members = &context.groups[whole.group].members;
        resolved[whole.at] += 1;
        inhabited[whole.at] |= members.open || !members.known.is_empty();
    }
    let empty: Vec<usize> = plan
        .spec
        .groups
        .iter()
        .enumerate()
        .filter(|(at, group)| {
            // What is named and not there, and what names nothing, is told already.
            let named = group.protection_groups.len();
            named > 0 && group.machines.is_empty() && resolved[*at] == named && !inhabited[*at]
        })
        .map(|(at, _)| at)
        .collect();
    if empty.len() == plan.spec.groups.len() {
        let path = FieldPath::spec("groups");
        let message = "no group of this plan has a machine, so it would move nothing";
        let problem = Problem::error(EMPTY_PLAN, plan.object, path, message);
        problems.push(problem.hint("look at the selectors of its protection groups"));
        return;
    }
    for at in empty {
        let message = format!("group `{}` has no machine", plan.spec.groups[at].name);
        let problem = Problem::warning(EMPTY_PLAN_GROUP, plan.object, in_plan(at), message);
        problems.push(problem.hint("look at the selectors of its protection groups"));
    }
}

/// A consistency group is moved whole or not at all (PL-7, PR-7).
fn consistency(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    let whole: BTreeSet<usize> = plan.whole.iter().map(|whole| whole.group).collect();
    let mut named: BTreeMap<usize, (Single, BTreeSet<usize>)> = BTreeMap::new();
    for single in &plan.single {
        let shared = context.groups[single.group].spec.consistency == Consistency::Group;
        if !shared || whole.contains(&single.group) {
            continue;
        }
        let (_, members) = named
            .entry(single.group)
            .or_insert_with(|| (*single, BTreeSet::new()));
        members.extend(single.member);
    }
    for (position, (first, members)) in named {
        let group = &context.groups[position];
        if group.members.open || members.len() < group.members.known.len() {
            problems.push(split(plan, group, first, &members));
        }
    }
}

fn split(plan: &Plan<'_>, group: &Group<'_>, first: Single, named: &BTreeSet<usize>) -> Problem {
    let missing = group.names().enumerate();
    let missing = missing.filter(|(member, _)| !named.contains(member));
    let missing: Vec<&str> = missing.map(|(_, name)| name).take(SHOWN).collect();
    let total = group.members.known.len() - named.len();
    let left = if missing.is_empty() {
        "machines that are not known yet".to_owned()
    } else {
        some_of(missing, total)
    };
    let message = format!(
        "ProtectionGroup {} is a consistency group, and this plan leaves out {left}",
        quoted(group.name)
    );
    Problem::error(SPLIT_CONSISTENCY_GROUP, plan.object, first.path(), message)
        .hint("name the whole group under `protectionGroups`: its members are recovered to one instant")
        .related(group.object, FieldPath::spec("consistency"), "shared recovery points")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::testing::World;

    const PLAN: &str = "RecoveryPlan/shop";

    fn machines(names: &[&str]) -> Value {
        let machines = names.iter();
        machines
            .map(|name| json!({ "protectionGroup": "shop-data", "name": name }))
            .collect()
    }

    #[test]
    fn a_machine_is_in_a_plan_once() {
        // SPEC: PL-1
        let world = World::example()
            .set(
                PLAN,
                "/spec/groups/1/protectionGroups",
                json!(["shop-web", "shop-data"]),
            )
            .set(PLAN, "/spec/groups/1/machines", machines(&["db-1"]));
        assert_eq!(
            world.told(),
            [
                "error machine-in-two-groups RecoveryPlan/shop spec.groups[1].machines[0]: \
                 machine `db-1` is already in group `data` with ProtectionGroup `shop-data` (a \
                 machine is in one group of a plan: remove one of the two)",
                "error machine-in-two-groups RecoveryPlan/shop spec.groups[1].protectionGroups[1]: \
                 ProtectionGroup `shop-data` is already in group `data` (a machine is in one group \
                 of a plan: remove one of the two)",
            ]
        );
    }

    #[test]
    fn a_machine_is_named_once() {
        let world = World::example()
            .remove(PLAN, "/spec/groups/0/protectionGroups")
            .set(
                PLAN,
                "/spec/groups/0/machines",
                machines(&["db-1", "db-2", "db-1"]),
            );
        assert_eq!(
            world.found(),
            ["error machine-in-two-groups RecoveryPlan/shop spec.groups[0].machines[2]"]
        );
    }

    #[test]
    fn a_consistency_group_is_moved_whole() {
        // SPEC: PL-7, PR-7
        let world = World::example()
            .remove(PLAN, "/spec/groups/0/protectionGroups")
            .set(PLAN, "/spec/groups/0/machines", machines(&["db-1"]));
        let told = world.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(
                "error split-consistency-group RecoveryPlan/shop spec.groups[0].machines[0]: \
                 ProtectionGroup `shop-data` is a consistency group, and this plan leaves out `db-2`"
            ),
            "{told:?}"
        );
        let drills_only = world.clone().remove(PLAN, "/spec/activeSite");
        assert_eq!(drills_only.found(), Vec::<String>::new());
        let each_alone = world.set(
            "ProtectionGroup/shop-data",
            "/spec/consistency",
            json!("PerMachine"),
        );
        assert_eq!(each_alone.found(), Vec::<String>::new());
    }

    #[test]
    fn a_selector_that_finds_nothing_is_told_where_it_hurts() {
        // SPEC: PR-10
        let none = json!([{ "name": "db-1" }, { "name": "db-2" }]);
        let world = World::example().set("Site/seoul", "/spec/fabric/simulator/machines", none);
        assert_eq!(
            world.found(),
            [
                "warning empty-protection-group ProtectionGroup/shop-web spec.selector",
                "warning empty-plan-group RecoveryPlan/shop spec.groups[1]",
            ]
        );
        let only = world.set(
            PLAN,
            "/spec/groups",
            json!([{ "name": "web", "protectionGroups": ["shop-web"] }]),
        );
        assert_eq!(
            only.found_of("empty-plan"),
            ["error empty-plan RecoveryPlan/shop spec.groups"]
        );
    }

    #[test]
    fn a_plan_without_groups_is_refused() {
        // SPEC: PL-1
        let world = World::example().set(PLAN, "/spec/groups", json!([]));
        assert_eq!(
            world.found(),
            ["error empty-plan RecoveryPlan/shop spec.groups"]
        );
    }
}
