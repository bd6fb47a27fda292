//! Which plan answers for a machine.

use std::collections::BTreeMap;

use drover_api::{ProtectedMachine, RecoveryPlan};
use drover_world::PlanId;

/// Which plan answers for a group or a single machine: one with an active site before one that only drills.
/// Plans are named by their position.
pub struct Owners<'a> {
    groups: BTreeMap<(&'a str, &'a str), usize>,
    machines: BTreeMap<(&'a str, &'a str, &'a str), usize>,
}

impl<'a> Owners<'a> {
    /// Who owns what by these plans.
    pub fn of(plans: &'a [(PlanId, &'a RecoveryPlan)]) -> Self {
        let mut owners = Self {
            groups: BTreeMap::new(),
            machines: BTreeMap::new(),
        };
        let numbered = plans.iter().enumerate();
        let (first, then): (Vec<_>, Vec<_>) =
            numbered.partition(|(_, (_, plan))| plan.spec.active_site.is_some());
        for (position, (id, plan)) in first.into_iter().chain(then) {
            let namespace = id.namespace.as_str();
            for group in &plan.spec.groups {
                for name in &group.protection_groups {
                    let key = (namespace, name.as_str());
                    owners.groups.entry(key).or_insert(position);
                }
                for single in &group.machines {
                    let key = (
                        namespace,
                        single.protection_group.as_str(),
                        single.name.as_str(),
                    );
                    owners.machines.entry(key).or_insert(position);
                }
            }
        }
        owners
    }

    /// Who answers for a machine; nothing where no plan does.
    pub fn owner(&self, machine: &ProtectedMachine) -> Option<usize> {
        let namespace = machine.metadata.namespace.as_deref().unwrap_or_default();
        let group = machine.spec.group_ref.name.as_str();
        let single = (namespace, group, machine.spec.machine.as_str());
        let single = self.machines.get(&single);
        single
            .or_else(|| self.groups.get(&(namespace, group)))
            .copied()
    }
}
