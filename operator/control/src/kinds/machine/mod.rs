//! A protected machine: where it is active, how its replication is, and what is done about that outside of
//! runs (PR-1 to PR-5). While a run has it in hand, only what the run reached is told.

mod drift;
mod status;

use std::sync::Arc;

use drover_api::annotations::RESYNC_NOW;
use drover_api::common::{RunKind, SiteRole};
use drover_api::value::MachineName;
use drover_api::{
    Consistency, InitialReplication, MachinePhase, MachineRun, NetworkMapping, ProtectedMachine,
    ProtectedMachineStatus, RecoveryRun, ReplicationPolicySpec,
};
use drover_engine::decide::{
    self, Companion, Failure, FirstCopy, PartInRun, Prerequisite, ProtectStep, ProtectView,
    Serving, Tenure, TenureView, WaitReason, rests,
};
use drover_engine::lifecycle::{MACHINE, RUN};
use drover_fabric::step_name;
use drover_world::{Effect, FabricError, Instance, Link, LinkState, Observed, Stamp};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::cache::ObjectKey;
use crate::conditions::Conditions;
use crate::context::Context;
use crate::declaration::Snapshot;
use crate::drivers::{Place, Shaped};
use crate::index::PairKey;
use crate::kinds::run::{asked_again, retries};
use crate::queue::Key;
use crate::write::WriteError;

/// Keeps the object until nothing replicates any more, or it was decided that the copy stays.
pub(crate) const FINALIZER: &str = "drover.dev/protection";

pub(crate) async fn reconcile(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let found = context.cache().machines.get(key).cloned();
    let Some(machine) = found else {
        context.failures().remove(key);
        context.asked().remove(key);
        context.slots().leave(context, &Key::Machine(key.clone()));
        return Ok(());
    };
    let snapshot = context.snapshot();
    let Some(case) = Case::of(context, key, &machine, &snapshot).await else {
        return note_missing(context, &machine).await;
    };
    let mut status = machine.status.clone().unwrap_or_default();
    status.observed_generation = machine.metadata.generation;
    let wait = case.advance(context, &mut status);
    if status.phase == MachinePhase::Unprotected && machine.metadata.deletion_timestamp.is_some() {
        return let_go(context, &machine).await;
    }
    case.describe(&mut status, wait.as_ref());
    let again = case.judge(context, &mut status, wait.as_ref());
    case.wake_later(context, &status, wait.as_ref(), again);
    if !worth_writing(machine.status.as_ref(), &status, &case) {
        return Ok(());
    }
    case.tell(context, status.phase);
    let mut next = (*machine).clone();
    next.status = Some(status);
    context.replace_status(next).await?;
    Ok(())
}

/// Everything about one machine.
struct Case<'a> {
    key: &'a ObjectKey,
    machine: &'a Arc<ProtectedMachine>,
    /// Its protection group.
    group: ObjectKey,
    mapping: Option<Arc<NetworkMapping>>,
    policy: ReplicationPolicySpec,
    time_zone: jiff::tz::TimeZone,
    place: Place,
    at: [Observed<Instance>; 2],
    drill: [Observed<Instance>; 2],
    link: Observed<Link>,
    /// The other members of its consistency group.
    companions: Vec<Companion>,
    /// The newest run that moves the machine or its replication, with its part in it.
    run: Option<(Arc<RecoveryRun>, Arc<MachineRun>)>,
    prerequisites: Vec<Prerequisite>,
    now: Timestamp,
}

fn side(role: SiteRole) -> usize {
    match role {
        SiteRole::Primary => 0,
        SiteRole::Secondary => 1,
    }
}

const ROLES: [SiteRole; 2] = [SiteRole::Primary, SiteRole::Secondary];

