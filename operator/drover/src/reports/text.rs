//! The evidence of a run for a person at a terminal.

use drover_api::value::Duration;
use drover_api::{ActionState, DecisionOutcome, StepState};
use jiff::Timestamp;

use super::evidence::{Action, Measure, Report, Verdict};
use super::moments::{clock, full, rough};
use super::order;
use super::page::{Mood, Page};
use super::progress::Standing;
use super::{bars, words};
use crate::text::{Cell, Column, Style, Table, thousands};

/// Machines that are listed; those that failed come first.
const MOST_MACHINES: usize = 40;

/// The report as lines.
pub fn render(report: &Report, style: Style) -> String {
    let title = format!("Run {}/{}", report.run.namespace, report.run.name);
    let (said, mood) = verdict(report);
    let mut page = Page::new(style, &title, &said, mood);
    facts(&mut page, report);
    phases(&mut page, report);
    groups(&mut page, report);
    actions(&mut page, report);
    machines(&mut page, report);
    decisions(&mut page, report);
    failures(&mut page, report);
    page.finish()
}

/// How it ended, in a sentence.
pub fn verdict(report: &Report) -> (String, Mood) {
    let what = format!(
        "{} {} → {}",
        report.what.words, report.what.source, report.what.target
    );
    let phase = format!("{:?}", report.result.phase);
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

fn facts(page: &mut Page, report: &Report) {
    page.fact(
        "plan",
        format!("{}, run number {}", report.plan, report.run.number),
    );
    page.maybe("request", report.what.request_id.as_ref());
    page.maybe(
        "started",
        report.started.map(|at| format!("{} UTC", full(at))),
    );
    page.maybe(
        "ended",
        report.ended.map(|at| ended(at, report.duration.as_ref())),
    );
    for (name, measure) in [("RTO", &report.rto), ("RPO", &report.rpo)] {
        let mood = match measure.met {
            Some(true) => Mood::Good,
            Some(false) => Mood::Bad,
            None => Mood::Plain,
        };
        page.fact_as(name, measured(measure), mood);
    }
    let counts = &report.machines.counts;
    page.fact_as(
        "machines",
        format!(
            "{}: {} left the source, {} healthy, {} failed",
            words::machines(report.machines.total),
            counts.left,
            counts.healthy,
            counts.failed
        ),
        if counts.failed > 0 {
            Mood::Bad
        } else {
            Mood::Plain
        },
    );
    let (order, mood) = order_words(&report.order);
    page.fact_as("order", order, mood);
    let accepted = accepted(report);
    if !accepted.is_empty() {
        page.fact_as("accepted", accepted.join(", "), Mood::Notable);
    }
    page.maybe("halted", report.result.halt.as_ref());
    page.fact("epoch", epochs(report));
    page.fact("digest", &report.digest);
    page.maybe("as of", report.as_of.map(|at| format!("{} UTC", full(at))));
}

/// Epochs of a run, in words.
pub fn epochs(report: &Report) -> String {
    let epoch = &report.epoch;
    if epoch.compiled == epoch.now {
        epoch.compiled.to_string()
    } else {
        format!("{} when it was compiled, {} now", epoch.compiled, epoch.now)
    }
}

fn ended(at: Timestamp, duration: Option<&Duration>) -> String {
    match duration {
        Some(duration) => format!("{} UTC, after {}", full(at), rough(duration)),
        None => format!("{} UTC", full(at)),
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

/// Whether the order was kept, in words.
pub fn order_words(order: &order::Order) -> (String, Mood) {
    match order.verdict {
        order::Verdict::Kept => ("kept".to_owned(), Mood::Good),
        order::Verdict::NotTold => ("nothing to judge yet".to_owned(), Mood::Plain),
        order::Verdict::Broken => (
            format!("NOT kept: {}", order.findings.join("; ")),
            Mood::Bad,
        ),
    }
}

/// Risks that were accepted, in words.
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

fn phases(page: &mut Page, report: &Report) {
    if report.phases.is_empty() {
        return;
    }
    page.section("Phases (UTC)");
    let mut table = Table::new([
        Column::short("AT"),
        Column::text("PHASE"),
        Column::number("TOOK"),
    ]);
    for phase in &report.phases {
        table.row(vec![
            clock(phase.at).into(),
            format!("{:?}", phase.phase).into(),
            took(phase.took.as_ref()).into(),
        ]);
    }
    page.table(&table);
}

fn took(duration: Option<&Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), rough)
}

fn groups(page: &mut Page, report: &Report) {
    page.section("Groups");
    let mut table = Table::new([
        Column::number("WAVE"),
        Column::text("GROUP"),
        Column::number("MACHINES"),
        Column::number("HEALTHY"),
        Column::number("FAILED"),
        Column::number("LEFT IN"),
        Column::number("STARTED IN"),
        Column::text("AFTER"),
    ]);
    for group in &report.groups {
        let after = match group.depends_on.as_slice() {
            [] => "-".to_owned(),
            names => crate::text::elided(names, 3),
        };
        table.row(vec![
            group.wave.to_string().into(),
            group.name.clone().into(),
            group.machines.to_string().into(),
            group.healthy.to_string().into(),
            failed(group.failed),
            took(group.leave.took().as_ref()).into(),
            took(group.enter.took().as_ref()).into(),
            after.into(),
        ]);
    }
    page.table(&table);
    let bars = bars::draw(report, page.style());
    if !bars.is_empty() {
        page.raw("\n");
        page.raw(&bars);
    }
}

fn failed(number: usize) -> Cell {
    match number {
        0 => "0".into(),
        number => Cell::bad(number.to_string()),
    }
}

fn actions(page: &mut Page, report: &Report) {
    let all = || {
        report
            .groups
            .iter()
            .flat_map(|group| group.actions.iter().map(move |action| (group, action)))
    };
    if all().next().is_none() {
        return;
    }
    page.section("Actions");
    let mut table = Table::new([
        Column::text("ACTION"),
        Column::short("STATE"),
        Column::number("TRIES"),
        Column::short("BEGUN"),
        Column::wrapped("NOTE"),
    ]);
    for (group, action) in all() {
        table.row(vec![
            format!("{} {}/{}", action.around, group.name, action.name).into(),
            state(action),
            action.attempts.to_string().into(),
            action.since.map_or_else(|| "-".to_owned(), clock).into(),
            note(action).into(),
        ]);
    }
    page.table(&table);
}

fn state(action: &Action) -> Cell {
    let text = format!("{:?}", action.state);
    match action.state {
        ActionState::Failed => Cell::bad(text),
        ActionState::Running => Cell::notable(text),
        ActionState::Pending | ActionState::Succeeded => text.into(),
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

fn machines(page: &mut Page, report: &Report) {
    if report.members.is_empty() {
        return;
    }
    page.section("Machines");
    let mut table = Table::new([
        Column::text("MACHINE"),
        Column::text("GROUP"),
        Column::short("STATE"),
        Column::number("LEFT IN"),
        Column::number("STARTED IN"),
        Column::short("POINT"),
        Column::number("LOST"),
        Column::short("LEFT BY"),
    ]);
    let mut members: Vec<_> = report.members.iter().collect();
    members.sort_by_key(|member| member.standing != Standing::Failed);
    for member in members.iter().take(MOST_MACHINES) {
        let took_in = |name: &str| {
            let step = member.steps.iter().find(|step| step.step == name);
            match step {
                Some(step) if step.state == StepState::Done => took(step.took.as_ref()),
                Some(_) => "failed".to_owned(),
                None => "-".to_owned(),
            }
        };
        let standing = member.standing.as_str();
        let point = member.point.as_ref();
        table.row(vec![
            format!("{}/{}", member.protection_group, member.name).into(),
            member.group.clone().into(),
            if member.standing == Standing::Failed {
                Cell::bad(standing)
            } else {
                standing.into()
            },
            took_in("leave").into(),
            took_in("enter").into(),
            point
                .map_or_else(|| "-".to_owned(), |point| clock(point.at))
                .into(),
            took(point.and_then(|point| point.loss.as_ref())).into(),
            member.left.map_or("-", words::proof_word).into(),
        ]);
    }
    page.table(&table);
    if members.len() > MOST_MACHINES {
        let more = thousands(members.len() - MOST_MACHINES);
        page.paragraph(&format!(
            "… and {more} more machines; --format json has all"
        ));
    }
}

fn decisions(page: &mut Page, report: &Report) {
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
        let what = decision
            .action
            .map_or_else(|| decision.name.clone(), |what| format!("{what:?}"));
        let unchecked = if decision.unauthenticated == Some(true) {
            " (unchecked)"
        } else {
            ""
        };
        let answer = format!("{:?}", decision.outcome);
        let why = decision.refused_because.as_ref().or(decision.why.as_ref());
        table.row(vec![
            clock(decision.at).into(),
            what.into(),
            format!("{}{unchecked}", decision.by).into(),
            match decision.outcome {
                DecisionOutcome::Accepted => answer.into(),
                DecisionOutcome::Refused => Cell::notable(answer),
            },
            why.cloned().unwrap_or_default().into(),
        ]);
    }
    page.table(&table);
}

fn failures(page: &mut Page, report: &Report) {
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
}
