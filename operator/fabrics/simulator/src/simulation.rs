//! The world from outside: what tests, demonstrations and the driver do with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drover_api::SimulatedMachine;
use drover_api::value::{Address, MachineName, NetworkName, Quantity, SiteName};
use drover_fabric::{Clock, InstanceSeen};
use drover_world::{EpochEnforcement, Estimates, Instance, Link};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::faults::Fault;
use crate::options::Options;
use crate::persist::{PersistError, Store};
use crate::world::World;
use crate::world::oracle::{LogEntry, Violation};

/// A simulated world. It is also the driver of its sites.
#[derive(Debug)]
pub struct Simulation {
    pub(crate) shared: Arc<Shared>,
}

/// What all handles of a world share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub clock: Clock,
    pub epochs: EpochEnforcement,
    world: Mutex<Inner>,
    pub changed: Notify,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub world: World,
    store: Option<Store>,
}

/// What is there of a machine at a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSeen {
    /// Whether it is there and runs.
    pub instance: Instance,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// What disks hold. Two are equal when, and only when, the same writes are on them in the same places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub String);

/// A record of the world's zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecord {
    /// Seconds that resolvers may keep it.
    pub ttl: u32,
    /// All its addresses.
    pub addresses: Vec<Address>,
    /// How often it became another.
    pub changes: u32,
}

impl Shared {
    /// The world as it is now.
    pub fn now(&self) -> MutexGuard<'_, Inner> {
        // Nothing in the world panics half-way through a change that matters to the next caller.
        let mut inner = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let before = inner.world.now;
        inner.world.advance(now.max(before));
        inner
    }

    /// Does something to the world, writes it down, and tells whoever waits.
    pub fn change<T>(&self, what: impl FnOnce(&mut World) -> T) -> Result<T, PersistError> {
        let mut inner = self.now();
        let result = what(&mut inner.world);
        let kept = inner.keep();
        drop(inner);
        self.changed.notify_waiters();
        kept.map(|()| result)
    }
}

impl Inner {
    fn keep(&mut self) -> Result<(), PersistError> {
        if let Some(store) = &mut self.store {
            return store.keep(&mut self.world);
        }
        // Nobody reads it; it must not grow.
        self.world.forget_changes();
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(store) = &mut self.store {
            // Every effect is written already; what is lost here follows from the time.
            let _ = store.flush(&mut self.world);
        }
    }
}

impl Simulation {
    /// A new world that is kept in memory only.
    pub fn new(options: Options) -> Arc<Self> {
        Self::of(options, World::new(&options), None)
    }

    /// The world that is kept in a file: read back where there is one, else new. Time that passed since
    /// it was written passes at once; while the clock is behind it, the world stands still.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else.
    pub fn open(options: Options, path: &Path) -> Result<Arc<Self>, PersistError> {
        let mut world = World::new(&options);
        let saved = Store::read(path)?;
        if !saved.is_empty() {
            world.restore(saved);
        }
        let store = Store::begin(path, &mut world)?;
        Ok(Self::of(options, world, Some(store)))
    }

    fn of(options: Options, world: World, store: Option<Store>) -> Arc<Self> {
        let shared = Shared {
            clock: options.clock,
            epochs: options.epochs,
            world: Mutex::new(Inner { world, store }),
            changed: Notify::new(),
        };
        Arc::new(Self {
            shared: Arc::new(shared),
        })
    }

