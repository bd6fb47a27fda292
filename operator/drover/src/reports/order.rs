//! Whether the order between the groups of a run was kept, judged from its record alone.
//!
//! It looks at times that were written down, and shares nothing with what released the groups.

use drover_api::common::RunKind;
use drover_api::{ActionState, RecoveryRun};
use jiff::Timestamp;
use serde::Serialize;

use super::evidence::Group;
use super::moments::clock;

/// Whether the order was kept.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// In a word.
    pub verdict: Verdict,
    /// Where it was not.
    pub findings: Vec<String>,
}

/// Whether the order was kept, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It was, wherever one group waits for another.
    Kept,
    /// It was not.
    Broken,
    /// No two groups that wait for each other were released yet.
    NotTold,
}

/// Judges the starts at the target and, where the source is stopped in order, the stops there.
pub fn kept(run: &RecoveryRun, groups: &[Group]) -> Order {
    let mut findings = Vec::new();
    let mut judged = 0;
    for group in groups {
        let needed = groups
            .iter()
            .filter(|other| group.depends_on.contains(&other.name));
        for needed in needed {
            judged += usize::from(group.enter.released.is_some());
            findings.extend(started_too_early(group, needed));
            if run.spec.kind == RunKind::PlannedFailover {
                judged += usize::from(needed.leave.released.is_some());
                findings.extend(stopped_too_early(group, needed));
            }
        }
    }
    let verdict = match (judged, findings.is_empty()) {
        (_, false) => Verdict::Broken,
        (0, true) => Verdict::NotTold,
        (_, true) => Verdict::Kept,
    };
    Order { verdict, findings }
}

/// A group starts when those that it waits for are healthy, or have finally failed, and their
/// actions are done.
fn started_too_early(group: &Group, needed: &Group) -> Option<String> {
    let released = group.enter.released?;
    if let Some(finding) = before(released, needed.enter.done) {
        return Some(format!(
            "{} was released to start at {}, {finding} of {}",
            group.name,
            clock(released),
            needed.name
        ));
    }
    let unfinished = needed.actions.iter().find(|action| {
        action.around == "after"
            && matches!(action.state, ActionState::Pending | ActionState::Running)
    })?;
    Some(format!(
        "{} was released to start although {}/{} is not done",
        group.name, needed.name, unfinished.name
    ))
}

/// A group is released to stop after those that wait for it. That their machines were off by then is not
/// on record: the outcome of a machine comes later, when its last changes have arrived too.
fn stopped_too_early(group: &Group, needed: &Group) -> Option<String> {
    let released = needed.leave.released?;
    let early = group.leave.released.is_none_or(|other| released < other);
    early.then(|| {
        format!(
            "{} was released to stop at {}, before {} was",
            needed.name,
            clock(released),
            group.name
        )
    })
}

fn before(released: Timestamp, done: Option<Timestamp>) -> Option<String> {
    match done {
        None => Some("without an outcome of all machines".to_owned()),
        Some(done) if released < done => Some(format!("before {}, the last outcome", clock(done))),
        Some(_) => None,
    }
}
