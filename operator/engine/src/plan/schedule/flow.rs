//! Groups flow through a limited number of places in the order of the graph.
//!
//! One simulation serves both halves of a run: stops go through it backwards, starts forwards. It
//! steps from event to event, so its cost depends on how much there is to do and not on how long
//! that takes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Millis, PlanGraph, Step, Times, WaitedFor};

/// One step that was done. Its index in the log is its identity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub step: Step,
    pub start: Millis,
    pub end: Millis,
    /// The job at whose end this one began; nothing for what begins with the run.
    pub cause: Option<usize>,
    pub waited_for: WaitedFor,
}

impl Job {
    pub fn times(&self) -> Times {
        Times {
            start: self.start,
            end: self.end,
        }
    }
}

/// Everything that was done, in the order in which it was begun or decided.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub jobs: Vec<Job>,
}

impl Log {
    pub fn push(
        &mut self,
        step: Step,
        start: Millis,
        length: Millis,
        cause: Option<usize>,
        waited_for: WaitedFor,
    ) -> usize {
        self.jobs.push(Job {
            step,
            start,
            end: start.saturating_add(length),
            cause,
            waited_for,
        });
        self.jobs.len() - 1
    }

    /// The job that ends last; of several the one that was begun last, so that a manual step, which
    /// takes no time here, shows at the end of a path.
    pub fn last(&self) -> Option<usize> {
        (0..self.jobs.len()).max_by_key(|at| self.jobs[*at].end)
    }
}

/// What one group does.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub before: Vec<Millis>,
    pub machines: Vec<Millis>,
    pub after: Vec<Millis>,
}

/// Groups on their way.
pub(super) struct Flow<'a> {
    graph: &'a PlanGraph,
    way: Way,
    stages: Vec<Stage>,
    /// Groups by rank; machines that wait for a place get it in this order.
    order: Vec<usize>,
    progress: Vec<Progress>,
    /// Machines that wait for a place: rank of the group, position in it.
    waiting: BinaryHeap<Reverse<(usize, usize)>>,
    events: BinaryHeap<Reverse<(Millis, Event)>>,
    free: usize,
    /// The job that freed a place last.
    freed: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Forward,
    Backward,
}

/// Where one group stands.
#[derive(Clone, Copy, Default)]
struct Progress {
    rank: usize,
    /// Groups that must be done before it.
    awaited: usize,
    /// Machines that are not done.
    left: usize,
    /// When it was released, and when it was done.
    times: Times,
    /// When its machines could begin, and the job at whose end that was.
    ready_at: Millis,
    ready_by: Option<usize>,
}

/// Something happens to a group. At one instant the order is that of the arms: places are freed
/// before it is decided who gets them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    MachineDone { group: usize, job: usize },
    MachinesReady { group: usize, cause: Option<usize> },
    GroupDone { group: usize, cause: Option<usize> },
}

impl<'a> Flow<'a> {
    /// Starts: dependencies first.
    pub fn forward(graph: &'a PlanGraph, places: u32, stages: Vec<Stage>) -> Self {
        Self::new(graph, Way::Forward, graph.start_order(), places, stages)
    }

    /// Stops: dependents first.
    pub fn backward(graph: &'a PlanGraph, places: u32, stages: Vec<Stage>) -> Self {
        Self::new(graph, Way::Backward, graph.stop_order(), places, stages)
    }

    fn new(
        graph: &'a PlanGraph,
        way: Way,
        order: Vec<usize>,
        places: u32,
        stages: Vec<Stage>,
    ) -> Self {
        let mut progress = vec![Progress::default(); order.len()];
        for (rank, group) in order.iter().enumerate() {
            progress[*group] = Progress {
                rank,
                awaited: match way {
                    Way::Forward => graph.dependencies(*group).count(),
                    Way::Backward => graph.dependents(*group).count(),
                },
                left: stages[*group].machines.len(),
                ..Progress::default()
            };
        }
        Self {
            graph,
            way,
            stages,
            order,
            progress,
            waiting: BinaryHeap::new(),
            events: BinaryHeap::new(),
            // With no place at all nothing would ever end; the schema asks for one at least.
            free: usize::try_from(places.max(1)).unwrap_or(usize::MAX),
            freed: None,
        }
    }

