//! What an operator costs that has nothing to do: machines are protected and replicate every thirty seconds,
//! and nothing else happens. Then how long one that takes over needs until it has looked at everything.
//!
//!     cargo bench -p drover-control --bench idle -- [MACHINES [GROUPS]] [--cluster]
//!
//! The simulated sites are in this process, and so is the API, unless it is a real one: their share is in the
//! figures.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use world::{World, asked, declare, run, until};

const WATCHED: Duration = Duration::from_mins(1);

fn main() {
    let ([machines, groups], real) = asked([10_000, 100]);
    run(measure(machines, groups, real));
}

async fn measure(machines: usize, groups: usize, real: bool) {
    let world = World::open(real).await;
    let first = world.operator();
    let first = tokio::spawn(async move { first.run(std::future::pending()).await });
    declare(&world.client, machines, groups).await;
    until(|| world.protected(machines)).await;
    tokio::time::sleep(Duration::from_secs(30)).await;

    let (busy, written) = (cpu_seconds(), world.written());
    tokio::time::sleep(WATCHED).await;
    let share = (cpu_seconds() - busy) / WATCHED.as_secs_f64();
    println!(
        "idle with {machines} machines in {groups} groups: {:.1} % of one core, {} writes in {} s, {} MB",
        share * 100.0,
        world.written() - written,
        WATCHED.as_secs(),
        resident_mb()
    );

    first.abort();
    let second = world.operator();
    let metrics = Arc::clone(second.metrics());
    let begun = Instant::now();
    let leads = Arc::clone(second.health());
    tokio::spawn(async move { second.run(std::future::pending()).await });
    until(async || leads.leads()).await;
    println!("leads after {:.2} s", begun.elapsed().as_secs_f64());
    let (begun, busy, written) = (Instant::now(), cpu_seconds(), world.written());
    let mut looked = None;
    loop {
        // To ask is not for nothing: the figures are those of all machines.
        tokio::time::sleep(Duration::from_millis(250)).await;
        let text = metrics.text();
        let figure = |name: &str| figure(&text, name).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let all = machines as f64;
        let machines = "drover_reconcile_duration_seconds_count{kind=\"ProtectedMachine\"";
        if figure(machines) >= all {
            let _ = looked.get_or_insert(begun.elapsed());
        }
        if looked.is_some() && figure("drover_queue_keys") == 0.0 {
            break;
        }
    }
    println!(
        "looked at every machine {:.2} s later; all reconciled {:.2} s later, {:.2} s of a core, {} writes",
        looked.unwrap_or_default().as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        cpu_seconds() - busy,
        world.written() - written
    );
}

fn figure(metrics: &str, name: &str) -> Option<f64> {
    let mut lines = metrics.lines().filter(|line| line.starts_with(name));
    lines.find_map(|line| line.rsplit(' ').next()?.parse().ok())
}

/// Seconds of processors that this process used. The kernel counts in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(") ").next().unwrap().split(' ');
    let ticks: u32 = fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u32>().unwrap())
        .sum();
    f64::from(ticks) / 100.0
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    let kb: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kb / 1024
}
