//! The drivers that are open: of each site, and of each pair of sites with a policy.

mod effects;
mod observe;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drover_api::value::SiteName;
use drover_api::{ReplicationPolicySpec, Site, SiteSpec};
use drover_fabric::{Fabric, PairConfig, Replicator, Secrets, SiteConfig, within};
use drover_world::{ErrorClass, FabricError};
use tokio::task::AbortHandle;
use tracing::info;

pub(crate) use self::effects::{Place, Shaped};
use self::observe::{observe_pair, observe_site};
use crate::context::Context;
use crate::index::PairKey;
use crate::queue::Key;

/// How soon a driver is opened again that could not be.
pub(crate) const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// The drivers that are open.
#[derive(Default)]
pub(crate) struct Drivers {
    sites: BTreeMap<SiteName, OpenSite>,
    pairs: BTreeMap<PairKey, OpenPair>,
    /// The pairs whose driver could not be opened just now, and why: nobody tries again yet.
    refused: BTreeMap<PairKey, (MadeFrom, FabricError)>,
}

/// What the driver of a pair is opened with.
type MadeFrom = (SiteSpec, SiteSpec, ReplicationPolicySpec);

struct OpenSite {
    spec: SiteSpec,
    secrets: Secrets,
    fabric: Arc<dyn Fabric>,
    /// Whether it makes machines that nobody listed there.
    provisions: bool,
    /// Whether a person wants it opened anew.
    stale: bool,
    observer: AbortHandle,
}

struct OpenPair {
    made_from: MadeFrom,
    replicator: Arc<dyn Replicator>,
    observer: AbortHandle,
    /// Whether a person wants it opened anew.
    stale: bool,
}

impl Context {
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
            secrets,
            provisions: fabric.capabilities().provisions,
            stale: false,
            fabric: Arc::clone(&fabric),
            observer,
        };
        let former = self.drivers().sites.insert(name.clone(), open);
        if let Some(former) = former {
            former.observer.abort();
            // Machines open the drivers of their pairs anew, too, also those that a run has in hand.
            let machines = self.cache().at_site(&name);
            for machine in machines {
                self.queue.add(Key::Machine(machine));
            }
        }
        Ok(fabric)
    }

    /// Whether a site makes machines that nobody listed there.
    pub(crate) fn provisions(&self, site: &SiteName) -> bool {
        let drivers = self.drivers();
        drivers.sites.get(site).is_some_and(|open| open.provisions)
    }

    /// Opens the driver of a pair, or leaves it as it is where nothing about it changed. What cannot be opened
    /// now is tried again by one machine of the pair after a while, and its others are told the same.
    pub(crate) async fn open_pair(
        self: &Arc<Self>,
        pair: &PairKey,
        sites: [&Site; 2],
        policy: &ReplicationPolicySpec,
    ) -> Result<Arc<dyn Replicator>, FabricError> {
        let made_from = (sites[0].spec.clone(), sites[1].spec.clone(), policy.clone());
        {
            let drivers = self.drivers();
            if let Some(open) = drivers.pairs.get(pair)
                && open.made_from == made_from
                && !open.stale
            {
                return Ok(Arc::clone(&open.replicator));
            }
            if let Some((tried, error)) = drivers.refused.get(pair)
                && *tried == made_from
            {
                return Err(error.clone());
            }
        }
        let replicator = match self.connect_pair(pair, &made_from).await {
            Ok(replicator) => replicator,
            Err(error) => {
                if error.class == ErrorClass::Retryable {
                    self.refuse_for_now(pair, made_from, error.clone());
                }
                return Err(error);
            }
        };
        let task = observe_pair(Arc::clone(self), pair.clone(), Arc::clone(&replicator));
        let open = OpenPair {
            made_from,
            replicator: Arc::clone(&replicator),
            observer: self.spawn(task),
            stale: false,
        };
        if let Some(former) = self.drivers().pairs.insert(pair.clone(), open) {
            former.observer.abort();
        }
        Ok(replicator)
    }

    fn refuse_for_now(self: &Arc<Self>, pair: &PairKey, tried: MadeFrom, error: FabricError) {
        let former = self.drivers().refused.insert(pair.clone(), (tried, error));
        if former.is_some() {
            return;
        }
        let (context, pair) = (Arc::clone(self), pair.clone());
        self.spawn(async move {
            tokio::time::sleep(OPEN_AGAIN).await;
            context.drivers().refused.remove(&pair);
            let machine = context.cache().one_of_pair(&pair);
            if let Some(machine) = machine {
                context.queue.add(Key::Machine(machine));
            }
        });
    }

    async fn connect_pair(
        &self,
        pair: &PairKey,
        (primary, secondary, policy): &MadeFrom,
    ) -> Result<Arc<dyn Replicator>, FabricError> {
        let driver = self
            .registry
            .of_replicator(&policy.replicator)
            .map_err(|none| unsupported(&none))?;
        let secrets = [
            self.secrets_of(primary).await?,
            self.secrets_of(secondary).await?,
        ];
        let config = PairConfig {
            primary: SiteConfig {
                name: &pair.primary,
                spec: primary,
                secrets: &secrets[0],
            },
            secondary: SiteConfig {
                name: &pair.secondary,
                spec: secondary,
                secrets: &secrets[1],
            },
            policy,
        };
        within(self.settings.driver_limit, driver.replicator(config)).await
    }

    /// Has the drivers of a site opened anew when they are asked for next, with credentials as they are then.
    /// Until that succeeded, those that are open stay.
    pub(crate) fn renew_site(&self, name: &SiteName) {
        let mut drivers = self.drivers();
        if let Some(open) = drivers.sites.get_mut(name) {
            open.stale = true;
        }
        let of_site = |pair: &PairKey| pair.primary == *name || pair.secondary == *name;
        drivers.refused.retain(|pair, _| !of_site(pair));
        let pairs = drivers.pairs.iter_mut();
        for (_, open) in pairs.filter(|(pair, _)| of_site(pair)) {
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

    /// Renews a site whose secrets are not those any more that its driver was opened with: certificates are renewed
    /// long before the former ones expire, and nobody says so.
    pub(crate) async fn renew_with_secrets(&self, site: &Site) {
        let Ok(name) = site_name(site) else { return };
        let Ok(secrets) = self.secrets_of(&site.spec).await else {
            return;
        };
        let drivers = self.drivers();
        let open = drivers.sites.get(&name);
        let renewed = open.is_some_and(|open| !open.stale && open.secrets != secrets);
        drop(drivers);
        if renewed {
            info!(site = %name, "its secrets were renewed");
            self.renew_site(&name);
        }
    }

    /// Closes the driver of a site that is not declared any more.
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
