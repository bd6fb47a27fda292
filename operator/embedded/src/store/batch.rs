//! Writes that become durable and visible together; each sees those before it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::state::{Change, Place, State};
use crate::{
    object::{Draft, Entry},
    registry::Resource,
};

/// Changes on top of a state that stands still meanwhile.
pub(super) struct Batch<'a> {
    pub state: &'a State,
    overlay: BTreeMap<Place, Option<Arc<Entry>>>,
    changes: Vec<Change>,
    version: u64,
}

impl<'a> Batch<'a> {
    pub fn new(state: &'a State) -> Self {
        Self {
            state,
            overlay: BTreeMap::new(),
            changes: Vec::new(),
            version: state.version,
        }
    }

    pub fn get(&self, place: &Place) -> Option<Arc<Entry>> {
        match self.overlay.get(place) {
            Some(entry) => entry.clone(),
            None => self.state.get(&place.0, &place.1).cloned(),
        }
    }

    /// Whether an object with this uid is there for dependents in `namespace`.
    pub fn owner(&self, uid: &str, namespace: &str) -> Option<Arc<Entry>> {
        let place = match self.state.by_uid(uid) {
            Some(place) => place,
            None => {
                self.overlay
                    .iter()
                    .find(|(_, entry)| entry.as_ref().is_some_and(|entry| &*entry.meta.uid == uid))?
                    .0
            }
        };
        let in_reach = place.1.namespace.is_empty() || &*place.1.namespace == namespace;
        self.get(place)
            .filter(|entry| in_reach && &*entry.meta.uid == uid)
    }

    pub fn put(&mut self, resource: &Resource, draft: &Draft) -> Arc<Entry> {
        self.version += 1;
        let entry = Arc::new(draft.seal(resource.stored_head(), self.version));
        self.record(
            (Arc::clone(&resource.id), entry.key().clone()),
            Arc::clone(&entry),
            false,
        );
        entry
    }

    /// Removes `last`, an object as it stands or as its last update left it.
    pub fn remove(&mut self, resource: &Resource, last: &Entry) -> Arc<Entry> {
        self.version += 1;
        let entry = Arc::new(last.at(self.version));
        self.record(
            (Arc::clone(&resource.id), entry.key().clone()),
            Arc::clone(&entry),
            true,
        );
        entry
    }

    /// Stores `entry` with what `change` does to its value.
    pub fn edit(
        &mut self,
        resource: &Resource,
        entry: &Entry,
        change: impl FnOnce(&mut Value),
    ) -> Arc<Entry> {
        let mut value = entry.value();
        change(&mut value);
        self.put(resource, &Draft::of(&value, &resource.selectable))
    }

    fn record(&mut self, place: Place, entry: Arc<Entry>, removed: bool) {
        let before = self.get(&place);
        self.overlay
            .insert(place.clone(), (!removed).then(|| Arc::clone(&entry)));
        self.changes.push(Change {
            place,
            before,
            entry,
            removed,
        });
    }

    pub fn changes(&self) -> usize {
        self.changes.len()
    }

    pub fn finish(self) -> Vec<Change> {
        self.changes
    }
}
