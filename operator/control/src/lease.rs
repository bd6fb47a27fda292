//! Who leads. A lease keeps two processes from working against each other; it is no fence (SA-3): that
//! are the epochs in the fabrics and the versions in the API.
//!
//! The holder judges its own term by time that it measured itself since it last *began* to renew; another
//! judges the holder's by how long it saw no change. No two wall clocks are ever compared.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drover_fabric::Clock;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::feed::Chain;
use crate::health::Health;

/// The name of the lease.
pub(crate) const NAME: &str = "drover";

/// How often a standby looks at the lease, at least.
const LURK: Duration = Duration::from_secs(2);

/// Until when this process may act. It is asked before every write and every call of a driver.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    until: Arc<Mutex<Option<Instant>>>,
}

impl Gate {
    /// Whether this process may act now.
    pub(crate) fn is_open(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Takes part in the election.
pub(crate) struct Elector {
    api: Api<Lease>,
    identity: String,
    namespace: String,
    term: Duration,
    clock: Clock,
    gate: Gate,
    health: Arc<Health>,
    /// What was seen of another holder, and since when it did not change.
    seen: Option<(LeaseSpec, Instant)>,
}

impl Elector {
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        identity: &str,
        term: Duration,
        clock: Clock,
        gate: Gate,
        health: Arc<Health>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            identity: identity.to_owned(),
            namespace: namespace.to_owned(),
            term,
            clock,
            gate,
            health,
            seen: None,
        }
    }

    /// Waits until this process leads.
    pub(crate) async fn win(&mut self) {
        let mut told = false;
        loop {
            if self.attempt().await {
                return;
            }
            if let (false, Some((holder, _))) = (told, &self.seen) {
                told = true;
                let holder = holder.holder_identity.as_deref().unwrap_or_default();
                info!(holder, "stands by");
            }
            tokio::time::sleep(self.lurk()).await;
        }
    }

    /// Renews for as long as that succeeds in time; returns when this process leads no longer.
    pub(crate) async fn hold(&mut self) {
        let mut pause = self.pause();
        let mut ends = self.gate.until();
        // Once a term is over this incarnation ends, also where the lease could be had again: what was
        // refused meanwhile is looked at anew by the next.
        while ends.is_some_and(|ends| Instant::now() < ends) {
            tokio::time::sleep(pause).await;
            if !self.gate.is_open() || !self.attempt().await {
                break;
            }
            let over = ends.is_none_or(|ends| Instant::now() >= ends);
            if over {
                break;
            }
            let renewed = self.gate.until() != ends;
            pause = if renewed { self.pause() } else { LURK };
            ends = self.gate.until();
        }
        self.gate.set(None);
    }

    /// Gives the lease back, so that another need not wait for its end.
    pub(crate) async fn release(&mut self) {
        self.gate.set(None);
        let Ok(mut lease) = self.api.get(NAME).await else {
            return;
        };
        if let Some(spec) = &mut lease.spec
            && spec.holder_identity.as_deref() == Some(&self.identity)
        {
            spec.holder_identity = None;
            // Where it fails, the term ends by itself.
            drop(self.api.replace(NAME, &PostParams::default(), &lease).await);
        }
    }

    /// How long until a standby looks again. It looks often, because it counts from when it sees the
    /// holder's last sign; and right when that one's term ends.
    fn lurk(&self) -> Duration {
        let pause = (self.term / 8).min(LURK);
        let Some((spec, since)) = &self.seen else {
            return pause;
        };
        let left = self.term_in(spec).saturating_sub(since.elapsed());
        if left.is_zero() {
            pause
        } else {
            pause.min(left)
        }
    }

    /// The holder's own term, where it is longer than ours.
    fn term_in(&self, spec: &LeaseSpec) -> Duration {
        let seconds = spec.lease_duration_seconds.unwrap_or(0);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).max(self.term)
    }

    /// A third of the term: two renewals may fail.
    fn pause(&self) -> Duration {
        self.term / 3
    }

    /// Takes or renews the lease; whether this process leads afterwards.
    async fn attempt(&mut self) -> bool {
        let begun = Instant::now();
        let taken = tokio::time::timeout(self.term / 2, self.take()).await;
        self.health.beat(matches!(taken, Ok(Ok(_))));
        if let Ok(Err(error)) = &taken {
            warn!(error = %Chain(error), "the lease could be neither read nor written");
        }
        if matches!(taken, Ok(Ok(true))) {
            self.gate.set(Some(begun + self.term));
            return true;
        }
        self.gate.is_open()
    }

    async fn take(&mut self) -> Result<bool, kube::Error> {
        let Some(lease) = self.api.get_opt(NAME).await? else {
            let fresh = Lease {
                metadata: ObjectMeta {
                    name: Some(NAME.into()),
                    namespace: Some(self.namespace.clone()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.term_of(None)),
            };
            return match self.api.create(&PostParams::default(), &fresh).await {
                Ok(_) => Ok(true),
                Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
                Err(error) => Err(error),
            };
        };
        if !self.may_take(lease.spec.as_ref()) {
            return Ok(false);
        }
        let mut next = lease;
        next.spec = Some(self.term_of(next.spec.as_ref()));
        match self.api.replace(NAME, &PostParams::default(), &next).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether it is ours, nobody's, or did not change for a whole term of its holder.
    fn may_take(&mut self, spec: Option<&LeaseSpec>) -> bool {
        let Some(spec) = spec else { return true };
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        match &self.seen {
            Some((seen, since)) if seen == spec => since.elapsed() >= self.term_in(spec),
            _ => {
                self.seen = Some((spec.clone(), Instant::now()));
                false
            }
        }
    }

    fn term_of(&self, former: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(self.clock.now());
        let ours = former.is_some_and(|former| {
            former.holder_identity.as_deref() == Some(self.identity.as_str())
        });
        let transitions = former
            .and_then(|former| former.lease_transitions)
            .unwrap_or(0);
        let acquired = former.and_then(|former| former.acquire_time.clone());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.term.as_secs()).ok(),
            acquire_time: acquired.filter(|_| ours).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if ours { transitions } else { transitions + 1 }),
            ..LeaseSpec::default()
        }
    }
}
