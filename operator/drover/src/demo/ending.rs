//! What is shown at the end: when each act was, what each run reached, and whether all was as it must be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use drover_api::common::RunKind;
use drover_api::{MachineRun, RecoveryRun};
use kube::ResourceExt as _;

use super::scenery::Crossing;
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
    /// Its runs, oldest first.
    pub runs: Vec<RecoveryRun>,
    /// The journals of their machines.
    pub machines: Vec<MachineRun>,
    /// What happened that must never happen, in sentences.
    pub broken: Vec<String>,
    /// What kind of time it was, after "What happened".
    pub time: &'static str,
    /// When it ended.
    pub end: Duration,
}

impl Ending {
    /// What is wrong, in sentences; nothing where all is as it must be.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.broken.clone();
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
            Report::of(run, own)
        };
        self.runs.iter().map(report).collect()
    }

    /// The whole page.
    pub fn render(&self, style: Style) -> String {
        let mut page = format!(
            "\n{}\n",
            style.strong(format!("What happened{}", self.time))
        );
        page += &self.timeline().render(style, "  ");
        page.push('\n');
        page += &style.strong("What each run reached (and its forecast)");
        page.push('\n');
        page += &self.table().render(style, "  ");
        page += "\n";
        if !self.ledger.crossings.is_empty() {
            page += &style
                .strong("What the guests say: how far they counted, and how long they were silent");
            page.push('\n');
            page += &self.crossings().render(style, "  ");
            page += "\n";
        }
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

    fn crossings(&self) -> Table {
        let mut table = Table::new([
            Column::short("RUN"),
            Column::short("MACHINE"),
            Column::number("COUNTED TO"),
            Column::number("WENT ON FROM"),
            Column::number("LOST"),
            Column::number("SILENT"),
        ]);
        for (run, crossing) in &self.ledger.crossings {
            table.row(crossed(run, crossing));
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

fn crossed(run: &str, crossing: &Crossing) -> Vec<Cell> {
    let lost = match (crossing.lost_counts(), crossing.gaps) {
        (0, 0) => "0".into(),
        (0, gaps) => Cell::bad(format!("{gaps} before")),
        (lost, 0) => format!("{lost} ({:.1}s)", crossing.lost.as_secs_f64()).into(),
        (lost, gaps) => Cell::bad(format!("{lost}, {gaps} before")),
    };
    vec![
        run.to_owned().into(),
        crossing.machine.clone().into(),
        crossing.left.to_string().into(),
        crossing.entered.to_string().into(),
        lost,
        format!("{:.1}s", crossing.silent.as_secs_f64()).into(),
    ]
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
                crossings: Vec::new(),
            },
            runs: vec![planned.run],
            machines: planned.machines,
            broken: Vec::new(),
            time: "",
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
        ending.broken = vec!["single_active broke: db-1 ran at both sites".to_owned()];
        assert_eq!(
            ending.wrong(),
            ["single_active broke: db-1 ran at both sites"]
        );
        assert!(
            !ending
                .render(Style::new(false, 80))
                .contains("No invariant")
        );
    }

    #[test]
    fn guests_have_a_table_where_they_say_something() {
        let mut ending = ending();
        assert!(!page(&ending).contains("guests"));
        let crossing = Crossing {
            machine: "db-1".to_owned(),
            left: 230,
            entered: 214,
            gaps: 0,
            lost: Duration::from_millis(4100),
            silent: Duration::from_millis(15_250),
        };
        ending.ledger.crossings = vec![("shop-6".to_owned(), crossing)];
        let row = "  shop-6  db-1            230           214  16 (4.1s)   15.2s";
        assert!(page(&ending).contains(row), "{}", page(&ending));
    }

    fn page(ending: &Ending) -> String {
        ending.render(Style::new(false, 80))
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
