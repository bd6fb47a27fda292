//! What a process keeps of a run between two looks at it. All of it can be made anew from the API and the
//! drivers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use drover_api::{Consistency, MachineRun, MachineRunStatus, RecoveryRun, RunRecord};
use drover_engine::decide::{
    ActionId, ActionReport, Failure, MachineView, Machines, Releaser, Shape, Sight, Standing, Wait,
    WaitReason,
};
use drover_world::{Effect, FabricError, Observed};
use jiff::Timestamp;
use tokio::time::Instant;

use super::pace::Pace;
use crate::cache::ObjectKey;
use crate::context::{Context, Runs};
use crate::drivers::Place;

/// What a process keeps of a run.
pub(crate) struct RunState {
    pub(crate) uid: String,
    pub(crate) shape: Shape,
    /// Position of each machine run, by its name.
    pub(crate) positions: BTreeMap<ObjectKey, usize>,
    pub(crate) journals: Vec<Arc<MachineRun>>,
    /// Where the machines stand; nothing for one that is not protected any more.
    pub(crate) places: Vec<Option<Place>>,
    pub(crate) sights: Vec<Sight>,
    pub(crate) failures: BTreeMap<usize, Failure>,
    /// How the machines stand by the epochs of the record that is looked at, and those of which something
    /// changed since.
    pub(crate) standings: Vec<Standing>,
    stand_at: Option<(u64, u64)>,
    pub(crate) stirred: BTreeSet<usize>,
    /// What each machine's drivers were asked for last.
    pub(crate) asked: Vec<Option<Asked>>,
    pub(crate) reports: BTreeMap<ActionId, ActionReport>,
    /// Attempts of actions that are under way in this process.
    pub(crate) acting: BTreeSet<(ActionId, u32)>,
    /// For what machines wait that does not come by itself: so many of them, for each reason.
    pub(crate) stuck: Vec<(Wait, usize)>,
    /// When the counts were written last.
    pub(crate) counted: Option<Instant>,
    pub(crate) pace: Pace,
}

/// A request to a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) effect: Effect,
    pub(crate) epoch: u64,
    pub(crate) at: Instant,
    /// Whether the driver did not answer yet.
    pub(crate) open: bool,
}

/// What reached a run since it was looked at last.
#[derive(Default)]
pub(crate) struct Inbox {
    /// Machines of which something else is seen.
    pub(crate) sights: BTreeSet<usize>,
    /// Machine runs that changed.
    pub(crate) journals: BTreeSet<ObjectKey>,
    /// What drivers answered.
    pub(crate) answers: Vec<Answered>,
    /// What came of actions.
    pub(crate) reports: Vec<(ActionId, ActionReport)>,
    /// Everything is to be looked at.
    pub(crate) all: bool,
}

/// What a driver answered.
pub(crate) struct Answered {
    pub(crate) position: usize,
    pub(crate) effect: Effect,
    pub(crate) epoch: u64,
    pub(crate) result: Result<(), FabricError>,
    pub(crate) at: Timestamp,
}

impl RunState {
    /// Everything anew; the machines are in hand from now on.
    pub(crate) fn of(
        context: &Context,
        key: &ObjectKey,
        run: &RecoveryRun,
        machine_runs: Vec<Arc<MachineRun>>,
    ) -> Self {
        let specs: Vec<_> = machine_runs
            .iter()
            .map(|machine| machine.spec.clone())
            .collect();
        let count = machine_runs.len();
        let positions = machine_runs
            .iter()
            .enumerate()
            .map(|(position, machine)| (ObjectKey::of(&**machine), position))
            .collect();
        let (machines, places) = places(context, key, &specs);
        let mut runs = context.runs();
        for (position, machine) in machines.iter().enumerate() {
            let hands = runs.hands.entry(machine.clone()).or_default();
            hands.insert((key.clone(), position));
        }
        runs.inbox(key).all = true;
        drop(runs);
        Self {
            uid: run.metadata.uid.clone().unwrap_or_default(),
            shape: Shape::of(run.spec.clone(), &specs),
            positions,
            journals: machine_runs,
            places,
            sights: vec![blind(); count],
            failures: BTreeMap::new(),
            standings: Vec::new(),
            stand_at: None,
            stirred: BTreeSet::new(),
            asked: vec![None; count],
            reports: BTreeMap::new(),
            acting: BTreeSet::new(),
            stuck: Vec::new(),
            counted: None,
            pace: Pace::default(),
        }
    }
}

/// The machines of a run as they are kept.
#[derive(Debug)]
pub(crate) struct Kept<'a> {
    journals: &'a [Arc<MachineRun>],
    sights: &'a [Sight],
    failures: &'a BTreeMap<usize, Failure>,
}

static FRESH: LazyLock<MachineRunStatus> = LazyLock::new(MachineRunStatus::default);

impl Machines for Kept<'_> {
    fn count(&self) -> usize {
        self.journals.len()
    }

    fn machine(&self, position: usize) -> MachineView<'_> {
        let status = self.journals[position].status.as_ref();
        MachineView {
            journal: status.unwrap_or(&FRESH),
            sight: &self.sights[position],
            failure: self.failures.get(&position),
        }
    }
}

