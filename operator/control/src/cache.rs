//! What the API says, as far as it was heard: typed, shared, the newest of each object.
//!
//! Watches feed it, and so do the answers to our own writes: a reconcile that follows a write sees it,
//! whether the watch was quicker or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use drover_api::common::SiteRole;
use drover_api::value::{MachineName, SiteName};
use drover_api::{
    FailbackPolicy, MachineRun, NetworkMapping, ProtectedMachine, ProtectedMachineSpec,
    ProtectionGroup, RecoveryDrill, RecoveryPlan, RecoveryRun, ReplicationPolicy, RunDecision,
    Site,
};
use drover_engine::lifecycle::RUN;
use kube::{Resource, ResourceExt};

use crate::index::PairKey;

/// An object by namespace and name; the namespace is empty for what lives in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// The object of this name in this namespace.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The key of an object.
    pub fn of<K: Resource>(object: &K) -> Self {
        Self::new(
            object.meta().namespace.as_deref().unwrap_or_default(),
            object.meta().name.as_deref().unwrap_or_default(),
        )
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// The resource version as a number. Kubernetes has them comparable as numbers since 1.35; before that
/// every API server's were numbers as well.
pub(crate) fn version<K: Resource>(object: &K) -> u64 {
    let text = object.meta().resource_version.as_deref();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// All objects of one kind.
#[derive(Debug)]
pub(crate) struct Table<K> {
    objects: Arc<BTreeMap<ObjectKey, Arc<K>>>,
    /// Versions at which objects went, so that a late answer does not bring them back.
    gone: BTreeMap<ObjectKey, u64>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            objects: Arc::default(),
            gone: BTreeMap::new(),
        }
    }
}

/// Deletions that are remembered; more would only matter to answers that are late by as many.
const REMEMBERED_DELETIONS: usize = 4096;

impl<K: Resource + Clone> Table<K> {
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&Arc<K>> {
        self.objects.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<K>)> {
        self.objects.iter()
    }

    /// Objects of one namespace.
    pub(crate) fn in_namespace<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Arc<K>)> {
        let first = ObjectKey::new(namespace, "");
        self.objects
            .range(first..)
            .take_while(move |(key, _)| &*key.namespace == namespace)
    }

    /// All objects as they are now, whatever comes later.
    pub(crate) fn snapshot(&self) -> Arc<BTreeMap<ObjectKey, Arc<K>>> {
        Arc::clone(&self.objects)
    }

    /// Takes in an object, unless a newer one is here. Returns what was here before, or nothing where
    /// the object was not taken.
    pub(crate) fn put(&mut self, object: Arc<K>) -> Option<Put<K>> {
        let key = ObjectKey::of(&*object);
        let version = version(&*object);
        if self.gone.get(&key).is_some_and(|gone| *gone >= version) {
            return None;
        }
        let before = self.objects.get(&key);
        if before.is_some_and(|before| {
            self::version(&**before) >= version && before.uid() == object.uid()
        }) {
            return None;
        }
        let before = before.cloned();
        Arc::make_mut(&mut self.objects).insert(key, object);
        Some(Put { before })
    }

    /// Forgets an object, unless a newer one is here.
    pub(crate) fn remove(&mut self, key: &ObjectKey, version: u64) -> Option<Arc<K>> {
        let here = self.objects.get(key)?;
        if self::version(&**here) > version {
            return None;
        }
        if self.gone.len() >= REMEMBERED_DELETIONS {
            self.gone.clear();
        }
        self.gone.insert(key.clone(), version);
        Arc::make_mut(&mut self.objects).remove(key)
    }
}

/// An object was taken in.
pub(crate) struct Put<K> {
    pub(crate) before: Option<Arc<K>>,
}

/// Everything that the API says.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    pub(crate) sites: Table<Site>,
    pub(crate) policies: Table<ReplicationPolicy>,
    pub(crate) mappings: Table<NetworkMapping>,
    pub(crate) failback_policies: Table<FailbackPolicy>,
    pub(crate) groups: Table<ProtectionGroup>,
    pub(crate) machines: Table<ProtectedMachine>,
    pub(crate) plans: Table<RecoveryPlan>,
    pub(crate) drills: Table<RecoveryDrill>,
    pub(crate) runs: Table<RecoveryRun>,
    pub(crate) machine_runs: Table<MachineRun>,
    pub(crate) decisions: Table<RunDecision>,
    /// Machines by their group.
    members: BTreeMap<ObjectKey, BTreeMap<String, ObjectKey>>,
    /// Machine runs by their run.
    of_run: BTreeMap<ObjectKey, BTreeMap<ObjectKey, Arc<MachineRun>>>,
    /// Plans by the protection groups that they name.
    plans_of_group: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// Machine runs by group and machine.
    parts: BTreeMap<(ObjectKey, String), BTreeSet<ObjectKey>>,
    /// Machines by what a site calls them.
    natives: BTreeMap<(SiteName, MachineName), ObjectKey>,
    /// Grows with every change of what people declare.
    pub(crate) declared_version: u64,
    /// Grows with every machine that comes to or goes from a group that selects its members.
    pub(crate) members_version: u64,
    /// Grows with every run that moved machines and comes to its end, or is forgotten after it.
    pub(crate) ended_version: u64,
}

