//! Who has a machine in hand, a run or its protection, and what a run that ended left of it.

use drover_api::common::{RunKind, SiteRole};
use drover_api::{MachinePhase, MachineRunStatus, Purpose, RecoveryRunSpec, RunPhase, StepState};
use drover_world::{Disk, Instance, Link, LinkState, Observed, Power};

use crate::lifecycle::RUN;

/// What is known of a protected machine and of the run that moved it last.
#[derive(Clone, Copy, Debug)]
pub struct TenureView<'a> {
    /// Where it stands, as last recorded.
    pub phase: MachinePhase,
    /// Whether it is to come back.
    pub purpose: Purpose,
    /// Where it is active.
    pub active: Option<SiteRole>,
    /// What is seen of it at the primary and at the secondary site.
    pub at: [&'a Observed<Instance>; 2],
    /// How its data moves.
    pub link: &'a Observed<Link>,
    /// The newest run that moves it or its replication.
    pub run: Option<PartInRun<'a>>,
}

/// A machine's part in a run.
#[derive(Clone, Copy, Debug)]
pub struct PartInRun<'a> {
    /// The run.
    pub run: &'a RecoveryRunSpec,
    /// Where the run stands.
    pub phase: RunPhase,
    /// The machine's journal.
    pub journal: &'a MachineRunStatus,
}

/// Who decides about a machine now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenure {
    /// A run does; its machine is said to be in this phase, or in that in which it was.
    Run(Option<MachinePhase>),
    /// Its protection does, from this phase on.
    Protection(MachinePhase),
}

/// Who decides about a machine now.
pub fn tenure(view: &TenureView<'_>) -> Tenure {
    match &view.run {
        Some(part) if !RUN.is_final(part.phase) => Tenure::Run(told(part)),
        Some(part) => Tenure::Protection(left_by(view, part).unwrap_or(view.phase)),
        None if untouched(view.phase) && found_moved(view) => {
            Tenure::Protection(MachinePhase::NotProtected)
        }
        None => Tenure::Protection(view.phase),
    }
}

/// Whether a run waits for a person, maybe for days: its machines say meanwhile what is seen of them.
pub fn rests(phase: RunPhase) -> bool {
    matches!(
        phase,
        RunPhase::CommitPending
            | RunPhase::Halted
            | RunPhase::AwaitingCompleteSync
            | RunPhase::Standing
    )
}

/// Whether nothing was made for a machine yet. The first look at it may come before its sites answered.
fn untouched(phase: MachinePhase) -> bool {
    matches!(phase, MachinePhase::Unprotected | MachinePhase::Enabling)
}

/// What is told of a machine in the middle of a run: what the run reached, not its every step.
fn told(part: &PartInRun<'_>) -> Option<MachinePhase> {
    use MachinePhase as P;
    let entered = part.journal.enter.state == StepState::Done;
    match (part.run.kind, part.phase) {
        // It may wait for an approval, and nothing replicates meanwhile.
        (RunKind::Reprotect, RunPhase::Pending) => None,
        (RunKind::Reprotect, _) => Some(P::Reprotecting),
        (_, RunPhase::CommitPending) if entered => Some(P::CommitPending),
        (_, RunPhase::CommitPending) => Some(P::Left),
        (_, RunPhase::Withdrawing | RunPhase::Returning) => Some(P::Returning),
        (_, RunPhase::AwaitingCompleteSync) => Some(P::AwaitingCompleteSync),
        (_, RunPhase::Synchronizing) => Some(P::SynchronizingBack),
        _ => None,
    }
}

/// What a run that came to its end left behind, where it changed something.
fn left_by(view: &TenureView<'_>, part: &PartInRun<'_>) -> Option<MachinePhase> {
    use MachinePhase as P;
    let told_by_run = in_run(view.phase);
    // A copy that a cancelled failback began goes on: the disk is inconsistent until it is complete (FB-5).
    let half_way = part.phase == RunPhase::Cancelled
        && part.run.synchronization.is_some()
        && matches!(view.phase, P::NotProtected | P::Inconsistent);
    match part.phase {
        RunPhase::Committed if part.journal.enter.state == StepState::Done => {
            let settled = matches!(view.phase, P::Disabling | P::Unprotected | P::Migrated);
            let migrated = view.purpose == Purpose::MigrationOnly
                && part.run.direction.target() == SiteRole::Secondary;
            (!settled).then_some(if migrated {
                P::Migrated
            } else {
                P::NotProtected
            })
        }
        RunPhase::Protected
            if (view.phase == P::NotProtected || told_by_run)
                && part.journal.reverse.state == StepState::Done =>
        {
            Some(P::Protected)
        }
        RunPhase::Cancelled | RunPhase::Committed if told_by_run || half_way => {
            Some(given_back(view, part.run))
        }
        _ => None,
    }
}

/// A phase that only a run tells.
fn in_run(phase: MachinePhase) -> bool {
    use MachinePhase as P;
    matches!(
        phase,
        P::CommitPending
            | P::Leaving
            | P::Left
            | P::Entering
            | P::Returning
            | P::Committing
            | P::SynchronizingBack
            | P::AwaitingCompleteSync
            | P::Reprotecting
    )
}

/// How a machine stands that did not move: by what replicates it, and by its disk at the other site.
fn given_back(view: &TenureView<'_>, run: &RecoveryRunSpec) -> MachinePhase {
    let active = view.active.unwrap_or(run.direction.source());
    let copies = run.synchronization.is_some();
    let replicates = view.link.seen().is_some_and(|link| {
        let flows = match link.state {
            LinkState::None => false,
            LinkState::Replicating => true,
            _ => !copies,
        };
        flows && link.towards == active.other()
    });
    let half_written =
        seen_at(view, run.direction.target()).is_some_and(|seen| seen.disk == Disk::HalfWritten);
    if half_written && copies {
        MachinePhase::Inconsistent
    } else if replicates {
        MachinePhase::Protected
    } else {
        MachinePhase::NotProtected
    }
}

/// Found as a run left it, with no run on record: it is adopted as it is, and nothing is done to what
/// stands at the other site (SA-5, SA-11).
fn found_moved(view: &TenureView<'_>) -> bool {
    let (Some(active), Some(link)) = (view.active, view.link.seen()) else {
        return false;
    };
    let touched = view
        .at
        .iter()
        .any(|at| at.seen().is_some_and(|seen| seen.epoch > 0));
    let backwards = link.state != LinkState::None && link.towards == active;
    let something_there =
        seen_at(view, active.other()).is_some_and(|other| other.power != Power::Absent);
    touched && (backwards || (link.state == LinkState::None && something_there))
}

fn seen_at<'a>(view: &TenureView<'a>, role: SiteRole) -> Option<&'a Instance> {
    match role {
        SiteRole::Primary => view.at[0].seen(),
        SiteRole::Secondary => view.at[1].seen(),
    }
}
