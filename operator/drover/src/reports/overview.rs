//! How everything stands, on one screen.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use drover_api::conditions::{CONTESTED, Condition, DRIFTED, FAILOVER_READY, READY, STALLED};
use drover_api::{MachinePhase, ProtectedMachine, RecoveryPlan, RecoveryRun, Site};
use jiff::Timestamp;
use serde::Serialize;

use super::moments;
use super::page::is_wrong;
use super::progress;
use super::waiting::{Waiting, waits};
use super::words::{actual_word, condition, holds, is_over};
use crate::text::{Cell, Column, Style, Table, wrapped};

/// How everything stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// The recovery plans.
    pub plans: Vec<PlanRow>,
    /// Sites.
    pub sites: Vec<SiteRow>,
    /// Machines by phase.
    pub machines: BTreeMap<MachinePhase, usize>,
    /// What waits for a person.
    pub waiting: Vec<Waiting>,
}

/// A recovery plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where it is declared to be active.
    pub declared: Option<&'static str>,
    /// Where its machines are.
    pub actual: &'static str,
    /// How it stands, in a word.
    pub state: String,
    /// The run that goes on.
    pub run: Option<String>,
    /// What there is to know.
    pub note: String,
    /// Whether somebody should look.
    pub attention: bool,
}

/// A site.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SiteRow {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub reachable: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Machines seen there.
    pub machines: Option<u32>,
}

impl Overview {
    /// How these stand.
    pub fn of(
        plans: &[RecoveryPlan],
        runs: &[RecoveryRun],
        machines: &[ProtectedMachine],
        sites: &[Site],
    ) -> Self {
        let open: Vec<&RecoveryRun> = runs.iter().filter(|run| !is_over(run)).collect();
        let mut by_phase = BTreeMap::new();
        for machine in machines {
            let phase = machine.status.as_ref().map(|status| status.phase);
            *by_phase.entry(phase.unwrap_or_default()).or_insert(0) += 1;
        }
        Self {
            plans: plans.iter().map(|plan| plan_row(plan, &open)).collect(),
            sites: sites.iter().map(site_row).collect(),
            machines: by_phase,
            waiting: open.iter().flat_map(|run| waits(run)).collect(),
        }
    }
}

fn plan_row(plan: &RecoveryPlan, open: &[&RecoveryRun]) -> PlanRow {
    let nothing = drover_api::RecoveryPlanStatus::default();
    let status = plan.status.as_ref().unwrap_or(&nothing);
    let metadata = &plan.metadata;
    let run = status.current_run.as_ref().and_then(|name| {
        let is = |run: &&&RecoveryRun| {
            run.metadata.name.as_deref() == Some(name.as_str())
                && run.metadata.namespace == metadata.namespace
        };
        open.iter().find(is).copied()
    });
    let (state, note, attention) = state(plan, run);
    PlanRow {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        declared: plan
            .spec
            .active_site
            .map(drover_api::common::SiteRole::as_str),
        actual: actual_word(status.active_site),
        state,
        run: status.current_run.as_ref().map(ToString::to_string),
        note,
        attention,
    }
}

/// How a plan stands, what there is to know, and whether somebody should look.
pub fn state(plan: &RecoveryPlan, run: Option<&RecoveryRun>) -> (String, String, bool) {
    if let Some(run) = run {
        let waits = waits(run);
        let note = waits
            .first()
            .map_or_else(|| progress::in_one_line(run), |wait| wait.what.clone());
        return (format!("{:?}", run.phase()), note, !waits.is_empty());
    }
    let Some(status) = &plan.status else {
        return ("New".to_owned(), "nobody looked at it yet".to_owned(), true);
    };
    let conditions = &status.conditions;
    for kind in [CONTESTED, STALLED, DRIFTED] {
        if holds(conditions, kind) {
            return (kind.to_owned(), message(conditions, kind), true);
        }
    }
    match condition(conditions, READY) {
        Some(ready) if ready.status == "True" => match condition(conditions, FAILOVER_READY) {
            Some(able) if is_wrong(able) => ("NotAble".to_owned(), able.message.clone(), true),
            _ => ("Ready".to_owned(), String::new(), false),
        },
        Some(ready) => ("NotReady".to_owned(), ready.message.clone(), true),
        None => ("New".to_owned(), "nobody looked at it yet".to_owned(), true),
    }
}

