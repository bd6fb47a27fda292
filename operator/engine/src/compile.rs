//! From an intent to an immutable run.
//!
//! What is compiled is what was reviewed: the run names everything that it will do, and its digest is
//! that of all of it. Numbers that differ from one compilation to the next without changing what is
//! done (the run's number, its epoch, the forecast), and what was aimed at, are not part of the digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use drover_api::annotations::revision;
use drover_api::common::{
    Direction, FailoverType, PlanRef, RecoveryPointChoice, RecoveryPointType, RunKind, SiteRole,
    SourceStop, Unfenced,
};
use drover_api::value::{Duration, GroupName, NetworkAlias, RunName, StepName};
use drover_api::{
    AddressRule, Commit, CommitPolicy, Consistency, FailbackLocation, MachineRunSpec, NetworkPair,
    Nic, RecoveryRunSpec, Request, RunForecast, RunGroup, RunIntent, RunNic, SourceRule,
    TargetSettings,
};
use drover_world::{CommitRule, PlanId};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::plan::{
    Failover, Intent, PlanError, Planner, Resolved, ResolvedGroup, ResolvedMachine, Scope, limits,
    refusals, reprotect_refusals, resolve, synchronization,
};

/// What is compiled, and from what besides the declaration.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The plan.
    pub plan: &'a PlanId,
    /// What the run is for.
    pub what: What<'a>,
    /// The counter of the plan's runs.
    pub number: u64,
    /// The highest epoch that any fabric reports for a machine of the plan (SA-3).
    pub highest_epoch: u64,
    /// What was forecast, for the record.
    pub forecast: Option<RunForecast>,
}

/// What a run is for.
#[derive(Clone, Debug)]
pub enum What<'a> {
    /// Machines move.
    Failover {
        /// Where to and how.
        intent: Intent,
        /// The request that asks for it, where one does.
        request: Option<&'a Request>,
    },
    /// Machines are rehearsed.
    Drill {
        /// Where they stand.
        to: SiteRole,
        /// From which recovery point.
        recovery_point: &'a RecoveryPointChoice,
        /// Groups that are rehearsed, with those that they depend on; empty means all.
        groups: &'a [StepName],
    },
    /// Data flows to the other side from now on.
    Reprotect {
        /// Which side.
        towards: SiteRole,
        /// People that must approve it before it does anything.
        approvals: Option<u32>,
        /// Whether it first commits failovers that are not proven to be committed.
        commits: bool,
    },
}

/// A compiled run: what becomes one `RecoveryRun` and one `MachineRun` for each machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The run.
    pub run: RecoveryRunSpec,
    /// Its machines, by group in the order of the run.
    pub machines: Vec<MachineRunSpec>,
}

/// Why a run cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompileError {
    /// The plan cannot be laid out.
    #[error("the plan cannot be laid out")]
    Plan(#[from] PlanError),
    /// The pair cannot do it.
    #[error("{0}")]
    Refused(String),
    /// Who the members of a protection group are is not known.
    #[error("the members of protection group {0} are selected by label and its site was not asked")]
    MembersUnknown(GroupName),
    /// An interface is on a network that is not mapped (NM-5).
    #[error("network {alias} of machine {machine} is not mapped")]
    Unmapped {
        /// The machine.
        machine: String,
        /// The network.
        alias: NetworkAlias,
    },
    /// A drill needs an isolated network that the mapping does not name (NM-1).
    #[error("network {alias} has no isolated network at the {} site", .site.as_str())]
    NoTestNetwork {
        /// The network.
        alias: NetworkAlias,
        /// The site.
        site: SiteRole,
    },
    /// A consistency group is reprotected whole, and it is not in one place (PR-7).
    #[error(
        "consistency group {0} is divided between the sites and can only be reprotected whole: bring \
         its machines together first"
    )]
    Divided(GroupName),
    /// There is nothing to do.
    #[error("no machine takes part in the run")]
    Empty,
    /// The run's name would be too long.
    #[error("the name of the run cannot be formed")]
    Name,
}

