//! What holds for every plan.

use drover_api::RunLimits;
use proptest::prelude::*;

use crate::plan::{
    GroupWork, Leave, MachineWork, Millis, PlanGraph, Schedule, Times, Work, schedule,
};

/// A plan's groups with what they depend on, by position; unset where the plan says nothing.
type Order = Vec<Option<Vec<usize>>>;

/// Acyclic, but in any order in the list: a group may depend on one that comes after it.
fn order() -> impl Strategy<Value = Order> {
    let bits = proptest::collection::vec(any::<u32>(), 0..24);
    let ranks = bits.prop_flat_map(|bits| {
        let ranks: Vec<usize> = (0..bits.len()).collect();
        (Just(bits), Just(ranks).prop_shuffle())
    });
    ranks.prop_map(|(bits, ranks)| {
        let groups = ranks.iter().enumerate();
        groups
            .map(|(group, rank)| {
                let follows = group == 0 || ranks[group - 1] < *rank;
                let unset = bits[group] & (1 << 31) != 0;
                let chosen =
                    |other: &usize| ranks[*other] < *rank && bits[group] & (1 << other) != 0;
                let list = || (0..ranks.len()).filter(chosen).collect();
                (!(unset && follows)).then(list)
            })
            .collect()
    })
}

fn graph(order: &Order) -> PlanGraph {
    let names: Vec<String> = (0..order.len()).map(|group| format!("g-{group}")).collect();
    let depends_on: Vec<Option<Vec<String>>> = order
        .iter()
        .map(|list| Some(list.as_ref()?.iter().map(|at| names[*at].clone()).collect()))
        .collect();
    let groups = names.iter().zip(&depends_on);
    PlanGraph::new(groups.map(|(name, list)| (name.as_str(), list.as_deref()))).unwrap()
}

fn group_work() -> impl Strategy<Value = GroupWork> {
    let machine =
        (0..40_u64, 0..40_u64, 0..40_u64).prop_map(|(stop, final_sync, start)| MachineWork {
            stop,
            final_sync,
            start,
        });
    let actions = || proptest::collection::vec(0..20_u64, 0..3);
    let machines = proptest::collection::vec(machine, 0..6);
    (actions(), machines, actions()).prop_map(|(before, machines, after)| GroupWork {
        before,
        machines,
        after,
    })
}

fn plan() -> impl Strategy<Value = (PlanGraph, Work)> {
    let leave = prop_oneof![Just(Leave::Stop), Just(Leave::Skip)];
    let limits = (1..6_u32, 1..6_u32);
    (order(), limits, leave).prop_flat_map(|(order, (stops, starts), leave)| {
        let graph = graph(&order);
        let groups = proptest::collection::vec(group_work(), graph.len());
        (Just(graph), groups).prop_map(move |(graph, groups)| {
            let limits = RunLimits { stops, starts };
            let work = Work {
                groups,
                limits,
                leave,
            };
            (graph, work)
        })
    })
}

fn unlimited(work: &Work) -> Work {
    let limits = RunLimits {
        stops: u32::MAX,
        starts: u32::MAX,
    };
    Work {
        limits,
        ..work.clone()
    }
}

/// The longest way through both halves, with code of its own: what a run without limits takes.
fn longest_way(graph: &PlanGraph, work: &Work) -> (Millis, Millis) {
    let longest = |group: usize, of: fn(&MachineWork) -> Millis| {
        work.groups[group]
            .machines
            .iter()
            .map(of)
            .max()
            .unwrap_or(0)
    };
    let mut stopped = vec![0; graph.len()];
    let mut left = 0;
    if work.leave == Leave::Stop {
        for group in graph.stop_order() {
            let begin = graph
                .dependents(group)
                .map(|at| stopped[at])
                .max()
                .unwrap_or(0);
            stopped[group] = begin + longest(group, |machine| machine.stop);
            let machines = work.groups[group].machines.iter();
            let synced = machines.map(|machine| begin + machine.stop + machine.final_sync);
            left = synced.max().unwrap_or(0).max(left);
        }
    }
    let mut done = vec![0; graph.len()];
    for group in graph.start_order() {
        let begin = graph
            .dependencies(group)
            .map(|at| done[at])
            .max()
            .unwrap_or(0);
        let own = &work.groups[group];
        let actions: Millis = own.before.iter().chain(&own.after).sum();
        done[group] = begin + actions + longest(group, |machine| machine.start);
    }
    (left, done.into_iter().max().unwrap_or(0))
}

/// All stops and all starts of a schedule, as spans in which a place is taken.
fn places(work: &Work, done: &Schedule) -> (Vec<Times>, Vec<Times>) {
    let (mut stops, mut starts) = (Vec::new(), Vec::new());
    for (group, times) in work.groups.iter().zip(&done.groups) {
        for (machine, times) in group.machines.iter().zip(&times.machines) {
            starts.push(times.enter);
            stops.extend(times.leave.map(|leave| Times {
                start: leave.start,
                end: leave.start + machine.stop,
            }));
        }
    }
    (stops, starts)
}