    /// Brings everything to the disk itself, where the world is kept there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&self) -> Result<(), PersistError> {
        let mut inner = self.shared.now();
        let Inner { world, store } = &mut *inner;
        store.as_mut().map_or(Ok(()), |store| store.flush(world))
    }

    /// Does something that no request asked for. That it cannot be written down now is no failure: the
    /// next effect writes it, or fails.
    fn poke<T>(&self, what: impl FnOnce(&mut World) -> T) -> T {
        let mut inner = self.shared.now();
        let result = what(&mut inner.world);
        let _ = inner.keep();
        drop(inner);
        self.shared.changed.notify_waiters();
        result
    }

    /// Makes a machine that was always there and runs, unless the site knows one of that name.
    pub fn ensure_machine(
        &self,
        site: &SiteName,
        name: &MachineName,
        declared: Option<&SimulatedMachine>,
    ) {
        self.poke(|world| {
            let site = world.site(site);
            world.ensure_machine(site, name, declared);
        });
    }

    /// A machine's steps take so long from now on, wherever it runs, where the world's latency is realistic.
    /// For a machine that was heard of.
    pub fn set_times(&self, site: &SiteName, name: &MachineName, times: Estimates) {
        self.poke(|world| {
            let site = world.site(site);
            if let Some(id) = world.machine_named(site, name, false) {
                world.set_times(id, times);
            }
        });
    }

    /// When the next thing happens by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.shared.now().world.next_due()
    }

    /// Lets something go wrong, or end.
    pub fn inject(&self, fault: &Fault) {
        self.poke(|world| world.inject(fault));
    }

    /// The same, after some time.
    pub fn at(&self, after: Duration, fault: Fault) {
        self.poke(|world| {
            let due = jiff::SignedDuration::try_from(after).unwrap_or(jiff::SignedDuration::MAX);
            let at = world.now.saturating_add(due);
            world.plan(at.unwrap_or(Timestamp::MAX), fault);
        });
    }

    /// The power of a site goes.
    pub fn lose_site(&self, site: &SiteName) {
        self.inject(&Fault::LoseSite { site: site.clone() });
    }

    /// The power of a site is back.
    pub fn return_site(&self, site: &SiteName) {
        self.inject(&Fault::ReturnSite { site: site.clone() });
    }

    /// A site is cut off, and runs on.
    pub fn partition(&self, site: &SiteName) {
        self.inject(&Fault::Partition { site: site.clone() });
    }

    /// A site that was cut off is reached again.
    pub fn heal(&self, site: &SiteName) {
        self.inject(&Fault::Heal { site: site.clone() });
    }

    /// The guest writes so often, at once; all of it is acknowledged. False where it does not run.
    pub fn write(&self, site: &SiteName, name: &MachineName, count: u64) -> bool {
        self.poke(|world| {
            let site = world.site(site);
            let found = world.machine_named(site, name, false);
            found.is_some_and(|id| world.write(id, count))
        })
    }

    /// What is there of a machine; nothing where its site never heard of it.
    pub fn machine(&self, site: &SiteName, name: &MachineName) -> Option<MachineSeen> {
        self.look_at(site, name, false, |world, id| seen(world.seen(id)))
    }

    /// What a drill made of a machine; nothing where none ever did.
    pub fn drill(&self, site: &SiteName, name: &MachineName) -> Option<MachineSeen> {
        self.look_at(site, name, true, |world, id| seen(world.seen(id)))
    }

    /// What the disks of a machine, or of its copy, hold; nothing where there are none.
    pub fn content(&self, site: &SiteName, name: &MachineName, drill: bool) -> Option<Token> {
        self.look_at(site, name, drill, World::fingerprint)?
            .map(Token)
    }

    /// How the link of a machine is, by its name at either site.
    pub fn link(&self, site: &SiteName, name: &MachineName) -> Option<Link> {
        self.look_at(site, name, false, |world, id| {
            world.link_of(id).map(|link| world.link_seen(link))
        })?
    }

    fn look_at<T>(
        &self,
        site: &SiteName,
        name: &MachineName,
        drill: bool,
        look: impl FnOnce(&World, usize) -> T,
    ) -> Option<T> {
        let mut inner = self.shared.now();
        let site = inner.world.site(site);
        let id = inner.world.machine_named(site, name, drill)?;
        Some(look(&inner.world, id))
    }

    /// From now on two serving copies of this machine count as accepted (SA-2).
    pub fn accept_split_brain(&self, site: &SiteName, name: &MachineName) {
        self.poke(|world| {
            let site = world.site(site);
            let found = world.machine_named(site, name, false);
            if let Some(link) = found.and_then(|id| world.link_of(id)) {
                world.accept_split_brain(link);
            }
        });
    }

    /// What is free at a site while nothing runs there.
    pub fn set_capacity(&self, site: &SiteName, memory: &Quantity, storage: &Quantity, cpus: u32) {
        self.poke(|world| {
            let site = world.site(site);
            world.set_capacity(site, memory.bytes(), storage.bytes(), cpus);
        });
    }

    /// The networks that there are at a site; unset means any.
    pub fn set_networks(&self, site: &SiteName, networks: Option<BTreeSet<NetworkName>>) {
        self.poke(|world| {
            let site = world.site(site);
            world.set_networks(site, networks);
        });
    }

    /// What a machine answers on a port and path, as long as it runs; 200 where nothing is set.
    pub fn set_answer(
        &self,
        site: &SiteName,
        name: &MachineName,
        port: u16,
        path: &str,
        status: u16,
    ) {
        self.poke(|world| {
            let key = (site.to_string(), name.to_string(), port, path.to_owned());
            world.answers.insert(key, status);
        });
    }

    /// A record of the zone.
    pub fn record(&self, name: &str) -> Option<DnsRecord> {
        self.shared.now().world.zone.get(name).cloned()
    }

    /// What happened that must never happen, oldest first.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.now().world.oracle.violations.clone()
    }

    /// What took effect, oldest first.
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.now().world.oracle.log.iter().cloned().collect()
    }

    /// How many calls there were, by kind.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.shared.now().world.oracle.calls.clone()
    }
}

fn seen(seen: InstanceSeen) -> MachineSeen {
    MachineSeen {
        instance: seen.instance,
        addresses: seen.addresses,
    }
}
