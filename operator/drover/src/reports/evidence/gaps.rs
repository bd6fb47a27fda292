//! What an auditor would ask about, in the order in which it matters.

use super::words::{accepted, measured};
use super::{Gap, GapCode, Measure, Report, Verdict};
use crate::reports::order;
use crate::text::count;

/// The gaps of a run.
pub fn of(report: &Report) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut add = |code, says: String| gaps.push(Gap { code, says });
    let measures = [("RTO", &report.rto), ("RPO", &report.rpo)];
    for (name, measure) in measures {
        if measure.met == Some(false) {
            let says = format!("{name} missed: {}", measured(measure));
            add(GapCode::MissedObjective, says);
        }
    }
    if !report.failures.is_empty() {
        let number = count(report.failures.len(), "failure");
        add(GapCode::Failures, number);
    }
    if report.order.verdict == order::Verdict::Broken {
        let says = format!(
            "the order was not kept: {}",
            report.order.findings.join("; ")
        );
        add(GapCode::OrderBroken, says);
    }
    for risk in accepted(report) {
        add(
            GapCode::AcceptedRisk,
            format!("a risk was accepted: {risk}"),
        );
    }
    match report.result.verdict {
        Verdict::InProgress => add(GapCode::NotOver, "the run goes on".to_owned()),
        Verdict::WaitsForAPerson => {
            add(GapCode::NotOver, "the run waits for a person".to_owned());
        }
        Verdict::Succeeded | Verdict::SucceededInPart | Verdict::Cancelled => {}
    }
    let unchecked = report.decisions.iter().filter(|each| each.unauthenticated);
    let unchecked = unchecked.count();
    if unchecked > 0 {
        let number = count(unchecked, "decision");
        add(
            GapCode::Unchecked,
            format!("nobody checked who took {number}"),
        );
    }
    let without: Vec<&str> = measures
        .into_iter()
        .filter(|(_, measure)| measured_without_objective(measure))
        .map(|(name, _)| name)
        .collect();
    if !without.is_empty() {
        let says = format!("no objective was declared for {}", without.join(" and "));
        add(GapCode::NoObjective, says);
    }
    if report.revision.is_none() {
        let says = "which revision of the manifests was in force is not on record";
        add(GapCode::NoRevision, says.to_owned());
    }
    gaps
}

/// A reprotect reaches neither, so nothing is missing there.
fn measured_without_objective(measure: &Measure) -> bool {
    measure.reached.is_some() && measure.objective.is_none()
}
