//! What changed since when: the newest change of each thing, in order.

use std::collections::BTreeMap;

/// Things by the version of their newest change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index(BTreeMap<u64, usize>);

impl Index {
    /// A thing changed: its version was `before`, and is `now`.
    pub fn changed(&mut self, thing: usize, before: u64, now: u64) {
        self.0.remove(&before);
        self.0.insert(now, thing);
    }

    /// Things that changed after a version, oldest change first.
    pub fn since(&self, version: u64) -> impl Iterator<Item = usize> + '_ {
        self.0
            .range(version.saturating_add(1)..)
            .map(|(_, thing)| *thing)
    }

    /// The newest change.
    pub fn newest(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(version, _)| *version)
    }
}
