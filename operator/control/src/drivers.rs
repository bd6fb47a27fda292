//! The drivers that are open, what observes them, and what is asked of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drover_api::common::SiteRole;
use drover_api::value::SiteName;
use drover_api::{
    Consistency, FailbackLocation, ProtectedMachineSpec, ReplicationPolicySpec, RunNic, Site,
    SiteSpec, TargetSettings,
};
use drover_engine::decide::rests;
use drover_fabric::{
    Answer, Fabric, InstanceKey, LinkGoal, Materialize, PairConfig, Replicator, Secrets,
    SiteConfig, SiteGoal, Subject, within,
};
use drover_world::{Effect, ErrorClass, FabricError, Outcome, Stamp};
use tokio::task::AbortHandle;
use tracing::{info, warn};

use crate::cache::{ObjectKey, name_at};
use crate::context::Context;
use crate::index::PairKey;
use crate::queue::Key;

/// The drivers that are open.
#[derive(Default)]
pub(crate) struct Drivers {
    sites: BTreeMap<SiteName, OpenSite>,
    pairs: BTreeMap<PairKey, OpenPair>,
}

struct OpenSite {
    spec: SiteSpec,
    fabric: Arc<dyn Fabric>,
    /// Whether it makes machines that nobody listed there.
    provisions: bool,
    /// Whether a person wants it opened anew.
    stale: bool,
    observer: AbortHandle,
}

struct OpenPair {
    /// What it was opened with.
    made_from: (SiteSpec, SiteSpec, ReplicationPolicySpec),
    replicator: Arc<dyn Replicator>,
    observer: AbortHandle,
    /// Whether a person wants it opened anew.
    stale: bool,
}

/// A machine where it stands: its sites, its names there, and what replicates it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) sites: drover_api::common::SitePair,
    pub(crate) pair: PairKey,
    pub(crate) subject: Subject,
}

impl Place {
    pub(crate) fn of(
        namespace: &str,
        machine: &ProtectedMachineSpec,
        consistency: Consistency,
    ) -> Self {
        let shared = consistency == Consistency::Group;
        Self {
            sites: machine.sites.clone(),
            pair: PairKey {
                primary: machine.sites.primary.clone(),
                secondary: machine.sites.secondary.clone(),
                policy: ObjectKey::new(namespace, machine.policy_ref.name.as_str()),
            },
            subject: Subject {
                primary: machine.machine.clone(),
                secondary: name_at(machine, SiteRole::Secondary),
                consistency: shared.then(|| format!("{namespace}/{}", machine.group_ref.name)),
                excluded_disks: machine.excluded_disks.clone(),
            },
        }
    }

    /// The machine's instance at the site in this role.
    pub(crate) fn instance(&self, role: SiteRole, drill: bool) -> InstanceKey {
        InstanceKey {
            name: self.subject.at(role).clone(),
            drill,
        }
    }
}

/// What a machine becomes, for requests that make one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shaped {
    pub(crate) point: Option<String>,
    pub(crate) nics: Vec<RunNic>,
    pub(crate) settings: Option<TargetSettings>,
    pub(crate) location: FailbackLocation,
}

impl Shaped {
    pub(crate) fn at(self, site: SiteRole, drill: bool) -> Materialize {
        Materialize {
            site,
            drill,
            point: self.point,
            nics: self.nics,
            settings: self.settings,
            location: self.location,
        }
    }
}

/// What an effect is, to whom it is said.
enum Said {
    Site(SiteRole, SiteGoal),
    Link(LinkGoal),
    Make(SiteRole, bool),
}

