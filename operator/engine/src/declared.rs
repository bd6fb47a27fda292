//! The declared resources, indexed by name.

use std::collections::BTreeMap;

use drover_api::{
    FailbackPolicy, NetworkMapping, Object, ProtectionGroup, RecoveryDrill, RecoveryPlan,
    ReplicationPolicy, RunDecision, Site,
};

/// An object together with its position in the input, by which problems refer to it.
#[derive(Debug)]
pub struct Entry<'a, T> {
    /// Position in the input.
    pub index: usize,
    /// The object.
    pub object: &'a T,
}

impl<T> Clone for Entry<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Entry<'_, T> {}

/// Objects of one namespaced kind by namespace and name.
pub type ByName<'a, T> = BTreeMap<(&'a str, &'a str), Entry<'a, T>>;

/// The declared resources, indexed by name. Kinds that Drover makes itself are not declarations and
/// are left out. Of two objects of one name the first counts; that there are two is the loader's to
/// say.
#[derive(Clone, Debug, Default)]
pub struct Declared<'a> {
    /// Sites by name.
    pub sites: BTreeMap<&'a str, Entry<'a, Site>>,
    /// Replication policies.
    pub policies: ByName<'a, ReplicationPolicy>,
    /// Network mappings.
    pub mappings: ByName<'a, NetworkMapping>,
    /// Protection groups.
    pub groups: ByName<'a, ProtectionGroup>,
    /// Failback policies.
    pub failback_policies: ByName<'a, FailbackPolicy>,
    /// Recovery plans.
    pub plans: ByName<'a, RecoveryPlan>,
    /// Drills.
    pub drills: ByName<'a, RecoveryDrill>,
    /// Decisions.
    pub decisions: ByName<'a, RunDecision>,
}

/// The namespace of objects that do not name one.
pub const DEFAULT_NAMESPACE: &str = "default";

impl<'a> Declared<'a> {
    /// Indexes these objects.
    pub fn new(objects: &'a [Object]) -> Self {
        let mut declared = Self::default();
        for (index, object) in objects.iter().enumerate() {
            declared.insert(index, object);
        }
        declared
    }

    fn insert(&mut self, index: usize, object: &'a Object) {
        let name = object.name();
        let key = (object.namespace().unwrap_or(DEFAULT_NAMESPACE), name);
        match object {
            Object::Site(object) => {
                self.sites.entry(name).or_insert(Entry { index, object });
            }
            Object::ReplicationPolicy(object) => put(&mut self.policies, key, index, object),
            Object::NetworkMapping(object) => put(&mut self.mappings, key, index, object),
            Object::ProtectionGroup(object) => put(&mut self.groups, key, index, object),
            Object::FailbackPolicy(object) => put(&mut self.failback_policies, key, index, object),
            Object::RecoveryPlan(object) => put(&mut self.plans, key, index, object),
            Object::RecoveryDrill(object) => put(&mut self.drills, key, index, object),
            Object::RunDecision(object) => put(&mut self.decisions, key, index, object),
            Object::ProtectedMachine(_) | Object::RecoveryRun(_) | Object::MachineRun(_) => {}
        }
    }
}

fn put<'a, T>(into: &mut ByName<'a, T>, key: (&'a str, &'a str), index: usize, object: &'a T) {
    into.entry(key).or_insert(Entry { index, object });
}
