//! A second look at a compiled run.
//!
//! The invariants that a run could break by what it *is* are derived again from its compiled parts,
//! with code that shares nothing with the compiler or the planner but the types: whoever made a
//! mistake there did not make the same one here.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::common::{Direction, RecoveryPointType, RunKind, SourceStop, Unfenced};
use drover_api::value::NetworkName;
use drover_api::{Action, MachineRunSpec, RecoveryRunSpec};
use serde::Serialize;

use crate::compile;
use crate::invariant::Invariant;

/// Something in a compiled run that would break an invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The invariant.
    pub invariant: Invariant,
    /// What would break it.
    pub message: String,
}

/// What the checker is told besides the run.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Networks of production at the target: a drill is on none of them.
    pub production: BTreeSet<NetworkName>,
    /// The highest epoch that any fabric reports.
    pub highest_epoch: u64,
}

/// Everything in a compiled run that would break an invariant; nothing for a sound one.
pub fn verify(
    run: &RecoveryRunSpec,
    machines: &[MachineRunSpec],
    surroundings: &Surroundings,
) -> Vec<Finding> {
    let mut checker = Checker {
        run,
        machines,
        findings: Vec::new(),
    };
    checker.groups();
    checker.order();
    checker.members();
    checker.rules();
    checker.actions();
    checker.drill(surroundings);
    checker.as_reviewed(surroundings);
    checker.findings
}

struct Checker<'a> {
    run: &'a RecoveryRunSpec,
    machines: &'a [MachineRunSpec],
    findings: Vec<Finding>,
}