fn said(effect: Effect) -> Said {
    match effect {
        Effect::Stopped { site } => Said::Site(site, SiteGoal::Stopped),
        Effect::Fenced { site } => Said::Site(site, SiteGoal::Fenced),
        Effect::Started { site } => Said::Site(site, SiteGoal::Started),
        Effect::DrillStarted { site } => Said::Site(site, SiteGoal::DrillStarted),
        Effect::DrillRemoved { site } => Said::Site(site, SiteGoal::DrillRemoved),
        Effect::Materialized { site } => Said::Make(site, false),
        Effect::DrillMaterialized { site } => Said::Make(site, true),
        Effect::Related { towards } => Said::Link(LinkGoal::Related { towards }),
        Effect::Seeded { towards } => Said::Link(LinkGoal::Seeded { towards }),
        Effect::Finalized { towards } => Said::Link(LinkGoal::Finalized { towards }),
        Effect::Resynchronized { towards } => Said::Link(LinkGoal::Resynchronized { towards }),
        Effect::Unrelated { remove_replica } => Said::Link(LinkGoal::Unrelated { remove_replica }),
        Effect::FinalSync { towards } => Said::Link(LinkGoal::FinalSync { towards }),
        Effect::SyncedBack { towards } => Said::Link(LinkGoal::SyncedBack { towards }),
        Effect::Committed { left } => Said::Link(LinkGoal::Committed { left }),
        Effect::Reversed { towards } => Said::Link(LinkGoal::Reversed { towards }),
    }
}

/// The name of an effect, for the fabric's own log.
pub(crate) fn step_name(effect: Effect) -> &'static str {
    match effect {
        Effect::Related { .. } => "relate",
        Effect::Seeded { .. } => "seed",
        Effect::Finalized { .. } => "finalize",
        Effect::Resynchronized { .. } => "resynchronize",
        Effect::Unrelated { .. } => "unrelate",
        Effect::Stopped { .. } => "stop",
        Effect::Fenced { .. } => "fence",
        Effect::FinalSync { .. } => "final-sync",
        Effect::SyncedBack { .. } => "sync-back",
        Effect::Materialized { .. } => "materialize",
        Effect::Started { .. } => "start",
        Effect::Committed { .. } => "commit",
        Effect::Reversed { .. } => "reverse",
        Effect::DrillMaterialized { .. } => "drill-materialize",
        Effect::DrillStarted { .. } => "drill-start",
        Effect::DrillRemoved { .. } => "drill-remove",
    }
}

impl Context {
    /// Asks for an effect. It is asked only while this process leads, and for so long as a driver may
    /// take to answer.
    pub(crate) async fn ensure(
        &self,
        place: &Place,
        stamp: &Stamp,
        effect: Effect,
        shaped: Shaped,
    ) -> Answer {
        if !self.gate.is_open() {
            return Err(not_now("this process does not lead any more"));
        }
        let _under_way = self.health.enter();
        let begun = tokio::time::Instant::now();
        let answer = self.request(place, stamp, effect, shaped).await;
        let outcome = match &answer {
            Ok(Outcome::Reached) => "reached",
            Ok(_) => "under_way",
            Err(error) => match error.class {
                ErrorClass::Retryable => "retryable",
                ErrorClass::Terminal => "terminal",
                ErrorClass::Unsupported => "unsupported",
            },
        };
        self.metrics
            .driver_answered(step_name(effect), outcome, begun.elapsed());
        answer
    }

    async fn request(
        &self,
        place: &Place,
        stamp: &Stamp,
        effect: Effect,
        shaped: Shaped,
    ) -> Answer {
        let limit = self.settings.driver_limit;
        match said(effect) {
            Said::Site(role, goal) => {
                let Some(fabric) = self.fabric(place.sites.at(role)) else {
                    return Err(not_now("the site's driver is not open yet"));
                };
                let name = place.subject.at(role);
                within(limit, fabric.ensure(stamp, name, goal)).await
            }
            Said::Link(goal) => {
                let Some(replicator) = self.replicator(&place.pair) else {
                    return Err(not_now("the replicator's driver is not open yet"));
                };
                within(limit, replicator.ensure(stamp, &place.subject, goal)).await
            }
            Said::Make(role, drill) => {
                let Some(replicator) = self.replicator(&place.pair) else {
                    return Err(not_now("the replicator's driver is not open yet"));
                };
                let with = shaped.at(role, drill);
                within(limit, replicator.materialize(stamp, &place.subject, &with)).await
            }
        }
    }

