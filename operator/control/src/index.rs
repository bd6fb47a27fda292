//! What the drivers report, as far as it was heard: instances by site, links by pair.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drover_api::ProtectedMachineSpec;
use drover_api::value::{MachineName, SiteName};
use drover_fabric::{Extent, InstanceKey, InstanceSeen, Sightings};
use drover_world::{Instance, Inventory, InventoryMachine, Link, Observed};
use jiff::Timestamp;

use crate::cache::ObjectKey;

/// A replicator as it is used: a pair of sites under one policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PairKey {
    pub(crate) primary: SiteName,
    pub(crate) secondary: SiteName,
    /// The policy, by namespace and name.
    pub(crate) policy: ObjectKey,
}

impl PairKey {
    /// What moves the data of a machine in this namespace.
    pub(crate) fn of(namespace: &str, machine: &ProtectedMachineSpec) -> Self {
        Self {
            primary: machine.sites.primary.clone(),
            secondary: machine.sites.secondary.clone(),
            policy: ObjectKey::new(namespace, machine.policy_ref.name.as_str()),
        }
    }
}

/// Everything that the drivers report.
#[derive(Debug, Default)]
pub(crate) struct Index {
    sites: BTreeMap<SiteName, SiteView>,
    pairs: BTreeMap<PairKey, PairView>,
    inventory_version: u64,
}

/// What is known of a place that is observed.
#[derive(Debug)]
struct View<K, V> {
    /// When it answered last.
    seen_at: Option<Timestamp>,
    /// Since when it does not answer.
    unknown_since: Option<Timestamp>,
    /// Since when it answers without a break.
    answers_since: Option<Timestamp>,
    values: BTreeMap<K, V>,
    /// While only a part of it answers.
    partly: Option<Partly<K>>,
}

/// A place of which a part does not answer.
#[derive(Debug)]
struct Partly<K> {
    since: Timestamp,
    /// What was seen all the same.
    seen: BTreeSet<K>,
}

impl<K, V> Default for View<K, V> {
    fn default() -> Self {
        Self {
            seen_at: None,
            unknown_since: None,
            answers_since: None,
            values: BTreeMap::new(),
            partly: None,
        }
    }
}

impl<K: Ord + Clone, V: PartialEq> View<K, V> {
    /// Takes in what was seen and returns what is different now.
    fn take(&mut self, sightings: Sightings<K, V>, now: Timestamp) -> Vec<K> {
        let was_unknown = self.answers_since.is_none();
        let known: BTreeSet<K> = match &self.partly {
            Some(partly) => partly.seen.clone(),
            None => self.values.keys().cloned().collect(),
        };
        let mut changed = Vec::new();
        let mut seen = BTreeSet::new();
        for key in sightings.gone {
            if self.values.remove(&key).is_some() {
                changed.push(key);
            }
        }
        for (key, value) in sightings.seen {
            if self.values.get(&key) != Some(&value) || !known.contains(&key) {
                changed.push(key.clone());
                self.values.insert(key.clone(), value);
            }
            seen.insert(key);
        }
        match sightings.extent {
            Extent::All => {
                let gone = |key: &&K| !seen.contains(*key);
                changed.extend(self.values.keys().filter(gone).cloned());
                self.values.retain(|key, _| seen.contains(key));
                self.partly = None;
            }
            Extent::Part => {
                // What was seen of them before is what was seen last.
                changed.extend(known.difference(&seen).cloned());
                let since = self.partly.as_ref().map_or(now, |partly| partly.since);
                self.partly = Some(Partly { since, seen });
            }
            Extent::Changes => {
                if let Some(partly) = &mut self.partly {
                    partly.seen.extend(seen);
                }
            }
        }
        self.seen_at = Some(now);
        if was_unknown {
            self.unknown_since = None;
            self.answers_since = Some(now);
        }
        changed
    }

    /// It does not answer. Returns whether that is news.
    fn lost(&mut self, now: Timestamp) -> bool {
        self.answers_since = None;
        if self.unknown_since.is_some() {
            return false;
        }
        self.unknown_since = Some(now);
        true
    }

    fn observed<T>(&self, value: impl Fn(Option<&V>) -> T, key: &K) -> Observed<T> {
        let found = self.values.get(key);
        if let Some(partly) = &self.partly
            && self.answers_since.is_some()
            && !partly.seen.contains(key)
        {
            return Observed::Unknown {
                since: partly.since,
                last: found.map(|found| value(Some(found))),
            };
        }
        match (self.answers_since, self.seen_at) {
            (Some(_), Some(at)) => Observed::Seen {
                value: value(found),
                at,
            },
            _ => Observed::Unknown {
                since: self.unknown_since.unwrap_or(Timestamp::UNIX_EPOCH),
                last: self.seen_at.map(|_| value(found)),
            },
        }
    }
}

