//! A drift report for people: on a terminal, for an issue tracker, for a browser.
//!
//! What differs, what it means and what to do is the engine's word; here it is put in order. All three forms
//! show the same sections, and in each the differences of one kind together, so that what it means and what to
//! do is said once and not for each of a thousand machines.

pub mod markdown;
pub mod page;
pub mod text;

use drover_api::{DriftKind, DriftSeverity};
use drover_engine::drift::{Counts, Finding, LEVELS, OfPlan, OfSite, Report, remedy};

use crate::reports::moments::ago;
use crate::reports::words::actual;
use crate::text::{count, elided, thousands};

/// A plan, a site, or what belongs to no plan.
#[derive(Debug)]
pub struct Section<'a> {
    /// What it is of.
    pub title: String,
    /// How it stands, in a line.
    pub lead: String,
    /// Its differences, by kind, the worst first.
    pub kinds: Vec<OfKind<'a>>,
    /// What is counted and not listed.
    pub more: Option<String>,
}

/// Differences of one kind.
#[derive(Debug)]
pub struct OfKind<'a> {
    /// What differs.
    pub kind: DriftKind,
    /// How much it matters.
    pub severity: DriftSeverity,
    /// What it means.
    pub meaning: &'a str,
    /// What a person does about it.
    pub remedy: String,
    /// Each of them.
    pub findings: &'a [Finding],
}

/// What of a report is worth a section: where something differs.
pub fn sections(report: &Report) -> Vec<Section<'_>> {
    let plans = report.plans.iter().filter(|plan| !plan.findings.is_empty());
    let sites = report.sites.iter().filter(|site| !site.findings.is_empty());
    let lone = (!report.without_plan.is_empty()).then(|| Section {
        title: "Without a plan".to_owned(),
        lead: "machines of groups that no recovery plan names".to_owned(),
        kinds: by_kind(&report.without_plan),
        more: None,
    });
    plans
        .map(of_plan)
        .chain(lone)
        .chain(sites.map(of_site))
        .collect()
}

fn of_plan(plan: &OfPlan) -> Section<'_> {
    let declared = plan.declared.map_or_else(
        || "no active site is declared".to_owned(),
        |role| format!("declared {} ({})", role.as_str(), plan.sites.at(role)),
    );
    let run = plan.run.as_ref();
    let run = run.map(|run| format!("; run {run} goes on, and what it changes is no drift"));
    Section {
        title: plan.plan.to_string(),
        lead: format!(
            "{}; {declared}, is {}{}",
            count(plan.machines, "machine"),
            actual(plan.actual, &plan.sites),
            run.unwrap_or_default()
        ),
        kinds: by_kind(&plan.findings),
        more: None,
    }
}

fn of_site(site: &OfSite) -> Section<'_> {
    let number = |of: u32| usize::try_from(of).unwrap_or(usize::MAX);
    let seen = site
        .machines
        .map(|machines| count(number(machines), "machine"));
    let seen = seen.unwrap_or_else(|| "its machines were never seen".to_owned());
    let lead = match site.unprotected {
        0 => seen,
        open => format!(
            "{seen}, {} of them protected by nobody",
            thousands(number(open))
        ),
    };
    let left_out = number(site.not_listed);
    Section {
        title: format!("Site {}", site.site),
        lead,
        kinds: by_kind(&site.findings),
        more: (left_out > 0).then(|| {
            format!(
                "{} more that nobody protects are not listed",
                thousands(left_out)
            )
        }),
    }
}

fn by_kind(findings: &[Finding]) -> Vec<OfKind<'_>> {
    let same =
        |one: &Finding, other: &Finding| one.kind == other.kind && one.severity == other.severity;
    let kinds = findings.chunk_by(same).filter_map(|findings| {
        let first = findings.first()?;
        Some(OfKind {
            kind: first.kind,
            severity: first.severity,
            meaning: first.meaning,
            remedy: match findings {
                [one] => one.remedy.clone(),
                _ => remedy(first.kind, None),
            },
            findings,
        })
    });
    kinds.collect()
}

/// `critical`, `warning` or `info`.
pub fn level(severity: DriftSeverity) -> &'static str {
    match severity {
        DriftSeverity::Critical => "critical",
        DriftSeverity::Warning => "warning",
        DriftSeverity::Info => "info",
    }
}

/// `2 critical, 1 warning`; `no drift` where there is none.
pub fn tally(counts: &Counts) -> String {
    let parts = LEVELS.iter().filter_map(|severity| {
        let number = counts.at(*severity);
        let plural = if number > 1 && *severity == DriftSeverity::Warning {
            "s"
        } else {
            ""
        };
        (number > 0).then(|| format!("{} {}{plural}", thousands(number), level(*severity)))
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        "no drift".to_owned()
    } else {
        parts.join(", ")
    }
}

/// What was looked at: `12 machines in 1 plan, 2 sites`.
pub fn scope(report: &Report) -> String {
    format!(
        "{}, {}, {}",
        count(report.machines, "machine"),
        count(report.plans.len(), "plan"),
        count(report.sites.len(), "site")
    )
}

/// The plans of which nothing is said, as long as they can be named.
fn as_declared(report: &Report) -> Option<String> {
    let plans = report.plans.iter().filter(|plan| plan.findings.is_empty());
    let plans: Vec<String> = plans.map(|plan| plan.plan.to_string()).collect();
    (!plans.is_empty()).then(|| format!("as declared: {}", elided(&plans, 10)))
}

/// What is said of no difference by itself, each in a line: what is as declared, and what is not known.
pub fn remarks(report: &Report) -> Vec<String> {
    let lines = [as_declared(report), not_judged(report), silent(report)];
    lines.into_iter().flatten().collect()
}

/// That the operator is not heard of.
fn silent(report: &Report) -> Option<String> {
    let since = report.silent_since()?;
    Some(format!(
        "Drover is silent: it was last heard of {} ago, what it recorded may be as old",
        ago(since, report.at)
    ))
}

/// What the operator has not looked at as it is declared now.
fn not_judged(report: &Report) -> Option<String> {
    let names = report
        .not_judged
        .iter()
        .map(|each| format!("{} {}", each.subject.kind, each.subject.name));
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| {
        format!(
            "not judged yet as {} now: {}",
            if names.len() == 1 {
                "it is declared"
            } else {
                "they are declared"
            },
            elided(&names, 5)
        )
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
