//! The machines behind the groups of a plan, and what is known of each.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::common::{MachineRef, SiteRole};
use drover_api::value::{GroupName, MachineName, SiteName};
use drover_api::{
    FailbackPolicySpec, Override, PlanGroup, ProtectionGroupSpec, RecoveryPlanSpec,
    ReplicationPolicySpec, SiteSpec,
};
use drover_world::pairs::{self, NoSuchPair};
use drover_world::{Estimate, Estimates, MachineId, PairRules, PlanId};

use super::{Intent, PlanError, PlanGraph, Planner, Scope};
use crate::members::{self, Member, Members};

/// A plan with everything that it refers to.
#[derive(Debug)]
pub struct Resolved<'a> {
    /// The plan.
    pub plan: &'a RecoveryPlanSpec,
    /// The order between its groups.
    pub graph: PlanGraph,
    /// Its groups, in its order.
    pub groups: Vec<ResolvedGroup<'a>>,
    /// The protection groups that it names and the run is about.
    pub protection: BTreeMap<&'a GroupName, Protection<'a>>,
    /// The failback policy, where the plan has one.
    pub failback: Option<&'a FailbackPolicySpec>,
    /// The replication policy of the way back, where the failback policy has one.
    pub way_back_policy: Option<&'a ReplicationPolicySpec>,
    /// The site that machines leave.
    pub source: &'a SiteSpec,
    /// The site that they go to.
    pub target: &'a SiteSpec,
    /// Machines that an override keeps at the source (PL-6).
    pub staying: Vec<MachineId>,
    /// Machines that are seen to be at the target already.
    pub there: Vec<MachineId>,
    /// Whether machines are seen to be at the target that should not be: they go the other way, in a run
    /// of their own.
    pub more: bool,
}

/// A protection group with what it refers to.
#[derive(Debug)]
pub struct Protection<'a> {
    /// The group.
    pub spec: &'a ProtectionGroupSpec,
    /// Its policy.
    pub policy: &'a ReplicationPolicySpec,
    /// What its pair can do.
    pub rules: Result<&'static PairRules, NoSuchPair>,
    /// Its members.
    pub members: Members<'a>,
}

/// One group of a plan.
#[derive(Debug)]
pub struct ResolvedGroup<'a> {
    /// As it is written.
    pub group: &'a PlanGroup,
    /// The machines that take part, as far as they are known: members of its protection groups in
    /// their order, then single ones.
    pub machines: Vec<ResolvedMachine<'a>>,
    /// Protection groups of it that may have more members than are known.
    pub open: Vec<&'a GroupName>,
    /// Machines of it that take no part in the run.
    pub left_out: usize,
}

impl ResolvedGroup<'_> {
    /// Whether the run is about other groups only: then its actions are not for this run either.
    pub fn stands_aside(&self) -> bool {
        self.machines.is_empty() && self.left_out > 0
    }
}

/// One machine of a run.
#[derive(Clone, Debug)]
pub struct ResolvedMachine<'a> {
    /// Who it is.
    pub id: MachineId,
    /// What its group says of it; nothing for a single machine of a group whose selected members are
    /// not known.
    pub member: Option<Member<'a>>,
    /// How long its steps take.
    pub estimate: Estimate,
}

