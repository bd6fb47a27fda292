//! The truth that the model explores: machines that write, disks that hold versions, fabrics that
//! record epochs, and links that copy. It knows nothing of the engine; it judges what is asked of it.

use drover_api::common::SiteRole;
use drover_engine::invariant::Invariant;
use drover_world::{Disk, Effect, Instance, Link, LinkState, Point, Power};
use jiff::Timestamp;

/// One machine at one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Copy {
    pub seen: Instance,
    /// The newest write that its disk holds.
    pub version: u8,
    /// Whether the fabric holds it down: it does not start by itself when its site returns.
    pub held: bool,
}

/// What travels from one side to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Travel {
    Final,
    Back,
    Reverse,
}

/// One machine, everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    pub at: [Copy; 2],
    /// The newest write that was acknowledged to anybody.
    pub acknowledged: u8,
    pub towards: SiteRole,
    pub link: LinkState,
    pub travel: Option<Travel>,
    pub final_sync: Option<u64>,
    pub committed: Option<u64>,
    pub link_epoch: u64,
    /// Epoch of the confirmed fence of each side.
    pub fence: [Option<u64>; 2],
}

pub fn side(role: SiteRole) -> usize {
    match role {
        SiteRole::Primary => 0,
        SiteRole::Secondary => 1,
    }
}

impl Machine {
    /// Runs at the primary site and replicates to the secondary.
    pub fn protected() -> Self {
        let running = Copy {
            seen: Instance {
                power: Power::Healthy,
                disk: Disk::Whole,
                ..Instance::ABSENT
            },
            version: 0,
            held: false,
        };
        let replica = Copy {
            seen: Instance {
                disk: Disk::Whole,
                ..Instance::ABSENT
            },
            version: 0,
            held: false,
        };
        Self {
            at: [running, replica],
            acknowledged: 0,
            towards: SiteRole::Secondary,
            link: LinkState::Replicating,
            travel: None,
            final_sync: None,
            committed: None,
            link_epoch: 0,
            fence: [None, None],
        }
    }

    /// Runs at the secondary site, committed and not protected; the old disk is still at the primary.
    pub fn away() -> Self {
        let mut machine = Self::protected();
        machine.at.swap(0, 1);
        machine.at[0].seen.power = Power::Off;
        machine.link = LinkState::None;
        machine
    }

    pub fn highest_epoch(&self) -> u64 {
        self.link_epoch
            .max(self.at[0].seen.epoch)
            .max(self.at[1].seen.epoch)
    }

    pub fn link_seen(&self) -> Link {
        Link {
            finalized: true,
            final_sync: self.final_sync,
            committed: self.committed,
            epoch: self.link_epoch,
            points: vec![Point {
                at: Timestamp::UNIX_EPOCH,
                name: "latest".into(),
                app_consistent: true,
                processed: true,
            }],
            ..Link::new(self.towards, self.link)
        }
    }

    /// Starts by itself after its site lost power and came back, unless it is held.
    pub fn boots_with_its_site(&mut self, role: SiteRole) {
        let copy = &mut self.at[side(role)];
        if copy.seen.power == Power::Off && !copy.held && copy.seen.disk == Disk::Whole {
            copy.seen.power = Power::Starting;
            self.final_sync = None;
        }
    }
}

/// What the model believes about the run when an effect arrives, to judge it by. This is the stored
/// truth, not what the asking process believes.
#[allow(clippy::struct_excessive_bools)] // Facts to judge by, not a state.
pub struct Judge<'a> {
    pub planned: bool,
    pub target: SiteRole,
    pub committing: bool,
    pub committed: bool,
    pub reprotect: bool,
    pub returning: bool,
    pub discard_accepted: bool,
    pub movement_epoch: u64,
    /// For each machine, those it depends on and those that depend on it.
    pub needs: &'a [Vec<usize>],
    pub needed_by: &'a [Vec<usize>],
    /// Machines whose failure is on record, or that a loss of power took down after they were healthy:
    /// nobody waits for those.
    pub excused: &'a [bool],
    /// Whether fabrics refuse older epochs. Switched off only to see the checks fail.
    pub enforced: bool,
}