impl Cache {
    /// The machines of a group, by their name in it.
    pub(crate) fn members(
        &self,
        group: &ObjectKey,
    ) -> impl Iterator<Item = &Arc<ProtectedMachine>> {
        let keys = self
            .members
            .get(group)
            .into_iter()
            .flat_map(BTreeMap::values);
        keys.filter_map(|key| self.machines.get(key))
    }

    /// One machine of a group.
    pub(crate) fn member(&self, group: &ObjectKey, name: &str) -> Option<&Arc<ProtectedMachine>> {
        self.machines.get(self.members.get(group)?.get(name)?)
    }

    /// The parts of a machine in runs.
    pub(crate) fn parts_of(
        &self,
        group: &ObjectKey,
        name: &str,
    ) -> impl Iterator<Item = &Arc<MachineRun>> {
        let key = (group.clone(), name.to_owned());
        let parts = self.parts.get(&key).into_iter().flatten();
        parts.filter_map(|part| self.machine_runs.get(part))
    }

    /// The machine runs of a run, by their name.
    pub(crate) fn machine_runs_of(&self, run: &ObjectKey) -> Vec<Arc<MachineRun>> {
        let found = self.of_run.get(run).into_iter().flat_map(BTreeMap::values);
        found.cloned().collect()
    }

    pub(crate) fn plans_of_group(&self, group: &ObjectKey) -> Vec<ObjectKey> {
        let plans = self.plans_of_group.get(group);
        plans.into_iter().flatten().cloned().collect()
    }

    /// The protection groups that a plan names.
    pub(crate) fn groups_of_plan(&self, plan: &ObjectKey) -> BTreeSet<ObjectKey> {
        let found = self.plans.get(plan);
        let groups = found.map(|found| groups_of(&plan.namespace, found));
        groups.unwrap_or_default()
    }

    /// The protected machine that a site calls so.
    pub(crate) fn native(&self, site: &SiteName, name: &MachineName) -> Option<&ObjectKey> {
        self.natives.get(&(site.clone(), name.clone()))
    }

    /// The protected machines that have a place at a site, whether they are there or not.
    pub(crate) fn at_site(&self, site: &SiteName) -> Vec<ObjectKey> {
        let here = self.natives.iter().filter(|((at, _), _)| at == site);
        here.map(|(_, key)| key.clone()).collect()
    }

    /// What a site calls the protected machines that have a place there, in lower case.
    pub(crate) fn names_at(&self, site: &SiteName) -> BTreeSet<String> {
        let here = self.natives.keys().filter(|(at, _)| at == site);
        here.map(|(_, name)| name.as_str().to_lowercase()).collect()
    }

    /// Any machine whose data one driver moves.
    pub(crate) fn one_of_pair(&self, pair: &PairKey) -> Option<ObjectKey> {
        let mut machines = self.machines.iter();
        let found =
            machines.find(|(key, machine)| PairKey::of(&key.namespace, &machine.spec) == *pair);
        found.map(|(key, _)| key.clone())
    }

    /// The runs of a plan, oldest first.
    pub(crate) fn runs_of(&self, plan: &ObjectKey) -> Vec<Arc<RecoveryRun>> {
        let of_plan = self.runs.in_namespace(&plan.namespace);
        let mut runs: Vec<Arc<RecoveryRun>> = of_plan
            .filter(|(_, run)| run.spec.plan_ref.name.as_str() == &*plan.name)
            .map(|(_, run)| Arc::clone(run))
            .collect();
        runs.sort_by_key(|run| run.spec.number);
        runs
    }

    /// The runs of a plan that did not come to their end.
    pub(crate) fn unfinished_runs(&self, plan: &ObjectKey) -> Vec<ObjectKey> {
        let runs = self.runs_of(plan);
        let open = runs.iter().filter(|run| !is_final(run));
        open.map(|run| ObjectKey::of(&**run)).collect()
    }