fn most_at_once(spans: &[Times]) -> usize {
    let running = |at: Millis| spans.iter().filter(|s| s.start <= at && at < s.end).count();
    spans
        .iter()
        .map(|span| running(span.start))
        .max()
        .unwrap_or(0)
}

fn total(spans: &[Times]) -> Millis {
    spans.iter().map(Times::length).sum()
}

proptest! {
    #[test]
    fn every_edge_leads_to_a_later_wave(order in order()) {
        // SPEC: PL-1
        let graph = graph(&order);
        for group in 0..graph.len() {
            let longest = graph.dependencies(group).map(|at| graph.wave(at).unwrap() + 1).max();
            prop_assert_eq!(graph.wave(group), Some(longest.unwrap_or(0)));
        }
    }

    #[test]
    fn stop_order_is_start_order_backwards(order in order()) {
        // SPEC: PL-3
        let graph = graph(&order);
        let mut start = graph.start_order();
        let position = |group| start.iter().position(|at| *at == group);
        for group in 0..graph.len() {
            for dependency in graph.dependencies(group) {
                prop_assert!(position(dependency) < position(group));
            }
        }
        start.reverse();
        prop_assert_eq!(graph.stop_order(), start);
    }

    #[test]
    fn the_critical_path_is_unbroken_and_sums_to_the_makespan((graph, work) in plan()) {
        // SPEC: PL-5
        let done = schedule(&graph, &work);
        let mut at = 0;
        for item in &done.critical_path {
            prop_assert_eq!(item.times.start, at);
            at = item.times.end;
        }
        prop_assert_eq!(at, done.makespan);
        let sum: Millis = done.critical_path.iter().map(|item| item.times.length()).sum();
        prop_assert_eq!(sum, done.makespan);
    }

    #[test]
    fn limits_hold_and_no_place_is_wasted((graph, work) in plan()) {
        // SPEC: PL-2
        let done = schedule(&graph, &work);
        let (stops, starts) = places(&work, &done);
        prop_assert!(most_at_once(&stops) <= work.limits.stops as usize);
        prop_assert!(most_at_once(&starts) <= work.limits.starts as usize);
        let (left, entered) = longest_way(&graph, &work);
        let leave = done.leave.map_or(0, |leave| leave.length());
        let enter = done.enter.length();
        prop_assert!(leave >= left && enter >= entered);
        prop_assert!(leave >= total(&stops).div_ceil(u64::from(work.limits.stops)));
        prop_assert!(enter >= total(&starts).div_ceil(u64::from(work.limits.starts)));
        // The classic bound of list scheduling: not even the worst order costs more than this.
        prop_assert!(leave <= left + total(&stops) / u64::from(work.limits.stops));
        prop_assert!(enter <= entered + total(&starts) / u64::from(work.limits.starts));
    }

    #[test]
    fn without_limits_the_makespan_is_the_longest_way((graph, work) in plan()) {
        let done = schedule(&graph, &unlimited(&work));
        let (left, entered) = longest_way(&graph, &work);
        prop_assert_eq!(done.leave.map_or(0, |leave| leave.length()), left);
        prop_assert_eq!(done.makespan, left + entered);
        prop_assert!(done.makespan <= schedule(&graph, &work).makespan);
    }

    #[test]
    fn the_order_is_kept((graph, work) in plan()) {
        // SPEC: PL-3
        let done = schedule(&graph, &work);
        let barrier = done.leave.map_or(0, |leave| leave.end);
        for group in 0..graph.len() {
            let times = &done.groups[group];
            for dependency in graph.dependencies(group) {
                prop_assert!(times.enter.start >= done.groups[dependency].enter.end);
            }
            let own = &work.groups[group];
            let before: Millis = own.before.iter().sum();
            for (machine, at) in own.machines.iter().zip(&times.machines) {
                prop_assert!(at.enter.start >= barrier + before);
                prop_assert_eq!(at.enter.length(), machine.start);
                prop_assert_eq!(at.leave.is_some(), work.leave == Leave::Stop);
                for dependent in graph.dependents(group) {
                    let down = work.groups[dependent].machines.iter();
                    let down = down.zip(&done.groups[dependent].machines);
                    for (other, other_at) in down {
                        let stopped = other_at.leave.map(|leave| leave.start + other.stop);
                        prop_assert!(at.leave.map(|leave| leave.start) >= stopped);
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_work_gives_the_same_schedule((graph, work) in plan()) {
        prop_assert_eq!(schedule(&graph, &work), schedule(&graph, &work));
    }
}