/// Compiles a run.
///
/// # Errors
/// When the declaration does not say enough for it, and when the pair cannot do it.
pub fn compile(planner: &Planner<'_>, order: &Order<'_>) -> Result<Compiled, CompileError> {
    let intent = order.what.intent();
    let resolved = resolve(planner, order.plan, intent)?;
    if matches!(order.what, What::Failover { .. })
        && let Some(refusal) = refusals(&resolved, intent).first()
    {
        return Err(CompileError::Refused(refusal.to_string()));
    }
    if let What::Reprotect { towards, .. } = order.what {
        if let Some(refusal) = reprotect_refusals(&resolved, towards).first() {
            return Err(CompileError::Refused(refusal.to_string()));
        }
        if let Some(divided) = divided(&resolved) {
            return Err(CompileError::Divided(divided.clone()));
        }
    }
    let compiler = Compiler {
        planner,
        order,
        resolved: &resolved,
        intent,
    };
    compiler.compile()
}

/// A consistency group some of whose members are at the target already (PR-7).
fn divided<'a>(resolved: &Resolved<'a>) -> Option<&'a GroupName> {
    let at_the_source: BTreeSet<&GroupName> = resolved
        .groups
        .iter()
        .flat_map(|group| &group.machines)
        .map(|machine| &machine.id.group)
        .collect();
    let mut at_the_target = resolved.there.iter().map(|id| &id.group);
    let divided = at_the_target.find(|group| {
        let protection = resolved.protection.get(*group);
        let shared = protection.is_some_and(|found| found.spec.consistency == Consistency::Group);
        shared && at_the_source.contains(group)
    })?;
    let mut names = resolved.protection.keys().copied();
    names.find(|name| *name == divided)
}

impl What<'_> {
    fn intent(&self) -> Intent {
        match self {
            Self::Failover { intent, .. } => *intent,
            Self::Drill { to, .. } | Self::Reprotect { towards: to, .. } => Intent {
                scope: Scope::Present,
                ..Intent::planned(*to)
            },
        }
    }

    fn kind(&self) -> RunKind {
        match self {
            Self::Failover { intent, .. } => intent.failover.run_kind(),
            Self::Drill { .. } => RunKind::TestFailover,
            Self::Reprotect { .. } => RunKind::Reprotect,
        }
    }
}

struct Compiler<'a> {
    planner: &'a Planner<'a>,
    order: &'a Order<'a>,
    resolved: &'a Resolved<'a>,
    intent: Intent,
}

