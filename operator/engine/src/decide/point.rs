//! Which recovery point a machine starts from, and what that loses (FO-4, PR-7).

use std::time::Duration;

use drover_api::common::{RecoveryPointChoice, RecoveryPointType};
use drover_api::{LeftProof, PointUsed, ReplicationPolicySpec};
use drover_world::Point;
use jiff::Timestamp;

use super::machine::elapsed;
use super::view::RunView;

/// What a start would lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// In time.
    pub time: Duration,
}

/// The recovery point that the machine at this position starts from, or nothing where none matches the
/// choice or the replicator does not answer.
pub fn chosen_point(view: &RunView<'_>, index: usize) -> Option<PointUsed> {
    let points = points(view, index)?;
    let chosen = match view.shape.consistency_of[index] {
        // Members of a consistency group are recovered to one and the same instant.
        Some(set) => {
            let at = common_instant(view, set, index)?;
            points.iter().find(|point| point.at == at)?
        }
        None => choose(choice(view), points)?,
    };
    Some(PointUsed {
        name: chosen.name.clone(),
        epoch: view.record.epoch,
        at: chosen.at,
        loss: Some(drover_api::value::Duration::from_std(
            loss_of(view, index, points, chosen.at).time,
        )),
    })
}

/// What starting the machine at this position would lose. Nothing is lost when it was stopped and its
/// last changes were sent.
pub(crate) fn loss(view: &RunView<'_>, index: usize) -> Option<Loss> {
    let points = points(view, index).unwrap_or_default();
    match chosen_point(view, index) {
        Some(point) => Some(loss_of(view, index, points, point.at)),
        None if synced(view, index) && takes_everything(choice(view)) => Some(Loss {
            time: Duration::ZERO,
        }),
        None => None,
    }
}

fn synced(view: &RunView<'_>, index: usize) -> bool {
    view.machines.machine(index).journal.left == Some(LeftProof::Synced)
}

fn takes_everything(choice: &RecoveryPointChoice) -> bool {
    choice.kind == RecoveryPointType::Latest
}

fn loss_of(view: &RunView<'_>, index: usize, points: &[Point], at: Timestamp) -> Loss {
    // The newest point of a machine whose last changes were sent holds them.
    if synced(view, index) && points.iter().all(|point| point.at <= at) {
        return Loss {
            time: Duration::ZERO,
        };
    }
    // Until it left, the machine may have written; after that it did not.
    let until = view
        .machines
        .machine(index)
        .journal
        .leave
        .at
        .unwrap_or(view.now);
    Loss {
        time: elapsed(at, until),
    }
}

fn choice<'a>(view: &RunView<'a>) -> &'a RecoveryPointChoice {
    view.record
        .recovery_point
        .as_ref()
        .unwrap_or(&view.shape.spec.recovery_point)
}

fn points<'a>(view: &RunView<'a>, index: usize) -> Option<&'a [Point]> {
    let link = view.machines.machine(index).sight.link.seen()?;
    Some(&link.points)
}

/// The instant that all members of a consistency group have a matching point of. Members that never
/// left the source do not count: they are not started.
fn common_instant(view: &RunView<'_>, set: usize, index: usize) -> Option<Timestamp> {
    let members: Vec<&[Point]> = view.shape.consistency[set]
        .iter()
        .filter(|member| {
            **member == index || view.machines.machine(**member).journal.left.is_some()
        })
        .map(|member| points(view, *member).unwrap_or_default())
        .collect();
    choose(choice(view), &shared(&members)).map(|point| point.at)
}

/// The points of the first whose instants all the others have points of, too.
pub(super) fn shared(members: &[&[Point]]) -> Vec<Point> {
    let Some((first, others)) = members.split_first() else {
        return Vec::new();
    };
    let mut shared = first.to_vec();
    for points in others {
        shared.retain(|point| points.iter().any(|other| other.at == point.at));
        if shared.is_empty() {
            break;
        }
    }
    shared
}

/// Until when the next application-consistent point must be there: its interval after the newest one, or after
/// the machine became protected, and as late as any point may be. Nothing where the policy asks for none.
pub fn app_consistency_due(
    points: &[Point],
    protected_since: Option<Timestamp>,
    policy: &ReplicationPolicySpec,
) -> Option<Timestamp> {
    let every = &policy.recovery_points.app_consistent_every;
    if every.is_zero() {
        return None;
    }
    let newest = points.iter().filter(|point| point.app_consistent);
    let since = newest.map(|point| point.at).max().or(protected_since)?;
    let patience = every.as_std().saturating_add(policy.rpo_threshold.as_std());
    since.checked_add(patience).ok()
}

fn choose<'a>(choice: &RecoveryPointChoice, points: &'a [Point]) -> Option<&'a Point> {
    let newest = |wanted: &dyn Fn(&Point) -> bool| {
        points
            .iter()
            .filter(|point| wanted(point))
            .max_by_key(|point| point.at)
    };
    match choice.kind {
        RecoveryPointType::Latest => newest(&|_| true),
        RecoveryPointType::LatestProcessed => newest(&|point| point.processed),
        RecoveryPointType::LatestAppConsistent => newest(&|point| point.app_consistent),
        RecoveryPointType::Time => {
            let time = choice.time?;
            newest(&|point| point.at <= time)
        }
        RecoveryPointType::Named => {
            let name = choice.name.as_deref()?;
            newest(&|point| point.name == name)
        }
    }
}
