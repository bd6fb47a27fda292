//! The states of a machine under protection.

use drover_api::MachinePhase as P;

use super::{Table, Transition};
use crate::invariant::Invariant as I;

/// What happens to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MachineEvent {
    /// A group claims it.
    Claimed,
    /// Prerequisites hold and the relationship is there.
    Related,
    /// The first full copy is complete and merged.
    Seeded,
    /// Network and target settings are applied.
    Finalized,
    /// Change tracking cannot be trusted, or has grown too large (PR-4).
    TrackingLost,
    /// The resync window opened, or a person asked for it.
    ResyncBegun,
    /// Both sides are equal again.
    ResyncDone,
    /// A failback copies data into the old disk while the machine runs.
    SyncBackBegun,
    /// That is done, and a person must say *complete*.
    SyncBackHeld,
    /// It was cut off or cancelled: the old disk is half-written (FB-5).
    SyncBackCutOff,
    /// It goes on.
    SyncBackResumed,
    /// A run asks it to leave the source.
    LeaveBegun,
    /// It does not serve at the source any more: proven.
    LeaveProven,
    /// A run asks it to start at the target.
    EnterBegun,
    /// It is healthy at the target.
    Entered,
    /// Another recovery point was chosen.
    PointChanged,
    /// The run was cancelled.
    CancelBegun,
    /// It runs at the source again and replicates as before.
    Returned,
    /// It runs at the source again, where nothing protected it before either.
    ReturnedUnprotected,
    /// The run was committed.
    CommitBegun,
    /// It is final at the target.
    CommitDone,
    /// It is final at the target, and that was a one-way move (PR-9).
    MigrationDone,
    /// A reprotect began (FB-1).
    ReverseBegun,
    /// It is protected in the other direction.
    ReverseDone,
    /// Its group lets go of it.
    Released,
    /// Nothing of its protection is left.
    Unrelated,
    /// Something failed that a person must mend.
    Failed,
    /// It was mended: what is there is looked at anew.
    Mended,
}

use MachineEvent as E;

const fn row(
    from: &'static [P],
    on: MachineEvent,
    to: P,
    guards: &'static [I],
) -> Transition<P, MachineEvent> {
    Transition {
        from,
        on,
        to,
        guards,
    }
}