    /// The open driver of a site.
    pub(crate) fn fabric(&self, site: &SiteName) -> Option<Arc<dyn Fabric>> {
        let drivers = self.drivers();
        drivers.sites.get(site).map(|open| Arc::clone(&open.fabric))
    }

    /// The open driver of a pair.
    pub(crate) fn replicator(&self, pair: &PairKey) -> Option<Arc<dyn Replicator>> {
        let drivers = self.drivers();
        drivers
            .pairs
            .get(pair)
            .map(|open| Arc::clone(&open.replicator))
    }

    /// Opens the driver of a site, or leaves it as it is where nothing about it changed.
    pub(crate) async fn open_site(
        self: &Arc<Self>,
        site: &Site,
    ) -> Result<Arc<dyn Fabric>, FabricError> {
        let name = site_name(site)?;
        if let Some(open) = self.drivers().sites.get(&name)
            && open.spec == site.spec
            && !open.stale
        {
            return Ok(Arc::clone(&open.fabric));
        }
        let driver = self
            .registry
            .of_fabric(&site.spec.fabric)
            .map_err(|none| unsupported(&none))?;
        let secrets = self.secrets_of(&site.spec).await?;
        let config = SiteConfig {
            name: &name,
            spec: &site.spec,
            secrets: &secrets,
        };
        let fabric = within(self.settings.driver_limit, driver.fabric(config)).await?;
        let task = observe_site(Arc::clone(self), name.clone(), Arc::clone(&fabric));
        let observer = self.spawn(task);
        let open = OpenSite {
            spec: site.spec.clone(),
            provisions: fabric.capabilities().provisions,
            stale: false,
            fabric: Arc::clone(&fabric),
            observer,
        };
        let former = self.drivers().sites.insert(name.clone(), open);
        if let Some(former) = former {
            former.observer.abort();
        }
        // Machines open the drivers of their pairs, also those that a run has in hand: who has just taken
        // over may have found them closed a moment ago.
        let machines = self.cache().at_site(&name);
        for machine in machines {
            self.queue.add(Key::Machine(machine));
        }
        Ok(fabric)
    }

    /// Whether a site makes machines that nobody listed there.
    pub(crate) fn provisions(&self, site: &SiteName) -> bool {
        let drivers = self.drivers();
        drivers.sites.get(site).is_some_and(|open| open.provisions)
    }

    /// Opens the driver of a pair, or leaves it as it is where nothing about it changed.
    pub(crate) async fn open_pair(
        self: &Arc<Self>,
        pair: &PairKey,
        sites: [&Site; 2],
        policy: &ReplicationPolicySpec,
    ) -> Result<Arc<dyn Replicator>, FabricError> {
        let made_from = (sites[0].spec.clone(), sites[1].spec.clone(), policy.clone());
        if let Some(open) = self.drivers().pairs.get(pair)
            && open.made_from == made_from
            && !open.stale
        {
            return Ok(Arc::clone(&open.replicator));
        }
        let driver = self
            .registry
            .of_replicator(&policy.replicator)
            .map_err(|none| unsupported(&none))?;
        let secrets = [
            self.secrets_of(&sites[0].spec).await?,
            self.secrets_of(&sites[1].spec).await?,
        ];
        let config = PairConfig {
            primary: SiteConfig {
                name: &pair.primary,
                spec: &sites[0].spec,
                secrets: &secrets[0],
            },
            secondary: SiteConfig {
                name: &pair.secondary,
                spec: &sites[1].spec,
                secrets: &secrets[1],
            },
            policy,
        };
        let replicator = within(self.settings.driver_limit, driver.replicator(config)).await?;
        let task = observe_pair(Arc::clone(self), pair.clone(), Arc::clone(&replicator));
        let observer = self.spawn(task);
        let open = OpenPair {
            made_from,
            replicator: Arc::clone(&replicator),
            observer,
            stale: false,
        };
        if let Some(former) = self.drivers().pairs.insert(pair.clone(), open) {
            former.observer.abort();
        }
        Ok(replicator)
    }

