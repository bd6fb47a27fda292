#![cfg(test)]

use drover_api::{DecisionAction, StepState};

use super::*;
use crate::reports::fixtures::{self, Found, golden};
use crate::text::Style;

fn report(found: &Found) -> Report {
    let now = "2026-11-20T17:00:00Z".parse().unwrap();
    Report::of(&found.run, &found.machines).at(now)
}

fn all() -> [(&'static str, Report); 4] {
    [
        ("planned", report(&fixtures::planned())),
        ("halted", report(&fixtures::halted())),
        ("unplanned", report(&fixtures::unplanned())),
        ("drill", report(&fixtures::drill())),
    ]
}

fn markdown(report: &Report) -> String {
    crate::sheet::markdown(&sheet(report))
}

fn text(report: &Report) -> String {
    crate::sheet::text(&sheet(report), Style::new(false, 80))
}

#[test]
fn what_a_person_reads_at_a_terminal() {
    // SPEC: RD-5
    for (name, report) in all() {
        let shown = text(&report);
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
        golden(&format!("{name}.md"), &markdown(&report));
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
fn what_a_browser_shows() {
    // SPEC: RD-5
    for (name, report) in all() {
        golden(
            &format!("{name}.html"),
            &crate::sheet::html(&sheet(&report)),
        );
    }
}

#[test]
fn a_report_is_made_again_from_the_run_alone() {
    // SPEC: RD-5, PL-12
    let found = fixtures::planned();
    let first = report(&found);
    let later = "2027-03-01T00:00:00Z".parse().unwrap();
    let mut shuffled = found.machines.clone();
    shuffled.reverse();
    let again = Report::of(&found.run, &shuffled).at(later);
    assert_eq!(first.facts_digest, again.facts_digest);
    assert_eq!(digest::of_facts(&again), again.facts_digest);
    // Each fact counts.
    let mut other = fixtures::planned();
    other.machines[0].status.as_mut().unwrap().point = None;
    assert_ne!(report(&other).facts_digest, first.facts_digest);
}

#[test]
fn who_decided_what_and_why_is_in_the_run() {
    // SPEC: RD-5, PL-10
    let decisions = report(&fixtures::planned()).decisions;
    let approval = &decisions[0];
    assert_eq!(words::decided(approval), "Approve");
    assert_eq!(words::by(approval), "kim (unchecked)");
    assert_eq!(words::why(approval), "the test order arrived");
}

#[test]
fn what_is_decided_after_the_end_changes_no_evidence() {
    // SPEC: RD-5, PL-10
    let first = report(&fixtures::planned());
    let mut found = fixtures::planned();
    let record = &mut found.run.status.as_mut().unwrap().record;
    let commit = record.decisions.last().unwrap().clone();
    for action in [DecisionAction::Reprotect, DecisionAction::AcceptDataLoss] {
        let mut later = commit.clone();
        later.action = Some(action);
        later.at = "2026-11-20T15:00:00Z".parse().unwrap();
        record.decisions.push(later);
    }
    record.accepted.data_loss = true;
    let later = report(&found);
    assert_eq!(later.facts_digest, first.facts_digest);
    assert_eq!(later.decisions.len(), 3);
    // As long as the run goes on, whatever is decided is about it.
    found.run.status.as_mut().unwrap().record.phase = RunPhase::CommitPending;
    let going_on = report(&found);
    assert_eq!(going_on.decisions.len(), 5);
    assert!(going_on.accepted.data_loss);
}

#[test]
fn what_an_auditor_would_ask_about_is_said() {
    // SPEC: RD-5, PL-11
    let codes = |found: &Found| -> Vec<GapCode> {
        let gaps = report(found).gaps.into_iter();
        gaps.map(|gap| gap.code).collect()
    };
    assert_eq!(codes(&fixtures::planned()), [GapCode::Unchecked]);
    assert_eq!(
        codes(&fixtures::unplanned()),
        [
            GapCode::MissedObjective,
            GapCode::Failures,
            GapCode::AcceptedRisk,
            GapCode::AcceptedRisk,
            GapCode::NotOver,
            GapCode::NoRevision,
        ]
    );
    let mut aimless = fixtures::planned();
    aimless.run.spec.objectives = None;
    assert_eq!(codes(&aimless), [GapCode::Unchecked, GapCode::NoObjective]);
}

#[test]
fn a_drill_says_what_came_out_of_it() {
    // SPEC: RD-5, FO-1
    let mut found = fixtures::drill();
    let (said, _) = words::verdict(&report(&found));
    assert_eq!(said, "drill seoul → busan passed (CleanedUp)");
    found.run.status.as_mut().unwrap().machines.healthy = 1;
    let (said, _) = words::verdict(&report(&found));
    assert_eq!(said, "drill seoul → busan failed (CleanedUp)");
}

#[test]
fn a_drill_that_was_cleaned_up_says_how_many_machines_had_been_healthy() {
    // SPEC: RD-5, FO-1
    let report = report(&fixtures::drill());
    let by_group: Vec<usize> = report.groups.iter().map(|group| group.healthy).collect();
    assert_eq!(by_group, [1, 1]);
    assert_eq!(report.machines.counts.healthy, 2);
}

#[test]
fn an_action_says_how_long_it_took_where_that_is_on_record() {
    // SPEC: RD-5
    let planned = report(&fixtures::planned());
    let took = |group: usize, action: usize| planned.groups[group].actions[action].took.clone();
    assert_eq!(took(0, 0), Some(Duration::from_secs(9)));
    assert_eq!(took(1, 1), Some(Duration::from_secs(206)));
    // An older Drover wrote down its beginning alone, and says so in the words that it used.
    let older = report(&fixtures::drill());
    assert_eq!(older.groups[0].actions[0].took, None);
    let json = serde_json::to_value(&older.groups[0].actions[0]).unwrap();
    assert!(json.get("ended").is_none() && json.get("took").is_none());
}

#[test]
fn a_planned_failover_lost_nothing_whether_or_not_that_was_measured() {
    // SPEC: FO-2, RD-5
    let machines = |found: &Found| {
        let shown = text(&report(found));
        let (_, machines) = shown.split_once("\nMachines\n").unwrap();
        machines.to_owned()
    };
    let mut found = fixtures::planned();
    let measured = machines(&found);
    for machine in &mut found.machines {
        let point = machine.status.as_mut().unwrap().point.as_mut();
        point.unwrap().loss = None;
    }
    assert_eq!(machines(&found), measured);
}

#[test]
fn machines_with_long_names_are_told_apart_at_a_terminal() {
    // SPEC: RD-5
    let mut found = fixtures::drill();
    let one = found.machines[1].clone();
    for number in 2..12 {
        let mut more = one.clone();
        more.spec.machine.name = format!("web-{number}").parse().unwrap();
        found.machines.push(more);
    }
    let shown = text(&report(&found));
    for number in 1..12 {
        let name = format!("/web-{number} ");
        assert_eq!(shown.matches(&name).count(), 1, "{shown}");
    }
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
    assert!(!text(&report).is_empty());
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
    assert!(markdown(&report).len() < 65_535);
    let shown = text(&report);
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
    let shown = markdown(&report(&found));
    assert!(
        !shown.contains("<script>") && !shown.contains("@all"),
        "{shown}"
    );
}
