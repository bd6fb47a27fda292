//! Drivers that break the contract, each in one way.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use drover_api::common::SiteRole;
use drover_api::value::MachineName;
use drover_fabric::conformance::{Abilities, Drivers, Lab, Token};
use drover_fabric::{
    Answer, Capabilities, Cursor, Fabric, InstanceKey, InstanceSeen, LinkGoal, Materialize,
    PairCapabilities, Probe, Replicator, Sightings, SiteGoal, Subject,
};
use drover_simulator::{Fault, Latency};
use drover_world::{EpochEnforcement, FabricError, Inventory, Link, Outcome, Power, Stamp};

use crate::lab::{SimulatedLab, site};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sin {
    /// It says that it refuses older epochs, and does not.
    ForgetsEpochs,
    /// It refuses nothing.
    DoesAnything,
    /// It reports a final synchronisation that it once saw.
    KeepsTheProof,
    /// It reports as running what it once started.
    BelievesItself,
    /// It takes down that it did something before it does it.
    NotesBeforeActing,
    /// Its drills are the machine itself.
    DrillsOnProduction,
    /// It starts what runs.
    RebootsWhenAsked,
}

pub struct Sinner {
    sin: Sin,
    lab: Arc<SimulatedLab>,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    proven: BTreeSet<MachineName>,
    started: BTreeSet<MachineName>,
    noted: BTreeSet<String>,
}

impl Sinner {
    pub fn new(sin: Sin) -> Self {
        let epochs = match sin {
            Sin::ForgetsEpochs => EpochEnforcement::Advisory,
            _ => EpochEnforcement::Enforced,
        };
        let lab = SimulatedLab::of(Latency::Realistic, epochs, sin == Sin::DoesAnything);
        Self {
            sin,
            lab: Arc::new(lab),
            memory: Arc::default(),
        }
    }

    fn wrap(&self, role: SiteRole, inner: Arc<dyn Fabric>) -> Arc<dyn Fabric> {
        Arc::new(Site {
            sin: self.sin,
            role,
            inner,
            lab: Arc::clone(&self.lab),
            memory: Arc::clone(&self.memory),
        })
    }
}

#[async_trait]
impl Lab for Sinner {
    fn abilities(&self) -> Abilities {
        self.lab.abilities()
    }

    async fn drivers(&self) -> Drivers {
        let drivers = self.lab.drivers().await;
        Drivers {
            primary: self.wrap(SiteRole::Primary, drivers.primary),
            secondary: self.wrap(SiteRole::Secondary, drivers.secondary),
            pair: Arc::new(Pair {
                sin: self.sin,
                inner: drivers.pair,
                memory: Arc::clone(&self.memory),
            }),
        }
    }

    async fn machine(&self, name: &str) -> Subject {
        self.lab.machine(name).await
    }

    async fn stranger(&self, machine: &Subject, at: SiteRole) {
        self.lab.stranger(machine, at).await;
    }

    async fn write(&self, machine: &Subject, at: SiteRole) {
        // A sinner may have left the machine in any state; what cannot be written is not the case's point.
        let _ = self.lab.world.write(&site(at), machine.at(at), 1);
    }

    async fn content(&self, machine: &Subject, at: SiteRole, drill: bool) -> Option<Token> {
        self.lab.content(machine, at, drill).await
    }

    async fn switch(&self, machine: &Subject, at: SiteRole, on: bool) {
        self.lab.switch(machine, at, on).await;
    }

    async fn pass(&self, time: Duration) {
        self.lab.pass(time).await;
    }

    async fn cut_off(&self, at: SiteRole, cut: bool) {
        self.lab.cut_off(at, cut).await;
    }

    async fn power_cycle(&self, at: SiteRole) {
        self.lab.power_cycle(at).await;
    }

    async fn slow_copies(&self, into: SiteRole, slow: bool) {
        self.lab.slow_copies(into, slow).await;
    }
}