/// Finds the machines behind the groups of a plan, and what is known of each.
///
/// # Errors
/// When something that the plan refers to is not declared, and when its groups have no order.
pub fn resolve<'a>(
    planner: &Planner<'a>,
    id: &PlanId,
    intent: Intent,
) -> Result<Resolved<'a>, PlanError> {
    let plan = planner.spec(id)?;
    let graph = PlanGraph::of(plan)?;
    let source = site(planner, plan.sites.at(intent.from()))?;
    let target = site(planner, plan.sites.at(intent.to))?;
    let failback = failback(planner, id, plan)?;
    let way_back = failback.and_then(|failback| failback.replication_policy_ref.as_ref());
    let way_back_policy = match way_back {
        Some(policy) => Some(planner.policy(id, &policy.name)?),
        None => None,
    };
    let mut protection = protection(planner, id, plan)?;
    let mut collector = Collector {
        planner,
        id,
        intent,
        by_fabric: Estimates::of_fabrics(&source.fabric, &target.fabric),
        protection: &protection,
        positions: BTreeMap::new(),
        overrides: overrides(plan),
        taken: BTreeSet::new(),
        staying: Vec::new(),
        there: Vec::new(),
        more: false,
        left_out: 0,
    };
    let groups = plan
        .groups
        .iter()
        .map(|group| collector.group(group))
        .collect::<Result<Vec<_>, _>>()?;
    let Collector {
        staying,
        there,
        more,
        ..
    } = collector;
    if intent.scope == Scope::Overrides {
        let leaving: BTreeSet<&GroupName> = groups
            .iter()
            .flat_map(|group| &group.machines)
            .map(|machine| &machine.id.group)
            .collect();
        protection.retain(|name, _| leaving.contains(name));
    }
    Ok(Resolved {
        plan,
        graph,
        groups,
        protection,
        failback,
        way_back_policy,
        source,
        target,
        staying,
        there,
        // One follow-up at most: what it cannot move, a person looks at (SA-10).
        more: more && plan.active_site == Some(intent.to),
    })
}

fn site<'a>(planner: &Planner<'a>, name: &SiteName) -> Result<&'a SiteSpec, PlanError> {
    let found = planner.declared.sites.get(name.as_str());
    found
        .map(|entry| &entry.object.spec)
        .ok_or_else(|| PlanError::NoSuchSite(name.clone()))
}

fn failback<'a>(
    planner: &Planner<'a>,
    id: &PlanId,
    plan: &RecoveryPlanSpec,
) -> Result<Option<&'a FailbackPolicySpec>, PlanError> {
    let Some(reference) = &plan.failback_policy_ref else {
        return Ok(None);
    };
    let key = (id.namespace.as_str(), reference.name.as_str());
    match planner.declared.failback_policies.get(&key) {
        Some(entry) => Ok(Some(&entry.object.spec)),
        None => Err(PlanError::NoSuchFailbackPolicy(reference.name.clone())),
    }
}

fn protection<'a>(
    planner: &Planner<'a>,
    id: &PlanId,
    plan: &'a RecoveryPlanSpec,
) -> Result<BTreeMap<&'a GroupName, Protection<'a>>, PlanError> {
    let mut found = BTreeMap::new();
    for group in &plan.groups {
        let whole = group.protection_groups.iter();
        let single = group
            .machines
            .iter()
            .map(|machine| &machine.protection_group);
        for name in whole.chain(single) {
            if found.contains_key(name) {
                continue;
            }
            let key = (id.namespace.as_str(), name.as_str());
            let Some(entry) = planner.declared.groups.get(&key) else {
                return Err(PlanError::NoSuchProtectionGroup {
                    group: group.name.clone(),
                    protection_group: name.clone(),
                });
            };
            let spec = &entry.object.spec;
            let policy = planner.policy(id, &spec.policy_ref.name)?;
            let primary = site(planner, &spec.sites.primary)?;
            let secondary = site(planner, &spec.sites.secondary)?;
            let protection = Protection {
                spec,
                policy,
                rules: pairs::of_fabrics(&primary.fabric, &secondary.fabric, &policy.replicator),
                members: members::of(spec, planner.inventories),
            };
            found.insert(name, protection);
        }
    }
    Ok(found)
}

fn overrides(plan: &RecoveryPlanSpec) -> BTreeMap<&MachineName, Vec<&Override>> {
    let mut overrides: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in &plan.overrides {
        overrides.entry(&entry.machine).or_default().push(entry);
    }
    overrides
}

/// Collects the machines of one plan, group by group.
struct Collector<'a, 'r> {
    planner: &'r Planner<'a>,
    id: &'r PlanId,
    intent: Intent,
    by_fabric: Estimates,
    protection: &'r BTreeMap<&'a GroupName, Protection<'a>>,
    /// Members by name, of the protection groups that single machines were taken from.
    positions: BTreeMap<&'a GroupName, BTreeMap<&'a MachineName, usize>>,
    overrides: BTreeMap<&'a MachineName, Vec<&'a Override>>,
    /// Machines that a group has already; a second claim changes nothing.
    taken: BTreeSet<(&'a GroupName, &'a MachineName)>,
    staying: Vec<MachineId>,
    there: Vec<MachineId>,
    more: bool,
    /// Of the group that is being collected.
    left_out: usize,
}

