//! What is shown at the end: when each act was, what each run reached, and whether all was as it must be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
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
        page.push('\n');
        page += &style.strong("What each run reached (and its forecast)");
        page.push('\n');
        page += &self.table().render(style, "  ");
        page += "\n";
        let checks = self.ledger.checks.len();
        let wrong = self.wrong();
        if wrong.is_empty() {
            let text = format!(
                "No invariant broke, and all {} held.",
                count(checks, "check")
            );
            page += &style.good(text);
            page.push('\n');
        }
        for sentence in wrong {
            page += &style.bad(sentence);
            page.push('\n');
        }
        page
    }

    fn timeline(&self) -> Table {
        let mut table = Table::new([
            Column::number("AT"),
            Column::number("TOOK"),
            Column::wrapped("WHAT"),
        ]);
        let next = self.ledger.acts.iter().skip(1).map(|(at, _)| *at);
        let ends = next.chain([self.end]);
        for ((at, what), end) in self.ledger.acts.iter().zip(ends) {
            let took = drover_api::value::Duration::from_secs(end.saturating_sub(*at).as_secs());
            table.row(vec![stamp(*at).into(), rough(&took).into(), (*what).into()]);
        }
        table
    }

    /// In brackets: what was forecast when the run was compiled.
    fn table(&self) -> Table {
        let mut table = Table::new([
            Column::short("RUN"),
            Column::short("WHAT"),
            Column::short("WAY"),
            Column::number("RTO"),
            Column::number("RPO"),
            Column::short("END"),
        ]);
        for report in self.reports() {
            let end = format!("{:?}", report.result.phase);
            let good = report.result.verdict == Verdict::Succeeded;
            let starts = report.what.kind != RunKind::Reprotect;
            table.row(vec![
                report.run.name.clone().into(),
                report.what.words.into(),
                format!("{} → {}", report.what.source, report.what.target).into(),
                measured(&report.rto, starts),
                measured(&report.rpo, starts),
                if good { end.into() } else { Cell::bad(end) },
            ]);
        }
        table
    }
}

fn measured(measure: &Measure, shown: bool) -> Cell {
    let Some(reached) = measure.reached.as_ref().filter(|_| shown) else {
        return "-".into();
    };
    let mut text = rough(reached);
    if let Some(forecast) = &measure.forecast {
        let _ = write!(text, " ({})", rough(forecast));
    }
    match measure.met {
        Some(false) => Cell::bad(text),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::script::Check;
    use crate::reports::fixtures;

    fn ending() -> Ending {
        let planned = fixtures::planned();
        Ending {
            ledger: Ledger {
                acts: vec![(Duration::ZERO, "Protect")],
                checks: vec![Check {
                    what: "nothing is lost".to_owned(),
                    holds: true,
                }],
            },
            plan: planned.plan,
            runs: vec![planned.run],
            machines: planned.machines,
            violations: Vec::new(),
            end: Duration::from_secs(90),
        }
    }

    #[test]
    fn all_is_well_only_when_nothing_is_wrong() {
        assert_eq!(ending().wrong(), Vec::<String>::new());
        let page = ending().render(Style::new(false, 80));
        assert!(
            page.contains("No invariant broke, and all 1 check held."),
            "{page}"
        );
    }

    #[test]
    fn a_broken_invariant_is_wrong() {
        let mut ending = ending();
        ending.violations.push(Violation {
            invariant: "single_active".to_owned(),
            site: "seoul".parse().unwrap(),
            machine: "db-1".parse().unwrap(),
            message: "it may serve at both sites".to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            accepted: false,
        });
        let wrong = ending.wrong();
        assert_eq!(
            wrong,
            ["single_active broke: db-1 at seoul: it may serve at both sites"]
        );
        assert!(
            !ending
                .render(Style::new(false, 80))
                .contains("No invariant")
        );
    }

    #[test]
    fn a_check_that_fails_and_a_run_that_hangs_are_wrong() {
        let mut one = ending();
        one.ledger.checks[0].holds = false;
        assert_eq!(one.wrong(), ["not so: nothing is lost"]);
        let mut other = ending();
        other.runs.push(fixtures::halted().run);
        assert_eq!(other.wrong(), ["run shop-9 ended as Halted"]);
    }
}
