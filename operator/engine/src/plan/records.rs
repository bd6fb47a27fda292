//! What the steps of machines took in runs that came to their end (PL-5).
//!
//! A journal says when a step was done; when it began follows from the release of its group and from the
//! places that were free by then. What cannot be told apart stands in one figure: the last changes in that
//! of the stop where no other group waited for the stop alone, and being made in that of the start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drover_api::common::{Direction, RunKind};
use drover_api::value::NamespaceName;
use drover_api::{
    GroupRecord, LeftProof, MachineRun, MachineRunStatus, RecoveryRun, RecoveryRunStatus, RunPhase,
    StepRecord, StepState,
};
use drover_world::{Estimates, MachineId};
use jiff::Timestamp;

use crate::decide::Shape;

/// Medians of recorded runs, by direction: coming home is another thing than leaving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(BTreeMap<Direction, BTreeMap<MachineId, Estimates>>);

/// Runs of a plan that count in each direction, the newest: machines grow, and what was long ago says
/// little.
const NEWEST: usize = 5;

impl Records {
    /// No runs were recorded.
    pub const NONE: Self = Self(BTreeMap::new());

    /// The medians of runs that moved machines, with the journals of the machines of each. Runs that were
    /// not committed, and those that waited for a person on their way, tell nothing.
    pub fn of<'a>(
        runs: impl IntoIterator<Item = &'a RecoveryRun>,
        mut machines: impl FnMut(&RecoveryRun) -> Vec<std::sync::Arc<MachineRun>>,
    ) -> Self {
        let mut samples: BTreeMap<(Direction, MachineId), Samples> = BTreeMap::new();
        for run in newest(runs) {
            let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
            let (Ok(namespace), Some(status)) = (namespace.parse(), &run.status) else {
                continue;
            };
            let machines = machines(run);
            for (id, took) in measure(&namespace, run, status, &machines) {
                let of_machine = samples.entry((run.spec.direction, id)).or_default();
                of_machine.stops.extend(took.leave.map(|leave| leave.stop));
                of_machine.syncs.extend(took.leave.map(|leave| leave.sync));
                of_machine.starts.extend(took.enter);
            }
        }
        let mut records = Self::NONE;
        for ((direction, machine), samples) in samples {
            if let Some(medians) = samples.medians() {
                records.insert(direction, machine, medians);
            }
        }
        records
    }

    /// Adds the medians of one machine in one direction.
    pub fn insert(&mut self, direction: Direction, machine: MachineId, medians: Estimates) {
        self.0
            .entry(direction)
            .or_default()
            .insert(machine, medians);
    }

    /// The medians of one machine in one direction.
    pub fn get(&self, direction: Direction, machine: &MachineId) -> Option<&Estimates> {
        self.0.get(&direction)?.get(machine)
    }
}

/// What one machine took in several runs.
#[derive(Default)]
struct Samples {
    stops: Vec<Duration>,
    syncs: Vec<Duration>,
    starts: Vec<Duration>,
}

impl Samples {
    /// Nothing where it never left, or never entered, in a way that tells how long that takes.
    fn medians(self) -> Option<Estimates> {
        Some(Estimates {
            stop: median(self.stops)?,
            final_sync: median(self.syncs)?,
            materialize: Duration::ZERO,
            start: median(self.starts)?,
        })
    }
}

/// Of an even number the longer one of the two in the middle: a forecast is rather kept than missed.
fn median(mut samples: Vec<Duration>) -> Option<Duration> {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied()
}

/// The newest runs of each plan and direction that tell how long steps take.
fn newest<'a>(runs: impl IntoIterator<Item = &'a RecoveryRun>) -> Vec<&'a RecoveryRun> {
    let mut told: Vec<&RecoveryRun> = runs.into_iter().filter(|run| tells(run)).collect();
    told.sort_by_key(|run| std::cmp::Reverse(run.spec.number));
    let mut taken: BTreeMap<(Option<&str>, &str, Direction), usize> = BTreeMap::new();
    told.retain(|run| {
        let plan = run.spec.plan_ref.name.as_str();
        let namespace = run.metadata.namespace.as_deref();
        let taken = taken
            .entry((namespace, plan, run.spec.direction))
            .or_default();
        *taken += 1;
        *taken <= NEWEST
    });
    told
}

fn tells(run: &RecoveryRun) -> bool {
    let moves = matches!(
        run.spec.kind,
        RunKind::PlannedFailover | RunKind::UnplannedFailover
    );
    let Some(status) = run.status.as_ref().filter(|_| moves) else {
        return false;
    };
    let straight = status
        .history
        .iter()
        .all(|entry| !matches!(entry.phase, RunPhase::Halted | RunPhase::Rebuilding));
    status.record.phase == RunPhase::Committed && straight
}

