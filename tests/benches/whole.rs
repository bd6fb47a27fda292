//! The whole way that `drover plan` goes, without files and without printing: read the manifests of an
//! estate, check them, plan every plan. Wall time of each stage, and the peak of resident memory.
//!
//! No harness: what is measured runs for seconds and takes hundreds of megabytes, and the peak of
//! memory belongs to a process, so each size gets one of its own.

// What it finds goes to standard output, and a benchmark is a test: it may panic.
#![allow(clippy::expect_used, clippy::print_stdout)]

use std::process::Command;
use std::time::{Duration, Instant};

use drover_api::Object;
use drover_api::common::SiteRole;
use drover_engine::check::{Options as CheckOptions, check};
use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_engine::plan::{Intent, Places, Planner, Records};
use drover_manifest::{Options, Source, drover_kinds, load};
use drover_tests::large::manifests;
use drover_world::PlanId;

/// Plans of each size; every plan has five groups of ten machines.
const SIZES: [usize; 3] = [20, 200, 1_000];
const GROUPS: usize = 5;
const MACHINES: usize = 10;
/// Rounds of each size; the median counts.
const ROUNDS: usize = 5;

/// What one round took.
struct Round {
    load: Duration,
    check: Duration,
    plan: Duration,
}

fn main() {
    // Cargo says `--bench` when it measures; a number is what this program passes to itself.
    match std::env::args().nth(1) {
        Some(word) if word == "--bench" => all_sizes(),
        Some(plans) => measure(plans.parse().expect("a number of plans")),
        // As a test it is enough that it still works.
        None => measure(1),
    }
}

fn all_sizes() {
    println!("machines  groups  plans  manifests     load    check     plan      all  peak memory");
    let program = std::env::current_exe().expect("this program");
    for plans in SIZES {
        let status = Command::new(&program).arg(plans.to_string()).status();
        assert!(status.expect("a child").success(), "{plans} plans");
    }
}

fn measure(plans: usize) {
    let files = manifests(plans, GROUPS, MACHINES).expect("room for so many");
    let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
    let rounds: Vec<Round> = (0..ROUNDS).map(|_| round(&files, plans)).collect();
    let load = median(&rounds, |round| round.load);
    let check = median(&rounds, |round| round.check);
    let plan = median(&rounds, |round| round.plan);
    let all = median(&rounds, |round| round.load + round.check + round.plan);
    println!(
        "{machines:>8}  {groups:>6}  {plans:>5}  {megabytes:>6} MB  {load:>5} ms  {check:>4} ms  \
         {plan:>4} ms  {all:>4} ms  {peak:>8} MB",
        machines = plans * GROUPS * MACHINES,
        groups = plans * GROUPS,
        megabytes = bytes / 1_000_000,
        load = load.as_millis(),
        check = check.as_millis(),
        plan = plan.as_millis(),
        all = all.as_millis(),
        peak = peak_megabytes(),
    );
}

fn round(files: &[(String, String)], plans: usize) -> Round {
    let begin = Instant::now();
    let sources: Vec<Source<'_>> = files
        .iter()
        .map(|(name, text)| Source {
            name,
            text: text.as_bytes(),
        })
        .collect();
    let loaded = load(&sources, &drover_kinds(), &Options::default());
    assert!(
        loaded.diagnostics.is_empty(),
        "{:?}",
        loaded.diagnostics.first()
    );
    let objects: Vec<Object> = loaded
        .objects
        .into_iter()
        .map(|declared| declared.object)
        .collect();
    let load = begin.elapsed();

    let begin = Instant::now();
    let declared = Declared::new(&objects);
    let inventories = declared_inventories(&declared);
    let problems = check(&declared, &inventories, &CheckOptions::default());
    assert!(problems.is_empty(), "{:?}", problems.first());
    let check = begin.elapsed();

    let begin = Instant::now();
    let planner = Planner {
        declared: &declared,
        inventories: &inventories,
        records: &Records::NONE,
        places: &Places::NONE,
        now: None,
    };
    let mut machines = 0;
    for (namespace, name) in declared.plans.keys() {
        let id = PlanId {
            namespace: namespace.parse().expect("a namespace"),
            name: name.parse().expect("a name"),
        };
        let report = planner.plan(&id, Intent::planned(SiteRole::Secondary));
        machines += report.expect("a plan that can be laid out").machines;
    }
    assert_eq!(machines, plans * GROUPS * MACHINES);
    let plan = begin.elapsed();
    Round { load, check, plan }
}

fn median(rounds: &[Round], of: fn(&Round) -> Duration) -> Duration {
    let mut times: Vec<Duration> = rounds.iter().map(of).collect();
    times.sort();
    times[times.len() / 2]
}

/// The most memory that this process ever had resident, the text of the manifests included.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024 / 1_000_000
}
