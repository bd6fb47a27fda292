#![cfg(test)]
//! The simulator keeps every promise of the contract, and drivers that do not are caught.

mod broken;
mod lab;

use drover_fabric::conformance::{CaseResult, Failure, run_all};
use drover_simulator::Latency;
use drover_world::EpochEnforcement;

use crate::broken::{Sin, Sinner};
use crate::lab::SimulatedLab;

fn broken(results: &[CaseResult]) -> Vec<&'static str> {
    let broken = results
        .iter()
        .filter(|result| matches!(result.verdict, Err(Failure::Broken(_))));
    broken.map(|result| result.case).collect()
}

fn not_applicable(results: &[CaseResult]) -> Vec<&'static str> {
    let absent = results
        .iter()
        .filter(|result| matches!(result.verdict, Err(Failure::NotApplicable(_))));
    absent.map(|result| result.case).collect()
}

fn told(results: &[CaseResult]) -> String {
    let lines: Vec<String> = results.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[tokio::test(start_paused = true)]
async fn the_simulator_keeps_every_promise() {
    // SPEC: FO-1, FO-2, FO-5, FO-6, FO-7, FO-8, FB-1, FB-5, PR-5, PR-6, PR-7, PR-12, SA-1, SA-2, SA-3, SA-7
    let lab = SimulatedLab::new(Latency::Realistic, EpochEnforcement::Enforced);
    let results = run_all(&lab).await;
    assert_eq!(broken(&results), [""; 0], "{}", told(&results));
    assert_eq!(not_applicable(&results), [""; 0], "{}", told(&results));
    assert_eq!(lab.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn it_keeps_them_when_nothing_takes_time() {
    let lab = SimulatedLab::new(Latency::Zero, EpochEnforcement::Enforced);
    let results = run_all(&lab).await;
    assert_eq!(broken(&results), [""; 0], "{}", told(&results));
    // What takes no time cannot be watched half-way.
    let absent = ["a_half_written_disk_is_never_booted"];
    assert_eq!(not_applicable(&results), absent, "{}", told(&results));
    assert_eq!(lab.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn it_keeps_them_when_it_only_records_epochs() {
    // SPEC: SA-3
    let lab = SimulatedLab::new(Latency::Realistic, EpochEnforcement::Advisory);
    let results = run_all(&lab).await;
    assert_eq!(broken(&results), [""; 0], "{}", told(&results));
}

/// A driver with this sin breaks these promises, and no others are needed to see it.
async fn is_caught(sin: Sin, by: &str) {
    let lab = Sinner::new(sin);
    let results = run_all(&lab).await;
    assert!(
        broken(&results).contains(&by),
        "{sin:?}\n{}",
        told(&results)
    );
}

#[tokio::test(start_paused = true)]
async fn who_forgets_epochs_is_caught() {
    is_caught(Sin::ForgetsEpochs, "an_older_epoch_is_refused_or_recorded").await;
    is_caught(Sin::ForgetsEpochs, "an_absent_machine_keeps_its_epoch").await;
}

#[tokio::test(start_paused = true)]
async fn who_boots_a_half_written_disk_is_caught() {
    is_caught(Sin::DoesAnything, "a_half_written_disk_is_never_booted").await;
}

#[tokio::test(start_paused = true)]
async fn who_overwrites_a_stranger_is_caught() {
    is_caught(Sin::DoesAnything, "a_stranger_is_never_overwritten").await;
}

#[tokio::test(start_paused = true)]
async fn who_copies_backwards_is_caught() {
    is_caught(
        Sin::DoesAnything,
        "nothing_goes_backwards_before_the_commit",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_keeps_an_old_proof_is_caught() {
    is_caught(
        Sin::KeepsTheProof,
        "the_proof_is_taken_back_when_the_source_runs",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_reports_what_was_asked_is_caught() {
    is_caught(
        Sin::BelievesItself,
        "what_is_there_is_seen_not_what_was_asked",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_notes_before_it_acts_is_caught() {
    is_caught(
        Sin::NotesBeforeActing,
        "a_dropped_call_leaves_nothing_half_asked",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_drills_on_production_is_caught() {
    is_caught(Sin::DrillsOnProduction, "a_drill_touches_nothing").await;
}

#[tokio::test(start_paused = true)]
async fn who_acts_again_is_caught() {
    is_caught(Sin::RebootsWhenAsked, "every_effect_can_be_repeated").await;
}
