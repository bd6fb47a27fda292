//! `drover plan`: whether runs would start, and what they would do.
//!
//! For programs there is a `PlanReport`. With `--summary` the plans have no `report`, `digest` and
//! `noDigest`; everything else is the same however many plans there are:
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/v1alpha1",
//!   "kind": "PlanReport",
//!   "summary": { "files": 6, "documents": 9, "objects": 9, "ignored": 0, "ignoredFiles": 0,
//!                "errors": 0, "warnings": 0, "checked": true },
//!   "problems": [],
//!   "plans": [{
//!     "plan": { "namespace": "shop", "name": "shop" },
//!     "outlook": { "declared": "secondary", "actual": "primary", "assumed": true,
//!                  "verdict": { "verdict": "run", "intent": {}, "by": { "by": "standingRule" } } },
//!     "preview": false,
//!     "sites": { "primary": "seoul", "secondary": "busan" },
//!     "direction": "ToSecondary", "failover": "Planned", "refusals": [],
//!     "machines": 12, "open": false, "groups": 2, "waves": 2,
//!     "forecast": {}, "digest": "sha256:...", "report": {}
//!   }],
//!   "failures": []
//! }
//! ```
//!
//! `problems` are those of a `ValidateReport`; where one of them is an error there are no plans.
//! `failures` are plans that could not be laid out.

mod keeping;

use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_engine::plan::{Places, Planner, Records};
use drover_manifest::Diagnostic;
use drover_world::PlanId;
use serde::Serialize;

pub use keeping::read as read_reviewed;

use super::{read, refuse, shown, summary};
use crate::cli::{Plan, PlanFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::manifests::{Findings, Manifests, Summary};
use crate::output::Output;
use crate::plans::limits::Limits;
use crate::plans::select::select;
use crate::plans::survey::{self, Laid, Question, Row, Standing};
use crate::plans::{markdown, text, words};
use crate::report::Report;
use crate::text::count;

#[derive(Debug, Serialize)]
struct Body<'a, P> {
    summary: Summary,
    problems: &'a [Diagnostic],
    plans: &'a [P],
    failures: Vec<String>,
}

/// Plans in detail in a comment; there is seldom room for more.
const DETAILS_IN_MARKDOWN: usize = 40;

/// Shows what runs would do.
///
/// # Errors
/// When manifests cannot be read, or there is no such plan.
pub fn run(arguments: &Plan, output: &mut Output) -> Result<Exit, Failure> {
    let files = read(&arguments.input.paths, output)?;
    let manifests = Manifests::load(&files)?;
    let declared = Declared::new(&manifests.objects);
    let inventories = declared_inventories(&declared);
    let now = arguments.input.now();
    let findings = manifests.check(&declared, &inventories, now);
    if findings.has_errors() {
        return wrong(arguments, &manifests, &findings, output);
    }
    let planner = Planner {
        declared: &declared,
        inventories: &inventories,
        records: &Records::NONE,
        places: &Places::NONE,
        now: Some(now),
    };
    if let Some(path) = &arguments.reviewed {
        return keeping::compare(&planner, path, arguments.format, output);
    }
    let plans = select(&declared, &arguments.plans)?;
    let survey = Survey {
        arguments,
        planner: &planner,
        findings: &findings,
        question: Question {
            to: arguments.to.map(Into::into),
            kind: arguments.kind.map(Into::into),
            actual: arguments.actual.map(Into::into),
        },
    };
    let exit = survey.run(&plans, output)?;
    if let Some(path) = &arguments.out {
        keeping::keep(&planner, &plans, survey.question, now, path, output)?;
    }
    Ok(exit)
}

/// Manifests that are wrong are not planned. The problems are the answer, in the form that was asked
/// for; as text they are talk, so that whoever reads standard output gets plans or nothing.
fn wrong(
    arguments: &Plan,
    manifests: &Manifests<'_>,
    findings: &Findings,
    output: &mut Output,
) -> Result<Exit, Failure> {
    match arguments.format {
        PlanFormat::Text => {
            let problems = shown(findings, manifests, output.talk_style());
            output.talk(&problems);
        }
        PlanFormat::Json => {
            let body: Body<'_, Row> = Body {
                summary: findings.summary,
                problems: &findings.problems,
                plans: &[],
                failures: Vec::new(),
            };
            output.json(&Report::new("PlanReport", body))?;
        }
        PlanFormat::Markdown => {
            output.data(&markdown::refusal(&findings.problems, &summary(findings)))?;
        }
    }
    refuse(findings, output);
    Ok(Exit::Wrong)
}

