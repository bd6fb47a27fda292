//! A simulated world as the laboratory of the suite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drover_api::common::SiteRole;
use drover_api::value::{MachineName, SiteName};
use drover_api::{FencingMethod, ReplicationPolicySpec, SiteSpec};
use drover_fabric::conformance::{Abilities, Drivers, Lab, Token};
use drover_fabric::{Clock, Driver, PairConfig, Secrets, SiteConfig, Subject};
use drover_simulator::{Fault, Latency, Options, Simulation};
use drover_world::EpochEnforcement;

pub struct SimulatedLab {
    pub world: Arc<Simulation>,
    latency: Latency,
}

pub fn site(role: SiteRole) -> SiteName {
    let name = match role {
        SiteRole::Primary => "seoul",
        SiteRole::Secondary => "busan",
    };
    name.parse().unwrap()
}

impl SimulatedLab {
    pub fn new(latency: Latency, epochs: EpochEnforcement) -> Self {
        Self::of(latency, epochs, false)
    }

    pub fn of(latency: Latency, epochs: EpochEnforcement, obedient: bool) -> Self {
        let start = "2026-03-02T12:00:00Z".parse().unwrap();
        let world = Simulation::new(Options {
            latency,
            epochs,
            obedient,
            ..Options::new(Clock::starting_at(start))
        });
        Self { world, latency }
    }

    fn name(machine: &Subject, at: SiteRole) -> MachineName {
        machine.at(at).clone()
    }
}

#[async_trait]
impl Lab for SimulatedLab {
    fn abilities(&self) -> Abilities {
        Abilities {
            cut_off: Ok(()),
            power_cycle: Ok(()),
            slow_copies: match self.latency {
                Latency::Zero => Err("copies take no time"),
                Latency::Realistic => Ok(()),
            },
            days: Ok(()),
        }
    }

    async fn drivers(&self) -> Drivers {
        let secrets = Secrets::default();
        let mut spec: SiteSpec = serde_json::from_str(r#"{"fabric": {"simulator": {}}}"#).unwrap();
        spec.fencing.method = FencingMethod::Power;
        let policy = r#"{"replicator": {"simulator": {}}, "interval": "30s"}"#;
        let policy: ReplicationPolicySpec = serde_json::from_str(policy).unwrap();
        let (seoul, busan) = (site(SiteRole::Primary), site(SiteRole::Secondary));
        let config = |name| SiteConfig {
            name,
            spec: &spec,
            secrets: &secrets,
        };
        let pair = PairConfig {
            primary: config(&seoul),
            secondary: config(&busan),
            policy: &policy,
        };
        Drivers {
            primary: self.world.fabric(config(&seoul)).await.unwrap(),
            secondary: self.world.fabric(config(&busan)).await.unwrap(),
            pair: self.world.replicator(pair).await.unwrap(),
        }
    }

    async fn machine(&self, name: &str) -> Subject {
        let name: MachineName = name.parse().unwrap();
        self.world
            .ensure_machine(&site(SiteRole::Primary), &name, None);
        Subject {
            primary: name.clone(),
            secondary: name,
            consistency: None,
            excluded_disks: Vec::new(),
        }
    }

    async fn stranger(&self, machine: &Subject, at: SiteRole) {
        self.world.ensure_machine(&site(at), machine.at(at), None);
        self.switch(machine, at, false).await;
    }

    async fn write(&self, machine: &Subject, at: SiteRole) {
        assert!(self.world.write(&site(at), machine.at(at), 1));
    }

    async fn content(&self, machine: &Subject, at: SiteRole, drill: bool) -> Option<Token> {
        let content = self.world.content(&site(at), machine.at(at), drill);
        content.map(|token| Token(token.0))
    }

    async fn switch(&self, machine: &Subject, at: SiteRole, on: bool) {
        let (site, machine) = (site(at), Self::name(machine, at));
        self.world.inject(&if on {
            Fault::PowerOn { site, machine }
        } else {
            Fault::PowerOff { site, machine }
        });
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn cut_off(&self, at: SiteRole, cut: bool) {
        if cut {
            self.world.partition(&site(at));
        } else {
            self.world.heal(&site(at));
        }
    }

    async fn power_cycle(&self, at: SiteRole) {
        self.world.lose_site(&site(at));
        tokio::time::sleep(Duration::from_mins(1)).await;
        self.world.return_site(&site(at));
    }

    async fn slow_copies(&self, into: SiteRole, slow: bool) {
        let factor = if slow { 20 } else { 1 };
        let site = site(into);
        self.world.inject(&Fault::SlowCopies { site, factor });
    }
}