    /// The drills that a run carries out.
    pub(crate) fn drills_of(&self, run: &ObjectKey) -> Vec<ObjectKey> {
        let drills = self.drills.in_namespace(&run.namespace);
        let ours = drills.filter(|(_, drill)| {
            let status = drill.status.as_ref();
            let name = status.and_then(|status| status.run.as_ref());
            name.is_some_and(|name| name.as_str() == &*run.name)
        });
        ours.map(|(key, _)| key.clone()).collect()
    }
}

/// A kind that is kept in the cache.
pub(crate) trait Kept: Resource<DynamicType = ()> + Clone + Sized {
    /// Whether people declare it: planning looks at it.
    const DECLARED: bool;

    fn table(cache: &mut Cache) -> &mut Table<Self>;

    /// Keeps secondary orders in step.
    fn noted(
        _cache: &mut Cache,
        _key: &ObjectKey,
        _now: Option<&Arc<Self>>,
        _before: Option<&Arc<Self>>,
    ) {
    }
}

macro_rules! kept {
    ($($kind:ident: $field:ident, $declared:literal;)*) => {$(
        impl Kept for $kind {
            const DECLARED: bool = $declared;

            fn table(cache: &mut Cache) -> &mut Table<Self> {
                &mut cache.$field
            }
        }
    )*};
}

kept! {
    Site: sites, true;
    ReplicationPolicy: policies, true;
    NetworkMapping: mappings, true;
    FailbackPolicy: failback_policies, true;
    ProtectionGroup: groups, true;
    RecoveryDrill: drills, true;
    RunDecision: decisions, false;
}

impl Kept for RecoveryRun {
    const DECLARED: bool = false;

    fn table(cache: &mut Cache) -> &mut Table<Self> {
        &mut cache.runs
    }

    fn noted(
        cache: &mut Cache,
        _key: &ObjectKey,
        now: Option<&Arc<Self>>,
        before: Option<&Arc<Self>>,
    ) {
        let moved = |run: &Arc<Self>| run.spec.failover_type().is_some() && is_final(run);
        let ended = |run: Option<&Arc<Self>>| run.is_some_and(moved);
        if ended(now) != ended(before) {
            cache.ended_version += 1;
        }
    }
}

impl Kept for RecoveryPlan {
    const DECLARED: bool = true;

    fn table(cache: &mut Cache) -> &mut Table<Self> {
        &mut cache.plans
    }

    fn noted(
        cache: &mut Cache,
        key: &ObjectKey,
        now: Option<&Arc<Self>>,
        before: Option<&Arc<Self>>,
    ) {
        for group in before
            .into_iter()
            .flat_map(|plan| groups_of(&key.namespace, plan))
        {
            if let Some(plans) = cache.plans_of_group.get_mut(&group) {
                plans.remove(key);
            }
        }
        for group in now
            .into_iter()
            .flat_map(|plan| groups_of(&key.namespace, plan))
        {
            let plans = cache.plans_of_group.entry(group).or_default();
            plans.insert(key.clone());
        }
    }
}

/// The protection groups that a plan names.
fn groups_of(namespace: &str, plan: &RecoveryPlan) -> BTreeSet<ObjectKey> {
    let whole = plan
        .spec
        .groups
        .iter()
        .flat_map(|group| &group.protection_groups);
    let single = plan
        .spec
        .groups
        .iter()
        .flat_map(|group| &group.machines)
        .map(|machine| &machine.protection_group);
    whole
        .chain(single)
        .map(|name| ObjectKey::new(namespace, name.as_str()))
        .collect()
}

/// The names of a machine at its two sites.
fn natives(machine: &ProtectedMachine) -> [(SiteName, MachineName); 2] {
    let sites = &machine.spec.sites;
    let at = |role| (sites.at(role).clone(), name_at(&machine.spec, role));
    [at(SiteRole::Primary), at(SiteRole::Secondary)]
}

/// The name of a machine at the site in this role.
pub(crate) fn name_at(machine: &ProtectedMachineSpec, role: SiteRole) -> MachineName {
    let settings = machine.target_settings.as_ref();
    let there = match role {
        // It is called by its name at the primary site, wherever it is.
        SiteRole::Primary => None,
        SiteRole::Secondary => settings.and_then(|settings| settings.secondary.as_ref()),
    };
    let name = there.and_then(|settings| settings.name.clone());
    name.unwrap_or_else(|| machine.machine.clone())
}

