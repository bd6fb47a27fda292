//! What libvirt sites cost: real guests, with the whole of Drover.
//!
//!     cargo bench -p drover --bench libvirt [-- downtime | deltas | twenty]
//!
//! It wants root, and nothing else on the machine: emulated guests take all processors.
//!
//! - `downtime`: a shop of two guests goes over and back. From the last count that a guest said is durable to
//!   the first one after that, less what the same guests take by themselves to shut down and to boot, which is
//!   measured at the same site just before.
//! - `deltas`: from the instant that a recovery point holds until it is on record at the other side, for deltas
//!   of about 2 MB.
//! - `twenty`: processor time of all that Drover runs while twenty guests are copied every ten seconds, and the
//!   most memory that each process ever had.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code
)]

#[path = "../tests/libvirt/lab.rs"]
mod lab;
#[path = "../tests/libvirt/manifests.rs"]
mod manifests;
#[path = "../tests/libvirt/operator.rs"]
mod operator;
#[path = "../tests/libvirt/shop.rs"]
mod shop;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drover_lab::{Guest, Listener, Side, Site};
use jiff::Timestamp;
use serde_json::json;

use lab::Movers;
use operator::Operator;
use shop::{MACHINES, Shop};

/// Times that the shop goes over and comes back.
const CYCLES: usize = 5;
/// Deltas that are measured.
const DELTAS: usize = 20;
/// Guests of `twenty`, and for how long they are watched.
const GUESTS: usize = 20;
const WATCHED: Duration = Duration::from_mins(2);
/// A look costs little, and is that much too late at most.
const LOOK: Duration = Duration::from_millis(5);

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    for (name, measure) in [
        ("downtime", downtime as fn()),
        ("deltas", deltas),
        ("twenty", twenty),
    ] {
        if chosen.is_empty() || chosen.iter().any(|one| one == name) {
            measure();
        }
    }
}

// --- downtime -------------------------------------------------------------------------------------

fn downtime() {
    let shop = Shop::open();
    let sites = Side::ALL.map(|side| shop.site(side));
    let listener = Listener::new(&sites, &MACHINES);
    let alone = by_themselves(&listener, sites[0]);
    println!(
        "by themselves guests take to shut down and to boot: {}",
        spread(&alone)
    );
    let alone = alone[alone.len() / 2];
    let mut felt = Vec::new();
    let mut runs = (1..).map(|number| format!("shop-{number}"));
    for _ in 0..CYCLES {
        for (from, to) in [
            (Side::Primary, Side::Secondary),
            (Side::Secondary, Side::Primary),
        ] {
            let before = MACHINES.map(|name| listener.heard(shop.site(to), name).counts.len());
            let run = runs.next().unwrap();
            shop.declare(to, None);
            shop.until_phase(&run, "CommitPending");
            for (name, boots) in MACHINES.into_iter().zip(before) {
                let (first, _) = first_count(&listener, shop.site(to), name, boots);
                let left = listener.heard(shop.site(from), name).counts;
                let (last, _) = *left.last().unwrap().last().unwrap();
                felt.push(first - last);
            }
            shop.operator.decide("commit", &run);
            shop.until_phase(&runs.next().unwrap(), "Protected");
        }
    }
    felt.sort();
    let less: Vec<Duration> = felt.iter().map(|felt| felt.saturating_sub(alone)).collect();
    println!("downtime of a planned failover: {}", spread(&felt));
    println!("the same, less shutdown and boot: {}", spread(&less));
}

/// What both guests take to shut down and to boot where they are: side by side, as in a failover.
fn by_themselves(listener: &Listener, site: &Site) -> Vec<Duration> {
    let mut took = Vec::new();
    for name in MACHINES {
        first_count(listener, site, name, 0);
    }
    for _ in 0..CYCLES {
        let before = MACHINES.map(|name| listener.heard(site, name).counts.len());
        for name in MACHINES {
            site.virsh(&["shutdown", "--mode", "acpi", name]).unwrap();
        }
        for name in MACHINES {
            site.wait_for_state(name, "shut off").unwrap();
            site.virsh(&["start", name]).unwrap();
        }
        for (name, boots) in MACHINES.into_iter().zip(before) {
            let (first, _) = first_count(listener, site, name, boots);
            let counts = listener.heard(site, name).counts;
            let (last, _) = *counts[boots - 1].last().unwrap();
            took.push(first - last);
        }
    }
    took.sort();
    took
}

/// The first count of a boot that comes after so many.
fn first_count(listener: &Listener, site: &Site, name: &str, boots: usize) -> (Instant, u64) {
    let first = || {
        let counts = listener.heard(site, name).counts;
        counts.get(boots).and_then(|boot| boot.first().copied())
    };
    Operator::until("it counts again", || first().is_some());
    first().unwrap()
}

// --- deltas ---------------------------------------------------------------------------------------

