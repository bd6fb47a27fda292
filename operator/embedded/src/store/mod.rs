//! What is stored, and the one task that changes it.
//!
//! Reads look at memory and touch no disk. A write is handed to the writer, which decides on it,
//! makes it durable together with its neighbours, shows it to watchers, and only then answers. Once
//! handed over, a write happens or fails as a whole, whether or not anybody still waits for it.

mod batch;
mod chores;
mod disk;
mod removal;
mod state;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use tokio::sync::{mpsc, oneshot, watch};

pub use disk::DiskError;
pub(crate) use removal::DEFAULT_NAMESPACE;
use state::State;
pub(crate) use state::{Event, Page, Scope};

use crate::{
    Limits, Now,
    object::{Draft, Entry, Key},
    registry::{Registry, Resource},
};

/// Writes that wait for the writer; further callers wait for a place.
const QUEUE: usize = 1024;

/// How dependents of a deleted object fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay, without their owner.
    Orphan,
}

/// A change that somebody asks for.
#[derive(Debug)]
pub(crate) enum Write {
    /// Stores `draft` if the object is still at version `expected`; `None`: if there is no such
    /// object yet.
    Put {
        resource: Arc<Resource>,
        draft: Draft,
        expected: Option<u64>,
    },
    /// Deletes an object, or marks it as being deleted while finalizers hold it.
    Delete {
        resource: Arc<Resource>,
        key: Key,
        uid: Option<String>,
        version: Option<u64>,
        propagation: Propagation,
    },
}

/// What became of a write.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    /// The object stands, as it is now.
    Stands(Arc<Entry>),
    /// The object is gone; this was its last state.
    Gone(Arc<Entry>),
}

/// Why a write was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WriteError {
    /// There is such an object already.
    Exists,
    /// There is no such object.
    Missing,
    /// The object has changed meanwhile.
    Stale,
    /// The object is another one of the same name.
    OtherUid { wanted: String, found: String },
    /// The object is at another version than the deletion asked for.
    OtherVersion { wanted: u64, found: u64 },
    /// The namespace does not exist.
    NoNamespace,
    /// The namespace is being deleted.
    NamespaceEnds,
    /// The definition of the kind is being deleted.
    DefinitionEnds,
    /// This object is never deleted.
    Kept,
    /// The disk did not take it; whether it will be there after a restart is unknown.
    Disk(String),
    /// The store is closed.
    Closed,
}

struct Request {
    write: Write,
    reply: oneshot::Sender<Result<Written, WriteError>>,
}

/// See the module.
pub(crate) struct Store {
    state: Arc<RwLock<State>>,
    queue: mpsc::Sender<Request>,
    /// Turns `true` when the writer has ended and the disk is closed.
    ended: watch::Receiver<bool>,
}

impl Store {
    /// Opens the store in `folder`, or an empty one in memory, and starts its writer.
    pub async fn open(
        folder: Option<&Path>,
        registry: Arc<Registry>,
        now: Now,
        limits: Limits,
    ) -> Result<Self, DiskError> {
        let (disk, loaded) = match folder {
            Some(folder) => {
                let (disk, loaded) = disk::open(folder.to_owned(), limits.cache_bytes).await?;
                (Some(disk), loaded)
            }
            None => (None, disk::Loaded::default()),
        };
        let state = State::new(loaded, &registry, &limits)?;
        let state = Arc::new(RwLock::new(state));
        let (queue, requests) = mpsc::channel(QUEUE);
        let (end, ended) = watch::channel(false);
        let writer = writer::Writer::new(Arc::clone(&state), registry, now, disk, limits);
        tokio::spawn(async move {
            writer.run(requests).await;
            end.send_replace(true);
        });
        Ok(Self {
            state,
            queue,
            ended,
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resource version of the last write.
    pub fn version(&self) -> u64 {
        self.read().version
    }

    pub fn get(&self, resource: &Resource, key: &Key) -> Option<Arc<Entry>> {
        self.read().get(&resource.id, key).cloned()
    }

    /// Objects in the order of their keys, as they were at one version.
    pub fn list(&self, resource: &Resource, page: &Page<'_>) -> Option<(u64, Vec<Arc<Entry>>)> {
        self.read().list(&resource.id, page)
    }

    /// Events after `version`, at most `limit`, and up to which version that is all there is; `None`
    /// if history no longer reaches back that far.
    pub fn events(
        &self,
        resource: &Resource,
        version: u64,
        limit: usize,
    ) -> Option<(Vec<Arc<Event>>, u64)> {
        self.read().events(&resource.id, version, limit)
    }

    /// Tells of every new version of anything in `resource`.
    pub fn subscribe(&self, resource: &Resource) -> watch::Receiver<u64> {
        write_lock(&self.state)
            .table(&resource.id)
            .signal
            .subscribe()
    }

    /// Has the writer do it, and waits for the answer.
    pub async fn write(&self, write: Write) -> Result<Written, WriteError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Request { write, reply })
            .await
            .map_err(|_| WriteError::Closed)?;
        answer.await.map_err(|_| WriteError::Closed)?
    }

    /// Whether the preconditions of a deletion hold for `entry`.
    #[allow(clippy::unused_self)]
    pub fn may_delete(
        &self,
        uid: Option<&str>,
        version: Option<u64>,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        writer::check(uid, version, entry)
    }

    /// Waits until the writer has ended, which it does when all who could write are gone.
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }
}

fn read_lock(state: &RwLock<State>) -> RwLockReadGuard<'_, State> {
    state.read().unwrap_or_else(PoisonError::into_inner)
}

fn write_lock(state: &RwLock<State>) -> RwLockWriteGuard<'_, State> {
    state.write().unwrap_or_else(PoisonError::into_inner)
}
