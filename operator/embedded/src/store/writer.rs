//! The one task that changes what is stored.

use std::sync::{Arc, RwLock};

use tokio::sync::mpsc;

use super::{
    Request, Write, WriteError, Written,
    batch::Batch,
    chores::Chores,
    disk::Disk,
    read_lock, removal,
    state::{Change, Place, State},
    write_lock,
};
use crate::{
    Limits, Now,
    object::{Draft, Key},
    registry::{DEFINITIONS, NAMESPACES, Registry, Resource},
};

/// Requests that are made durable together.
const BATCH: usize = 256;

/// How long chores pause while the disk takes nothing.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// What a request will be told, once the batch is durable.
type Answered = (Request, Result<Written, WriteError>);

pub(super) struct Writer {
    state: Arc<RwLock<State>>,
    registry: Arc<Registry>,
    now: Now,
    /// `None`: in memory only.
    disk: Option<Disk>,
    chores: Chores,
}

impl Writer {
    pub fn new(
        state: Arc<RwLock<State>>,
        registry: Arc<Registry>,
        now: Now,
        disk: Option<Disk>,
        limits: Limits,
    ) -> Self {
        let mut chores = Chores::new(limits.events);
        chores.find(&read_lock(&state), now());
        Self {
            state,
            registry,
            now,
            disk,
            chores,
        }
    }

    /// Works until nobody can ask for anything any more and all chores are done.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let mut taken = Vec::new();
            if self.chores.is_empty() {
                if requests.recv_many(&mut taken, BATCH).await == 0 {
                    break;
                }
            } else {
                while taken.len() < BATCH
                    && let Ok(request) = requests.try_recv()
                {
                    taken.push(request);
                }
            }
            let idle = taken.is_empty();
            if !self.turn(taken).await && idle {
                if requests.is_closed() {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        if let Some(disk) = self.disk {
            disk.close().await;
        }
    }

    /// One batch; says whether it was taken.
    async fn turn(&mut self, requests: Vec<Request>) -> bool {
        if let Some(disk) = &mut self.disk {
            match disk.mend().await {
                Ok(Some(landed)) => self.publish(&landed),
                Ok(None) => {}
                Err(message) => {
                    refuse(requests, &message);
                    return false;
                }
            }
        }
        let (changes, answers) = self.decide(requests);
        let changes: Arc<[Change]> = changes.into();
        if let (Some(disk), false) = (&mut self.disk, changes.is_empty())
            && let Err(message) = disk.commit(Arc::clone(&changes)).await
        {
            tracing::error!(message, "the store did not take a write");
            self.chores.put_back();
            for (request, result) in answers {
                let _ = request
                    .reply
                    .send(result.and(Err(WriteError::Disk(message.clone()))));
            }
            return false;
        }
        self.publish(&changes);
        for (request, result) in answers {
            // A caller that left does not undo its write.
            let _ = request.reply.send(result);
        }
        true
    }

    fn decide(&mut self, requests: Vec<Request>) -> (Vec<Change>, Vec<Answered>) {
        let state = read_lock(&self.state);
        let now = (self.now)();
        let mut batch = Batch::new(&state);
        let answers = requests
            .into_iter()
            .map(|request| {
                let result = perform(&mut batch, &request.write, now);
                (request, result)
            })
            .collect();
        self.chores.work(&mut batch, &self.registry, now);
        (batch.finish(), answers)
    }

    fn publish(&mut self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        for change in changes
            .iter()
            .filter(|change| &*change.place.0 == DEFINITIONS)
        {
            if change.removed {
                self.registry.undefine(&change.place.1.name);
            } else {
                self.registry.define(&change.entry.value());
            }
        }
        write_lock(&self.state).apply(changes);
        self.chores
            .note(&read_lock(&self.state), changes, (self.now)());
    }
}

fn refuse(requests: Vec<Request>, message: &str) {
    for request in requests {
        let _ = request
            .reply
            .send(Err(WriteError::Disk(message.to_owned())));
    }
}

fn perform(
    batch: &mut Batch<'_>,
    write: &Write,
    now: jiff::Timestamp,
) -> Result<Written, WriteError> {
    match write {
        Write::Put {
            resource,
            draft,
            expected,
        } => put(batch, resource, draft, *expected),
        Write::Delete {
            resource,
            key,
            uid,
            version,
            propagation,
        } => {
            let place = (Arc::clone(&resource.id), key.clone());
            let entry = batch.get(&place).ok_or(WriteError::Missing)?;
            check(uid.as_deref(), *version, &entry)?;
            removal::delete(batch, resource, &entry, *propagation, now)
        }
    }
}

/// The preconditions of a deletion.
pub(super) fn check(
    uid: Option<&str>,
    version: Option<u64>,
    entry: &crate::object::Entry,
) -> Result<(), WriteError> {
    if let Some(wanted) = uid
        && wanted != &*entry.meta.uid
    {
        return Err(WriteError::OtherUid {
            wanted: wanted.to_owned(),
            found: entry.meta.uid.to_string(),
        });
    }
    match version {
        Some(wanted) if wanted != entry.version => Err(WriteError::OtherVersion {
            wanted,
            found: entry.version,
        }),
        _ => Ok(()),
    }
}

fn put(
    batch: &mut Batch<'_>,
    resource: &Resource,
    draft: &Draft,
    expected: Option<u64>,
) -> Result<Written, WriteError> {
    let place: Place = (Arc::clone(&resource.id), draft.meta.key.clone());
    match (expected, batch.get(&place)) {
        (None, Some(_)) => return Err(WriteError::Exists),
        (None, None) => may_hold(batch, &place)?,
        (Some(_), None) => return Err(WriteError::Missing),
        (Some(expected), Some(current)) if current.version != expected => {
            return Err(WriteError::Stale);
        }
        (Some(_), Some(_)) => {}
    }
    // The last finalizer was taken off an object that only waited for that.
    if draft.meta.deleting && draft.meta.finalizers.is_empty() && &*resource.id != NAMESPACES {
        let last = draft.seal(resource.stored_head(), expected.unwrap_or_default());
        return Ok(Written::Gone(batch.remove(resource, &last)));
    }
    Ok(Written::Stands(batch.put(resource, draft)))
}

/// Whether a new object may be put at `place`.
fn may_hold(batch: &Batch<'_>, place: &Place) -> Result<(), WriteError> {
    if !place.1.namespace.is_empty() {
        let namespace = batch.get(&(NAMESPACES.into(), Key::new("", &place.1.namespace)));
        if namespace.ok_or(WriteError::NoNamespace)?.meta.deleting {
            return Err(WriteError::NamespaceEnds);
        }
    }
    match batch.get(&(DEFINITIONS.into(), Key::new("", &place.0))) {
        Some(definition) if definition.meta.deleting => Err(WriteError::DefinitionEnds),
        _ => Ok(()),
    }
}
