//! A machine's life with Drover, and faults that strike while a copy of a certain phase is in hand.
//!
//! The copies are slow, so that they last; and a strike counts only if the copy was in hand before it and not
//! complete after it, by the record and the files of the mover.

use std::time::Duration;

use drover_lab::{Guest, Side};
use serde_json::json;

use crate::dice::Dice;
use crate::fleet::Fleet;
use crate::manifests::unplanned;
use crate::operator::Operator;

pub const MACHINE: &str = "db-1";
const DISKS: u8 = 2;
const INTERVAL: &str = "2s";
/// Slower than the guest needs for a copy to last a moment, faster than it writes.
const BANDWIDTH: &str = "4Mbit";
/// Within so long of a copy's beginning it is struck.
const WITHIN: Duration = Duration::from_millis(400);

/// When a copy is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The first copy.
    Initial,
    /// What changed since the last one.
    Delta,
    /// Both sides are compared, because nobody knows what changed.
    Resync,
    /// The last changes, of a machine that was stopped.
    Last,
    /// What changed since the failover, for the way back.
    Back,
}

impl Phase {
    fn is_on(self, fleet: &Fleet, holder: Side) -> bool {
        let half = &fleet.movers().record(holder, MACHINE)["half"];
        let state = match self {
            Self::Initial | Self::Back => "Seeding",
            Self::Delta => "Replicating",
            Self::Resync => "Resynchronizing",
            Self::Last => "Paused",
        };
        half["state"] == state && is_copying(fleet, holder)
    }
}

/// Whether there are files that are not whole yet.
fn is_copying(fleet: &Fleet, holder: Side) -> bool {
    let folder = fleet.movers().copies(holder, MACHINE);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files = entries.map(|entry| entry.path());
    files.any(|file| file.extension().is_some_and(|end| end == "part"))
}

/// What strikes, and how that ends.
pub trait Fault: std::fmt::Debug {
    fn strike(&self, fleet: &mut Fleet, source: Side);
    /// So long it stays as it is.
    fn lasts(&self) -> Duration;
    fn mend(&self, fleet: &mut Fleet, source: Side);
    /// The one phase that it strikes in, where it does not in each.
    fn only_in(&self) -> Option<Phase> {
        None
    }
}

/// One machine, and what strikes it in each phase.
pub struct Course<'a> {
    pub fleet: Fleet,
    pub dice: Dice,
    faults: &'a [&'a dyn Fault],
    /// Where the machine runs.
    source: Side,
}

impl<'a> Course<'a> {
    pub fn begin(faults: &'a [&'a dyn Fault]) -> Self {
        let dice = Dice::new();
        let policy = json!({"interval": INTERVAL, "bandwidth": BANDWIDTH});
        let guest = |name: &str| Guest::new(name).with_disks(DISKS).with_load(48);
        Self {
            fleet: Fleet::begin(&[MACHINE], policy, guest),
            dice,
            faults,
            source: Side::Primary,
        }
    }

    /// The whole life, there and back, with every fault in every phase.
    pub fn run(&mut self) {
        self.struck(Phase::Initial, |_| {});
        self.fleet.until_protected();
        self.struck(Phase::Delta, Self::until_next_point);
        self.forget_what_changed();
        self.struck(Phase::Resync, |_| {});
        self.until_next_point();

        let (from, to) = (self.source, other(self.source));
        let run = self.fleet.go(MACHINE, to, None);
        self.struck(Phase::Last, |_| {});
        self.fleet
            .operator
            .until_phase(std::slice::from_ref(&run), "CommitPending");
        self.fleet.arrived(MACHINE, from, to, DISKS.into());

        self.source = to;
        self.fleet.operator.decide("commit", &run);
        self.struck(Phase::Back, |_| {});
        let back = self.fleet.next_run(MACHINE);
        self.fleet.operator.until_phase(&[back], "Protected");
        self.until_next_point();
        self.home_again();
    }

    /// The machine moves as planned, without faults: what was struck is whole.
    pub fn home_again(&mut self) {
        self.fleet.set_policy(json!({"interval": INTERVAL}));
        let (from, to) = (self.source, other(self.source));
        let runs = self.fleet.move_as_planned(from, to, DISKS.into());
        self.source = to;
        self.fleet.commit(&runs, false);
    }

    /// Each fault strikes while a copy of this phase is in hand.
    fn struck(&mut self, phase: Phase, goes_on: impl Fn(&Self)) {
        let faults = self.faults.iter();
        for fault in faults.filter(|fault| fault.only_in().is_none_or(|only| only == phase)) {
            self.strike(phase, *fault);
            std::thread::sleep(fault.lasts());
            fault.mend(&mut self.fleet, self.source);
            goes_on(self);
            self.fleet.watcher.is_content();
        }
    }

    fn strike(&mut self, phase: Phase, fault: &dyn Fault) {
        let holder = other(self.source);
        let mut in_vain = 0;
        loop {
            Operator::until_soon(&format!("{phase:?} is on"), || {
                phase.is_on(&self.fleet, holder)
            });
            std::thread::sleep(self.dice.within(WITHIN));
            let before = self.fleet.movers().record(holder, MACHINE)["half"]["points"].clone();
            if phase.is_on(&self.fleet, holder) {
                fault.strike(&mut self.fleet, self.source);
                let after = &self.fleet.movers().record(holder, MACHINE)["half"]["points"];
                if before == *after {
                    println!("{phase:?}: {fault:?} after {in_vain} in vain");
                    return;
                }
                fault.mend(&mut self.fleet, self.source);
            }
            in_vain += 1;
            assert!(in_vain < 50, "{phase:?} is over before {fault:?} strikes");
        }
    }

    /// Its QEMU dies and begins anew: what it remembered of changes is broken.
    fn forget_what_changed(&self) {
        let site = self.fleet.site(self.source);
        site.kill_guest(MACHINE).unwrap();
        site.wait_for_state(MACHINE, "shut off").unwrap();
        site.virsh(&["start", MACHINE]).unwrap();
    }

    /// The next copy is complete.
    fn until_next_point(&self) {
        let now = jiff::Timestamp::now();
        Operator::until("there is another point", || {
            let points = self.fleet.movers().points(other(self.source), MACHINE);
            points.last() > Some(&now)
        });
    }

    /// Neither the sites nor Drover and the source reach each other, and a person says: over there, now. The
    /// guest goes on where it was until it can be told to stop, and does not come back after that.
    pub fn cut_off_and_taken_over(&mut self) {
        let (from, to) = (self.source, other(self.source));
        self.fleet.movers().wan().black_hole().unwrap();
        self.fleet.movers().signal(from, "STOP");
        self.fleet.watcher.accept(&[MACHINE]);
        let request = unplanned("the-line-is-dead", "Skip", "AcceptSplitBrain");
        let run = self.fleet.go(MACHINE, to, Some(request));
        self.fleet
            .operator
            .until_phase(std::slice::from_ref(&run), "CommitPending");
        let said = self.fleet.site(to).console(MACHINE).unwrap();
        assert_eq!(said.boot().unwrap().gaps, 0, "{said:?}");

        self.fleet.movers().signal(from, "CONT");
        self.fleet
            .site(from)
            .wait_for_state(MACHINE, "shut off")
            .unwrap();
        self.fleet.watcher.accept(&[]);
        self.fleet.movers().wan().heal().unwrap();
        self.source = to;
        self.fleet.commit(&[run], true);
        self.fleet.watcher.is_content();
    }
}

pub fn other(side: Side) -> Side {
    match side {
        Side::Primary => Side::Secondary,
        Side::Secondary => Side::Primary,
    }
}
