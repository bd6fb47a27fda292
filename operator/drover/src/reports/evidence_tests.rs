#![cfg(test)]

use drover_api::StepState;

use super::*;
use crate::reports::fixtures::{self, Found, golden};
use crate::reports::{markdown, text};
use crate::text::Style;

fn report(found: &Found) -> Report {
    let now = "2026-11-20T17:00:00Z".parse().unwrap();
    Report::of(&found.run, &found.machines, Some(&found.plan))
        .with_decisions(&found.decisions)
        .at(now)
}

fn all() -> [(&'static str, Report); 3] {
    [
        ("planned", report(&fixtures::planned())),
        ("halted", report(&fixtures::halted())),
        ("unplanned", report(&fixtures::unplanned())),
    ]
}

#[test]
fn what_a_person_reads_at_a_terminal() {
    // SPEC: RD-5
    for (name, report) in all() {
        let shown = text::render(&report, Style::new(false, 80));
        // A digest is copied whole.
        let lines = shown.lines().filter(|line| !line.contains("sha256:"));
        let widest = lines.map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{name}: {widest:?}\n{shown}");
        golden(&format!("{name}.txt"), &shown);
    }
}

#[test]
fn what_an_issue_tracker_shows() {
    // SPEC: RD-5
    for (name, report) in all() {
        golden(&format!("{name}.md"), &markdown::render(&report));
    }
}

#[test]
fn what_a_program_reads() {
    // SPEC: RD-5
    for (name, report) in all() {
        let json = serde_json::to_string_pretty(&report).unwrap();
        // Not *.json: the folder is read as manifests by another test.
        golden(&format!("{name}-json.txt"), &(json + "\n"));
    }
}

#[test]
fn every_run_is_measured_against_its_objectives() {
    // SPEC: PL-11
    let planned = report(&fixtures::planned());
    assert_eq!((planned.rto.met, planned.rpo.met), (Some(true), Some(true)));
    // The loss of a run is that of its worst machine.
    let unplanned = report(&fixtures::unplanned());
    assert_eq!(unplanned.rpo.reached, Some(Duration::from_mins(13)));
    assert_eq!(
        (unplanned.rto.met, unplanned.rpo.met),
        (Some(true), Some(false))
    );
    // What is not reached is not judged.
    assert_eq!(report(&fixtures::halted()).rto.met, None);
}

#[test]
fn evidence_outlives_its_plan() {
    // SPEC: PL-12
    let found = fixtures::planned();
    let report = Report::of(&found.run, &found.machines, None);
    assert_eq!(report.result.verdict, Verdict::Succeeded);
    assert_eq!(report.rto.objective, None);
    assert_eq!(report.rto.reached, Some(Duration::from_millis(586_000)));
}

#[test]
fn an_order_that_was_not_kept_is_told() {
    let mut found = fixtures::planned();
    assert_eq!(report(&found).order.verdict, order::Verdict::Kept);
    let record = &mut found.run.status.as_mut().unwrap().record;
    record.groups[1].enter_released = Some("2026-11-20T14:04:00Z".parse().unwrap());
    record.groups[0].leave_released = Some("2026-11-20T13:59:59Z".parse().unwrap());
    let order = report(&found).order;
    assert_eq!(order.verdict, order::Verdict::Broken);
    assert_eq!(
        order.findings,
        [
            "web was released to start at 14:04:00, before 14:04:29, the last outcome of data",
            "data was released to stop at 13:59:59, before web was",
        ]
    );
}

#[test]
fn a_run_that_nobody_began_is_a_report_too() {
    let mut found = fixtures::planned();
    found.run.status = None;
    found.machines.clear();
    let report = report(&found);
    assert_eq!(report.result.verdict, Verdict::InProgress);
    assert_eq!(report.order.verdict, order::Verdict::NotTold);
    assert!(!text::render(&report, Style::new(false, 80)).is_empty());
}

#[test]
fn a_report_of_many_machines_fits_into_an_issue() {
    let mut found = fixtures::planned();
    let one = found.machines[0].clone();
    for number in 0..10_000 {
        let mut more = one.clone();
        more.spec.machine.name = format!("machine-{number}").parse().unwrap();
        more.status.as_mut().unwrap().enter.state = StepState::Failed;
        more.status.as_mut().unwrap().enter.error = Some("x|".repeat(500));
        found.machines.push(more);
    }
    let report = report(&found);
    assert!(markdown::render(&report).len() < 65_535);
    let shown = text::render(&report, Style::new(false, 80));
    assert!(shown.lines().count() < 400, "{}", shown.lines().count());
}

#[test]
fn text_of_people_is_no_markup() {
    let mut found = fixtures::halted();
    let halt = found
        .run
        .status
        .as_mut()
        .unwrap()
        .record
        .halt
        .as_mut()
        .unwrap();
    halt.reason = "<script>|@all".into();
    let shown = markdown::render(&report(&found));
    assert!(
        !shown.contains("<script>") && !shown.contains("@all"),
        "{shown}"
    );
}
