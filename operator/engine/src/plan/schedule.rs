//! The steps of a run laid out in time.
//!
//! What is assumed, and the run controller does the same:
//!
//! - A group's machines stop when all machines of all groups that depend on it are stopped, and start
//!   when all groups that it depends on are healthy and their `after` actions have ended. Nothing
//!   waits for a whole wave.
//! - Stopping takes one of the source's places, materialising and starting one of the target's. A
//!   place that is free is never kept empty while a machine waits; among those that wait, the order
//!   of the plan decides (the reverse of it for stops).
//! - A machine's last changes are sent as soon as it is stopped. That takes no place: the link bounds
//!   it, not the hosts, and dependents being down is what the next stop waits for, not their data.
//! - Nothing starts before every machine has left: stopped, and its last changes sent (PL-3).
//! - Actions of a group run one after the other and take no place.

mod critical;
mod flow;

use drover_api::RunLimits;
use serde::Serialize;

use self::flow::{Flow, Log, Stage};
use super::PlanGraph;

pub use self::critical::CriticalItem;

/// Milliseconds, counted from the start of the run where it is an instant.
pub type Millis = u64;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Work {
    /// The groups, by position in the plan. One that is missing has nothing to do.
    pub groups: Vec<GroupWork>,
    /// How many machines may be stopping and starting at once.
    pub limits: RunLimits,
    /// What happens at the source.
    pub leave: Leave,
}

/// What happens at the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Machines are stopped and their last changes sent.
    Stop,
    /// Nothing: the source is given up.
    Skip,
}

/// What is to be done in one group.
#[derive(Clone, Debug, Default)]
pub struct GroupWork {
    /// Lengths of the actions before.
    pub before: Vec<Millis>,
    /// Its machines.
    pub machines: Vec<MachineWork>,
    /// Lengths of the actions after.
    pub after: Vec<Millis>,
}

/// How long the steps of one machine take.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineWork {
    /// Stopping at the source.
    pub stop: Millis,
    /// Sending the last changes.
    pub final_sync: Millis,
    /// Being made at the target and started until it is healthy.
    pub start: Millis,
}

/// One step, by positions in the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A machine stops.
    Stop {
        /// Its group.
        group: usize,
        /// Its position there.
        machine: usize,
    },
    /// Its last changes are sent.
    FinalSync {
        /// Its group.
        group: usize,
        /// Its position there.
        machine: usize,
    },
    /// The barrier: every machine has left the source.
    AllLeft,
    /// An action before a group's machines.
    Before {
        /// The group.
        group: usize,
        /// Its position there.
        action: usize,
    },
    /// A machine is made at the target and started.
    Start {
        /// Its group.
        group: usize,
        /// Its position there.
        machine: usize,
    },
    /// An action after a group's machines.
    After {
        /// The group.
        group: usize,
        /// Its position there.
        action: usize,
    },
}

/// What kept a step from beginning earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WaitedFor {
    /// Nothing: it begins with the run.
    Nothing,
    /// The step before it had to be done.
    Order,
    /// All places were taken: a higher limit would have let it begin earlier.
    Place,
}

/// From when to when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When it begins.
    pub start: Millis,
    /// When it ends.
    pub end: Millis,
}

/// The steps of a run in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The groups, by position in the plan.
    pub groups: Vec<GroupTimes>,
    /// When machines leave the source, where any do.
    pub leave: Option<Times>,
    /// When they enter the target.
    pub enter: Times,
    /// When everything has ended.
    pub makespan: Millis,
    /// The steps that determine the makespan, first to last. Each begins when the one before it ends,
    /// so that their lengths sum to the makespan.
    pub critical_path: Vec<CriticalItem>,
}

/// One group in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTimes {
    /// From the first stop to the end of the last machine's last sync.
    pub leave: Option<Times>,
    /// From its release to the end of its last action.
    pub enter: Times,
    /// Its machines, by position.
    pub machines: Vec<MachineTimes>,
}

