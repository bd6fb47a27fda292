//! Both sides of a change, with what is known of each once.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use drover_api::value::MachineName;
use drover_api::{ProtectionGroupSpec, RecoveryPlanSpec};
use drover_world::{MachineId, PlanId};
use jiff::Timestamp;

use super::meaning::ObjectRef;
use super::sheet::Subject;
use crate::declared::{ByName, Declared, Entry};
use crate::members::{self, Inventories, Members};
use crate::plan::{Places, Planner, Records};
use crate::problem::Problem;

/// A review knows of no runs.
static NO_RECORDS: Records = Records::NONE;

/// One side of a change.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What is declared.
    pub declared: &'a Declared<'a>,
    /// The inventories that are known.
    pub inventories: &'a Inventories,
    /// What is wrong with it.
    pub problems: &'a [Problem],
}

/// Namespace and name.
pub(super) type Key<'a> = (&'a str, &'a str);

/// Both sides.
pub(super) struct Sides<'a> {
    pub(super) before: View<'a>,
    pub(super) after: View<'a>,
    pub(super) now: Timestamp,
    /// Single changes whose cost may still be worked out.
    pub(super) marginals: Cell<usize>,
}

/// One side, with the members of its groups.
pub(super) struct View<'a> {
    pub(super) declared: &'a Declared<'a>,
    pub(super) inventories: &'a Inventories,
    members: BTreeMap<Key<'a>, Members<'a>>,
}

impl<'a> Sides<'a> {
    pub(super) fn new(before: &Side<'a>, after: &Side<'a>, now: Timestamp) -> Self {
        Self {
            before: View::new(before),
            after: View::new(after),
            now,
            marginals: super::forecasts::marginals(),
        }
    }
}

impl<'a> View<'a> {
    fn new(side: &Side<'a>) -> Self {
        let groups = side.declared.groups.iter();
        let members = groups
            .map(|(key, group)| (*key, members::of(&group.object.spec, side.inventories)))
            .collect();
        Self {
            declared: side.declared,
            inventories: side.inventories,
            members,
        }
    }

    /// The members of all groups.
    pub(super) fn members(&self) -> &BTreeMap<Key<'a>, Members<'a>> {
        &self.members
    }

    /// A planner that knows where machines are.
    pub(super) fn planner<'v>(&'v self, now: Timestamp, places: &'v Places) -> Planner<'v> {
        Planner {
            declared: self.declared,
            inventories: self.inventories,
            records: &NO_RECORDS,
            places,
            now: Some(now),
        }
    }

    /// The protection groups that go by this policy, with how many machines are known in each.
    pub(super) fn groups_where(
        &self,
        namespace: &str,
        is: impl Fn(&ProtectionGroupSpec) -> bool,
    ) -> Vec<(&'a str, usize)> {
        let all = self.declared.groups.range((namespace, "")..);
        all.take_while(|((found, _), _)| *found == namespace)
            .filter(|(_, group)| is(&group.object.spec))
            .map(|(key, _)| {
                let known = self.members().get(key);
                (key.1, known.map_or(0, |members| members.known.len()))
            })
            .collect()
    }

    /// Every machine of a plan with the plan's group that it is in, as far as they are known, in the
    /// order of the plan; and whether there may be more.
    pub(super) fn machines_of(
        &self,
        namespace: &'a str,
        plan: &'a RecoveryPlanSpec,
    ) -> (Vec<(Machine<'a>, &'a str)>, bool) {
        let (mut found, mut taken, mut open) = (Vec::new(), BTreeSet::new(), false);
        for group in &plan.groups {
            let mut add = |machine: Machine<'a>| {
                if taken.insert(machine) {
                    found.push((machine, group.name.as_str()));
                }
            };
            for whole in &group.protection_groups {
                let Some(members) = self.members().get(&(namespace, whole.as_str())) else {
                    continue;
                };
                open |= members.open;
                for member in &members.known {
                    add((whole.as_str(), member.name));
                }
            }
            for single in &group.machines {
                add((single.protection_group.as_str(), &single.name));
            }
        }
        (found, open)
    }
}

/// A machine of a namespace: its protection group, and its name in it.
pub(super) type Machine<'a> = (&'a str, &'a MachineName);

/// Its identity across namespaces.
pub(super) fn machine_id(namespace: &str, machine: Machine<'_>) -> Option<MachineId> {
    Some(MachineId {
        namespace: namespace.parse().ok()?,
        group: machine.0.parse().ok()?,
        name: machine.1.clone(),
    })
}

/// A plan's identity.
pub(super) fn plan_id(key: Key<'_>) -> Option<PlanId> {
    Some(PlanId {
        namespace: key.0.parse().ok()?,
        name: key.1.parse().ok()?,
    })
}

/// An object on the sides that have it.
pub(super) enum Pair<'a, T> {
    Added(Entry<'a, T>),
    Removed(Entry<'a, T>),
    Both(Entry<'a, T>, Entry<'a, T>),
}

impl<T> Pair<'_, T> {
    pub(super) fn subject(&self, kind: &'static str, key: Key<'_>) -> Subject {
        let (before, after) = match self {
            Self::Added(after) => (None, Some(after.index)),
            Self::Removed(before) => (Some(before.index), None),
            Self::Both(before, after) => (Some(before.index), Some(after.index)),
        };
        let namespace = (!key.0.is_empty()).then(|| key.0.to_owned());
        Subject {
            object: ObjectRef {
                kind,
                namespace,
                name: key.1.to_owned(),
            },
            before,
            after,
        }
    }
}

/// The objects of one kind, paired by name.
pub(super) fn pairs<'a, T>(
    before: &ByName<'a, T>,
    after: &ByName<'a, T>,
) -> Vec<(Key<'a>, Pair<'a, T>)> {
    let mut pairs: Vec<(Key<'a>, Pair<'a, T>)> = after
        .iter()
        .map(|(key, entry)| {
            let pair = match before.get(key) {
                Some(old) => Pair::Both(*old, *entry),
                None => Pair::Added(*entry),
            };
            (*key, pair)
        })
        .collect();
    let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
    pairs.extend(gone.map(|(key, entry)| (*key, Pair::Removed(*entry))));
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}
