//! A run.

use std::collections::BTreeMap;

use drover_api::{MachineRun, RecoveryRun, RunDecision};
use jiff::Timestamp;

use super::{deletion, title, waiting};
use crate::reports::evidence::{self, Report};
use crate::reports::moments::{ago, clock};
use crate::reports::page::{Mood, Page};
use crate::reports::progress::Standing;
use crate::reports::waiting::waits;
use crate::reports::words;
use crate::text::{Column, Style, Table};
use crate::timeline;

/// Everything that matters of a run.
pub fn run(
    run: &RecoveryRun,
    machines: &[MachineRun],
    decisions: &[RunDecision],
    now: Timestamp,
    style: Style,
) -> String {
    let report = Report::of(run, machines);
    let (said, mood) = evidence::words::verdict(&report);
    let mut page = Page::new(style, &title("RecoveryRun", &run.metadata), &said, mood);
    deletion(&mut page, &run.metadata, now);
    facts(&mut page, run, &report, now);
    waiting(&mut page, &waits(run), now);
    page.section("Groups");
    page.table(&super::plan::groups(run, machines));
    if let Some(timeline) = evidence::timeline(&report) {
        page.raw("\n");
        page.raw(&timeline::text(&timeline, style));
    }
    by_standing(&mut page, &report);
    failures(&mut page, run, &report);
    answered(&mut page, &report);
    open(&mut page, &report, decisions, now);
    if let Some(status) = &run.status {
        page.conditions(&status.conditions, now);
    }
    page.finish()
}

fn facts(page: &mut Page, run: &RecoveryRun, report: &Report, now: Timestamp) {
    page.fact("plan", &report.plan);
    if let Some(started) = report.started {
        page.fact("began", format!("{} ago", ago(started, now)));
    }
    let since = report
        .result
        .since
        .map(|since| format!(", for {}", ago(since, now)));
    page.fact(
        "phase",
        format!("{:?}{}", report.result.phase, since.unwrap_or_default()),
    );
    let record = run
        .status
        .as_ref()
        .and_then(|status| status.record.recovery_point.as_ref());
    page.fact(
        "point",
        words::point(record.unwrap_or(&run.spec.recovery_point)),
    );
    for (name, measure) in [("RTO", &report.rto), ("RPO", &report.rpo)] {
        page.fact(name, evidence::words::measured(measure));
    }
    let (order, mood) = evidence::words::order(&report.order);
    page.fact_as("order", order, mood);
    let accepted = evidence::words::accepted(report);
    if !accepted.is_empty() {
        page.fact_as("accepted", accepted.join(", "), Mood::Notable);
    }
    page.fact("epoch", evidence::words::epochs(report));
    page.fact("digest", &report.digest);
}

/// `10 healthy, 2 failed: db-1, db-2`.
fn by_standing(page: &mut Page, report: &Report) {
    let mut by: BTreeMap<Standing, Vec<&str>> = BTreeMap::new();
    for member in &report.members {
        by.entry(member.standing).or_default().push(&member.name);
    }
    if by.is_empty() {
        return;
    }
    page.section("Machines");
    for (standing, names) in by {
        let mood = if standing == Standing::Failed {
            Mood::Bad
        } else {
            Mood::Plain
        };
        let names = format!("{}: {}", names.len(), crate::text::elided(&names, 6));
        page.fact_as(standing.as_str(), names, mood);
    }
}

fn failures(page: &mut Page, run: &RecoveryRun, report: &Report) {
    if report.failures.is_empty() {
        return;
    }
    page.section("Failures");
    let sentences: Vec<String> = report
        .failures
        .iter()
        .map(|failed| format!("{}: {}", failed.what, failed.error))
        .collect();
    page.list(&sentences, Mood::Bad);
    let name = run.metadata.name.as_deref().unwrap_or_default();
    page.paragraph(&format!(
        "`drover report {name}` has the times and all machines"
    ));
}

fn answered(page: &mut Page, report: &Report) {
    if report.decisions.is_empty() {
        return;
    }
    page.section("Decisions (UTC)");
    let mut table = Table::new([
        Column::short("AT"),
        Column::short("WHAT"),
        Column::text("BY"),
        Column::short("ANSWER"),
        Column::wrapped("WHY"),
    ]);
    for decision in &report.decisions {
        table.row(vec![
            clock(decision.at).into(),
            evidence::words::decided(decision).into(),
            evidence::words::by(decision).into(),
            format!("{:?}", decision.outcome).into(),
            evidence::words::why(decision).into(),
        ]);
    }
    page.table(&table);
}

/// Decisions that nobody answered yet.
fn open(page: &mut Page, report: &Report, decisions: &[RunDecision], now: Timestamp) {
    let answered = |each: &RunDecision| {
        let name = each.metadata.name.as_deref().unwrap_or_default();
        report.decisions.iter().any(|entry| entry.name == name)
            || each
                .status
                .as_ref()
                .is_some_and(|status| status.outcome.is_some())
    };
    let open: Vec<String> = decisions
        .iter()
        .filter(|each| !answered(each))
        .map(|each| {
            let since = each.metadata.creation_timestamp.as_ref();
            let since = since
                .map(|at| format!(", {} ago", ago(at.0, now)))
                .unwrap_or_default();
            format!("{:?} by {}{since}", each.spec.action, each.spec.by)
        })
        .collect();
    if !open.is_empty() {
        page.section("Decisions that are not answered yet");
        page.list(&open, Mood::Notable);
    }
}
