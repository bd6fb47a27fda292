//! Many machines cost little: counted, not timed.

use std::time::Duration;

use drover_simulator::Latency;

use crate::stage::{HOME, OUT, Stage};

const MANY: usize = 300;

#[tokio::test(start_paused = true)]
async fn idle_machines_are_reported_with_their_points_and_no_more() {
    let stage = Stage::new(Latency::Zero).await;
    for number in 0..MANY {
        stage.protect(&format!("idle-{number}")).await;
    }
    let mut cursor = stage.pair.observe(None).await.unwrap().cursor;
    let site = stage.seoul.observe(None).await.unwrap().cursor;
    let mut reported = 0;
    for _ in 0..120 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let some = stage.pair.observe(Some(cursor)).await.unwrap();
        assert_eq!(some.extent, drover_fabric::Extent::Changes);
        reported += some.seen.len();
        cursor = some.cursor;
    }
    // An hour has twelve points of each, and a hundred and twenty deltas.
    assert!((MANY * 11..=MANY * 13).contains(&reported), "{reported}");
    let changed = stage.seoul.observe(Some(site)).await.unwrap();
    assert_eq!(changed.seen.len(), 0, "nothing happened at the site");
}

#[tokio::test(start_paused = true)]
async fn many_machines_fail_over_without_loss() {
    // SPEC: FO-2
    let stage = Stage::new(Latency::Zero).await;
    let names: Vec<String> = (0..MANY).map(|number| format!("shop-{number}")).collect();
    for name in &names {
        stage.protect(name).await;
    }
    tokio::time::sleep(Duration::from_secs(90)).await;
    for name in &names {
        stage.planned(name, OUT, 1).await;
    }
    for name in &names {
        stage.commit(name, HOME, 1).await;
    }
    let calls = stage.world.calls();
    // Each is asked once: without latency everything is reached in the same breath.
    for kind in [
        "stopped",
        "finalSync",
        "materialized",
        "started",
        "committed",
    ] {
        assert_eq!(calls[kind], MANY as u64, "{kind}");
    }
    stage.clean();
}
