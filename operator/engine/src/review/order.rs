//! The groups of a plan: which there are, who is in them, and who waits for whom (PL-1).

use std::collections::{BTreeMap, BTreeSet};

use drover_api::PlanGroup;
use drover_api::RecoveryPlanSpec;
use drover_api::value::MachineName;

use super::actions;
use super::codes::{
    DEPENDENCIES_CHANGED, MACHINE_MOVED, MACHINE_NOT_PLANNED, MACHINE_PLANNED, PLAN_GROUP_ADDED,
    PLAN_GROUP_REMOVED, PLAN_GROUP_RENAMED,
};
use super::forecasts::{Cost, Marginal};
use super::meaning::Class;
use super::sheet::Sheet;
use super::sides::{Key, Machine, Sides};
use super::words::{are, count, for_number, names};
use crate::members::Member;
use crate::plan::PlanGraph;
use crate::problem::FieldPath;

/// Compares the groups of a plan.
pub(super) fn compare<'a>(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'a>,
    key: Key<'a>,
    (before, after): (&'a RecoveryPlanSpec, &'a RecoveryPlanSpec),
    marginal: &Marginal<'_, 'a>,
) {
    if before.groups == after.groups && !any_selected(sides, key, after) {
        return;
    }
    let groups = Groups::of(before, after);
    groups.come_and_go(sheet, sides, key);
    machines(sheet, sides, key, (before, after), &groups);
    dependencies(sheet, (before, after), &groups, marginal);
    for (old, new) in groups.both() {
        actions::compare(sheet, old, new, marginal);
    }
    actions::moved(sheet, before, after, &groups);
}

/// Members may come and go without a change of the plan.
fn any_selected(sides: &Sides<'_>, key: Key<'_>, plan: &RecoveryPlanSpec) -> bool {
    let names = plan
        .groups
        .iter()
        .flat_map(|group| &group.protection_groups);
    let mut changed = names.filter(|name| {
        let key = (key.0, name.as_str());
        let (old, new) = (sides.before.members(), sides.after.members());
        let (Some(old), Some(new)) = (old.get(&key), new.get(&key)) else {
            return true;
        };
        let names = |members: &[Member<'_>]| -> Vec<MachineName> {
            members.iter().map(|member| member.name.clone()).collect()
        };
        names(&old.known) != names(&new.known)
    });
    changed.next().is_some()
}

/// The groups of both sides, with those that only got another name.
pub(super) struct Groups<'a> {
    before: &'a [PlanGroup],
    after: &'a [PlanGroup],
    /// New names by old ones, where they differ.
    renamed: BTreeMap<&'a str, &'a str>,
}

impl<'a> Groups<'a> {
    fn of(before: &'a RecoveryPlanSpec, after: &'a RecoveryPlanSpec) -> Self {
        let (before, after) = (before.groups.as_slice(), after.groups.as_slice());
        let mut renamed = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for old in before
            .iter()
            .filter(|old| find(after, old.name.as_str()).is_none())
        {
            let new = after.iter().find(|new| {
                find(before, new.name.as_str()).is_none()
                    && !taken.contains(new.name.as_str())
                    && same_members(old, new)
            });
            if let Some(new) = new {
                taken.insert(new.name.as_str());
                renamed.insert(old.name.as_str(), new.name.as_str());
            }
        }
        Self {
            before,
            after,
            renamed,
        }
    }

    /// What an old group is called now.
    pub(super) fn now<'n>(&self, old: &'n str) -> &'n str
    where
        'a: 'n,
    {
        self.renamed.get(old).copied().unwrap_or(old)
    }

    /// The groups that there were and are.
    fn both(&self) -> impl Iterator<Item = (&'a PlanGroup, &'a PlanGroup)> {
        self.before
            .iter()
            .filter_map(|old| Some((old, find(self.after, self.now(old.name.as_str()))?)))
    }

    fn come_and_go(&self, sheet: &mut Sheet<'_>, sides: &Sides<'a>, key: Key<'a>) {
        for (old, new) in &self.renamed {
            let message = format!("group {old} is called {new}");
            sheet
                .say(
                    PLAN_GROUP_RENAMED,
                    Class::Harmless,
                    place(self.after, new),
                    message,
                )
                .values(Some(old), Some(new));
        }
        let known = self.renamed.values().copied().collect::<BTreeSet<_>>();
        for new in self.after {
            let name = new.name.as_str();
            if find(self.before, name).is_some() || known.contains(name) {
                continue;
            }
            let machines = of_group(&sides.after, key, new);
            let message = format!("group {name} is new, with {}", count(machines, "machine"));
            sheet.say(
                PLAN_GROUP_ADDED,
                Class::Harmless,
                place(self.after, name),
                message,
            );
        }
        for old in self.before {
            let name = old.name.as_str();
            if find(self.after, name).is_some() || self.renamed.contains_key(name) {
                continue;
            }
            let message = format!("group {name} is gone");
            sheet.say(
                PLAN_GROUP_REMOVED,
                Class::Harmless,
                FieldPath::spec("groups"),
                message,
            );
        }
    }
}

