//! A world that is kept on disk.

use std::time::Duration;

use drover_fabric::{LinkGoal, SiteGoal};
use drover_simulator::{Fault, Latency, Options, PersistError, Simulation};
use drover_world::{Outcome, Power};

use crate::stage::{HOME, OUT, Stage, made, options, site};

#[tokio::test(start_paused = true)]
async fn what_was_answered_is_there_after_a_kill() {
    // SPEC: FO-7
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.jsonl");
    let realistic = Options {
        latency: Latency::Realistic,
        ..options()
    };
    let stage = Stage::of(Simulation::open(realistic, &path).unwrap(), None).await;
    stage.protect("db").await;
    tokio::time::sleep(Duration::from_secs(700)).await;
    stage.write(HOME, "db", 3);
    stage
        .until(|| stage.site(HOME, "db", 1, SiteGoal::Stopped))
        .await;
    let towards = OUT;
    stage
        .until(|| stage.link("db", 1, LinkGoal::FinalSync { towards }))
        .await;
    let making = stage.make("db", 1, &made(OUT, None)).await;
    assert_eq!(making, Ok(Outcome::Started));
    // The file as a killed process leaves it: nothing is flushed, and the last line may be cut off.
    let mut killed = std::fs::read(&path).unwrap();
    killed.extend_from_slice(br#"{"now":"2026"#);
    let copy = folder.path().join("killed.jsonl");
    std::fs::write(&copy, killed).unwrap();
    let again = Stage::of(Simulation::open(realistic, &copy).unwrap(), None).await;
    for role in [HOME, OUT] {
        assert_eq!(again.seen(role, "db"), stage.seen(role, "db"));
        assert_eq!(again.content(role, "db"), stage.content(role, "db"));
    }
    assert_eq!(again.link_seen("db"), stage.link_seen("db"));
    // It goes on where it was.
    again.stand("db", 1, made(OUT, None)).await;
    again
        .until(|| again.site(OUT, "db", 1, SiteGoal::Started))
        .await;
    assert_eq!(again.power(OUT, "db"), Power::Healthy);
    again.clean();
}

#[tokio::test(start_paused = true)]
async fn faults_and_their_plans_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.jsonl");
    {
        let world = Simulation::open(options(), &path).unwrap();
        let stage = Stage::of(world, None).await;
        stage.protect("db").await;
        stage.world.partition(&site("busan"));
        let lose = Fault::LoseSite {
            site: site("seoul"),
        };
        stage.world.at(Duration::from_mins(1), lose);
        stage.world.flush().unwrap();
    }
    let stage = Stage::of(Simulation::open(options(), &path).unwrap(), None).await;
    assert!(stage.busan.probe().await.is_err());
    assert!(stage.seoul.probe().await.is_ok());
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(stage.seoul.probe().await.is_err());
}

#[tokio::test]
async fn another_file_is_not_taken_for_a_world() {
    // SPEC: BI-1
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shopping.txt");
    std::fs::write(&path, "milk\nbread\n").unwrap();
    let error = Simulation::open(options(), &path).unwrap_err();
    assert!(
        matches!(error, PersistError::Content { line: 1, .. }),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "milk\nbread\n");
}