fn message(conditions: &[Condition], kind: &str) -> String {
    condition(conditions, kind)
        .map(|each| each.message.clone())
        .unwrap_or_default()
}

fn site_row(site: &Site) -> SiteRow {
    let status = site.status.as_ref();
    let reach = status.and_then(|status| status.reachability.as_ref());
    SiteRow {
        name: site.metadata.name.clone().unwrap_or_default(),
        reachable: reach.map_or_else(|| "-".to_owned(), |reach| format!("{:?}", reach.state)),
        since: reach.map(|reach| reach.since),
        machines: status
            .and_then(|status| status.inventory.as_ref())
            .map(|inventory| inventory.machines),
    }
}

/// The overview for a person.
pub fn render(overview: &Overview, everywhere: bool, now: Timestamp, style: Style) -> String {
    let mut text = plans(overview, everywhere, style);
    if !overview.waiting.is_empty() {
        let _ = writeln!(text, "\n{}", style.notable("Waiting for a person"));
        for wait in &overview.waiting {
            text.push_str(&wrapped(&wait.sentence(now), style.width(), "  - ", "    "));
            text.push('\n');
            for command in &wait.release {
                let _ = writeln!(text, "      {}", style.strong(command));
            }
        }
    }
    if !overview.machines.is_empty() {
        let _ = writeln!(text, "\n{}", style.strong("Machines"));
        let phases = overview.machines.iter();
        let phases: Vec<String> = phases
            .map(|(phase, number)| format!("{number} {phase:?}"))
            .collect();
        text.push_str(&wrapped(&phases.join(", "), style.width(), "  ", "  "));
        text.push('\n');
    }
    if !overview.sites.is_empty() {
        let _ = writeln!(text, "\n{}", style.strong("Sites"));
        text.push_str(&sites(overview, now, style));
    }
    text
}

fn plans(overview: &Overview, everywhere: bool, style: Style) -> String {
    let mut table = Table::new([
        // Cut, it could not be given to a command.
        Column::short("PLAN"),
        Column::short("DECLARED"),
        Column::short("ACTUAL"),
        Column::short("STATE"),
        Column::short("RUN"),
        Column::wrapped("NOTE"),
    ]);
    for row in &overview.plans {
        let name = if everywhere {
            format!("{}/{}", row.namespace, row.name)
        } else {
            row.name.clone()
        };
        let agrees = row.declared.is_none_or(|declared| declared == row.actual);
        let state = row.state.clone();
        table.row(vec![
            name.into(),
            row.declared.unwrap_or("-").into(),
            if agrees {
                row.actual.into()
            } else {
                Cell::notable(row.actual)
            },
            if row.attention {
                Cell::notable(state)
            } else {
                state.into()
            },
            row.run.clone().unwrap_or_else(|| "-".to_owned()).into(),
            row.note.clone().into(),
        ]);
    }
    table.render(style, "")
}

fn sites(overview: &Overview, now: Timestamp, style: Style) -> String {
    let mut table = Table::new([
        Column::short("SITE"),
        Column::short("REACHABLE"),
        Column::number("FOR"),
        Column::number("MACHINES"),
    ]);
    for site in &overview.sites {
        let reachable = site.reachable.clone();
        table.row(vec![
            site.name.clone().into(),
            if reachable == "Reachable" {
                reachable.into()
            } else {
                Cell::bad(reachable)
            },
            site.since
                .map_or_else(|| "-".to_owned(), |since| moments::ago(since, now))
                .into(),
            site.machines
                .map_or_else(|| "-".to_owned(), |number| number.to_string())
                .into(),
        ]);
    }
    table.render(style, "  ")
}
