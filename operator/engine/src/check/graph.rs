//! The order of a plan's groups: unknown names, groups that wait for themselves, circles.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::codes::{DEPENDENCY_CYCLE, DUPLICATE_DEPENDENCY, SELF_DEPENDENCE, UNKNOWN_PLAN_GROUP};
use super::context::{Context, Plan, in_plan};
use super::references::unknown_group_hint;
use crate::problem::{FieldPath, Problem};

/// Edges that the search for the shortest circle of one plan looks at. It is spent only on a broken
/// plan; when it runs out, a circle is told all the same, perhaps not the shortest.
const EDGES_LOOKED_AT: usize = 200_000;
/// Groups of a circle that a message names; the others are counted.
const NAMES_SHOWN: usize = 24;

/// One group waits for another.
#[derive(Clone, Copy)]
struct Edge {
    to: usize,
    /// Position in `dependsOn`; nothing for the group before it, which needs no word.
    position: Option<usize>,
}

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for plan in &context.plans {
        let edges = edges(context, plan, problems);
        let forward = edges.iter().enumerate();
        let mut forward =
            forward.flat_map(|(from, edges)| edges.iter().map(move |edge| (from, edge.to)));
        // A circle needs at least one group that waits for a later one: most plans have none.
        if forward.any(|(from, to)| to > from) {
            cycles(plan, &edges, problems);
        }
    }
}

/// What each group waits for.
fn edges(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) -> Vec<Vec<Edge>> {
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for (position, name) in plan.group_names().enumerate() {
        index.entry(name).or_insert(position);
    }
    let groups = plan.spec.groups.iter().enumerate();
    groups
        .map(|(at, group)| {
            let Some(names) = &group.depends_on else {
                let before = at.checked_sub(1);
                return before
                    .map(|to| Edge { to, position: None })
                    .into_iter()
                    .collect();
            };
            let mut seen = BTreeSet::new();
            let mut edges = Vec::with_capacity(names.len());
            for (position, name) in names.iter().enumerate() {
                let path = in_plan(at).field("dependsOn").index(position);
                let name = name.as_str();
                match index.get(name) {
                    None => problems.push(unknown(context, plan, path, name)),
                    Some(to) if *to == at => problems.push(itself(plan, path, name)),
                    Some(_) if !seen.insert(name) => problems.push(twice(plan, path, name)),
                    Some(to) => edges.push(Edge {
                        to: *to,
                        position: Some(position),
                    }),
                }
            }
            edges
        })
        .collect()
}

fn unknown(context: &Context<'_>, plan: &Plan<'_>, path: FieldPath, name: &str) -> Problem {
    let message = format!("this plan has no group `{name}`");
    Problem::error(UNKNOWN_PLAN_GROUP, plan.object, path, message)
        .hint(unknown_group_hint(context, plan, name))
}

fn itself(plan: &Plan<'_>, path: FieldPath, name: &str) -> Problem {
    let message = format!("group `{name}` waits for itself and would never start");
    Problem::error(SELF_DEPENDENCE, plan.object, path, message)
        .hint("remove it; `dependsOn: []` is for a group that waits for none")
}

fn twice(plan: &Plan<'_>, path: FieldPath, name: &str) -> Problem {
    let message = format!("`{name}` is already in this list");
    Problem::warning(DUPLICATE_DEPENDENCY, plan.object, path, message).hint("remove one of the two")
}

/// One problem for each set of groups that cannot be ordered: a short circle in it.
fn cycles(plan: &Plan<'_>, edges: &[Vec<Edge>], problems: &mut Vec<Problem>) {
    let mut graph: DiGraph<(), (), usize> = DiGraph::default();
    let nodes: Vec<NodeIndex<usize>> = edges.iter().map(|_| graph.add_node(())).collect();
    for (from, edges) in edges.iter().enumerate() {
        for edge in edges {
            graph.add_edge(nodes[from], nodes[edge.to], ());
        }
    }
    let mut budget = EDGES_LOOKED_AT;
    for component in kosaraju_scc(&graph) {
        if component.len() < 2 {
            continue;
        }
        let mut members: Vec<usize> = component.iter().map(|node| node.index()).collect();
        members.sort_unstable();
        if let Some(cycle) = short_cycle(&members, edges, &mut budget) {
            problems.push(told(plan, edges, &cycle));
        }
    }
}