/// Asks the fabric for an effect. Nothing: it was refused or is so already.
pub fn apply(
    machines: &mut [Machine],
    index: usize,
    effect: Effect,
    epoch: u64,
    judge: &Judge<'_>,
) -> Option<Invariant> {
    match effect {
        Effect::Stopped { site } => stop(machines, index, site, epoch, judge),
        Effect::Started { site } => start(machines, index, site, epoch, judge),
        Effect::Materialized { site } => materialize(&mut machines[index], site, epoch, judge),
        Effect::Fenced { site } => {
            let machine = &mut machines[index];
            machine.fence[side(site)] = Some(epoch);
            machine.at[side(site)].seen.fenced = true;
            None
        }
        Effect::FinalSync { towards } => {
            travel(&mut machines[index], Travel::Final, towards, epoch, judge)
        }
        Effect::SyncedBack { towards } => {
            travel(&mut machines[index], Travel::Back, towards, epoch, judge)
        }
        Effect::Reversed { towards } => {
            travel(&mut machines[index], Travel::Reverse, towards, epoch, judge)
        }
        Effect::Committed { .. } => {
            let machine = &mut machines[index];
            if judge.enforced && epoch < machine.link_epoch {
                return None;
            }
            machine.link_epoch = machine.link_epoch.max(epoch);
            machine.committed = Some(epoch);
            (!judge.committing && !judge.committed).then_some(Invariant::PointsKept)
        }
        Effect::DrillMaterialized { .. }
        | Effect::DrillStarted { .. }
        | Effect::DrillRemoved { .. } => Some(Invariant::DrillApart),
        // Protection is held while a run has the machine in hand.
        Effect::Related { .. }
        | Effect::Seeded { .. }
        | Effect::Finalized { .. }
        | Effect::Resynchronized { .. }
        | Effect::Unrelated { .. } => Some(Invariant::AsReviewed),
    }
}

fn refused(copy: &Copy, epoch: u64, judge: &Judge<'_>) -> bool {
    judge.enforced && epoch < copy.seen.epoch
}

fn stop(
    machines: &mut [Machine],
    index: usize,
    site: SiteRole,
    epoch: u64,
    judge: &Judge<'_>,
) -> Option<Invariant> {
    let here = side(site);
    let ran = machines[index].at[here].seen.may_serve();
    let copy = &mut machines[index].at[here];
    if refused(copy, epoch, judge) {
        return None;
    }
    copy.seen.epoch = copy.seen.epoch.max(epoch);
    copy.held = true;
    if matches!(copy.seen.power, Power::Starting | Power::Healthy) {
        copy.seen.power = Power::Stopping;
    }
    // Stopping what still has running dependents breaks the order; a stale copy that is stopped beside
    // a running machine does not.
    let alone = !machines[index].at[1 - here].seen.may_serve();
    let dependents_run = judge.needed_by[index]
        .iter()
        .any(|other| machines[*other].at[here].seen.may_serve() && !judge.excused[*other]);
    (ran && alone && judge.planned && dependents_run).then_some(Invariant::OrderKept)
}

fn start(
    machines: &mut [Machine],
    index: usize,
    site: SiteRole,
    epoch: u64,
    judge: &Judge<'_>,
) -> Option<Invariant> {
    let here = side(site);
    let before = machines[index];
    let copy = &mut machines[index].at[here];
    if refused(copy, epoch, judge) {
        return None;
    }
    copy.seen.epoch = copy.seen.epoch.max(epoch);
    copy.held = false;
    copy.seen.fenced = false;
    machines[index].fence[here] = None;
    let copy = &mut machines[index].at[here];
    match copy.seen.power {
        Power::Starting | Power::Healthy | Power::Absent => return None,
        Power::Off | Power::StartFailed | Power::Stopping => copy.seen.power = Power::Starting,
    }
    machines[index].final_sync = None;
    let copy = before.at[here];
    let writing = before.travel.is_some() && before.towards == site;
    if copy.seen.disk != Disk::Whole || writing {
        return Some(Invariant::WholeDisk);
    }
    if copy.version < before.acknowledged && (judge.planned && !judge.discard_accepted) {
        return Some(Invariant::ZeroLoss);
    }
    let in_order = site == judge.target || judge.returning;
    let waits_for = |other: &usize| {
        machines[*other].at[here].seen.power != Power::Healthy && !judge.excused[*other]
    };
    if in_order && judge.needs[index].iter().any(waits_for) {
        return Some(Invariant::OrderKept);
    }
    None
}