/// The states of a machine under protection.
pub const MACHINE: Table<P, MachineEvent> = Table {
    initial: P::Unprotected,
    rows: &[
        // Protect (PR-1, PR-2, PR-4).
        row(&[P::Unprotected], E::Claimed, P::Enabling, &[]),
        row(&[P::Enabling], E::Related, P::InitialReplication, &[]),
        row(
            &[P::InitialReplication],
            E::Seeded,
            P::Finalizing,
            &[I::WholeDisk],
        ),
        row(&[P::Finalizing], E::Finalized, P::Protected, &[]),
        row(
            &[
                P::Protected,
                P::InitialReplication,
                P::Finalizing,
                P::Reprotecting,
            ],
            E::TrackingLost,
            P::ResyncRequired,
            &[],
        ),
        row(
            &[P::ResyncRequired],
            E::ResyncBegun,
            P::Resynchronizing,
            &[I::WholeDisk],
        ),
        row(
            &[P::Resynchronizing],
            E::ResyncDone,
            P::Protected,
            &[I::WholeDisk],
        ),
        // Synchronise inside a failback (FB-3, FB-5).
        row(
            &[P::Protected, P::NotProtected],
            E::SyncBackBegun,
            P::SynchronizingBack,
            &[I::WholeDisk],
        ),
        row(
            &[P::SynchronizingBack],
            E::SyncBackHeld,
            P::AwaitingCompleteSync,
            &[],
        ),
        row(
            &[P::SynchronizingBack, P::AwaitingCompleteSync],
            E::SyncBackCutOff,
            P::Inconsistent,
            &[I::WholeDisk],
        ),
        row(
            &[P::Inconsistent],
            E::SyncBackResumed,
            P::SynchronizingBack,
            &[I::WholeDisk],
        ),
        // Fail over and fail back (FO-2, FO-3). An unplanned one takes a machine as it is.
        row(
            &[
                P::Protected,
                P::NotProtected,
                P::SynchronizingBack,
                P::AwaitingCompleteSync,
                P::ResyncRequired,
                P::Resynchronizing,
            ],
            E::LeaveBegun,
            P::Leaving,
            &[I::OrderKept],
        ),
        row(&[P::Leaving], E::LeaveProven, P::Left, &[I::ZeroLoss]),
        row(
            &[P::Left],
            E::EnterBegun,
            P::Entering,
            &[I::SingleActive, I::WholeDisk, I::OrderKept],
        ),
        row(&[P::Entering], E::Entered, P::CommitPending, &[]),
        row(
            &[P::CommitPending],
            E::PointChanged,
            P::Left,
            &[I::PointsKept],
        ),
        row(
            &[P::Leaving, P::Left, P::Entering, P::CommitPending],
            E::CancelBegun,
            P::Returning,
            &[I::SingleActive],
        ),
        row(
            &[P::Returning],
            E::Returned,
            P::Protected,
            &[I::SingleActive, I::OrderKept],
        ),
        row(
            &[P::Returning],
            E::ReturnedUnprotected,
            P::NotProtected,
            &[I::SingleActive],
        ),
        row(
            &[P::CommitPending],
            E::CommitBegun,
            P::Committing,
            &[I::PointsKept],
        ),
        row(
            &[P::Committing],
            E::CommitDone,
            P::NotProtected,
            &[I::NothingBackwards],
        ),
        row(
            &[P::Committing],
            E::MigrationDone,
            P::Migrated,
            &[I::NothingBackwards],
        ),
        // Reprotect (FB-1).
        row(
            &[P::NotProtected],
            E::ReverseBegun,
            P::Reprotecting,
            &[I::NothingBackwards, I::SingleActive],
        ),
        row(
            &[P::Reprotecting],
            E::ReverseDone,
            P::Protected,
            &[I::WholeDisk],
        ),
        // Let go (PR-12): never in the middle of a run.
        row(
            &[
                P::Enabling,
                P::InitialReplication,
                P::Finalizing,
                P::Protected,
                P::ResyncRequired,
                P::Resynchronizing,
                P::NotProtected,
                P::Migrated,
                P::Failed,
            ],
            E::Released,
            P::Disabling,
            &[I::PointsKept],
        ),
        row(&[P::Disabling], E::Unrelated, P::Unprotected, &[]),
        // Errors that retrying does not mend (PR-5).
        row(
            &[
                P::Enabling,
                P::InitialReplication,
                P::Finalizing,
                P::Protected,
                P::ResyncRequired,
                P::Resynchronizing,
                P::Reprotecting,
                P::Disabling,
            ],
            E::Failed,
            P::Failed,
            &[],
        ),
        row(&[P::Failed], E::Mended, P::Enabling, &[]),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_written_disk_leads_nowhere_but_to_its_synchronisation() {
        // SPEC: FB-5
        let out: Vec<_> = MACHINE
            .rows
            .iter()
            .filter(|row| row.from.contains(&P::Inconsistent))
            .collect();
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].to, P::SynchronizingBack);
    }

    #[test]
    fn replication_reverses_only_after_a_commit() {
        // SPEC: FO-6
        let from: Vec<_> = MACHINE
            .rows
            .iter()
            .filter(|row| row.to == P::Reprotecting)
            .flat_map(|row| row.from)
            .collect();
        assert_eq!(from, [&P::NotProtected]);
        assert_eq!(
            MACHINE.next(P::Committing, E::CommitDone),
            Some(P::NotProtected)
        );
    }

    #[test]
    fn a_move_for_good_does_not_come_back() {
        // SPEC: PR-9
        let out: Vec<_> = MACHINE
            .rows
            .iter()
            .filter(|row| row.from.contains(&P::Migrated))
            .collect();
        assert!(out.iter().all(|row| row.to == P::Disabling));
    }
}
