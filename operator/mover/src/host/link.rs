//! The connections to one host: made when one is needed, made anew when it was lost.
//!
//! libvirt's calls block, and a host that froze keeps them. Each runs on a thread of its own, not on one of
//! the runtime's, which waits for those when it ends; its caller waits for a limited time.
//!
//! A connection carries one call at a time: before 10.4.0 libvirt's client crashes or hangs when two threads
//! use the same one (CVE-2024-4418). So there are as many as there are calls at once, and those that are not
//! in use are kept. libvirt's own keepalive ends the connection to a host that is silent, and the call on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;
use virt::connect::Connect;

use super::event::{Heard, News, bump, ensure_loop};
use super::fault::{Fault, HostError, Task};
use super::known::{Known, Mark};
use super::opening::Openings;

/// What a question may take: libvirt answers in milliseconds, a busy host takes longer. With the probe that
/// follows it is less than a driver waits for a mover, so that one silent host does not make a whole site silent.
pub(super) const SHORT: Duration = Duration::from_secs(7);
/// What an act may take that starts or ends processes, or that waits for a disk or a guest.
pub(super) const LONG: Duration = Duration::from_mins(2);

/// How many calls wait for one host at most. More would each hold a thread, and gain nothing.
const MOST_CALLS: usize = 16;
/// A host that is silent for this long, in seconds, is asked whether it is there…
const KEEPALIVE_INTERVAL: i32 = 5;
/// …and taken for gone when it is silent after so many times: 20 s in all.
const KEEPALIVE_COUNT: u32 = 3;
/// How long it may take to find out whether a host that left a call without an answer answers others.
const PROBE: Duration = Duration::from_secs(2);

pub(super) struct Link {
    name: String,
    /// Acts that were begun and acts that ended, together.
    acts: Arc<AtomicU64>,
    pub(super) known: Known,
    calls: Arc<Semaphore>,
    probes: Arc<Semaphore>,
    pool: Arc<Pool>,
}

/// Connections that nobody uses now, at most as many as there are calls.
struct Pool {
    uri: String,
    news: Arc<News>,
    idle: Mutex<Vec<Connection>>,
    openings: Openings,
}

impl Link {
    pub(super) fn new(name: String, uri: String) -> Self {
        Self {
            name,
            acts: Arc::default(),
            known: Known::default(),
            calls: Arc::new(Semaphore::new(MOST_CALLS)),
            probes: Arc::new(Semaphore::new(1)),
            pool: Arc::new(Pool {
                uri,
                news: Arc::new(News::new(0)),
                idle: Mutex::default(),
                openings: Openings::default(),
            }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn uri(&self) -> &str {
        &self.pool.uri
    }

    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.pool.news.subscribe()
    }

    /// How much was heard of the host and done at it until now.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            heard: *self.pool.news.borrow(),
            done: self.acts.load(Ordering::Acquire),
        }
    }

    /// Runs what blocks, and waits for it no longer than `limit`, or a little longer to find out whether the
    /// host or the machine is what does not answer.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        doing: impl Into<String>,
        limit: Duration,
        act: impl FnOnce(&Connect) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, HostError> {
        let task = self.task(doing);
        let begun = Instant::now();
        let result = match timeout(limit, self.run(&self.calls, act)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(self.silence(limit).await),
        };
        tracing::trace!(%task, took = ?begun.elapsed(), "libvirt was asked");
        result.map_err(|fault| fault.of(task))
    }

    /// As [`call`](Self::call), of what changes what the host says of its machines.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        doing: impl Into<String>,
        limit: Duration,
        act: impl FnOnce(&Connect) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, HostError> {
        let acts = Arc::clone(&self.acts);
        let counted = move |connect: &Connect| {
            acts.fetch_add(1, Ordering::AcqRel);
            let acted = act(connect);
            acts.fetch_add(1, Ordering::AcqRel);
            acted
        };
        self.call(doing, limit, counted).await
    }