/// The shortest circle among groups that all reach each other, beginning with the first of its
/// groups in the list.
fn short_cycle(members: &[usize], edges: &[Vec<Edge>], budget: &mut usize) -> Option<Vec<usize>> {
    let mut best: Option<Vec<usize>> = None;
    for start in members {
        if best.is_some() && *budget == 0 {
            break;
        }
        let longest = best.as_ref().map_or(usize::MAX, |best| best.len() - 1);
        if let Some(cycle) = cycle_through(*start, members, edges, longest, budget) {
            best = Some(cycle);
        }
        if best.as_ref().is_some_and(|best| best.len() == 2) {
            break;
        }
    }
    let mut cycle = best?;
    let first = (0..cycle.len()).min_by_key(|position| cycle[*position])?;
    cycle.rotate_left(first);
    Some(cycle)
}

/// The shortest circle through one group, where it has at most so many groups.
fn cycle_through(
    start: usize,
    members: &[usize],
    edges: &[Vec<Edge>],
    longest: usize,
    budget: &mut usize,
) -> Option<Vec<usize>> {
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut waiting = VecDeque::from([(start, 1)]);
    while let Some((here, length)) = waiting.pop_front() {
        if length > longest {
            return None;
        }
        for edge in &edges[here] {
            *budget = budget.saturating_sub(1);
            if edge.to == start {
                return Some(way_back(start, here, &from));
            }
            if members.binary_search(&edge.to).is_ok() && !from.contains_key(&edge.to) {
                from.insert(edge.to, here);
                waiting.push_back((edge.to, length + 1));
            }
        }
    }
    None
}

fn way_back(start: usize, last: usize, from: &BTreeMap<usize, usize>) -> Vec<usize> {
    let mut cycle = vec![last];
    let mut here = last;
    while here != start {
        let Some(before) = from.get(&here) else { break };
        here = *before;
        cycle.push(here);
    }
    cycle.reverse();
    cycle
}

fn told(plan: &Plan<'_>, edges: &[Vec<Edge>], cycle: &[usize]) -> Problem {
    let name = |at: usize| plan.spec.groups[at].name.as_str();
    let steps: Vec<(usize, Edge)> = cycle
        .iter()
        .zip(cycle.iter().cycle().skip(1))
        .filter_map(|(from, to)| {
            let edge = edges[*from].iter().find(|edge| edge.to == *to)?;
            Some((*from, *edge))
        })
        .collect();
    let path = |(from, edge): &(usize, Edge)| {
        let group = in_plan(*from);
        match edge.position {
            Some(position) => group.field("dependsOn").index(position),
            None => group,
        }
    };
    let written = steps.iter().find(|(_, edge)| edge.position.is_some());
    let message = format!(
        "groups wait for each other in a circle: {}",
        circle(cycle, name)
    );
    let at = written.map_or_else(|| FieldPath::spec("groups"), path);
    let mut problem = Problem::error(DEPENDENCY_CYCLE, plan.object, at.clone(), message);
    for step in steps.iter().take(NAMES_SHOWN) {
        let place = path(step);
        if place != at {
            let message = format!("`{}` waits for `{}`", name(step.0), name(step.1.to));
            problem = problem.related(plan.object, place, message);
        }
    }
    problem.hint(
        match steps.iter().find(|(_, edge)| edge.position.is_none()) {
            Some((from, edge)) => format!(
                "`{}` has no `dependsOn`, so it waits for the group before it, `{}`: write \
             `dependsOn: []` if it waits for none",
                name(*from),
                name(edge.to)
            ),
            None => "remove one of these dependencies".to_owned(),
        },
    )
}

