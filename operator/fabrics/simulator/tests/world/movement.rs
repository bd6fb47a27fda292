//! Machines are protected, fail over, come back.

use std::time::Duration;

use drover_api::Profile;
use drover_fabric::{Driver as _, LinkGoal, SiteGoal};
use drover_simulator::{Latency, Simulation};
use drover_world::{Disk, ErrorClass, LinkState, Outcome, Power};

use crate::stage::{HOME, OUT, Stage, machine, made, options, site};

#[tokio::test(start_paused = true)]
async fn a_planned_failover_and_failback_lose_nothing() {
    // SPEC: FO-2, FB-1, FB-2, FB-6
    for latency in [Latency::Zero, Latency::Realistic] {
        let stage = Stage::new(latency).await;
        stage.protect("db").await;
        stage.write(HOME, "db", 7);
        let newest = stage.content(HOME, "db");
        stage.planned("db", OUT, 1).await;
        assert_eq!(stage.power(OUT, "db"), Power::Healthy);
        assert_eq!(stage.power(HOME, "db"), Power::Off);
        if latency == Latency::Zero {
            assert_eq!(stage.content(OUT, "db"), newest);
        }
        stage.commit("db", HOME, 1).await;
        assert_eq!(stage.link_seen("db").points, []);
        assert_eq!(stage.link_seen("db").committed, Some(1));
        stage.reverse("db", HOME, 2).await;
        let link = stage.link_seen("db");
        assert_eq!((link.towards, link.state), (HOME, LinkState::Replicating));
        stage.write(OUT, "db", 5);
        stage.planned("db", HOME, 3).await;
        assert_eq!(stage.seen(HOME, "db").made_at, Some(3));
        stage.commit("db", OUT, 3).await;
        assert_eq!(
            stage.power(OUT, "db"),
            Power::Absent,
            "the failover made it"
        );
        assert_eq!(stage.seen(OUT, "db").disk, Disk::Whole, "a baseline stays");
        stage.reverse("db", OUT, 4).await;
        assert_eq!(stage.link_seen("db").towards, OUT);
        stage.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn an_unplanned_failover_starts_from_the_point_that_was_chosen() {
    // SPEC: FO-3, FO-4, FO-5
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    stage.world.lose_site(&site("seoul"));
    let link = stage.link_seen("db");
    assert!(link.points.len() >= 3, "{:?}", link.points);
    let [older, .., newest] = link.points.as_slice() else {
        panic!("points")
    };
    stage
        .until(|| stage.site(HOME, "db", 1, SiteGoal::Fenced))
        .await;
    let with = made(OUT, Some(&newest.name));
    stage.until(|| stage.make("db", 1, &with)).await;
    let from_newest = stage.content(OUT, "db");
    stage
        .until(|| stage.site(OUT, "db", 1, SiteGoal::Started))
        .await;
    // Another point is chosen before the commit.
    stage
        .until(|| stage.site(OUT, "db", 2, SiteGoal::Stopped))
        .await;
    let with = made(OUT, Some(&older.name));
    stage.until(|| stage.make("db", 3, &with)).await;
    assert_ne!(stage.content(OUT, "db"), from_newest);
    stage
        .until(|| stage.site(OUT, "db", 3, SiteGoal::Started))
        .await;
    stage.commit("db", HOME, 3).await;
    // The lost site comes back: its copy is fenced, stopped, and what it missed travels to it.
    stage.world.return_site(&site("seoul"));
    stage.reverse("db", HOME, 4).await;
    assert_eq!(stage.link_seen("db").towards, HOME);
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_failover_goes_back_to_what_it_was() {
    // SPEC: FO-6
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    stage.write(HOME, "db", 3);
    let before = stage.content(HOME, "db");
    stage.planned("db", OUT, 1).await;
    stage.write(OUT, "db", 9);
    stage
        .until(|| stage.site(OUT, "db", 2, SiteGoal::Stopped))
        .await;
    stage
        .until(|| stage.site(HOME, "db", 2, SiteGoal::Started))
        .await;
    assert_eq!(stage.content(HOME, "db"), before);
    assert_eq!(stage.link_seen("db").state, LinkState::Paused);
    let towards = OUT;
    stage
        .until(|| stage.link("db", 2, LinkGoal::Seeded { towards }))
        .await;
    stage.planned("db", OUT, 3).await;
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_backwards_before_the_commit() {
    // SPEC: FO-6
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    stage.planned("db", OUT, 1).await;
    for goal in [
        LinkGoal::Reversed { towards: HOME },
        LinkGoal::SyncedBack { towards: HOME },
    ] {
        let refused = stage.link("db", 1, goal).await.unwrap_err();
        assert_eq!(refused.class, ErrorClass::Terminal);
    }
    assert_eq!(stage.link_seen("db").towards, OUT);
}

#[tokio::test(start_paused = true)]
async fn a_pair_goes_back_in_its_own_way() {
    // SPEC: FB-0, FB-3
    let world = Simulation::new(options());
    let stage = Stage::of(world, Some(Profile::HyperVToAzure)).await;
    stage.protect("db").await;
    stage.planned("db", OUT, 1).await;
    stage.commit("db", HOME, 1).await;
    let towards = HOME;
    let refused = stage.link("db", 2, LinkGoal::Reversed { towards }).await;
    assert_eq!(refused.unwrap_err().class, ErrorClass::Unsupported);
    stage
        .until(|| stage.site(HOME, "db", 2, SiteGoal::Stopped))
        .await;
    stage
        .until(|| stage.link("db", 2, LinkGoal::SyncedBack { towards }))
        .await;
    stage.planned("db", HOME, 3).await;
    stage.commit("db", OUT, 3).await;
    stage.reverse("db", OUT, 4).await;
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn a_physical_server_has_no_way_back() {
    // SPEC: FB-8
    let world = Simulation::new(options());
    let stage = Stage::of(world, Some(Profile::PhysicalToAzure)).await;
    stage.protect("db").await;
    stage.planned("db", OUT, 1).await;
    stage.commit("db", HOME, 1).await;
    let towards = HOME;
    for goal in [
        LinkGoal::Reversed { towards },
        LinkGoal::FinalSync { towards },
    ] {
        let refused = stage.link("db", 2, goal).await.unwrap_err();
        assert_eq!(refused.class, ErrorClass::Unsupported);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_travels_in_the_failback_itself() {
    // SPEC: FB-3
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    stage.planned("db", OUT, 1).await;
    stage.commit("db", HOME, 1).await;
    stage.write(OUT, "db", 40);
    let newest = stage.content(OUT, "db");
    stage.planned("db", HOME, 2).await;
    assert_eq!(stage.content(HOME, "db"), newest);
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn the_steps_take_as_long_as_the_estimates_say() {
    // SPEC: PL-5
    let stage = Stage::new(Latency::Realistic).await;
    stage.protect("db").await;
    let begun = tokio::time::Instant::now();
    stage.planned("db", OUT, 1).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(10 + 5 + 5 + 30));
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_copied_into_is_half_written_and_does_not_boot() {
    // SPEC: FB-5
    let stage = Stage::new(Latency::Realistic).await;
    stage.protect("db").await;
    stage.planned("db", OUT, 1).await;
    stage.commit("db", HOME, 1).await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    stage
        .until(|| stage.site(HOME, "db", 2, SiteGoal::Stopped))
        .await;
    let towards = HOME;
    let begun = stage.link("db", 2, LinkGoal::Reversed { towards }).await;
    assert_eq!(begun, Ok(Outcome::Started));
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(stage.seen(HOME, "db").disk, Disk::HalfWritten);
    let refused = stage
        .site(HOME, "db", 3, SiteGoal::Started)
        .await
        .unwrap_err();
    assert_eq!(refused.class, ErrorClass::Retryable);
    assert_eq!(stage.power(HOME, "db"), Power::Off);
    // It is cut off: what it wrote stays, and is never started from.
    stage.world.partition(&site("busan"));
    assert_eq!(stage.seen(HOME, "db").disk, Disk::HalfWritten);
    let refused = stage
        .site(HOME, "db", 3, SiteGoal::Started)
        .await
        .unwrap_err();
    assert_eq!(refused.class, ErrorClass::Terminal);
    stage.world.heal(&site("busan"));
    stage
        .until(|| stage.link("db", 4, LinkGoal::Reversed { towards }))
        .await;
    assert_eq!(stage.seen(HOME, "db").disk, Disk::Whole);
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_never_overwritten() {
    // SPEC: SA-7
    let stage = Stage::new(Latency::Zero).await;
    stage
        .world
        .ensure_machine(&site("busan"), &machine("db"), None);
    let towards = OUT;
    let refused = stage
        .link("db", 0, LinkGoal::Related { towards })
        .await
        .unwrap_err();
    assert_eq!(refused.class, ErrorClass::Terminal);
    assert!(refused.message.contains("did not make"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn two_handles_see_one_world() {
    let stage = Stage::new(Latency::Zero).await;
    let other = Stage::of(std::sync::Arc::clone(&stage.world), None).await;
    stage.protect("db").await;
    stage
        .until(|| stage.site(HOME, "db", 5, SiteGoal::Stopped))
        .await;
    let late = other
        .site(HOME, "db", 4, SiteGoal::Started)
        .await
        .unwrap_err();
    assert_eq!(late.epoch_seen, Some(5));
    let seen = other.seoul.observe(None).await.unwrap();
    assert_eq!(seen.seen[0].1.instance.power, Power::Off);
}

#[tokio::test(start_paused = true)]
async fn only_what_changed_is_reported() {
    let stage = Stage::new(Latency::Zero).await;
    for name in ["a", "b", "c"] {
        stage.protect(name).await;
    }
    let all = stage.seoul.observe(None).await.unwrap();
    assert_eq!(
        (all.extent, all.seen.len()),
        (drover_fabric::Extent::All, 3)
    );
    stage
        .until(|| stage.site(HOME, "b", 1, SiteGoal::Stopped))
        .await;
    stage.seoul.changed(all.cursor).await;
    let some = stage.seoul.observe(Some(all.cursor)).await.unwrap();
    assert_eq!(
        (some.extent, some.seen.len()),
        (drover_fabric::Extent::Changes, 1)
    );
    assert_eq!(some.seen[0].0.name, machine("b"));
    let none = stage.seoul.observe(Some(some.cursor)).await.unwrap();
    assert_eq!(none.seen, []);
}

#[tokio::test(start_paused = true)]
async fn the_same_calls_give_the_same_history() {
    let mut logs = Vec::new();
    for _ in 0..2 {
        let stage = Stage::new(Latency::Realistic).await;
        stage.protect("a").await;
        stage.protect("b").await;
        stage.planned("b", OUT, 1).await;
        logs.push((stage.world.log(), stage.link_seen("a")));
    }
    assert_eq!(logs[0], logs[1]);
}

#[tokio::test(start_paused = true)]
async fn a_driver_refuses_what_is_not_simulated() {
    let world = Simulation::new(options());
    let mut spec = crate::stage::spec(drover_api::FencingMethod::None);
    spec.fabric = serde_json::from_str(r#"{"plugin": {"name": "acme"}}"#).unwrap();
    let config = drover_fabric::SiteConfig {
        name: &site("seoul"),
        spec: &spec,
        secrets: &drover_fabric::Secrets::default(),
    };
    let refused = world.fabric(config).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Terminal);
}