impl<'a> Collector<'a, '_> {
    fn group(&mut self, group: &'a PlanGroup) -> Result<ResolvedGroup<'a>, PlanError> {
        let mut machines = Vec::new();
        let mut open = Vec::new();
        let protection = self.protection;
        self.left_out = 0;
        for name in &group.protection_groups {
            let Some(members) = protection.get(name).map(|found| &found.members) else {
                continue;
            };
            machines.extend(
                members
                    .known
                    .iter()
                    .filter_map(|member| self.machine(name, member.name, Some(*member))),
            );
            if members.open {
                open.push(name);
            }
        }
        for reference in &group.machines {
            let member = self.member(group, reference)?;
            machines.extend(self.machine(&reference.protection_group, &reference.name, member));
        }
        Ok(ResolvedGroup {
            group,
            machines,
            open,
            left_out: self.left_out,
        })
    }

    /// What its group says of a single machine; nothing where it may be one of those that the
    /// selector would find.
    fn member(
        &mut self,
        group: &PlanGroup,
        reference: &'a MachineRef,
    ) -> Result<Option<Member<'a>>, PlanError> {
        let from = &reference.protection_group;
        let protection = self.protection;
        let Some(members) = protection.get(from).map(|found| &found.members) else {
            return Ok(None);
        };
        let positions = self.positions.entry(from).or_insert_with(|| {
            let known = members.known.iter().enumerate();
            known
                .map(|(position, member)| (member.name, position))
                .collect()
        });
        let member = positions
            .get(&reference.name)
            .map(|position| members.known[*position]);
        if member.is_none() && !members.open {
            return Err(PlanError::NoSuchMachine {
                group: group.name.clone(),
                protection_group: from.clone(),
                machine: reference.name.clone(),
            });
        }
        Ok(member)
    }

    fn machine(
        &mut self,
        group: &'a GroupName,
        name: &'a MachineName,
        member: Option<Member<'a>>,
    ) -> Option<ResolvedMachine<'a>> {
        if !self.taken.insert((group, name)) {
            return None;
        }
        let id = MachineId {
            namespace: self.id.namespace.clone(),
            group: group.clone(),
            name: name.clone(),
        };
        if !self.takes_part(group, name, &id) {
            self.left_out += 1;
            return None;
        }
        let recorded = self.planner.records.get(self.intent.direction(), &id);
        let of_inventory = member
            .and_then(|member| member.found)
            .and_then(|found| found.estimates);
        let estimate = recorded.map_or_else(
            || Estimate::Fabric(of_inventory.unwrap_or(self.by_fabric)),
            |recorded| Estimate::Recorded(*recorded),
        );
        Some(ResolvedMachine {
            id,
            member,
            estimate,
        })
    }

    /// Whether a machine is one that the run is about, and is not at its target already.
    fn takes_part(&mut self, group: &GroupName, name: &MachineName, id: &MachineId) -> bool {
        let there = self.planner.places.get(id) == Some(self.intent.to);
        let wanted = match (self.own_site(group, name), self.intent.scope) {
            (_, Scope::Present) | (None, Scope::Plan) => true,
            (None, Scope::Overrides) => false,
            (Some(own), Scope::Plan | Scope::Overrides) => own == self.intent.to,
        };
        if there {
            self.more |= !wanted;
            self.there.push(id.clone());
        } else if !wanted && self.own_site(group, name).is_some() {
            self.staying.push(id.clone());
        }
        wanted && !there
    }

    /// Where an override wants this machine, where there is one (PL-6).
    fn own_site(&self, group: &GroupName, name: &MachineName) -> Option<SiteRole> {
        let entries = self.overrides.get(name)?;
        let own = entries.iter().find(|entry| {
            let written = entry.protection_group.as_ref();
            written.is_none_or(|written| written == group)
        })?;
        Some(own.active_site)
    }
}
