//! How much time the orchestrator itself adds to a failover.
//!
//! A planned failover of many machines on simulated sites where everything is done at once, through the
//! embedded API with durable writes: from the change of `activeSite` to all *commit pending*.
//!
//!     cargo bench -p drover-control --bench orchestrate -- [MACHINES [GROUPS]] [--cluster]

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod world;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use drover_api::{RecoveryPlan, RecoveryRun, RunPhase};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use world::{World, asked, declare, run, until};

fn main() {
    let ([machines, groups], real) = asked([5_000, 50]);
    run(measure(machines, groups, real));
}

async fn measure(machines: usize, groups: usize, real: bool) {
    let world = World::open(real).await;
    let operator = world.operator();
    tokio::spawn(async move { operator.run(std::future::pending()).await });
    declare(&world.client, machines, groups).await;

    let begun = Instant::now();
    until(|| world.protected(machines)).await;
    println!(
        "protected {machines} machines in {:.2} s, {} writes",
        begun.elapsed().as_secs_f64(),
        world.written()
    );
    world.make_room();
    // Whatever the protection left to do has its end.
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.writes.store(0, Ordering::Relaxed);

    let begun = Instant::now();
    let plans: Api<RecoveryPlan> = Api::namespaced(world.client.clone(), "default");
    let patch = Patch::Merge(json!({"spec": {"activeSite": "secondary"}}));
    plans
        .patch("shop", &PatchParams::default(), &patch)
        .await
        .unwrap();
    until(|| commit_pending(&world.client)).await;
    let took = begun.elapsed().as_secs_f64();
    let at_commit = world.written();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let all = world.written();
    assert_eq!(world.sites.violations(), []);
    println!(
        "failover of {machines} machines in {groups} groups: {took:.2} s, {:.0} us each; {:.2} writes each ({:.2} with what follows); peak {} MB",
        took * 1e6 / count(machines),
        count(at_commit) / count(machines),
        count(all) / count(machines),
        peak_mb(),
    );
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn count(of: usize) -> f64 {
    of as f64
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kb: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kb / 1024
}

async fn commit_pending(client: &Client) -> bool {
    let api: Api<RecoveryRun> = Api::namespaced(client.clone(), "default");
    let run = api.get_opt("shop-1").await.unwrap();
    let status = run.and_then(|run| run.status);
    status.is_some_and(|status| status.record.phase == RunPhase::CommitPending)
}
