//! Where the machines of a plan are.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::common::SiteRole;
use drover_api::conditions::RPO_EXCEEDED;
use drover_api::{ActualSite, Consistency, ProtectedMachine, RecoveryPlan};
use drover_world::{Instance, Observed};

use super::plan::is_protected;
use crate::cache::ObjectKey;
use crate::context::Context;
use crate::drivers::Place;
use crate::index::Index;

/// Where the machines of a plan are, and how they are.
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts {
    /// All in one place, or not; machines with an override of their own are not counted.
    pub(crate) actual: ActualSite,
    pub(crate) machines: usize,
    pub(crate) protected: usize,
    /// Machines behind their RPO threshold.
    pub(crate) late: usize,
    /// Machines that run at both sites.
    pub(crate) split: usize,
    /// Machines at the plan's site that an override wants elsewhere.
    pub(crate) misplaced_overrides: usize,
    /// The highest epoch that anything reports for any of them.
    pub(crate) highest_epoch: u64,
    counts: [usize; 2],
}

impl Whereabouts {
    /// Whether all machines, those with an override too, are at this side.
    pub(crate) fn all_at(&self, role: SiteRole) -> bool {
        let at = match role {
            SiteRole::Primary => self.counts[0],
            SiteRole::Secondary => self.counts[1],
        };
        at == self.machines && self.machines > 0
    }
}

/// Where the machines of a plan are.
pub(crate) fn whereabouts(context: &Context, key: &ObjectKey, plan: &RecoveryPlan) -> Whereabouts {
    let machines = machines_of(context, key, plan);
    let index = context.index();
    let mut found = Whereabouts {
        actual: ActualSite::Unknown,
        machines: machines.len(),
        protected: 0,
        late: 0,
        split: 0,
        misplaced_overrides: 0,
        highest_epoch: 0,
        counts: [0, 0],
    };
    let declared = plan.spec.active_site;
    let (mut primary, mut secondary, mut unknown) = (0_usize, 0_usize, 0_usize);
    for machine in &machines {
        let place = Place::of(&key.namespace, &machine.spec, Consistency::PerMachine);
        let status = machine.status.as_ref();
        found.protected += usize::from(status.is_some_and(|status| is_protected(status.phase)));
        let late = status.into_iter().flat_map(|status| &status.conditions);
        found.late += usize::from(
            late.into_iter()
                .any(|condition| condition.type_ == RPO_EXCEEDED),
        );
        found.highest_epoch = found.highest_epoch.max(highest_epoch(&index, &place));
        let seen = Seen::of(&index, &place);
        found.split += usize::from(seen == Seen::Both);
        // A lost site must not keep a person from leaving it: while one site answers, what was known
        // last stands. While none does, nothing is known.
        let at = match seen {
            Seen::Blind => None,
            seen => seen
                .side()
                .or_else(|| status.and_then(|status| status.active_site)),
        };
        match at {
            Some(SiteRole::Primary) => found.counts[0] += 1,
            Some(SiteRole::Secondary) => found.counts[1] += 1,
            None => {}
        }
        if let Some(own) = override_of(plan, machine) {
            found.misplaced_overrides += usize::from(Some(own) != declared && at == declared);
            continue;
        }
        match at {
            Some(SiteRole::Primary) => primary += 1,
            Some(SiteRole::Secondary) => secondary += 1,
            None => unknown += 1,
        }
    }
    found.actual = match (primary, secondary, unknown) {
        (_, _, 1..) | (0, 0, 0) => ActualSite::Unknown,
        (_, 0, 0) => ActualSite::Primary,
        (0, _, 0) => ActualSite::Secondary,
        _ => ActualSite::Mixed,
    };
    found
}

/// At which of its sites a machine is seen to serve.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    At(SiteRole),
    Both,
    /// At none, or the site that would tell does not answer.
    Open,
    /// Neither site answers.
    Blind,
}

impl Seen {
    fn of(index: &Index, place: &Place) -> Self {
        let serves = |role| {
            let seen = index.instance(place.sites.at(role), &place.instance(role, false));
            match seen {
                Observed::Seen { value, .. } => Some(Instance::may_serve(&value)),
                Observed::Unknown { .. } => None,
            }
        };
        match (serves(SiteRole::Primary), serves(SiteRole::Secondary)) {
            (Some(true), Some(true)) => Self::Both,
            (Some(true), _) => Self::At(SiteRole::Primary),
            (_, Some(true)) => Self::At(SiteRole::Secondary),
            (None, None) => Self::Blind,
            _ => Self::Open,
        }
    }

    fn side(self) -> Option<SiteRole> {
        match self {
            Self::At(role) => Some(role),
            Self::Both | Self::Open | Self::Blind => None,
        }
    }
}

fn highest_epoch(index: &Index, place: &Place) -> u64 {
    let at = |role| index.highest_epoch(place.sites.at(role), place.subject.at(role));
    let link = match index.link(&place.pair, &place.subject.primary) {
        Observed::Seen { value, .. } => value.epoch,
        Observed::Unknown { last, .. } => last.map_or(0, |link| link.epoch),
    };
    at(SiteRole::Primary).max(at(SiteRole::Secondary)).max(link)
}

fn override_of(plan: &RecoveryPlan, machine: &ProtectedMachine) -> Option<SiteRole> {
    let entry = plan.spec.overrides.iter().find(|entry| {
        let group = entry.protection_group.as_ref();
        entry.machine == machine.spec.machine
            && group.is_none_or(|group| *group == machine.spec.group_ref.name)
    })?;
    Some(entry.active_site)
}

/// The protected machines that a plan is about, each once.
fn machines_of(
    context: &Context,
    key: &ObjectKey,
    plan: &RecoveryPlan,
) -> Vec<Arc<ProtectedMachine>> {
    let cache = context.cache();
    let mut found: BTreeMap<ObjectKey, Arc<ProtectedMachine>> = BTreeMap::new();
    for group in &plan.spec.groups {
        for name in &group.protection_groups {
            let of = ObjectKey::new(&key.namespace, name.as_str());
            let members = cache.members(&of);
            found.extend(members.map(|machine| (ObjectKey::of(&**machine), Arc::clone(machine))));
        }
        for single in &group.machines {
            let of = ObjectKey::new(&key.namespace, single.protection_group.as_str());
            let machine = cache.member(&of, single.name.as_str());
            found.extend(machine.map(|machine| (ObjectKey::of(&**machine), Arc::clone(machine))));
        }
    }
    found.into_values().collect()
}
