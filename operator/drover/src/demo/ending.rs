//! What is shown at the end: when each act was, what each run reached, and whether all was as it must be.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_api::common::RunKind;
use drover_api::{MachineRun, RecoveryPlan, RecoveryRun};
use drover_simulator::Violation;
use kube::ResourceExt as _;

use super::script::Ledger;
use super::stage::stamp;
use crate::reports::evidence::{Measure, Report, Verdict};
use crate::reports::moments::rough;
use crate::text::{Cell, Column, Style, Table, count};

/// What is there at the end.
#[derive(Debug)]
pub struct Ending {
    /// What was played and checked.
    pub ledger: Ledger,
    /// The plan.
    pub plan: RecoveryPlan,
    /// Its runs, oldest first.
    pub runs: Vec<RecoveryRun>,
    /// The journals of their machines.
    pub machines: Vec<MachineRun>,
    /// What the world saw that must never happen.
    pub violations: Vec<Violation>,
    /// When, in simulated time, it ended.
    pub end: Duration,
    /// What the clock of the stage said at the beginning.
    pub begun: jiff::Timestamp,
}

impl Ending {
    /// What is wrong, in sentences; nothing where all is as it must be.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> = Vec::new();
        for violation in &self.violations {
            wrong.push(format!(
                "{} broke: {} at {}: {}",
                violation.invariant, violation.machine, violation.site, violation.message
            ));
        }
        for check in self.ledger.checks.iter().filter(|check| !check.holds) {
            wrong.push(format!("not so: {}", check.what));
        }
        for report in self.reports() {
            if report.result.verdict != Verdict::Succeeded {
                wrong.push(format!(
                    "run {} ended as {:?}",
                    report.run.name, report.result.phase
                ));
            }
        }
        wrong
    }

    /// The evidence of each run.
    fn reports(&self) -> Vec<Report> {
        let mut journals: BTreeMap<&str, Vec<MachineRun>> = BTreeMap::new();
        for machine in &self.machines {
            let of = journals.entry(machine.spec.run.as_str()).or_default();
            of.push(machine.clone());
        }
        let report = |run: &RecoveryRun| {
            let none = Vec::new();
            let own = journals.get(run.name_any().as_str()).unwrap_or(&none);
            Report::of(run, own, Some(&self.plan))
        };
        self.runs.iter().map(report).collect()
    }

    /// The whole page.
    pub fn render(&self, style: Style) -> String {
        let mut page = format!("\n{}\n", style.strong("What happened, in simulated time"));
        page += &self.timeline().render(style, "  ");
        page += &format!("\n{}\n", style.strong("What each run reached"));
        page += &self.table().render(style, "  ");
        page += "\n";
        let checks = self.ledger.checks.len();
        let wrong = self.wrong();
        if wrong.is_empty() {
            let text = format!(
                "No invariant broke, and all {} held.",
                count(checks, "check")
            );
            page += &format!("{}\n", style.good(text));
        }
        for sentence in wrong {
            page += &format!("{}\n", style.bad(sentence));
        }
        page
    }

    fn timeline(&self) -> Table {
        let mut table = Table::new([
            Column::number("AT"),
            Column::number("TOOK"),
            Column::text("WHAT"),
        ]);
        let next = self.ledger.acts.iter().skip(1).map(|(at, _)| *at);
        let ends = next.chain([self.end]);
        for ((at, what), end) in self.ledger.acts.iter().zip(ends) {
            let took = drover_api::value::Duration::from_secs(end.saturating_sub(*at).as_secs());
            table.row(vec![stamp(*at).into(), rough(&took).into(), (*what).into()]);
        }
        table
    }

    fn table(&self) -> Table {
        let mut table = Table::new([
            Column::number("AT"),
            Column::text("RUN"),
            Column::text("WHAT"),
            Column::short("WAY"),
            Column::number("RTO"),
            Column::number("FORECAST"),
            Column::number("RPO"),
            Column::number("FORECAST"),
            Column::short("END"),
        ]);
        for report in self.reports() {
            let failover = matches!(
                report.what.kind,
                RunKind::PlannedFailover | RunKind::UnplannedFailover | RunKind::TestFailover
            );
            let at = report.started.map(|at| at.duration_since(self.begun));
            let at = at
                .and_then(|at| Duration::try_from(at).ok())
                .unwrap_or_default();
            let end = format!("{:?}", report.result.phase);
            let good = report.result.verdict == Verdict::Succeeded;
            table.row(vec![
                stamp(at).into(),
                report.run.name.clone().into(),
                report.what.words.into(),
                format!("{} → {}", report.what.source, report.what.target).into(),
                reached(&report.rto, failover),
                forecast(&report.rto, failover),
                reached(&report.rpo, failover),
                forecast(&report.rpo, failover),
                if good { end.into() } else { Cell::bad(end) },
            ]);
        }
        table
    }
}

fn reached(measure: &Measure, shown: bool) -> Cell {
    let Some(reached) = measure.reached.as_ref().filter(|_| shown) else {
        return "-".into();
    };
    match measure.met {
        Some(false) => Cell::bad(rough(reached)),
        _ => rough(reached).into(),
    }
}

fn forecast(measure: &Measure, shown: bool) -> Cell {
    let forecast = measure.forecast.as_ref().filter(|_| shown);
    forecast.map_or_else(|| "-".into(), |forecast| rough(forecast).into())
}
