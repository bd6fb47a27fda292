//! What recorded runs tell of the next one.

use std::sync::Arc;

use drover_api::common::{Direction, SiteRole};
use drover_api::{EstimateSource, MachineRun, RecoveryRun};
use drover_world::{Estimates, MachineId};
use serde_json::{Value, json};

use super::fixture::two_tiers;
use crate::plan::{Intent, Records};

/// Seconds after ten o'clock.
fn at(seconds: u64) -> String {
    format!("2026-03-02T10:{:02}:{:02}Z", seconds / 60, seconds % 60)
}

/// A planned failover of two tiers that was committed: `web` leaves at once and `data` after ten seconds,
/// `data` enters after 40 seconds and `web` after 90.
fn run(number: u64, change: impl FnOnce(&mut Value)) -> RecoveryRun {
    let mut value = json!({
        "metadata": { "name": format!("shop-{number}"), "namespace": "shop" },
        "spec": {
            "planRef": { "name": "shop" },
            "number": number,
            "kind": "PlannedFailover",
            "direction": "ToSecondary",
            "sites": { "primary": "seoul", "secondary": "busan" },
            "epoch": number,
            "digest": "",
            "groups": [
                { "name": "data", "wave": 1, "machines": 2 },
                { "name": "web", "dependsOn": ["data"], "wave": 2, "machines": 1 },
            ],
            "machines": 3,
            "source": { "stop": "Required", "stopTimeout": "5m" },
            "recoveryPoint": { "type": "Latest" },
            "commit": { "policy": "Manual" },
            "limits": { "stops": 20, "starts": 1 },
        },
        "status": {
            "phase": "Committed",
            "groups": [
                { "leaveReleased": at(10), "enterReleased": at(40) },
                { "leaveReleased": at(0), "enterReleased": at(90) },
            ],
            "history": [
                { "phase": "Pending", "at": at(0) },
                { "phase": "Committed", "at": at(300) },
            ],
        },
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

fn machine(group: &str, name: &str, left: u64, entered: u64) -> Arc<MachineRun> {
    let value = json!({
        "metadata": { "name": name, "namespace": "shop" },
        "spec": {
            "run": "shop-1",
            "group": group,
            "machine": { "protectionGroup": group, "name": name },
        },
        "status": {
            "leave": { "state": "Done", "at": at(left) },
            "left": "Synced",
            "enter": { "state": "Done", "at": at(entered) },
        },
    });
    Arc::new(serde_json::from_value(value).unwrap())
}

/// The machines of a run in which each step took so many seconds longer than in another.
fn machines(longer: u64) -> Vec<Arc<MachineRun>> {
    vec![
        machine("data", "db-1", 22 + longer, 60 + longer),
        machine("data", "db-2", 30, 85 + longer),
        machine("web", "web-1", 14, 130),
    ]
}

fn of(name: &str) -> MachineId {
    MachineId {
        namespace: "shop".parse().unwrap(),
        group: if name == "web-1" { "web" } else { "data" }
            .parse()
            .unwrap(),
        name: name.parse().unwrap(),
    }
}

/// Stop, last changes and start, in seconds.
fn figures(records: &Records, direction: Direction, name: &str) -> Option<[u64; 3]> {
    let found: &Estimates = records.get(direction, &of(name))?;
    let all = [found.stop, found.final_sync, found.start];
    Some(all.map(|each| each.as_secs()))
}

#[test]
fn a_journal_tells_how_long_steps_took() {
    // SPEC: PL-5
    let run = run(1, |_| {});
    let records = Records::of([&run], |_| machines(0));
    let of = |name| figures(&records, Direction::ToSecondary, name);
    // `data` was released when `web-1` was off, and its last changes went on.
    assert_eq!(of("web-1"), Some([10, 4, 40]));
    assert_eq!(of("db-1"), Some([12, 0, 20]));
    // There is one place to start in: it began when the other was healthy.
    assert_eq!(of("db-2"), Some([20, 0, 25]));
    assert_eq!(figures(&records, Direction::ToPrimary, "db-1"), None);
}

#[test]
fn the_median_of_the_newest_runs_counts() {
    // SPEC: PL-5
    let runs: Vec<RecoveryRun> = (1..=7).map(|number| run(number, |_| {})).collect();
    let records = Records::of(&runs, |run| machines(run.spec.number));
    let stop = figures(&records, Direction::ToSecondary, "db-1").unwrap()[0];
    // Of the runs 3 to 7.
    assert_eq!(stop, 12 + 5);
}

#[test]
fn a_run_that_waited_for_people_tells_nothing() {
    // SPEC: PL-5
    let halted = run(1, |run| {
        let history = run["status"]["history"].as_array_mut().unwrap();
        history.insert(1, json!({ "phase": "Halted", "at": at(20) }));
    });
    let cancelled = run(2, |run| run["status"]["phase"] = json!("Cancelled"));
    let drill = run(3, |run| run["spec"]["kind"] = json!("TestFailover"));
    let records = Records::of([&halted, &cancelled, &drill], |_| machines(0));
    assert_eq!(records, Records::NONE);
}

#[test]
fn the_forecast_says_which_figures_are_measured() {
    // SPEC: PL-5
    let mut world = two_tiers(None, json!({}));
    let one = run(1, |_| {});
    let of_two = |_: &RecoveryRun| machines(0)[..2].to_vec();
    world.records = Records::of([&one], of_two);
    let forecast = world
        .plan(Intent::planned(SiteRole::Secondary))
        .forecast
        .rto;
    assert_eq!(forecast.source, Some(EstimateSource::Mixed));
    assert_eq!((forecast.recorded, forecast.fabric), (2, 1));
    world.records = Records::of([&one], |_| machines(0));
    let forecast = world
        .plan(Intent::planned(SiteRole::Secondary))
        .forecast
        .rto;
    assert_eq!(forecast.source, Some(EstimateSource::Recorded));
    // Stop web, stop data, start data beside each other, start web.
    assert_eq!(forecast.expected.value.as_secs(), 10 + 20 + 25 + 40);
}
