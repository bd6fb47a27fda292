//! Where a machine differs from what is declared: what the engine is told, and what is kept of its answer.

use drover_api::annotations::accepts_drift;
use drover_api::common::{RunKind, SiteRole};
use drover_api::value::NetworkName;
use drover_api::{NetworkMapping, ProtectedMachineSpec, ProtectedMachineStatus, StepState};
use drover_engine::decide::{WaitReason, rests};
use drover_engine::drift::{self, MachineFacts, Made, RunInHand};
use drover_engine::lifecycle::RUN;
use drover_world::{Hardware, InventoryMachine};
use jiff::Timestamp;
use kube::ResourceExt;

use super::Case;
use crate::cache::ObjectKey;
use crate::context::Context;

impl Case<'_> {
    /// Judges the machine as it is described now; when it is to be judged again though nothing was reported.
    pub(super) fn judge(
        &self,
        context: &Context,
        status: &mut ProtectedMachineStatus,
        wait: Option<&WaitReason>,
    ) -> Option<Timestamp> {
        if self.machine.metadata.deletion_timestamp.is_some() {
            status.drift.clear();
            return None;
        }
        let run = self.run.as_ref().map(|(run, _)| run);
        let ended = run.filter(|run| RUN.is_final(run.phase()));
        let in_hand = run.filter(|_| matches!(wait, Some(WaitReason::Run)));
        let answered = status.last_accepted_drift.as_deref();
        let accepts = accepts_drift(self.machine.annotations(), answered);
        let seen = self.described(context, status.active_site);
        let nothing = Hardware::default();
        let made = seen.as_ref().and_then(|(seen, at)| {
            let made = Made {
                hardware: seen.hardware.as_deref().unwrap_or(&nothing),
                networks: &seen.networks,
            };
            (seen.hardware.is_some() || !seen.networks.is_empty()).then_some((made, *at))
        });
        let judged = drift::machine(&MachineFacts {
            spec: &self.machine.spec,
            status,
            at: self.at(),
            link: &self.link,
            rpo_threshold: &self.policy.rpo_threshold,
            run: in_hand.map(|run| RunInHand {
                rests: rests(run.phase()),
                since: run.status.as_ref().and_then(|status| status.record.since),
            }),
            run_ended: ended.and_then(|run| run.status.as_ref()?.record.since),
            arrived: status
                .active_site
                .and_then(|role| self.arrived(context, role)),
            made,
            networks: status.active_site.and_then(|role| self.networks(role)),
            provisions: context.provisions(self.place.sites.at(SiteRole::Primary)),
            no_longer_selected: self.no_longer_selected(context),
            accepted: accepts.is_some(),
            now: self.now,
        });
        status.drift = judged.drift;
        status.hardware = judged.hardware;
        if judged.accepted {
            status.last_accepted_drift = accepts;
        }
        judged.again
    }

    fn described(
        &self,
        context: &Context,
        active: Option<SiteRole>,
    ) -> Option<(InventoryMachine, Timestamp)> {
        let role = active?;
        let index = context.index();
        index.described(self.place.sites.at(role), self.place.subject.at(role))
    }

    /// When a run last started it there.
    fn arrived(&self, context: &Context, at: SiteRole) -> Option<Timestamp> {
        let cache = context.cache();
        let parts = cache.parts_of(&self.group, self.machine.spec.machine.as_str());
        let arrivals = parts.filter_map(|part| {
            let run = ObjectKey::new(&self.key.namespace, part.spec.run.as_str());
            let run = &cache.runs.get(&run)?.spec;
            let moves = matches!(
                run.kind,
                RunKind::PlannedFailover | RunKind::UnplannedFailover
            );
            let there = moves && run.direction.target() == at;
            let entered = &part.status.as_ref()?.enter;
            (there && entered.state == StepState::Done).then_some(entered.at)?
        });
        arrivals.max()
    }

    fn networks(&self, role: SiteRole) -> Option<Vec<NetworkName>> {
        networks_of(&self.machine.spec, self.mapping.as_deref()?, role)
    }

    fn no_longer_selected(&self, context: &Context) -> bool {
        let cache = context.cache();
        let group = cache.groups.get(&self.group);
        let status = group.and_then(|group| group.status.as_ref());
        status.is_some_and(|status| {
            status
                .no_longer_matching
                .contains(&self.machine.spec.machine)
        })
    }
}

/// The networks that are declared for the interfaces of a machine at a site; nothing where none are, or where
/// the mapping does not have them all.
fn networks_of(
    machine: &ProtectedMachineSpec,
    mapping: &NetworkMapping,
    role: SiteRole,
) -> Option<Vec<NetworkName>> {
    if machine.nics.is_empty() {
        return None;
    }
    let nics = machine.nics.iter();
    let networks = nics.map(|nic| {
        let mut pairs = mapping.spec.networks.iter();
        let pair = pairs.find(|pair| pair.name == nic.network)?;
        Some(pair.at(role).network.clone())
    });
    networks.collect()
}
