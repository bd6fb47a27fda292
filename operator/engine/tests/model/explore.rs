//! The model itself: the store, the world, a process that is always fresh and one that may be stale.
//!
//! A process keeps nothing between two steps, so a crash between any two of them is the process not
//! taking its next step: every crash point is explored without being a step of its own. The stale
//! process acts on a snapshot of any earlier moment, at any later moment, in any order: it stands for a
//! paused leader, a delayed request and a stale cache.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use drover_api::common::{RunKind, SiteRole, Unfenced};
use drover_api::{DecisionAction, MachineRunStatus, RunPhase, RunRecord, StepState};
use drover_engine::decide::{
    self, MachineStep, MachineView, Room, RunView, Shape, Sight, Standing,
};
use drover_engine::invariant::Invariant;
use drover_world::{Effect, Observed};
use jiff::{SignedDuration, Timestamp};
use stateright::{Model, Property};

use crate::scenario::{Faults, Layout, Replicator, Script, decision, shape};
use crate::world::{self, Judge, Machine, side};

/// A small world with a script.
pub struct Scenario {
    pub layout: Layout,
    pub script: &'static [Script],
    pub faults: Faults,
    pub start: fn() -> Machine,
    /// The shape of each run of the script at each epoch.
    shapes: Vec<Vec<Arc<Shape>>>,
    /// States that are known to settle.
    pub settled: Mutex<BTreeSet<u64>>,
}

/// Above every epoch that a script reaches.
const EPOCHS: u64 = 16;

impl Scenario {
    pub fn new(layout: Layout, script: &'static [Script], faults: Faults) -> Self {
        let shapes = script
            .iter()
            .map(|run| {
                (0..EPOCHS)
                    .map(|epoch| Arc::new(shape(layout, *run, epoch)))
                    .collect()
            })
            .collect();
        Self {
            layout,
            script,
            faults,
            start: Machine::protected,
            shapes,
            settled: Mutex::default(),
        }
    }
}

/// What is stored of the run that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    pub run: usize,
    pub epoch: u64,
    pub record: RunRecord,
    pub record_version: u8,
    pub journals: Vec<MachineRunStatus>,
    pub journal_versions: Vec<u8>,
    /// Decisions that were made and not answered yet.
    pub decisions: Vec<DecisionAction>,
    pub intent_withdrawn: bool,
}

/// What a process sees at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    pub store: Store,
    pub machines: Vec<Machine>,
    pub up: [bool; 2],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub now: Arc<Snapshot>,
    pub stale: Option<Arc<Snapshot>>,
    pub left: Budget,
    pub broken: Option<Invariant>,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    pub writes: u8,
    pub failed_starts: u8,
    pub partitions: u8,
    pub power_losses: u8,
    pub stale_snapshots: u8,
    pub decided: u16,
    pub changed_mind: bool,
    pub powerless: Option<SiteRole>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Fresh,
    Stale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A process decides for the run and writes the record.
    Run(Who),
    /// A process decides for a machine and asks or writes. The second: whether deadlines have passed.
    Machine(Who, usize, bool),
    /// The stale process takes its snapshot.
    Look,
    /// A guest finishes starting or stopping.
    Power(usize, SiteRole),
    FailStart(usize, SiteRole),
    Arrive(usize),
    Replicate(usize),
    Write(usize, SiteRole),
    Cut(SiteRole),
    LosePower(SiteRole),
    Return(SiteRole),
    Decide(usize),
    ChangeMind,
    NextRun,
}

pub(crate) const ROLES: [SiteRole; 2] = [SiteRole::Primary, SiteRole::Secondary];

pub(crate) fn early() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

pub(crate) fn late() -> Timestamp {
    early() + SignedDuration::from_hours(10)
}

impl Scenario {
    fn shape(&self, store: &Store) -> &Shape {
        &self.shapes[store.run][usize::try_from(store.epoch).unwrap_or_default()]
    }

