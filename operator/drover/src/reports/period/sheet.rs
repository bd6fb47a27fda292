//! A period as a sheet: what it amounts to, then each run as in a report of its own.

use drover_api::value::Duration;

use super::{Period, PlanRow};
use crate::reports::evidence::{self, GapCode};
use crate::reports::moments::rough;
use crate::sheet::{Cell, Column, Sheet, Table};
use crate::text::{Mood, count};

/// All that is known of a period.
pub fn sheet(period: &Period) -> Sheet {
    let of = match &period.namespace {
        Some(namespace) => format!("namespace {namespace}"),
        None => "all namespaces".to_owned(),
    };
    let mut sheet = Sheet::new("Recovery in", of, said(period));
    facts(&mut sheet, period);
    sheet.table("Plans", plans(period));
    sheet.table("Drills and guards", drills(period));
    sheet.table("Open gaps", gaps(period));
    sheet.table("Runs (UTC)", runs(period));
    sheet.table(
        "Decisions (UTC)",
        evidence::decisions_table(period.runs.iter(), true),
    );
    sheet.foot("as of", Cell::at(period.as_of));
    if period.goes_on {
        let again = format!("--until {}", period.until);
        sheet.foot("same again", Cell::name(again));
    }
    sheet.foot("facts", Cell::name(&period.facts_digest));
    sheet.foot("drover", env!("CARGO_PKG_VERSION"));
    sheet.inner = period.runs.iter().map(evidence::sheet).collect();
    sheet
}

fn said(period: &Period) -> (String, Mood) {
    let plans = count(period.plans.len(), "plan");
    let all = |of: fn(&PlanRow) -> usize| period.plans.iter().map(of).sum::<usize>();
    let failovers = count(all(|plan| plan.failovers), "failover");
    let drills = count(all(|plan| plan.drills.all), "drill");
    let passed = all(|plan| plan.drills.passed);
    let gaps = match period.gaps.len() {
        0 => "no open gaps".to_owned(),
        number => count(number, "open gap"),
    };
    let mood = if period.gaps.is_empty() {
        Mood::Good
    } else {
        Mood::Notable
    };
    let said = format!("{plans}, {failovers}, {drills} of which {passed} passed, {gaps}");
    (said, mood)
}

fn facts(sheet: &mut Sheet, period: &Period) {
    sheet.fact("since", Cell::at(period.since));
    sheet.fact("until", Cell::at(period.until));
    let missed: usize = period.plans.iter().map(|plan| plan.missed).sum();
    let met = match missed {
        0 => Cell::of("none missed", Mood::Good),
        number => Cell::of(format!("missed in {}", count(number, "run")), Mood::Bad),
    };
    if !period.runs.is_empty() {
        sheet.fact("objectives", met);
    }
    let machines = period.plans.iter().map(|plan| &plan.machines);
    let (all, protected) = machines.fold((0, 0), |(all, protected), machines| {
        (all + machines.all, protected + machines.protected)
    });
    let others = period.gaps.iter();
    let others = others
        .filter(|gap| gap.code == GapCode::Unprotected)
        .count();
    let machines = format!("{}, {protected} of them protected", count(all, "machine"));
    sheet.fact("machines", Cell::of(machines, bad_if(others > 0)));
}

fn plan_name(plan: &PlanRow) -> Cell {
    Cell::name(format!("{}/{}", plan.namespace, plan.name))
}

fn length(length: Option<&Duration>) -> String {
    length.map_or_else(|| "-".to_owned(), rough)
}

fn plans(period: &Period) -> Table {
    let columns = [
        Column::text("Plan"),
        Column::short("At"),
        Column::number("Failovers"),
        Column::number("Worst RTO"),
        Column::number("Worst RPO"),
        Column::number("Missed"),
        Column::number("Protected"),
    ];
    let mut table = Table::new("plan", columns);
    for plan in &period.plans {
        let (worst, machines) = (&plan.worst, &plan.machines);
        let aims = plan.objectives.as_ref();
        let at = if plan.declared {
            plan.active_site
        } else {
            "not declared"
        };
        table.row([
            plan_name(plan),
            at.into(),
            plan.failovers.to_string().into(),
            of(worst.rto.as_ref(), aims.and_then(|aims| aims.rto.as_ref())).into(),
            of(worst.rpo.as_ref(), aims.and_then(|aims| aims.rpo.as_ref())).into(),
            Cell::of(plan.missed.to_string(), bad_if(plan.missed > 0)),
            Cell::of(
                format!("{} of {}", machines.protected, machines.all),
                bad_if(!machines.others.is_empty()),
            ),
        ]);
    }
    table
}

/// What was reached of what is aimed at.
fn of(reached: Option<&Duration>, aim: Option<&Duration>) -> String {
    match aim {
        Some(aim) => format!("{} of {aim}", length(reached)),
        None => length(reached),
    }
}

fn bad_if(wrong: bool) -> Mood {
    if wrong { Mood::Bad } else { Mood::Plain }
}

fn drills(period: &Period) -> Table {
    let columns = [
        Column::text("Plan"),
        Column::number("Drills"),
        Column::number("Passed"),
        Column::short("Last green"),
        Column::number("Limit"),
        Column::short("Guard"),
    ];
    let mut table = Table::new("plan", columns);
    for plan in &period.plans {
        let (drills, guard) = (&plan.drills, plan.guard.as_ref());
        let last = plan.last_green_drill.as_ref();
        table.row([
            plan_name(plan),
            drills.all.to_string().into(),
            Cell::of(
                drills.passed.to_string(),
                bad_if(drills.passed < drills.all),
            ),
            last.map_or_else(
                || Cell::of("never", Mood::Notable),
                |last| Cell::at(last.at),
            ),
            length(guard.map(|guard| &guard.drill_not_older_than)).into(),
            match guard.map(|guard| guard.holds) {
                Some(true) => Cell::of("satisfied", Mood::Good),
                Some(false) => Cell::of("holds runs back", Mood::Bad),
                None => Cell::none(),
            },
        ]);
    }
    table
}

fn gaps(period: &Period) -> Table {
    let columns = [Column::text("About"), Column::prose("Gap")];
    let mut table = Table::new("gap", columns);
    for gap in &period.gaps {
        table.row([
            Cell::from(gap.about.clone()),
            Cell::of(&gap.says, Mood::Notable),
        ]);
    }
    table
}

fn runs(period: &Period) -> Table {
    let columns = [
        Column::short("Started"),
        Column::text("Run"),
        Column::prose("What"),
        Column::number("RTO"),
        Column::number("RPO"),
        Column::short("Manifests").wide(),
    ];
    let mut table = Table::new("run", columns);
    for run in &period.runs {
        let (said, mood) = evidence::words::verdict(run);
        let reached = |measure: &evidence::Measure| {
            let words = length(measure.reached.as_ref());
            Cell::of(words, evidence::words::met(measure))
        };
        let revision = run.revision.as_ref();
        table.row([
            run.started.map_or_else(Cell::none, Cell::at),
            Cell::name(run.name()),
            Cell::of(said, mood),
            reached(&run.rto),
            reached(&run.rpo),
            revision.map_or_else(Cell::none, |revision| Cell::name(short_revision(revision))),
        ]);
    }
    table
}

/// As people name commits.
fn short_revision(revision: &str) -> String {
    let hash = revision.len() == 40 && revision.chars().all(|c| c.is_ascii_hexdigit());
    revision.chars().take(if hash { 12 } else { 64 }).collect()
}
