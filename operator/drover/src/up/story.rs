//! What changes of objects mean to somebody who looks on, a line for each.
//!
//! It remembers what it told last and tells only what is another. What may not enter: terminals, clocks
//! and clients.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use drover_api::common::RunKind;
use drover_api::conditions::{FAILOVER_READY, STALLED};
use drover_api::{ProtectionGroup, RecoveryDrill, RecoveryPlan, RecoveryRun, RunPhase, Site};
use kube::ResourceExt as _;

use crate::reports::{progress, waiting, words};

/// How something that is told is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As text.
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Notable,
    /// Not as it should be.
    Bad,
}

/// One thing that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it is to look.
    pub mood: Mood,
    /// What.
    pub text: String,
}

impl Line {
    /// A line.
    pub fn new(mood: Mood, text: impl Into<String>) -> Self {
        Self {
            mood,
            text: text.into(),
        }
    }
}

/// A plan, for a view that is drawn again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Where its machines are.
    pub actual: String,
    /// The run that goes on, in words.
    pub run: Option<String>,
    /// Machines of the run that are where they go to.
    pub done: u64,
    /// All machines of the run.
    pub total: u64,
}

/// Steps of a count that are told: more would be noise for ten thousand machines.
const STEPS: u32 = 4;

/// What was told so far.
#[derive(Debug, Default)]
pub struct Story {
    told: BTreeMap<(&'static str, String), Told>,
    plans: BTreeMap<String, Standing>,
}

#[derive(Debug, Default)]
struct Told {
    facts: BTreeMap<&'static str, String>,
    waits: BTreeSet<String>,
}

impl Told {
    /// Whether this was told, and remembers it.
    fn is_news(&mut self, fact: &'static str, value: &str) -> bool {
        let before = self.facts.insert(fact, value.to_owned());
        before.as_deref() != Some(value)
    }

    /// The same for something that need not be told when it is so from the start.
    fn is_change(&mut self, fact: &'static str, value: &str) -> bool {
        let before = self.facts.insert(fact, value.to_owned());
        before.is_some_and(|before| before != value)
    }
}

impl Story {
    /// The plans as they stand.
    pub fn plans(&self) -> &BTreeMap<String, Standing> {
        &self.plans
    }

    fn told(&mut self, kind: &'static str, name: &str) -> &mut Told {
        self.told.entry((kind, name.to_owned())).or_default()
    }

    /// An object is gone.
    pub fn gone(&mut self, kind: &'static str, name: &str) -> Vec<Line> {
        self.told.remove(&(kind, name.to_owned()));
        if kind == "plan" {
            self.plans.remove(name);
        }
        vec![Line::new(Mood::Plain, format!("{kind} {name}: gone"))]
    }

    /// A site.
    pub fn site(&mut self, site: &Site) -> Vec<Line> {
        let name = site.name_any();
        let Some(status) = &site.status else {
            return Vec::new();
        };
        let told = self.told("site", &name);
        let mut lines = Vec::new();
        if let Some(reachability) = &status.reachability {
            let state = format!("{:?}", reachability.state);
            if told.is_news("state", &state) {
                let good = state == "Reachable";
                let mood = if good { Mood::Plain } else { Mood::Notable };
                lines.push(Line::new(mood, format!("site {name}: {state}")));
            }
        }
        lines.extend(stalled(told, "site", &name, &status.conditions));
        lines
    }

    /// A protection group.
    pub fn group(&mut self, group: &ProtectionGroup) -> Vec<Line> {
        let name = full_name(group);
        let Some(status) = &group.status else {
            return Vec::new();
        };
        let told = self.told("group", &name);
        let mut lines = Vec::new();
        if let Some(members) = status.members.as_ref().filter(|members| members.total > 0) {
            let (protected, total) = (members.protected, members.total);
            let step = format!("{} {}", step(protected, total), members.failed);
            if told.is_news("members", &step) {
                let mut text = format!(
                    "group {name}: {protected} of {} protected",
                    words::machines(total)
                );
                let mut mood = Mood::Plain;
                if protected == total {
                    mood = Mood::Good;
                }
                if members.unprotected > 0 {
                    let _ = write!(text, ", {} not replicated", members.unprotected);
                }
                if members.failed > 0 {
                    let _ = write!(text, ", {} failed", members.failed);
                    mood = Mood::Bad;
                }
                lines.push(Line::new(mood, text));
            }
        }
        lines.extend(stalled(told, "group", &name, &status.conditions));
        lines
    }