impl<'a> Case<'a> {
    /// Nothing where what the machine refers to is not there.
    async fn of(
        context: &Arc<Context>,
        key: &'a ObjectKey,
        machine: &'a Arc<ProtectedMachine>,
        snapshot: &Snapshot,
    ) -> Option<Self> {
        let spec = &machine.spec;
        let group = ObjectKey::new(&key.namespace, spec.group_ref.name.as_str());
        let consistency = {
            let cache = context.cache();
            cache
                .groups
                .get(&group)
                .map_or(Consistency::PerMachine, |group| group.spec.consistency)
        };
        let place = Place::of(&key.namespace, spec, consistency);
        let policy = snapshot.policy(&place.pair.policy)?.spec.clone();
        let sites = [
            snapshot.site(&spec.sites.primary)?,
            snapshot.site(&spec.sites.secondary)?,
        ];
        let opened = context
            .open_pair(&place.pair, [sites[0], sites[1]], &policy)
            .await;
        let provisions = context.provisions(place.sites.at(SiteRole::Primary));
        let now = context.clock.now();
        let index = context.index();
        let at =
            ROLES.map(|role| index.instance(place.sites.at(role), &place.instance(role, false)));
        let drill =
            ROLES.map(|role| index.instance(place.sites.at(role), &place.instance(role, true)));
        let link = index.link(&place.pair, &place.subject.primary);
        drop(index);
        let active = machine
            .status
            .as_ref()
            .and_then(|status| status.active_site);
        let home = sites[side(active.unwrap_or(SiteRole::Primary))];
        let mut case = Self {
            key,
            machine,
            mapping: spec.network_mapping_ref.as_ref().and_then(|mapping| {
                let mapping = ObjectKey::new(&key.namespace, mapping.name.as_str());
                snapshot.mapping(&mapping).cloned()
            }),
            time_zone: home.spec.time_zone.to_jiff(),
            policy,
            place,
            at,
            drill,
            link,
            companions: Vec::new(),
            run: newest_run(context, &group, machine),
            group,
            prerequisites: Vec::new(),
            now,
        };
        if consistency == Consistency::Group && case.becomes_protected() {
            let of_group = companions(context, &case.group).into_iter();
            let others = of_group.filter(|(name, _)| *name != spec.machine);
            case.companions = others.map(|(_, companion)| companion).collect();
        }
        case.prerequisites = decide::prerequisites(case.at(), provisions, opened.err().as_ref());
        Some(case)
    }

    /// Only then it matters how the others of its group are, and there may be many.
    fn becomes_protected(&self) -> bool {
        use MachinePhase as P;
        let status = self.machine.status.as_ref();
        let phase = status.map_or_else(P::default, |status| status.phase);
        let on_its_way = matches!(
            phase,
            P::Unprotected | P::Enabling | P::InitialReplication | P::Finalizing
        );
        let link = self.link.seen();
        on_its_way && link.is_some_and(|link| link.state == LinkState::Replicating)
    }

    fn at(&self) -> [&Observed<Instance>; 2] {
        [&self.at[0], &self.at[1]]
    }

    fn active(&self) -> Option<SiteRole> {
        let status = self.machine.status.as_ref();
        let recorded = status.and_then(|status| status.active_site);
        Serving::of(self.at()).active(recorded, &self.link)
    }

    fn split(&self) -> bool {
        Serving::of(self.at()) == Serving::Both
    }

    /// Moves the phase on as far as it goes now; for what it waits then.
    fn advance(
        &self,
        context: &Arc<Context>,
        status: &mut ProtectedMachineStatus,
    ) -> Option<WaitReason> {
        status.active_site = self.active().or(status.active_site);
        let journal = self.run.as_ref().and_then(|(_, part)| part.status.clone());
        let journal = journal.unwrap_or_default();
        let tenure = decide::tenure(&TenureView {
            phase: status.phase,
            purpose: self.machine.spec.purpose,
            active: status.active_site,
            at: self.at(),
            link: &self.link,
            run: self.run.as_ref().map(|(run, _)| PartInRun {
                run: &run.spec,
                phase: run.phase(),
                journal: &journal,
            }),
        });
        match tenure {
            Tenure::Run(told) => {
                if let Some(told) = told {
                    let run = self.run.as_ref().map(|(run, _)| run.name_any());
                    status.run = run.and_then(|name| name.parse().ok());
                    status.phase = told;
                }
                Some(WaitReason::Run)
            }
            Tenure::Protection(from) => {
                status.run = None;
                status.phase = from;
                self.protect(context, status)
            }
        }
    }

    /// Asks the engine what is done about the protection, and does it.
    fn protect(
        &self,
        context: &Arc<Context>,
        status: &mut ProtectedMachineStatus,
    ) -> Option<WaitReason> {
        // A machine passes through fewer phases than this in one go.
        for _ in 0..8 {
            let failure = context.failures().get(self.key).cloned();
            let now = self.now.to_zoned(self.time_zone.clone());
            let step = decide::protect(&ProtectView {
                phase: status.phase,
                claimed: self.machine.metadata.deletion_timestamp.is_none(),
                deletion_policy: self.machine.spec.deletion_policy,
                towards: status.active_site.unwrap_or(SiteRole::Primary).other(),
                link: &self.link,
                companions: &self.companions,
                prerequisites: &self.prerequisites,
                failure: failure.as_ref(),
                resync_window: &self.policy.resync_window,
                resync_asked: self.resync_asked(),
                first_copy: self.first_copy(),
                now: &now,
            });
            match step {
                ProtectStep::Happened(event) => match MACHINE.next(status.phase, event) {
                    Some(next) => status.phase = next,
                    None => return None,
                },
                ProtectStep::Ensure(effect) => return Some(self.ensure(context, effect)),
                ProtectStep::Wait(reason) => {
                    // Its own copy is there; those of the others may need the place.
                    if reason == WaitReason::CommonPoint {
                        context.slots().leave(context, &self.slot());
                    }
                    return Some(reason);
                }
                ProtectStep::Rest => {
                    context.slots().leave(context, &self.slot());
                    return None;
                }
            }
        }
        None
    }

