//! What was seen, or that it was not.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that is seen from outside. *Absent* is a value of `T`; *unknown* is not: an unreachable
/// site is unknown, and unknown is not down (SA-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Observed<T> {
    /// It was seen.
    Seen {
        /// What was seen.
        value: T,
        /// When.
        at: Timestamp,
    },
    /// It does not answer.
    Unknown {
        /// Since when.
        since: Timestamp,
        /// What was seen last; nothing may be concluded from it about now.
        last: Option<T>,
    },
}

impl<T> Observed<T> {
    /// What was seen; nothing while unknown.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen { value, .. } => Some(value),
            Self::Unknown { .. } => None,
        }
    }

    /// Since when it is unknown.
    pub fn unknown_since(&self) -> Option<Timestamp> {
        match self {
            Self::Seen { .. } => None,
            Self::Unknown { since, .. } => Some(*since),
        }
    }
}
