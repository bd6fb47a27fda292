//! A simulated world of what is declared, in the state in which the run finds it: machines run, their
//! changes are sent, points are kept.

use std::sync::Arc;
use std::time::Duration;

use drover_api::FailbackLocation;
use drover_api::common::SiteRole;
use drover_fabric::{
    Answer, Clock, Driver as _, Fabric, Materialize, PairConfig, Replicator, Request, Secrets,
    SiteConfig, step_name,
};
use drover_simulator::{Latency, Options, Simulation};
use drover_world::{Effect, ErrorClass, FabricError, Outcome, Stamp};
use jiff::Timestamp;

use crate::chance::Chance;
use crate::prepared::{Actor, Pair, Prepared};

/// When each life begins: the same for all, so that a seed says everything.
const BEGIN: Timestamp = Timestamp::constant(1_772_442_000, 0);
/// So many things happen until all machines are protected, and more never.
const EVENTS: u32 = 1_000_000;
/// Where policies say nothing, changes are sent so often.
const USUAL_INTERVAL: Duration = Duration::from_secs(30);

/// The world of one life.
pub(crate) struct Stage {
    pub world: Arc<Simulation>,
    pub clock: Clock,
    /// Primary and secondary.
    pub fabrics: [Arc<dyn Fabric>; 2],
    /// By the position of the pair.
    pub pairs: Vec<Arc<dyn Replicator>>,
}

pub(crate) const fn side(role: SiteRole) -> usize {
    match role {
        SiteRole::Primary => 0,
        SiteRole::Secondary => 1,
    }
}

impl Stage {
    /// Builds the world, and lets so much time pass that the run may begin at any instant of an interval.
    pub async fn set(prepared: &Prepared, chance: &mut Chance) -> Result<Self, FabricError> {
        let clock = Clock::starting_at(BEGIN);
        let world = Simulation::new(Options {
            latency: Latency::Realistic,
            log_limit: 0,
            seed: chance.part().to_bits(),
            ..Options::new(clock)
        });
        let open = Open {
            world: &world,
            prepared,
            secrets: Secrets::default(),
        };
        let mut this = Self {
            fabrics: [open.fabric(0).await?, open.fabric(1).await?],
            pairs: open.pairs(|pair| &pair.policy).await?,
            clock,
            world: Arc::clone(&world),
        };
        for actor in &prepared.actors {
            let times = chance.around(&actor.estimates, prepared.assumed.spread);
            let name = &actor.subject.primary;
            world.ensure_machine(&prepared.sites.primary, name, None);
            world.set_times(&prepared.sites.primary, name, times);
        }
        this.protect(prepared).await?;
        if prepared.shape.source() == SiteRole::Secondary {
            let ruled = std::mem::replace(&mut this.pairs, open.pairs(|pair| &pair.unruled).await?);
            this.move_over(prepared).await?;
            this.pairs = ruled;
        }
        let policies = prepared.pairs.iter().map(|pair| &pair.policy);
        let intervals = policies.map(|policy| {
            let own = policy.interval.as_ref();
            own.map_or(USUAL_INTERVAL, drover_api::value::Duration::as_std)
        });
        let interval = intervals.max().unwrap_or(USUAL_INTERVAL);
        let rest = interval.mul_f64(2.0 + chance.part());
        tokio::time::advance(rest).await;
        Ok(this)
    }

    async fn protect(&self, prepared: &Prepared) -> Result<(), FabricError> {
        let towards = SiteRole::Secondary;
        self.all(prepared, 1, Effect::Related { towards }).await?;
        self.all(prepared, 1, Effect::Seeded { towards }).await?;
        self.all(prepared, 1, Effect::Finalized { towards }).await
    }

