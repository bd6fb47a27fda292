//! How old what could be recovered is, machine by machine.

use drover_api::ProtectedMachine;
use drover_api::value::{Duration, humanize};
use jiff::Timestamp;

use super::moments::{between, full, rough};

/// What could be recovered of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recoverable {
    /// The machine, with its protection group.
    pub machine: String,
    /// The newest recovery point.
    pub newest: Option<Timestamp>,
    /// Time that starting from it would lose now.
    pub age: Option<Duration>,
    /// Bytes that are not at the other side.
    pub pending_bytes: u64,
    /// Recovery points.
    pub points: u32,
}

/// What could be recovered of each machine, the oldest first; those of which it is not known come
/// before all others.
pub fn recoverable(machines: &[ProtectedMachine], now: Timestamp) -> Vec<Recoverable> {
    let mut all: Vec<Recoverable> = machines.iter().map(|machine| of(machine, now)).collect();
    all.sort_by(|one, other| (one.newest, &one.machine).cmp(&(other.newest, &other.machine)));
    all
}

fn of(machine: &ProtectedMachine, now: Timestamp) -> Recoverable {
    let status = machine.status.as_ref();
    let replication = status.and_then(|status| status.replication.as_ref());
    let newest = replication.and_then(|seen| seen.newest_point);
    Recoverable {
        machine: format!("{}/{}", machine.spec.group_ref.name, machine.spec.machine),
        newest,
        age: newest.map(|at| between(at, now)),
        pending_bytes: replication.map_or(0, |seen| seen.pending_bytes),
        points: replication.map_or(0, |seen| seen.recovery_points),
    }
}

impl Recoverable {
    /// `shop-data/db-1: last point 2026-11-20 14:00:00 UTC, 12m ago; 1.5 GiB not sent`.
    pub fn sentence(&self) -> String {
        let pending = match self.pending_bytes {
            0 => String::new(),
            bytes => format!("; {} not sent", humanize(bytes)),
        };
        match (self.newest, &self.age) {
            (Some(newest), Some(age)) => format!(
                "{}: last point {} UTC, {} ago{pending}",
                self.machine,
                full(newest),
                rough(age)
            ),
            _ => format!("{}: no recovery point is known{pending}", self.machine),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::fixtures;

    #[test]
    fn the_oldest_point_is_told_first() {
        // SPEC: SA-8
        let now = "2026-11-20T14:00:00Z".parse().unwrap();
        let all = recoverable(&fixtures::machines(), now);
        let told: Vec<String> = all.iter().map(Recoverable::sentence).collect();
        assert_eq!(
            told,
            [
                "shop-web/web-2: no recovery point is known",
                "shop-data/db-1: last point 2026-11-20 13:48:00 UTC, 12m ago; 1.5 GiB not sent",
                "shop-web/web-1: last point 2026-11-20 13:59:30 UTC, 30s ago",
            ]
        );
    }
}
