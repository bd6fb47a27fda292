//! Whether the members of a consistency group can be recovered together (PR-7).

use drover_api::MachinePhase;
use drover_world::{Link, Observed, Point};

use super::point::shared;

/// Another member of a machine's consistency group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// Where it stands, as last recorded.
    pub phase: MachinePhase,
    /// How its data moves.
    pub link: Observed<Link>,
}

impl Companion {
    /// Whether the group is recovered together with it. Nothing replicates those that were moved for good,
    /// or that a person decides about.
    fn counts(&self) -> bool {
        use MachinePhase as P;
        !matches!(
            self.phase,
            P::NotProtected | P::Migrated | P::Inconsistent | P::Disabling
        )
    }
}

/// Whether the members of a consistency group can be recovered together: they have a recovery point of one
/// and the same instant (PR-7), without which an unplanned failover could not begin.
pub fn recoverable_together(members: &[Companion]) -> bool {
    links(members).is_some_and(|links| share_an_instant(&links))
}

/// The same of a machine and the other members: its first copy is of an instant of its own.
pub(super) fn recoverable_with(others: &[Companion], link: &Link) -> bool {
    links(others).is_some_and(|mut links| {
        links.push(link);
        share_an_instant(&links)
    })
}

/// The links of those that count; nothing while one of them is not known.
fn links(members: &[Companion]) -> Option<Vec<&Link>> {
    let counted = members.iter().filter(|member| member.counts());
    counted.map(|member| member.link.seen()).collect()
}

fn share_an_instant(links: &[&Link]) -> bool {
    let points: Vec<&[Point]> = links.iter().map(|link| link.points.as_slice()).collect();
    points.len() < 2 || !shared(&points).is_empty()
}