    fn sights(shape: &Shape, view: &Snapshot) -> Vec<Sight> {
        // Staleness is modelled by old snapshots, which lose their writes; not by the age of a look.
        let at = Timestamp::MAX;
        let seen = |role: SiteRole, machine: &Machine| {
            if view.up[side(role)] {
                Observed::Seen {
                    value: machine.at[side(role)].seen,
                    at,
                }
            } else {
                Observed::Unknown {
                    since: at,
                    last: None,
                }
            }
        };
        view.machines
            .iter()
            .map(|machine| Sight {
                source: seen(shape.source(), machine),
                target: seen(shape.target(), machine),
                drill: Observed::Unknown {
                    since: at,
                    last: None,
                },
                // The replicator answers where the copies are.
                link: if view.up[side(shape.target())] {
                    Observed::Seen {
                        value: machine.link_seen(),
                        at,
                    }
                } else {
                    Observed::Unknown {
                        since: at,
                        last: None,
                    }
                },
                fenced: machine.fence[side(shape.source())],
            })
            .collect()
    }

    pub(crate) fn decide_run(&self, view: &Snapshot) -> decide::RunStep {
        self.with_view(view, early(), decide::run)
    }

    pub(crate) fn decide_machine(
        &self,
        view: &Snapshot,
        index: usize,
        now: Timestamp,
    ) -> MachineStep {
        self.with_view(view, now, |run| decide::machine(run, index))
    }

    fn with_view<T>(
        &self,
        view: &Snapshot,
        now: Timestamp,
        decide: impl FnOnce(&RunView<'_>) -> T,
    ) -> T {
        let shape = self.shape(&view.store);
        let sights = Self::sights(shape, view);
        let machines: Vec<MachineView<'_>> = view
            .store
            .journals
            .iter()
            .zip(&sights)
            .map(|(journal, sight)| MachineView {
                journal,
                sight,
                failure: None,
            })
            .collect();
        let specs: Vec<_> = view
            .store
            .decisions
            .iter()
            .map(|action| decision(*action))
            .collect();
        let names: Vec<String> = view
            .store
            .decisions
            .iter()
            .map(|action| format!("{action:?}"))
            .collect();
        let decisions: Vec<_> = names.iter().map(String::as_str).zip(&specs).collect();
        let standings = Standing::all(shape, &view.store.record, &machines);
        decide(&RunView {
            shape,
            record: &view.store.record,
            machines: &machines,
            standings: &standings,
            room: Room::any(shape.source()),
            decisions: &decisions,
            unauthenticated: false,
            actions: &BTreeMap::new(),
            intent_withdrawn: view.store.intent_withdrawn,
            now,
        })
    }

    /// Asks the world for an effect on behalf of a process.
    fn ask(&self, state: &mut State, asked_by: &Snapshot, index: usize, effect: Effect) {
        let (site, needs_link) = match effect {
            Effect::Stopped { site } | Effect::Started { site } => (Some(site), false),
            Effect::Materialized { site } => (Some(site), true),
            Effect::Fenced { .. } => (None, false),
            _ => (None, true),
        };
        let now = Arc::make_mut(&mut state.now);
        let shape = self.shape(&now.store);
        let link_site = self.shape(&asked_by.store).target();
        let unreachable = site.is_some_and(|site| !now.up[side(site)])
            || (needs_link && !now.up[side(link_site)]);
        let both_needed = matches!(
            effect,
            Effect::FinalSync { .. } | Effect::SyncedBack { .. } | Effect::Reversed { .. }
        );
        let fence_impossible = matches!(effect, Effect::Fenced { .. }) && !self.faults.fences;
        if unreachable || fence_impossible || (both_needed && now.up != [true, true]) {
            return;
        }
        let record = &now.store.record;
        let lost_power = state.left.power_losses < self.faults.power_losses;
        let excused: Vec<bool> = now
            .store
            .journals
            .iter()
            .map(|journal| {
                let failed = [&journal.enter, &journal.leave]
                    .iter()
                    .any(|step| step.state == StepState::Failed);
                let was_healthy = [&journal.enter, &journal.back]
                    .iter()
                    .any(|step| step.state == StepState::Done);
                failed || (lost_power && was_healthy)
            })
            .collect();
        let (needs, needed_by) = self.neighbours(shape);
        let judge = Judge {
            planned: shape.planned(),
            target: shape.target(),
            committing: record.phase == RunPhase::Committing,
            // A run of the script follows only one that was committed.
            committed: record.phase == RunPhase::Committed || now.store.run > asked_by.store.run,
            reprotect: shape.spec.kind == RunKind::Reprotect,
            returning: record.phase == RunPhase::Returning,
            discard_accepted: record.accepted.discard_target_writes,
            movement_epoch: record.movement_epoch,
            needs: &needs,
            needed_by: &needed_by,
            excused: &excused,
            enforced: self.faults.enforced,
        };
        let epoch = asked_by.store.record.epoch;
        let broken = world::apply(&mut now.machines, index, effect, epoch, &judge);
        if !self.faults.slow {
            let may_fail = state.left.failed_starts > 0;
            let linked = now.up == [true, true] && self.faults.replicator != Replicator::Hangs;
            let lies = self.faults.replicator == Replicator::Lies;
            world::finish(&mut now.machines[index], may_fail, linked, lies);
        }
        state.broken = state.broken.or(broken);
    }

    fn neighbours(&self, shape: &Shape) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let machines = |groups: &[usize]| {
            groups
                .iter()
                .flat_map(|group| shape.machines[*group].clone())
                .collect::<Vec<_>>()
        };
        let of = |edges: &[Vec<usize>]| {
            self.layout
                .groups
                .iter()
                .map(|group| machines(&edges[*group]))
                .collect()
        };
        (of(&shape.dependencies), of(&shape.dependents))
    }

