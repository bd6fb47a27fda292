//! Who hears each word of a guest at the moment when it is said.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{Console, Site};

/// What is heard is not older than this.
const INTERVAL: Duration = Duration::from_millis(20);

/// Listens to guests until it is dropped; a machine with processors to spare tells it of each count within
/// a few hundredths of a second.
#[derive(Debug)]
pub struct Listener {
    ears: Arc<Mutex<Vec<Ear>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a guest said at one site, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// What it said.
    pub console: Console,
    /// For each of its boots: which counts it said are durable, and when that was heard.
    pub counts: Vec<Vec<(Instant, u64)>>,
}

/// One console that is listened to.
#[derive(Debug)]
struct Ear {
    site: &'static str,
    name: String,
    log: PathBuf,
    /// How much of it was read.
    read: u64,
    /// A line that is not whole yet.
    rest: Vec<u8>,
    heard: Heard,
}

impl Listener {
    /// Listens to these guests at these sites, whether they are there yet or not.
    pub fn new(sites: &[&Site], names: &[&str]) -> Self {
        let ears = sites.iter().flat_map(|site| {
            names
                .iter()
                .map(|name| Ear::new(site.side().name(), name, site.console_log(name)))
        });
        let ears = Arc::new(Mutex::new(ears.collect::<Vec<_>>()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (ears, stop) = (Arc::clone(&ears), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    for ear in ears
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .iter_mut()
                    {
                        ear.listen();
                    }
                    thread::sleep(INTERVAL);
                }
            }
        });
        Self {
            ears,
            stop,
            thread: Some(thread),
        }
    }

    /// What a guest said at a site so far.
    pub fn heard(&self, site: &Site, name: &str) -> Heard {
        let ears = self.ears.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ears = ears.iter();
        let of = |ear: &&Ear| ear.site == site.side().name() && ear.name == name;
        ears.find(of)
            .map(|ear| ear.heard.clone())
            .unwrap_or_default()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Ear {
    fn new(site: &'static str, name: &str, log: PathBuf) -> Self {
        Self {
            site,
            name: name.to_owned(),
            log,
            read: 0,
            rest: Vec::new(),
            heard: Heard::default(),
        }
    }

    /// Reads what is new. A console that is not there, or cannot be read now, says nothing.
    fn listen(&mut self) {
        let mut new = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| {
            log.seek(SeekFrom::Start(self.read))?;
            log.read_to_end(&mut new)
        });
        if read.is_ok() {
            self.hear(&new, Instant::now());
        }
    }

    fn hear(&mut self, new: &[u8], now: Instant) {
        self.read += new.len() as u64;
        self.rest.extend_from_slice(new);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return;
        };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        let Heard { console, counts } = &mut self.heard;
        for line in String::from_utf8_lossy(&whole).lines() {
            let before = console.boot().and_then(|boot| boot.heartbeat);
            console.hear(line.trim());
            counts.resize_with(console.boots.len(), Vec::new);
            let after = console.boot().and_then(|boot| boot.heartbeat);
            if let (Some(counts), Some(count)) = (counts.last_mut(), after)
                && after != before
            {
                counts.push((now, count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_heard_once_and_its_line_may_come_in_parts() {
        let mut ear = Ear::new("primary", "db-1", PathBuf::new());
        let begin = Instant::now();
        let at = |tenths: u64| begin + Duration::from_millis(100 * tenths);
        ear.hear(b"RESUME last=0 gaps=0 disks=0\nHB 1\nHB", at(0));
        ear.hear(b" 2\n", at(1));
        ear.hear(b"", at(2));
        ear.hear(b"RESUME last=2 gaps=0 disks=2\nHB 3\n", at(3));
        assert_eq!(ear.heard.console.boots.len(), 2);
        assert_eq!(
            ear.heard.counts,
            [vec![(at(0), 1), (at(1), 2)], vec![(at(3), 3)]]
        );
    }
}
