//! What follows from changes without anybody asking for it: dependents go after their owner, the
//! content of a namespace goes before it, so do the objects of a definition, and events age.
//!
//! Chores are done by the writer, some with each batch, so that they are as durable and as ordered
//! as any other write. They are found again when a store is opened.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Propagation,
    batch::Batch,
    removal::{self, CLEANUP, FOREGROUND, ORPHAN},
    state::{Change, Page, Place, Scope, State},
};
use crate::{
    object::{Entry, Key},
    registry::{DEFINITIONS, EVENTS, NAMESPACES, Registry, Resource},
};

/// As the real API server keeps events.
const EVENT_AGE: SignedDuration = SignedDuration::from_hours(1);

/// Changes that chores make in one batch, about: a large namespace must not hold up everybody.
const SHARE: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Chore {
    /// See whether the owners of this object are still there.
    Owners(Place),
    /// Go on with deleting this object.
    Settle(Place),
}

/// What is still to be done.
pub(super) struct Chores {
    queue: VecDeque<Chore>,
    queued: BTreeSet<Chore>,
    events: VecDeque<(Timestamp, Place, u64)>,
    most_events: usize,
    /// What the batch at hand took from the queues, to be put back if it fails.
    taken: Vec<Chore>,
    taken_events: Vec<(Timestamp, Place, u64)>,
}

