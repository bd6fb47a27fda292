//! The declarations with their references followed, once, so that no check has to search.

use std::cell::Cell;
use std::collections::BTreeMap;

use drover_api::value::{MachineName, NetworkAlias, SiteName};
use drover_api::{
    NetworkMapping, NetworkMappingSpec, NetworkPair, Nic, ProtectionGroup, ProtectionGroupSpec,
    RecoveryPlan, RecoveryPlanSpec, ReplicationPolicySpec, Site,
};
use drover_world::PairRules;
use drover_world::pairs::{self, NoSuchPair};
use jiff::Timestamp;

use super::Options;
use crate::declared::{ByName, Declared, Entry};
use crate::members::{self, Inventories, Member, Members, Origin};
use crate::problem::{FieldPath, did_you_mean};

/// Names that one check compares for "did you mean", all problems together. Thousands of broken
/// references must not cost thousands of searches.
const COMPARISONS: usize = 100_000;

/// Everything that a check looks at.
pub(super) struct Context<'a> {
    pub(super) declared: &'a Declared<'a>,
    pub(super) inventories: &'a Inventories,
    pub(super) now: Option<Timestamp>,
    /// Whether scripts run as Jobs.
    pub(super) jobs: bool,
    /// In the order of [`Declared::mappings`].
    pub(super) mappings: Vec<Mapping<'a>>,
    /// In the order of [`Declared::groups`].
    pub(super) groups: Vec<Group<'a>>,
    /// In the order of [`Declared::plans`].
    pub(super) plans: Vec<Plan<'a>>,
    /// All known members of all groups.
    pub(super) machines: usize,
    comparisons: Cell<usize>,
}

/// A network mapping.
pub(super) struct Mapping<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) object: usize,
    pub(super) spec: &'a NetworkMappingSpec,
    by_alias: BTreeMap<&'a str, usize>,
}

/// A protection group.
pub(super) struct Group<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) object: usize,
    pub(super) spec: &'a ProtectionGroupSpec,
    pub(super) members: Members<'a>,
    /// Position of its first member among all machines.
    pub(super) first: usize,
    /// Positions of its members, by name.
    sorted: Vec<usize>,
    /// Its mapping in [`Context::mappings`], where there is one.
    pub(super) mapping: Option<usize>,
    /// Its policy, where there is one.
    pub(super) policy: Option<(usize, &'a ReplicationPolicySpec)>,
    /// What its two sites can do under its policy; nothing where one of them is not known.
    pub(super) pair: Option<Result<&'static PairRules, NoSuchPair>>,
}

/// A recovery plan.
pub(super) struct Plan<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) object: usize,
    pub(super) spec: &'a RecoveryPlanSpec,
    /// The protection groups that it names as a whole.
    pub(super) whole: Vec<Whole>,
    /// The machines that it names singly.
    pub(super) single: Vec<Single>,
    /// The protection groups that it has machines of, each once.
    pub(super) parts: Vec<usize>,
}

/// A protection group in a group of a plan.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    /// In [`Context::groups`].
    pub(super) group: usize,
    /// The plan's group.
    pub(super) at: usize,
    position: usize,
}

/// A machine in a group of a plan.
#[derive(Clone, Copy)]
pub(super) struct Single {
    /// In [`Context::groups`].
    pub(super) group: usize,
    /// Among the members of that group; nothing where it is none of the known ones.
    pub(super) member: Option<usize>,
    /// The plan's group.
    pub(super) at: usize,
    position: usize,
}