struct Site {
    sin: Sin,
    role: SiteRole,
    inner: Arc<dyn Fabric>,
    lab: Arc<SimulatedLab>,
    memory: Arc<Mutex<Memory>>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:?}", self.sin, self.role)
    }
}

#[async_trait]
impl Fabric for Site {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            epochs: EpochEnforcement::Enforced,
            ..self.inner.capabilities()
        }
    }

    async fn probe(&self) -> Result<Probe, FabricError> {
        self.inner.probe().await
    }

    async fn inventory(&self) -> Result<Inventory, FabricError> {
        self.inner.inventory().await
    }

    async fn observe(
        &self,
        since: Option<Cursor>,
    ) -> Result<Sightings<InstanceKey, InstanceSeen>, FabricError> {
        let mut seen = self.inner.observe(since).await?;
        if self.sin == Sin::BelievesItself {
            let memory = self.memory.lock().unwrap();
            for (key, seen) in &mut seen.seen {
                if memory.started.contains(&key.name) && seen.instance.power == Power::Off {
                    seen.instance.power = Power::Healthy;
                }
            }
        }
        Ok(seen)
    }

    async fn changed(&self, since: Cursor) {
        self.inner.changed(since).await;
    }

    async fn fences(&self) -> Result<Vec<(MachineName, u64)>, FabricError> {
        self.inner.fences().await
    }

    async fn ensure(&self, stamp: &Stamp, machine: &MachineName, goal: SiteGoal) -> Answer {
        match self.sin {
            Sin::BelievesItself if goal == SiteGoal::Started => {
                self.memory.lock().unwrap().started.insert(machine.clone());
            }
            Sin::NotesBeforeActing => {
                let note = format!("{:?} {machine} {goal:?} {}", self.role, stamp.epoch);
                if !self.memory.lock().unwrap().noted.insert(note) {
                    return Ok(Outcome::Reached);
                }
                tokio::task::yield_now().await;
            }
            Sin::DrillsOnProduction if goal == SiteGoal::DrillStarted => {
                let stop = SiteGoal::Stopped;
                self.inner.ensure(stamp, machine, stop).await?;
            }
            Sin::RebootsWhenAsked if goal == SiteGoal::Started => {
                let (site, machine) = (site(self.role), machine.clone());
                self.lab.world.inject(&Fault::PowerOff { site, machine });
            }
            _ => {}
        }
        self.inner.ensure(stamp, machine, goal).await
    }

    async fn accepts(&self, machine: &MachineName, with: &Materialize) -> Result<(), FabricError> {
        self.inner.accepts(machine, with).await
    }
}

struct Pair {
    sin: Sin,
    inner: Arc<dyn Replicator>,
    memory: Arc<Mutex<Memory>>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.sin)
    }
}

#[async_trait]
impl Replicator for Pair {
    fn capabilities(&self) -> PairCapabilities {
        PairCapabilities {
            epochs: EpochEnforcement::Enforced,
            ..self.inner.capabilities()
        }
    }

    async fn observe(
        &self,
        since: Option<Cursor>,
    ) -> Result<Sightings<MachineName, Link>, FabricError> {
        let mut seen = self.inner.observe(since).await?;
        if self.sin == Sin::KeepsTheProof {
            let mut memory = self.memory.lock().unwrap();
            for (name, link) in &mut seen.seen {
                if link.final_sync.is_some() {
                    memory.proven.insert(name.clone());
                } else if memory.proven.contains(name) {
                    link.final_sync = Some(link.epoch);
                }
            }
        }
        Ok(seen)
    }

    async fn changed(&self, since: Cursor) {
        self.inner.changed(since).await;
    }

    async fn ensure(&self, stamp: &Stamp, machine: &Subject, goal: LinkGoal) -> Answer {
        self.inner.ensure(stamp, machine, goal).await
    }

    async fn materialize(&self, stamp: &Stamp, machine: &Subject, with: &Materialize) -> Answer {
        self.inner.materialize(stamp, machine, with).await
    }
}