impl Chores {
    pub fn new(most_events: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            queued: BTreeSet::new(),
            events: VecDeque::new(),
            most_events,
            taken: Vec::new(),
            taken_events: Vec::new(),
        }
    }

    /// The batch that the last work went into failed: all of it is still to be done.
    pub fn put_back(&mut self) {
        for chore in std::mem::take(&mut self.taken) {
            self.push(chore);
        }
        while let Some(event) = self.taken_events.pop() {
            self.events.push_front(event);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Finds what was left undone when the process ended.
    pub fn find(&mut self, state: &State, now: Timestamp) {
        let everything = Page {
            scope: Scope::All,
            after: None,
            at: None,
        };
        for (table, _) in state.tables() {
            for entry in state
                .list(table, &everything)
                .map(|(_, entries)| entries)
                .unwrap_or_default()
            {
                self.after_write(
                    state,
                    &(Arc::clone(table), entry.key().clone()),
                    None,
                    &entry,
                    now,
                );
            }
        }
    }

    /// Takes note of changes that have just become visible in `state`.
    pub fn note(&mut self, state: &State, changes: &[Change], now: Timestamp) {
        for change in changes {
            if change.removed {
                self.after_removal(state, &change.place, &change.entry);
            } else {
                self.after_write(
                    state,
                    &change.place,
                    change.before.as_deref(),
                    &change.entry,
                    now,
                );
            }
        }
    }

    fn push(&mut self, chore: Chore) {
        if self.queued.insert(chore.clone()) {
            self.queue.push_back(chore);
        }
    }

    fn after_write(
        &mut self,
        state: &State,
        place: &Place,
        before: Option<&Entry>,
        entry: &Entry,
        now: Timestamp,
    ) {
        if &*place.0 == EVENTS {
            self.events.push_back((now, place.clone(), entry.version));
        }
        let meta = &entry.meta;
        if meta.deleting {
            let held = meta.has_finalizer(FOREGROUND) || meta.has_finalizer(ORPHAN);
            if held || &*place.0 == NAMESPACES || &*place.0 == DEFINITIONS {
                self.push(Chore::Settle(place.clone()));
            }
        }
        let known = before.is_some_and(|before| before.meta.owners == meta.owners);
        if !known
            && meta
                .owners
                .iter()
                .any(|owner| state.by_uid(&owner.uid).is_none())
        {
            self.push(Chore::Owners(place.clone()));
        }
    }

    fn after_removal(&mut self, state: &State, place: &Place, entry: &Entry) {
        for dependent in state.dependents(&entry.meta.uid) {
            self.push(Chore::Owners(dependent.clone()));
        }
        let mut held: Vec<Place> = entry
            .meta
            .owners
            .iter()
            .filter_map(|owner| state.by_uid(&owner.uid))
            .cloned()
            .collect();
        if !place.1.namespace.is_empty() {
            held.push((NAMESPACES.into(), Key::new("", &place.1.namespace)));
        }
        held.push((DEFINITIONS.into(), Key::new("", &place.0)));
        for place in held {
            if state
                .get(&place.0, &place.1)
                .is_some_and(|entry| entry.meta.deleting)
            {
                self.push(Chore::Settle(place));
            }
        }
    }

    /// Does some of it.
    pub fn work(&mut self, batch: &mut Batch<'_>, registry: &Registry, now: Timestamp) {
        self.taken.clear();
        self.taken_events.clear();
        self.expire_events(batch, registry, now);
        let enough = batch.changes() + SHARE;
        while batch.changes() < enough {
            let Some(chore) = self.queue.pop_front() else {
                break;
            };
            self.queued.remove(&chore);
            let (Chore::Owners(place) | Chore::Settle(place)) = &chore;
            let (Some(resource), Some(entry)) = (registry.of_table(&place.0), batch.get(place))
            else {
                continue;
            };
            match &chore {
                Chore::Owners(_) => look_for_owners(batch, &resource, &entry, now),
                Chore::Settle(_) => {
                    if settle(batch, registry, &resource, &entry, now) == Settled::More {
                        self.push(chore.clone());
                    }
                }
            }
            self.taken.push(chore);
        }
    }

    fn expire_events(&mut self, batch: &mut Batch<'_>, registry: &Registry, now: Timestamp) {
        while let Some((written, place, version)) = self.events.front() {
            let old = now.duration_since(*written) > EVENT_AGE;
            if !old && self.events.len() <= self.most_events {
                break;
            }
            if let (Some(resource), Some(entry)) = (registry.of_table(&place.0), batch.get(place))
                && entry.version == *version
            {
                batch.remove(&resource, &entry);
            }
            self.taken_events.extend(self.events.pop_front());
        }
    }
}

/// An object none of whose owners is there goes too; otherwise it forgets those that are gone.
fn look_for_owners(batch: &mut Batch<'_>, resource: &Resource, entry: &Arc<Entry>, now: Timestamp) {
    let namespace = &entry.key().namespace;
    let gone: BTreeSet<Box<str>> = entry
        .meta
        .owners
        .iter()
        .filter(|owner| batch.owner(&owner.uid, namespace).is_none())
        .map(|owner| owner.uid.clone())
        .collect();
    if gone.is_empty() || entry.meta.deleting {
        return;
    }
    if entry
        .meta
        .owners
        .iter()
        .all(|owner| gone.contains(&owner.uid))
    {
        // Refused only for the namespace that is always there, which then simply stays.
        let _ = removal::delete(batch, resource, entry, Propagation::Background, now);
    } else {
        removal::disown(batch, resource, entry, |uid| gone.contains(uid));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Settled {
    /// Nothing more to do until something else changes.
    ForNow,
    /// Stopped at the share of one batch.
    More,
}

fn settle(
    batch: &mut Batch<'_>,
    registry: &Registry,
    resource: &Resource,
    entry: &Arc<Entry>,
    now: Timestamp,
) -> Settled {
    if !entry.meta.deleting {
        return Settled::ForNow;
    }
    let place = (Arc::clone(&resource.id), entry.key().clone());
    if entry.meta.has_finalizer(ORPHAN) {
        let left = each_dependent(batch, registry, entry, |batch, resource, dependent| {
            removal::disown(batch, resource, dependent, |uid| *uid == *entry.meta.uid);
        });
        if left == Settled::ForNow {
            removal::release(batch, resource, entry, ORPHAN);
        }
        return left;
    }
    if entry.meta.has_finalizer(FOREGROUND) {
        let left = each_dependent(batch, registry, entry, |batch, resource, dependent| {
            let has_other = dependent
                .meta
                .owners
                .iter()
                .filter(|owner| owner.uid != entry.meta.uid)
                .any(|owner| {
                    batch
                        .owner(&owner.uid, &dependent.key().namespace)
                        .is_some_and(|owner| !owner.meta.deleting)
                });
            if has_other {
                removal::disown(batch, resource, dependent, |uid| *uid == *entry.meta.uid);
            } else if !dependent.meta.deleting {
                let _ = removal::delete(batch, resource, dependent, Propagation::Background, now);
            }
        });
        if left == Settled::ForNow && !is_blocked(batch, entry) {
            removal::release(batch, resource, entry, FOREGROUND);
        }
        return left;
    }
    match &*resource.id {
        NAMESPACES => {
            let content = Content {
                table: None,
                scope: Scope::Namespace(&place.1.name),
            };
            let emptied = content.remove(batch, registry, now);
            if emptied == Emptied::Yes && entry.meta.finalizers.is_empty() {
                batch.remove(resource, entry);
            }
            emptied.settled()
        }
        DEFINITIONS if entry.meta.has_finalizer(CLEANUP) => {
            let content = Content {
                table: Some(&place.1.name),
                scope: Scope::All,
            };
            let emptied = content.remove(batch, registry, now);
            if emptied == Emptied::Yes {
                removal::release(batch, resource, entry, CLEANUP);
            }
            emptied.settled()
        }
        _ => Settled::ForNow,
    }
}

fn each_dependent(
    batch: &mut Batch<'_>,
    registry: &Registry,
    owner: &Entry,
    mut act: impl FnMut(&mut Batch<'_>, &Resource, &Arc<Entry>),
) -> Settled {
    let places: Vec<Place> = batch.state.dependents(&owner.meta.uid).cloned().collect();
    let enough = batch.changes() + SHARE;
    for place in places {
        let (Some(resource), Some(dependent)) = (registry.of_table(&place.0), batch.get(&place))
        else {
            continue;
        };
        if dependent
            .meta
            .owners
            .iter()
            .any(|each| each.uid == owner.meta.uid)
        {
            if batch.changes() >= enough {
                return Settled::More;
            }
            act(batch, &resource, &dependent);
        }
    }
    Settled::ForNow
}

fn is_blocked(batch: &Batch<'_>, owner: &Entry) -> bool {
    batch.state.dependents(&owner.meta.uid).any(|place| {
        batch.get(place).is_some_and(|entry| {
            entry
                .meta
                .owners
                .iter()
                .any(|each| each.blocks && each.uid == owner.meta.uid)
        })
    })
}

/// What a namespace or a definition holds.
struct Content<'a> {
    table: Option<&'a str>,
    scope: Scope<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Emptied {
    Yes,
    /// Finalizers hold some of it.
    Held,
    /// Stopped at the share of one batch.
    More,
}

impl Emptied {
    fn settled(&self) -> Settled {
        if *self == Self::More {
            Settled::More
        } else {
            Settled::ForNow
        }
    }
}

impl Content<'_> {
    fn remove(&self, batch: &mut Batch<'_>, registry: &Registry, now: Timestamp) -> Emptied {
        let enough = batch.changes() + SHARE;
        let page = Page {
            scope: self.scope,
            after: None,
            at: None,
        };
        let mut emptied = Emptied::Yes;
        let state = batch.state;
        for (table, _) in state.tables() {
            let in_scope = self.table.is_none_or(|wanted| wanted == &**table);
            let Some(resource) = registry.of_table(table).filter(|_| in_scope) else {
                continue;
            };
            if let Some((_, entries)) = state.list(table, &page) {
                for entry in entries {
                    let Some(entry) = batch.get(&(Arc::clone(table), entry.key().clone())) else {
                        continue;
                    };
                    if batch.changes() >= enough {
                        return Emptied::More;
                    }
                    let gone =
                        removal::delete(batch, &resource, &entry, Propagation::Background, now);
                    if !matches!(gone, Ok(super::Written::Gone(_))) {
                        emptied = Emptied::Held;
                    }
                }
            }
        }
        emptied
    }
}