/// What the steps of one machine took in one run, as far as that can be told.
struct Took {
    leave: Option<Leave>,
    enter: Option<Duration>,
}

#[derive(Clone, Copy)]
struct Leave {
    stop: Duration,
    sync: Duration,
}

fn measure(
    namespace: &NamespaceName,
    run: &RecoveryRun,
    status: &RecoveryRunStatus,
    machines: &[std::sync::Arc<MachineRun>],
) -> Vec<(MachineId, Took)> {
    let specs: Vec<_> = machines
        .iter()
        .map(|machine| machine.spec.clone())
        .collect();
    let shape = Shape::of(run.spec.clone(), &specs);
    let groups = &status.record.groups;
    if groups.len() != shape.machines.len() {
        return Vec::new();
    }
    let limits = run.spec.limits;
    let of = |released: fn(&GroupRecord) -> Option<Timestamp>,
              step: fn(&MachineRunStatus) -> &StepRecord,
              places| {
        let spans = machines.iter().zip(&shape.group_of);
        let spans = spans.map(|(machine, group)| Span {
            released: released(&groups[*group]),
            done: machine.status.as_ref().and_then(|journal| step(journal).at),
        });
        begun(places, &spans.collect::<Vec<_>>())
    };
    let leaves = of(
        |group| group.leave_released,
        |journal| &journal.leave,
        limits.stops,
    );
    let enters = of(
        |group| group.enter_released,
        |journal| &journal.enter,
        limits.starts,
    );
    let took = machines.iter().enumerate().filter_map(|(index, machine)| {
        let journal = machine.status.as_ref()?;
        let off = others_could_stop(&shape, groups, shape.group_of[index]);
        let id = MachineId {
            namespace: namespace.clone(),
            group: machine.spec.machine.protection_group.clone(),
            name: machine.spec.machine.name.clone(),
        };
        let took = Took {
            leave: left(journal, leaves[index], off),
            enter: length(enters[index], &journal.enter),
        };
        Some((id, took))
    });
    took.collect()
}

/// When the first of the groups that waited for this one's machines to be off was released.
fn others_could_stop(shape: &Shape, groups: &[GroupRecord], group: usize) -> Option<Timestamp> {
    let waited = shape.dependencies[group].iter();
    waited
        .filter_map(|other| groups[*other].leave_released)
        .min()
}

fn left(
    journal: &MachineRunStatus,
    begun: Option<Timestamp>,
    off: Option<Timestamp>,
) -> Option<Leave> {
    if journal.left != Some(LeftProof::Synced) {
        return None;
    }
    let whole = length(begun, &journal.leave)?;
    let stop = off.and_then(|off| between(begun?, off));
    let stop = stop.map_or(whole, |stop| stop.min(whole));
    Some(Leave {
        stop,
        sync: whole.saturating_sub(stop),
    })
}

fn length(begun: Option<Timestamp>, step: &StepRecord) -> Option<Duration> {
    let done = step.at.filter(|_| step.state == StepState::Done)?;
    between(begun?, done)
}

fn between(from: Timestamp, to: Timestamp) -> Option<Duration> {
    Duration::try_from(to.duration_since(from)).ok()
}

/// When the group of a machine was released, and when its step was done.
struct Span {
    released: Option<Timestamp>,
    done: Option<Timestamp>,
}

/// When each machine got its place: they go to the first machines in the order of the run, as
/// [`crate::decide::admitted`] gives them.
fn begun(places: u32, spans: &[Span]) -> Vec<Option<Timestamp>> {
    let mut begun = vec![None; spans.len()];
    let mut events: Vec<(Timestamp, Event, usize)> = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        let (Some(released), Some(done)) = (span.released, span.done) else {
            continue;
        };
        if done <= released {
            // It was so already, and took no place.
            begun[index] = Some(done);
            continue;
        }
        events.push((released, Event::Released, index));
        events.push((done, Event::Done, index));
    }
    events.sort_unstable();
    let mut free = places.max(1);
    let mut waiting = BTreeSet::new();
    for (at, event, index) in events {
        match event {
            Event::Done if waiting.remove(&index) => begun[index] = Some(at),
            Event::Done => free += 1,
            Event::Released => {
                waiting.insert(index);
            }
        }
        while free > 0
            && let Some(first) = waiting.pop_first()
        {
            free -= 1;
            begun[first] = Some(at);
        }
    }
    begun
}

/// At one instant places are freed before they are given away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Done,
    Released,
}