/// One machine in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineTimes {
    /// From its stop to the end of its last sync.
    pub leave: Option<Times>,
    /// From being made to being healthy.
    pub enter: Times,
}

/// Lays the work out in time. The same work gives the same schedule.
pub fn schedule(graph: &PlanGraph, work: &Work) -> Schedule {
    let mut log = Log::default();
    let left = match work.leave {
        Leave::Stop => leave(graph, work, &mut log),
        Leave::Skip => None,
    };
    let begin = left.map_or(0, |barrier| log.jobs[barrier].end);
    let entered = enter(graph, work, &mut log, begin, left);
    let makespan = log.jobs.iter().map(|job| job.end).max().unwrap_or(0);
    Schedule {
        groups: by_group(work, &log, entered),
        leave: left.map(|_| Times {
            start: 0,
            end: begin,
        }),
        enter: Times {
            start: begin,
            end: makespan,
        },
        makespan,
        critical_path: critical::path(&log),
    }
}

/// Stops everything, dependents first; the barrier at the end, or nothing where no machine is known.
fn leave(graph: &PlanGraph, work: &Work, log: &mut Log) -> Option<usize> {
    let stages = (0..graph.len()).map(|group| Stage {
        machines: machines(work, group).map(|machine| machine.stop).collect(),
        ..Stage::default()
    });
    Flow::backward(graph, work.limits.stops, stages.collect()).run(log, 0, None);
    for stop in 0..log.jobs.len() {
        let stopped = log.jobs[stop];
        if let Step::Stop { group, machine } = stopped.step {
            let length = work.groups[group].machines[machine].final_sync;
            let step = Step::FinalSync { group, machine };
            log.push(step, stopped.end, length, Some(stop), WaitedFor::Order);
        }
    }
    let last = log.last()?;
    let end = log.jobs[last].end;
    Some(log.push(Step::AllLeft, end, 0, Some(last), WaitedFor::Order))
}

/// Starts everything by the order of the plan; from when to when each group did.
fn enter(
    graph: &PlanGraph,
    work: &Work,
    log: &mut Log,
    begin: Millis,
    cause: Option<usize>,
) -> Vec<Times> {
    let stages = (0..graph.len()).map(|group| Stage {
        before: work
            .groups
            .get(group)
            .map_or_else(Vec::new, |work| work.before.clone()),
        machines: machines(work, group).map(|machine| machine.start).collect(),
        after: work
            .groups
            .get(group)
            .map_or_else(Vec::new, |work| work.after.clone()),
    });
    Flow::forward(graph, work.limits.starts, stages.collect()).run(log, begin, cause)
}

fn machines(work: &Work, group: usize) -> impl Iterator<Item = &MachineWork> {
    work.groups
        .get(group)
        .map_or(&[][..], |group| &group.machines)
        .iter()
}

fn by_group(work: &Work, log: &Log, entered: Vec<Times>) -> Vec<GroupTimes> {
    let mut groups: Vec<GroupTimes> = entered
        .into_iter()
        .enumerate()
        .map(|(group, enter)| GroupTimes {
            leave: None,
            enter,
            machines: vec![MachineTimes::default(); machines(work, group).count()],
        })
        .collect();
    for job in &log.jobs {
        match job.step {
            Step::Stop { group, machine } | Step::FinalSync { group, machine } => {
                let times = job.times();
                let group = &mut groups[group];
                group.leave = Some(group.leave.map_or(times, |known| known.with(times)));
                let machine = &mut group.machines[machine];
                machine.leave = Some(machine.leave.map_or(times, |known| known.with(times)));
            }
            Step::Start { group, machine } => {
                groups[group].machines[machine].enter = job.times();
            }
            Step::AllLeft | Step::Before { .. } | Step::After { .. } => {}
        }
    }
    groups
}

impl Times {
    /// The shortest span that holds both.
    fn with(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// How long it takes.
    pub fn length(&self) -> Millis {
        self.end - self.start
    }
}