impl Checker<'_> {
    fn find(&mut self, invariant: Invariant, message: String) {
        self.findings.push(Finding { invariant, message });
    }

    fn groups(&mut self) {
        let mut seen = BTreeSet::new();
        for group in &self.run.groups {
            if !seen.insert(group.name.as_str()) {
                self.find(
                    Invariant::OrderKept,
                    format!("two groups are called {}", group.name),
                );
            }
        }
        for group in &self.run.groups {
            for needed in &group.depends_on {
                if !seen.contains(needed.as_str()) {
                    let message =
                        format!("group {} waits for {needed}, which is missing", group.name);
                    self.find(Invariant::OrderKept, message);
                }
            }
        }
    }

    /// Groups are taken away one by one as soon as all that they wait for are gone. What is left waits
    /// for itself. The number of rounds in which a group goes is its wave.
    fn order(&mut self) {
        let mut left: BTreeMap<&str, (BTreeSet<&str>, u32)> = self
            .run
            .groups
            .iter()
            .map(|group| {
                let needs = group
                    .depends_on
                    .iter()
                    .map(drover_api::value::StepName::as_str);
                (group.name.as_str(), (needs.collect(), group.wave))
            })
            .collect();
        let mut needed_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, (needs, _)) in &left {
            for needed in needs {
                needed_by.entry(needed).or_default().push(name);
            }
        }
        let mut round: Vec<&str> = left
            .iter()
            .filter(|(_, (needs, _))| needs.is_empty())
            .map(|(name, _)| *name)
            .collect();
        let mut number = 1;
        while !round.is_empty() {
            let mut next = Vec::new();
            for name in &round {
                let Some((_, wave)) = left.remove(name) else {
                    continue;
                };
                if wave != number {
                    let message = format!("group {name} is in wave {wave}, not {number}");
                    self.findings.push(Finding {
                        invariant: Invariant::OrderKept,
                        message,
                    });
                }
                for dependent in needed_by.get(name).into_iter().flatten() {
                    if let Some((needs, _)) = left.get_mut(dependent)
                        && needs.remove(name)
                        && needs.is_empty()
                    {
                        next.push(*dependent);
                    }
                }
            }
            number += 1;
            round = next;
        }
        let stuck: Vec<&str> = left.into_keys().collect();
        if !stuck.is_empty() {
            self.find(
                Invariant::OrderKept,
                format!("groups never start: {}", stuck.join(", ")),
            );
        }
    }

    fn members(&mut self) {
        let mut by_group: BTreeMap<&str, u32> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for machine in self.machines {
            *by_group.entry(machine.group.as_str()).or_default() += 1;
            if !seen.insert(&machine.machine) {
                let message = format!("machine {} is in the run twice", machine.machine.name);
                self.find(Invariant::EffectOnce, message);
            }
        }
        for group in &self.run.groups {
            let found = by_group.remove(group.name.as_str()).unwrap_or_default();
            if found != group.machines {
                let message = format!(
                    "group {} counts {} machines and has {found}",
                    group.name, group.machines
                );
                self.find(Invariant::EffectOnce, message);
            }
        }
        for group in by_group.into_keys() {
            self.find(
                Invariant::EffectOnce,
                format!("group {group} of a machine is missing"),
            );
        }
        let total = u32::try_from(self.machines.len()).unwrap_or(u32::MAX);
        if total != self.run.machines {
            let message = format!(
                "the run counts {} machines and has {total}",
                self.run.machines
            );
            self.find(Invariant::EffectOnce, message);
        }
    }

    /// What each kind of run may and must say.
    fn rules(&mut self) {
        let source = &self.run.source;
        match self.run.kind {
            RunKind::PlannedFailover => {
                if source.stop != SourceStop::Required {
                    self.find(
                        Invariant::ZeroLoss,
                        "a planned run must stop the source".into(),
                    );
                }
                if source.unfenced != Unfenced::Refuse {
                    let message = "a planned run never accepts a split brain";
                    self.find(Invariant::SingleActive, message.into());
                }
                if self.run.recovery_point.kind != RecoveryPointType::Latest {
                    self.find(Invariant::ZeroLoss, "a planned run takes everything".into());
                }
            }
            RunKind::UnplannedFailover | RunKind::TestFailover | RunKind::Reprotect => {}
        }
        let homewards = self.run.direction == Direction::ToPrimary;
        let failover = matches!(
            self.run.kind,
            RunKind::PlannedFailover | RunKind::UnplannedFailover
        );
        if self.run.synchronization.is_some() && !(homewards && failover) {
            let message = "data is synchronised back only inside a failback";
            self.find(Invariant::NothingBackwards, message.into());
        }
        if self.run.limits.starts == 0 || self.run.limits.stops == 0 {
            self.find(
                Invariant::Settles,
                "a limit of zero lets nothing move".into(),
            );
        }
    }

    fn actions(&mut self) {
        let run = self.run;
        for group in &run.groups {
            for action in group.before.iter().chain(&group.after) {
                if !takes_part(action, run.kind, run.direction) {
                    let message = format!(
                        "action {} of group {} does not belong into this run",
                        action.name, group.name
                    );
                    self.find(Invariant::AsReviewed, message);
                }
            }
        }
    }

    fn drill(&mut self, surroundings: &Surroundings) {
        if self.run.kind != RunKind::TestFailover {
            return;
        }
        for machine in self.machines {
            for nic in &machine.nics {
                if surroundings.production.contains(&nic.network) {
                    let message = format!(
                        "machine {} of a drill would be on production network {}",
                        machine.machine.name, nic.network
                    );
                    self.find(Invariant::DrillApart, message);
                }
            }
        }
        if self.run.source.stop != SourceStop::Skip {
            self.find(
                Invariant::DrillApart,
                "a drill never stops the source".into(),
            );
        }
    }

    fn as_reviewed(&mut self, surroundings: &Surroundings) {
        if self.run.epoch <= surroundings.highest_epoch {
            let message = format!(
                "epoch {} is not above {}, which a fabric has seen",
                self.run.epoch, surroundings.highest_epoch
            );
            self.find(Invariant::AsReviewed, message);
        }
        if self.run.digest != compile::digest(self.run, self.machines) {
            self.find(
                Invariant::AsReviewed,
                "the digest is of something else".into(),
            );
        }
    }
}

/// As PL-4 and NM-6 say, once more.
fn takes_part(action: &Action, kind: RunKind, direction: Direction) -> bool {
    let drill = kind == RunKind::TestFailover;
    let failover = kind == RunKind::PlannedFailover || kind == RunKind::UnplannedFailover;
    if drill && action.dns.is_some() {
        return false;
    }
    match &action.when {
        None => failover,
        Some(when) => {
            let this_kind = if when.runs.is_empty() {
                failover
            } else {
                when.runs.contains(&kind)
            };
            let this_way = when.directions.is_empty() || when.directions.contains(&direction);
            this_kind && this_way
        }
    }
}
