//! How many machines act at a site at once (PL-2, PR-2): over all plans, whoever asks.
//!
//! The engine says who acts; here it is only counted, for the other runs and machines that share the site.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::value::SiteName;
use drover_engine::decide::{Places, SiteUse};

use crate::cache::ObjectKey;
use crate::context::Context;
use crate::queue::Key;

/// The places at each site that are taken, and who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    taken: BTreeMap<(SiteName, SiteUse), BTreeMap<Key, usize>>,
    waiting: BTreeMap<(SiteName, SiteUse), BTreeSet<Key>>,
}

impl Slots {
    /// The places at a site that nobody else has.
    pub(crate) fn room(&self, context: &Context, site: &SiteName, holder: &Key) -> Places {
        let limits = {
            let cache = context.cache();
            let found = cache.sites.get(&ObjectKey::new("", site.as_str()));
            found.map(|site| site.spec.limits.clone())
        };
        let limits = limits.unwrap_or_default();
        let free = |limit: u32, site_use| {
            let taken = self.taken.get(&(site.clone(), site_use));
            let others = taken
                .into_iter()
                .flatten()
                .filter(|(other, _)| *other != holder);
            let others: usize = others.map(|(_, places)| places).sum();
            limit.saturating_sub(u32::try_from(others).unwrap_or(u32::MAX))
        };
        Places {
            stops: free(limits.concurrent_stops, SiteUse::Stop),
            starts: free(limits.concurrent_starts, SiteUse::Start),
            copies: free(limits.concurrent_copies, SiteUse::Copy),
        }
    }

    /// The holder has so many places now, and none elsewhere; whether it would take more.
    pub(crate) fn hold(
        &mut self,
        context: &Context,
        holder: &Key,
        site: &SiteName,
        site_use: SiteUse,
        (places, short): (usize, bool),
    ) {
        let at = (site.clone(), site_use);
        self.leave_but(context, holder, Some(&at));
        let taken = self.taken.entry(at.clone()).or_default();
        let before = match places {
            0 => taken.remove(holder),
            _ => taken.insert(holder.clone(), places),
        };
        if short {
            let waiting = self.waiting.entry(at.clone()).or_default();
            waiting.insert(holder.clone());
        } else if let Some(waiting) = self.waiting.get_mut(&at) {
            waiting.remove(holder);
        }
        let freed = before.unwrap_or(0).saturating_sub(places);
        self.wake(context, &at, holder, freed);
    }

    /// Takes a place for a copy from a site, if there is one; else waits for it.
    pub(crate) fn enter(&mut self, context: &Context, site: &SiteName, machine: &Key) -> bool {
        let free = self.room(context, site, machine).copies > 0;
        let places = (usize::from(free), !free);
        self.hold(context, machine, site, SiteUse::Copy, places);
        free
    }

    /// The holder needs no place any more.
    pub(crate) fn leave(&mut self, context: &Context, holder: &Key) {
        self.leave_but(context, holder, None);
    }

    fn leave_but(&mut self, context: &Context, holder: &Key, keeps: Option<&(SiteName, SiteUse)>) {
        for waiting in self.waiting.values_mut() {
            waiting.remove(holder);
        }
        let mut freed = Vec::new();
        for (at, taken) in &mut self.taken {
            if Some(at) != keeps
                && let Some(places) = taken.remove(holder)
            {
                freed.push((at.clone(), places));
            }
        }
        for (at, places) in freed {
            self.wake(context, &at, holder, places);
        }
    }

    /// Somebody who waits is woken for each place that came free.
    fn wake(&mut self, context: &Context, at: &(SiteName, SiteUse), freed_by: &Key, places: usize) {
        let Some(waiting) = self.waiting.get_mut(at) else {
            return;
        };
        for _ in 0..places {
            // Who gave it up and wants more asks again by itself, and after those who have waited.
            let next = waiting.iter().find(|key| *key != freed_by).cloned();
            let Some(next) = next else {
                return;
            };
            waiting.remove(&next);
            context.queue.add(next);
        }
    }
}
