//! What is declared, as the engine looks at it: one snapshot, made anew when something changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drover_api::value::{MachineName, SiteName};
use drover_api::{
    FailbackPolicy, NetworkMapping, ProtectedMachineSpec, ProtectionGroup, RecoveryDrill,
    RecoveryPlan, RecoveryRun, ReplicationPolicy, Site,
};
use drover_engine::check::{self, Options};
use drover_engine::declared::{Declared, Entry};
use drover_engine::members::{self, Inventories};
use drover_engine::plan::{Places, Planner, Records};
use drover_engine::problem::{Problem, Severity};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::cache::{Cache, Kept, ObjectKey};
use crate::context::{Context, GATHER, Scripts};
use crate::index::Index;

type Objects<K> = Arc<BTreeMap<ObjectKey, Arc<K>>>;

/// What is declared at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    sites: Objects<Site>,
    policies: Objects<ReplicationPolicy>,
    mappings: Objects<NetworkMapping>,
    failback_policies: Objects<FailbackPolicy>,
    /// Groups, with who is protected in place of their selectors.
    groups: BTreeMap<ObjectKey, Arc<ProtectionGroup>>,
    plans: Objects<RecoveryPlan>,
    drills: Objects<RecoveryDrill>,
    inventories: Inventories,
    /// What steps took in the runs that ended (PL-5).
    records: Arc<Records>,
    /// What is wrong, by object.
    problems: BTreeMap<Object, Vec<Problem>>,
}

/// An object that something can be wrong with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    Site(ObjectKey),
    Policy(ObjectKey),
    Mapping(ObjectKey),
    FailbackPolicy(ObjectKey),
    Group(ObjectKey),
    Plan(ObjectKey),
    Drill(ObjectKey),
}

/// The last snapshot.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// The versions of the cache and of the inventories that it was made from.
    made_from: (u64, u64),
    /// The version of the selected members that it was made from, and when that was.
    members: u64,
    made_at: Option<Instant>,
    snapshot: Option<Arc<Snapshot>>,
    /// What the runs that ended tell, and how many had ended then: it is worked out once for each.
    records: Option<(u64, Arc<Records>)>,
}

/// Who is selected may be so old: machines come by the thousand, and each would have all that is declared
/// checked anew. Plans look again when they have gathered, which is later than this.
const MEMBERS_SETTLE: Duration = Duration::from_millis(100);
const _: () = assert!(MEMBERS_SETTLE.as_millis() < GATHER.as_millis());

impl Memo {
    fn stands(&self, made_from: (u64, u64), members: u64) -> Option<&Arc<Snapshot>> {
        let settled = self.members == members
            || self
                .made_at
                .is_some_and(|made_at| made_at.elapsed() < MEMBERS_SETTLE);
        let same = self.made_from == made_from && settled;
        self.snapshot.as_ref().filter(|_| same)
    }
}

impl Context {
    /// What is declared now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        let options = Options {
            now: Some(self.clock.now()),
            jobs: self.settings.scripts == Scripts::Jobs,
        };
        let mut memo = self.memo();
        // Never both locks with a third: memo, then cache, then index, each for a moment.
        let (declared, members) = {
            let cache = self.cache();
            (cache.declared_version, cache.members_version)
        };
        let made_from = (declared, self.index().inventory_version());
        let records = self.records(&mut memo);
        if let Some(snapshot) = memo.stands(made_from, members)
            && Arc::ptr_eq(&snapshot.records, &records)
        {
            return Arc::clone(snapshot);
        }
        let parts = Snapshot::gather(&self.cache(), records);
        let snapshot = Arc::new(parts.checked(inventories(&self.index()), &options));
        *memo = Memo {
            made_from,
            members,
            made_at: Some(Instant::now()),
            snapshot: Some(Arc::clone(&snapshot)),
            records: memo.records.take(),
        };
        snapshot
    }
}

impl Context {
    /// What the runs that ended tell. Their journals are taken one run after the other, so that nobody
    /// waits for the cache meanwhile.
    fn records(&self, memo: &mut Memo) -> Arc<Records> {
        let (version, runs): (u64, Vec<Arc<RecoveryRun>>) = {
            let cache = self.cache();
            if let Some((version, records)) = &memo.records
                && *version == cache.ended_version
            {
                return Arc::clone(records);
            }
            let runs = cache.runs.iter().map(|(_, run)| Arc::clone(run));
            (cache.ended_version, runs.collect())
        };
        let machines = |run: &RecoveryRun| self.cache().machine_runs_of(&ObjectKey::of(run));
        let records = Arc::new(Records::of(runs.iter().map(|run| &**run), machines));
        memo.records = Some((version, Arc::clone(&records)));
        records
    }
}

/// The oldest first: of two that claim the same machine the first is right, whatever their names.
fn by_age<K: Kept>(table: &BTreeMap<ObjectKey, Arc<K>>) -> Vec<(&ObjectKey, &Arc<K>)> {
    let mut all: Vec<_> = table.iter().collect();
    all.sort_by_key(|(_, object)| object.meta().creation_timestamp.as_ref().map(|time| time.0));
    all
}

fn inventories(index: &Index) -> Inventories {
    index.inventories()
}

