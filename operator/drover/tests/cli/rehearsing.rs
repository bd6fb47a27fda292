//! Rehearsals as people and pipelines meet them, beyond what is kept word for word.

use std::process::Output;

use drover_tests::manifests;
use serde_json::Value;

use crate::transcript::drover;

const NOW: &str = "2026-11-20T12:00:00Z";

/// Lives the quickstart through.
fn simulate(arguments: &[&str]) -> Output {
    let fixed = ["simulate", "examples/quickstart", "--spread", "0"];
    let mut command = drover(manifests::repository());
    command.args(fixed).args(["--as-of", NOW]).args(arguments);
    command.output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn report(arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    serde_json::from_slice(&simulate(&all).stdout).unwrap()
}

const LOST: [&str; 4] = ["--type", "Unplanned", "--fault", "site-loss=seoul"];

#[test]
fn a_lost_site_that_nothing_fences_is_hinted_at_and_can_be_accepted() {
    // SPEC: RD-4, SA-2
    let output = simulate(&LOST);
    let (_, talk) = said(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        talk.contains("--unfenced") && talk.contains("`fencing`"),
        "{talk}"
    );

    let mut accepted = LOST.to_vec();
    accepted.push("--unfenced");
    let output = simulate(&accepted);
    let (shown, talk) = said(&output);
    assert!(shown.contains("all machines came up"), "{shown}");
    assert!(shown.contains("could not be fenced"), "{shown}");
    assert!(!talk.contains("hint:"), "{talk}");
    let report = report(&accepted);
    assert_eq!(report["assumed"]["unfenced"], true);
    assert!(report["summary"]["rto"]["p50"].as_f64() > Some(60.0));
    assert!(report["summary"]["rpo"]["p50"].as_f64() > Some(0.0));
}

#[test]
fn a_planned_failover_has_no_fence_to_go_without() {
    // SPEC: BI-1
    let output = simulate(&["--unfenced"]);
    let (_, talk) = said(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(talk.contains("--type Unplanned"), "{talk}");
}

#[test]
fn a_page_without_a_run_that_went_on_has_no_clock() {
    // SPEC: RD-2
    let mut arguments = LOST.to_vec();
    arguments.extend(["--format", "html"]);
    let (page, _) = said(&simulate(&arguments));
    assert!(page.contains("it waits"), "{page}");
    assert!(!page.contains("class=\"ticks\""), "{page}");
}

#[test]
fn an_objective_is_met_only_where_all_machines_came_up() {
    // SPEC: RD-4, PL-11
    let arguments = [
        "--type",
        "Unplanned",
        "--fault",
        "failed-boot=web-3*9",
        "--runs",
        "3",
    ];
    let (shown, _) = said(&simulate(&arguments));
    assert!(shown.contains("15m, met in 0 of 3"), "{shown}");
    assert_eq!(report(&arguments)["withinRto"], 0);
}

#[test]
fn a_slip_in_a_fault_is_answered_with_the_names_that_there_are() {
    // SPEC: BI-1
    for (fault, hint) in [
        ("site-loss=seul", "did you mean seoul?"),
        ("site-loss=paris", "there are seoul, busan"),
        ("failed-boot=db-11", "did you mean db-1?"),
        ("hung-shutdown=mainframe", "there are db-1"),
        (
            "failed-action=data/database-answer",
            "did you mean data/database-answers?",
        ),
    ] {
        let output = simulate(&["--fault", fault]);
        let (_, talk) = said(&output);
        assert_eq!(output.status.code(), Some(1), "{fault}");
        assert!(talk.contains(hint), "{fault}: {talk}");
    }
    let output = simulate(&["--fault", "slow-disks=busan*0"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_rehearsal_says_when_it_was_made_and_what_its_forecast_is_made_of() {
    // SPEC: RD-4, PL-5
    let (shown, _) = said(&simulate(&[]));
    assert!(shown.contains("2026-11-20 12:00:00 UTC"), "{shown}");
    assert!(shown.contains("the fabric's figures"), "{shown}");
    let report = report(&[]);
    assert_eq!(report["kind"], "SimulationReport");
    assert_eq!(report["at"], NOW);
    assert_eq!(report["forecast"]["source"], "Fabric");
}
