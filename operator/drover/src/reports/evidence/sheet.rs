//! The evidence of a run as a sheet.

use drover_api::{ActionState, DecisionOutcome, StepState};

use super::words::{self, took};
use super::{Action, Group, Member, Report};
use crate::reports::progress::Standing;
use crate::reports::words::{machines, point, proof};
use crate::sheet::{Body, Cell, Column, Sheet, Table};
use crate::text::Mood;

/// Everything that is on record of a run.
pub fn sheet(report: &Report) -> Sheet {
    let mut sheet = Sheet::new("Run", report.name(), words::verdict(report));
    facts(&mut sheet, report);
    sheet.list("Open gaps", gaps(report));
    sheet.list("Failures", failures(report));
    sheet.table("Phases (UTC)", phases(report));
    sheet.table("Groups", groups(report));
    if let Some(timeline) = super::timeline(report) {
        sheet.section("What was done when (UTC)", Body::Timeline(timeline));
    }
    sheet.table("Actions and checks", actions(report));
    sheet.table("Decisions (UTC)", decisions(std::iter::once(report), false));
    sheet.folded("Machines", members(report));
    foot(&mut sheet, report);
    sheet
}

fn facts(sheet: &mut Sheet, report: &Report) {
    sheet.fact(
        "plan",
        format!("{}, run number {}", report.plan, report.run.number),
    );
    if let Some(drill) = &report.drill {
        sheet.fact("drill", Cell::name(&drill.name));
        sheet.fact("point", point(&drill.point));
    }
    sheet.maybe("request", report.what.request_id.as_ref().map(Cell::name));
    sheet.fact(
        "manifests",
        match &report.revision {
            Some(revision) => Cell::name(revision),
            None => "revision not on record".into(),
        },
    );
    sheet.maybe("started", report.started.map(Cell::at));
    sheet.maybe("ended", report.ended.map(Cell::at));
    sheet.maybe(
        "duration",
        report.duration.as_ref().map(|it| took(Some(it))),
    );
    for (name, measure) in [("RTO", &report.rto), ("RPO", &report.rpo)] {
        sheet.fact(
            name,
            Cell::of(words::measured(measure), words::met(measure)),
        );
    }
    let counts = &report.machines.counts;
    let all = format!(
        "{}: {} left the source, {} healthy, {} failed",
        machines(report.machines.total),
        counts.left,
        counts.healthy,
        counts.failed
    );
    sheet.fact("machines", Cell::of(all, bad_if(counts.failed > 0)));
    let (order, mood) = words::order(&report.order);
    sheet.fact("order", Cell::of(order, mood));
    let accepted = words::accepted(report);
    if !accepted.is_empty() {
        sheet.fact("accepted", Cell::of(accepted.join(", "), Mood::Notable));
    }
    let halt = report.result.halt.as_ref();
    sheet.maybe("halted", halt.map(|halt| Cell::of(halt, Mood::Bad)));
    sheet.fact("epoch", words::epochs(report));
    sheet.fact("digest", Cell::name(&report.digest));
}

fn bad_if(wrong: bool) -> Mood {
    if wrong { Mood::Bad } else { Mood::Plain }
}

/// What is said of the print, and the digest that it can be compared by.
fn foot(sheet: &mut Sheet, report: &Report) {
    if let Some(at) = report.as_of {
        sheet.foot("as of", Cell::at(at));
    }
    sheet.foot("facts", Cell::name(&report.facts_digest));
    sheet.foot("drover", env!("CARGO_PKG_VERSION"));
}

fn gaps(report: &Report) -> Vec<Cell> {
    let gaps = report.gaps.iter();
    gaps.map(|gap| Cell::of(&gap.says, Mood::Notable)).collect()
}

fn failures(report: &Report) -> Vec<Cell> {
    let failures = report.failures.iter();
    let said = failures.map(|failed| format!("{}: {}", failed.what, failed.error));
    said.map(|said| Cell::of(said, Mood::Bad)).collect()
}

fn phases(report: &Report) -> Table {
    let columns = [
        Column::short("At"),
        Column::text("Phase"),
        Column::number("Took"),
    ];
    let mut table = Table::new("phase", columns);
    for phase in &report.phases {
        table.row([
            Cell::clock(phase.at),
            format!("{:?}", phase.phase).into(),
            took(phase.took.as_ref()).into(),
        ]);
    }
    table
}

