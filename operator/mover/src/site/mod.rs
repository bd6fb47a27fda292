//! The mover of one site: what it is asked, what it does by itself, and what it says of it.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `power` | machines stop, start, are fenced |
//! | `make` | machines are made of copies, for production and for drills |
//! | `place` | which host a machine is made at |
//! | `link` | links are taken up, committed, let go |
//! | `eligible` | whether a machine can be protected |
//! | `turn` | which way data flows |
//! | `begin` | what a first copy begins from |
//! | `pull` | changes are brought here, and become recovery points |
//! | `copy` | one disk's way from a loan to a file |
//! | `ladder` | what has to travel, by what both sides remember |
//! | `lend` | the other side: disks of one instant for who pulls |
//! | `rest` | guests come to rest for that instant, and go on |
//! | `loans`, `offer` | what is lent until it is given back, and where a backup is begun |
//! | `keep` | points go by retention, files that nothing needs go |
//! | `hosts` | the hosts, and which of them knows a machine |
//! | `fit` | whether machines of the other side could run here |
//! | `sight` | what is there |
//! | `ready` | whether the site is ready |
//! | `wake` | what is done when the mover starts, and all the time |
//! | `jobs` | what takes longer than an answer may |
//! | `roles` | who may ask what |
//! | `refusal` | ways to say no |

mod begin;
mod copy;
mod eligible;
mod fit;
mod hosts;
mod jobs;
mod keep;
mod ladder;
mod lend;
mod link;
mod loans;
mod make;
mod offer;
mod peers;
mod place;
mod power;
mod pull;
mod ready;
mod refusal;
mod rest;
mod roles;
mod routes;
mod sight;
mod turn;
mod variables;
mod wake;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_api::value::MachineName;
use drover_world::FabricError;
use tokio::sync::Semaphore;

use crate::host::{DomainSeen, Host};
use crate::record::Record;
use crate::store::Store;
use crate::transfer::Throttles;
pub use hosts::{HostAt, NbdAt};
use hosts::{Hosts, Whereabouts};
use jobs::Jobs;
use loans::{Lending, Loans};
use peers::Peers;
use refusal::{retryable, terminal};
pub use roles::Roles;
pub use routes::router;

/// What a mover is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The hosts of the site.
    pub hosts: Vec<HostAt>,
    /// The folder of the storage pool that all hosts share.
    pub folder: PathBuf,
    /// A folder for sockets.
    pub run: PathBuf,
    /// The folder with the certificates that other movers are spoken to with.
    pub tls: Option<PathBuf>,
}

/// The mover of one site.
#[derive(Debug)]
pub struct Site {
    store: Store,
    hosts: Hosts,
    folder: PathBuf,
    run: PathBuf,
    tls: Option<PathBuf>,
    jobs: Jobs,
    loans: Mutex<Loans>,
    lending: Lending,
    /// Room for sets of machines whose changes are copied at once.
    copies: Arc<Semaphore>,
    /// Room for machines whose files become one, and for those that start with their site.
    folds: Arc<Semaphore>,
    starts: Arc<Semaphore>,
    live: Mutex<BTreeMap<MachineName, Live>>,
    peers: Peers,
    /// What holds copies to the bandwidth of their policy.
    throttles: Throttles,
}

/// What is known of a machine for as long as this process runs.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on each other"
)]
struct Live {
    /// Its guest was seen to be well, since it last started.
    healthy: bool,
    /// When its guest was seen to run first.
    running_since: Option<tokio::time::Instant>,
    addresses: Vec<drover_api::value::Address>,
    /// When changes were last asked for.
    asked_at: Option<tokio::time::Instant>,
    /// Its newest copy is of an instant of its own, which others of its set have none of.
    apart: bool,
    /// What was found to be missing here, and did not arrive yet.
    pending: u64,
    /// Why it did not arrive when that was tried last.
    trouble: Option<String>,
    /// The other side has a whole copy of what was lent since this process started.
    lent: bool,
    /// It ran when this process was started last, and is off since.
    was_cut_off: bool,
    /// It is frozen or held still just now, for a copy that begins.
    at_rest: bool,
}

impl Live {
    /// Its guest is gone. What is known of its copies stays.
    fn stopped(&mut self) {
        self.healthy = false;
        self.running_since = None;
        self.addresses.clear();
        self.lent = false;
    }
}