/// Where an interface is written in its protection group.
#[derive(Clone, Copy)]
pub(super) struct NicPlace {
    pub(super) origin: Origin,
    position: usize,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        declared: &'a Declared<'a>,
        inventories: &'a Inventories,
        options: &Options,
    ) -> Self {
        let mappings: Vec<Mapping<'a>> = declared.mappings.iter().map(Mapping::new).collect();
        let mut machines = 0;
        let groups: Vec<Group<'a>> = declared
            .groups
            .iter()
            .map(|entry| {
                let group = Group::new(declared, inventories, &mappings, entry, machines);
                machines += group.members.known.len();
                group
            })
            .collect();
        let plans = declared
            .plans
            .iter()
            .map(|entry| Plan::new(&groups, entry))
            .collect();
        Self {
            declared,
            inventories,
            now: options.now,
            jobs: options.jobs,
            mappings,
            groups,
            plans,
            machines,
            comparisons: Cell::new(COMPARISONS),
        }
    }

    pub(super) fn site(&self, name: &SiteName) -> Option<Entry<'a, Site>> {
        self.declared.sites.get(name.as_str()).copied()
    }

    /// The plan of this name.
    pub(super) fn plan(&self, namespace: &str, name: &str) -> Option<&Plan<'a>> {
        self.plans
            .binary_search_by(|plan| (plan.namespace, plan.name).cmp(&(namespace, name)))
            .ok()
            .map(|found| &self.plans[found])
    }

    /// Position of the protection group of this name.
    pub(super) fn group(&self, namespace: &str, name: &str) -> Option<usize> {
        find_group(&self.groups, namespace, name)
    }

    /// The protection groups of a plan.
    pub(super) fn parts(&self, plan: &Plan<'_>) -> impl Iterator<Item = &Group<'a>> {
        plan.parts.iter().map(|part| &self.groups[*part])
    }

    /// The candidate that was probably meant, as long as there is budget for looking.
    pub(super) fn meant<'n>(
        &self,
        written: &str,
        candidates: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        let budget = self.comparisons.get();
        let mut used = 0;
        let near = candidates
            .into_iter()
            .take(budget)
            .inspect(|_| used += 1)
            .filter(|candidate| candidate.len().abs_diff(written.len()) <= written.len() / 3 + 1);
        let found = did_you_mean(written, near);
        self.comparisons.set(budget.saturating_sub(used));
        found
    }

    /// What would mend a reference to an object that is not there.
    pub(super) fn elsewhere<T>(
        &self,
        kind: &str,
        map: &ByName<'a, T>,
        namespace: &str,
        name: &str,
    ) -> String {
        let beside = map
            .range((namespace, "")..)
            .map(|(key, _)| *key)
            .take_while(|(found, _)| *found == namespace)
            .map(|(_, found)| found);
        if let Some(meant) = self.meant(name, beside) {
            return format!("did you mean `{meant}`?");
        }
        let budget = self.comparisons.get();
        let mut looked_at = 0;
        let other = map
            .keys()
            .take(budget)
            .inspect(|_| looked_at += 1)
            .find(|(_, found)| *found == name);
        self.comparisons.set(budget.saturating_sub(looked_at));
        match other {
            Some((other, _)) => format!(
                "there is one in namespace `{other}`, and references stay within a namespace: \
                 declare it in `{namespace}` too"
            ),
            None => format!("declare a `{kind}` of that name, or name one that is there"),
        }
    }
}

impl<'a> Mapping<'a> {
    fn new((key, entry): (&(&'a str, &'a str), &Entry<'a, NetworkMapping>)) -> Self {
        let spec = &entry.object.spec;
        let mut by_alias = BTreeMap::new();
        for (position, pair) in spec.networks.iter().enumerate() {
            by_alias.entry(pair.name.as_str()).or_insert(position);
        }
        Self {
            namespace: key.0,
            name: key.1,
            object: entry.index,
            spec,
            by_alias,
        }
    }

    /// The pair of this alias, with its position.
    pub(super) fn pair(&self, alias: &NetworkAlias) -> Option<(usize, &'a NetworkPair)> {
        let position = *self.by_alias.get(alias.as_str())?;
        Some((position, &self.spec.networks[position]))
    }

    /// All aliases.
    pub(super) fn aliases(&self) -> impl Iterator<Item = &'a str> {
        self.by_alias.keys().copied()
    }
}

impl<'a> Group<'a> {
    fn new(
        declared: &'a Declared<'a>,
        inventories: &'a Inventories,
        mappings: &[Mapping<'a>],
        (key, entry): (&(&'a str, &'a str), &Entry<'a, ProtectionGroup>),
        first: usize,
    ) -> Self {
        let spec = &entry.object.spec;
        let members = members::of(spec, inventories);
        let mut sorted: Vec<usize> = (0..members.known.len()).collect();
        sorted.sort_by_key(|position| members.known[*position].name);
        let mapping = spec.network_mapping_ref.as_ref().and_then(|reference| {
            let wanted = (key.0, reference.name.as_str());
            mappings
                .binary_search_by(|mapping| (mapping.namespace, mapping.name).cmp(&wanted))
                .ok()
        });
        let policy = declared
            .policies
            .get(&(key.0, spec.policy_ref.name.as_str()))
            .map(|policy| (policy.index, &policy.object.spec));
        Self {
            namespace: key.0,
            name: key.1,
            object: entry.index,
            spec,
            members,
            first,
            sorted,
            mapping,
            policy,
            pair: pair_of(declared, spec, policy.map(|(_, policy)| policy)),
        }
    }

    /// What its sites can do, where that is known and they are a pair.
    pub(super) fn rules(&self) -> Option<&'static PairRules> {
        self.pair.as_ref()?.as_ref().ok().copied()
    }

    /// Position of the member of this name.
    pub(super) fn find(&self, name: &MachineName) -> Option<usize> {
        self.sorted
            .binary_search_by_key(&name, |position| self.members.known[*position].name)
            .ok()
            .map(|found| self.sorted[found])
    }

    /// The known member at this position.
    pub(super) fn member(&self, position: usize) -> &Member<'a> {
        &self.members.known[position]
    }

