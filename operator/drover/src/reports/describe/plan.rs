//! A recovery plan.

use drover_api::{CommitPolicy, EstimateSource, MachineRun, RecoveryPlan, RecoveryRun};
use jiff::Timestamp;

use super::{deletion, observed, title, waiting};
use crate::reports::moments::{ago, rough};
use crate::reports::overview;
use crate::reports::page::{Mood, Page};
use crate::reports::waiting::waits;
use crate::reports::{evidence, progress, words};
use crate::text::{Column, Style, Table, count, elided};

/// What there is around a plan.
#[derive(Debug, Default)]
pub struct Around {
    /// The run that goes on, with the journals of its machines.
    pub current: Option<(RecoveryRun, Vec<MachineRun>)>,
    /// The last runs, newest first.
    pub last: Vec<RecoveryRun>,
}

/// Everything that matters of a plan.
pub fn plan(plan: &RecoveryPlan, around: &Around, now: Timestamp, style: Style) -> String {
    let run = around.current.as_ref().map(|(run, _)| run);
    let (state, note, attention) = overview::state(plan, run);
    let said = if note.is_empty() {
        state
    } else {
        format!("{state}, {note}")
    };
    let mood = if attention { Mood::Notable } else { Mood::Good };
    let mut page = Page::new(style, &title("RecoveryPlan", &plan.metadata), &said, mood);
    deletion(&mut page, &plan.metadata, now);
    let seen = plan
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    observed(&mut page, &plan.metadata, seen);
    declared(&mut page, plan, now);
    forecast(&mut page, plan, now);
    if let Some((run, machines)) = &around.current {
        current(&mut page, run, machines, now);
    }
    drift(&mut page, plan, now);
    if let Some(status) = &plan.status {
        page.conditions(&status.conditions, now);
    }
    history(&mut page, &around.last, now);
    page.finish()
}

fn declared(page: &mut Page, plan: &RecoveryPlan, now: Timestamp) {
    let (spec, status) = (&plan.spec, plan.status.as_ref());
    let declared = match spec.active_site {
        Some(role) => format!("{} ({})", role.as_str(), spec.sites.at(role)),
        None => "nowhere: the plan only drills and forecasts".to_owned(),
    };
    page.fact("declared", declared);
    page.fact(
        "actual",
        words::actual(status.and_then(|status| status.active_site), &spec.sites),
    );
    let overrides = spec.overrides.iter();
    let overrides: Vec<String> = overrides
        .map(|each| format!("{} at {}", each.machine, each.active_site.as_str()))
        .collect();
    if !overrides.is_empty() {
        page.fact("overrides", elided(&overrides, 5));
    }
    if let Some(request) = &spec.request {
        let expiry = if request.expires <= now {
            "expired".to_owned()
        } else {
            format!("expires in {}", ago(now, request.expires))
        };
        page.fact(
            "request",
            format!("{} ({:?}), {expiry}", request.id, request.kind),
        );
    }
    if let Some(served) = status.and_then(|status| status.intent_served.as_ref()) {
        let request = served.request_id.as_ref();
        let request = request
            .map(|id| format!(", request {id}"))
            .unwrap_or_default();
        let site = served.active_site.as_str();
        let run = served.run.as_ref().map_or_else(
            || "found as it is, without a run".to_owned(),
            |run| format!("by {run}"),
        );
        page.fact("last served", format!("{site}{request}, {run}"));
    }
    let commit = match (&spec.commit.policy, &spec.commit.soak) {
        (CommitPolicy::Automatic, Some(soak)) => format!("automatic, after {soak} of health"),
        (CommitPolicy::Automatic, None) => "automatic".to_owned(),
        (CommitPolicy::Manual, _) => "by a person".to_owned(),
    };
    page.fact("commit", commit);
    let actions: usize = spec
        .groups
        .iter()
        .map(|group| group.before.len() + group.after.len())
        .sum();
    page.fact(
        "groups",
        format!(
            "{}, {}",
            count(spec.groups.len(), "group"),
            count(actions, "action")
        ),
    );
    if let Some(at) = status.and_then(|status| status.last_green_drill) {
        page.fact("last drill", format!("passed {} ago", ago(at, now)));
    }
}