    /// Closes the driver of a site that is not declared any more.
    /// Has the drivers of a site opened anew when they are asked for next, with credentials as they are then.
    /// Until that succeeded, those that are open stay.
    pub(crate) fn renew_site(&self, name: &SiteName) {
        let mut drivers = self.drivers();
        if let Some(open) = drivers.sites.get_mut(name) {
            open.stale = true;
        }
        let pairs = drivers.pairs.iter_mut();
        for (_, open) in pairs.filter(|(pair, _)| pair.primary == *name || pair.secondary == *name)
        {
            open.stale = true;
        }
        drop(drivers);
        // What the former credentials could not do is tried with those that there are now.
        let machines = self.cache().at_site(name);
        for machine in machines {
            self.failures().remove(&machine);
        }
        self.site_turned(name);
    }

    pub(crate) fn close_site(&self, name: &str) {
        let mut drivers = self.drivers();
        let Some(key) = drivers
            .sites
            .keys()
            .find(|site| site.as_str() == name)
            .cloned()
        else {
            return;
        };
        if let Some(open) = drivers.sites.remove(&key) {
            open.observer.abort();
        }
    }

    /// The secrets that a site refers to; one that is missing is simply not there, and its driver says
    /// so.
    async fn secrets_of(&self, site: &SiteSpec) -> Result<Secrets, FabricError> {
        let mut secrets = Secrets::default();
        for reference in site.fabric.secrets() {
            let (namespace, name) = (reference.namespace.as_str(), reference.name.as_str());
            let api: kube::Api<k8s_openapi::api::core::v1::Secret> =
                kube::Api::namespaced(self.client.clone(), namespace);
            let Ok(found) = self.ask(api.get_opt(name)).await else {
                return Err(not_now("the API did not answer for the site's secrets"));
            };
            let data = found.and_then(|secret| secret.data).unwrap_or_default();
            let entries = data
                .into_iter()
                .map(|(name, value)| (name, value.0))
                .collect();
            secrets.insert(namespace, name, entries);
        }
        Ok(secrets)
    }
}

fn site_name(site: &Site) -> Result<SiteName, FabricError> {
    let name = site.metadata.name.as_deref().unwrap_or_default();
    name.parse().map_err(|_| FabricError {
        class: ErrorClass::Terminal,
        message: format!("{name} is no name of a site"),
        hint: None,
        epoch_seen: None,
    })
}

fn not_now(why: &str) -> FabricError {
    FabricError {
        class: ErrorClass::Retryable,
        message: why.to_owned(),
        hint: None,
        epoch_seen: None,
    }
}

fn unsupported(none: &drover_fabric::NoSuchDriver) -> FabricError {
    FabricError {
        class: ErrorClass::Unsupported,
        message: none.to_string(),
        hint: Some("declare a fabric whose driver this build has".into()),
        epoch_seen: None,
    }
}

/// How long an observer rests after what it observes did not answer.
const REST: Duration = Duration::from_secs(2);

/// Keeps the index of one site up to date, for as long as its driver is open.
async fn observe_site(context: Arc<Context>, site: SiteName, fabric: Arc<dyn Fabric>) {
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
                let changed = context.index().take_instances(&site, sightings, now);
                if !known {
                    info!(%site, "the site answers");
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
async fn observe_pair(context: Arc<Context>, pair: PairKey, replicator: Arc<dyn Replicator>) {
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
        if !self.index().take_inventory(site, inventory) {
            return;
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
    fn site_turned(&self, site: &SiteName) {
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
    fn machine_changed(&self, site: &SiteName, name: &drover_api::value::MachineName) {
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