#[derive(Debug, Default)]
struct SiteView {
    instances: View<InstanceKey, InstanceSeen>,
    inventory: Option<Arc<Inventory>>,
    /// When that was looked at last.
    inventory_at: Option<Timestamp>,
    fences: BTreeMap<MachineName, u64>,
}

#[derive(Debug, Default)]
struct PairView {
    links: View<MachineName, Link>,
}

impl Index {
    pub(crate) fn take_instances(
        &mut self,
        site: &SiteName,
        sightings: Sightings<InstanceKey, InstanceSeen>,
        now: Timestamp,
    ) -> Vec<InstanceKey> {
        let view = self.sites.entry(site.clone()).or_default();
        view.instances.take(sightings, now)
    }

    pub(crate) fn lose_site(&mut self, site: &SiteName, now: Timestamp) -> bool {
        let view = self.sites.entry(site.clone()).or_default();
        view.instances.lost(now)
    }

    pub(crate) fn take_links(
        &mut self,
        pair: &PairKey,
        sightings: Sightings<MachineName, Link>,
        now: Timestamp,
    ) -> Vec<MachineName> {
        let view = self.pairs.entry(pair.clone()).or_default();
        view.links.take(sightings, now)
    }

    pub(crate) fn lose_pair(&mut self, pair: &PairKey, now: Timestamp) -> bool {
        let view = self.pairs.entry(pair.clone()).or_default();
        view.links.lost(now)
    }

    /// Whether only a part of a site answers.
    pub(crate) fn answers_partly(&self, site: &SiteName) -> bool {
        let view = self.sites.get(site);
        view.is_some_and(|view| view.instances.partly.is_some())
    }

    /// Whether a replicator answers.
    pub(crate) fn pair_answers(&self, pair: &PairKey) -> bool {
        self.pairs
            .get(pair)
            .is_some_and(|view| view.links.answers_since.is_some())
    }

    pub(crate) fn instance(&self, site: &SiteName, key: &InstanceKey) -> Observed<Instance> {
        let value =
            |seen: Option<&InstanceSeen>| seen.map_or(Instance::ABSENT, |seen| seen.instance);
        match self.sites.get(site) {
            Some(view) => view.instances.observed(value, key),
            None => unknown(),
        }
    }

    pub(crate) fn seen_at(&self, site: &SiteName, key: &InstanceKey) -> Option<&InstanceSeen> {
        self.sites.get(site)?.instances.values.get(key)
    }

    pub(crate) fn link(&self, pair: &PairKey, machine: &MachineName) -> Observed<Link> {
        let value = |link: Option<&Link>| link.cloned().unwrap_or_else(no_link);
        match self.pairs.get(pair) {
            Some(view) => view.links.observed(value, machine),
            None => unknown(),
        }
    }

    /// Takes in the machines of a site; whose description is another now, where anything is.
    pub(crate) fn take_inventory(
        &mut self,
        site: &SiteName,
        inventory: Inventory,
        now: Timestamp,
    ) -> Option<Vec<MachineName>> {
        let view = self.sites.entry(site.clone()).or_default();
        view.inventory_at = Some(now);
        if view.inventory.as_deref() == Some(&inventory) {
            return None;
        }
        let before = view.inventory.replace(Arc::new(inventory));
        let now = view.inventory.as_deref().map(Inventory::machines);
        let before = before.as_deref().map(Inventory::machines);
        let differs = |name: &&MachineName| {
            let is = now.and_then(|machines| machines.get(*name));
            let was = before.and_then(|machines| machines.get(*name));
            is != was
        };
        let names = [now, before].into_iter().flatten().flat_map(BTreeMap::keys);
        let changed: BTreeSet<&MachineName> = names.filter(differs).collect();
        self.inventory_version += 1;
        Some(changed.into_iter().cloned().collect())
    }

    /// Grows with every change of an inventory.
    pub(crate) fn inventory_version(&self) -> u64 {
        self.inventory_version
    }

    /// The machines of the sites that were asked; what a site said last stands while it does not answer.
    pub(crate) fn inventories(&self) -> BTreeMap<SiteName, Inventory> {
        self.sites
            .iter()
            .filter_map(|(site, view)| Some((site.clone(), (**view.inventory.as_ref()?).clone())))
            .collect()
    }

    pub(crate) fn inventory(&self, site: &SiteName) -> Option<&Arc<Inventory>> {
        self.sites.get(site)?.inventory.as_ref()
    }

