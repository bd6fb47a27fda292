//! The world behind the driver contract.

mod fabric;
mod replicator;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drover_api::{Fabric as FabricSpec, Replicator as ReplicatorSpec};
use drover_fabric::{Cursor, Driver, Fabric, PairConfig, Replicator, SiteConfig};
use drover_world::{ErrorClass, FabricError, pairs};
use tokio::time::Instant;

use crate::persist::PersistError;
use crate::simulation::{Shared, Simulation};
use crate::world::{Gate, Policy, World};
use fabric::SimulatedSite;
use replicator::SimulatedPair;

/// A site that does not answer is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

#[async_trait]
impl Driver for Simulation {
    async fn fabric(&self, site: SiteConfig<'_>) -> Result<Arc<dyn Fabric>, FabricError> {
        let id = declare(&self.shared, site)?;
        Ok(Arc::new(SimulatedSite {
            shared: Arc::clone(&self.shared),
            id,
        }))
    }

    async fn replicator(&self, pair: PairConfig<'_>) -> Result<Arc<dyn Replicator>, FabricError> {
        let primary = declare(&self.shared, pair.primary)?;
        let secondary = declare(&self.shared, pair.secondary)?;
        let (one, other) = (&pair.primary.spec.fabric, &pair.secondary.spec.fabric);
        let rules = pairs::of_fabrics(one, other, &pair.policy.replicator);
        let rules = rules.map_err(|error| refused(error.to_string(), error.hint))?;
        let ReplicatorSpec::Simulator(_) = pair.policy.replicator else {
            let message = "only simulated replication runs between simulated sites";
            return Err(refused(message.into(), "declare the replicator simulator"));
        };
        let id = change(&self.shared, |world| Ok(world.pair(primary, secondary)))?;
        Ok(Arc::new(SimulatedPair {
            shared: Arc::clone(&self.shared),
            id,
            sites: [primary, secondary],
            policy: Policy::of(pair.policy),
            rules,
        }))
    }
}

fn declare(shared: &Shared, site: SiteConfig<'_>) -> Result<usize, FabricError> {
    let FabricSpec::Simulator(_) = &site.spec.fabric else {
        let message = format!("{} is no simulated site", site.name);
        return Err(refused(message, "declare the fabric simulator"));
    };
    change(shared, |world| {
        let id = world.site(site.name);
        world.declare(id, site.spec);
        Ok(id)
    })
}

fn refused(message: String, hint: &str) -> FabricError {
    FabricError {
        class: ErrorClass::Terminal,
        message,
        hint: Some(hint.to_owned()),
        epoch_seen: None,
    }
}

/// Changes the world. What could not be written down is answered as a failure that can be tried again:
/// asked again, the effect is there and only the writing is done.
fn change<T>(
    shared: &Shared,
    what: impl FnOnce(&mut World) -> Result<T, FabricError>,
) -> Result<T, FabricError> {
    shared
        .change(what)
        .unwrap_or_else(|error| Err(unwritten(&error)))
}

fn unwritten(error: &PersistError) -> FabricError {
    FabricError {
        class: ErrorClass::Retryable,
        message: error.to_string(),
        hint: Some("look at the disk that the simulated world is kept on".into()),
        epoch_seen: None,
    }
}

/// A call that got through and looks, or the way in which it does not.
async fn look<T>(
    shared: &Shared,
    kind: &'static str,
    gate: impl FnOnce(&World) -> Gate,
    what: impl FnOnce(&World) -> T,
) -> Result<T, FabricError> {
    let closed = {
        let mut inner = shared.now();
        let world = &mut inner.world;
        *world.oracle.calls.entry(kind).or_default() += 1;
        match gate(world) {
            Gate::Open => return Ok(what(world)),
            closed => closed,
        }
    };
    Err(closed_by(closed).await)
}

/// A call that got through and changes something, or the way in which it does not. Whether it gets through
/// and what it does are one moment.
async fn call<T>(
    shared: &Shared,
    kind: &'static str,
    gate: impl FnOnce(&World) -> Gate,
    what: impl FnOnce(&mut World) -> Result<T, FabricError>,
) -> Result<T, FabricError> {
    let closed = change(shared, |world| {
        *world.oracle.calls.entry(kind).or_default() += 1;
        match gate(world) {
            Gate::Open => Ok(Ok(what(world))),
            closed => Ok(Err(closed)),
        }
    })?;
    match closed {
        Ok(answer) => answer,
        Err(closed) => Err(closed_by(closed).await),
    }
}

async fn closed_by(gate: Gate) -> FabricError {
    match gate {
        Gate::Closed(error) => error,
        Gate::Open | Gate::Hangs => std::future::pending().await,
    }
}

/// Returns when something is newer than a cursor, or when sites become reachable or cease to be.
async fn newer(shared: &Shared, sites: &[usize], since: Cursor, newest: impl Fn(&World) -> u64) {
    let mut reach = None;
    let mut give_up: Option<Instant> = None;
    loop {
        let told = shared.changed.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        let next = {
            let inner = shared.now();
            let world = &inner.world;
            let changes = world.reach_changes(sites);
            if *reach.get_or_insert(changes) != changes {
                return;
            }
            let open = sites.iter().any(|site| world.gate(*site) == Gate::Open);
            if open && newest(world) > since.0 {
                return;
            }
            if !open && give_up.is_none() {
                give_up = Some(Instant::now() + LOOK_AGAIN);
            }
            world.next_due().map(|at| shared.clock.instant_of(at))
        };
        let wake = [next, give_up].into_iter().flatten().min();
        match wake {
            None => told.await,
            Some(at) => {
                tokio::select! {
                    () = &mut told => {}
                    () = tokio::time::sleep_until(at) => {}
                }
            }
        }
        if give_up.is_some_and(|at| at <= Instant::now()) {
            return;
        }
    }
}