/// What is asked about the plans, and of whom.
struct Survey<'a> {
    arguments: &'a Plan,
    planner: &'a Planner<'a>,
    findings: &'a Findings,
    question: Question,
}

impl Survey<'_> {
    fn run(&self, plans: &[PlanId], output: &mut Output) -> Result<Exit, Failure> {
        let mut failures = Vec::new();
        let mut rows = Vec::with_capacity(plans.len());
        for plan in plans {
            match survey::row(self.planner, plan, self.question) {
                Ok(row) => rows.push(row),
                Err(failure) => failures.push(failure),
            }
        }
        survey::sort(&mut rows);
        match self.arguments.format {
            PlanFormat::Text => self.text(&rows, output)?,
            PlanFormat::Json => self.json(&rows, &failures, output)?,
            PlanFormat::Markdown => {
                let details = self.details(&rows, DETAILS_IN_MARKDOWN)?;
                let warnings = self.findings.summary.warnings;
                output.data(&markdown::comment(&rows, &details, warnings))?;
            }
        }
        self.talk(&rows, &failures, output);
        Ok(self.exit(&rows, &failures))
    }

    fn text(&self, rows: &[Row], output: &mut Output) -> Result<(), Failure> {
        let (style, limits) = (output.data_style(), self.limits());
        let table = rows.len() > 1 || self.arguments.summary;
        if table && !rows.is_empty() {
            output.data(&text::overview(rows, style, limits))?;
        }
        for (position, laid) in self.details(rows, limits.details)?.iter().enumerate() {
            if table || position > 0 {
                output.data("\n")?;
            }
            output.data(&text::details(laid, style, limits))?;
        }
        let more = rows.len().saturating_sub(limits.details);
        if more > 0 && !self.arguments.summary {
            let more = count(more, "more plan");
            output.data(&format!(
                "\n{more} without details here: --plan NAMESPACE/NAME shows one, --full all\n"
            ))?;
        }
        Ok(())
    }

    fn json(&self, rows: &[Row], failures: &[Failure], output: &mut Output) -> Result<(), Failure> {
        if self.arguments.summary {
            return output.json(&self.report(rows, failures));
        }
        let all = self.details(rows, usize::MAX)?;
        output.json(&self.report(&all, failures))
    }

    fn report<'s, P>(&'s self, plans: &'s [P], failures: &[Failure]) -> Report<Body<'s, P>> {
        let body = Body {
            summary: self.findings.summary,
            problems: &self.findings.problems,
            plans,
            failures: failures.iter().map(Failure::in_one_line).collect(),
        };
        Report::new("PlanReport", body)
    }

    fn details(&self, rows: &[Row], most: usize) -> Result<Vec<Laid>, Failure> {
        let rows = rows.iter().take(most);
        rows.map(|row| survey::laid(self.planner, &row.plan, self.question))
            .collect()
    }

    fn limits(&self) -> Limits {
        match (self.arguments.summary, self.arguments.full) {
            (true, _) => Limits::SUMMARY,
            (_, true) => Limits::NONE,
            _ => Limits::USUAL,
        }
    }

    fn talk(&self, rows: &[Row], failures: &[Failure], output: &mut Output) {
        for failure in failures {
            output.failure(failure);
        }
        let warnings = self.findings.summary.warnings;
        if warnings > 0 {
            let warnings = count(warnings, "warning");
            output.talk(&format!("{warnings}: `drover validate` shows them"));
        }
        // Where a plan failed, that was said, and the numbers would say less than all.
        if failures.is_empty() || !rows.is_empty() {
            output.talk(&words::tally(rows));
        }
    }

    /// A preview starts nothing, so there is nothing to see either.
    fn exit(&self, rows: &[Row], failures: &[Failure]) -> Exit {
        if !failures.is_empty() {
            return Exit::Wrong;
        }
        let starts = rows.iter().any(|row| row.standing() == Standing::Starts);
        if starts && !self.question.is_preview() {
            Exit::Seen
        } else {
            Exit::Fine
        }
    }
}
