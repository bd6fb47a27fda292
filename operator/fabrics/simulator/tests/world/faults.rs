//! What goes wrong, and what is there when it ends.

use std::time::Duration;

use drover_api::value::Quantity;
use drover_fabric::{DnsChange, HttpCall, LinkGoal, SiteGoal, within};
use drover_simulator::{Fault, Latency};
use drover_world::{Disk, ErrorClass, LinkState, Outcome, Power};

use crate::stage::{HOME, OUT, Stage, machine, made, site};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn a_site_that_was_lost_starts_what_ran_and_nobody_holds() {
    // SPEC: FO-8
    let stage = Stage::new(Latency::Realistic).await;
    for name in ["free", "held"] {
        stage.protect(name).await;
    }
    stage
        .until(|| stage.site(HOME, "held", 1, SiteGoal::Stopped))
        .await;
    stage.world.lose_site(&site("seoul"));
    assert_eq!(stage.power(HOME, "free"), Power::Off);
    let refused = stage.seoul.observe(None).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Retryable);
    stage.world.return_site(&site("seoul"));
    assert_eq!(stage.power(HOME, "free"), Power::Starting);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(stage.power(HOME, "free"), Power::Healthy);
    assert_eq!(stage.power(HOME, "held"), Power::Off);
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn a_site_that_is_cut_off_runs_on() {
    // SPEC: SA-1
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    stage.world.partition(&site("seoul"));
    let before = stage.content(HOME, "db");
    tokio::time::sleep(MINUTE).await;
    assert_eq!(stage.power(HOME, "db"), Power::Healthy);
    assert_ne!(stage.content(HOME, "db"), before, "its guest writes on");
    assert!(stage.link_seen("db").pending_bytes > 0);
    let points = stage.link_seen("db").points;
    tokio::time::sleep(MINUTE * 10).await;
    assert_eq!(stage.link_seen("db").points.last(), points.last());
    stage.world.heal(&site("seoul"));
    tokio::time::sleep(MINUTE).await;
    assert!(stage.link_seen("db").points.last() > points.last());
}

#[tokio::test(start_paused = true)]
async fn a_call_into_a_black_hole_ends_at_its_deadline() {
    // SPEC: BI-2
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    stage.world.inject(&Fault::BlackHole {
        site: site("seoul"),
    });
    let begun = tokio::time::Instant::now();
    let error = within(MINUTE, stage.seoul.observe(None)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Retryable);
    assert_eq!(begun.elapsed(), MINUTE);
    let (one, other) = (site("seoul"), site("busan"));
    stage.world.heal(&one);
    let silent = true;
    stage.world.inject(&Fault::CutLink { one, other, silent });
    assert!(stage.seoul.probe().await.is_ok());
    stage
        .until(|| stage.site(HOME, "db", 1, SiteGoal::Stopped))
        .await;
    let towards = OUT;
    let asked = stage.link("db", 1, LinkGoal::FinalSync { towards });
    assert!(within(MINUTE, asked).await.is_err());
    let (one, other) = (site("seoul"), site("busan"));
    stage.world.inject(&Fault::HealLink { one, other });
    stage
        .until(|| stage.link("db", 1, LinkGoal::FinalSync { towards }))
        .await;
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn points_are_not_application_consistent_while_the_agent_says_nothing() {
    // SPEC: PR-6, FO-4
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    let consistent = || {
        let points = stage.link_seen("db").points.into_iter();
        points.filter(|point| point.app_consistent).count()
    };
    tokio::time::sleep(Duration::from_hours(3)).await;
    let before = consistent();
    assert!(before >= 3, "{before}");
    let (site, machine) = (site("seoul"), machine("db"));
    stage.world.inject(&Fault::SilenceAgent { site, machine });
    tokio::time::sleep(Duration::from_hours(3)).await;
    assert_eq!(consistent(), before);
    let (site, machine) = (self::site("seoul"), self::machine("db"));
    stage.world.inject(&Fault::WakeAgent { site, machine });
    tokio::time::sleep(Duration::from_hours(3)).await;
    let after = consistent();
    assert!(after >= before + 3, "{before}, {after}");
}

#[tokio::test(start_paused = true)]
async fn errors_have_their_class() {
    // SPEC: PR-5
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    stage.world.inject(&Fault::ExpireCredentials {
        site: site("seoul"),
    });
    let error = stage.seoul.probe().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Terminal);
    stage.world.inject(&Fault::RenewCredentials {
        site: site("seoul"),
    });
    stage.world.inject(&Fault::FillStorage {
        site: site("busan"),
    });
    let point = stage.link_seen("db").points[0].name.clone();
    let with = made(OUT, Some(&point));
    let error = stage.make("db", 1, &with).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Retryable);
    assert!(error.message.contains("out of disk"), "{error}");
    stage.world.inject(&Fault::FreeStorage {
        site: site("busan"),
    });
    assert_eq!(stage.make("db", 1, &with).await, Ok(Outcome::Reached));
    stage.world.inject(&Fault::FailEffects {
        site: site("busan"),
        machine: machine("db"),
        times: 1,
        class: ErrorClass::Terminal,
    });
    let error = stage
        .site(OUT, "db", 1, SiteGoal::Stopped)
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Terminal);
    assert_eq!(
        stage.site(OUT, "db", 1, SiteGoal::Stopped).await,
        Ok(Outcome::Reached)
    );
}