    /// A process decides for the run; nothing when there is nothing to write.
    fn run_step(&self, state: &State, by: &Snapshot) -> Option<State> {
        let step = self.decide_run(by);
        if step.record.is_none() && step.answers.is_empty() {
            return None;
        }
        let mut next = state.clone();
        let store = &mut Arc::make_mut(&mut next.now).store;
        // The write carries the version that the process saw.
        if store.run != by.store.run || store.record_version != by.store.record_version {
            return None;
        }
        let answered: Vec<&str> = step
            .answers
            .iter()
            .map(|answer| answer.decision.as_str())
            .collect();
        store
            .decisions
            .retain(|action| !answered.contains(&format!("{action:?}").as_str()));
        if let Some(mut record) = step.record {
            // They are remembered by what they did; the list would only multiply states.
            record.decisions.clear();
            store.record = record;
            store.record_version += 1;
        }
        Some(next)
    }

    fn machine_step(
        &self,
        state: &State,
        by: &Snapshot,
        index: usize,
        now: Timestamp,
    ) -> Option<State> {
        match self.decide_machine(by, index, now) {
            MachineStep::Ensure(effect) => {
                let mut next = state.clone();
                self.ask(&mut next, by, index, effect);
                (next != *state).then_some(next)
            }
            MachineStep::Record(journal) => {
                let mut next = state.clone();
                let store = &mut Arc::make_mut(&mut next.now).store;
                let seen = by.store.journal_versions[index];
                if store.run != by.store.run || store.journal_versions[index] != seen {
                    return None;
                }
                store.journals[index] = without_times(*journal);
                store.journal_versions[index] += 1;
                Some(next)
            }
            MachineStep::Wait(_) | MachineStep::Rest => None,
        }
    }

    /// Two copies that may serve, and nobody accepted that by name.
    fn two_active(&self, state: &State) -> bool {
        let store = &state.now.store;
        let accepted = store.record.accepted.split_brain
            || self.script[..=store.run]
                .iter()
                .any(|run| run.unfenced == Unfenced::AcceptSplitBrain);
        !accepted
            && state
                .now
                .machines
                .iter()
                .any(|machine| machine.at[0].seen.may_serve() && machine.at[1].seen.may_serve())
    }
}

/// Times differ from path to path and mean nothing here.
fn without_times(mut journal: MachineRunStatus) -> MachineRunStatus {
    for step in [
        &mut journal.synchronize,
        &mut journal.leave,
        &mut journal.enter,
        &mut journal.withdraw,
        &mut journal.commit,
        &mut journal.back,
        &mut journal.reverse,
    ] {
        step.at = None;
    }
    if let Some(point) = &mut journal.point {
        point.loss = None;
    }
    journal
}

