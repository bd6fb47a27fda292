//! Schedules small enough to be laid out by hand.

use drover_api::RunLimits;

use crate::plan::{
    GroupWork, Leave, MachineWork, PlanGraph, Schedule, Step, WaitedFor, Work, schedule,
};

const NONE: &[&str] = &[];

fn machine(stop: u64, final_sync: u64, start: u64) -> MachineWork {
    MachineWork {
        stop,
        final_sync,
        start,
    }
}

fn group(machines: &[MachineWork]) -> GroupWork {
    GroupWork {
        machines: machines.to_vec(),
        ..GroupWork::default()
    }
}

fn run(graph: &PlanGraph, groups: Vec<GroupWork>, limit: u32, leave: Leave) -> Schedule {
    let limits = RunLimits {
        stops: limit,
        starts: limit,
    };
    let work = Work {
        groups,
        limits,
        leave,
    };
    schedule(graph, &work)
}

fn chain(names: &[&str]) -> PlanGraph {
    PlanGraph::new(names.iter().map(|name| (*name, None::<&[&str]>))).unwrap()
}

#[test]
fn a_planned_run_stops_in_reverse_then_starts_in_order() {
    // SPEC: PL-3
    let groups = vec![group(&[machine(10, 5, 30)]), group(&[machine(20, 1, 40)])];
    let done = run(&chain(&["data", "web"]), groups, 20, Leave::Stop);
    let [data, web] = [0, 1].map(|group| &done.groups[group].machines[0]);
    // web stops first; data does not wait for web's last sync, only for its stop.
    assert_eq!(web.leave.map(|t| (t.start, t.end)), Some((0, 21)));
    assert_eq!(data.leave.map(|t| (t.start, t.end)), Some((20, 35)));
    // Nothing starts before everything has left.
    assert_eq!((data.enter.start, data.enter.end), (35, 65));
    assert_eq!((web.enter.start, web.enter.end), (65, 105));
    assert_eq!(done.makespan, 105);
}

#[test]
fn a_last_sync_that_is_late_holds_every_start() {
    // SPEC: PL-3
    let groups = vec![group(&[machine(1, 1, 1)]), group(&[machine(1, 100, 1)])];
    let done = run(&chain(&["data", "web"]), groups, 20, Leave::Stop);
    assert_eq!(done.groups[0].enter.start, 101);
}

#[test]
fn limits_make_machines_wait_in_the_order_of_the_plan() {
    // SPEC: PL-2
    let graph = PlanGraph::new([("a", Some(NONE)), ("b", Some(NONE))]).unwrap();
    let groups = vec![
        group(&[machine(0, 0, 10), machine(0, 0, 10)]),
        group(&[machine(0, 0, 10)]),
    ];
    let done = run(&graph, groups, 2, Leave::Skip);
    assert_eq!(done.groups[0].enter.end, 10);
    assert_eq!(done.groups[1].machines[0].enter.start, 10);
    let last = done.critical_path.last().unwrap();
    assert_eq!(last.waited_for, WaitedFor::Place);
    assert_eq!(done.makespan, 20);
}

#[test]
fn independent_groups_run_side_by_side() {
    // SPEC: PL-2
    let graph = PlanGraph::new([("a", Some(NONE)), ("b", Some(NONE))]).unwrap();
    let groups = vec![group(&[machine(0, 0, 10)]), group(&[machine(0, 0, 10)])];
    assert_eq!(run(&graph, groups, 20, Leave::Skip).makespan, 10);
}

#[test]
fn actions_stand_one_after_the_other_around_a_group() {
    // SPEC: PL-4
    let first = GroupWork {
        before: vec![1, 2],
        machines: vec![machine(0, 0, 10)],
        after: vec![3, 4],
    };
    let done = run(
        &chain(&["data", "web"]),
        vec![first, group(&[machine(0, 0, 5)])],
        20,
        Leave::Skip,
    );
    assert_eq!(done.groups[0].machines[0].enter.start, 3);
    assert_eq!(done.groups[0].enter.end, 20);
    assert_eq!(done.groups[1].enter.start, 20);
    let steps: Vec<Step> = done.critical_path.iter().map(|item| item.step).collect();
    let group = 0;
    assert_eq!(
        steps,
        [
            Step::Before { group, action: 0 },
            Step::Before { group, action: 1 },
            Step::Start { group, machine: 0 },
            Step::After { group, action: 0 },
            Step::After { group, action: 1 },
            Step::Start {
                group: 1,
                machine: 0
            },
        ]
    );
}

#[test]
fn a_group_without_machines_still_passes_the_order_on() {
    let empty = GroupWork {
        after: vec![7],
        ..GroupWork::default()
    };
    let done = run(
        &chain(&["data", "web"]),
        vec![empty, group(&[machine(1, 1, 5)])],
        20,
        Leave::Stop,
    );
    assert_eq!(done.groups[0].leave, None);
    assert_eq!(done.groups[1].enter.start, 2 + 7);
}

#[test]
fn nothing_to_do_takes_no_time() {
    let done = run(&chain(&["data"]), Vec::new(), 0, Leave::Stop);
    assert_eq!(done.makespan, 0);
    assert!(done.critical_path.is_empty());
    assert_eq!(done.leave, None);
}
