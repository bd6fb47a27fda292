//! From a resolved plan to its report: work, schedule, names.

use drover_api::Action;
use drover_api::EstimateSource;
use drover_api::common::SourceStop;
use drover_api::value::{Duration, GroupName, MachineName, StepName};
use drover_world::{Estimate, MachineId, PlanId};

use super::{
    ActionReport, CriticalStep, GroupReport, MachineReport, Phase, PhaseReport, PlanReport, Span,
    StepReport, notes,
};
use crate::plan::{
    CriticalItem, GroupWork, Intent, Leave, Loss, MachineWork, Millis, PlanError, Planner,
    Resolved, ResolvedGroup, ResolvedMachine, Schedule, Step, Times, Work, expected_length,
    forecast, limits, outlook, refusals, schedule,
};

/// The report of what a run would do.
pub(in crate::plan) fn of(
    planner: &Planner<'_>,
    id: &PlanId,
    intent: Intent,
    resolved: &Resolved<'_>,
) -> Result<PlanReport, PlanError> {
    let plan = resolved.plan;
    let actions = resolved
        .groups
        .iter()
        .map(|group| actions(group, intent))
        .collect::<Result<Vec<_>, _>>()?;
    let limits = limits(plan, resolved.source, resolved.target);
    let leave = match intent.failover.source_stop() {
        SourceStop::Skip => Leave::Skip,
        SourceStop::Required | SourceStop::Attempt => Leave::Stop,
    };
    let work = Work {
        groups: resolved
            .groups
            .iter()
            .zip(&actions)
            .map(group_work)
            .collect(),
        limits,
        leave,
    };
    let times = schedule(&resolved.graph, &work);
    let makespan = Duration::from_millis(times.makespan);
    let maximum = outlook::max_data_loss(plan, intent.direction(), planner.now);
    let names = Names {
        resolved,
        actions: &actions,
    };
    let forecast = forecast::of(resolved, intent, makespan.clone(), maximum);
    let notes = notes::of(planner, intent, resolved);
    let start_order = resolved.graph.start_order();
    let stop_order = match leave {
        Leave::Stop => resolved.graph.stop_order(),
        Leave::Skip => Vec::new(),
    };
    let waves = resolved.graph.waves();
    let critical_path = times.critical_path.iter();
    let report = PlanReport {
        plan: id.clone(),
        sites: plan.sites.clone(),
        direction: intent.direction(),
        failover: intent.failover.kind(),
        source_stop: intent.failover.source_stop(),
        refusals: refusals(resolved, intent),
        machines: resolved
            .groups
            .iter()
            .map(|group| group.machines.len())
            .sum(),
        limits,
        waves: waves.iter().map(|wave| names.groups(wave)).collect(),
        start_order: names.groups(&start_order),
        stop_order: names.groups(&stop_order),
        phases: phases(&times),
        makespan,
        critical_path: critical_path.map(|item| names.critical(item)).collect(),
        forecast,
        notes,
        groups: groups(resolved, intent, &times, actions),
    };
    Ok(report)
}

/// The actions of one group that take part, before and after.
type Actions = (Vec<ActionReport>, Vec<ActionReport>);