impl Model for Scenario {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let machines = vec![(self.start)(); self.layout.groups.len()];
        let store = Store {
            run: 0,
            epoch: 1,
            record: RunRecord::default(),
            record_version: 0,
            journals: vec![MachineRunStatus::default(); machines.len()],
            journal_versions: vec![0; machines.len()],
            decisions: vec![],
            intent_withdrawn: false,
        };
        vec![State {
            now: Arc::new(Snapshot {
                store,
                machines,
                up: [true, true],
            }),
            stale: None,
            left: Budget {
                writes: self.faults.writes,
                failed_starts: self.faults.failed_starts,
                partitions: self.faults.partitions,
                power_losses: self.faults.power_losses,
                stale_snapshots: self.faults.stale_snapshots,
                decided: 0,
                changed_mind: !self.faults.changed_mind,
                powerless: None,
            },
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        actions.push(Action::Run(Who::Fresh));
        let second = state.stale.is_some();
        if second {
            actions.push(Action::Run(Who::Stale));
        }
        for index in 0..self.layout.groups.len() {
            actions.push(Action::Machine(Who::Fresh, index, false));
            if self.faults.deadlines {
                actions.push(Action::Machine(Who::Fresh, index, true));
            }
            if second {
                actions.push(Action::Machine(Who::Stale, index, self.faults.deadlines));
            }
            actions.push(Action::Arrive(index));
            actions.push(Action::Replicate(index));
            for role in ROLES {
                actions.push(Action::Power(index, role));
                actions.push(Action::FailStart(index, role));
                actions.push(Action::Write(index, role));
            }
        }
        for role in ROLES {
            actions.extend([
                Action::Cut(role),
                Action::LosePower(role),
                Action::Return(role),
            ]);
        }
        actions.extend((0..self.faults.decisions.len()).map(Action::Decide));
        actions.extend([Action::Look, Action::ChangeMind, Action::NextRun]);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        match action {
            Action::Run(Who::Fresh) => self.run_step(state, &state.now),
            Action::Run(Who::Stale) => self.run_step(state, state.stale.as_ref()?),
            Action::Machine(who, index, overdue) => {
                let by = match who {
                    Who::Fresh => &state.now,
                    Who::Stale => state.stale.as_ref()?,
                };
                let now = if overdue { late() } else { early() };
                self.machine_step(state, &Arc::clone(by), index, now)
            }
            Action::Look => Self::look(state),
            Action::NextRun => self.next_run(state),
            _ => self.happens(state, action),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! never {
            ($name:literal, $invariant:ident) => {
                Property::always($name, |_: &Self, state: &State| {
                    state.broken != Some(Invariant::$invariant)
                })
            };
        }
        vec![
            Property::always("single_active", |model: &Self, state| {
                !model.two_active(state)
            }),
            never!("zero_loss", ZeroLoss),
            never!("whole_disk", WholeDisk),
            never!("effect_once", EffectOnce),
            never!("order_kept", OrderKept),
            never!("points_kept", PointsKept),
            never!("nothing_backwards", NothingBackwards),
            Property::always("settles", Self::settles),
        ]
    }
}

impl Scenario {
    fn look(state: &State) -> Option<State> {
        let mut next = state.clone();
        next.left.stale_snapshots = next.left.stale_snapshots.checked_sub(1)?;
        next.stale = Some(Arc::clone(&state.now));
        Some(next)
    }

    /// The next run of the script, once the one before it has ended well.
    fn next_run(&self, state: &State) -> Option<State> {
        let store = &state.now.store;
        let ended = matches!(
            store.record.phase,
            RunPhase::Committed | RunPhase::Protected
        );
        if !ended || store.run + 1 >= self.script.len() || store.intent_withdrawn {
            return None;
        }
        let mut next = state.clone();
        let now = Arc::make_mut(&mut next.now);
        let seen = now
            .machines
            .iter()
            .map(Machine::highest_epoch)
            .max()
            .unwrap_or_default();
        let store = &mut now.store;
        store.epoch = seen.max(store.record.epoch) + 1;
        store.run += 1;
        store.record = RunRecord::default();
        store.record_version = 0;
        store.journals = vec![MachineRunStatus::default(); now.machines.len()];
        store.journal_versions = vec![0; now.machines.len()];
        store.decisions.clear();
        next.left.decided = 0;
        Some(next)
    }
}
