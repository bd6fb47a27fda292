//! Runs that a change starts: what the operator would decide, asked of the same functions (PL-8).

use std::collections::BTreeMap;

use drover_api::common::{Direction, FailoverType, SiteRole};
use drover_api::value::MachineName;
use drover_api::{CommitPolicy, EstimateSource, IntentServed, RecoveryPlan, RecoveryPlanSpec};
use drover_world::{MachineId, PlanId};

use super::codes::{RUN_HELD, RUN_WOULD_START};
use super::meaning::{Class, RunAhead};
use super::sheet::Sheet;
use super::sides::{Key, Machine, Sides, View, machine_id, plan_id};
use super::words::{count, is_suspended, side};
use crate::decide::{self, Held, Served, Start};
use crate::plan::{Authority, Balance, Intent, Note, Outlook, Places, PlanReport, Verdict, wanted};
use crate::problem::FieldPath;

/// Machines that the declarations before have at the secondary site. All others are where they belong.
pub(super) struct Away<'a>(BTreeMap<(&'a str, &'a str, &'a MachineName), SiteRole>);

impl<'a> Away<'a> {
    pub(super) fn of(view: &View<'a>) -> Self {
        let mut away = BTreeMap::new();
        for (key, plan) in &view.declared.plans {
            let spec = &plan.object.spec;
            let elsewhere = spec.active_site == Some(SiteRole::Secondary)
                || spec
                    .overrides
                    .iter()
                    .any(|one| one.active_site == SiteRole::Secondary);
            if spec.active_site.is_none() || !elsewhere {
                continue;
            }
            for (machine, _) in view.machines_of(key.0, spec).0 {
                if wanted_of(spec, machine) == Some(SiteRole::Secondary) {
                    away.insert((key.0, machine.0, machine.1), SiteRole::Secondary);
                }
            }
        }
        Self(away)
    }

    fn of_machine(&self, namespace: &str, machine: Machine<'_>) -> SiteRole {
        let found = self.0.get(&(namespace, machine.0, machine.1));
        found.copied().unwrap_or(SiteRole::Primary)
    }
}

fn wanted_of(plan: &RecoveryPlanSpec, machine: Machine<'_>) -> Option<SiteRole> {
    wanted(plan, &machine.0.parse().ok()?, machine.1)
}

/// What becomes of a plan's machines.
pub(super) enum Ahead {
    /// They stay.
    Nothing,
    /// A run would start, or something holds it; that was said.
    Said,
}