    /// The names of its known members.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.members.known.iter().map(|member| member.name.as_str())
    }

    /// Every interface that is written in it: of listed machines, and of settings for selected ones.
    pub(super) fn nics(&self) -> impl Iterator<Item = (NicPlace, &'a Nic)> {
        let listed = self.spec.machines.iter().enumerate().map(|(at, member)| {
            let origin = Origin::Listed(at);
            (origin, member.nics.as_slice())
        });
        let settings = self.spec.member_settings.iter().enumerate();
        let selected = settings.map(|(at, settings)| {
            let origin = Origin::Selected(Some(at));
            (origin, settings.nics.as_slice())
        });
        listed
            .chain(selected)
            .flat_map(|(origin, nics)| places(origin, nics))
    }

    /// What is written about one member, for a problem with its name.
    pub(super) fn path_of(&self, position: usize) -> FieldPath {
        match self.member(position).origin {
            Origin::Listed(at) => FieldPath::spec("machines").index(at).field("name"),
            Origin::Selected(_) => FieldPath::spec("selector"),
        }
    }
}

/// The interfaces of one holder with their places.
pub(super) fn places(origin: Origin, nics: &[Nic]) -> impl Iterator<Item = (NicPlace, &Nic)> {
    nics.iter()
        .enumerate()
        .map(move |(position, nic)| (NicPlace { origin, position }, nic))
}

impl NicPlace {
    pub(super) fn path(self) -> FieldPath {
        let holder = match self.origin {
            Origin::Listed(at) => FieldPath::spec("machines").index(at),
            Origin::Selected(Some(at)) => FieldPath::spec("memberSettings").index(at),
            Origin::Selected(None) => return FieldPath::spec("selector"),
        };
        holder.field("nics").index(self.position)
    }
}

impl<'a> Plan<'a> {
    fn new(
        groups: &[Group<'a>],
        (key, entry): (&(&'a str, &'a str), &Entry<'a, RecoveryPlan>),
    ) -> Self {
        let find = |name: &str| find_group(groups, key.0, name);
        let spec = &entry.object.spec;
        let (mut whole, mut single) = (Vec::new(), Vec::new());
        for (at, group) in spec.groups.iter().enumerate() {
            for (position, name) in group.protection_groups.iter().enumerate() {
                if let Some(group) = find(name.as_str()) {
                    whole.push(Whole {
                        group,
                        at,
                        position,
                    });
                }
            }
            for (position, machine) in group.machines.iter().enumerate() {
                if let Some(group) = find(machine.protection_group.as_str()) {
                    single.push(Single {
                        group,
                        member: groups[group].find(&machine.name),
                        at,
                        position,
                    });
                }
            }
        }
        let mut parts: Vec<usize> = whole.iter().map(|whole| whole.group).collect();
        parts.extend(single.iter().map(|single| single.group));
        parts.sort_unstable();
        parts.dedup();
        Self {
            namespace: key.0,
            name: key.1,
            object: entry.index,
            spec,
            whole,
            single,
            parts,
        }
    }
}

impl<'a> Plan<'a> {
    /// The names of its groups, in order.
    pub(super) fn group_names(&self) -> impl Iterator<Item = &'a str> {
        self.spec.groups.iter().map(|group| group.name.as_str())
    }
}

impl Whole {
    pub(super) fn path(self) -> FieldPath {
        in_plan(self.at)
            .field("protectionGroups")
            .index(self.position)
    }
}

impl Single {
    pub(super) fn path(self) -> FieldPath {
        in_plan(self.at).field("machines").index(self.position)
    }

    /// The name that the plan writes.
    pub(super) fn name<'a>(self, plan: &Plan<'a>) -> &'a MachineName {
        &plan.spec.groups[self.at].machines[self.position].name
    }
}

fn find_group(groups: &[Group<'_>], namespace: &str, name: &str) -> Option<usize> {
    groups
        .binary_search_by(|group| (group.namespace, group.name).cmp(&(namespace, name)))
        .ok()
}

/// The path of a group of a plan.
pub(super) fn in_plan(group: usize) -> FieldPath {
    FieldPath::spec("groups").index(group)
}

fn pair_of(
    declared: &Declared<'_>,
    group: &ProtectionGroupSpec,
    policy: Option<&ReplicationPolicySpec>,
) -> Option<Result<&'static PairRules, NoSuchPair>> {
    let fabric = |name: &SiteName| {
        let site = declared.sites.get(name.as_str())?;
        Some(&site.object.spec.fabric)
    };
    let primary = fabric(&group.sites.primary)?;
    let secondary = fabric(&group.sites.secondary)?;
    Some(pairs::of_fabrics(primary, secondary, &policy?.replicator))
}