    /// What a site tells of one machine, and when that was looked at.
    pub(crate) fn described(
        &self,
        site: &SiteName,
        machine: &MachineName,
    ) -> Option<(InventoryMachine, Timestamp)> {
        let view = self.sites.get(site)?;
        let found = view.inventory.as_ref()?.get(machine)?.clone();
        Some((found, view.inventory_at?))
    }

    pub(crate) fn take_fences(
        &mut self,
        site: &SiteName,
        fences: Vec<(MachineName, u64)>,
    ) -> Vec<MachineName> {
        let view = self.sites.entry(site.clone()).or_default();
        let now: BTreeMap<MachineName, u64> = fences.into_iter().collect();
        let changed = now
            .iter()
            .filter(|(name, epoch)| view.fences.get(*name) != Some(*epoch))
            .map(|(name, _)| name.clone())
            .chain(
                view.fences
                    .keys()
                    .filter(|name| !now.contains_key(*name))
                    .cloned(),
            )
            .collect();
        view.fences = now;
        changed
    }

    pub(crate) fn fence(&self, site: &SiteName, machine: &MachineName) -> Option<u64> {
        self.sites.get(site)?.fences.get(machine).copied()
    }

    /// Since when a site answers without a break; nothing while it does not.
    pub(crate) fn answers_since(&self, site: &SiteName) -> Option<Timestamp> {
        self.sites.get(site)?.instances.answers_since
    }

    /// Since when a site does not answer that did, or was asked.
    pub(crate) fn silent_since(&self, site: &SiteName) -> Option<Timestamp> {
        self.sites.get(site)?.instances.unknown_since
    }

    /// The highest epoch that anything reports for a machine.
    pub(crate) fn highest_epoch(&self, site: &SiteName, machine: &MachineName) -> u64 {
        let Some(view) = self.sites.get(site) else {
            return 0;
        };
        let of = |drill| {
            let key = InstanceKey {
                name: machine.clone(),
                drill,
            };
            view.instances
                .values
                .get(&key)
                .map_or(0, |seen| seen.instance.epoch)
        };
        let fence = view.fences.get(machine).copied().unwrap_or(0);
        of(false).max(of(true)).max(fence)
    }
}

fn unknown<T>() -> Observed<T> {
    Observed::Unknown {
        since: Timestamp::UNIX_EPOCH,
        last: None,
    }
}

/// What a replicator reports that never heard of a machine.
fn no_link() -> Link {
    Link::new(
        drover_api::common::SiteRole::Secondary,
        drover_world::LinkState::None,
    )
}

#[cfg(test)]
mod tests {
    use drover_fabric::Cursor;

    use super::*;

    fn told(extent: Extent, seen: &[(&'static str, u64)]) -> Sightings<&'static str, u64> {
        Sightings {
            cursor: Cursor(0),
            extent,
            seen: seen.to_vec(),
            gone: Vec::new(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// What is absent is 0 here.
    fn number(value: Option<&u64>) -> u64 {
        value.copied().unwrap_or_default()
    }

    /// What is known of `a`, `b` and `c`; none of what is unknown.
    fn known(view: &View<&'static str, u64>) -> [Option<u64>; 3] {
        ["a", "b", "c"].map(|key| view.observed(number, &key).seen().copied())
    }

    #[test]
    fn what_a_part_that_answers_does_not_name_is_unknown() {
        // SPEC: SA-1
        let mut view = View::default();
        view.take(told(Extent::All, &[("a", 1), ("b", 2)]), at(1));
        assert_eq!(known(&view), [Some(1), Some(2), Some(0)]);

        // One host of two is silent: whoever was there, or might be, is unknown.
        let changed = view.take(told(Extent::Part, &[("a", 1)]), at(2));
        assert_eq!(changed, ["b"]);
        assert_eq!(known(&view), [Some(1), None, None]);
        let before = view.observed(number, &"b");
        let last = Some(2);
        assert_eq!(before, Observed::Unknown { since: at(2), last });
        assert_eq!(view.take(told(Extent::Part, &[("a", 5)]), at(3)), ["a"]);
        assert_eq!(view.observed(number, &"b").unknown_since(), Some(at(2)));

        // It answers again, and one of its machines is gone.
        assert_eq!(
            view.take(told(Extent::All, &[("a", 5), ("c", 3)]), at(4)),
            ["c", "b"]
        );
        assert_eq!(known(&view), [Some(5), Some(0), Some(3)]);
        // One that comes back as it was is news, too.
        view.take(told(Extent::Part, &[("a", 5)]), at(5));
        assert_eq!(
            view.take(told(Extent::All, &[("a", 5), ("c", 3)]), at(6)),
            ["c"]
        );
        assert_eq!(view.take(told(Extent::Changes, &[("a", 6)]), at(7)), ["a"]);
        assert_eq!(known(&view), [Some(6), Some(0), Some(3)]);
    }
}