impl Kept for ProtectedMachine {
    const DECLARED: bool = false;

    fn table(cache: &mut Cache) -> &mut Table<Self> {
        &mut cache.machines
    }

    fn noted(
        cache: &mut Cache,
        key: &ObjectKey,
        now: Option<&Arc<Self>>,
        before: Option<&Arc<Self>>,
    ) {
        let place = |machine: &Arc<Self>| {
            let group = ObjectKey::new(&key.namespace, machine.spec.group_ref.name.as_str());
            (group, machine.spec.machine.as_str().to_owned())
        };
        // Who is protected changes what plans are about, where a group does not name its members.
        if now.is_some() != before.is_some() {
            let any = now.or(before).map(place);
            let group = any.and_then(|(group, _)| cache.groups.get(&group));
            let selects = group.is_some_and(|group| group.spec.selector.is_some());
            cache.members_version += u64::from(selects);
        }
        if let Some((group, name)) = before.map(place)
            && let Some(members) = cache.members.get_mut(&group)
        {
            members.remove(&name);
        }
        for native in before.into_iter().flat_map(|machine| natives(machine)) {
            cache.natives.remove(&native);
        }
        for native in now.into_iter().flat_map(|machine| natives(machine)) {
            cache.natives.insert(native, key.clone());
        }
        if let Some((group, name)) = now.map(place) {
            cache
                .members
                .entry(group)
                .or_default()
                .insert(name, key.clone());
        }
    }
}

impl Kept for MachineRun {
    const DECLARED: bool = false;

    fn table(cache: &mut Cache) -> &mut Table<Self> {
        &mut cache.machine_runs
    }

    fn noted(
        cache: &mut Cache,
        key: &ObjectKey,
        now: Option<&Arc<Self>>,
        before: Option<&Arc<Self>>,
    ) {
        let Some(any) = now.or(before) else { return };
        let run = ObjectKey::new(&key.namespace, any.spec.run.as_str());
        let machine = &any.spec.machine;
        let group = ObjectKey::new(&key.namespace, machine.protection_group.as_str());
        let parts = cache
            .parts
            .entry((group, machine.name.to_string()))
            .or_default();
        if now.is_some() {
            parts.insert(key.clone());
        } else {
            parts.remove(key);
        }
        let of_run = cache.of_run.entry(run.clone()).or_default();
        if let Some(now) = now {
            of_run.insert(key.clone(), Arc::clone(now));
        } else {
            of_run.remove(key);
            if of_run.is_empty() {
                cache.of_run.remove(&run);
            }
        }
    }
}

/// Whether a run came to its end.
pub(crate) fn is_final(run: &RecoveryRun) -> bool {
    RUN.is_final(run.phase())
}

/// What became of an object in the cache.
pub(crate) struct Change<K> {
    pub(crate) key: ObjectKey,
    pub(crate) now: Option<Arc<K>>,
    pub(crate) before: Option<Arc<K>>,
}

/// An object as it is kept. Who manages which of its fields is asked by nobody here, and would be the
/// greater part of what is kept; an update without it leaves it as it is.
pub(crate) fn kept<K: Kept>(mut object: K) -> Arc<K> {
    object.meta_mut().managed_fields = None;
    Arc::new(object)
}

impl Cache {
    /// Takes in an object; nothing where a newer one is here.
    pub(crate) fn put<K: Kept>(&mut self, object: Arc<K>) -> Option<Change<K>> {
        let key = ObjectKey::of(&*object);
        let put = K::table(self).put(Arc::clone(&object))?;
        K::noted(self, &key, Some(&object), put.before.as_ref());
        if K::DECLARED && spec_changed(&object, put.before.as_ref()) {
            self.declared_version += 1;
        }
        Some(Change {
            key,
            now: Some(object),
            before: put.before,
        })
    }

    /// Forgets an object; nothing where a newer one is here.
    pub(crate) fn remove<K: Kept>(&mut self, key: &ObjectKey, version: u64) -> Option<Change<K>> {
        let before = K::table(self).remove(key, version)?;
        K::noted(self, key, None, Some(&before));
        if K::DECLARED {
            self.declared_version += 1;
        }
        Some(Change {
            key: key.clone(),
            now: None,
            before: Some(before),
        })
    }
}

/// Whether what people wrote changed: status does not touch the generation.
fn spec_changed<K: Resource>(now: &Arc<K>, before: Option<&Arc<K>>) -> bool {
    before.is_none_or(|before| {
        before.meta().generation != now.meta().generation || before.meta().uid != now.meta().uid
    })
}
