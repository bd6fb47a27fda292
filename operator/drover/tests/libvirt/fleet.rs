//! Machines that have nothing to do with each other: each has a plan of its own, of its own name.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_lab::{Guest, Side, Site};
use serde_json::{Value, json};

use crate::lab::Movers;
use crate::manifests;
use crate::operator::Operator;
use crate::shop;
use crate::watcher::Watcher;

pub struct Fleet {
    pub operator: Operator,
    pub watcher: Watcher,
    pub names: Vec<&'static str>,
    policy: Value,
    fencing: Value,
    /// Where each machine should be, and what is asked for its next run.
    wanted: BTreeMap<&'static str, (Side, Option<Value>)>,
    /// How many runs each had.
    runs: BTreeMap<&'static str, u32>,
}

impl Fleet {
    /// Guests that run at the primary site, and are declared; they are not protected yet.
    pub fn begin(names: &[&'static str], policy: Value, guest: impl Fn(&str) -> Guest) -> Self {
        Self::begin_before(names, policy, guest, |_| {})
    }

    /// As [`begin`](Self::begin), and something is done before anything is declared.
    pub fn begin_before(
        names: &[&'static str],
        policy: Value,
        guest: impl Fn(&str) -> Guest,
        prepare: impl FnOnce(&Movers),
    ) -> Self {
        let movers = Arc::new(Movers::start());
        let watcher = Watcher::begin(&movers, names);
        shop::run(
            movers.site(Side::Primary),
            names.iter().map(|name| guest(name)),
        );
        prepare(&movers);
        let fleet = Self {
            operator: Operator::begin(movers),
            watcher,
            names: names.to_vec(),
            policy,
            fencing: json!({}),
            wanted: names
                .iter()
                .map(|name| (*name, (Side::Primary, None)))
                .collect(),
            runs: names.iter().map(|name| (*name, 0)).collect(),
        };
        fleet.declare();
        fleet
    }

    pub fn until_protected(&self) {
        self.operator.until_protected(self.names.len());
    }

    pub fn site(&self, side: Side) -> &Site {
        self.operator.site(side)
    }

    pub fn movers(&self) -> &Movers {
        &self.operator.movers
    }

    /// The policy of all from now on.
    pub fn set_policy(&mut self, policy: Value) {
        self.policy = policy;
        self.declare();
    }

    /// What is declared from now on of guests that do not stop.
    pub fn set_fencing(&mut self, fencing: Value) {
        self.fencing = fencing;
        self.declare();
    }

    /// A machine should be where it is, after all.
    pub fn stay(&mut self, name: &'static str, at: Side) {
        self.wanted.insert(name, (at, None));
        self.declare();
    }

    /// A machine should be elsewhere: begins a run, and gives its name.
    pub fn go(&mut self, name: &'static str, to: Side, request: Option<Value>) -> String {
        self.wanted.insert(name, (to, request));
        self.declare();
        self.next_run(name)
    }

    /// All of them should be.
    pub fn all_go(&mut self, to: Side, request: Option<&Value>) -> Vec<String> {
        for name in &self.names {
            self.wanted.insert(name, (to, request.cloned()));
        }
        self.declare();
        let names = self.names.clone();
        names.iter().map(|name| self.next_run(name)).collect()
    }

    /// The run that comes after those that were.
    pub fn next_run(&mut self, name: &'static str) -> String {
        let count = self.runs.get_mut(name).unwrap();
        *count += 1;
        format!("{name}-{count}")
    }

    fn declare(&self) {
        let mut objects = manifests::ground(self.movers(), &self.policy, &self.fencing);
        for (name, (active, request)) in &self.wanted {
            objects.extend(manifests::protected(
                name,
                &[name],
                false,
                *active,
                request.as_ref(),
            ));
        }
        self.operator.declare(&objects);
    }

    /// What became of the machine in a run.
    #[track_caller]
    pub fn journal(&self, run: &str) -> Value {
        let all = self.operator.get("machineruns");
        let of = all.iter().find(|one| one["spec"]["run"] == run);
        of.unwrap_or_else(|| panic!("nothing of {run}: {all:?}"))["status"].clone()
    }

    /// Runs are committed; then the machines are protected the other way, by an unplanned run's person or by
    /// itself.
    pub fn commit(&mut self, runs: &[String], reprotect: bool) {
        for run in runs {
            self.operator.decide("commit", run);
        }
        if reprotect {
            self.operator.until_phase(runs, "Committed");
            for run in runs {
                self.operator.decide("reprotect", run);
            }
        }
        let names = self.names.clone();
        let back: Vec<String> = names.iter().map(|name| self.next_run(name)).collect();
        self.operator.until_phase(&back, "Protected");
    }

    /// A planned failover of all: nothing is missing, and disks are identical.
    pub fn move_as_planned(&mut self, from: Side, to: Side, disks: usize) -> Vec<String> {
        let runs = self.all_go(to, None);
        self.operator.until_phase(&runs, "CommitPending");
        for name in &self.names {
            self.arrived(name, from, to, disks);
        }
        self.watcher.is_content();
        runs
    }

    /// A machine that moved misses nothing, and its disks are those that it left.
    pub fn arrived(&self, name: &str, from: Side, to: Side, disks: usize) {
        let said = self.site(from).console(name).unwrap();
        shop::goes_on(self.site(to), name, said.heartbeat().unwrap());
        shop::identical(self.site(from), self.site(to), name, disks);
    }
}
