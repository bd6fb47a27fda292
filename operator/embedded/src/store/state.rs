//! All live objects and their recent history, in memory.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
    sync::Arc,
};

use tokio::sync::watch;

use super::disk::{DiskError, Loaded};
use crate::{
    Limits,
    object::{Draft, Entry, Key},
    registry::{DEFINITIONS, Registry},
};

/// Names a table: the same for all versions of a kind.
pub(crate) type TableId = Arc<str>;

/// Where an object is.
pub(super) type Place = (TableId, Key);

/// What happened to an object, seen without any selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Added,
    Modified,
    Deleted,
}

/// One change of one object. Watchers share it.
#[derive(Debug)]
pub(crate) struct Event {
    pub kind: EventKind,
    /// The object after the change; if it was deleted, its last state at the version of the deletion.
    pub entry: Arc<Entry>,
    pub before: Option<Arc<Entry>>,
}

impl Event {
    pub fn version(&self) -> u64 {
        self.entry.version
    }

    pub fn after(&self) -> Option<&Arc<Entry>> {
        (self.kind != EventKind::Deleted).then_some(&self.entry)
    }
}

/// All namespaces or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope<'a> {
    All,
    Namespace(&'a str),
}

impl Scope<'_> {
    pub fn holds(self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Namespace(namespace) => &*key.namespace == namespace,
        }
    }
}

/// Which part of a table to list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    pub scope: Scope<'a>,
    /// Only what comes after this key.
    pub after: Option<&'a Key>,
    /// As it was at this version; `None`: now.
    pub at: Option<u64>,
}

/// The objects of one kind.
pub(super) struct Table {
    pub objects: BTreeMap<Key, Arc<Entry>>,
    log: VecDeque<Arc<Event>>,
    log_bytes: usize,
    /// Everything that happened after this version is in `log`.
    floor: u64,
    pub signal: watch::Sender<u64>,
}

impl Table {
    fn new(floor: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            log: VecDeque::new(),
            log_bytes: 0,
            floor,
            signal: watch::channel(floor).0,
        }
    }

    fn first_after(&self, version: u64) -> usize {
        self.log.partition_point(|event| event.version() <= version)
    }

    fn remember(&mut self, event: Arc<Event>, limits: &Limits) {
        self.log_bytes += event.entry.bytes.len();
        self.log.push_back(event);
        while self.log.len() > limits.history_events || self.log_bytes > limits.history_bytes {
            let Some(oldest) = self.log.pop_front() else {
                break;
            };
            self.log_bytes -= oldest.entry.bytes.len();
            self.floor = oldest.version();
        }
    }

    fn range<'a>(
        &'a self,
        page: &Page<'_>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Entry>)> + use<'a> {
        let first = match page.scope {
            Scope::All => Key::default(),
            Scope::Namespace(namespace) => Key::new(namespace, ""),
        };
        let start = match page.after {
            Some(after) if *after > first => Bound::Excluded(after.clone()),
            _ => Bound::Included(first),
        };
        let namespace = match page.scope {
            Scope::All => None,
            Scope::Namespace(namespace) => Some(Box::<str>::from(namespace)),
        };
        self.objects
            .range((start, Bound::Unbounded))
            .take_while(move |(key, _)| {
                namespace
                    .as_ref()
                    .is_none_or(|namespace| key.namespace == *namespace)
            })
    }
}

/// One accepted change: what stands at a place before and after it.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub place: Place,
    pub before: Option<Arc<Entry>>,
    /// Once stored; for a removal, the last state at the version of the removal.
    pub entry: Arc<Entry>,
    pub removed: bool,
}

/// See the module.
pub(super) struct State {
    pub version: u64,
    /// The version when the process started: there is no history from before.
    opened_at: u64,
    tables: BTreeMap<TableId, Table>,
    uids: BTreeMap<Box<str>, Place>,
    /// By the uid of their owner.
    dependents: BTreeMap<Box<str>, BTreeSet<Place>>,
    limits: Limits,
}

impl State {
    /// What was loaded, definitions first, so that the kinds of all other objects are known.
    pub fn new(loaded: Loaded, registry: &Registry, limits: &Limits) -> Result<Self, DiskError> {
        let mut state = Self {
            version: loaded.version,
            opened_at: loaded.version,
            tables: BTreeMap::new(),
            uids: BTreeMap::new(),
            dependents: BTreeMap::new(),
            limits: *limits,
        };
        let (definitions, others): (Vec<_>, Vec<_>) = loaded
            .objects
            .into_iter()
            .partition(|(table, _)| table == DEFINITIONS);
        for (table, bytes) in definitions.into_iter().chain(others) {
            let object: serde_json::Value =
                serde_json::from_slice(&bytes).map_err(|error| DiskError::Unreadable {
                    table: table.clone(),
                    message: error.to_string(),
                })?;
            if table == DEFINITIONS {
                registry.define(&object);
            }
            let version = object["metadata"]["resourceVersion"]
                .as_str()
                .and_then(|text| text.parse().ok());
            // An object whose kind is no longer known stays on disk and is served again when its
            // definition returns at a later start.
            let (Some(version), Some(resource)) = (version, registry.of_table(&table)) else {
                continue;
            };
            let entry = Arc::new(
                Draft::of(&object, &resource.selectable).seal(resource.stored_head(), version),
            );
            let place = (Arc::clone(&resource.id), entry.key().clone());
            state.index(&place, None, Some(&entry));
            state.table(&place.0).objects.insert(place.1, entry);
        }
        Ok(state)
    }