    /// A drill.
    pub fn drill(&mut self, drill: &RecoveryDrill) -> Vec<Line> {
        let name = full_name(drill);
        let Some(status) = &drill.status else {
            return Vec::new();
        };
        let result = status.result.map(|result| format!(", {result:?}"));
        let state = format!("{:?}{}", status.phase, result.unwrap_or_default());
        let told = self.told("drill", &name);
        let mut lines = Vec::new();
        if told.is_news("state", &state) {
            let mood = match status.result {
                Some(drover_api::DrillResult::Passed) => Mood::Good,
                Some(drover_api::DrillResult::Failed) => Mood::Bad,
                _ => Mood::Plain,
            };
            lines.push(Line::new(mood, format!("drill {name}: {state}")));
        }
        lines.extend(stalled(told, "drill", &name, &status.conditions));
        lines
    }

    /// A plan.
    pub fn plan(&mut self, plan: &RecoveryPlan) -> Vec<Line> {
        let name = full_name(plan);
        let Some(status) = &plan.status else {
            return Vec::new();
        };
        let actual = words::actual(status.active_site, &plan.spec.sites);
        let standing = self.plans.entry(name.clone()).or_default();
        standing.actual.clone_from(&actual);
        if status.current_run.is_none() {
            standing.run = None;
        }
        let told = self.told("plan", &name);
        let mut lines = Vec::new();
        if status.active_site.is_some() && told.is_news("actual", &actual) {
            let text = format!("plan {name}: machines are at {actual}");
            lines.push(Line::new(Mood::Plain, text));
        }
        let ready = words::holds(&status.conditions, FAILOVER_READY);
        if ready && told.is_news("ready", "true") {
            let text = format!("plan {name}: ready, a failover could start now");
            lines.push(Line::new(Mood::Good, text));
        } else if !ready && told.is_change("ready", "false") {
            let why = words::condition(&status.conditions, FAILOVER_READY);
            let why = why.map_or("", |condition| condition.message.as_str());
            let text = format!("plan {name}: no failover could start now: {why}");
            lines.push(Line::new(Mood::Notable, text));
        }
        lines.extend(stalled(told, "plan", &name, &status.conditions));
        lines
    }

    /// A run.
    pub fn run(&mut self, run: &RecoveryRun) -> Vec<Line> {
        let name = full_name(run);
        self.stand(run);
        let over = words::is_over(run);
        let told = self.told("run", &name);
        let phase = run.phase();
        let first = told.facts.is_empty();
        let ended_before = told.facts.contains_key("ended before");
        if over && (first || ended_before) {
            // It ended before anybody looked on.
            told.is_news("ended before", "true");
            return Vec::new();
        }
        let mut lines = Vec::new();
        if first {
            let way = words::way(&run.spec.sites, run.spec.direction);
            let what = words::what(&run.spec);
            let machines = words::machines(run.spec.machines);
            let text = format!("run {name}: {what} {way} of {machines}{}", forecast(run));
            lines.push(Line::new(Mood::Plain, text));
        }
        let counts = counts(run);
        let state = format!("{phase:?} {} {}", step(counts.0, counts.1), counts.2);
        if told.is_news("state", &state) {
            lines.push(line_of_run(run, &name));
        }
        let waits = waiting::waits(run);
        for wait in &waits {
            if told.waits.insert(wait.what.clone()) {
                let text = format!("run {name}: {}", wait.what);
                lines.push(Line::new(Mood::Notable, text));
                for command in &wait.release {
                    lines.push(Line::new(Mood::Plain, format!("  {command}")));
                }
            }
        }
        // What is waited for once more is told once more.
        told.waits
            .retain(|told| waits.iter().any(|wait| wait.what == *told));
        lines
    }