    pub(super) fn task(&self, doing: impl Into<String>) -> Task {
        Task {
            host: self.name.clone(),
            doing: doing.into(),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        room: &Arc<Semaphore>,
        act: impl FnOnce(&Connect) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let closed = |_| Fault::Failed("no more calls are made".to_owned());
        let permit = Arc::clone(room).acquire_owned().await.map_err(closed)?;
        let (sender, receiver) = oneshot::channel();
        let pool = Arc::clone(&self.pool);
        let thread = thread::Builder::new().name("libvirt-call".to_owned());
        let started = thread.spawn(move || {
            let _permit = permit;
            // Nobody may wait any more.
            let _sent = sender.send(pool.run(act));
        });
        started.map_err(|error| Fault::Failed(error.to_string()))?;
        let died = |_| Fault::Failed("the call ended without an answer".to_owned());
        receiver.await.map_err(died)?
    }

    /// What to say of a call that was not answered: is it the host, or only what it was about?
    async fn silence(&self, limit: Duration) -> Fault {
        let why = format!("no answer in {} s", limit.as_secs());
        let probe = self.run(&self.probes, |connect| Ok(connect.lib_version()?));
        match timeout(PROBE, probe).await {
            Ok(Ok(_version)) => Fault::Busy(why),
            Ok(Err(_)) | Err(_) => Fault::Unreachable(why),
        }
    }
}

impl Pool {
    fn run<T>(&self, act: impl FnOnce(&Connect) -> Result<T, Fault>) -> Result<T, Fault> {
        let connection = if let Some(connection) = self.take() {
            connection
        } else {
            let (uri, news) = (self.uri.clone(), Arc::clone(&self.news));
            self.openings.open(move || Connection::new(&uri, &news))?
        };
        let result = connection.run(act);
        if connection.is_alive() {
            self.lock().push(connection);
        }
        result
    }

    /// One that is alive; those that are not are closed.
    fn take(&self) -> Option<Connection> {
        loop {
            let connection = self.lock().pop()?;
            if connection.is_alive() {
                return Some(connection);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection.
struct Connection(Option<Heard>);

impl Connection {
    fn new(uri: &str, news: &Arc<News>) -> Result<Self, Fault> {
        ensure_loop()?;
        if uri.contains('\0') {
            return Err(Fault::Failed("the address contains a zero byte".to_owned()));
        }
        let connect = Connect::open(Some(uri)).map_err(|error| match error.into() {
            // Whatever else is wrong: nobody there can be asked for anything.
            Fault::Failed(why) if why.contains("Permission denied") => Fault::Refused(why),
            fault @ Fault::Refused(_) => fault,
            fault => fault.lost(),
        })?;
        if let Err(error) = connect.set_keep_alive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT) {
            tracing::warn!(%error, uri, "a connection to libvirt has no keepalive");
        }
        let heard = Heard::new(connect, news)?;
        bump(news);
        Ok(Self(Some(heard)))
    }

    fn connect(&self) -> Option<&Connect> {
        self.0.as_ref().map(Heard::connect)
    }

    fn is_alive(&self) -> bool {
        // This asks nobody: the client knows whether its socket is open.
        self.connect()
            .is_some_and(|connect| connect.is_alive().unwrap_or(false))
    }

    fn run<T>(&self, act: impl FnOnce(&Connect) -> Result<T, Fault>) -> Result<T, Fault> {
        let closed = || Fault::Unreachable("the connection is closed".to_owned());
        let result = act(self.connect().ok_or_else(closed)?);
        result.map_err(|fault| if self.is_alive() { fault } else { fault.lost() })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let heard = self.0.take();
        // Closing asks the host, which may be frozen: whoever lets go of a connection does not wait for it.
        let thread = thread::Builder::new().name("libvirt-close".to_owned());
        if let Err(error) = thread.spawn(move || drop(heard)) {
            tracing::warn!(%error, "a connection to libvirt was closed by who used it last");
        }
    }
}