    pub fn table(&mut self, id: &TableId) -> &mut Table {
        let floor = self.opened_at;
        self.tables
            .entry(Arc::clone(id))
            .or_insert_with(|| Table::new(floor))
    }

    pub fn get(&self, table: &TableId, key: &Key) -> Option<&Arc<Entry>> {
        self.tables.get(table)?.objects.get(key)
    }

    pub fn tables(&self) -> impl Iterator<Item = (&TableId, &Table)> {
        self.tables.iter()
    }

    pub fn by_uid(&self, uid: &str) -> Option<&Place> {
        self.uids.get(uid)
    }

    pub fn dependents(&self, uid: &str) -> impl Iterator<Item = &Place> + use<'_> {
        self.dependents.get(uid).into_iter().flatten()
    }

    pub fn list(&self, table: &TableId, page: &Page<'_>) -> Option<(u64, Vec<Arc<Entry>>)> {
        let Some(table) = self.tables.get(table) else {
            return Some((page.at.unwrap_or(self.version), Vec::new()));
        };
        let Some(at) = page.at.filter(|at| *at < self.version) else {
            return Some((
                self.version,
                table
                    .range(page)
                    .map(|(_, entry)| Arc::clone(entry))
                    .collect(),
            ));
        };
        if at < table.floor {
            return None;
        }
        // Today's objects, with all that happened since taken back.
        let mut then: BTreeMap<&Key, Option<&Arc<Entry>>> = table
            .range(page)
            .map(|(key, entry)| (key, Some(entry)))
            .collect();
        for event in table.log.range(table.first_after(at)..).rev() {
            let key = event.entry.key();
            if page.scope.holds(key) && page.after.is_none_or(|after| key > after) {
                then.insert(key, event.before.as_ref());
            }
        }
        Some((at, then.into_values().flatten().cloned().collect()))
    }

    pub fn events(
        &self,
        table: &TableId,
        version: u64,
        limit: usize,
    ) -> Option<(Vec<Arc<Event>>, u64)> {
        let Some(table) = self.tables.get(table) else {
            return (version >= self.opened_at).then_some((Vec::new(), self.version));
        };
        if version < table.floor {
            return None;
        }
        let events: Vec<_> = table
            .log
            .range(table.first_after(version)..)
            .take(limit)
            .cloned()
            .collect();
        let seen = if events.len() == limit {
            events.last().map_or(version, |event| event.version())
        } else {
            self.version
        };
        Some((events, seen))
    }

    /// Makes `changes` visible. They are in the order of their versions.
    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            let after = (!change.removed).then_some(&change.entry);
            self.index(&change.place, change.before.as_ref(), after);
            self.version = change.entry.version;
            let limits = self.limits;
            let table = self.table(&change.place.0);
            match after {
                Some(entry) => table
                    .objects
                    .insert(change.place.1.clone(), Arc::clone(entry)),
                None => table.objects.remove(&change.place.1),
            };
            let kind = match (&change.before, after) {
                (_, None) => EventKind::Deleted,
                (None, Some(_)) => EventKind::Added,
                (Some(_), Some(_)) => EventKind::Modified,
            };
            let event = Event {
                kind,
                entry: Arc::clone(&change.entry),
                before: change.before.clone(),
            };
            table.remember(Arc::new(event), &limits);
        }
        let touched: BTreeSet<&TableId> = changes.iter().map(|change| &change.place.0).collect();
        for id in touched {
            let version = self.version;
            self.table(id).signal.send_replace(version);
        }
    }

    fn index(&mut self, place: &Place, before: Option<&Arc<Entry>>, after: Option<&Arc<Entry>>) {
        if let (Some(before), Some(after)) = (before, after)
            && Arc::ptr_eq(&before.meta, &after.meta)
        {
            return;
        }
        if let Some(before) = before {
            self.uids.remove(&before.meta.uid);
            for owner in &before.meta.owners {
                if let Some(places) = self.dependents.get_mut(&owner.uid) {
                    places.remove(place);
                    if places.is_empty() {
                        self.dependents.remove(&owner.uid);
                    }
                }
            }
        }
        if let Some(after) = after {
            self.uids.insert(after.meta.uid.clone(), place.clone());
            for owner in &after.meta.owners {
                self.dependents
                    .entry(owner.uid.clone())
                    .or_default()
                    .insert(place.clone());
            }
        }
    }
}