impl Compiler<'_> {
    fn compile(&self) -> Result<Compiled, CompileError> {
        let name = self.run_name()?;
        let wanted = self.wanted_groups();
        let mut groups = Vec::new();
        let mut machines = Vec::new();
        for (position, group) in self.resolved.groups.iter().enumerate() {
            if !wanted.contains(&position) {
                continue;
            }
            if let Some(open) = group.open.first() {
                return Err(CompileError::MembersUnknown((*open).clone()));
            }
            groups.push(self.group(position, group));
            for machine in &group.machines {
                machines.push(self.machine(&name, group, machine)?);
            }
        }
        if machines.is_empty() {
            return Err(CompileError::Empty);
        }
        let mut run = self.run(groups, machines.len());
        run.digest = digest(&run, &machines);
        Ok(Compiled { run, machines })
    }

    fn run_name(&self) -> Result<RunName, CompileError> {
        let name = format!("{}-{}", self.order.plan.name, self.order.number);
        name.parse().map_err(|_| CompileError::Name)
    }

    /// The groups that take part: all, or those that a drill names with all that they depend on.
    fn wanted_groups(&self) -> BTreeSet<usize> {
        let all = 0..self.resolved.groups.len();
        let What::Drill { groups, .. } = &self.order.what else {
            return all.collect();
        };
        if groups.is_empty() {
            return all.collect();
        }
        let mut open: Vec<usize> = all
            .filter(|position| groups.contains(&self.resolved.groups[*position].group.name))
            .collect();
        let mut wanted = BTreeSet::new();
        while let Some(position) = open.pop() {
            if wanted.insert(position) {
                open.extend(self.resolved.graph.dependencies(position));
            }
        }
        wanted
    }

    fn group(&self, position: usize, group: &ResolvedGroup<'_>) -> RunGroup {
        let (kind, direction) = (self.order.what.kind(), self.intent.direction());
        let aside = group.stands_aside();
        let part = |actions: &[drover_api::Action]| {
            actions
                .iter()
                .filter(|_| !aside)
                .filter(|action| action.takes_part(kind, direction))
                .cloned()
                .collect()
        };
        let depends_on = self
            .resolved
            .graph
            .dependencies(position)
            .map(|needed| self.resolved.groups[needed].group.name.clone())
            .collect();
        let wave = self.resolved.graph.wave(position).unwrap_or_default() + 1;
        RunGroup {
            name: group.group.name.clone(),
            depends_on,
            wave: count(wave),
            machines: count(group.machines.len()),
            before: part(&group.group.before),
            after: part(&group.group.after),
        }
    }

    fn machine(
        &self,
        run: &RunName,
        group: &ResolvedGroup<'_>,
        machine: &ResolvedMachine<'_>,
    ) -> Result<MachineRunSpec, CompileError> {
        let protection = self.resolved.protection.get(&machine.id.group);
        let shared = protection.is_some_and(|found| found.spec.consistency == Consistency::Group);
        Ok(MachineRunSpec {
            run: run.clone(),
            group: group.group.name.clone(),
            machine: drover_api::common::MachineRef {
                protection_group: machine.id.group.clone(),
                name: machine.id.name.clone(),
            },
            consistency_group: shared,
            nics: self.nics(machine)?,
            target_settings: self.target_settings(machine),
        })
    }

    fn nics(&self, machine: &ResolvedMachine<'_>) -> Result<Vec<RunNic>, CompileError> {
        if matches!(self.order.what, What::Reprotect { .. }) {
            return Ok(Vec::new());
        }
        let pairs = self.network_pairs(&machine.id.group);
        let nics = machine.member.map(|member| member.nics).unwrap_or_default();
        nics.iter()
            .map(|nic| {
                let pair = pairs
                    .get(&nic.network)
                    .ok_or_else(|| CompileError::Unmapped {
                        machine: machine.id.to_string(),
                        alias: nic.network.clone(),
                    })?;
                self.nic(nic, pair)
            })
            .collect()
    }

    fn network_pairs(&self, group: &GroupName) -> BTreeMap<&NetworkAlias, &NetworkPair> {
        let reference = self
            .resolved
            .protection
            .get(group)
            .and_then(|protection| protection.spec.network_mapping_ref.as_ref());
        let Some(reference) = reference else {
            return BTreeMap::new();
        };
        let key = (self.order.plan.namespace.as_str(), reference.name.as_str());
        let mapping = self.planner.declared.mappings.get(&key);
        mapping
            .map(|entry| {
                entry
                    .object
                    .spec
                    .networks
                    .iter()
                    .map(|pair| (&pair.name, pair))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// An interface at the target. Coming home, a declared address is restored whatever the rule of
    /// the way out was (NM-4).
    fn nic(&self, nic: &Nic, pair: &NetworkPair) -> Result<RunNic, CompileError> {
        let to = self.intent.to;
        if let What::Drill { .. } = self.order.what {
            let network = pair
                .test_at(to)
                .ok_or_else(|| CompileError::NoTestNetwork {
                    alias: nic.network.clone(),
                    site: to,
                })?;
            return Ok(RunNic {
                network: network.clone(),
                addresses: pair.addresses,
                assigned: self.assigned(nic, pair.addresses),
            });
        }
        let declared = nic.addresses.as_ref().map(|addresses| addresses.at(to));
        let home = to == SiteRole::Primary && declared.is_some_and(|list| !list.is_empty());
        let rule = match pair.addresses {
            AddressRule::Dynamic if home => AddressRule::Assign,
            rule => rule,
        };
        Ok(RunNic {
            network: pair.at(to).network.clone(),
            addresses: rule,
            assigned: self.assigned(nic, rule),
        })
    }

    fn assigned(&self, nic: &Nic, rule: AddressRule) -> Vec<drover_api::value::Address> {
        let Some(addresses) = &nic.addresses else {
            return Vec::new();
        };
        match rule {
            AddressRule::Dynamic => Vec::new(),
            AddressRule::Assign => addresses.at(self.intent.to).to_vec(),
            AddressRule::Keep => addresses.at(SiteRole::Primary).to_vec(),
        }
    }

    /// What a member says goes before what its group says.
    fn target_settings(&self, machine: &ResolvedMachine<'_>) -> Option<TargetSettings> {
        let at = |settings: &drover_api::SiteTargetSettings| match self.intent.to {
            SiteRole::Primary => settings.primary.clone(),
            SiteRole::Secondary => settings.secondary.clone(),
        };
        let own = machine
            .member
            .and_then(|member| member.target_settings)
            .and_then(at);
        let group = || {
            let protection = self.resolved.protection.get(&machine.id.group)?;
            protection.spec.target_settings.as_ref().and_then(at)
        };
        own.or_else(group)
    }

    fn run(&self, groups: Vec<RunGroup>, machines: usize) -> RecoveryRunSpec {
        let plan = self.resolved.plan;
        let direction = self.intent.direction();
        let failover = matches!(self.order.what, What::Failover { .. });
        let homewards = failover && direction == Direction::ToPrimary;
        let location = self.resolved.failback.filter(|_| homewards);
        RecoveryRunSpec {
            plan_ref: PlanRef {
                name: self.order.plan.name.clone(),
            },
            number: self.order.number,
            kind: self.order.what.kind(),
            direction,
            sites: plan.sites.clone(),
            request_id: self.request().map(|request| request.id.clone()),
            intent: self.run_intent(),
            epoch: self.order.highest_epoch.saturating_add(1),
            digest: String::new(),
            groups,
            machines: count(machines),
            source: self.source_rule(),
            recovery_point: self.recovery_point(),
            max_data_loss: self.max_data_loss(),
            commit: self.commit(),
            synchronization: synchronization(self.resolved, direction).filter(|_| homewards),
            approvals: self.approvals(),
            commits: matches!(self.order.what, What::Reprotect { commits: true, .. }),
            location: location.map_or_else(FailbackLocation::default, |f| f.location.clone()),
            limits: limits(plan, self.resolved.source, self.resolved.target),
            forecast: self.order.forecast.clone(),
            objectives: plan.objectives.clone(),
            revision: self.revision(),
        }
    }

    fn revision(&self) -> Option<String> {
        let plan = self.order.plan;
        let key = (plan.namespace.as_str(), plan.name.as_str());
        let declared = self.planner.declared.plans.get(&key)?;
        revision(declared.object.metadata.annotations.as_ref()?)
    }

    fn approvals(&self) -> Option<u32> {
        match &self.order.what {
            What::Failover { .. } => self.resolved.plan.guards.as_ref()?.approvals,
            What::Drill { .. } => None,
            What::Reprotect { approvals, .. } => *approvals,
        }
    }

    fn request(&self) -> Option<&Request> {
        match &self.order.what {
            What::Failover { request, .. } => *request,
            What::Drill { .. } | What::Reprotect { .. } => None,
        }
    }

    fn run_intent(&self) -> Option<RunIntent> {
        let What::Failover { .. } = self.order.what else {
            return None;
        };
        let plan = self.resolved.plan;
        Some(RunIntent {
            // A preview may be of a plan that declares nothing.
            active_site: plan.active_site.unwrap_or(self.intent.to),
            overrides: plan.overrides.clone(),
            more: self.resolved.more,
        })
    }

    fn source_rule(&self) -> SourceRule {
        let stop = match self.order.what {
            What::Drill { .. } => SourceStop::Skip,
            _ => self.intent.failover.source_stop(),
        };
        let unfenced = match self.intent.failover {
            Failover::Planned => Unfenced::Refuse,
            Failover::Unplanned { .. } => self
                .request()
                .map(|request| request.unfenced)
                .unwrap_or_default(),
        };
        let fencing = &self.resolved.source.fencing;
        SourceRule {
            stop,
            unfenced,
            stop_timeout: fencing.stop_timeout.clone(),
            on_stop_timeout: fencing.on_stop_timeout,
        }
    }

    fn recovery_point(&self) -> RecoveryPointChoice {
        if let What::Drill { recovery_point, .. } = self.order.what {
            return recovery_point.clone();
        }
        self.request()
            .and_then(|request| request.recovery_point.clone())
            .unwrap_or_else(|| RecoveryPointChoice::of(RecoveryPointType::Latest))
    }

    fn max_data_loss(&self) -> Option<Duration> {
        let unplanned = matches!(
            self.order.what,
            What::Failover { intent, .. } if intent.failover.kind() == FailoverType::Unplanned
        );
        if !unplanned {
            return None;
        }
        let rules = &self.resolved.plan.failover;
        let standing = match self.intent.direction() {
            Direction::ToSecondary => rules.to_secondary.as_ref(),
            Direction::ToPrimary => rules.to_primary.as_ref(),
        };
        self.request()
            .and_then(|request| request.max_data_loss.clone())
            .or_else(|| standing.and_then(|rule| rule.max_data_loss.clone()))
    }

    /// A pair that has no other points to choose commits at once (FO-5); the plan decides for the rest.
    fn commit(&self) -> Commit {
        let direction = self.intent.direction();
        let at_once = |protection: &crate::plan::Protection<'_>| {
            let Ok(rules) = protection.rules else {
                return false;
            };
            let rules = match direction {
                Direction::ToSecondary => Some(&rules.to_secondary),
                Direction::ToPrimary => rules.to_primary.as_ref().ok(),
            };
            rules.is_some_and(|rules| rules.commit == CommitRule::AtOnce)
        };
        if self.resolved.protection.values().all(at_once) {
            return Commit {
                policy: CommitPolicy::Automatic,
                soak: Some(Duration::ZERO),
            };
        }
        self.resolved.plan.commit.clone()
    }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// What a run does: without what differs from one compilation to the next and changes nothing about it,
/// and without what only its evidence needs.
pub fn substance(run: &RecoveryRunSpec) -> RecoveryRunSpec {
    RecoveryRunSpec {
        number: 0,
        epoch: 0,
        digest: String::new(),
        forecast: None,
        objectives: None,
        revision: None,
        ..run.clone()
    }
}

/// The digest of what a run does.
///
/// The canonical form is JSON with the fields of every object sorted by name.
pub fn digest(run: &RecoveryRunSpec, machines: &[MachineRunSpec]) -> String {
    let same = substance(run);
    // Types of this workspace serialise; where one did not, the digest would be that of nothing and
    // match no reviewed one.
    let run = serde_json::to_value(same).unwrap_or_default();
    let machines: Vec<serde_json::Value> = machines.iter().map(without_run_name).collect();
    sha256(serde_json::json!({ "run": run, "machines": machines }).to_string())
}

/// The digest of a text, as it is shown.
pub(crate) fn sha256(text: impl AsRef<[u8]>) -> String {
    let mut shown = String::from("sha256:");
    for byte in Sha256::digest(text) {
        let _ = write!(shown, "{byte:02x}");
    }
    shown
}

/// The run's own name holds its number, which is no part of what it does.
fn without_run_name(machine: &MachineRunSpec) -> serde_json::Value {
    let mut value = serde_json::to_value(machine).unwrap_or_default();
    if let Some(spec) = value.as_object_mut() {
        spec.remove("run");
    }
    value
}
