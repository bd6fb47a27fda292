//! The judge sees what must never happen: in a fabric that does whatever it is told.

use std::time::Duration;

use drover_api::{AddressRule, RunNic};
use drover_fabric::{LinkGoal, SiteGoal};
use drover_simulator::{Latency, Options, Simulation};
use drover_world::EpochEnforcement;

use crate::stage::{HOME, OUT, Stage, machine, made, options, site};

async fn obedient() -> Stage {
    let options = Options {
        obedient: true,
        latency: Latency::Realistic,
        epochs: EpochEnforcement::Advisory,
        ..options()
    };
    Stage::of(Simulation::new(options), None).await
}

fn broken(stage: &Stage) -> Vec<String> {
    let mut names: Vec<String> = stage
        .world
        .violations()
        .into_iter()
        .map(|violation| violation.invariant)
        .collect();
    names.dedup();
    names
}

#[tokio::test(start_paused = true)]
async fn it_sees_two_copies_that_serve() {
    let stage = obedient().await;
    stage.protect("db").await;
    let point = stage.link_seen("db").points[0].name.clone();
    stage.stand("db", 1, made(OUT, Some(&point))).await;
    stage.clean();
    stage
        .until(|| stage.site(OUT, "db", 1, SiteGoal::Started))
        .await;
    let violations = stage.world.violations();
    assert_eq!(broken(&stage), ["single_active"]);
    assert!(!violations[0].accepted);
    // Accepted by name, it is still told, and marked.
    let stage = obedient().await;
    stage.protect("db").await;
    stage
        .world
        .accept_split_brain(&site("seoul"), &machine("db"));
    stage.stand("db", 1, made(OUT, Some(&point))).await;
    stage
        .until(|| stage.site(OUT, "db", 1, SiteGoal::Started))
        .await;
    assert!(stage.world.violations()[0].accepted);
}

#[tokio::test(start_paused = true)]
async fn it_sees_a_write_that_is_missing() {
    // The source is started after the last synchronisation, writes, and is gone when the target starts.
    let stage = obedient().await;
    stage.protect("db").await;
    stage
        .until(|| stage.site(HOME, "db", 1, SiteGoal::Stopped))
        .await;
    let towards = OUT;
    stage
        .until(|| stage.link("db", 1, LinkGoal::FinalSync { towards }))
        .await;
    stage.stand("db", 1, made(OUT, None)).await;
    stage
        .until(|| stage.site(HOME, "db", 0, SiteGoal::Started))
        .await;
    stage.write(HOME, "db", 1);
    stage
        .until(|| stage.site(HOME, "db", 0, SiteGoal::Stopped))
        .await;
    stage.clean();
    stage
        .until(|| stage.site(OUT, "db", 1, SiteGoal::Started))
        .await;
    assert_eq!(broken(&stage), ["zero_loss"]);
}

#[tokio::test(start_paused = true)]
async fn it_sees_a_half_written_disk_that_is_booted() {
    let stage = obedient().await;
    stage.protect("db").await;
    stage.planned("db", OUT, 1).await;
    stage.commit("db", HOME, 1).await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    let towards = HOME;
    stage
        .link("db", 2, LinkGoal::Reversed { towards })
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.world.partition(&site("busan"));
    stage.clean();
    stage.site(HOME, "db", 3, SiteGoal::Started).await.unwrap();
    assert_eq!(broken(&stage)[0], "whole_disk");
}

#[tokio::test(start_paused = true)]
async fn it_sees_what_goes_backwards_and_takes_the_points_along() {
    let stage = obedient().await;
    stage.protect("db").await;
    stage.planned("db", OUT, 1).await;
    let towards = HOME;
    stage
        .until(|| stage.link("db", 2, LinkGoal::Reversed { towards }))
        .await;
    let broken = broken(&stage);
    assert!(
        broken.contains(&"nothing_backwards".to_owned()),
        "{broken:?}"
    );
    assert!(broken.contains(&"points_kept".to_owned()), "{broken:?}");
}

#[tokio::test(start_paused = true)]
async fn it_sees_an_effect_that_comes_twice() {
    // A late request stops what runs, and the same start comes again.
    let stage = obedient().await;
    stage.protect("db").await;
    stage.planned("db", OUT, 5).await;
    stage
        .until(|| stage.site(OUT, "db", 4, SiteGoal::Stopped))
        .await;
    stage.clean();
    stage
        .until(|| stage.site(OUT, "db", 5, SiteGoal::Started))
        .await;
    assert_eq!(broken(&stage), ["effect_once"]);
}

#[tokio::test(start_paused = true)]
async fn it_sees_a_drill_on_a_network_of_production() {
    let stage = obedient().await;
    stage.protect("db").await;
    stage.protect("web").await;
    let nic = |network: &str| RunNic {
        network: network.parse().unwrap(),
        addresses: AddressRule::Dynamic,
        assigned: Vec::new(),
    };
    let mut with = made(OUT, None);
    with.nics = vec![nic("vlan120")];
    stage
        .until(|| stage.site(HOME, "web", 1, SiteGoal::Stopped))
        .await;
    let towards = OUT;
    stage
        .until(|| stage.link("web", 1, LinkGoal::FinalSync { towards }))
        .await;
    stage.until(|| stage.make("web", 1, &with)).await;
    let point = stage.link_seen("db").points[0].name.clone();
    let mut drill = made(OUT, Some(&point));
    drill.drill = true;
    drill.nics = vec![nic("isolated-120")];
    stage.until(|| stage.make("db", 1, &drill)).await;
    stage.clean();
    stage
        .until(|| stage.site(OUT, "db", 1, SiteGoal::DrillRemoved))
        .await;
    drill.nics = vec![nic("vlan120")];
    stage.until(|| stage.make("db", 2, &drill)).await;
    assert_eq!(broken(&stage), ["drill_apart"]);
}
