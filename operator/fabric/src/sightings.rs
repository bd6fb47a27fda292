//! What was seen in bulk, and what changed since.

/// A place in the history of what a driver observes. Only its driver can compare two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub u64);

/// What was seen: everything, or what changed since a cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Sightings<K, V> {
    /// Up to where this goes.
    pub cursor: Cursor,
    /// Whether this is everything: what it does not name is absent. Else it names only what changed.
    pub complete: bool,
    /// What is there.
    pub seen: Vec<(K, V)>,
    /// What is not there any more; empty where `complete` is set.
    pub gone: Vec<K>,
}