fn materialize(
    machine: &mut Machine,
    site: SiteRole,
    epoch: u64,
    judge: &Judge<'_>,
) -> Option<Invariant> {
    let here = side(site);
    let copy = &mut machine.at[here];
    if refused(copy, epoch, judge) || (judge.enforced && epoch < machine.link_epoch) {
        return None;
    }
    copy.seen.epoch = copy.seen.epoch.max(epoch);
    machine.link_epoch = machine.link_epoch.max(epoch);
    if copy.seen.made_at.is_some_and(|made| made >= epoch) && copy.seen.power != Power::Absent {
        return None;
    }
    if machine.travel.is_some() || copy.seen.disk != Disk::Whole {
        return None;
    }
    let again = copy
        .seen
        .made_at
        .is_some_and(|made| made >= judge.movement_epoch)
        && copy.seen.power != Power::Absent;
    if copy.seen.may_serve() || again {
        return Some(Invariant::EffectOnce);
    }
    copy.seen.power = Power::Off;
    copy.seen.made_at = Some(epoch);
    copy.held = true;
    machine.link = LinkState::Paused;
    None
}

/// Begins to copy towards a side.
fn travel(
    machine: &mut Machine,
    what: Travel,
    towards: SiteRole,
    epoch: u64,
    judge: &Judge<'_>,
) -> Option<Invariant> {
    if judge.enforced && epoch < machine.link_epoch {
        return None;
    }
    machine.link_epoch = machine.link_epoch.max(epoch);
    let from = machine.at[side(towards.other())];
    let into = machine.at[side(towards)];
    let reached = match what {
        Travel::Final => machine.final_sync == Some(epoch),
        Travel::Back | Travel::Reverse => {
            machine.towards == towards && machine.link == LinkState::Replicating
        }
    };
    // A replicator never copies into a running machine, nor finally from one.
    let impossible = into.seen.may_serve() || (what == Travel::Final && from.seen.may_serve());
    if reached || machine.travel.is_some() || impossible {
        return None;
    }
    machine.travel = Some(what);
    machine.towards = towards;
    machine.at[side(towards)].seen.disk = Disk::HalfWritten;
    let backwards = what == Travel::Reverse && !judge.reprotect;
    backwards.then_some(Invariant::NothingBackwards)
}

/// Ends what was begun.
pub fn finish(machine: &mut Machine, starts_may_fail: bool, linked: bool, lies: bool) {
    for copy in &mut machine.at {
        copy.seen.power = match copy.seen.power {
            Power::Stopping => Power::Off,
            Power::Starting if !starts_may_fail => Power::Healthy,
            power => power,
        };
    }
    if linked {
        arrive(machine, lies);
    }
}

/// Ends what travels.
pub fn arrive(machine: &mut Machine, lies: bool) {
    let Some(what) = machine.travel.take() else {
        return;
    };
    let from = machine.at[side(machine.towards.other())].version;
    let into = &mut machine.at[side(machine.towards)];
    if !lies {
        into.version = from;
    }
    into.seen.disk = Disk::Whole;
    match what {
        Travel::Final => {
            machine.final_sync = Some(machine.link_epoch);
            machine.link = LinkState::Paused;
        }
        Travel::Back | Travel::Reverse => machine.link = LinkState::Replicating,
    }
}
