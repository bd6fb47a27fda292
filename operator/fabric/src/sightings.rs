//! What was seen in bulk, and what changed since.

/// A place in the history of what a driver observes. Only its driver can compare two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub u64);

/// What was seen: everything, or what changed since a cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Sightings<K, V> {
    /// Up to where this goes.
    pub cursor: Cursor,
    /// How much of what there is this names.
    pub extent: Extent,
    /// What is there.
    pub seen: Vec<(K, V)>,
    /// What is not there any more; only named among changes.
    pub gone: Vec<K>,
}

/// How much of what there is was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything: what is not named is absent.
    All,
    /// What answers. A part of the place does not, as one host of many: what is not named may be there, and
    /// nothing is known of it (SA-1).
    Part,
    /// What changed.
    Changes,
}

impl Extent {
    /// What a driver looked at that was asked for what changed since a cursor, if it was.
    pub fn since(cursor: Option<Cursor>) -> Self {
        match cursor {
            None => Self::All,
            Some(_) => Self::Changes,
        }
    }
}
