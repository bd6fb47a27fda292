//! A shop of two machines that belong together, followed by the whole of Drover.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use drover_lab::{Guest, Side, Site};
use serde_json::{Value, json};

use crate::lab::{Movers, output};
use crate::manifests;
use crate::operator::Operator;

/// The machines of the shop, with two disks each.
pub const MACHINES: [&str; 2] = ["db-1", "web-1"];
const DISKS: u8 = 2;

pub struct Shop {
    pub operator: Operator,
}

impl Shop {
    /// Everything runs, and is protected (PR-7).
    pub fn open() -> Self {
        let movers = Arc::new(Movers::start());
        let guests = (11..)
            .zip(MACHINES)
            .map(|(at, name)| Guest::new(name).with_disks(DISKS).with_address(at));
        run(movers.site(Side::Primary), guests);
        let shop = Self {
            operator: Operator::begin(movers),
        };
        shop.declare(Side::Primary, None);
        shop.operator.until_protected(MACHINES.len());
        shop.until_common_point(Side::Secondary);
        shop
    }

    /// Where machines should be, and what is asked for this one run.
    pub fn declare(&self, active: Side, request: Option<&Value>) {
        let policy = json!({"interval": "5s"});
        let mut objects = manifests::ground(&self.operator.movers, &policy, &json!({}));
        objects.extend(manifests::protected(
            "shop", &MACHINES, true, active, request,
        ));
        self.operator.declare(&objects);
    }

    /// The first copies are of instants of their own; the next ones are not.
    fn until_common_point(&self, side: Side) {
        Operator::until("there is a point of all machines", || {
            let of = MACHINES.map(|name| self.operator.movers.points(side, name));
            of[0].iter().any(|at| of[1].contains(at))
        });
    }

    pub fn site(&self, side: Side) -> &Site {
        self.operator.site(side)
    }

    /// Waits until a run is so far.
    #[track_caller]
    pub fn until_phase(&self, run: &str, phase: &str) {
        self.operator.until_phase(&[run.to_owned()], phase);
    }

    /// The last count that each machine said is durable.
    pub fn counted(&self, side: Side) -> Vec<u64> {
        let last = |name: &&str| self.site(side).console(name).unwrap().heartbeat().unwrap();
        MACHINES.iter().map(last).collect()
    }

    /// Each machine counts on at a site from where it was: nothing that it acknowledged is missing.
    #[track_caller]
    pub fn goes_on(&self, side: Side, from: &[u64]) {
        for (name, acknowledged) in MACHINES.iter().zip(from) {
            goes_on(self.site(side), name, *acknowledged);
        }
    }

    /// The disks that were left are what the machines were made of.
    #[track_caller]
    pub fn identical(&self, left: Side, entered: Side) {
        for name in MACHINES {
            identical(self.site(left), self.site(entered), name, DISKS.into());
        }
    }
}

/// Starts new guests, and returns when they count.
pub fn run(site: &Site, guests: impl Iterator<Item = Guest>) {
    let guests: Vec<Guest> = guests.collect();
    for guest in &guests {
        site.define(guest).unwrap();
        site.virsh(&["start", guest.name()]).unwrap();
    }
    for guest in &guests {
        let counts = |console: &drover_lab::Console| console.heartbeat() > Some(2);
        site.wait_for(guest.name(), counts).unwrap();
    }
}

/// A machine counts on at a site: nothing that it acknowledged is missing.
#[track_caller]
pub fn goes_on(site: &Site, name: &str, acknowledged: u64) {
    let console = site
        .wait_for(name, |said| said.heartbeat() > Some(acknowledged))
        .unwrap();
    let boot = console.boot().unwrap();
    assert_eq!(boot.gaps, 0, "{name}: {boot:?}");
    assert!(
        boot.last >= acknowledged,
        "{name}: {acknowledged} and {boot:?}"
    );
}

/// The disks that a machine left are what it was made of where it went.
#[track_caller]
pub fn identical(left: &Site, entered: &Site, name: &str, count: usize) {
    let [source, target] = [left, entered].map(|site| disks(site, name));
    assert_eq!((source.len(), target.len()), (count, count), "{name}");
    for (source, target) in source.iter().zip(&target) {
        let mut compare = Command::new("qemu-img");
        let base = backing(target);
        output(compare.args(["compare", "-U"]).arg(source).arg(base));
    }
}

fn disks(site: &Site, name: &str) -> Vec<PathBuf> {
    let listed = site.virsh(&["domblklist", name]).unwrap();
    let paths = listed
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    paths.map(PathBuf::from).collect()
}

/// What a file is based on.
fn backing(file: &Path) -> PathBuf {
    let mut info = Command::new("qemu-img");
    let told = output(info.args(["info", "-U", "--output", "json"]).arg(file));
    let told: Value = serde_json::from_slice(&told).unwrap();
    PathBuf::from(told["full-backing-filename"].as_str().unwrap())
}
