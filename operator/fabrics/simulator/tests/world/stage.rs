//! Two sites, a pair, and words for what tests do with them.

use std::sync::Arc;
use std::time::Duration;

use drover_api::common::SiteRole;
use drover_api::value::{MachineName, SiteName};
use drover_api::{FailbackLocation, FencingMethod, Profile, ReplicationPolicySpec, SiteSpec};
use drover_fabric::{
    Answer, Clock, Driver, Fabric, LinkGoal, Materialize, PairConfig, Replicator, Secrets,
    SiteConfig, SiteGoal, Subject,
};
use drover_simulator::{Latency, Options, Simulation};
use drover_world::{Instance, Link, Outcome, Power, Stamp};

pub const OUT: SiteRole = SiteRole::Secondary;
pub const HOME: SiteRole = SiteRole::Primary;

pub struct Stage {
    pub world: Arc<Simulation>,
    pub seoul: Arc<dyn Fabric>,
    pub busan: Arc<dyn Fabric>,
    pub pair: Arc<dyn Replicator>,
}

pub fn site(name: &str) -> SiteName {
    name.parse().unwrap()
}

pub fn machine(name: &str) -> MachineName {
    name.parse().unwrap()
}

pub fn subject(name: &str) -> Subject {
    Subject {
        primary: machine(name),
        secondary: machine(name),
        consistency: None,
        excluded_disks: Vec::new(),
    }
}

pub fn stamp(epoch: u64) -> Stamp {
    Stamp {
        run: format!("shop-{epoch}"),
        step: "test",
        epoch,
    }
}

pub fn spec(fencing: FencingMethod) -> SiteSpec {
    let mut spec: SiteSpec = serde_json::from_str(r#"{"fabric": {"simulator": {}}}"#).unwrap();
    spec.fencing.method = fencing;
    spec
}

pub fn policy(profile: Option<Profile>) -> ReplicationPolicySpec {
    let text = r#"{"replicator": {"simulator": {}}, "interval": "30s"}"#;
    let mut policy: ReplicationPolicySpec = serde_json::from_str(text).unwrap();
    if let drover_api::Replicator::Simulator(simulator) = &mut policy.replicator {
        simulator.profile = profile;
    }
    policy
}

pub fn made(site: SiteRole, point: Option<&str>) -> Materialize {
    Materialize {
        site,
        drill: false,
        point: point.map(str::to_owned),
        nics: Vec::new(),
        settings: None,
        location: FailbackLocation::default(),
    }
}

pub fn options() -> Options {
    let start = "2026-03-02T12:00:00Z".parse().unwrap();
    Options::new(Clock::starting_at(start))
}

impl Stage {
    pub async fn new(latency: Latency) -> Self {
        let options = Options {
            latency,
            ..options()
        };
        Self::of(Simulation::new(options), None).await
    }

    pub async fn of(world: Arc<Simulation>, profile: Option<Profile>) -> Self {
        let secrets = Secrets::default();
        let spec = spec(FencingMethod::Power);
        let (seoul, busan) = (site("seoul"), site("busan"));
        let config = |name| SiteConfig {
            name,
            spec: &spec,
            secrets: &secrets,
        };
        let policy = policy(profile);
        let pair = PairConfig {
            primary: config(&seoul),
            secondary: config(&busan),
            policy: &policy,
        };
        let pair = world.replicator(pair).await.unwrap();
        let seoul = world.fabric(config(&seoul)).await.unwrap();
        let busan = world.fabric(config(&busan)).await.unwrap();
        Self {
            world,
            seoul,
            busan,
            pair,
        }
    }

    pub fn at(&self, role: SiteRole) -> &Arc<dyn Fabric> {
        match role {
            SiteRole::Primary => &self.seoul,
            SiteRole::Secondary => &self.busan,
        }
    }

    pub fn name(role: SiteRole) -> SiteName {
        match role {
            SiteRole::Primary => site("seoul"),
            SiteRole::Secondary => site("busan"),
        }
    }

    pub async fn site(&self, role: SiteRole, name: &str, epoch: u64, goal: SiteGoal) -> Answer {
        self.at(role)
            .ensure(&stamp(epoch), &machine(name), goal)
            .await
    }

    pub async fn link(&self, name: &str, epoch: u64, goal: LinkGoal) -> Answer {
        self.pair.ensure(&stamp(epoch), &subject(name), goal).await
    }

    pub async fn make(&self, name: &str, epoch: u64, with: &Materialize) -> Answer {
        self.pair
            .materialize(&stamp(epoch), &subject(name), with)
            .await
    }

    pub async fn ask(&self, machine: &Subject, goal: LinkGoal) -> Answer {
        self.pair.ensure(&stamp(0), machine, goal).await
    }

    /// The machine stands.
    pub async fn stand(&self, name: &str, epoch: u64, with: Materialize) {
        self.until(|| self.make(name, epoch, &with)).await;
    }

    /// Asks until it is so.
    pub async fn until<F, A>(&self, ask: F)
    where
        F: Fn() -> A,
        A: Future<Output = Answer>,
    {
        for _ in 0..10_000 {
            if ask().await.unwrap() == Outcome::Reached {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("it never came about");
    }

    /// The machine runs at the primary site and is protected.
    pub async fn protect(&self, name: &str) {
        let towards = OUT;
        self.until(|| self.link(name, 0, LinkGoal::Related { towards }))
            .await;
        self.until(|| self.link(name, 0, LinkGoal::Seeded { towards }))
            .await;
        self.until(|| self.link(name, 0, LinkGoal::Finalized { towards }))
            .await;
    }

    /// A planned failover towards a side.
    pub async fn planned(&self, name: &str, towards: SiteRole, epoch: u64) {
        let from = towards.other();
        self.until(|| self.site(from, name, epoch, SiteGoal::Stopped))
            .await;
        self.until(|| self.link(name, epoch, LinkGoal::FinalSync { towards }))
            .await;
        let with = made(towards, None);
        self.until(|| self.make(name, epoch, &with)).await;
        self.until(|| self.site(towards, name, epoch, SiteGoal::Started))
            .await;
    }

    pub async fn commit(&self, name: &str, left: SiteRole, epoch: u64) {
        self.until(|| self.link(name, epoch, LinkGoal::Committed { left }))
            .await;
    }

    /// Data flows back, as after a reprotect.
    pub async fn reverse(&self, name: &str, towards: SiteRole, epoch: u64) {
        self.until(|| self.site(towards, name, epoch, SiteGoal::Stopped))
            .await;
        self.until(|| self.link(name, epoch, LinkGoal::Reversed { towards }))
            .await;
    }

    pub fn seen(&self, role: SiteRole, name: &str) -> Instance {
        let seen = self.world.machine(&Self::name(role), &machine(name));
        seen.map_or(Instance::ABSENT, |seen| seen.instance)
    }

    pub fn power(&self, role: SiteRole, name: &str) -> Power {
        self.seen(role, name).power
    }

    pub fn link_seen(&self, name: &str) -> Link {
        self.world.link(&site("seoul"), &machine(name)).unwrap()
    }

    pub fn write(&self, role: SiteRole, name: &str, count: u64) {
        assert!(self.world.write(&Self::name(role), &machine(name), count));
    }

    pub fn content(&self, role: SiteRole, name: &str) -> Option<drover_simulator::Token> {
        self.world.content(&Self::name(role), &machine(name), false)
    }

    pub fn clean(&self) {
        assert_eq!(self.world.violations(), []);
    }
}