fn groups(report: &Report) -> Table {
    let columns = [
        Column::number("Wave"),
        Column::text("Group"),
        Column::number("Machines"),
        Column::number("Healthy"),
        Column::number("Failed"),
        Column::number("Left in"),
        Column::number("Started in"),
        Column::text("After"),
    ];
    let mut table = Table::new("group", columns);
    for group in &report.groups {
        let after = match group.depends_on.as_slice() {
            [] => "-".to_owned(),
            names => crate::text::elided(names, 3),
        };
        table.row([
            group.wave.to_string().into(),
            Cell::name(&group.name),
            group.machines.to_string().into(),
            group.healthy.to_string().into(),
            Cell::of(group.failed.to_string(), bad_if(group.failed > 0)),
            took(group.leave.took().as_ref()).into(),
            took(group.enter.took().as_ref()).into(),
            after.into(),
        ]);
    }
    table
}

fn actions(report: &Report) -> Table {
    let columns = [
        Column::text("Action"),
        Column::short("Kind").wide(),
        Column::short("State"),
        Column::number("Tries"),
        Column::short("Begun"),
        Column::number("Took"),
        Column::prose("Note"),
    ];
    let mut table = Table::new("action", columns);
    let of = |group: &Group, action: &Action| {
        [
            format!("{} {}/{}", action.around, group.name, action.name).into(),
            action.kind.into(),
            state(action),
            action.attempts.to_string().into(),
            action.since.map_or_else(Cell::none, Cell::clock),
            took(action.took.as_ref()).into(),
            words::note(action).into(),
        ]
    };
    for group in &report.groups {
        for action in &group.actions {
            table.row(of(group, action));
        }
    }
    table
}

fn state(action: &Action) -> Cell {
    let mood = match action.state {
        ActionState::Failed => Mood::Bad,
        ActionState::Running => Mood::Notable,
        ActionState::Pending | ActionState::Succeeded => Mood::Plain,
    };
    Cell::of(format!("{:?}", action.state), mood)
}

/// Who decided what, in one run or in several.
pub fn decisions<'r>(reports: impl Iterator<Item = &'r Report>, several: bool) -> Table {
    let mut columns = vec![
        Column::short("At"),
        Column::short("What"),
        Column::text("By"),
        Column::short("Answer"),
        Column::prose("Why"),
    ];
    if several {
        columns[1] = Column::text("What");
        columns.insert(1, Column::text("Run"));
    }
    let mut table = Table::new("decision", columns);
    for report in reports {
        for decision in &report.decisions {
            let mood = match decision.outcome {
                DecisionOutcome::Accepted => Mood::Plain,
                DecisionOutcome::Refused => Mood::Notable,
            };
            let at = if several { Cell::at } else { Cell::clock };
            let mut row = vec![
                at(decision.at),
                words::decided(decision).into(),
                words::by(decision).into(),
                Cell::of(format!("{:?}", decision.outcome), mood),
                words::why(decision).into(),
            ];
            if several {
                row.insert(1, Cell::name(report.name()));
            }
            table.rows.push(row);
        }
    }
    table
}

fn members(report: &Report) -> Table {
    let columns = [
        Column::path("Machine"),
        Column::text("Group"),
        Column::short("State"),
        Column::number("Left in"),
        Column::number("Started in"),
        Column::short("Point"),
        Column::number("Lost"),
        Column::short("Left by"),
    ];
    let mut table = Table::new("machine", columns);
    let mut members: Vec<&Member> = report.members.iter().collect();
    members.sort_by_key(|member| member.standing != Standing::Failed);
    for member in members {
        let point = member.point.as_ref();
        table.row([
            Cell::name(format!("{}/{}", member.protection_group, member.name)),
            Cell::name(&member.group),
            Cell::of(
                member.standing.as_str(),
                bad_if(member.standing == Standing::Failed),
            ),
            took_in(member, "leave"),
            took_in(member, "enter"),
            point.map_or_else(Cell::none, |point| Cell::clock(point.at)),
            took(words::lost(report, member).as_ref()).into(),
            member.left.map_or("-", proof).into(),
        ]);
    }
    table
}

fn took_in(member: &Member, name: &str) -> Cell {
    let step = member.steps.iter().find(|step| step.step == name);
    match step {
        Some(step) if step.state == StepState::Done => took(step.took.as_ref()).into(),
        Some(_) => Cell::of("failed", Mood::Bad),
        None => Cell::none(),
    }
}