#[tokio::test(start_paused = true)]
async fn capacity_is_checked_before_anything_is_made() {
    // SPEC: SA-9
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    let with = made(OUT, None);
    assert_eq!(stage.busan.accepts(&machine("db"), &with).await, Ok(()));
    let none = Quantity::from_bytes(0);
    stage.world.set_capacity(&site("busan"), &none, &none, 0);
    let error = stage
        .busan
        .accepts(&machine("db"), &with)
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Retryable);
    let free = stage.busan.probe().await.unwrap().capacity.unwrap();
    assert_eq!(free.cpus_free, 0);
}

#[tokio::test(start_paused = true)]
async fn a_boot_fails_as_often_as_it_is_told_to() {
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    let (site, machine) = (site("busan"), machine("db"));
    let times = 1;
    stage.world.inject(&Fault::FailBoots {
        site,
        machine,
        times,
    });
    stage
        .until(|| stage.site(HOME, "db", 1, SiteGoal::Stopped))
        .await;
    let towards = OUT;
    stage
        .until(|| stage.link("db", 1, LinkGoal::FinalSync { towards }))
        .await;
    stage.stand("db", 1, made(OUT, None)).await;
    assert_eq!(
        stage.site(OUT, "db", 1, SiteGoal::Started).await,
        Ok(Outcome::Started)
    );
    assert_eq!(stage.power(OUT, "db"), Power::StartFailed);
    let error = stage
        .site(OUT, "db", 1, SiteGoal::Started)
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Terminal);
    // A resume asks with a higher epoch.
    assert_eq!(
        stage.site(OUT, "db", 2, SiteGoal::Started).await,
        Ok(Outcome::Reached)
    );
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_hangs_until_it_is_released() {
    let stage = Stage::new(Latency::Realistic).await;
    stage.protect("db").await;
    let hang = Fault::HangShutdown {
        site: site("seoul"),
        machine: machine("db"),
    };
    stage.world.inject(&hang);
    assert_eq!(
        stage.site(HOME, "db", 1, SiteGoal::Stopped).await,
        Ok(Outcome::Started)
    );
    tokio::time::sleep(MINUTE * 60).await;
    assert_eq!(stage.power(HOME, "db"), Power::Stopping);
    let release = Fault::ReleaseShutdown {
        site: site("seoul"),
        machine: machine("db"),
    };
    stage.world.at(MINUTE, release);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(stage.power(HOME, "db"), Power::Off);
}

