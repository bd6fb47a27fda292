//! Whether machines that moved are protected in the other direction: by itself, on a person's word, or on
//! a person's approval where nobody remembers the failover (FO-9, FB-1, SA-11).

use std::fmt;

use drover_api::RunPhase;
use drover_api::annotations::SUSPEND;
use drover_api::common::{Direction, RunKind, SiteRole};
use drover_world::{Link, LinkState};

/// What a decision about reprotecting is made from.
#[derive(Clone, Copy, Debug)]
pub struct ReprotectView<'a> {
    /// Where the machines should be.
    pub declared: Option<SiteRole>,
    /// The newest run of the plan that is no drill.
    pub newest: Option<NewestRun<'a>>,
    /// The one side at which all are that have no override.
    pub all_at: Option<SiteRole>,
    /// Machines that run and that nothing replicates.
    pub unprotected: usize,
    /// Those of them whose failover cannot be proven to be committed.
    pub uncommitted: usize,
    /// People that must approve a run of the plan.
    pub approvals: Option<u32>,
    /// Whether the plan is suspended.
    pub suspended: bool,
}

/// What counts of the newest run.
#[derive(Clone, Copy, Debug)]
pub struct NewestRun<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it does.
    pub kind: RunKind,
    /// From where to where.
    pub direction: Direction,
    /// Where it stands.
    pub phase: RunPhase,
    /// Whether a person decided Reprotect on it.
    pub asked: bool,
    /// Whether the pair and the failback policy have replication reverse by itself after it.
    pub by_itself: bool,
    /// Whether it was given up because a person said so.
    pub refused: bool,
}

/// What follows for the replication of machines that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reprotect {
    /// Nothing: they are protected, or a run has them.
    Nothing,
    /// A run that reverses replication is due.
    Begin {
        /// The side that data flows to from then on.
        towards: SiteRole,
        /// People that must approve it before it does anything.
        approvals: Option<u32>,
        /// Whether it first commits failovers that are not proven to be committed.
        commits: bool,
    },
    /// A person decides it, on this run.
    Awaits {
        /// The committed run.
        run: String,
    },
    /// It is wanted and does not begin.
    Held(ReprotectHeld),
}

/// Why a reprotect does not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReprotectHeld {
    /// A person cancelled the run that would have done it, or was doing it.
    Refused {
        /// That run.
        run: String,
    },
    /// It is due, and the plan is suspended.
    Suspended,
}

/// What follows for the replication of machines that moved.
///
/// Where no run is on record the store was lost. What is found is adopted and nothing starts (SA-11); the
/// run that would protect it is compiled all the same, and waits for a person: it shows what would be
/// written over, and is what an approval is bound to (SA-5, PL-10). Where nothing proves that the failover
/// was committed, that approval is the commit, too.
pub fn reprotect(view: &ReprotectView<'_>) -> Reprotect {
    match due(view) {
        Reprotect::Begin { .. } if view.suspended => Reprotect::Held(ReprotectHeld::Suspended),
        other => other,
    }
}

fn due(view: &ReprotectView<'_>) -> Reprotect {
    let Some(newest) = view.newest else {
        return adopted(view);
    };
    let moved = matches!(
        newest.kind,
        RunKind::PlannedFailover | RunKind::UnplannedFailover
    );
    match (newest.kind, newest.phase) {
        (_, RunPhase::Committed) if moved => committed(view, &newest),
        (RunKind::Reprotect, RunPhase::Cancelled) if newest.asked => asked_again(view),
        (RunKind::Reprotect, RunPhase::Cancelled) if newest.refused && view.unprotected > 0 => {
            Reprotect::Held(ReprotectHeld::Refused {
                run: newest.name.to_owned(),
            })
        }
        // It was withdrawn with the wish for it, and may be wished for again.
        (RunKind::Reprotect, RunPhase::Cancelled) => adopted(view),
        _ => Reprotect::Nothing,
    }
}

fn committed(view: &ReprotectView<'_>, newest: &NewestRun<'_>) -> Reprotect {
    // Also where the declaration wants them back by now: a planned way back needs the replication.
    let here = newest.direction.target();
    if newest.asked || newest.by_itself {
        return Reprotect::Begin {
            towards: here.other(),
            approvals: None,
            commits: false,
        };
    }
    if view.unprotected == 0 {
        return Reprotect::Nothing;
    }
    Reprotect::Awaits {
        run: newest.name.to_owned(),
    }
}

/// Nobody remembers the failover.
fn adopted(view: &ReprotectView<'_>) -> Reprotect {
    let (Some(here), true) = (view.all_at, view.unprotected > 0) else {
        return Reprotect::Nothing;
    };
    // Where they should be elsewhere, that is what a person is asked about first.
    if view.declared != Some(here) {
        return Reprotect::Nothing;
    }
    Reprotect::Begin {
        towards: here.other(),
        approvals: Some(view.approvals.unwrap_or(1)),
        commits: view.uncommitted > 0,
    }
}

/// A person wants what a person cancelled. Only what is irreversible is asked about once more.
fn asked_again(view: &ReprotectView<'_>) -> Reprotect {
    match adopted(view) {
        Reprotect::Begin {
            towards,
            commits: false,
            ..
        } => Reprotect::Begin {
            towards,
            approvals: None,
            commits: false,
        },
        other => other,
    }
}

/// Whether the replicator proves that the last failover of a machine to this side was committed: it has
/// the commit on record and nothing newer, and sends nothing away from there. Only then may anything be
/// written to the side that was left (FO-6).
pub fn proven_committed(link: Option<&Link>, at: SiteRole, highest_epoch: u64) -> bool {
    link.is_some_and(|link| {
        let unprotected = link.state == LinkState::None || link.towards == at;
        unprotected && link.committed.is_some_and(|epoch| epoch >= highest_epoch)
    })
}