fn forecast(page: &mut Page, plan: &RecoveryPlan, _now: Timestamp) {
    let objectives = plan.spec.objectives.as_ref();
    let Some(forecast) = plan
        .status
        .as_ref()
        .and_then(|status| status.forecast.as_ref())
    else {
        if let Some(objectives) = objectives {
            let text = |each: &Option<drover_api::value::Duration>| {
                each.as_ref()
                    .map_or_else(|| "-".to_owned(), ToString::to_string)
            };
            page.fact(
                "objectives",
                format!(
                    "RTO {}, RPO {}",
                    text(&objectives.rto),
                    text(&objectives.rpo)
                ),
            );
        }
        return;
    };
    let source = match forecast.source {
        EstimateSource::Recorded => "from recorded runs",
        EstimateSource::Fabric => "from the fabric's figures",
        EstimateSource::Mixed => "from recorded runs and the fabric's figures",
    };
    page.fact(
        "forecast",
        format!(
            "{}, {source}",
            count(usize::try_from(forecast.waves).unwrap_or(0), "wave")
        ),
    );
    let measures = [
        (
            "RTO",
            &forecast.rto,
            objectives.and_then(|each| each.rto.as_ref()),
        ),
        (
            "RPO",
            &forecast.rpo,
            objectives.and_then(|each| each.rpo.as_ref()),
        ),
    ];
    for (name, expected, objective) in measures {
        let missed = objective.is_some_and(|objective| expected > objective);
        let against = objective
            .map(|objective| format!(", the objective is {objective}"))
            .unwrap_or_default();
        page.fact_as(
            name,
            format!("{} expected{against}", rough(expected)),
            if missed { Mood::Bad } else { Mood::Plain },
        );
    }
}

fn current(page: &mut Page, run: &RecoveryRun, machines: &[MachineRun], now: Timestamp) {
    let name = run.metadata.name.as_deref().unwrap_or_default();
    let way = words::way(&run.spec.sites, run.spec.direction);
    page.section(&format!("Run {name}: {}, {way}", words::what(&run.spec)));
    page.fact("phase", progress::in_one_line(run));
    if let Some(started) = evidence::started(run) {
        page.fact("running for", ago(started, now));
    }
    page.table(&groups(run, machines));
    waiting(page, &waits(run), now);
}

/// The groups of a run and how far they are.
pub(super) fn groups(run: &RecoveryRun, machines: &[MachineRun]) -> Table {
    let mut table = Table::new([
        Column::number("WAVE"),
        Column::text("GROUP"),
        Column::number("MACHINES"),
        Column::number("LEFT"),
        Column::number("HEALTHY"),
        Column::number("FAILED"),
        Column::short("STATE"),
    ]);
    for group in progress::groups(run, machines) {
        table.row(vec![
            group.wave.to_string().into(),
            group.name.into(),
            group.machines.to_string().into(),
            group.left.to_string().into(),
            group.healthy.to_string().into(),
            match group.failed {
                0 => "0".into(),
                number => crate::text::Cell::bad(number.to_string()),
            },
            group.standing.as_str().into(),
        ]);
    }
    table
}

fn drift(page: &mut Page, plan: &RecoveryPlan, now: Timestamp) {
    let drift = plan.status.as_ref().map(|status| status.drift.as_slice());
    if let Some(drift) = drift.filter(|drift| !drift.is_empty()) {
        page.section("Declared and actual differ");
        page.list(drift, Mood::Notable);
    }
    let differences = plan.status.iter().flat_map(|status| &status.differences);
    let words = differences.map(|each| {
        let since = ago(each.since, now);
        format!(
            "{:?} ({}), for {since}: {}",
            each.kind, each.count, each.message
        )
    });
    let words: Vec<String> = words.collect();
    if !words.is_empty() {
        page.section("Differs from what is declared");
        page.list(&words, Mood::Notable);
        page.command(&format!(
            "drover drift --plan {}/{}",
            plan.metadata.namespace.as_deref().unwrap_or("default"),
            plan.metadata.name.as_deref().unwrap_or_default()
        ));
    }
}

fn history(page: &mut Page, runs: &[RecoveryRun], now: Timestamp) {
    if runs.is_empty() {
        return;
    }
    page.section("Last runs");
    let mut table = Table::new([
        Column::short("RUN"),
        Column::text("WHAT"),
        Column::text("WAY"),
        Column::short("PHASE"),
        Column::number("RTO"),
        Column::number("RPO"),
        Column::number("BEGAN"),
    ]);
    for run in runs {
        let status = run.status.as_ref();
        let measure = |duration: Option<&drover_api::value::Duration>| {
            duration.map_or_else(|| "-".to_owned(), rough)
        };
        table.row(vec![
            run.metadata.name.clone().unwrap_or_default().into(),
            words::what(&run.spec).into(),
            words::way(&run.spec.sites, run.spec.direction).into(),
            format!("{:?}", run.phase()).into(),
            measure(status.and_then(|status| status.rto.as_ref())).into(),
            measure(status.and_then(|status| status.rpo.as_ref())).into(),
            evidence::started(run)
                .map_or_else(|| "-".to_owned(), |at| format!("{} ago", ago(at, now)))
                .into(),
        ]);
    }
    page.table(&table);
}
