//! What came out of drills, by the runs that carried them out.
//!
//! Guards, the status of plans and reports ask the same functions, so that what a report shows is what
//! holds a run back.

use drover_api::common::RunKind;
use drover_api::value::Duration;
use drover_api::{ActionState, DrillResult, RecoveryRun, RunPhase};
use jiff::Timestamp;

use crate::lifecycle::RUN;

/// A drill that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GreenDrill<'a> {
    /// The run that carried it out.
    pub run: &'a RecoveryRun,
    /// When all stood.
    pub at: Timestamp,
}

/// What came out of a drill; nothing while that is not known, and for runs that are none.
pub fn drill_result(run: &RecoveryRun) -> Option<DrillResult> {
    if run.spec.kind != RunKind::TestFailover {
        return None;
    }
    if stood_at(run).is_none() {
        return RUN.is_final(run.phase()).then_some(DrillResult::Abandoned);
    }
    let status = run.status.as_ref()?;
    let groups = status.record.groups.iter();
    let mut actions = groups.flat_map(|group| group.before.iter().chain(&group.after));
    let failed = actions.any(|action| action.state == ActionState::Failed);
    // Failures no longer count when it is cleaned up; that a machine was healthy does.
    let stood = status.machines.healthy >= run.spec.machines;
    Some(if stood && !failed {
        DrillResult::Passed
    } else {
        DrillResult::Failed
    })
}

/// The last green drill among the runs of a plan.
pub fn last_green_drill<'a>(
    runs: impl IntoIterator<Item = &'a RecoveryRun>,
) -> Option<GreenDrill<'a>> {
    runs.into_iter()
        .filter(|run| drill_result(run) == Some(DrillResult::Passed))
        .filter_map(|run| {
            let at = stood_at(run)?;
            Some(GreenDrill { run, at })
        })
        .max_by_key(|green| green.at)
}

/// Whether a green drill is young enough for the guard `drillNotOlderThan`.
pub fn is_young_enough(drill: Timestamp, not_older_than: &Duration, now: Timestamp) -> bool {
    let until = drill.checked_add(not_older_than.as_std());
    until.unwrap_or(Timestamp::MAX) >= now
}

fn stood_at(run: &RecoveryRun) -> Option<Timestamp> {
    let history = run.status.as_ref()?.history.iter();
    let entry = history
        .rev()
        .find(|entry| entry.phase == RunPhase::Standing)?;
    Some(entry.at)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(kind: &str, status: &Value) -> RecoveryRun {
        let run = json!({
            "apiVersion": "drover.dev/v1alpha1", "kind": "RecoveryRun",
            "metadata": { "name": "shop-1", "namespace": "shop" },
            "spec": {
                "planRef": { "name": "shop" }, "number": 1, "kind": kind, "direction": "ToSecondary",
                "sites": { "primary": "seoul", "secondary": "busan" }, "epoch": 1,
                "digest": format!("sha256:{}", "0".repeat(64)), "machines": 2,
                "groups": [{ "name": "data", "wave": 1, "machines": 2 }],
                "source": { "stop": "Skip", "stopTimeout": "5m" },
                "recoveryPoint": { "type": "LatestProcessed" }, "commit": { "policy": "Manual" },
                "limits": { "stops": 1, "starts": 1 },
            },
            "status": status,
        });
        serde_json::from_value(run).unwrap()
    }

    fn stood(phase: &str, at: &str, healthy: u32, action: &str) -> RecoveryRun {
        let status = json!({
            "phase": phase,
            "groups": [{ "after": [{ "state": action }] }],
            "machines": { "left": 0, "healthy": healthy, "failed": 0 },
            "history": [{ "phase": "Pending", "at": "2026-11-01T03:00:00Z" },
                        { "phase": "Standing", "at": at },
                        { "phase": "CleaningUp", "at": "2026-11-09T00:00:00Z" }],
        });
        run("TestFailover", &status)
    }

    #[test]
    fn a_drill_passed_when_all_stood_and_all_checks_passed() {
        // SPEC: FO-1
        let at = "2026-11-01T03:20:00Z";
        let result = |phase, healthy, action| drill_result(&stood(phase, at, healthy, action));
        assert_eq!(
            result("Standing", 2, "Succeeded"),
            Some(DrillResult::Passed)
        );
        assert_eq!(result("Standing", 2, "Failed"), Some(DrillResult::Failed));
        // Cleaning it up makes no green drill of one that failed.
        assert_eq!(
            result("CleanedUp", 1, "Succeeded"),
            Some(DrillResult::Failed)
        );
    }

    #[test]
    fn a_drill_that_never_stood_was_abandoned() {
        // SPEC: FO-1
        let entering = json!({ "phase": "Entering" });
        assert_eq!(drill_result(&run("TestFailover", &entering)), None);
        let gone = json!({ "phase": "CleanedUp" });
        assert_eq!(
            drill_result(&run("TestFailover", &gone)),
            Some(DrillResult::Abandoned)
        );
        assert_eq!(drill_result(&run("PlannedFailover", &gone)), None);
    }

    #[test]
    fn the_last_green_drill_is_the_youngest_that_passed() {
        // SPEC: RD-1
        let early = stood("CleanedUp", "2026-10-01T03:20:00Z", 2, "Succeeded");
        let late = stood("CleanedUp", "2026-11-01T03:20:00Z", 2, "Succeeded");
        let failed = stood("CleanedUp", "2026-11-02T03:20:00Z", 1, "Succeeded");
        let green = last_green_drill([&late, &early, &failed]).unwrap();
        assert_eq!(green.at, "2026-11-01T03:20:00Z".parse().unwrap());
        assert_eq!(last_green_drill([&failed]), None);
    }

    #[test]
    fn a_drill_is_young_enough_to_the_very_instant() {
        // SPEC: RD-1
        let drill: Timestamp = "2026-10-01T00:00:00Z".parse().unwrap();
        let limit = "1d".parse().unwrap();
        let at = |now: &str| is_young_enough(drill, &limit, now.parse().unwrap());
        assert!(at("2026-10-02T00:00:00Z"));
        assert!(!at("2026-10-02T00:00:01Z"));
    }
}
