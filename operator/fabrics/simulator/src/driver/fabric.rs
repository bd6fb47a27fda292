//! One simulated site behind the contract.

use std::sync::Arc;

use async_trait::async_trait;
use drover_api::FencingMethod;
use drover_api::value::MachineName;
use drover_fabric::{
    ActionTargets, Answer, Capabilities, Cursor, DnsChange, Fabric, HttpCall, InstanceKey,
    InstanceSeen, Materialize, Probe, Sightings, SiteGoal,
};
use drover_world::{FabricError, Inventory, Stamp};

use super::{call, look, newer};
use crate::simulation::{DnsRecord, Shared};
use crate::world::{Gate, Reach, World};

/// A handle of one site; there may be many.
#[derive(Debug)]
pub(super) struct SimulatedSite {
    pub shared: Arc<Shared>,
    pub id: usize,
}

#[async_trait]
impl Fabric for SimulatedSite {
    fn capabilities(&self) -> Capabilities {
        let fencing = self.shared.now().world.sites[self.id].fencing;
        Capabilities {
            epochs: self.shared.epochs,
            fencing: fencing != FencingMethod::None,
            drills: true,
            provisions: true,
        }
    }

    async fn probe(&self) -> Result<Probe, FabricError> {
        let gate = |world: &World| world.gate(self.id);
        look(&self.shared, "probe", gate, |world| world.probe(self.id)).await
    }

    async fn inventory(&self) -> Result<Inventory, FabricError> {
        let gate = |world: &World| world.gate(self.id);
        look(&self.shared, "inventory", gate, |world| {
            world.inventory(self.id)
        })
        .await
    }

    async fn observe(
        &self,
        since: Option<Cursor>,
    ) -> Result<Sightings<InstanceKey, InstanceSeen>, FabricError> {
        let gate = |world: &World| world.gate(self.id);
        look(&self.shared, "observe", gate, |world| {
            world.observe_site(self.id, since)
        })
        .await
    }

    async fn changed(&self, since: Cursor) {
        let id = self.id;
        newer(&self.shared, &[id], since, |world| world.newest_at_site(id)).await;
    }

    async fn fences(&self) -> Result<Vec<(MachineName, u64)>, FabricError> {
        look(
            &self.shared,
            "fences",
            |_| Gate::Open,
            |world| world.fences(self.id),
        )
        .await
    }

    async fn ensure(&self, stamp: &Stamp, machine: &MachineName, goal: SiteGoal) -> Answer {
        let (kind, own_way) = match goal {
            SiteGoal::Stopped => ("stopped", false),
            SiteGoal::Fenced => ("fenced", true),
            SiteGoal::Started => ("started", false),
            SiteGoal::DrillStarted => ("drillStarted", false),
            SiteGoal::DrillRemoved => ("drillRemoved", false),
        };
        // A fence has a way of its own to the site.
        let gate = |world: &World| {
            if own_way {
                Gate::Open
            } else {
                world.gate(self.id)
            }
        };
        call(&self.shared, kind, gate, |world| {
            world.ensure_at_site(self.id, stamp, machine, goal)
        })
        .await
    }

    async fn accepts(&self, machine: &MachineName, with: &Materialize) -> Result<(), FabricError> {
        let gate = |world: &World| world.gate(self.id);
        call(&self.shared, "accepts", gate, |world| {
            world.accepts(self.id, machine, with)
        })
        .await
    }

    fn action_targets(&self) -> Option<&dyn ActionTargets> {
        Some(self)
    }
}

#[async_trait]
impl ActionTargets for SimulatedSite {
    async fn http(&self, call: &HttpCall) -> Result<u16, String> {
        let mut inner = self.shared.now();
        let world = &mut inner.world;
        *world.oracle.calls.entry("http").or_default() += 1;
        let site = &world.sites[self.id];
        if site.reach != Reach::Up {
            return Err(format!("connection to {} timed out", call.machine));
        }
        let site = site.name.to_string();
        if !world.answers(self.id, &call.machine, call.drill) {
            return Err("connection refused".into());
        }
        let key = (site, call.machine.to_string(), call.port, call.path.clone());
        Ok(world.answers.get(&key).copied().unwrap_or(200))
    }

    async fn dns(&self, change: &DnsChange) -> Result<(), String> {
        let set = self.shared.change(|world| {
            *world.oracle.calls.entry("dns").or_default() += 1;
            let before = world.zone.get(&change.record);
            let same = before.is_some_and(|record| {
                record.ttl == change.ttl && record.addresses == change.addresses
            });
            if same {
                return;
            }
            let record = DnsRecord {
                ttl: change.ttl,
                addresses: change.addresses.clone(),
                changes: before.map_or(0, |record| record.changes) + 1,
            };
            world.zone.insert(change.record.clone(), record);
            world.zone_changed();
        });
        set.map_err(|error| error.to_string())
    }
}
