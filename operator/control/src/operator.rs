//! One incarnation of the operator: it wins the lease, hears what there is, and works until it leads no
//! longer or is told to stop.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use drover_api::{
    FailbackPolicy, MachineRun, NetworkMapping, ProtectedMachine, ProtectionGroup, RecoveryDrill,
    RecoveryPlan, RecoveryRun, ReplicationPolicy, RunDecision, Site,
};
use drover_fabric::{Clock, Registry};
use futures::FutureExt;
use kube::Client;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::context::{Context, Settings};
use crate::feed::{Chain, Followed, feed};
use crate::guarded;
use crate::health::Health;
use crate::kinds;
use crate::lease::{Elector, Gate};
use crate::metrics::Metrics;
use crate::queue::Key;
use crate::write::WriteError;

/// Carries declarations out.
pub struct Operator {
    client: Client,
    clock: Clock,
    registry: Registry,
    settings: Settings,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

/// Why an operator came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was told to.
    Asked,
    /// It leads no longer. A new incarnation may try again.
    LostLease,
}

impl Operator {
    /// An operator that is not at work yet.
    pub fn new(client: Client, clock: Clock, registry: Registry, settings: Settings) -> Self {
        Self {
            client,
            clock,
            registry,
            settings,
            health: Arc::default(),
            metrics: Arc::default(),
        }
    }

    /// Whether it is alive and ready, over all its incarnations.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Its metrics, over all its incarnations.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Works until `stop` completes or the lease is lost. When it is told to stop, it takes nothing new
    /// in hand, brings to its end what it has, and gives the lease back. Dropping the future ends
    /// everything at once, as a crash would.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) -> Stopped {
        let gate = Gate::default();
        let mut elector = Elector::new(
            self.client.clone(),
            &self.settings.namespace,
            &self.settings.identity,
            self.settings.lease,
            self.clock,
            gate.clone(),
            Arc::clone(&self.health),
        );
        let mut stop = std::pin::pin!(stop);
        tokio::select! {
            biased;
            () = &mut stop => return Stopped::Asked,
            () = elector.win() => {}
        }
        info!(identity = %self.settings.identity, "leads");
        let context = Context::new(
            self.client.clone(),
            self.clock,
            self.registry.clone(),
            self.settings.clone(),
            gate,
            (Arc::clone(&self.health), Arc::clone(&self.metrics)),
        );
        self.health.listens();
        self.metrics.show(&context);
        let _leads = Leads(self);
        let _ends = AbortOnDrop(Arc::clone(&context));
        let work = work(&context);
        tokio::select! {
            biased;
            () = &mut stop => {}
            () = elector.hold() => {
                warn!("leads no longer");
                return Stopped::LostLease;
            }
            () = work => return Stopped::LostLease,
        }
        info!("stopping: what is in hand is brought to its end");
        context.queue.close();
        tokio::select! {
            biased;
            () = self.health.idle() => {}
            () = tokio::time::sleep(ENDING) => warn!("some of what was in hand did not end in time"),
            // Whoever leads now carries on.
            () = elector.hold() => {}
        }
        context.abort();
        elector.release().await;
        info!("stopped");
        Stopped::Asked
    }
}

/// How long what is in hand may take to end, when the operator is told to stop. Longer than a driver may
/// take to answer, shorter than Kubernetes waits before it kills.
const ENDING: Duration = Duration::from_secs(12);

/// While it is kept, this process leads.
struct Leads<'a>(&'a Operator);

impl Drop for Leads<'_> {
    fn drop(&mut self) {
        self.0.health.follows();
        self.0.metrics.hide();
    }
}

/// Ends the tasks of an incarnation with it.
struct AbortOnDrop(Arc<Context>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Hears what there is, then reconciles until it is dropped.
async fn work(context: &Arc<Context>) {
    let mut synced = vec![
        start::<Site>(context),
        start::<ReplicationPolicy>(context),
        start::<NetworkMapping>(context),
        start::<FailbackPolicy>(context),
        start::<ProtectionGroup>(context),
        start::<ProtectedMachine>(context),
        start::<RecoveryPlan>(context),
        start::<RecoveryDrill>(context),
        start::<RecoveryRun>(context),
        start::<MachineRun>(context),
        start::<RunDecision>(context),
    ];
    for kind in &mut synced {
        // An error means that the feed ended, and with it this incarnation.
        drop(kind.wait_for(|synced| *synced).await);
    }
    info!("heard everything that there is");
    context.health.works();
    for _ in 0..context.settings.workers.max(1) {
        context.spawn(worker(Arc::clone(context)));
    }
    // They work until this incarnation ends.
    std::future::pending::<()>().await;
}

fn start<K>(context: &Arc<Context>) -> watch::Receiver<bool>
where
    K: Followed + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let (sender, receiver) = watch::channel(false);
    context.spawn(feed::<K>(Arc::clone(context), sender));
    receiver
}

/// Pauses after reconciles that failed in a row: doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

async fn worker(context: Arc<Context>) {
    let mut failures = std::collections::BTreeMap::<Key, u32>::new();
    loop {
        let key = context.queue.next().await;
        let in_hand = context.health.enter();
        let begun = tokio::time::Instant::now();
        let outcome = AssertUnwindSafe(reconcile(&context, &key))
            .catch_unwind()
            .await;
        drop(in_hand);
        context.metrics.reconciled(key.kind(), begun.elapsed());
        context.queue.done(&key);
        let failed = match outcome {
            Ok(Ok(())) => {
                failures.remove(&key);
                continue;
            }
            Ok(Err(WriteError::Gone(_))) => continue,
            Ok(Err(WriteError::NotLeading)) => {
                // Another leads, or this process again in a moment.
                context.later(key, FIRST_PAUSE);
                continue;
            }
            Ok(Err(WriteError::Conflict(_))) => {
                context.metrics.reconcile_failed(key.kind(), "conflict");
                context.queue.add(key);
                continue;
            }
            Ok(Err(failed)) => {
                warn!(%key, error = %Chain(&failed), "could not be reconciled");
                context.metrics.reconcile_failed(key.kind(), "api");
                &mut failures
            }
            Err(_) => {
                error!(%key, "a reconcile panicked: this is a bug of Drover");
                context.metrics.reconcile_failed(key.kind(), "panic");
                &mut failures
            }
        };
        let count = failed.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        let pause = FIRST_PAUSE
            .saturating_mul(1 << (*count - 1).min(6))
            .min(LONGEST_PAUSE);
        context.later(key, pause);
    }
}

async fn reconcile(context: &Arc<Context>, key: &Key) -> Result<(), WriteError> {
    match key {
        Key::Run(key) => kinds::run::reconcile(context, key).await,
        Key::Plan(key) => kinds::plan::reconcile(context, key).await,
        Key::Drill(key) => kinds::drill::reconcile(context, key).await,
        Key::Site(key) => kinds::site::reconcile(context, key).await,
        Key::Group(key) => kinds::group::reconcile(context, key).await,
        Key::Machine(key) => kinds::machine::reconcile(context, key).await,
        Key::Policy(key) => kinds::referred::policy(context, key).await,
        Key::Mapping(key) => kinds::referred::mapping(context, key).await,
        Key::FailbackPolicy(key) => kinds::referred::failback_policy(context, key).await,
        Key::Unreadable(kind, key) => guarded::reconcile(context, kind, key).await,
    }
}
