//! What the evidence of a run says, in words.

use drover_api::common::RunKind;
use drover_api::value::Duration;
use drover_api::{ActionState, DrillResult, LeftProof, StepState};

use super::{Action, Decision, Measure, Member, Report, Verdict};
use crate::reports::moments::rough;
use crate::reports::order;
use crate::text::Mood;

/// How it ended, in a sentence.
pub fn verdict(report: &Report) -> (String, Mood) {
    let what = format!(
        "{} {} → {}",
        report.what.words, report.what.source, report.what.target
    );
    let phase = format!("{:?}", report.result.phase);
    if let Some(result) = report.drill.as_ref().and_then(|drill| drill.result) {
        return match result {
            DrillResult::Passed => (format!("{what} passed ({phase})"), Mood::Good),
            DrillResult::Failed => (format!("{what} failed ({phase})"), Mood::Bad),
            DrillResult::Abandoned => (
                format!("{what} was cleaned up before it stood"),
                Mood::Notable,
            ),
        };
    }
    match report.result.verdict {
        Verdict::Succeeded => (format!("{what} succeeded ({phase})"), Mood::Good),
        Verdict::SucceededInPart => (format!("{what} ended with failures ({phase})"), Mood::Bad),
        Verdict::Cancelled => (format!("{what} was cancelled"), Mood::Notable),
        Verdict::InProgress => (format!("{what} is going on ({phase})"), Mood::Plain),
        Verdict::WaitsForAPerson => (
            format!("{what} waits for a person ({phase})"),
            Mood::Notable,
        ),
    }
}

/// `7m, within 15m (forecast 8m)`.
pub fn measured(measure: &Measure) -> String {
    let reached = match &measure.reached {
        Some(reached) => rough(reached),
        None => "not reached yet".to_owned(),
    };
    let objective = match (&measure.objective, measure.met) {
        (Some(objective), Some(true)) => format!(", within the objective of {objective}"),
        (Some(objective), Some(false)) => format!(", more than the objective of {objective}"),
        (Some(objective), None) => format!(", the objective is {objective}"),
        (None, _) => ", no objective".to_owned(),
    };
    let forecast = match &measure.forecast {
        Some(forecast) => format!(" (forecast {})", rough(forecast)),
        None => String::new(),
    };
    format!("{reached}{objective}{forecast}")
}

/// How it is to look that an objective was met, or not.
pub fn met(measure: &Measure) -> Mood {
    match measure.met {
        Some(true) => Mood::Good,
        Some(false) => Mood::Bad,
        None => Mood::Plain,
    }
}

/// How long something took.
pub fn took(duration: Option<&Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), rough)
}

/// What a machine lost. Of one that a planned failover brought over all changes had arrived, whether or
/// not that was measured.
pub fn lost(report: &Report, member: &Member) -> Option<Duration> {
    let measured = member.point.as_ref().and_then(|point| point.loss.clone());
    let entered = member
        .steps
        .iter()
        .any(|step| step.step == "enter" && step.state == StepState::Done);
    let synced = report.what.kind == RunKind::PlannedFailover
        && member.left == Some(LeftProof::Synced)
        && entered;
    measured.or(synced.then_some(Duration::ZERO))
}

/// Whether the order was kept.
pub fn order(order: &order::Order) -> (String, Mood) {
    match order.verdict {
        order::Verdict::Kept => ("kept".to_owned(), Mood::Good),
        order::Verdict::NotTold => ("nothing to judge yet".to_owned(), Mood::Plain),
        order::Verdict::Broken => (
            format!("NOT kept: {}", order.findings.join("; ")),
            Mood::Bad,
        ),
    }
}

/// Risks that were accepted.
pub fn accepted(report: &Report) -> Vec<&'static str> {
    let risks = &report.accepted;
    let all = [
        (risks.data_loss, "more data loss than the plan allows"),
        (
            risks.discard_target_writes,
            "discarding what was written at the target",
        ),
        (risks.split_brain, "a source that could not be fenced"),
    ];
    all.into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, words)| words)
        .collect()
}

/// Epochs of a run.
pub fn epochs(report: &Report) -> String {
    let epoch = &report.epoch;
    if epoch.compiled == epoch.now {
        epoch.compiled.to_string()
    } else {
        format!("{} when it was compiled, {} now", epoch.compiled, epoch.now)
    }
}

/// Who approved an action, or why it failed.
pub fn note(action: &Action) -> String {
    match (&action.error, action.approved_by.as_slice()) {
        (Some(error), _) if action.state != ActionState::Succeeded => error.clone(),
        (_, []) => String::new(),
        (_, by) => format!("approved by {}", by.join(", ")),
    }
}

/// What was decided; its name where an older Drover did not write down more.
pub fn decided(decision: &Decision) -> String {
    match decision.action {
        Some(action) => format!("{action:?}"),
        None => decision.name.clone(),
    }
}

/// Who decided, and whether that is certain.
pub fn by(decision: &Decision) -> String {
    if decision.unauthenticated {
        format!("{} (unchecked)", decision.by)
    } else {
        decision.by.clone()
    }
}

/// Why it was decided, or why it was refused.
pub fn why(decision: &Decision) -> &str {
    let why = decision.refused_because.as_ref().or(decision.why.as_ref());
    why.map_or("", String::as_str)
}