    fn first_copy(&self) -> Option<FirstCopy> {
        let scheduled = self.policy.initial_replication == InitialReplication::Scheduled;
        let at = self.policy.initial_replication_at.filter(|_| scheduled)?;
        let made = self.machine.metadata.creation_timestamp.as_ref();
        let since = made.map_or(self.now, |made| made.0);
        Some(FirstCopy { at, since })
    }

    fn resync_asked(&self) -> bool {
        let annotations = self.machine.metadata.annotations.as_ref();
        annotations.is_some_and(|annotations| annotations.contains_key(RESYNC_NOW))
    }

    /// Who takes a place for a copy.
    fn slot(&self) -> Key {
        Key::Machine(self.key.clone())
    }

    /// The site that a copy comes from.
    fn copied_from(&self) -> &drover_api::value::SiteName {
        let towards = self.link.seen().map(|link| link.towards);
        self.place
            .sites
            .at(towards.unwrap_or(SiteRole::Secondary).other())
    }

    /// Asks the replicator; a copy only within the limits of the site it comes from (PR-2).
    fn ensure(&self, context: &Arc<Context>, effect: Effect) -> WaitReason {
        let copies = matches!(
            effect,
            Effect::Seeded { .. } | Effect::Resynchronized { .. }
        );
        if copies
            && !context
                .slots()
                .enter(context, self.copied_from(), &self.slot())
        {
            return WaitReason::Slot;
        }
        if !copies {
            context.slots().leave(context, &self.slot());
        }
        let seen = self
            .at
            .iter()
            .filter_map(|at| at.seen().map(|seen| seen.epoch));
        let link = self.link.seen().map(|link| link.epoch);
        let epoch = seen.chain(link).max().unwrap_or(0);
        if !asked_again(&mut context.asked(), self.key, effect, epoch) {
            return WaitReason::Data {
                pending_bytes: self.link.seen().map_or(0, |link| link.pending_bytes),
            };
        }
        let stamp = Stamp {
            run: self.key.name.to_string(),
            step: step_name(effect),
            epoch,
        };
        let (context_of_task, key, place) =
            (Arc::clone(context), self.key.clone(), self.place.clone());
        context.spawn(async move {
            let context = context_of_task;
            let answer = context
                .ensure(&place, &stamp, effect, Shaped::default())
                .await;
            note(&context, &key, &place, effect, epoch, answer.err());
        });
        WaitReason::Data {
            pending_bytes: self.link.seen().map_or(0, |link| link.pending_bytes),
        }
    }

    /// Looks again when time alone will have changed something.
    fn wake_later(
        &self,
        context: &Context,
        status: &ProtectedMachineStatus,
        wait: Option<&WaitReason>,
        again: Option<Timestamp>,
    ) {
        let mut at = again;
        let mut sooner = |instant: Timestamp| at = Some(at.map_or(instant, |at| at.min(instant)));
        match wait {
            Some(WaitReason::Retry { at, .. }) => sooner(*at),
            Some(WaitReason::ResyncWindow { opens }) => sooner(*opens),
            Some(WaitReason::FirstCopy { begins }) => sooner(*begins),
            // Who of the group is the last to get there is not heard of here.
            Some(WaitReason::CommonPoint) => {
                sooner(self.now + jiff::SignedDuration::from_secs(2));
            }
            Some(WaitReason::Data { .. } | WaitReason::Replicator) => {
                sooner(self.now + jiff::SignedDuration::from_secs(10));
            }
            _ => {}
        }
        let newest = status
            .replication
            .as_ref()
            .and_then(|seen| seen.newest_point);
        if let Some(newest) = newest
            && let Ok(late) = newest.checked_add(self.policy.rpo_threshold.as_std())
            && late > self.now
        {
            sooner(late + jiff::SignedDuration::from_secs(1));
        }
        if let Some(due) = self.rest_due(status)
            && due > self.now
        {
            sooner(due + jiff::SignedDuration::from_secs(1));
        }
        if let Some(at) = at {
            context
                .queue
                .add_at(Key::Machine(self.key.clone()), context.clock.instant_of(at));
        }
    }
}

/// How the members of a group are, by their names.
fn companions(context: &Context, group: &ObjectKey) -> Vec<(MachineName, Companion)> {
    let members: Vec<Arc<ProtectedMachine>> = context.cache().members(group).cloned().collect();
    let index = context.index();
    let known = members.into_iter().map(|member| {
        let pair = PairKey::of(&group.namespace, &member.spec);
        let companion = Companion {
            phase: member
                .status
                .as_ref()
                .map_or_else(MachinePhase::default, |status| status.phase),
            link: index.link(&pair, &member.spec.machine),
        };
        (member.spec.machine.clone(), companion)
    });
    known.collect()
}