fn of_group(view: &super::sides::View<'_>, key: Key<'_>, group: &PlanGroup) -> usize {
    let whole = group.protection_groups.iter().map(|name| {
        let members = view.members().get(&(key.0, name.as_str()));
        members.map_or(0, |members| members.known.len())
    });
    whole.sum::<usize>() + group.machines.len()
}

fn find<'a>(groups: &'a [PlanGroup], name: &str) -> Option<&'a PlanGroup> {
    groups.iter().find(|group| group.name.as_str() == name)
}

/// Where a group is written.
pub(super) fn place(groups: &[PlanGroup], name: &str) -> FieldPath {
    let position = groups.iter().position(|group| group.name.as_str() == name);
    let groups = FieldPath::spec("groups");
    match position {
        Some(position) => groups.index(position),
        None => groups,
    }
}

fn same_members(one: &PlanGroup, other: &PlanGroup) -> bool {
    super::lists::same_set(&one.protection_groups, &other.protection_groups)
        && super::lists::same_set(&one.machines, &other.machines)
}

/// Machines that come to a plan, leave it, or start with another group of it.
fn machines<'a>(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'a>,
    key: Key<'a>,
    (before, after): (&'a RecoveryPlanSpec, &'a RecoveryPlanSpec),
    groups: &Groups<'a>,
) {
    let (old, _) = sides.before.machines_of(key.0, before);
    let (new, open) = sides.after.machines_of(key.0, after);
    let old: BTreeMap<Machine<'a>, &str> = old.into_iter().collect();
    let new: BTreeMap<Machine<'a>, &str> = new.into_iter().collect();
    let gone: Vec<Machine<'a>> = old
        .keys()
        .filter(|machine| !new.contains_key(*machine))
        .copied()
        .collect();
    let renamed: BTreeSet<&MachineName> = gone.iter().map(|machine| machine.1).collect();
    let mut moved: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut come: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (machine, group) in &new {
        match old.get(machine) {
            Some(was) if groups.now(was) != *group => {
                let from_to = (groups.now(was), *group);
                moved.entry(from_to).or_default().push(machine.1.as_str());
            }
            Some(_) => {}
            // Its protection group got another name, which is said there.
            None if renamed.contains(machine.1) => {}
            None => come.entry(*group).or_default().push(machine.1.as_str()),
        }
    }
    for ((from, to), who) in moved {
        let starts = for_number(who.len(), "starts", "start");
        let message = format!("{} {starts} with group {to} instead of {from}", names(&who));
        sheet
            .say(
                MACHINE_MOVED,
                Class::Harmless,
                place(&after.groups, to),
                message,
            )
            .values(Some(from), Some(to));
    }
    for (group, who) in come {
        let message = format!(
            "{} {} part of group {group}",
            names(&who),
            for_number(who.len(), "becomes", "become")
        );
        sheet.say(
            MACHINE_PLANNED,
            Class::Harmless,
            place(&after.groups, group),
            message,
        );
    }
    if !gone.is_empty() && !open {
        not_planned(sheet, sides, key, after, &gone);
    }
}

/// Machines that are protected all the same, and that no plan would move.
fn not_planned<'a>(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'a>,
    key: Key<'a>,
    after: &RecoveryPlanSpec,
    gone: &[Machine<'a>],
) {
    let listed: BTreeSet<&str> = after
        .groups
        .iter()
        .flat_map(|group| &group.protection_groups)
        .map(drover_api::value::GroupName::as_str)
        .collect();
    let protected = |machine: &&Machine<'a>| {
        let members = sides.after.members().get(&(key.0, machine.0));
        let known = members.is_some_and(|members| {
            members.open || members.known.iter().any(|member| member.name == machine.1)
        });
        // One that a selector no longer finds stays in the plan (PR-10); that it does is said of the group.
        known && !listed.contains(machine.0)
    };
    let protected: Vec<Machine<'a>> = gone.iter().filter(protected).copied().collect();
    if protected.is_empty() {
        return;
    }
    let plans = plans_of(sides, key, &protected);
    let who: Vec<&str> = protected.iter().map(|machine| machine.1.as_str()).collect();
    let message = format!(
        "{} {} no longer part of the plan",
        names(&who),
        are(who.len())
    );
    let path = FieldPath::spec("groups");
    if plans.is_empty() {
        let no_plan = format!(
            "{} still replicated, and no plan recovers {}",
            for_number(who.len(), "it is", "they are"),
            for_number(who.len(), "it", "them")
        );
        sheet
            .say(MACHINE_NOT_PLANNED, Class::LosesProtection, path, message)
            .effect(no_plan);
    } else {
        let plans: Vec<&str> = plans.into_iter().collect();
        sheet
            .say(MACHINE_NOT_PLANNED, Class::Harmless, path, message)
            .effect(format!(
                "plan {} has {}",
                names(&plans),
                for_number(who.len(), "it", "them")
            ));
    }
}

