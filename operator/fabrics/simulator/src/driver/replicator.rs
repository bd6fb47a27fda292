//! One simulated pair of sites behind the contract.

use std::sync::Arc;

use async_trait::async_trait;
use drover_api::common::SiteRole;
use drover_api::value::MachineName;
use drover_fabric::{
    Answer, Cursor, LinkGoal, Materialize, PairCapabilities, Replicator, Sightings, Subject,
};
use drover_world::{FabricError, Link, PairRules, Stamp};

use super::{call, look, newer};
use crate::simulation::Shared;
use crate::world::{Asker, Gate, Policy, World};

/// A handle of one pair under one policy; there may be many.
#[derive(Debug)]
pub(super) struct SimulatedPair {
    pub shared: Arc<Shared>,
    pub id: usize,
    /// Primary, secondary.
    pub sites: [usize; 2],
    pub policy: Policy,
    pub rules: &'static PairRules,
}

impl SimulatedPair {
    fn site(&self, role: SiteRole) -> usize {
        match role {
            SiteRole::Primary => self.sites[0],
            SiteRole::Secondary => self.sites[1],
        }
    }

    /// It answers as long as one of its sites does.
    fn either(&self, world: &World) -> Gate {
        let [one, other] = self.sites.map(|site| world.gate(site));
        if one == Gate::Open { one } else { other }
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            pair: self.id,
            policy: &self.policy,
            rules: self.rules,
        }
    }

    /// The sites that a request needs, and whether data travels for it.
    fn needs(&self, goal: LinkGoal, world: &World) -> Gate {
        match goal {
            LinkGoal::Related { .. } | LinkGoal::Finalized { .. } => {
                world.gates(&self.sites, false)
            }
            LinkGoal::Seeded { .. }
            | LinkGoal::Resynchronized { .. }
            | LinkGoal::FinalSync { .. }
            | LinkGoal::SyncedBack { .. }
            | LinkGoal::Reversed { .. } => world.gates(&self.sites, true),
            LinkGoal::Committed { left } => world.gate(self.site(left.other())),
            LinkGoal::Unrelated {
                remove_replica: true,
            } => world.gates(&self.sites, false),
            LinkGoal::Unrelated { .. } => self.either(world),
        }
    }
}

fn kind(goal: LinkGoal) -> &'static str {
    match goal {
        LinkGoal::Related { .. } => "related",
        LinkGoal::Seeded { .. } => "seeded",
        LinkGoal::Finalized { .. } => "finalized",
        LinkGoal::Resynchronized { .. } => "resynchronized",
        LinkGoal::Unrelated { .. } => "unrelated",
        LinkGoal::FinalSync { .. } => "finalSync",
        LinkGoal::SyncedBack { .. } => "syncedBack",
        LinkGoal::Committed { .. } => "committed",
        LinkGoal::Reversed { .. } => "reversed",
    }
}

#[async_trait]
impl Replicator for SimulatedPair {
    fn capabilities(&self) -> PairCapabilities {
        PairCapabilities {
            rules: *self.rules,
            epochs: self.shared.epochs,
        }
    }

    async fn observe(
        &self,
        since: Option<Cursor>,
    ) -> Result<Sightings<MachineName, Link>, FabricError> {
        let gate = |world: &World| self.either(world);
        look(&self.shared, "observeLinks", gate, |world| {
            world.observe_pair(self.id, since)
        })
        .await
    }

    async fn changed(&self, since: Cursor) {
        let id = self.id;
        newer(&self.shared, &self.sites, since, |world| {
            world.newest_of_pair(id)
        })
        .await;
    }

    async fn ensure(&self, stamp: &Stamp, machine: &Subject, goal: LinkGoal) -> Answer {
        let gate = |world: &World| self.needs(goal, world);
        call(&self.shared, kind(goal), gate, |world| {
            world.ensure_link(self.asker(), stamp, machine, goal)
        })
        .await
    }

    async fn materialize(&self, stamp: &Stamp, machine: &Subject, with: &Materialize) -> Answer {
        let kind = if with.drill {
            "drillMaterialized"
        } else {
            "materialized"
        };
        let site = self.site(with.site);
        let gate = |world: &World| world.gate(site);
        call(&self.shared, kind, gate, |world| {
            world.materialize(self.asker(), stamp, machine, with)
        })
        .await
    }
}
