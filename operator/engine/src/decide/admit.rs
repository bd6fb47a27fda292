//! Which machines of a run may act now: the limits of the plan and of its sites (PL-2, PR-2).

use drover_api::common::SiteRole;
use drover_api::{RunPhase, StepState};

use super::view::{RunView, SiteUse};

/// Who may act now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// By position.
    pub machines: Vec<usize>,
    /// What is used of a site meanwhile, and how many places of it: what other runs do not have.
    pub holds: Option<(SiteRole, SiteUse, usize)>,
    /// Whether a machine would act if there were more places at the site.
    pub short: bool,
}

/// The machines that may act now. A machine takes a place from its release until its outcome; the places
/// go to the first machines in the order of the run, so that every process computes the same.
pub fn admitted(view: &RunView<'_>) -> Admitted {
    let phase = view.record.phase;
    let used = used(view);
    let mut room = used.map_or(usize::MAX, |(site, site_use)| {
        let of_run = match site_use {
            SiteUse::Stop => view.shape.spec.limits.stops,
            SiteUse::Start => view.shape.spec.limits.starts,
            SiteUse::Copy => u32::MAX,
        };
        let room = view.room.at(site).of(site_use).min(of_run);
        usize::try_from(room).unwrap_or(usize::MAX)
    });
    let copies = used.is_some_and(|(_, site_use)| site_use == SiteUse::Copy);
    let mut admitted = Admitted::default();
    let mut held = 0;
    for (index, standing) in view.standings.iter().enumerate() {
        let state = standing.in_phase(phase);
        if state != Some(StepState::Pending) {
            // It holds no place, and may still have to hold a stale copy down.
            let watches = matches!(phase, RunPhase::Entering | RunPhase::CommitPending);
            if watches && standing.stale_copy {
                admitted.machines.push(index);
            }
            continue;
        }
        if !released(view, index) {
            continue;
        }
        // What only goes on from what is there needs no place for a copy.
        let takes = used.is_some() && (!copies || standing.full_copy);
        if takes && room == 0 {
            admitted.short = true;
            continue;
        }
        if takes {
            room -= 1;
            held += 1;
        }
        admitted.machines.push(index);
    }
    admitted.holds = used.map(|(site, site_use)| (site, site_use, held));
    admitted
}

/// Of which site a phase uses what.
fn used(view: &RunView<'_>) -> Option<(SiteRole, SiteUse)> {
    let (source, target) = (view.shape.source(), view.shape.target());
    match view.record.phase {
        RunPhase::Leaving => Some((source, SiteUse::Stop)),
        RunPhase::Rebuilding | RunPhase::Withdrawing => Some((target, SiteUse::Stop)),
        RunPhase::Entering => Some((target, SiteUse::Start)),
        RunPhase::Returning => Some((source, SiteUse::Start)),
        // A limit of copies is one of the site that they come from.
        RunPhase::Synchronizing | RunPhase::Reprotecting => Some((source, SiteUse::Copy)),
        _ => None,
    }
}

fn released(view: &RunView<'_>, index: usize) -> bool {
    let Some(group) = view.record.groups.get(view.shape.group_of[index]) else {
        return false;
    };
    match view.record.phase {
        RunPhase::Leaving => group.leave_released.is_some(),
        RunPhase::Entering => group.enter_released.is_some(),
        RunPhase::Rebuilding | RunPhase::Withdrawing => group.withdraw_released.is_some(),
        RunPhase::Returning => group.return_released.is_some(),
        _ => true,
    }
}
