//! A site of two hosts, one of which its mover reaches over the network.

use std::time::{Duration, Instant};

use drover_api::FailbackLocation;
use drover_api::common::SiteRole;
use drover_fabric::conformance::Drivers;
use drover_fabric::{Answer, Extent, LinkGoal, Materialize, SiteGoal, Subject};
use drover_lab::{Guest, Side, Site};
use drover_world::{ErrorClass, Link, LinkState, Outcome, Power, Stamp};

use crate::lab::{Movers, PATIENCE, SECOND};

const TOWARDS: SiteRole = SiteRole::Secondary;

/// Machines of the primary site: one at the mover's own host, and one at the other.
const HERE: &str = "here-1";
const THERE: &str = "there-1";

/// The site, and how it is asked.
struct Bench {
    movers: Movers,
    drivers: Drivers,
}

impl Bench {
    async fn new() -> Self {
        let movers = tokio::task::block_in_place(Movers::with_second_host);
        for (site, name) in [(movers.site(Side::Primary), HERE), (movers.second(), THERE)] {
            tokio::task::block_in_place(|| start(site, name));
        }
        let drivers = movers.drivers().await;
        let bench = Self { movers, drivers };
        for name in [HERE, THERE] {
            for goal in [
                LinkGoal::Related { towards: TOWARDS },
                LinkGoal::Seeded { towards: TOWARDS },
                LinkGoal::Finalized { towards: TOWARDS },
            ] {
                bench.link_reaches(name, goal, 1).await;
            }
        }
        bench
    }

    async fn link_reaches(&self, name: &str, goal: LinkGoal, epoch: u64) {
        let pair = &self.drivers.pair;
        let ask = async || pair.ensure(&stamp(epoch), &subject(name), goal).await;
        self.reached(&format!("{name} {goal:?}"), ask).await;
    }