/// Other plans that have one of these machines; they are seldom looked for.
pub(super) fn plans_of<'a>(
    sides: &Sides<'a>,
    key: Key<'a>,
    machines: &[Machine<'a>],
) -> BTreeSet<&'a str> {
    let machines: BTreeSet<Machine<'a>> = machines.iter().copied().collect();
    let plans = sides.after.declared.plans.range((key.0, "")..);
    plans
        .take_while(|((namespace, _), _)| *namespace == key.0)
        .filter(|((_, name), _)| *name != key.1)
        .filter(|(_, plan)| {
            let (own, _) = sides.after.machines_of(key.0, &plan.object.spec);
            own.iter().any(|(machine, _)| machines.contains(machine))
        })
        .map(|((_, name), _)| *name)
        .collect()
}

/// Groups whose way to the root is looked at: each is a walk of its plan.
const WALKS: usize = 256;

/// Who waits for whom. What follows from other dependencies anyway says nothing.
fn dependencies<'a>(
    sheet: &mut Sheet<'_>,
    (before, after): (&'a RecoveryPlanSpec, &'a RecoveryPlanSpec),
    groups: &Groups<'a>,
    marginal: &Marginal<'_, 'a>,
) {
    let (Ok(old), Ok(new)) = (PlanGraph::of(before), PlanGraph::of(after)) else {
        // What is wrong with the order is among the problems.
        return;
    };
    let named = |spec: &'a RecoveryPlanSpec, of: BTreeSet<usize>| -> BTreeSet<&'a str> {
        of.into_iter()
            .map(|group| spec.groups[group].name.as_str())
            .collect()
    };
    let mut walks = 0;
    for (position, group) in after.groups.iter().enumerate() {
        let name = group.name.as_str();
        let was = before
            .groups
            .iter()
            .position(|old| groups.now(old.name.as_str()) == name);
        let Some(was) = was else {
            continue;
        };
        let direct_old: BTreeSet<&str> = named(before, old.dependencies(was).collect())
            .into_iter()
            .map(|name| groups.now(name))
            .collect();
        let direct_new = named(after, new.dependencies(position).collect());
        if direct_old == direct_new || walks == WALKS {
            continue;
        }
        walks += 1;
        let all_old: BTreeSet<&str> = named(before, ancestors(&old, was))
            .into_iter()
            .map(|name| groups.now(name))
            .collect();
        let all_new = named(after, ancestors(&new, position));
        let gained: Vec<&str> = direct_new.difference(&all_old).copied().collect();
        let lost: Vec<&str> = direct_old.difference(&all_new).copied().collect();
        let Some(message) = waits(name, &gained, &lost) else {
            continue;
        };
        let undone: Vec<String> = direct_old.iter().map(ToString::to_string).collect();
        let cost = marginal.of(|plan| {
            if let Some(group) = plan.groups.get_mut(position) {
                let names = undone.iter().filter_map(|name| name.parse().ok());
                group.depends_on = Some(names.collect());
            }
            // The group after it waited for it by its place alone.
        });
        let class = cost.as_ref().map_or(Class::Harmless, Cost::class);
        let words = |of: &BTreeSet<&str>| {
            let names: Vec<&str> = of.iter().copied().collect();
            if names.is_empty() {
                "nothing".to_owned()
            } else {
                names.join(", ")
            }
        };
        sheet
            .say(
                DEPENDENCIES_CHANGED,
                class,
                place(&after.groups, name).field("dependsOn"),
                message,
            )
            .values(Some(words(&direct_old)), Some(words(&direct_new)))
            .effects(cost.as_ref().map(Cost::words));
    }
}

/// `group web now waits for data, no longer for cache`.
fn waits(name: &str, gained: &[&str], lost: &[&str]) -> Option<String> {
    match (gained, lost) {
        ([], []) => None,
        (gained, []) => Some(format!("group {name} now waits for {}", names(gained))),
        ([], lost) => Some(format!("group {name} no longer waits for {}", names(lost))),
        (gained, lost) => Some(format!(
            "group {name} now waits for {}, no longer for {}",
            names(gained),
            names(lost)
        )),
    }
}

/// Everything that a group waits for, on whatever way.
fn ancestors(graph: &PlanGraph, group: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut next: Vec<usize> = graph.dependencies(group).collect();
    while let Some(group) = next.pop() {
        if found.insert(group) {
            next.extend(graph.dependencies(group));
        }
    }
    found
}
