//! Where the machines of a plan are.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::common::SiteRole;
use drover_api::conditions::RPO_EXCEEDED;
use drover_api::{ActualSite, Consistency, MachinePhase, ProtectedMachine, RecoveryPlan};
use drover_engine::decide::{self, Serving};
use drover_engine::plan::{Balance, Places, wanted};
use drover_world::{MachineId, Observed};

use crate::cache::ObjectKey;
use crate::context::Context;
use crate::drivers::Place;
use crate::index::Index;

/// Where the machines of a plan are, and how they are.
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts {
    /// Where all of them are.
    pub(crate) actual: ActualSite,
    /// Where those are that have no override of their own.
    pub(crate) home: ActualSite,
    /// How many are where they should be.
    pub(crate) balance: Balance,
    pub(crate) protected: usize,
    /// Machines behind their RPO threshold.
    pub(crate) late: usize,
    /// Machines that run at both sites.
    pub(crate) split: usize,
    /// Machines that run and that nothing replicates.
    pub(crate) unprotected: usize,
    /// Those of them whose failover is not proven to be committed.
    pub(crate) uncommitted: usize,
    /// The highest epoch that anything reports for any of them.
    pub(crate) highest_epoch: u64,
    machines: Vec<(Arc<ProtectedMachine>, Option<SiteRole>)>,
}

impl Whereabouts {
    pub(crate) fn machines(&self) -> usize {
        self.machines.len()
    }

    /// The machines themselves.
    pub(crate) fn members(&self) -> impl Iterator<Item = &ProtectedMachine> {
        self.machines.iter().map(|(machine, _)| &**machine)
    }

    /// The one side at which all are that have no override.
    pub(crate) fn side(&self) -> Option<SiteRole> {
        match self.home {
            ActualSite::Primary => Some(SiteRole::Primary),
            ActualSite::Secondary => Some(SiteRole::Secondary),
            ActualSite::Mixed | ActualSite::Unknown => None,
        }
    }

    /// As the engine takes it.
    pub(crate) fn places(&self) -> Places {
        let known = self.machines.iter();
        known
            .filter_map(|(machine, at)| {
                let id = MachineId {
                    namespace: machine.metadata.namespace.as_deref()?.parse().ok()?,
                    group: machine.spec.group_ref.name.clone(),
                    name: machine.spec.machine.clone(),
                };
                Some((id, (*at)?))
            })
            .collect()
    }
}

/// Where the machines of a plan are.
pub(crate) fn whereabouts(context: &Context, key: &ObjectKey, plan: &RecoveryPlan) -> Whereabouts {
    let machines = machines_of(context, key, plan);
    let index = context.index();
    let mut found = Whereabouts {
        actual: ActualSite::Unknown,
        home: ActualSite::Unknown,
        balance: Balance::default(),
        protected: 0,
        late: 0,
        split: 0,
        unprotected: 0,
        uncommitted: 0,
        highest_epoch: 0,
        machines: Vec::with_capacity(machines.len()),
    };
    let (mut all, mut home) = (Tally::default(), Tally::default());
    for machine in machines {
        let place = Place::of(&key.namespace, &machine.spec, Consistency::PerMachine);
        let status = machine.status.as_ref();
        found.protected += usize::from(status.is_some_and(|status| status.phase.is_protected()));
        let late = status.into_iter().flat_map(|status| &status.conditions);
        found.late += usize::from(
            late.into_iter()
                .any(|condition| condition.type_ == RPO_EXCEEDED),
        );
        let epoch = highest_epoch(&index, &place);
        found.highest_epoch = found.highest_epoch.max(epoch);
        let serving = serving(&index, &place);
        found.split += usize::from(serving == Serving::Both);
        let at = serving.located(status.and_then(|status| status.active_site));
        if status.is_some_and(|status| status.phase == MachinePhase::NotProtected) {
            let link = index.link(&place.pair, &place.subject.primary);
            let committed = at.is_some_and(|at| decide::proven_committed(link.seen(), at, epoch));
            found.unprotected += 1;
            found.uncommitted += usize::from(!committed);
        }
        let group = &machine.spec.group_ref.name;
        let wanted = wanted(&plan.spec, group, &machine.spec.machine);
        all.count(at);
        if wanted == plan.spec.active_site {
            home.count(at);
        }
        if let Some(wanted) = wanted {
            found.balance.count(wanted, at);
        }
        found.machines.push((machine, at));
    }
    found.actual = all.site();
    found.home = home.site();
    found
}

/// How many machines are where.
#[derive(Default)]
struct Tally {
    primary: usize,
    secondary: usize,
    unknown: usize,
}

impl Tally {
    fn count(&mut self, at: Option<SiteRole>) {
        match at {
            Some(SiteRole::Primary) => self.primary += 1,
            Some(SiteRole::Secondary) => self.secondary += 1,
            None => self.unknown += 1,
        }
    }

    fn site(&self) -> ActualSite {
        match (self.primary, self.secondary, self.unknown) {
            (_, _, 1..) | (0, 0, 0) => ActualSite::Unknown,
            (_, 0, 0) => ActualSite::Primary,
            (0, _, 0) => ActualSite::Secondary,
            _ => ActualSite::Mixed,
        }
    }
}

/// What is seen of where a machine serves.
fn serving(index: &Index, place: &Place) -> Serving {
    let seen = |role| index.instance(place.sites.at(role), &place.instance(role, false));
    Serving::of([&seen(SiteRole::Primary), &seen(SiteRole::Secondary)])
}

fn highest_epoch(index: &Index, place: &Place) -> u64 {
    let at = |role| index.highest_epoch(place.sites.at(role), place.subject.at(role));
    let link = match index.link(&place.pair, &place.subject.primary) {
        Observed::Seen { value, .. } => value.epoch,
        Observed::Unknown { last, .. } => last.map_or(0, |link| link.epoch),
    };
    at(SiteRole::Primary).max(at(SiteRole::Secondary)).max(link)
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