/// Whether the members of a consistency group can be recovered to one instant.
pub(crate) fn recoverable_together(context: &Context, group: &ObjectKey) -> bool {
    let members = companions(context, group).into_iter();
    let members: Vec<Companion> = members.map(|(_, companion)| companion).collect();
    decide::recoverable_together(&members)
}

/// The newest run that moves a machine or its replication, by epoch, with the machine's part in it.
fn newest_run(
    context: &Context,
    group: &ObjectKey,
    machine: &ProtectedMachine,
) -> Option<(Arc<RecoveryRun>, Arc<MachineRun>)> {
    let cache = context.cache();
    let parts = cache.parts_of(group, machine.spec.machine.as_str());
    parts
        .filter_map(|part| {
            let key = ObjectKey::new(&group.namespace, part.spec.run.as_str());
            let run = cache.runs.get(&key)?;
            (run.spec.kind != RunKind::TestFailover).then(|| (Arc::clone(run), Arc::clone(part)))
        })
        .max_by_key(|(run, _)| run.spec.epoch)
}

/// Remembers what came of a request outside of runs (PR-5).
fn note(
    context: &Arc<Context>,
    key: &ObjectKey,
    place: &Place,
    effect: Effect,
    epoch: u64,
    error: Option<FabricError>,
) {
    if let Some(asked) = context.asked().get_mut(key) {
        asked.open = false;
    }
    let Some(error) = error else {
        context.failures().remove(key);
        // What is reached without changing anything is not reported again.
        context.queue.add(Key::Machine(key.clone()));
        return;
    };
    let at = context.clock.now();
    let attempts = context
        .failures()
        .get(key)
        .map_or(0, |former| former.attempts)
        .saturating_add(1);
    context.asked().remove(key);
    let retry = retries(context, Some(&place.pair));
    let failure = Failure::of((effect, epoch, error), attempts, at, &retry);
    context.failures().insert(key.clone(), failure);
    context.queue.add(Key::Machine(key.clone()));
}

/// Whether a status says something new. Figures that grow all the time are written when the threshold's
/// third has passed, not before.
fn worth_writing(
    before: Option<&ProtectedMachineStatus>,
    now: &ProtectedMachineStatus,
    case: &Case<'_>,
) -> bool {
    let Some(before) = before else { return true };
    if before == now {
        return false;
    }
    let mut quiet = before.clone();
    if let (Some(old), Some(new)) = (&mut quiet.replication, &now.replication) {
        old.rpo.clone_from(&new.rpo);
        old.pending_bytes = new.pending_bytes;
        old.recovery_points = new.recovery_points;
        old.newest_point = new.newest_point;
    }
    // In the middle of a run nothing is told that the run does not tell.
    let in_run = case
        .run
        .as_ref()
        .is_some_and(|(run, _)| !RUN.is_final(run.phase()) && !rests(run.phase()));
    let same = before.phase == now.phase && before.run == now.run && before.drift == now.drift;
    if in_run && same {
        return false;
    }
    if quiet != *now {
        return true;
    }
    let third = case.policy.rpo_threshold.as_std() / 3;
    told_at(before).is_none_or(|told| case.now.duration_since(told).unsigned_abs() >= third)
}

/// When the figures of a status were written: it says how old its newest point was then.
fn told_at(status: &ProtectedMachineStatus) -> Option<jiff::Timestamp> {
    let seen = status.replication.as_ref()?;
    let age = seen.rpo.as_ref()?.as_std();
    seen.newest_point?.checked_add(age).ok()
}

async fn note_missing(
    context: &Arc<Context>,
    machine: &Arc<ProtectedMachine>,
) -> Result<(), WriteError> {
    if machine.metadata.deletion_timestamp.is_some() {
        // What would be let go of cannot be reached any more; the copy stays.
        return let_go(context, machine).await;
    }
    let mut next = (**machine).clone();
    let mut status = machine.status.clone().unwrap_or_default();
    let now = context.clock.now();
    Conditions::of(&mut status.conditions, machine.metadata.generation, now).stalled(
        "MissingReference",
        "its policy or one of its sites is not declared",
    );
    if machine.status.as_ref() == Some(&status) {
        return Ok(());
    }
    next.status = Some(status);
    context.replace_status(next).await.map(|_| ())
}

async fn let_go(context: &Arc<Context>, machine: &Arc<ProtectedMachine>) -> Result<(), WriteError> {
    let mut next = (**machine).clone();
    let Some(finalizers) = &mut next.metadata.finalizers else {
        return Ok(());
    };
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    context.replace(next).await.map(|_| ())
}
