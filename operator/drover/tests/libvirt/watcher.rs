//! Looks at both sites the whole time, and trusts nobody: not Drover, nor its movers, nor libvirt.
//!
//! A QEMU is seen by its process, so it is seen also while `libvirtd` is dead; and what a guest said is
//! durable is read from its console, so that the count at each instant is known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use drover_lab::Side;
use jiff::Timestamp;

use crate::lab::Movers;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);

pub struct Watcher {
    seen: Arc<Mutex<Seen>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    /// When each count was heard first.
    counts: HashMap<(Side, String), Vec<(Timestamp, u64)>>,
    /// Machines that may run twice just now, because somebody said so.
    accepted: BTreeSet<String>,
    wrong: BTreeSet<String>,
    looks: u64,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Watcher {
    pub fn begin(movers: &Arc<Movers>, machines: &[&str]) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let over = Arc::<AtomicBool>::default();
        let machines: Vec<String> = machines.iter().map(ToString::to_string).collect();
        let (movers, told, end) = (Arc::clone(movers), Arc::clone(&seen), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                look(&movers, &machines, &told);
                std::thread::sleep(LOOK);
            }
        });
        Self {
            seen,
            over,
            thread: Some(thread),
        }
    }

    /// Nothing was wrong at any instant so far.
    #[track_caller]
    pub fn is_content(&self) {
        let seen = self.lock();
        assert!(seen.looks > 0, "nobody looked");
        assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
    }

    /// These may run twice from now on.
    pub fn accept(&self, machines: &[&str]) {
        self.lock().accepted = machines.iter().map(ToString::to_string).collect();
    }

    /// What a machine had acknowledged at an instant, at a site where it ran from the earlier one on; 0 where
    /// that is not known.
    pub fn acknowledged(
        &self,
        (side, machine): (Side, &str),
        ran: Timestamp,
        at: Timestamp,
    ) -> u64 {
        let counts = self.counts(side, machine);
        let mut heard = counts.iter().filter(|(when, _)| (ran..=at).contains(when));
        heard.next_back().map_or(0, |(_, count)| *count)
    }

    /// When a machine was first heard to have acknowledged this count, at a site where it ran from an instant
    /// on.
    pub fn when(
        &self,
        (side, machine): (Side, &str),
        ran: Timestamp,
        count: u64,
    ) -> Option<Timestamp> {
        let counts = self.counts(side, machine);
        let mut heard = counts.iter().filter(|(when, _)| *when >= ran);
        heard.find(|(_, heard)| *heard >= count).map(|(at, _)| *at)
    }

    fn counts(&self, side: Side, machine: &str) -> Vec<(Timestamp, u64)> {
        let seen = self.lock();
        let counts = seen.counts.get(&(side, machine.to_owned()));
        counts.cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

fn look(movers: &Movers, machines: &[String], told: &Mutex<Seen>) {
    let folders = Side::ALL.map(|side| movers.site(side).pool_folder());
    let mut running: BTreeMap<&String, [Option<PathBuf>; 2]> = BTreeMap::new();
    let mut wrong = BTreeSet::new();
    for (process, words) in qemus() {
        for machine in machines.iter().filter(|name| is_of(&words, name)) {
            let at = folders.iter().position(|folder| speaks_of(&words, folder));
            let Some(at) = at else { continue };
            // SPEC: FB-5: what is being written by a copy is never booted.
            if words.contains(".part\"") {
                wrong.insert(format!("{machine} runs from what is not whole"));
            }
            running.entry(machine).or_default()[at] = Some(process.clone());
        }
    }
    let mut heard = Vec::new();
    for machine in machines {
        for side in Side::ALL {
            let said = movers.site(side).console(machine).ok();
            let count = said.and_then(|said| said.heartbeat());
            heard.extend(count.map(|count| ((side, machine.clone()), count)));
        }
    }
    let now = Timestamp::now();
    let mut seen = told.lock().unwrap();
    seen.looks += 1;
    for (machine, at) in running {
        // Both were seen one after the other: if the first one is still there they were there at once.
        let twice =
            matches!(&at, [Some(one), Some(other)] if lives(one, machine) && lives(other, machine));
        if twice && !seen.accepted.contains(machine) {
            wrong.insert(format!("{machine} ran at both sites at {now}"));
        }
    }
    seen.wrong.extend(wrong);
    for (of, count) in heard {
        let counts = seen.counts.entry(of).or_default();
        if counts.last().is_none_or(|(_, last)| *last != count) {
            counts.push((now, count));
        }
    }
}

/// Every QEMU on this machine, with its arguments.
fn qemus() -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.map(|entry| entry.path().join("cmdline"));
    processes
        .filter_map(|process| Some((process.clone(), arguments(&process)?)))
        .filter(|(_, words)| words.contains("qemu-system"))
        .collect()
}

fn arguments(process: &Path) -> Option<String> {
    let words = std::fs::read(process).ok()?;
    Some(String::from_utf8_lossy(&words).into_owned())
}

fn is_of(words: &str, machine: &str) -> bool {
    words.contains(&format!("guest={machine},"))
}

fn speaks_of(words: &str, folder: &Path) -> bool {
    words.contains(&format!("{}/", folder.display()))
}

fn lives(process: &Path, machine: &str) -> bool {
    arguments(process).is_some_and(|words| is_of(&words, machine))
}
