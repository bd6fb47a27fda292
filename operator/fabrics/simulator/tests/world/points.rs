//! Recovery points come and go by their rhythm.

use std::time::Duration;

use drover_fabric::LinkGoal;
use drover_simulator::Latency;
use jiff::Timestamp;

use crate::stage::{OUT, Stage, machine, made, site, subject};

const HOUR: Duration = Duration::from_hours(1);

fn instants(stage: &Stage, name: &str) -> Vec<Timestamp> {
    stage
        .link_seen(name)
        .points
        .iter()
        .map(|point| point.at)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn points_thin_out_with_age() {
    // SPEC: PR-6
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    tokio::time::sleep(HOUR * 30).await;
    let points = stage.link_seen("db").points;
    let newest = points.last().unwrap().at;
    let age = |at: Timestamp| newest.duration_since(at).as_secs();
    let young = points.iter().filter(|point| age(point.at) <= 3_600).count();
    let old = points.len() - young;
    assert!((12..=14).contains(&young), "{young}");
    assert!((22..=25).contains(&old), "{old}");
    assert!(points.iter().all(|point| age(point.at) <= 24 * 3_600));
    let app = points.iter().filter(|point| point.app_consistent).count();
    assert!((23..=25).contains(&app), "{app}");
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_does_not_depend_on_who_looked() {
    let looked = Stage::new(Latency::Zero).await;
    let alone = Stage::new(Latency::Zero).await;
    for stage in [&looked, &alone] {
        stage.protect("db").await;
    }
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_secs(431)).await;
        let _ = looked.pair.observe(None).await.unwrap();
        // Writing down what was written changes nothing either.
        looked.write(crate::stage::HOME, "db", 0);
    }
    let grid = |stage: &Stage| {
        let mut all = instants(stage, "db");
        all.pop();
        all
    };
    assert_eq!(grid(&looked), grid(&alone));
}

#[tokio::test(start_paused = true)]
async fn a_set_has_points_of_the_same_instants() {
    // SPEC: PR-7
    let stage = Stage::new(Latency::Realistic).await;
    let mut members = [subject("db-1"), subject("db-2")];
    let towards = OUT;
    for member in &mut members {
        member.consistency = Some("shop/shop-data".into());
        for goal in [LinkGoal::Related { towards }, LinkGoal::Seeded { towards }] {
            stage.until(|| stage.ask(member, goal)).await;
        }
        stage
            .until(|| stage.ask(member, LinkGoal::Finalized { towards }))
            .await;
    }
    let shared = |stage: &Stage| {
        let other = instants(stage, "db-2");
        instants(stage, "db-1")
            .into_iter()
            .filter(|at| other.contains(at))
            .count()
    };
    assert!(shared(&stage) >= 1, "as soon as both are protected");
    tokio::time::sleep(HOUR).await;
    assert!(shared(&stage) >= 12);
}

#[tokio::test(start_paused = true)]
async fn a_point_that_was_just_listed_can_be_started_from() {
    // SPEC: FO-4
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    tokio::time::sleep(HOUR).await;
    let newest = stage.link_seen("db").points.pop().unwrap();
    tokio::time::sleep(Duration::from_secs(95)).await;
    let now = stage.link_seen("db").points;
    assert!(!now.contains(&newest) || now.last() != Some(&newest));
    let mut with = made(OUT, Some(&newest.name));
    with.drill = true;
    stage.until(|| stage.make("db", 1, &with)).await;
    assert!(stage.world.drill(&site("busan"), &machine("db")).is_some());
}

#[tokio::test(start_paused = true)]
async fn received_data_is_processed_a_little_later() {
    // SPEC: FO-4
    let stage = Stage::new(Latency::Realistic).await;
    stage.protect("db").await;
    let newest = stage.link_seen("db").points.pop().unwrap();
    assert!(!newest.processed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let points = stage.link_seen("db").points;
    let same = points
        .iter()
        .find(|point| point.name == newest.name)
        .unwrap();
    assert!(same.processed);
}

#[tokio::test(start_paused = true)]
async fn who_watches_hears_that_received_data_was_processed() {
    // SPEC: FO-4
    let stage = Stage::new(Latency::Realistic).await;
    stage.protect("db").await;
    let seen = stage.pair.observe(None).await.unwrap();
    let begun = tokio::time::Instant::now();
    stage.pair.changed(seen.cursor).await;
    assert!(begun.elapsed() <= Duration::from_secs(10));
    let news = stage.pair.observe(Some(seen.cursor)).await.unwrap();
    let points = &news.seen[0].1.points;
    assert!(points.iter().all(|point| point.processed), "{points:?}");
}