    /// Asks until it is so; what can work later is asked for again.
    async fn reached(&self, what: &str, ask: impl AsyncFn() -> Answer) {
        let begun = Instant::now();
        loop {
            let answer = ask().await;
            match &answer {
                Ok(Outcome::Reached) => return,
                Ok(_) => {}
                Err(error) => assert_eq!(error.class, ErrorClass::Retryable, "{what}: {error}"),
            }
            let log = || self.movers.log(Side::Primary);
            assert!(begun.elapsed() < PATIENCE, "{what}: {answer:?}\n{}", log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn link(&self, name: &str) -> Link {
        let seen = self.drivers.pair.observe(None).await.unwrap().seen;
        let of_name = seen.into_iter().find(|(known, _)| known.as_str() == name);
        of_name.unwrap().1
    }

    /// What the primary site says: how much of it answers, and the power of those that are known.
    async fn seen(&self) -> (Extent, Option<Power>, Option<Power>) {
        let seen = self.drivers.primary.observe(None).await.unwrap();
        let power = |name: &str| {
            let all = seen.seen.iter();
            let found = all.filter(|(key, _)| key.name.as_str() == name && !key.drill);
            found.map(|(_, seen)| seen.instance.power).next()
        };
        (seen.extent, power(HERE), power(THERE))
    }

    async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !so().await {
            let log = || self.movers.log(Side::Primary);
            assert!(begun.elapsed() < PATIENCE, "{what}: in vain\n{}", log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// There are more points than now.
    async fn another_point(&self, name: &str) {
        let newest = self.link(name).await.points.pop().unwrap().at;
        let what = format!("{name} has a newer point");
        let newer = async || self.link(name).await.points.pop().unwrap().at > newest;
        self.until(&what, newer).await;
    }
}

fn start(site: &Site, name: &str) {
    site.define(&Guest::new(name).with_disks(2)).unwrap();
    site.virsh(&["autostart", name]).unwrap();
    site.virsh(&["start", name]).unwrap();
    site.wait_for(name, |console| console.heartbeat() > Some(2))
        .unwrap();
}

fn stamp(epoch: u64) -> Stamp {
    Stamp {
        run: "test".to_owned(),
        step: "step",
        epoch,
    }
}

fn subject(name: &str) -> Subject {
    Subject {
        primary: name.parse().unwrap(),
        secondary: name.parse().unwrap(),
        consistency: None,
        excluded_disks: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_of_another_host_are_copied_and_one_silent_host_takes_only_its_own_with_it() {
    // SPEC: PR-3, SA-1, FO-2, FO-8, RD-1
    let bench = Bench::new().await;
    for name in [HERE, THERE] {
        bench.another_point(name).await;
        assert_eq!(bench.link(name).await.state, LinkState::Replicating);
    }
    let running = (Extent::All, Some(Power::Healthy), Some(Power::Healthy));
    bench
        .until("both are healthy", async || bench.seen().await == running)
        .await;
    let rights = bench.drivers.primary.probe().await.unwrap().rights;
    let right = |name: String| rights.iter().find(|right| right.name == name).unwrap();
    assert!(right(format!("nbdPorts {SECOND}")).granted, "{rights:?}");

    // Given a host that says nothing.
    bench.movers.second().freeze_libvirtd().unwrap();
    // Then of its machines nothing is known, and the others go on.
    let partly = (Extent::Part, Some(Power::Healthy), None);
    bench
        .until("one is unknown", async || bench.seen().await == partly)
        .await;
    bench.another_point(HERE).await;
    let stop = async || {
        let primary = &bench.drivers.primary;
        let machine = THERE.parse().unwrap();
        primary.ensure(&stamp(2), &machine, SiteGoal::Stopped).await
    };
    let rights = bench.drivers.primary.probe().await.unwrap().rights;
    let right = rights
        .iter()
        .find(|right| right.name == format!("connect {SECOND}"));
    assert!(right.is_some_and(|right| !right.granted), "{rights:?}");

    // When it loses power after all, then what ran there starts again with it, though nobody else noticed.
    let second = bench.movers.second();
    tokio::task::block_in_place(|| {
        second.kill_everything();
        second.restore().unwrap();
    });
    bench
        .until("both run again", async || bench.seen().await == running)
        .await;
    tokio::task::block_in_place(|| {
        bench
            .movers
            .second()
            .wait_for(THERE, |said| said.boots.len() == 2)
    })
    .unwrap();

    // When it is silent while something is asked for, then that is done when it answers again, and nothing is lost.
    bench.movers.second().freeze_libvirtd().unwrap();
    bench
        .until("one is unknown", async || bench.seen().await == partly)
        .await;
    assert_eq!(stop().await.unwrap_err().class, ErrorClass::Retryable);
    bench.movers.second().thaw_libvirtd().unwrap();
    bench.reached("it is stopped", stop).await;
    let second = bench.movers.second();
    let acknowledged = second.console(THERE).unwrap().heartbeat().unwrap();
    let goal = LinkGoal::FinalSync { towards: TOWARDS };
    bench.link_reaches(THERE, goal, 2).await;
    let with = Materialize {
        site: TOWARDS,
        drill: false,
        point: None,
        nics: Vec::new(),
        settings: None,
        location: FailbackLocation::default(),
    };
    let pair = &bench.drivers.pair;
    let make = async || pair.materialize(&stamp(2), &subject(THERE), &with).await;
    bench.reached("it stands", make).await;
    let secondary = &bench.drivers.secondary;
    let machine = THERE.parse().unwrap();
    let run = async || {
        secondary
            .ensure(&stamp(2), &machine, SiteGoal::Started)
            .await
    };
    bench.reached("it runs", run).await;
    let there = bench.movers.site(Side::Secondary);
    let console = tokio::task::block_in_place(|| {
        there.wait_for(THERE, |said| said.heartbeat() > Some(acknowledged))
    });
    let console = console.unwrap();
    let boot = console.boot().unwrap();
    assert_eq!(boot.gaps, 0, "{boot:?}");
    assert!(boot.last >= acknowledged, "{acknowledged} and {boot:?}");
}
