//! How many machines of a site may be in a copy at once (PR-2).

use std::collections::{BTreeMap, BTreeSet};

use drover_api::value::SiteName;

use crate::cache::ObjectKey;
use crate::context::Context;
use crate::queue::Key;

/// The places for copies, by the site that they come from.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    taken: BTreeMap<SiteName, BTreeSet<ObjectKey>>,
    waiting: BTreeMap<SiteName, BTreeSet<ObjectKey>>,
    of: BTreeMap<ObjectKey, SiteName>,
}

impl Slots {
    /// Whether the machine has a place; else it waits for one.
    pub(crate) fn enter(
        &mut self,
        context: &Context,
        site: &SiteName,
        machine: &ObjectKey,
    ) -> bool {
        let limit = {
            let cache = context.cache();
            let found = cache.sites.get(&ObjectKey::new("", site.as_str()));
            found.map_or(1, |site| site.spec.limits.concurrent_copies)
        };
        let taken = self.taken.entry(site.clone()).or_default();
        if taken.contains(machine) {
            return true;
        }
        if taken.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            self.waiting
                .entry(site.clone())
                .or_default()
                .insert(machine.clone());
            return false;
        }
        taken.insert(machine.clone());
        self.of.insert(machine.clone(), site.clone());
        if let Some(waiting) = self.waiting.get_mut(site) {
            waiting.remove(machine);
        }
        true
    }

    /// The machine needs no place any more; the next in line is woken.
    pub(crate) fn leave(&mut self, context: &Context, machine: &ObjectKey) {
        let Some(site) = self.of.remove(machine) else {
            return;
        };
        if let Some(taken) = self.taken.get_mut(&site) {
            taken.remove(machine);
        }
        let next = self.waiting.get_mut(&site).and_then(BTreeSet::pop_first);
        if let Some(next) = next {
            context.queue.add(Key::Machine(next));
        }
    }
}
