//! The evidence of a run for an issue tracker: short first, machines folded, never longer than a forge
//! takes.

use std::fmt::Write as _;

use drover_api::value::Duration;
use drover_api::{DecisionOutcome, StepState};

use super::evidence::{Measure, Member, Report};
use super::moments::{full, rough};
use super::progress::Standing;
use super::{order, text, words};
use crate::plans::markdown::{code, escaped};

/// Rows of one table. Forges take 65,535 characters; four tables of cells that are cut fit well.
const MOST_ROWS: usize = 60;

/// The report as Markdown.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let (said, _) = text::verdict(report);
    let _ = writeln!(
        out,
        "## Run {}: {}\n",
        code(&format!("{}/{}", report.run.namespace, report.run.name)),
        escaped(&said)
    );
    facts(&mut out, report);
    if let Some(halt) = &report.result.halt {
        let _ = writeln!(out, "\n**Halted:** {}", escaped(halt));
    }
    failures(&mut out, report);
    phases(&mut out, report);
    groups(&mut out, report);
    actions(&mut out, report);
    decisions(&mut out, report);
    machines(&mut out, report);
    foot(&mut out, report);
    out
}

fn facts(out: &mut String, report: &Report) {
    let counts = &report.machines.counts;
    let mut rows = vec![
        ("Plan", code(&report.plan)),
        ("RTO", measure(&report.rto)),
        ("RPO", measure(&report.rpo)),
        (
            "Machines",
            format!(
                "{}: {} left the source, {} healthy, {} failed",
                words::machines(report.machines.total),
                counts.left,
                counts.healthy,
                counts.failed
            ),
        ),
        (
            "Order",
            match report.order.verdict {
                order::Verdict::Broken => {
                    format!("**{}**", escaped(&text::order_words(&report.order).0))
                }
                _ => text::order_words(&report.order).0,
            },
        ),
    ];
    if let Some(request) = &report.what.request_id {
        rows.insert(1, ("Request", code(request)));
    }
    if let Some(started) = report.started {
        rows.push(("Started", format!("{} UTC", full(started))));
    }
    if let Some(ended) = report.ended {
        rows.push((
            "Ended",
            format!(
                "{} UTC, after {}",
                full(ended),
                took(report.duration.as_ref())
            ),
        ));
    }
    let accepted = text::accepted(report);
    if !accepted.is_empty() {
        rows.push(("Accepted", format!("**{}**", accepted.join(", "))));
    }
    out.push_str("| | |\n|---|---|\n");
    for (name, value) in rows {
        let _ = writeln!(out, "| {name} | {value} |");
    }
}

fn measure(measure: &Measure) -> String {
    let words = escaped(&text::measured(measure));
    match measure.met {
        Some(false) => format!("**{words}**"),
        _ => words,
    }
}

fn took(duration: Option<&Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), rough)
}

/// A heading, the head of a table, and its rows; nothing where there are none.
fn table(out: &mut String, title: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "\n### {title}\n\n| {} |", columns.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(columns.len()));
    for row in rows.by_ref().take(MOST_ROWS) {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    let more = rows.count();
    if more > 0 {
        let _ = writeln!(out, "\n… and {more} more.");
    }
}

fn failures(out: &mut String, report: &Report) {
    let rows = report
        .failures
        .iter()
        .map(|failed| vec![escaped(&failed.what), escaped(&failed.error)]);
    table(out, "Failures", &["What", "Why"], rows);
}

fn phases(out: &mut String, report: &Report) {
    let rows = report.phases.iter().map(|phase| {
        vec![
            full(phase.at),
            format!("{:?}", phase.phase),
            took(phase.took.as_ref()),
        ]
    });
    table(out, "Phases", &["At (UTC)", "Phase", "Took"], rows);
}

fn groups(out: &mut String, report: &Report) {
    let rows = report.groups.iter().map(|group| {
        vec![
            group.wave.to_string(),
            code(&group.name),
            group.machines.to_string(),
            group.healthy.to_string(),
            group.failed.to_string(),
            took(group.leave.took().as_ref()),
            took(group.enter.took().as_ref()),
        ]
    });
    let columns = [
        "Wave",
        "Group",
        "Machines",
        "Healthy",
        "Failed",
        "Left in",
        "Started in",
    ];
    table(out, "Groups", &columns, rows);
}

fn actions(out: &mut String, report: &Report) {
    let all = report
        .groups
        .iter()
        .flat_map(|group| group.actions.iter().map(move |action| (group, action)));
    let rows = all.map(|(group, action)| {
        vec![
            format!(
                "{} {}",
                action.around,
                code(&format!("{}/{}", group.name, action.name))
            ),
            action.kind.to_owned(),
            format!("{:?}", action.state),
            action.attempts.to_string(),
            escaped(&text::note(action)),
        ]
    });
    table(
        out,
        "Actions",
        &["Action", "Kind", "State", "Attempts", "Note"],
        rows,
    );
}

fn decisions(out: &mut String, report: &Report) {
    let rows = report.decisions.iter().map(|decision| {
        let what = decision
            .action
            .map_or_else(|| decision.name.clone(), |what| format!("{what:?}"));
        let why = decision.refused_because.as_ref().or(decision.why.as_ref());
        let answer = match decision.outcome {
            DecisionOutcome::Accepted => "Accepted".to_owned(),
            DecisionOutcome::Refused => "**Refused**".to_owned(),
        };
        let unchecked = if decision.unauthenticated == Some(true) {
            " (unchecked)"
        } else {
            ""
        };
        vec![
            full(decision.at),
            escaped(&what),
            format!("{}{unchecked}", escaped(&decision.by)),
            answer,
            why.map(|why| escaped(why)).unwrap_or_default(),
        ]
    });
    table(
        out,
        "Decisions",
        &["At (UTC)", "What", "By", "Answer", "Why"],
        rows,
    );
}

fn machines(out: &mut String, report: &Report) {
    if report.members.is_empty() {
        return;
    }
    let mut members: Vec<&Member> = report.members.iter().collect();
    members.sort_by_key(|member| member.standing != Standing::Failed);
    let number = crate::text::count(members.len(), "machine");
    let _ = writeln!(out, "\n<details><summary>{number}</summary>");
    let rows = members.into_iter().map(|member| {
        let took_in = |name: &str| {
            let step = member.steps.iter().find(|step| step.step == name);
            step.filter(|step| step.state == StepState::Done)
                .map_or_else(|| "-".to_owned(), |step| took(step.took.as_ref()))
        };
        let point = member.point.as_ref();
        vec![
            code(&format!("{}/{}", member.protection_group, member.name)),
            code(&member.group),
            member.standing.as_str().to_owned(),
            took_in("leave"),
            took_in("enter"),
            point.map_or_else(|| "-".to_owned(), |point| full(point.at)),
            took(point.and_then(|point| point.loss.as_ref())),
            member.left.map_or("-", words::proof).to_owned(),
        ]
    });
    let columns = [
        "Machine",
        "Group",
        "State",
        "Left in",
        "Started in",
        "Point (UTC)",
        "Lost",
        "Left by",
    ];
    table(out, "Machines", &columns, rows);
    out.push_str("\n</details>\n");
}

fn foot(out: &mut String, report: &Report) {
    let as_of = report
        .as_of
        .map(|at| format!("As of {} UTC. ", full(at)))
        .unwrap_or_default();
    let _ = writeln!(
        out,
        "\n<sub>{as_of}Epoch {}. Digest {}. drover {}</sub>",
        text::epochs(report),
        code(&report.digest),
        env!("CARGO_PKG_VERSION")
    );
}