    /// Lets everything flow from `begin`, which is the end of the job `cause`; from when to when each
    /// group did.
    pub fn run(mut self, log: &mut Log, begin: Millis, cause: Option<usize>) -> Vec<Times> {
        for rank in 0..self.order.len() {
            let group = self.order[rank];
            if self.progress[group].awaited == 0 {
                self.release(log, group, begin, cause);
            }
        }
        while let Some(Reverse((now, _))) = self.events.peek().copied() {
            while let Some(event) = self.event_at(now) {
                self.handle(log, now, event);
            }
            self.fill(log, now);
        }
        self.progress.iter().map(|group| group.times).collect()
    }

    fn event_at(&mut self, now: Millis) -> Option<Event> {
        let Reverse((at, event)) = self.events.peek().copied()?;
        if at != now {
            return None;
        }
        self.events.pop();
        Some(event)
    }

    fn handle(&mut self, log: &mut Log, now: Millis, event: Event) {
        match event {
            Event::MachineDone { group, job } => {
                self.free += 1;
                self.freed = Some(job);
                self.progress[group].left -= 1;
                if self.progress[group].left == 0 {
                    self.finish(log, group, now, Some(job));
                }
            }
            Event::MachinesReady { group, cause } => {
                let progress = &mut self.progress[group];
                progress.ready_at = now;
                progress.ready_by = cause;
                let (rank, machines) = (progress.rank, progress.left);
                if machines == 0 {
                    self.finish(log, group, now, cause);
                }
                self.waiting
                    .extend((0..machines).map(|machine| Reverse((rank, machine))));
            }
            Event::GroupDone { group, cause } => {
                self.progress[group].times.end = now;
                for next in self.next(group) {
                    self.progress[next].awaited -= 1;
                    if self.progress[next].awaited == 0 {
                        self.release(log, next, now, cause);
                    }
                }
            }
        }
    }

    fn next(&self, group: usize) -> Vec<usize> {
        match self.way {
            Way::Forward => self.graph.dependents(group).collect(),
            Way::Backward => self.graph.dependencies(group).collect(),
        }
    }

    /// Everything that the group waited for is done.
    fn release(&mut self, log: &mut Log, group: usize, now: Millis, cause: Option<usize>) {
        self.progress[group].times.start = now;
        let lengths = std::mem::take(&mut self.stages[group].before);
        let step = |action| Step::Before { group, action };
        let (at, cause) = one_by_one(log, &lengths, step, now, cause);
        let event = Event::MachinesReady { group, cause };
        self.events.push(Reverse((at, event)));
    }

    /// All machines of the group are done.
    fn finish(&mut self, log: &mut Log, group: usize, now: Millis, cause: Option<usize>) {
        let lengths = std::mem::take(&mut self.stages[group].after);
        let step = |action| Step::After { group, action };
        let (at, cause) = one_by_one(log, &lengths, step, now, cause);
        let event = Event::GroupDone { group, cause };
        self.events.push(Reverse((at, event)));
    }

    /// Gives free places to machines that wait.
    fn fill(&mut self, log: &mut Log, now: Millis) {
        while self.free > 0 {
            let Some(Reverse((rank, machine))) = self.waiting.pop() else {
                return;
            };
            let group = self.order[rank];
            let progress = self.progress[group];
            // No place is ever kept empty, so a machine that could have begun earlier waited for one
            // that was freed just now.
            let (cause, waited_for) = if progress.ready_at == now {
                (progress.ready_by, by_order(progress.ready_by))
            } else {
                (self.freed, WaitedFor::Place)
            };
            let step = match self.way {
                Way::Forward => Step::Start { group, machine },
                Way::Backward => Step::Stop { group, machine },
            };
            let length = self.stages[group].machines[machine];
            let job = log.push(step, now, length, cause, waited_for);
            let event = Event::MachineDone { group, job };
            self.events.push(Reverse((log.jobs[job].end, event)));
            self.free -= 1;
        }
    }
}

/// Steps one after the other; when the last ends, and which it is.
fn one_by_one(
    log: &mut Log,
    lengths: &[Millis],
    step: impl Fn(usize) -> Step,
    mut now: Millis,
    mut cause: Option<usize>,
) -> (Millis, Option<usize>) {
    for (position, length) in lengths.iter().enumerate() {
        let job = log.push(step(position), now, *length, cause, by_order(cause));
        now = log.jobs[job].end;
        cause = Some(job);
    }
    (now, cause)
}

fn by_order(cause: Option<usize>) -> WaitedFor {
    cause.map_or(WaitedFor::Nothing, |_| WaitedFor::Order)
}
