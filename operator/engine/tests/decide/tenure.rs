//! Who has a machine in hand, and what a run leaves of it.

use drover_api::common::{RunKind, SiteRole};
use drover_api::{
    BetweenPhases, DataSync, MachinePhase as P, MachineRunStatus, Purpose, RecoveryRunSpec,
    RunPhase, StepState, Synchronization,
};
use drover_engine::decide::{PartInRun, Tenure, TenureView, tenure};
use drover_world::{Disk, Instance, Link, LinkState, Observed, Power};

use crate::bench::{seen, spec, unknown};

/// A machine that was moved to the secondary site, off at the one it left.
struct Moved {
    phase: P,
    purpose: Purpose,
    at: [Observed<Instance>; 2],
    link: Observed<Link>,
    run: RecoveryRunSpec,
    journal: MachineRunStatus,
}

fn link(state: LinkState, towards: SiteRole) -> Observed<Link> {
    seen(Link {
        finalized: true,
        epoch: 2,
        ..Link::new(towards, state)
    })
}

fn moved(phase: P, kind: RunKind) -> Moved {
    let instance = |power| Instance {
        power,
        disk: Disk::Whole,
        epoch: 2,
        ..Instance::ABSENT
    };
    let mut journal = MachineRunStatus::default();
    journal.enter.state = StepState::Done;
    Moved {
        phase,
        purpose: Purpose::DisasterRecovery,
        at: [seen(instance(Power::Off)), seen(instance(Power::Healthy))],
        link: link(LinkState::None, SiteRole::Secondary),
        run: spec(kind, &[1]),
        journal,
    }
}

impl Moved {
    fn view(&self) -> TenureView<'_> {
        TenureView {
            phase: self.phase,
            purpose: self.purpose,
            active: Some(SiteRole::Secondary),
            at: [&self.at[0], &self.at[1]],
            link: &self.link,
            run: None,
        }
    }

    fn after(&self, phase: RunPhase) -> Tenure {
        let part = PartInRun {
            run: &self.run,
            phase,
            journal: &self.journal,
        };
        tenure(&TenureView {
            run: Some(part),
            ..self.view()
        })
    }
}

use Tenure::{Protection, Run};

#[test]
fn a_run_that_goes_on_tells_what_it_reached() {
    // SPEC: KU-1, FO-6, FB-3
    let entered = moved(P::Protected, RunKind::PlannedFailover);
    assert_eq!(entered.after(RunPhase::Leaving), Run(None));
    assert_eq!(
        entered.after(RunPhase::CommitPending),
        Run(Some(P::CommitPending))
    );
    assert_eq!(entered.after(RunPhase::Returning), Run(Some(P::Returning)));
    let mut left = moved(P::Protected, RunKind::PlannedFailover);
    left.journal.enter.state = StepState::Pending;
    assert_eq!(left.after(RunPhase::CommitPending), Run(Some(P::Left)));
    // While a reprotect waits for an approval nothing replicates yet.
    let reverses = moved(P::NotProtected, RunKind::Reprotect);
    assert_eq!(reverses.after(RunPhase::Pending), Run(None));
    assert_eq!(
        reverses.after(RunPhase::Reprotecting),
        Run(Some(P::Reprotecting))
    );
}

#[test]
fn a_committed_run_leaves_what_moved_not_protected() {
    // SPEC: FO-6, FO-9, PR-9
    let mut case = moved(P::CommitPending, RunKind::PlannedFailover);
    assert_eq!(case.after(RunPhase::Committed), Protection(P::NotProtected));
    case.purpose = Purpose::MigrationOnly;
    assert_eq!(case.after(RunPhase::Committed), Protection(P::Migrated));
    // What its group let go of since then stays so.
    case.phase = P::Disabling;
    assert_eq!(case.after(RunPhase::Committed), Protection(P::Disabling));
}

#[test]
fn a_machine_that_did_not_move_is_as_its_link_says() {
    // SPEC: SA-10
    let mut case = moved(P::Returning, RunKind::PlannedFailover);
    case.link = link(LinkState::Replicating, SiteRole::Primary);
    assert_eq!(case.after(RunPhase::Cancelled), Protection(P::Protected));
    case.link = unknown();
    assert_eq!(case.after(RunPhase::Cancelled), Protection(P::NotProtected));
    // A phase that no run told is not touched by the end of one.
    case.phase = P::Failed;
    assert_eq!(case.after(RunPhase::Cancelled), Protection(P::Failed));
}

#[test]
fn a_reprotect_protects_what_it_reversed_and_nothing_else() {
    // SPEC: FB-1
    let mut case = moved(P::Reprotecting, RunKind::Reprotect);
    case.journal.reverse.state = StepState::Done;
    assert_eq!(case.after(RunPhase::Protected), Protection(P::Protected));
    // Cancelled before anything flowed.
    case.journal.reverse.state = StepState::Pending;
    assert_eq!(case.after(RunPhase::Cancelled), Protection(P::NotProtected));
}

#[test]
fn a_cancelled_synchronisation_leaves_a_disk_that_must_not_boot() {
    // SPEC: FB-5
    let mut case = moved(P::SynchronizingBack, RunKind::PlannedFailover);
    case.run.synchronization = Some(Synchronization {
        data_sync: DataSync::default(),
        between_phases: BetweenPhases::default(),
    });
    let mut half = Instance::ABSENT;
    half.disk = Disk::HalfWritten;
    case.at[1] = seen(half);
    assert_eq!(case.after(RunPhase::Cancelled), Protection(P::Inconsistent));
    // It is told also of a machine that was not protected when the copy began.
    case.phase = P::NotProtected;
    assert_eq!(case.after(RunPhase::Cancelled), Protection(P::Inconsistent));
}

#[test]
fn what_nobody_remembers_is_adopted_as_it_is_found() {
    // SPEC: SA-5, SA-11
    let mut case = moved(P::Enabling, RunKind::PlannedFailover);
    assert_eq!(tenure(&case.view()), Protection(P::NotProtected));
    // Nothing is concluded while the replicator does not answer.
    case.link = unknown();
    assert_eq!(tenure(&case.view()), Protection(P::Enabling));
    // A machine that no run ever touched is protected as any other.
    case = moved(P::Enabling, RunKind::PlannedFailover);
    for at in &mut case.at {
        let Observed::Seen { value, .. } = at else {
            unreachable!()
        };
        value.epoch = 0;
    }
    assert_eq!(tenure(&case.view()), Protection(P::Enabling));
}