/// The folder in a pool that a mover keeps everything in.
const OURS: &str = "drover";
/// So many sets of machines have their changes copied at once: more would each take memory and processes of
/// QEMU's, and none would be quicker.
const MOST_COPIES: usize = 16;
/// A fold reads and writes whole disks, and a guest that boots takes processors: few at once are no slower.
const MOST_FOLDS: usize = 2;
const MOST_STARTS: usize = 4;

impl Site {
    /// Opens what is kept in the pool's folder.
    ///
    /// # Errors
    /// When another mover has it open, or it cannot be read.
    pub fn open(options: Options) -> io::Result<Arc<Self>> {
        if !options.folder.is_dir() {
            // It is never made: what was meant may be a file system that is not mounted.
            let why = format!(
                "there is no folder {}; is its file system mounted?",
                options.folder.display()
            );
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let store = Store::open(&options.folder.join(OURS))?;
        std::fs::create_dir_all(&options.run)?;
        let hosts = Hosts::new(options.hosts);
        for (machine, record) in store.all() {
            if let Some(host) = &record.host {
                hosts.remember(machine.as_str(), host);
            }
        }
        Ok(Arc::new(Self {
            store,
            hosts,
            folder: options.folder,
            run: options.run,
            tls: options.tls,
            jobs: Jobs::default(),
            loans: Mutex::default(),
            lending: Lending::default(),
            copies: Arc::new(Semaphore::new(MOST_COPIES)),
            folds: Arc::new(Semaphore::new(MOST_FOLDS)),
            starts: Arc::new(Semaphore::new(MOST_STARTS)),
            live: Mutex::default(),
            peers: Peers::default(),
            throttles: Throttles::default(),
        }))
    }

    /// The host that knows a domain, and how it is there.
    async fn find(&self, domain: &str) -> Result<Option<(&Host, DomainSeen)>, FabricError> {
        match self.hosts.find(domain).await {
            Whereabouts::At(host, seen) => Ok(Some((host, seen))),
            Whereabouts::Nowhere => Ok(None),
            // What Drover did not make here is at no host, whether that answers or not.
            Whereabouts::Unknown(_) if self.never_here(domain) => Ok(None),
            Whereabouts::Unknown(error) | Whereabouts::Twice(error) => Err(error),
        }
    }

    /// Whether Drover only ever kept a copy of a machine here, or made no drill of it.
    fn never_here(&self, domain: &str) -> bool {
        let copied = |record: &Record| {
            let kept = record.half.as_ref();
            record.made.is_none()
                && kept
                    .is_some_and(|half| half.holds() && half.origin != half.role && !half.adopted)
        };
        let record = |name: &str| Some(self.store.get(&name.parse().ok()?));
        let of_drill = domain.strip_suffix(make::DRILL).and_then(record);
        record(domain).is_some_and(|record| copied(&record))
            || of_drill.is_some_and(|record| record.half.is_some() && record.drill.is_none())
    }

    /// As [`find`](Self::find), for one that must be there.
    async fn must_find(&self, domain: &str) -> Result<(&Host, DomainSeen), FabricError> {
        self.find(domain).await?.ok_or_else(|| {
            terminal(
                format!("there is no machine {domain} here"),
                "look whether it was removed at its site",
            )
        })
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<MachineName, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loans(&self) -> MutexGuard<'_, Loans> {
        self.loans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file of a machine that did not exist before.
    fn new_file(&self, machine: &MachineName, what: &str) -> Result<PathBuf, FabricError> {
        let number = self.store.change(machine, |record| {
            record.next += 1;
            record.next
        })?;
        let folder = self.store.folder(machine);
        Ok(folder.join(format!("{number:05}-{what}.qcow2")))
    }

    /// A socket that no other has; short, because the kernel takes no long ones.
    fn socket(&self, what: &str) -> PathBuf {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        self.run
            .join(format!("{what}-{}-{count}.sock", std::process::id()))
    }

    /// The seal of files: it is another as soon as one of them was written to.
    fn seal<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<String, FabricError> {
        use std::os::unix::fs::MetadataExt as _;
        // In whatever order they are listed.
        let mut seal = BTreeSet::new();
        for file in files {
            let meta = std::fs::metadata(file).map_err(|error| {
                retryable(
                    format!("{}: {error}", file.display()),
                    "look at the storage of the site",
                )
            })?;
            let (ino, size) = (meta.ino(), meta.size());
            let (seconds, nanos) = (meta.mtime(), meta.mtime_nsec());
            seal.insert(format!("{ino}:{size}:{seconds}.{nanos:09}"));
        }
        Ok(Vec::from_iter(seal).join(" "))
    }
}
