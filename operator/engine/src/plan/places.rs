//! Where machines are against where they should be (PL-6, FO-10).

use std::collections::BTreeMap;

use drover_api::common::SiteRole;
use drover_api::value::{GroupName, MachineName};
use drover_api::{Override, RecoveryPlanSpec};
use drover_world::MachineId;

/// Where machines are seen to be. Of one that is not listed it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<MachineId, SiteRole>);

impl Places {
    /// Nothing is known: a review.
    pub const NONE: Self = Self(BTreeMap::new());

    /// Where a machine is.
    pub fn get(&self, machine: &MachineId) -> Option<SiteRole> {
        self.0.get(machine).copied()
    }
}

impl FromIterator<(MachineId, SiteRole)> for Places {
    fn from_iter<T: IntoIterator<Item = (MachineId, SiteRole)>>(places: T) -> Self {
        Self(places.into_iter().collect())
    }
}

/// Where a plan wants a machine: where its override says, else where the plan is. Nothing for a plan
/// that only drills and forecasts (PL-7).
pub fn wanted(plan: &RecoveryPlanSpec, group: &GroupName, name: &MachineName) -> Option<SiteRole> {
    let own = plan.overrides.iter().find(|one| is_about(one, group, name));
    own.map(|one| one.active_site).or(plan.active_site)
}

fn is_about(one: &Override, group: &GroupName, name: &MachineName) -> bool {
    let written = one.protection_group.as_ref();
    one.machine == *name && written.is_none_or(|written| written == group)
}

/// How many machines of a plan are where they should be, and how many have to go where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Where they should be.
    pub in_place: usize,
    /// They should be at the primary site and are not.
    pub to_primary: usize,
    /// They should be at the secondary site and are not.
    pub to_secondary: usize,
    /// Nobody who would know where they are answers (SA-1).
    pub unknown: usize,
}

impl Balance {
    /// Counts one machine.
    pub fn count(&mut self, wanted: SiteRole, at: Option<SiteRole>) {
        match (at, wanted) {
            (None, _) => self.unknown += 1,
            (Some(at), wanted) if at == wanted => self.in_place += 1,
            (Some(_), SiteRole::Primary) => self.to_primary += 1,
            (Some(_), SiteRole::Secondary) => self.to_secondary += 1,
        }
    }

    /// Machines that have to go to this side.
    pub fn towards(&self, role: SiteRole) -> usize {
        match role {
            SiteRole::Primary => self.to_primary,
            SiteRole::Secondary => self.to_secondary,
        }
    }

    /// Machines that are not where they should be.
    pub fn misplaced(&self) -> usize {
        self.to_primary + self.to_secondary
    }
}