impl fmt::Display for ReprotectHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { run } => write!(
                f,
                "nothing replicates: a person cancelled run {run}, and decides Reprotect on it where that \
                 is to go on"
            ),
            Self::Suspended => write!(
                f,
                "suspended: nothing replicates until the annotation {SUSPEND} is taken away"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(kind: RunKind, phase: RunPhase) -> NewestRun<'static> {
        NewestRun {
            name: "shop-1",
            kind,
            direction: Direction::ToSecondary,
            phase,
            asked: false,
            by_itself: false,
            refused: false,
        }
    }

    /// Three machines at the secondary site, where they should be, and nothing replicates.
    fn view(newest: Option<NewestRun<'static>>) -> ReprotectView<'static> {
        ReprotectView {
            declared: Some(SiteRole::Secondary),
            newest,
            all_at: Some(SiteRole::Secondary),
            unprotected: 3,
            uncommitted: 0,
            approvals: None,
            suspended: false,
        }
    }

    const HOME: SiteRole = SiteRole::Primary;

    fn begin(approvals: Option<u32>) -> Reprotect {
        let towards = HOME;
        Reprotect::Begin {
            towards,
            approvals,
            commits: false,
        }
    }

    #[test]
    fn after_a_commit_it_begins_by_itself_or_awaits_a_word() {
        // SPEC: FO-9, FB-0
        let mut run = newest(RunKind::PlannedFailover, RunPhase::Committed);
        let awaits = Reprotect::Awaits {
            run: "shop-1".into(),
        };
        assert_eq!(reprotect(&view(Some(run))), awaits);
        run.asked = true;
        assert_eq!(reprotect(&view(Some(run))), begin(None));
        run.asked = false;
        run.by_itself = true;
        assert_eq!(reprotect(&view(Some(run))), begin(None));
        // Nothing is replicated backwards before the commit.
        let run = newest(RunKind::PlannedFailover, RunPhase::CommitPending);
        assert_eq!(reprotect(&view(Some(run))), Reprotect::Nothing);
    }

    #[test]
    fn what_was_adopted_waits_for_an_approval() {
        // SPEC: SA-11, SA-5, PL-10
        assert_eq!(reprotect(&view(None)), begin(Some(1)));
        let mut two = view(None);
        two.approvals = Some(2);
        assert_eq!(reprotect(&two), begin(Some(2)));
        let mut protected = view(None);
        protected.unprotected = 0;
        assert_eq!(reprotect(&protected), Reprotect::Nothing);
        let mut elsewhere = view(None);
        elsewhere.declared = Some(HOME);
        assert_eq!(reprotect(&elsewhere), Reprotect::Nothing);
    }

    #[test]
    fn approving_commits_a_failover_that_may_not_be_committed() {
        // SPEC: FO-6, SA-5, SA-6
        let mut view = view(None);
        view.uncommitted = 1;
        let begin = |commits| Reprotect::Begin {
            towards: HOME,
            approvals: Some(1),
            commits,
        };
        assert_eq!(reprotect(&view), begin(true));
        // Also where a person asks for it once more.
        let mut run = newest(RunKind::Reprotect, RunPhase::Cancelled);
        run.asked = true;
        view.newest = Some(run);
        assert_eq!(reprotect(&view), begin(true));
    }

    #[test]
    fn what_a_person_cancelled_begins_when_a_person_says_so() {
        // SPEC: SA-10, PL-10
        let mut run = newest(RunKind::Reprotect, RunPhase::Cancelled);
        // It was withdrawn with the wish for it.
        assert_eq!(reprotect(&view(Some(run))), begin(Some(1)));
        run.refused = true;
        let held = ReprotectHeld::Refused {
            run: "shop-1".into(),
        };
        assert_eq!(reprotect(&view(Some(run))), Reprotect::Held(held));
        run.asked = true;
        assert_eq!(reprotect(&view(Some(run))), begin(None));
    }

    #[test]
    fn nothing_is_reversed_while_the_plan_is_suspended() {
        // SPEC: KU-2, FO-9
        let mut run = newest(RunKind::PlannedFailover, RunPhase::Committed);
        run.by_itself = true;
        let mut view = view(Some(run));
        view.suspended = true;
        let held = Reprotect::Held(ReprotectHeld::Suspended);
        assert_eq!(reprotect(&view), held);
        // What a person is asked anyway is asked all the same.
        view.newest.as_mut().unwrap().by_itself = false;
        assert!(matches!(reprotect(&view), Reprotect::Awaits { .. }));
        view.newest.as_mut().unwrap().asked = true;
        assert_eq!(reprotect(&view), held);
    }

    #[test]
    fn a_commit_is_proven_by_the_replicator() {
        // SPEC: FO-6, SA-11
        let link = |state, towards, committed| Link {
            committed,
            epoch: 4,
            ..Link::new(towards, state)
        };
        let away = SiteRole::Secondary;
        let proven = |link: &Link| proven_committed(Some(link), away, 4);
        assert!(proven(&link(LinkState::None, away, Some(4))));
        assert!(proven(&link(LinkState::Paused, away, Some(5))));
        // A movement of machines came after it, or it replicates as it should.
        assert!(!proven(&link(LinkState::Paused, away, Some(3))));
        assert!(!proven(&link(LinkState::Paused, away, None)));
        assert!(!proven(&link(LinkState::Replicating, HOME, Some(4))));
        assert!(!proven_committed(None, away, 4));
    }
}