/// Says which run of a plan a change starts.
pub(super) fn of_plan<'a>(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'a>,
    away: &Away<'a>,
    key: Key<'a>,
    before: Option<&RecoveryPlan>,
    after: &'a RecoveryPlan,
) -> Ahead {
    let (machines, _) = sides.after.machines_of(key.0, &after.spec);
    let at = |machine: &(Machine<'a>, &str)| (machine.0, away.of_machine(key.0, machine.0));
    let machines: Vec<(Machine<'a>, SiteRole)> = machines.iter().map(at).collect();
    let balance = balance(&machines, before.map(|plan| &plan.spec), &after.spec);
    let served = before.and_then(|plan| served(&plan.spec));
    let start = decide::start(&after.spec, &balance, served.as_ref(), false, sides.now)
        .unless_suspended(is_suspended(after.metadata.annotations.as_ref()), &balance);
    let places: Places = machines
        .iter()
        .filter_map(|(machine, at)| Some((machine_id(key.0, *machine)?, *at)))
        .collect::<Vec<(MachineId, SiteRole)>>()
        .into_iter()
        .collect();
    match start {
        Start::Nothing => Ahead::Nothing,
        // It had expired before, and that is not part of the change.
        Start::Held(Held::Expired { .. })
            if before.is_some_and(|before| before.spec == after.spec) =>
        {
            Ahead::Nothing
        }
        Start::Held(held) => {
            say_held(sheet, &held, before, after);
            Ahead::Said
        }
        Start::Due { to, .. } => {
            let Some(id) = plan_id(key) else {
                return Ahead::Nothing;
            };
            due(sheet, sides, &id, &places, (before, after), to);
            Ahead::Said
        }
    }
}

fn balance(
    machines: &[(Machine<'_>, SiteRole)],
    before: Option<&RecoveryPlanSpec>,
    after: &RecoveryPlanSpec,
) -> Balance {
    let mut balance = Balance::default();
    for (machine, at) in machines {
        if let Some(wanted) = wanted_of(after, *machine) {
            balance.count(wanted, Some(*at));
        }
    }
    // Nobody knows who they are, but that they are somewhere.
    if machines.is_empty()
        && let Some(wanted) = after.active_site
    {
        let at = before.and_then(|before| before.active_site);
        balance.count(wanted, Some(at.unwrap_or(SiteRole::Primary)));
    }
    balance
}

/// What was declared before counts as served.
fn served(before: &RecoveryPlanSpec) -> Option<Served> {
    let request = before.request.as_ref();
    Some(Served {
        intent: IntentServed {
            active_site: before.active_site?,
            overrides: before.overrides.clone(),
            request_id: request.map(|request| request.id.clone()),
            run: None,
        },
        more: false,
    })
}

fn say_held(
    sheet: &mut Sheet<'_>,
    held: &Held,
    before: Option<&RecoveryPlan>,
    after: &RecoveryPlan,
) {
    let class = match held {
        // It starts nothing now, and would as soon as that is over.
        Held::Suspended { .. } | Held::Expired { .. } => Class::WouldRun,
        Held::Adopted { .. } | Held::Served { .. } | Held::Unknown => Class::Harmless,
    };
    let mut effects = vec![held.to_string()];
    effects.extend(active_site(before, after));
    sheet
        .say(
            RUN_HELD,
            class,
            FieldPath::spec("activeSite"),
            "machines are elsewhere than declared, and nothing starts",
        )
        .effects(effects);
}

/// `activeSite: primary (seoul) → secondary (busan)`, where it changes.
fn active_site(before: Option<&RecoveryPlan>, after: &RecoveryPlan) -> Option<String> {
    let of = |plan: &RecoveryPlan| {
        let active = plan.spec.active_site;
        active.map_or_else(|| "unset".to_owned(), |role| side(&plan.spec.sites, role))
    };
    let old = before.map_or_else(|| "unset".to_owned(), of);
    let new = of(after);
    (old != new).then(|| format!("activeSite: {old} → {new}"))
}

fn due(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'_>,
    id: &PlanId,
    places: &Places,
    (before, after): (Option<&RecoveryPlan>, &RecoveryPlan),
    to: SiteRole,
) {
    let planner = sides.after.planner(sides.now, places);
    let path = FieldPath::spec("activeSite");
    let planned = planner.outlook(id, Some(to.other())).and_then(|outlook| {
        let report = match outlook.intent() {
            Some(intent) => Some((*intent, planner.plan(id, *intent)?)),
            None => None,
        };
        Ok((outlook, report))
    });
    let (outlook, report) = match planned {
        Ok(planned) => planned,
        Err(error) => {
            sheet
                .say(
                    RUN_HELD,
                    Class::WouldRun,
                    path,
                    "a run is due, and cannot be planned",
                )
                .effect(error.to_string());
            return;
        }
    };
    let Some((intent, report)) = report else {
        let mut effects = outlook.why_not();
        effects.extend(active_site(before, after));
        sheet
            .say(
                RUN_HELD,
                Class::WouldRun,
                path,
                "a run is due, and does not start",
            )
            .effects(effects);
        return;
    };
    let ahead = ahead(&report, &outlook, after);
    let message = message(&ahead);
    let mut effects = vec![in_numbers(&report, &ahead)];
    effects.extend(active_site(before, after));
    effects.extend(overridden(before.map(|plan| &plan.spec), &after.spec));
    effects.extend(by_request(&outlook, intent));
    effects.extend(ahead.waits.iter().map(|wait| format!("waits for {wait}")));
    effects.extend(after_it(&report));
    sheet
        .say(RUN_WOULD_START, Class::WouldRun, path, message)
        .effects(effects)
        .run(ahead);
}

fn ahead(report: &PlanReport, outlook: &Outlook, after: &RecoveryPlan) -> RunAhead {
    let mut waits: Vec<String> = match &outlook.verdict {
        Verdict::Run { waits, .. } => waits.iter().map(ToString::to_string).collect(),
        Verdict::Stays { .. } | Verdict::Held { .. } => Vec::new(),
    };
    for note in &report.notes {
        if let Note::ManualSteps { steps } = note {
            let steps = steps
                .iter()
                .map(|(group, action)| format!("{group}/{action}"));
            let steps: Vec<String> = steps.collect();
            waits.push(format!(
                "a person's approval of {}",
                super::words::names(&steps)
            ));
        }
    }
    if !report
        .notes
        .iter()
        .any(|note| matches!(note, Note::CommitsAtOnce { .. }))
    {
        waits.push(match (&after.spec.commit.policy, &after.spec.commit.soak) {
            (CommitPolicy::Automatic, Some(soak)) => {
                format!("{soak} of passing checks, and commits itself")
            }
            _ => "a person's commit in the end".to_owned(),
        });
    }
    let losses = report.groups.iter().flat_map(|group| &group.machines);
    let losses: Option<Vec<_>> = losses.map(|machine| machine.loss.clone()).collect();
    RunAhead {
        failover: report.failover,
        direction: report.direction,
        sites: report.sites.clone(),
        machines: report.machines,
        open: report.groups.iter().any(|group| !group.open.is_empty()),
        rto: report.forecast.rto.expected.value.clone(),
        source: report.forecast.rto.source,
        loss: losses.and_then(|losses| losses.into_iter().max()),
        waits,
    }
}

/// `a planned failover of 12 machines starts, seoul → busan`.
fn message(run: &RunAhead) -> String {
    let kind = match run.failover {
        FailoverType::Planned => "a planned",
        FailoverType::Unplanned => "an unplanned",
    };
    let way = match run.direction {
        Direction::ToSecondary => "failover",
        Direction::ToPrimary => "failback",
    };
    let machines = match (run.machines, run.open) {
        (0, true) => "machines that are not known here".to_owned(),
        (known, true) => format!("{} or more", count(known, "machine")),
        (known, false) => count(known, "machine"),
    };
    let (from, to) = (run.direction.source(), run.direction.target());
    format!(
        "{kind} {way} of {machines} starts, {} → {}",
        run.sites.at(from),
        run.sites.at(to)
    )
}

/// RTO and loss in one line, against what is aimed at.
fn in_numbers(report: &PlanReport, run: &RunAhead) -> String {
    let rto = &report.forecast.rto;
    let aim = match &rto.objective {
        Some(objective) if rto.expected.misses() => format!(", misses {objective}"),
        Some(objective) => format!(", within {objective}"),
        None => String::new(),
    };
    let source = match run.source {
        Some(EstimateSource::Recorded) => "recorded runs",
        Some(EstimateSource::Mixed) => "recorded runs and the fabric's figures",
        Some(EstimateSource::Fabric) => "the fabric's figures",
        None => "no machine is known",
    };
    let loss = match &run.loss {
        None => "the loss depends on the recovery point that is named".to_owned(),
        Some(loss) if loss.worst.is_zero() => "nothing is lost".to_owned(),
        Some(loss) => {
            let maximum = report.forecast.max_data_loss.as_ref();
            let limit = maximum.and_then(|maximum| maximum.limit.as_ref());
            let held = limit.map(|limit| format!(" (held above {limit})"));
            let held = held.unwrap_or_default();
            format!(
                "loses about {}, at worst {}{held}",
                loss.expected, loss.worst
            )
        }
    };
    format!("RTO about {} ({source}){aim}; {loss}", run.rto)
}

/// Exceptions that the run is about, or leaves out.
fn overridden(before: Option<&RecoveryPlanSpec>, after: &RecoveryPlanSpec) -> Vec<String> {
    let old = before.map_or(&[][..], |before| &before.overrides);
    super::rules::override_changes(old, &after.overrides, after)
}

fn by_request(outlook: &Outlook, intent: Intent) -> Option<String> {
    let Verdict::Run {
        by: Authority::Request { id },
        ..
    } = &outlook.verdict
    else {
        return None;
    };
    let stop = match (intent.failover.kind(), intent.failover.source_stop()) {
        (FailoverType::Planned, _) => "",
        (_, drover_api::common::SourceStop::Required) => "; the source must stop",
        (_, drover_api::common::SourceStop::Attempt) => "; stopping the source is tried",
        (_, drover_api::common::SourceStop::Skip) => "; the source is not stopped",
    };
    Some(format!("as request {id} asks{stop}"))
}

/// What should be read before anyone starts it.
fn after_it(report: &PlanReport) -> Vec<String> {
    let said = report.notes.iter().filter(|note| {
        matches!(
            note,
            Note::CommitsAtOnce { .. }
                | Note::NotProtectedAfter { .. }
                | Note::OneWay { .. }
                | Note::SourceSkipped
                | Note::StayingBehind { .. }
                | Note::FullCopy
        )
    });
    said.map(ToString::to_string).collect()
}