/// In a run for single machines, groups that none of them is in do nothing.
fn actions(group: &ResolvedGroup<'_>, intent: Intent) -> Result<Actions, PlanError> {
    if group.stands_aside() {
        return Ok(Actions::default());
    }
    let reports = |actions: &[Action]| {
        actions
            .iter()
            .filter(|action| action.takes_part(intent.failover.run_kind(), intent.direction()))
            .map(|action| action_report(&group.group.name, action))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok((reports(&group.group.before)?, reports(&group.group.after)?))
}

fn action_report(group: &StepName, action: &Action) -> Result<ActionReport, PlanError> {
    let not_one = |kinds| PlanError::NotOneKind {
        group: group.clone(),
        action: action.name.clone(),
        kinds,
    };
    Ok(ActionReport {
        name: action.name.clone(),
        kind: action.kind().map_err(not_one)?.as_str(),
        expected: expected_length(action).map_err(not_one)?,
    })
}

fn group_work((group, (before, after)): (&ResolvedGroup<'_>, &Actions)) -> GroupWork {
    let lengths = |actions: &[ActionReport]| {
        let expected = actions.iter().map(|action| action.expected.as_ref());
        expected
            .map(|length| length.map_or(0, Duration::as_millis))
            .collect()
    };
    GroupWork {
        before: lengths(before),
        machines: group.machines.iter().map(machine_work).collect(),
        after: lengths(after),
    }
}

fn machine_work(machine: &ResolvedMachine<'_>) -> MachineWork {
    let figures = machine.estimate.figures();
    MachineWork {
        stop: millis(figures.stop),
        final_sync: millis(figures.final_sync),
        start: millis(figures.materialize).saturating_add(millis(figures.start)),
    }
}

fn millis(length: std::time::Duration) -> Millis {
    Duration::from_std(length).as_millis()
}

fn phases(times: &Schedule) -> Vec<PhaseReport> {
    let phase = |phase| {
        move |times| PhaseReport {
            phase,
            span: span(times),
        }
    };
    let leave = times.leave.map(phase(Phase::Leave));
    leave
        .into_iter()
        .chain([phase(Phase::Enter)(times.enter)])
        .collect()
}

fn span(times: Times) -> Span {
    Span {
        start: Duration::from_millis(times.start),
        end: Duration::from_millis(times.end),
    }
}

fn groups(
    resolved: &Resolved<'_>,
    intent: Intent,
    times: &Schedule,
    actions: Vec<Actions>,
) -> Vec<GroupReport> {
    let losses = resolved
        .protection
        .iter()
        .map(|(name, protection)| (*name, forecast::loss(resolved, protection, intent)))
        .collect();
    let parts = resolved.groups.iter().zip(&times.groups).zip(actions);
    parts
        .enumerate()
        .map(
            |(position, ((group, times), (before, after)))| GroupReport {
                name: group.group.name.clone(),
                wave: resolved.graph.wave(position).map_or(0, |wave| wave + 1),
                depends_on: resolved
                    .graph
                    .dependencies(position)
                    .map(|dependency| resolved.groups[dependency].group.name.clone())
                    .collect(),
                machines: group
                    .machines
                    .iter()
                    .zip(&times.machines)
                    .map(|(machine, times)| {
                        machine_report(machine, times.leave, times.enter, &losses)
                    })
                    .collect(),
                open: group.open.iter().map(|name| (*name).clone()).collect(),
                before,
                after,
                leave: times.leave.map(span),
                enter: span(times.enter),
            },
        )
        .collect()
}

fn machine_report(
    machine: &ResolvedMachine<'_>,
    leave: Option<Times>,
    enter: Times,
    losses: &std::collections::BTreeMap<&GroupName, Option<Loss>>,
) -> MachineReport {
    let figures = machine.estimate.figures();
    let MachineId {
        namespace: _,
        group,
        name,
    } = &machine.id;
    MachineReport {
        protection_group: group.clone(),
        name: name.clone(),
        stop: Duration::from_std(figures.stop),
        final_sync: Duration::from_std(figures.final_sync),
        materialize: Duration::from_std(figures.materialize),
        start: Duration::from_std(figures.start),
        source: match machine.estimate {
            Estimate::Recorded(_) => EstimateSource::Recorded,
            Estimate::Fabric(_) => EstimateSource::Fabric,
        },
        loss: losses.get(group).cloned().flatten(),
        leave: leave.map(span),
        enter: span(enter),
    }
}

/// Turns positions back into names.
struct Names<'r> {
    resolved: &'r Resolved<'r>,
    actions: &'r [Actions],
}

impl Names<'_> {
    fn group(&self, group: usize) -> StepName {
        self.resolved.groups[group].group.name.clone()
    }

    fn groups(&self, groups: &[usize]) -> Vec<StepName> {
        groups.iter().map(|group| self.group(*group)).collect()
    }

    fn machine(&self, group: usize, machine: usize) -> MachineName {
        self.resolved.groups[group].machines[machine]
            .id
            .name
            .clone()
    }

    fn critical(&self, item: &CriticalItem) -> CriticalStep {
        CriticalStep {
            step: self.step(item.step),
            at: Duration::from_millis(item.times.start),
            length: Duration::from_millis(item.times.length()),
            waited_for: item.waited_for,
        }
    }

    fn step(&self, step: Step) -> StepReport {
        match step {
            Step::Stop { group, machine } => StepReport::Stop {
                group: self.group(group),
                machine: self.machine(group, machine),
            },
            Step::FinalSync { group, machine } => StepReport::FinalSync {
                group: self.group(group),
                machine: self.machine(group, machine),
            },
            Step::AllLeft => StepReport::AllLeft,
            Step::Before { group, action } => StepReport::Before {
                group: self.group(group),
                action: self.actions[group].0[action].name.clone(),
            },
            Step::Start { group, machine } => StepReport::Start {
                group: self.group(group),
                machine: self.machine(group, machine),
            },
            Step::After { group, action } => StepReport::After {
                group: self.group(group),
                action: self.actions[group].1[action].name.clone(),
            },
        }
    }
}