impl RunState {
    /// The machines, as the engine looks at them.
    pub(crate) fn machines(&self) -> Kept<'_> {
        Kept {
            journals: &self.journals,
            sights: &self.sights,
            failures: &self.failures,
        }
    }

    /// Makes the standings those of a record: anew where a machine stirred, all of them for other epochs.
    pub(crate) fn stand(&mut self, record: &RunRecord) {
        let epochs = Some((record.epoch, record.movement_epoch));
        let stirred = std::mem::take(&mut self.stirred);
        if self.stand_at == epochs {
            for position in stirred {
                let machines = self.machines();
                let standing = Standing::of(&self.shape, record, &machines.machine(position));
                self.standings[position] = standing;
            }
        } else {
            self.standings = Standing::all(&self.shape, record, &self.machines());
            self.stand_at = epochs;
        }
        debug_assert_eq!(
            self.standings,
            Standing::all(&self.shape, record, &self.machines())
        );
    }
}

/// Reasons that are told of at most; they are few, whatever the number of machines.
const REASONS: usize = 8;

impl RunState {
    /// Notes that a machine waits for somebody, or that its request failed.
    pub(crate) fn stick(&mut self, wait: &Wait) {
        let retries = matches!(wait.reason, WaitReason::Retry { .. });
        if !retries && matches!(wait.reason.releaser(), Releaser::Progress | Releaser::Time) {
            return;
        }
        // The instant of a retry differs from machine to machine; what failed does not.
        let reason = match &wait.reason {
            WaitReason::Retry { error, .. } => WaitReason::Mending {
                error: error.clone(),
            },
            reason => reason.clone(),
        };
        let known = self
            .stuck
            .iter()
            .position(|(known, _)| known.reason == reason);
        match known {
            Some(known) => self.stuck[known].1 += 1,
            None if self.stuck.len() < REASONS => self.stuck.push((reason.into(), 1)),
            None => {}
        }
    }
}

/// What is seen before anything was looked at.
fn blind() -> Sight {
    fn unknown<T>() -> Observed<T> {
        Observed::Unknown {
            since: Timestamp::UNIX_EPOCH,
            last: None,
        }
    }
    Sight {
        source: unknown(),
        target: unknown(),
        drill: unknown(),
        link: unknown(),
        fenced: None,
    }
}

fn places(
    context: &Context,
    run: &ObjectKey,
    specs: &[drover_api::MachineRunSpec],
) -> (Vec<ObjectKey>, Vec<Option<Place>>) {
    let found = specs.iter().map(|spec| match place(context, run, spec) {
        Some((machine, place)) => (machine, Some(place)),
        None => (ObjectKey::default(), None),
    });
    found.unzip()
}

/// A machine of a run, and where it stands.
fn place(
    context: &Context,
    run: &ObjectKey,
    spec: &drover_api::MachineRunSpec,
) -> Option<(ObjectKey, Place)> {
    let group = ObjectKey::new(&run.namespace, spec.machine.protection_group.as_str());
    let cache = context.cache();
    let machine = cache.member(&group, spec.machine.name.as_str())?;
    let consistency = if spec.consistency_group {
        Consistency::Group
    } else {
        Consistency::PerMachine
    };
    let place = Place::of(&run.namespace, &machine.spec, consistency);
    Some((ObjectKey::of(&**machine), place))
}

impl RunState {
    /// Finds machines that were not protected yet when the run was taken in hand, and returns their
    /// positions: a group may still be making them.
    pub(crate) fn place_late(&mut self, context: &Context, run: &ObjectKey) -> Vec<usize> {
        let missing = self.places.iter().enumerate();
        let missing: Vec<usize> = missing
            .filter(|(_, place)| place.is_none())
            .map(|(position, _)| position)
            .collect();
        let mut found = Vec::new();
        for position in missing {
            let Some((machine, place)) = place(context, run, &self.journals[position].spec) else {
                continue;
            };
            self.places[position] = Some(place);
            let mut runs = context.runs();
            let hands = runs.hands.entry(machine).or_default();
            hands.insert((run.clone(), position));
            found.push(position);
        }
        found
    }
}

impl Runs {
    /// Where what reaches a run is laid down.
    pub(crate) fn inbox(&mut self, run: &ObjectKey) -> &mut Inbox {
        self.inboxes.entry(run.clone()).or_default()
    }

    pub(crate) fn take_inbox(&mut self, run: &ObjectKey) -> Inbox {
        std::mem::take(self.inbox(run))
    }

    /// The machines that a run has in hand.
    pub(crate) fn held_by(&self, run: &ObjectKey) -> Vec<ObjectKey> {
        let held = self
            .hands
            .iter()
            .filter(|(_, hands)| hands.iter().any(|(holder, _)| holder == run));
        held.map(|(machine, _)| machine.clone()).collect()
    }

    /// A run lets go of its machines; returns them.
    pub(crate) fn release(&mut self, run: &ObjectKey) -> Vec<ObjectKey> {
        let mut released = Vec::new();
        self.hands.retain(|machine, hands| {
            let before = hands.len();
            hands.retain(|(holder, _)| holder != run);
            if hands.len() < before {
                released.push(machine.clone());
            }
            !hands.is_empty()
        });
        released
    }
}