fn deltas() {
    // About five counts a second, and each overwrites so much.
    let guest = Guest::new("db-1").with_load(200);
    let operator = protected(vec![guest], "2s");
    let points = || operator.movers.points(Side::Secondary, "db-1");
    let (mut took, mut known) = (Vec::new(), points().last().copied());
    while took.len() < DELTAS {
        let newest = points().last().copied();
        if newest != known {
            let age = Timestamp::now().duration_since(newest.unwrap());
            took.push(Duration::try_from(age).unwrap());
            known = newest;
        }
        std::thread::sleep(LOOK);
    }
    took.sort();
    let bytes = newest_files(&operator.movers, "db-1", DELTAS);
    println!(
        "a delta of {:.1} MB (median): {}",
        megabytes(bytes),
        spread(&took)
    );
}

/// The size of the files that deltas became, the median of the newest.
fn newest_files(movers: &Movers, name: &str, most: usize) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut files: Vec<_> = std::fs::read_dir(movers.copies(Side::Secondary, name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "qcow2"))
        .collect();
    files.sort();
    let newest = files.iter().rev().take(most);
    let mut sizes: Vec<u64> = newest
        .map(|file| file.metadata().unwrap().blocks() * 512)
        .collect();
    sizes.sort_unstable();
    sizes[sizes.len() / 2]
}

// --- twenty ---------------------------------------------------------------------------------------

fn twenty() {
    let guests = (1..=GUESTS).map(|number| Guest::new(&format!("vm-{number:02}")));
    let operator = protected(guests.collect(), "10s");
    let processes: Vec<Process> = ["mover", "up", "libvirtd"]
        .into_iter()
        .flat_map(Process::all)
        .collect();
    let before: Vec<Duration> = processes.iter().map(Process::used).collect();
    let begun = Instant::now();
    std::thread::sleep(WATCHED);
    for (process, before) in processes.iter().zip(before) {
        let used = process.used().saturating_sub(before);
        let share = 100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64();
        println!(
            "{GUESTS} machines every 10 s: {} {share:.1} % of one core, at most {:.0} MB",
            process.name,
            megabytes(process.peak())
        );
    }
    drop(operator);
}

/// A process of Drover's, or of libvirt's.
struct Process {
    name: &'static str,
    folder: PathBuf,
}

impl Process {
    /// All that run this program, or this command of Drover's.
    fn all(name: &'static str) -> Vec<Self> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let runs = |folder: &PathBuf| {
            let words = std::fs::read(folder.join("cmdline")).unwrap_or_default();
            let mut words = words.split(|byte| *byte == 0).take(2);
            words.any(|word| word.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes()))
        };
        let folders = entries.map(|entry| entry.path()).filter(runs);
        folders.map(|folder| Self { name, folder }).collect()
    }

    /// Its processor time; not that of the programs that it starts, which are QEMU's.
    fn used(&self) -> Duration {
        let stat = std::fs::read_to_string(self.folder.join("stat")).unwrap();
        // What follows the name, which may hold anything, is numbers.
        let (_, numbers) = stat.rsplit_once(')').unwrap();
        let numbers: Vec<&str> = numbers.split_whitespace().collect();
        let ticks = numbers[11].parse::<u64>().unwrap() + numbers[12].parse::<u64>().unwrap();
        // The kernel counts in hundredths of a second for everybody.
        Duration::from_millis(10 * ticks)
    }

    /// The most memory that it ever had, in bytes.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(self.folder.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.unwrap().split_whitespace().next().unwrap();
        kibibytes.parse::<u64>().unwrap() * 1024
    }
}

// --- what they share ------------------------------------------------------------------------------

/// Guests that are protected, each by itself.
fn protected(guests: Vec<Guest>, interval: &str) -> Operator {
    let movers = Arc::new(Movers::start());
    let names: Vec<String> = guests.iter().map(|guest| guest.name().to_owned()).collect();
    shop::run(movers.site(Side::Primary), guests.into_iter());
    let operator = Operator::begin(movers);
    let policy = json!({"interval": interval});
    let mut objects = manifests::ground(&operator.movers, &policy, &json!({}));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    objects.extend(manifests::protected(
        "all",
        &names,
        false,
        Side::Primary,
        None,
    ));
    operator.declare(&objects);
    operator.until_protected(names.len());
    operator
}

#[allow(clippy::cast_precision_loss)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// `median 1.20 s (1.05 to 1.61, 20 of them)`, of sorted ones.
fn spread(lengths: &[Duration]) -> String {
    let seconds = |at: usize| lengths[at].as_secs_f64();
    let last = lengths.len() - 1;
    format!(
        "median {:.2} s ({:.2} to {:.2}, {} of them)",
        seconds(lengths.len() / 2),
        seconds(0),
        seconds(last),
        lengths.len()
    )
}