fn circle<'n>(cycle: &[usize], name: impl Fn(usize) -> &'n str) -> String {
    let mut names: Vec<String> = cycle
        .iter()
        .take(NAMES_SHOWN)
        .map(|at| format!("`{}`", name(*at)))
        .collect();
    if cycle.len() > NAMES_SHOWN {
        names.push(format!("{} more", cycle.len() - NAMES_SHOWN));
    }
    names.extend(cycle.first().map(|at| format!("`{}`", name(*at))));
    names.join(" → ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::testing::World;

    /// The example with more groups in its plan, each with what it waits for.
    fn world(groups: &[(&str, Option<&[&str]>)]) -> World {
        let groups: Vec<Value> = groups
            .iter()
            .enumerate()
            .map(|(position, (name, depends_on))| {
                let wait = json!([{ "name": "wait", "wait": { "for": "1s" } }]);
                let mut group = json!({ "name": name, "after": wait });
                if position == 0 {
                    group["protectionGroups"] = json!(["shop-data"]);
                } else if position == 1 {
                    group["protectionGroups"] = json!(["shop-web"]);
                } else {
                    group["protectionGroups"] = json!([format!("more-{position}")]);
                }
                if let Some(depends_on) = depends_on {
                    group["dependsOn"] = json!(depends_on);
                }
                group
            })
            .collect();
        let mut world = World::example();
        for position in 2..groups.len() {
            let labels = json!({ "position": position.to_string() });
            world = world
                .copy("ProtectionGroup/shop-web", &format!("more-{position}"))
                .set(
                    &format!("ProtectionGroup/more-{position}"),
                    "/spec/selector/matchLabels",
                    labels,
                );
        }
        world.set("RecoveryPlan/shop", "/spec/groups", json!(groups))
    }

    #[test]
    fn a_circle_is_told_whole_and_in_order() {
        // SPEC: PL-1
        let world = world(&[
            ("data", Some(&["web"])),
            ("cache", Some(&["data"])),
            ("web", Some(&["cache"])),
        ]);
        assert_eq!(
            world.told(),
            [
                "error dependency-cycle RecoveryPlan/shop spec.groups[0].dependsOn[0]: groups wait \
              for each other in a circle: `data` → `web` → `cache` → `data` (remove one of these \
              dependencies)"
            ]
        );
        assert_eq!(
            world.related(),
            [
                "RecoveryPlan/shop spec.groups[2].dependsOn[0]",
                "RecoveryPlan/shop spec.groups[1].dependsOn[0]",
            ]
        );
    }

    #[test]
    fn the_order_of_the_list_counts_where_nothing_else_is_said() {
        // SPEC: PL-1
        let world = world(&[("data", Some(&["web"])), ("web", None)]);
        let told = world.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("`data` → `web` → `data`"), "{told:?}");
        assert!(
            told[0].contains("`web` has no `dependsOn`, so it waits for the group before it"),
            "{told:?}"
        );
    }

    #[test]
    fn waiting_for_a_later_group_is_fine() {
        let world = world(&[("data", Some(&["web"])), ("web", Some(&[]))]);
        assert_eq!(world.found(), Vec::<String>::new());
    }

    #[test]
    fn two_circles_are_two_problems_and_each_is_the_shortest() {
        let world = world(&[
            ("a", Some(&["b"])),
            ("b", Some(&["c", "a"])),
            ("c", Some(&["a"])),
            ("d", Some(&["e"])),
            ("e", Some(&["d"])),
        ]);
        let told = world.told();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains(": `a` → `b` → `a` ("), "{told:?}");
        assert!(told[1].contains(": `d` → `e` → `d` ("), "{told:?}");
    }

    #[test]
    fn a_group_waits_for_others_once_each() {
        // SPEC: PL-1
        let world = world(&[
            ("data", Some(&["data"])),
            ("web", Some(&["data", "data", "dat"])),
        ]);
        assert_eq!(
            world.told(),
            [
                "error self-dependence RecoveryPlan/shop spec.groups[0].dependsOn[0]: group \
                 `data` waits for itself and would never start (remove it; `dependsOn: []` is for \
                 a group that waits for none)",
                "warning duplicate-dependency RecoveryPlan/shop spec.groups[1].dependsOn[1]: \
                 `data` is already in this list (remove one of the two)",
                "error unknown-plan-group RecoveryPlan/shop spec.groups[1].dependsOn[2]: this \
                 plan has no group `dat` (did you mean `data`?)",
            ]
        );
    }

    #[test]
    fn a_circle_of_ten_thousand_groups_is_found_without_running_out_of_stack() {
        let groups: Vec<Value> = (0..10_000)
            .map(|position| {
                let mut group = json!({
                    "name": format!("g{position}"),
                    "protectionGroups": ["shop-data"],
                });
                if position == 0 {
                    group["dependsOn"] = json!(["g9999"]);
                }
                group
            })
            .collect();
        let world = World::example().set("RecoveryPlan/shop", "/spec/groups", json!(groups));
        let told = world.told_of("dependency-cycle");
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("`g0` → `g9999` → `g9998`"), "{told:?}");
        assert!(told[0].contains("→ 9976 more → `g0`"), "{told:?}");
    }
}