    fn stand(&mut self, run: &RecoveryRun) {
        let namespace = run.namespace().unwrap_or_default();
        let plan = format!("{namespace}/{}", run.spec.plan_ref.name);
        let Some(standing) = self.plans.get_mut(&plan) else {
            return;
        };
        if words::is_over(run) {
            if standing.run.as_ref().is_some_and(|run_words| {
                run_words.split(' ').next() == Some(run.name_any().as_str())
            }) {
                standing.run = None;
            }
            return;
        }
        let (done, total, _) = counts(run);
        let what = words::what(&run.spec);
        let phase = run.phase();
        standing.run = Some(format!("{} {what} {phase:?}", run.name_any()));
        (standing.done, standing.total) = (done.into(), total.into());
    }
}

fn line_of_run(run: &RecoveryRun, name: &str) -> Line {
    let phase = run.phase();
    // Reversing replication starts no machine, so none becomes healthy by it.
    let mut text = if run.spec.kind == RunKind::Reprotect {
        format!("run {name}: {phase:?}")
    } else {
        format!("run {name}: {}", progress::in_one_line(run))
    };
    if let Some(status) = &run.status
        && matches!(phase, RunPhase::CommitPending | RunPhase::Standing)
    {
        let reached = |name, value: &Option<drover_api::value::Duration>| {
            let value = value.as_ref()?;
            Some(format!(
                "; {name} {}",
                crate::reports::moments::rough(value)
            ))
        };
        text += &reached("RTO", &status.rto).unwrap_or_default();
        text += &reached("RPO", &status.rpo).unwrap_or_default();
    }
    let failed = counts(run).2 > 0;
    let mood = match phase {
        _ if failed => Mood::Bad,
        RunPhase::Halted => Mood::Bad,
        RunPhase::CommitPending
        | RunPhase::Committed
        | RunPhase::Protected
        | RunPhase::Standing
        | RunPhase::CleanedUp => Mood::Good,
        _ => Mood::Plain,
    };
    Line::new(mood, text)
}

fn forecast(run: &RecoveryRun) -> String {
    let Some(forecast) = run
        .spec
        .forecast
        .as_ref()
        .filter(|_| progress::is_failover(run))
    else {
        return String::new();
    };
    let rough = crate::reports::moments::rough;
    format!(
        "; forecast RTO {}, RPO {}",
        rough(&forecast.rto),
        rough(&forecast.rpo)
    )
}

/// Machines that are where the phase takes them, all, and those that failed.
fn counts(run: &RecoveryRun) -> (u32, u32, u32) {
    let counts = run
        .status
        .as_ref()
        .map(|status| status.machines)
        .unwrap_or_default();
    let done = match run.phase() {
        RunPhase::Leaving | RunPhase::Synchronizing | RunPhase::AwaitingCompleteSync => counts.left,
        _ => counts.healthy,
    };
    (done, run.spec.machines, counts.failed)
}

fn step(done: u32, total: u32) -> u32 {
    done.saturating_mul(STEPS).checked_div(total).unwrap_or(0)
}

/// That a person must do something, once for each reason.
fn stalled(
    told: &mut Told,
    kind: &str,
    name: &str,
    conditions: &[drover_api::conditions::Condition],
) -> Option<Line> {
    let condition = words::condition(conditions, STALLED).filter(|each| each.status == "True");
    let Some(condition) = condition else {
        told.facts.remove("stalled");
        return None;
    };
    if !told.is_news("stalled", &condition.message) {
        return None;
    }
    let text = format!("{kind} {name}: {}: {}", condition.reason, condition.message);
    Some(Line::new(Mood::Bad, text))
}

fn full_name(object: &impl kube::ResourceExt) -> String {
    let namespace = object.namespace().unwrap_or_default();
    format!("{namespace}/{}", object.name_any())
}

#[cfg(test)]
#[path = "story_tests.rs"]
mod tests;
