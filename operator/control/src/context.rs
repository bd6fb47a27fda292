//! What every reconcile function is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drover_engine::decide::Failure;
use drover_fabric::{Clock, Registry};
use kube::Client;
use tokio::task::JoinSet;

use crate::cache::{Cache, ObjectKey};
use crate::declaration::Memo;
use crate::drivers::Drivers;
use crate::guarded::Unread;
use crate::health::Health;
use crate::index::Index;
use crate::kinds::run::{Asked, Inbox, RunState};
use crate::lease::Gate;
use crate::metrics::Metrics;
use crate::queue::{Key, Queue};
use crate::slots::Slots;
use crate::traces::Traces;

/// How an operator works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who it is, in the lease and in events.
    pub identity: String,
    /// The namespace of the lease.
    pub namespace: String,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// Keys that are reconciled at the same time.
    pub workers: usize,
    /// Writes of one run that are under way at the same time.
    pub writes: usize,
    /// Requests to drivers that are under way at the same time.
    pub effects: usize,
    /// How long a driver may take to answer.
    pub driver_limit: Duration,
    /// How long the API may take to answer.
    pub api_limit: Duration,
    /// How often a site is looked at when nothing says that it changed.
    pub refresh: Duration,
    /// How often a site's rights, capacity and machines are looked at.
    pub probe: Duration,
    /// Whether `by` in a decision was checked by nobody: true without a cluster (PL-10).
    pub unauthenticated: bool,
    /// How scripts of plans run.
    pub scripts: Scripts,
    /// Where spans of runs go, where somebody wants them.
    pub traces: Option<Traces>,
}

/// How scripts of plans run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scripts {
    /// Not at all.
    #[default]
    Off,
    /// As processes of this machine, with the rights of this process.
    Processes,
    /// As Jobs in the namespaces of their plans.
    Jobs,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identity: "drover".into(),
            namespace: "default".into(),
            lease: Duration::from_secs(15),
            workers: 4,
            writes: 64,
            effects: 256,
            driver_limit: Duration::from_secs(10),
            api_limit: Duration::from_secs(30),
            refresh: Duration::from_secs(10),
            probe: Duration::from_mins(1),
            unauthenticated: true,
            scripts: Scripts::Processes,
            traces: None,
        }
    }
}

/// What every reconcile function is given.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
    pub(crate) queue: Queue,
    pub(crate) gate: Gate,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    cache: Mutex<Cache>,
    index: Mutex<Index>,
    drivers: Mutex<Drivers>,
    memo: Mutex<Memo>,
    runs: Mutex<Runs>,
    failures: Mutex<BTreeMap<ObjectKey, Failure>>,
    asked: Mutex<BTreeMap<ObjectKey, Asked>>,
    slots: Mutex<Slots>,
    unread: Mutex<Unread>,
    tasks: Mutex<JoinSet<()>>,
    /// Events told by this incarnation.
    pub(crate) events: AtomicU64,
}

/// The runs that this process carries on.
#[derive(Default)]
pub(crate) struct Runs {
    /// What is derived of each, while no reconcile has it in hand.
    pub(crate) states: BTreeMap<ObjectKey, RunState>,
    /// What reached each since it was looked at last.
    pub(crate) inboxes: BTreeMap<ObjectKey, Inbox>,
    /// Runs whose objects this process is making: nobody else need do that meanwhile.
    pub(crate) creating: BTreeSet<ObjectKey>,
    /// The runs that have a machine in hand, and its position in each.
    pub(crate) hands: BTreeMap<ObjectKey, BTreeSet<(ObjectKey, usize)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left behind is looked at anew by whoever comes next; nothing here spans two locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub(crate) fn new(
        client: Client,
        clock: Clock,
        registry: Registry,
        settings: Settings,
        gate: Gate,
        (health, metrics): (Arc<Health>, Arc<Metrics>),
    ) -> Arc<Self> {
        Arc::new(Self {
            client,
            clock,
            registry,
            settings,
            queue: Queue::default(),
            gate,
            health,
            metrics,
            cache: Mutex::default(),
            index: Mutex::default(),
            drivers: Mutex::default(),
            memo: Mutex::default(),
            runs: Mutex::default(),
            failures: Mutex::default(),
            asked: Mutex::default(),
            slots: Mutex::default(),
            unread: Mutex::default(),
            tasks: Mutex::default(),
            events: AtomicU64::new(0),
        })
    }

    pub(crate) fn cache(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }

    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }

    pub(crate) fn drivers(&self) -> MutexGuard<'_, Drivers> {
        lock(&self.drivers)
    }

    pub(crate) fn memo(&self) -> MutexGuard<'_, Memo> {
        lock(&self.memo)
    }

    pub(crate) fn runs(&self) -> MutexGuard<'_, Runs> {
        lock(&self.runs)
    }

    /// The last failure of a request for each protected machine, outside of runs.
    pub(crate) fn failures(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Failure>> {
        lock(&self.failures)
    }

    /// What was asked last for each protected machine, outside of runs.
    pub(crate) fn asked(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Asked>> {
        lock(&self.asked)
    }

    /// The objects that cannot be read.
    pub(crate) fn unread(&self) -> MutexGuard<'_, Unread> {
        lock(&self.unread)
    }

    /// The places for copies.
    pub(crate) fn slots(&self) -> MutexGuard<'_, Slots> {
        lock(&self.slots)
    }

    /// Starts a task that ends with this incarnation.
    pub(crate) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::AbortHandle {
        let mut tasks = lock(&self.tasks);
        // Those that ended are not kept.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task)
    }

    /// Ends all tasks of this incarnation at once.
    pub(crate) fn abort(&self) {
        lock(&self.tasks).abort_all();
    }

    /// Reconciles a key after a while; of several the earliest counts.
    pub(crate) fn later(&self, key: Key, after: Duration) {
        self.queue.add_at(key, tokio::time::Instant::now() + after);
    }
}

/// How long a change of one of many waits for its siblings, before what sums them up is looked at.
pub(crate) const GATHER: Duration = Duration::from_millis(200);