impl Snapshot {
    fn gather(cache: &Cache, records: Arc<Records>) -> Self {
        let groups = cache
            .groups
            .iter()
            .map(|(key, group)| (key.clone(), remembered(cache, key, group)))
            .collect();
        Self {
            sites: cache.sites.snapshot(),
            policies: cache.policies.snapshot(),
            mappings: cache.mappings.snapshot(),
            failback_policies: cache.failback_policies.snapshot(),
            groups,
            plans: cache.plans.snapshot(),
            drills: cache.drills.snapshot(),
            inventories: Inventories::new(),
            records,
            problems: BTreeMap::new(),
        }
    }

    fn checked(mut self, inventories: Inventories, options: &Options) -> Self {
        self.inventories = inventories;
        let (declared, objects) = self.declared();
        let found = check::check(&declared, &self.inventories, options);
        let mut problems: BTreeMap<Object, Vec<Problem>> = BTreeMap::new();
        for problem in found {
            if let Some(object) = objects.get(problem.object) {
                problems.entry(object.clone()).or_default().push(problem);
            }
        }
        drop(declared);
        self.problems = problems;
        self
    }

    /// As the engine takes it, and which object each position is.
    fn declared(&self) -> (Declared<'_>, Vec<Object>) {
        let mut declared = Declared::default();
        let mut objects = Vec::new();
        for (key, object) in self.sites.iter() {
            let index = objects.len();
            objects.push(Object::Site(key.clone()));
            declared.sites.insert(&key.name, Entry { index, object });
        }
        macro_rules! add {
            ($field:ident, $from:expr, $kind:ident) => {
                for (key, object) in by_age(&$from) {
                    let index = objects.len();
                    objects.push(Object::$kind(key.clone()));
                    let name = (&*key.namespace, &*key.name);
                    declared.$field.insert(name, Entry { index, object });
                }
            };
        }
        add!(policies, self.policies, Policy);
        add!(mappings, self.mappings, Mapping);
        add!(failback_policies, self.failback_policies, FailbackPolicy);
        add!(groups, self.groups, Group);
        add!(plans, self.plans, Plan);
        add!(drills, self.drills, Drill);
        (declared, objects)
    }

    /// Plans with this snapshot, wherever machines are.
    pub(crate) fn plan<T>(&self, now: Timestamp, with: impl FnOnce(&Planner<'_>) -> T) -> T {
        self.plan_from(now, &Places::NONE, with)
    }

    /// Plans with this snapshot, for machines that are seen to be there.
    pub(crate) fn plan_from<T>(
        &self,
        now: Timestamp,
        places: &Places,
        with: impl FnOnce(&Planner<'_>) -> T,
    ) -> T {
        let (declared, _) = self.declared();
        with(&Planner {
            declared: &declared,
            inventories: &self.inventories,
            records: &self.records,
            places,
            now: Some(now),
        })
    }

    /// What is wrong with an object, errors only, in words; empty when nothing is.
    pub(crate) fn errors(&self, object: &Object) -> Vec<String> {
        let problems = self.problems.get(object).into_iter().flatten();
        problems
            .filter(|problem| problem.severity == Severity::Error)
            .map(in_words)
            .collect()
    }

    pub(crate) fn site(&self, name: &SiteName) -> Option<&Arc<Site>> {
        self.sites.get(&ObjectKey::new("", name.as_str()))
    }

    pub(crate) fn policy(&self, key: &ObjectKey) -> Option<&Arc<ReplicationPolicy>> {
        self.policies.get(key)
    }

    pub(crate) fn mapping(&self, key: &ObjectKey) -> Option<&Arc<NetworkMapping>> {
        self.mappings.get(key)
    }

    pub(crate) fn inventories(&self) -> &Inventories {
        &self.inventories
    }

    /// How many groups and failback policies refer to a policy.
    pub(crate) fn users_of_policy(&self, key: &ObjectKey) -> usize {
        let groups = self.groups.iter().filter(|(group, object)| {
            group.namespace == key.namespace && object.spec.policy_ref.name.as_str() == &*key.name
        });
        let ways_back = self.failback_policies.iter().filter(|(policy, object)| {
            let refers = object.spec.replication_policy_ref.as_ref();
            policy.namespace == key.namespace
                && refers.is_some_and(|refers| refers.name.as_str() == &*key.name)
        });
        groups.count() + ways_back.count()
    }

    /// How many plans refer to a failback policy.
    pub(crate) fn users_of_failback_policy(&self, key: &ObjectKey) -> usize {
        let plans = self.plans.iter().filter(|(plan, object)| {
            let refers = object.spec.failback_policy_ref.as_ref();
            plan.namespace == key.namespace
                && refers.is_some_and(|refers| refers.name.as_str() == &*key.name)
        });
        plans.count()
    }
}

/// A problem in one line: the same in a condition and in the answer of the webhook.
pub(crate) fn in_words(problem: &Problem) -> String {
    let hint = problem.hint.as_ref();
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!(
        "{}: {}{hint} [{}]",
        problem.path, problem.message, problem.code
    )
}

fn remembered(
    cache: &Cache,
    key: &ObjectKey,
    group: &Arc<ProtectionGroup>,
) -> Arc<ProtectionGroup> {
    if group.spec.selector.is_none() {
        return Arc::clone(group);
    }
    let protected: Vec<_> = cache.members(key).collect();
    let by_name: BTreeMap<MachineName, &ProtectedMachineSpec> = protected
        .iter()
        .map(|machine| (machine.spec.machine.clone(), &machine.spec))
        .collect();
    // Nothing is protected yet: then what the inventory says stands, for the review's sake.
    if by_name.is_empty() {
        return Arc::clone(group);
    }
    let mut group = (**group).clone();
    group.spec = members::remembered(&group.spec, &by_name);
    Arc::new(group)
}
