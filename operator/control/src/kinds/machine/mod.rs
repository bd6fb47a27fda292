//! A protected machine: where it is active, how its replication is, and what is done about that outside of
//! runs (PR-1 to PR-5). While a run has it in hand, only what the run reached is told.

mod status;

use std::sync::Arc;

use drover_api::common::{RunKind, SiteRole};
use drover_api::{
    Consistency, MachinePhase, MachineRun, ProtectedMachine, ProtectedMachineStatus, Purpose,
    RecoveryRun, ReplicationPolicySpec, RunPhase, StepState,
};
use drover_engine::decide::{self, Failure, Prerequisite, ProtectStep, ProtectView, WaitReason};
use drover_engine::lifecycle::{MACHINE, RUN};
use drover_world::{Effect, FabricError, Instance, Link, LinkState, Observed, Power, Stamp};
use jiff::Timestamp;

use crate::cache::ObjectKey;
use crate::conditions::Conditions;
use crate::context::Context;
use crate::declaration::Snapshot;
use crate::drivers::{Place, Shaped, step_name};
use crate::kinds::run::{asked_again, rests, retry_pause};
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
    case.wake_later(context, &status, wait.as_ref());
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
    policy: ReplicationPolicySpec,
    time_zone: jiff::tz::TimeZone,
    place: Place,
    at: [Observed<Instance>; 2],
    drill: [Observed<Instance>; 2],
    link: Observed<Link>,
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
            time_zone: home.spec.time_zone.to_jiff(),
            policy,
            place,
            at,
            drill,
            link,
            run: newest_run(context, &group, machine),
            prerequisites: Vec::new(),
            now,
        };
        case.prerequisites = case.prerequisites(opened.err());
        Some(case)
    }

    /// What must hold before anything is made (PR-1).
    fn prerequisites(&self, driver: Option<FabricError>) -> Vec<Prerequisite> {
        let known = |value: &Observed<Instance>| value.seen().is_some();
        let there = self.at[0].seen().map(|seen| {
            // A machine of a simulated site that nobody lists is made when it is protected.
            seen.power != Power::Absent || self.policy.replicator.driver() == "simulator"
        });
        let of = |name: &str, holds| Prerequisite {
            name: name.to_owned(),
            holds,
        };
        let mut list = vec![
            of("the primary site answers", Some(known(&self.at[0]))),
            of("the secondary site answers", Some(known(&self.at[1]))),
            of("the machine exists at the primary site", there),
        ];
        if let Some(error) = driver {
            list.push(of(
                &format!("the replicator can be used ({error})"),
                Some(false),
            ));
        }
        list
    }

    /// Where the machine is active: where it runs, else where its data comes from.
    fn active(&self) -> Option<SiteRole> {
        let serves = |role| self.at[side(role)].seen().map(Instance::may_serve);
        match (serves(SiteRole::Primary), serves(SiteRole::Secondary)) {
            (Some(true), Some(false)) => Some(SiteRole::Primary),
            (Some(false), Some(true)) => Some(SiteRole::Secondary),
            // Both, neither, or one is not known: what was recorded last, else where data comes from.
            _ => self.recorded_active().or_else(|| {
                let link = self.link.seen()?;
                (link.state != LinkState::None).then(|| link.towards.other())
            }),
        }
    }

    fn recorded_active(&self) -> Option<SiteRole> {
        self.machine.status.as_ref()?.active_site
    }

    fn split(&self) -> bool {
        self.at
            .iter()
            .all(|at| at.seen().is_some_and(Instance::may_serve))
    }

    /// Moves the phase on as far as it goes now; for what it waits then.
    fn advance(
        &self,
        context: &Arc<Context>,
        status: &mut ProtectedMachineStatus,
    ) -> Option<WaitReason> {
        status.active_site = self.active().or(status.active_site);
        if let Some((run, part)) = &self.run {
            let phase = run
                .status
                .as_ref()
                .map(|status| status.record.phase)
                .unwrap_or_default();
            let name = run.metadata.name.as_deref().unwrap_or_default();
            if !RUN.is_final(phase) {
                if let Some(phase) = told(run, phase, part) {
                    status.phase = phase;
                    status.run = name.parse().ok();
                }
                return Some(WaitReason::Run);
            }
            status.run = None;
            self.after_run(run, phase, part, status);
        } else if begins(status.phase) && self.adopted() {
            status.phase = MachinePhase::NotProtected;
        }
        self.protect(context, status)
    }

    /// Found as a run left it, with no run on record here: it is adopted as it is, and nothing is done to
    /// what stands at the other site (SA-5, SA-11).
    fn adopted(&self) -> bool {
        let Some(active) = self.active() else {
            return false;
        };
        let Some(link) = self.link.seen() else {
            return false;
        };
        let other = self.at[side(active.other())].seen();
        let touched = self
            .at
            .iter()
            .any(|at| at.seen().is_some_and(|seen| seen.epoch > 0));
        let backwards = link.state != LinkState::None && link.towards == active;
        let something_there = other.is_some_and(|other| other.power != Power::Absent);
        touched && (backwards || (link.state == LinkState::None && something_there))
    }

    /// What a run that came to its end left behind.
    fn after_run(
        &self,
        run: &RecoveryRun,
        phase: RunPhase,
        part: &MachineRun,
        status: &mut ProtectedMachineStatus,
    ) {
        use MachinePhase as P;
        let journal = part.status.clone().unwrap_or_default();
        let in_run = matches!(
            status.phase,
            P::CommitPending
                | P::Leaving
                | P::Left
                | P::Entering
                | P::Returning
                | P::Committing
                | P::SynchronizingBack
                | P::AwaitingCompleteSync
                | P::Reprotecting
        );
        // A copy that a cancelled failback began goes on: the disk is inconsistent until it is complete (FB-5).
        let half_way = phase == RunPhase::Cancelled
            && run.spec.synchronization.is_some()
            && matches!(status.phase, P::NotProtected | P::Inconsistent);
        match phase {
            RunPhase::Committed if journal.enter.state == StepState::Done => {
                let settled = matches!(status.phase, P::Disabling | P::Unprotected | P::Migrated);
                if !settled {
                    let migrated = self.machine.spec.purpose == Purpose::MigrationOnly
                        && run.spec.direction.target() == SiteRole::Secondary;
                    status.phase = if migrated {
                        P::Migrated
                    } else {
                        P::NotProtected
                    };
                }
            }
            RunPhase::Protected
                if (matches!(status.phase, P::NotProtected | P::Reprotecting) || in_run)
                    && journal.reverse.state == StepState::Done =>
            {
                status.phase = P::Protected;
            }
            RunPhase::Cancelled | RunPhase::Committed if in_run || half_way => {
                let active = status.active_site.unwrap_or(run.spec.direction.source());
                let copies = run.spec.synchronization.is_some();
                let replicates = self.link.seen().is_some_and(|link| {
                    let flows = match link.state {
                        LinkState::None => false,
                        LinkState::Replicating => true,
                        _ => !copies,
                    };
                    flows && link.towards == active.other()
                });
                let half = self.at[side(run.spec.direction.target())]
                    .seen()
                    .is_some_and(|seen| seen.disk == drover_world::Disk::HalfWritten);
                status.phase = match (replicates, half && copies) {
                    (_, true) => P::Inconsistent,
                    (true, _) => P::Protected,
                    (false, _) => P::NotProtected,
                };
            }
            _ => {}
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
                in_run: false,
                towards: status.active_site.unwrap_or(SiteRole::Primary).other(),
                link: &self.link,
                prerequisites: &self.prerequisites,
                failure: failure.as_ref(),
                resync_window: &self.policy.resync_window,
                resync_asked: self.resync_asked(),
                now: &now,
            });
            match step {
                ProtectStep::Happened(event) => match MACHINE.next(status.phase, event) {
                    Some(next) => status.phase = next,
                    None => return None,
                },
                ProtectStep::Ensure(effect) => return Some(self.ensure(context, effect)),
                ProtectStep::Wait(reason) => return Some(reason),
                ProtectStep::Rest => {
                    context.slots().leave(context, &self.slot());
                    return None;
                }
            }
        }
        None
    }

    fn resync_asked(&self) -> bool {
        let annotations = self.machine.metadata.annotations.as_ref();
        annotations.is_some_and(|annotations| annotations.contains_key("drover.dev/resync-now"))
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
    ) {
        let mut at: Option<Timestamp> = None;
        let mut sooner = |instant: Timestamp| at = Some(at.map_or(instant, |at| at.min(instant)));
        match wait {
            Some(WaitReason::Retry { at }) => sooner(*at),
            Some(WaitReason::ResyncWindow { opens }) => sooner(*opens),
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
        if let Some(at) = at {
            context
                .queue
                .add_at(Key::Machine(self.key.clone()), context.clock.instant_of(at));
        }
    }
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

/// What is told of a machine in the middle of a run: what the run reached, not its every step.
fn told(run: &RecoveryRun, phase: RunPhase, part: &MachineRun) -> Option<MachinePhase> {
    let entered = part
        .status
        .as_ref()
        .is_some_and(|journal| journal.enter.state == StepState::Done);
    match (run.spec.kind, phase) {
        // It may wait for an approval, and nothing replicates meanwhile.
        (RunKind::Reprotect, RunPhase::Pending) => None,
        (RunKind::Reprotect, _) => Some(MachinePhase::Reprotecting),
        (_, RunPhase::CommitPending) if entered => Some(MachinePhase::CommitPending),
        (_, RunPhase::CommitPending) => Some(MachinePhase::Left),
        (_, RunPhase::Withdrawing | RunPhase::Returning) => Some(MachinePhase::Returning),
        (_, RunPhase::AwaitingCompleteSync) => Some(MachinePhase::AwaitingCompleteSync),
        (_, RunPhase::Synchronizing) => Some(MachinePhase::SynchronizingBack),
        _ => None,
    }
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
    let pause = retry_pause(context, Some(&place.pair), error.class, attempts);
    let retry_at = at.checked_add(pause).unwrap_or(Timestamp::MAX);
    context.asked().remove(key);
    let failure = Failure {
        effect,
        epoch,
        error,
        attempts,
        at,
        retry_at,
    };
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
    let in_run = case.run.as_ref().is_some_and(|(run, _)| {
        let phase = run
            .status
            .as_ref()
            .map(|status| status.record.phase)
            .unwrap_or_default();
        !RUN.is_final(phase) && !rests(phase)
    });
    if in_run && before.phase == now.phase && before.run == now.run {
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

/// Whether nothing was made for a machine yet. The first look at it may come before its sites answered.
fn begins(phase: MachinePhase) -> bool {
    matches!(phase, MachinePhase::Unprotected | MachinePhase::Enabling)
}
