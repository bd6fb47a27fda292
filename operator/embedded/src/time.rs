//! Times as `metav1.Time` writes them.

use jiff::{Timestamp, Unit};

/// In UTC, to the second.
pub(crate) fn seconds(now: Timestamp) -> String {
    // Rounding can only fail at the end of time.
    let floor = Timestamp::from_second(now.as_second()).unwrap_or(now);
    floor.round(Unit::Second).unwrap_or(floor).to_string()
}