#[tokio::test(start_paused = true)]
async fn lost_tracking_is_mended_by_comparing() {
    // SPEC: PR-4
    let stage = Stage::new(Latency::Realistic).await;
    stage.protect("db").await;
    let lose = Fault::LoseTracking {
        site: site("seoul"),
        machine: machine("db"),
    };
    stage.world.inject(&lose);
    assert_eq!(stage.link_seen("db").state, LinkState::ResyncRequired);
    let towards = OUT;
    let begun = stage
        .link("db", 1, LinkGoal::Resynchronized { towards })
        .await;
    assert_eq!(begun, Ok(Outcome::Started));
    assert_eq!(stage.link_seen("db").state, LinkState::Resynchronizing);
    stage
        .until(|| stage.link("db", 1, LinkGoal::Resynchronized { towards }))
        .await;
    assert_eq!(stage.link_seen("db").state, LinkState::Replicating);
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn a_first_copy_goes_on_by_itself_after_it_was_cut_off() {
    // SPEC: PR-2, FB-5
    let stage = Stage::new(Latency::Realistic).await;
    let towards = OUT;
    stage
        .until(|| stage.link("db", 0, LinkGoal::Related { towards }))
        .await;
    assert_eq!(
        stage.link("db", 0, LinkGoal::Seeded { towards }).await,
        Ok(Outcome::Started)
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    let going = stage
        .link("db", 0, LinkGoal::Seeded { towards })
        .await
        .unwrap();
    assert!(
        matches!(
            going,
            Outcome::InProgress {
                percent: Some(1..=99)
            }
        ),
        "{going:?}"
    );
    stage.world.partition(&site("busan"));
    assert_eq!(stage.seen(OUT, "db").disk, Disk::HalfWritten);
    assert_eq!(stage.link_seen("db").state, LinkState::Seeding);
    stage.world.heal(&site("busan"));
    tokio::time::sleep(MINUTE * 5).await;
    assert_eq!(stage.link_seen("db").state, LinkState::Replicating);
    assert_eq!(stage.seen(OUT, "db").disk, Disk::Whole);
}

#[tokio::test(start_paused = true)]
async fn a_resync_into_what_its_source_does_not_hold_is_refused() {
    // SPEC: SA-5
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    stage.planned("db", OUT, 1).await;
    stage.commit("db", HOME, 1).await;
    stage.reverse("db", HOME, 2).await;
    // Somebody starts the copy by hand, and it writes.
    let (here, machine) = (site("seoul"), machine("db"));
    stage.world.inject(&Fault::PowerOn {
        site: here,
        machine: machine.clone(),
    });
    stage.write(HOME, "db", 3);
    assert_eq!(stage.link_seen("db").state, LinkState::ResyncRequired);
    stage.world.inject(&Fault::PowerOff {
        site: site("seoul"),
        machine,
    });
    let towards = HOME;
    let asked = stage
        .link("db", 3, LinkGoal::Resynchronized { towards })
        .await;
    assert_eq!(asked.unwrap_err().class, ErrorClass::Terminal);
    let broken: Vec<String> = stage
        .world
        .violations()
        .into_iter()
        .map(|violation| violation.invariant)
        .collect();
    assert_eq!(broken, ["single_active"], "that was somebody's hand");
}

#[tokio::test(start_paused = true)]
async fn what_a_failback_left_at_a_lost_site_goes_when_it_returns() {
    // SPEC: FB-6, SA-4
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    stage.planned("db", OUT, 1).await;
    stage.commit("db", HOME, 1).await;
    stage.reverse("db", HOME, 2).await;
    stage.planned("db", HOME, 3).await;
    stage.world.lose_site(&site("busan"));
    stage.commit("db", OUT, 3).await;
    assert_eq!(stage.power(OUT, "db"), Power::Off);
    stage.world.return_site(&site("busan"));
    assert_eq!(stage.power(OUT, "db"), Power::Absent);
    stage.clean();
}

#[tokio::test(start_paused = true)]
async fn who_waits_learns_that_a_site_is_gone_and_back() {
    // SPEC: SA-1
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    let cursor = stage.seoul.observe(None).await.unwrap().cursor;
    stage.world.at(
        MINUTE * 7,
        Fault::Partition {
            site: site("seoul"),
        },
    );
    stage.world.at(
        MINUTE * 8,
        Fault::Heal {
            site: site("seoul"),
        },
    );
    let begun = tokio::time::Instant::now();
    stage.seoul.changed(cursor).await;
    assert_eq!(begun.elapsed(), MINUTE * 7);
    assert!(stage.seoul.observe(Some(cursor)).await.is_err());
    let mut looks = 0;
    while stage.seoul.observe(Some(cursor)).await.is_err() {
        stage.seoul.changed(cursor).await;
        looks += 1;
    }
    assert!(looks <= 7, "it is not asked again and again: {looks}");
    assert_eq!(begun.elapsed(), MINUTE * 8);
}

#[tokio::test(start_paused = true)]
async fn actions_are_answered_by_what_runs() {
    // SPEC: PL-4, NM-6
    let stage = Stage::new(Latency::Zero).await;
    stage.protect("db").await;
    let targets = stage.seoul.action_targets().unwrap();
    let call = HttpCall {
        machine: machine("db"),
        drill: false,
        port: 80,
        path: "/healthz".into(),
    };
    assert_eq!(targets.http(&call).await, Ok(200));
    stage
        .world
        .set_answer(&site("seoul"), &machine("db"), 80, "/healthz", 503);
    assert_eq!(targets.http(&call).await, Ok(503));
    stage
        .until(|| stage.site(HOME, "db", 1, SiteGoal::Stopped))
        .await;
    assert_eq!(targets.http(&call).await, Err("connection refused".into()));
    let change = DnsChange {
        record: "shop.example.com".into(),
        ttl: 60,
        addresses: vec!["10.1.2.3".parse().unwrap()],
    };
    for _ in 0..2 {
        targets.dns(&change).await.unwrap();
    }
    let record = stage.world.record("shop.example.com").unwrap();
    assert_eq!((record.addresses, record.changes), (change.addresses, 1));
}
