//! What drivers see: the index of each open site and pair is kept up to date, and whom a sight concerns is
//! woken.

use std::sync::Arc;
use std::time::Duration;

use drover_api::value::{MachineName, SiteName};
use drover_engine::decide::rests;
use drover_fabric::{Fabric, InstanceKey, Replicator, within};
use tracing::{info, warn};

use crate::cache::ObjectKey;
use crate::context::Context;
use crate::index::PairKey;
use crate::queue::Key;

/// How long an observer rests after what it observes did not answer.
const REST: Duration = Duration::from_secs(2);

/// Keeps the index of one site up to date, for as long as its driver is open.
pub(super) async fn observe_site(context: Arc<Context>, site: SiteName, fabric: Arc<dyn Fabric>) {
    let limit = context.settings.driver_limit;
    let mut cursor = None;
    let mut asked_inventory = None;
    loop {
        let answer = within(limit, fabric.observe(cursor)).await;
        let now = context.clock.now();
        match answer {
            Ok(sightings) => {
                cursor = Some(sightings.cursor);
                let known = context.index().answers_since(&site).is_some();
                let partly = context.index().answers_partly(&site);
                let changed = context.index().take_instances(&site, sightings, now);
                let only_partly = context.index().answers_partly(&site);
                if !known {
                    info!(%site, "the site answers");
                }
                if only_partly && !partly {
                    warn!(%site, "a part of the site does not answer; what happens there is not known");
                }
                if !known || only_partly != partly {
                    context.site_turned(&site);
                }
                for key in changed {
                    context.instance_changed(&site, &key);
                }
            }
            Err(error) => {
                cursor = None;
                if context.index().lose_site(&site, now) {
                    warn!(%site, %error, "the site does not answer; what happens there is not known");
                    context.site_turned(&site);
                }
            }
        }
        if fabric.capabilities().fencing
            && let Ok(fences) = within(limit, fabric.fences()).await
        {
            let changed = context.index().take_fences(&site, fences);
            for name in changed {
                context.instance_changed(&site, &InstanceKey { name, drill: false });
            }
        }
        let Some(since) = cursor else {
            tokio::time::sleep(REST).await;
            continue;
        };
        let due = tokio::time::Instant::now();
        if asked_inventory.is_none_or(|asked| due.duration_since(asked) >= context.settings.probe) {
            asked_inventory = Some(due);
            context.look_at_inventory(&site, &fabric).await;
        }
        tokio::select! {
            biased;
            () = fabric.changed(since) => {}
            () = tokio::time::sleep(context.settings.refresh) => {}
        }
    }
}

/// Keeps the index of one pair up to date, for as long as its driver is open.
pub(super) async fn observe_pair(
    context: Arc<Context>,
    pair: PairKey,
    replicator: Arc<dyn Replicator>,
) {
    let limit = context.settings.driver_limit;
    let mut cursor = None;
    loop {
        let answer = within(limit, replicator.observe(cursor)).await;
        let now = context.clock.now();
        match answer {
            Ok(sightings) => {
                cursor = Some(sightings.cursor);
                let known = context.index().pair_answers(&pair);
                let changed = context.index().take_links(&pair, sightings, now);
                if !known {
                    context.all_changed(&pair.primary);
                }
                for name in changed {
                    context.machine_changed(&pair.primary, &name);
                }
            }
            Err(error) => {
                cursor = None;
                if context.index().lose_pair(&pair, now) {
                    warn!(primary = %pair.primary, secondary = %pair.secondary, %error, "the replicator does not answer");
                    context.all_changed(&pair.primary);
                }
            }
        }
        match cursor {
            None => tokio::time::sleep(REST).await,
            Some(since) => {
                tokio::select! {
                    biased;
                    () = replicator.changed(since) => {}
                    () = tokio::time::sleep(context.settings.refresh) => {}
                }
            }
        }
    }
}

impl Context {
    async fn look_at_inventory(&self, site: &SiteName, fabric: &Arc<dyn Fabric>) {
        let Ok(inventory) = within(self.settings.driver_limit, fabric.inventory()).await else {
            return;
        };
        let now = self.clock.now();
        let Some(changed) = self.index().take_inventory(site, inventory, now) else {
            return;
        };
        self.queue.add(Key::Site(ObjectKey::new("", site.as_str())));
        for name in changed {
            self.machine_changed(site, &name);
        }
        let groups: Vec<ObjectKey> = {
            let cache = self.cache();
            let here = cache.groups.iter().filter(|(_, group)| {
                group.spec.sites.primary == *site || group.spec.sites.secondary == *site
            });
            here.map(|(key, _)| key.clone()).collect()
        };
        for group in groups {
            self.queue.add(Key::Group(group));
        }
    }

    /// A site answers again, or does not any more.
    pub(super) fn site_turned(&self, site: &SiteName) {
        self.queue.add(Key::Site(ObjectKey::new("", site.as_str())));
        self.all_changed(site);
        let plans: Vec<ObjectKey> = {
            let cache = self.cache();
            let here = cache.plans.iter().filter(|(_, plan)| {
                plan.spec.sites.primary == *site || plan.spec.sites.secondary == *site
            });
            here.map(|(key, _)| key.clone()).collect()
        };
        for plan in plans {
            self.queue.add(Key::Plan(plan));
        }
    }

    /// What is known of a whole site or pair turned: everybody with a place there looks anew, also those
    /// who were never seen there.
    fn all_changed(&self, site: &SiteName) {
        let machines = self.cache().at_site(site);
        for machine in machines {
            self.wake(machine);
        }
    }

    fn instance_changed(&self, site: &SiteName, key: &InstanceKey) {
        self.machine_changed(site, &key.name);
    }

    /// Something about a machine that a site calls so is different: whoever has it in hand looks.
    fn machine_changed(&self, site: &SiteName, name: &MachineName) {
        let machine = self.cache().native(site, name).cloned();
        if let Some(machine) = machine {
            self.wake(machine);
        }
    }

    fn run_rests(&self, run: &ObjectKey) -> bool {
        let cache = self.cache();
        cache.runs.get(run).is_some_and(|run| rests(run.phase()))
    }

    /// Whoever has the machine in hand looks.
    fn wake(&self, machine: ObjectKey) {
        let mut runs = self.runs();
        let hands = runs.hands.get(&machine).cloned().unwrap_or_default();
        for (run, position) in &hands {
            runs.inbox(run).sights.insert(*position);
            self.queue.add(Key::Run(run.clone()));
        }
        drop(runs);
        // In the middle of a run nothing is told of a machine that the run does not tell.
        let moving = hands.iter().any(|(run, _)| !self.run_rests(run));
        if !moving {
            self.queue.add(Key::Machine(machine));
        }
    }
}