    /// A failback begins where a failover ended.
    async fn move_over(&self, prepared: &Prepared) -> Result<(), FabricError> {
        let (left, site) = (SiteRole::Primary, SiteRole::Secondary);
        self.all(prepared, 2, Effect::Stopped { site: left })
            .await?;
        self.all(prepared, 2, Effect::FinalSync { towards: site })
            .await?;
        self.all(prepared, 2, Effect::Materialized { site }).await?;
        self.all(prepared, 3, Effect::Started { site }).await?;
        self.all(prepared, 3, Effect::Committed { left }).await?;
        if prepared.compiled.run.synchronization.is_some() {
            // The data goes back within the run.
            return Ok(());
        }
        self.all(prepared, 4, Effect::Reversed { towards: left })
            .await
    }

    /// Makes it so for all machines.
    async fn all(
        &self,
        prepared: &Prepared,
        epoch: u64,
        effect: Effect,
    ) -> Result<(), FabricError> {
        let stamp = Stamp {
            run: "before".to_owned(),
            step: step_name(effect),
            epoch,
        };
        let mut open: Vec<&Actor> = prepared.actors.iter().collect();
        for _ in 0..EVENTS {
            let mut going = Vec::new();
            for actor in open {
                let with = |site, drill| bare(site, drill);
                match self.ask(actor, &stamp, effect, with).await {
                    Ok(Outcome::Reached) => {}
                    Ok(_) => going.push(actor),
                    Err(error) if error.class == ErrorClass::Retryable => going.push(actor),
                    Err(error) => return Err(error),
                }
            }
            open = going;
            if open.is_empty() {
                return Ok(());
            }
            self.pass().await;
        }
        Err(FabricError {
            class: ErrorClass::Terminal,
            message: format!("machines do not come to be {}", step_name(effect)),
            hint: None,
            epoch_seen: None,
        })
    }

    /// Asks for an effect on a machine.
    pub async fn ask(
        &self,
        actor: &Actor,
        stamp: &Stamp,
        effect: Effect,
        with: impl FnOnce(SiteRole, bool) -> Materialize,
    ) -> Answer {
        let pair = &self.pairs[actor.pair];
        match Request::of(effect) {
            Request::Site(role, goal) => {
                let name = actor.subject.at(role);
                self.fabrics[side(role)].ensure(stamp, name, goal).await
            }
            Request::Link(goal) => pair.ensure(stamp, &actor.subject, goal).await,
            Request::Make { site, drill } => {
                let with = with(site, drill);
                pair.materialize(stamp, &actor.subject, &with).await
            }
        }
    }

    /// The next thing happens.
    async fn pass(&self) {
        let now = self.clock.now();
        let next = self.world.next_due().filter(|due| *due > now);
        let ahead = next.and_then(|due| Duration::try_from(due.duration_since(now)).ok());
        tokio::time::advance(ahead.unwrap_or(Duration::from_secs(1))).await;
    }
}

/// A machine with nothing changed about it.
fn bare(site: SiteRole, drill: bool) -> Materialize {
    Materialize {
        site,
        drill,
        point: None,
        nics: Vec::new(),
        settings: None,
        location: FailbackLocation::default(),
    }
}

/// Opens the drivers of a world.
struct Open<'a> {
    world: &'a Arc<Simulation>,
    prepared: &'a Prepared,
    secrets: Secrets,
}

impl Open<'_> {
    fn site(&self, at: usize) -> SiteConfig<'_> {
        let names = [&self.prepared.sites.primary, &self.prepared.sites.secondary];
        SiteConfig {
            name: names[at],
            spec: &self.prepared.specs[at],
            secrets: &self.secrets,
        }
    }

    async fn fabric(&self, at: usize) -> Result<Arc<dyn Fabric>, FabricError> {
        self.world.fabric(self.site(at)).await
    }

    async fn pairs(
        &self,
        policy: impl Fn(&Pair) -> &drover_api::ReplicationPolicySpec,
    ) -> Result<Vec<Arc<dyn Replicator>>, FabricError> {
        let mut opened = Vec::new();
        for pair in &self.prepared.pairs {
            let config = PairConfig {
                primary: self.site(0),
                secondary: self.site(1),
                policy: policy(pair),
            };
            opened.push(self.world.replicator(config).await?);
        }
        Ok(opened)
    }
}
