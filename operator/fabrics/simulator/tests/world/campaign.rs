//! Anybody asks for anything, late or early, while everything goes wrong: what a fabric itself can keep, it
//! keeps. Two serving copies, and a start after a proof was taken back, are for whoever asks to avoid.

use std::time::Duration;

use drover_api::common::SiteRole;
use drover_fabric::{LinkGoal, SiteGoal};
use drover_simulator::{Fault, Latency, Options, Simulation};

use crate::stage::{HOME, OUT, Stage, machine, made, options};

const NAMES: [&str; 3] = ["db", "web", "batch"];

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn role(&mut self) -> SiteRole {
        if self.roll(2) == 0 { HOME } else { OUT }
    }
}

async fn ask(stage: &Stage, dice: &mut Dice, epoch: u64) {
    let name = NAMES[usize::try_from(dice.roll(3)).unwrap()];
    // One epoch never asks for both stop and start at one site.
    let epoch = 2 * epoch.saturating_sub(dice.roll(4).saturating_sub(2));
    let rising = epoch + 1;
    let towards = dice.role();
    let left = towards;
    let goal = match dice.roll(8) {
        0 => LinkGoal::Seeded { towards },
        1 => LinkGoal::Resynchronized { towards },
        2 => LinkGoal::Unrelated {
            remove_replica: dice.roll(2) == 0,
        },
        3 => LinkGoal::SyncedBack { towards },
        4 | 5 => LinkGoal::Committed { left },
        6 => LinkGoal::Reversed { towards },
        _ => LinkGoal::Related { towards },
    };
    match dice.roll(12) {
        0..=2 => drop(stage.site(towards, name, epoch, SiteGoal::Stopped).await),
        3 | 4 => drop(stage.site(towards, name, rising, SiteGoal::Started).await),
        5 => drop(stage.site(towards, name, epoch, SiteGoal::Fenced).await),
        6 | 7 => drop(
            stage
                .link(name, epoch, LinkGoal::FinalSync { towards })
                .await,
        ),
        8 => drop(stage.make(name, rising, &made(towards, None)).await),
        9 => {
            let points = stage.link_seen(name).points;
            let point = points.first().map(|point| point.name.clone());
            let mut with = made(towards, point.as_deref());
            with.drill = dice.roll(2) == 0;
            drop(stage.make(name, rising, &with).await);
        }
        _ => drop(stage.link(name, epoch, goal).await),
    }
}

fn trouble(stage: &Stage, dice: &mut Dice) {
    let site = Stage::name(dice.role());
    let machine = machine(NAMES[usize::try_from(dice.roll(3)).unwrap()]);
    stage.world.inject(&match dice.roll(10) {
        0 => Fault::LoseSite { site },
        1 | 2 => Fault::ReturnSite { site },
        3 => Fault::Partition { site },
        4 | 5 => Fault::Heal { site },
        6 => Fault::LoseTracking { site, machine },
        7 => Fault::FailBoots {
            site,
            machine,
            times: 1,
        },
        8 => Fault::PowerOff { site, machine },
        _ => Fault::PowerOn { site, machine },
    });
}

/// Everything that can be seen of a world.
fn sight(stage: &Stage) -> Vec<String> {
    let mut told = Vec::new();
    for name in NAMES {
        for role in [HOME, OUT] {
            told.push(format!("{name} {role:?} {:?}", stage.seen(role, name)));
            told.push(format!("{name} {role:?} {:?}", stage.content(role, name)));
        }
        told.push(format!("{name} {:?}", stage.link_seen(name)));
    }
    told
}

async fn campaign(stage: &Stage, seed: u64) {
    let mut dice = Dice(seed);
    for name in NAMES {
        stage.protect(name).await;
    }
    for step in 0..120 {
        match dice.roll(8) {
            0 => trouble(stage, &mut dice),
            1 => tokio::time::sleep(Duration::from_secs(dice.roll(900))).await,
            _ => ask(stage, &mut dice, 1 + step / 8).await,
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(4_000))).await;
    }
}

fn realistic(seed: u64) -> Options {
    Options {
        seed,
        latency: Latency::Realistic,
        ..options()
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_fabric_can_keep_it_keeps() {
    // SPEC: FO-6, FO-7, FB-5, PR-6, BI-2
    let mut effects = 0;
    for seed in 0..300 {
        let stage = Stage::of(Simulation::new(realistic(seed)), None).await;
        campaign(&stage, seed).await;
        effects += stage.world.log().len();
        let kept = [
            "whole_disk",
            "nothing_backwards",
            "points_kept",
            "effect_once",
            "drill_apart",
        ];
        for violation in stage.world.violations() {
            let invariant = violation.invariant.as_str();
            let log = stage.world.log();
            assert!(
                !kept.contains(&invariant),
                "seed {seed}: {violation:?}\n{log:#?}"
            );
        }
    }
    assert!(
        effects > 150 * 20,
        "most of what was asked was refused: {effects}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_file_always_holds_what_can_be_seen() {
    // SPEC: FO-7
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..40 {
        let path = folder.path().join(format!("{seed}.jsonl"));
        let options = realistic(seed);
        let stage = Stage::of(Simulation::open(options, &path).unwrap(), None).await;
        campaign(&stage, seed).await;
        // What merely happened in time is computed again from what is in the file.
        let copy = folder.path().join(format!("{seed}-killed.jsonl"));
        std::fs::copy(&path, &copy).unwrap();
        let again = Simulation::open(options, &copy).unwrap();
        let again = Stage::of(again, None).await;
        for (read, known) in sight(&again).into_iter().zip(sight(&stage)) {
            assert_eq!(read, known, "seed {seed}");
        }
    }
}
